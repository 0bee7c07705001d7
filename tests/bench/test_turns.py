"""Things are measured in turn, as whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.process import measured
from bench.turns import Thing, measure, starts
from bench.world import ROOT


def test_things_take_turns_after_each_was_run_once(tmp_path: Path):
    order = tmp_path / "order"

    def thing(name: str, *, runs: int = 1, turns: int = 9) -> Thing:
        command = ["/bin/sh", "-c", f"printf {name} >> {order}"]
        return Thing(name, None, command, os.environ, runs=runs, turns=turns)

    things = [thing("a"), thing("b", runs=2), thing("c", turns=1)]
    figures = measure(things, 2, directory=tmp_path, tell=lambda _: None)
    assert order.read_text() == "abc" + "abbc" + "abb"
    assert [(figure.name, len(figure.wall), len(figure.cpu)) for figure in figures] == [
        ("a", 2, 2),
        ("b", 4, 4),
        ("c", 1, 1),
    ]


def test_what_is_the_case_meanwhile_ends_with_the_command(tmp_path: Path):
    flag = tmp_path / "flag"

    @contextmanager
    def raised() -> Iterator[None]:
        flag.touch()
        yield
        flag.unlink()

    thing = Thing("a", None, ["/bin/sh", "-c", f"test -e {flag}"], os.environ, within=raised)
    thing.run(tmp_path)
    assert not flag.exists()


def test_a_process_is_measured_with_its_children():
    child = "sum(range(3_000_000))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    least = measured([sys.executable, "-c", "pass"]).cpu
    cost = measured([sys.executable, "-c", parent])
    assert cost.cpu > 2 * least
    assert cost.wall > 0 and cost.memory > 1


def test_a_command_that_ends_otherwise_is_no_figure():
    command = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]
    with pytest.raises(subprocess.CalledProcessError) as raised:
        measured(command)
    assert (raised.value.returncode, raised.value.stderr) == (1, "no such thing\n")
    assert measured(command, exits=1).cpu > 0


def test_what_needs_no_world_can_be_measured(tmp_path: Path):
    for thing in starts(ROOT):
        assert thing.run(tmp_path).cpu > 0
