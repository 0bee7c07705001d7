"""What a signal does to an apply, and a reader that goes away: real processes, beside stacks that take a moment."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_tenants.cli import interrupts
from aurora_tenants.cli.interrupts import Interrupts, as_interrupts
from tests.cli.conftest import CommandLine
from tests.cloud import Cloud
from tests.endpoint import until
from tests.render.test_apply_schema import check

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def no_nohup() -> Iterator[None]:
    """Whoever runs the tests may ignore SIGHUP, and so would they."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


class Watched:
    """Signals, and how often the first and the second was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.of = Interrupts(lambda: self.told.append("first"), lambda: self.told.append("second"))

    def send(self, number: signal.Signals) -> None:
        """Returns once it was told."""
        before = len(self.told)
        os.kill(os.getpid(), number)
        until(lambda: len(self.told) > before)


@pytest.mark.parametrize("number", ALL)
def test_the_first_signal_stops_and_the_second_is_told_apart(number: signal.Signals, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interrupts, "_SAME_SECONDS", 0.0)
    before, watched = [signal.getsignal(each) for each in ALL], Watched()
    with watched.of, watched.of.followed():
        watched.send(number)
        assert watched.of.stop.is_set()
        watched.send(number)
    assert watched.told == ["first", "second"]
    assert [signal.getsignal(each) for each in ALL] == before


@pytest.mark.parametrize("number", ALL)
def test_what_nobody_follows_is_interrupted(number: signal.Signals):
    watched = Watched()
    with watched.of:
        watched.of.begin()
        with pytest.raises(KeyboardInterrupt):
            watched.send(number)
        until(lambda: watched.told)
    assert watched.of.stop.is_set()


def test_the_same_signal_that_comes_twice_at_once_is_one():
    watched = Watched()
    with watched.of, watched.of.followed():
        watched.send(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert watched.told == ["first"]


def test_a_signal_that_was_ignored_stays_so():
    """As nohup has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Watched().of as of, of.followed(), as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not of.stop.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", ALL)
def test_every_command_that_changes_something_takes_them_for_ctrl_c(number: signal.Signals):
    with pytest.raises(KeyboardInterrupt), as_interrupts():
        os.kill(os.getpid(), number)
        signal.pause()


# Real processes


@pytest.fixture
def three(run: CommandLine, cloud: Cloud) -> Iterator[None]:
    """Tenants a, b and c, each a stack of a second."""
    cloud.meet("slow-stacks", seconds=1.0)
    run.file("".join(f"  {name}: {{databases: {{{name}: }}}}\n" for name in "abc"))
    yield
    cloud.clear()
    cloud.clean()


def begun(options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "aurora_tenants", "apply", "--yes", *shlex.split(options)]
    # A group of its own, so that no signal reaches the tests.
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The line of standard error that has this text."""
    assert process.stderr is not None
    return next(line for line in process.stderr if text in line)


def rest(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Standard output, and what is left of standard error; `communicate` does not see what is buffered of it."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        told = process.stderr.read()
        return process.stdout.read(), told


@pytest.mark.usefixtures("three")
def test_ctrl_c_begins_nothing_more_follows_what_is_in_flight_and_says_how_to_go_on(run: CommandLine, cloud: Cloud):
    process = begun("--parallel 1 --region eu-west-1")
    read_until(process, "a: started")
    until(cloud.stacks)
    process.send_signal(signal.SIGINT)
    read_until(process, "Interrupted: nothing more begins, and 1 stack in flight is followed to the end.")
    _, told = rest(process)
    assert process.returncode == 130
    first, summary, last = told.splitlines()
    assert (first.startswith("[1/3] a: created in"), summary) == (
        True,
        "Interrupted. 1 of 3 tenants applied, 2 stopped.",
    )
    assert cloud.stacks() == {"shared-global-a": "CREATE_COMPLETE"}
    assert last == "To go on: aurora-tenants apply --tenant b --tenant c --region eu-west-1"
    assert run(f"{last.removeprefix('To go on: ')} --yes").code == 0
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


@pytest.mark.usefixtures("three")
def test_twice_ends_the_process_at_once_and_every_line_is_as_the_schema_says(run: CommandLine, cloud: Cloud):
    cloud.meet("slow-stacks", seconds=4.0)
    process = begun("--output json --tenant a")
    read_until(process, '"started"')
    until(cloud.stacks)
    process.send_signal(signal.SIGTERM)
    read_until(process, '"is_followed": true')
    until(lambda: process.send_signal(signal.SIGHUP) or process.poll())
    out, told = rest(process)
    assert process.returncode == 130
    events = [json.loads(line) for line in told.splitlines()]
    for event in (*events, json.loads(out)):
        check(event)
    assert (events[-1]["is_followed"], "To go on: aurora-tenants apply --tenant" in events[-1]["text"]) == (False, True)


@pytest.mark.usefixtures("three")
def test_a_reader_that_goes_away_stops_no_apply(cloud: Cloud, run: CommandLine):
    process = begun("")
    assert process.stdout is not None
    assert process.stderr is not None
    read_until(process, ": started")
    process.stdout.close()
    process.stderr.close()
    assert process.wait() == 0
    assert set(cloud.stacks().values()) == {"CREATE_COMPLETE"}
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


@pytest.mark.usefixtures("three")
def test_nothing_to_write_to_stops_no_apply(cloud: Cloud, tmp_path: Path):
    shell = f"exec {shlex.quote(sys.executable)} -m aurora_tenants apply --yes --tenant a >&- 2>&-"
    assert subprocess.run(["sh", "-c", shell]).returncode == 0
    assert cloud.stacks() == {"shared-global-a": "CREATE_COMPLETE"}
