"""What no command decides: help, usage, colours of errors, and output that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from aurora_tenants.cli.commands import whole
from aurora_tenants.cli.options import Command
from tests.cli.conftest import CommandLine, Ended

EXAMPLE = Path(__file__).parents[2] / "examples" / "tenants.yaml"


@pytest.mark.parametrize("name", ["aurora-tenants", "aurora-tenants shared", "aurora-tenants sandbox"])
def test_a_group_alone_shows_its_help(run: CommandLine, name: str):
    ended = run(name)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: {name} [OPTIONS] COMMAND")
    assert run(f"{name} -h") == run(f"{name} --help") == ended


def test_apply_says_what_each_leave_is_for(run: CommandLine):
    text = " ".join(run("aurora-tenants apply --help").out.split())
    for leave in (
        "--allow-drop NAME Drop this database; may be repeated.",
        "--allow-mass-removal Remove all tenants, or more than 30 % of ten or more.",
        "--allow-access USER@HOST Let this account into what it could not get into; may be repeated.",
    ):
        assert f" {leave} --" in text


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("plna", "No such command 'plna'.", "aurora-tenants --help"),
        ("shared deplyo", "No such command 'deplyo'.", "aurora-tenants shared --help"),
        ("plan --nonsense", "No such option: --nonsense", "aurora-tenants plan --help"),
        ("sandbox sql --nonsense", "No such option: --nonsense", "aurora-tenants sandbox sql --help"),
    ],
)
def test_a_usage_error_names_the_help_of_its_command(run: CommandLine, line: str, what: str, fix: str):
    ended = run(f"aurora-tenants {line}")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith(f"error: {what}")
    assert ended.err.endswith(f"  [usage]\n    fix: {fix}\n")


def test_every_command_tells_its_failures_as_it_was_asked_to():
    def others(group: Any) -> list[str]:
        nested = [name for each in group.commands.values() if hasattr(each, "commands") for name in others(each)]
        leaves = [each for each in group.commands.values() if not hasattr(each, "commands")]
        return nested + [each.name for each in leaves if not isinstance(each, Command)]

    assert others(whole()) == []


@pytest.mark.parametrize(("option", "is_coloured"), [("", True), (" --no-color", False)])
def test_an_error_is_coloured_as_asked(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, option: str, is_coloured: bool
):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert ("\x1b[1;31m" in run(f"aurora-tenants validate --file nowhere{option}").err) == is_coloured


def test_validate_says_which_window_the_clock_takes_from_its_hours(run: CommandLine):
    run.file('  shop: {rotate_window: "SUN 02:00-03:00 Europe/Berlin", users: {shop: {}, token: {auth: iam}}}\n')
    ended = run("aurora-tenants validate")
    assert ended.code == 0
    assert (
        "But of 1 user (shop), the window SUN 02:00-03:00 Europe/Berlin is an hour earlier from November" in ended.out
    )
    (notice,) = json.loads(run("aurora-tenants validate --output json").out)["notices"]
    assert notice["code"] == "rotate-window-moves"


def process(*arguments: str, stdout: IO[str]) -> Ended:
    command = [sys.executable, "-m", "aurora_tenants", *arguments]
    ended = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True)
    return Ended(ended.returncode, "", ended.stderr)


COMMANDS = [["schema"], ["validate", "--file", str(EXAMPLE)], ["validate", "--output", "json", "--file", str(EXAMPLE)]]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_reader_that_goes_away_is_told(arguments: list[str]):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        assert process(*arguments, stdout=closed) == Ended(
            1,
            "",
            "error: the output could not be written to its end: nobody reads it any more  [output-not-written]\n",
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_full_disk_is_told(arguments: list[str]):
    with Path("/dev/full").open("w") as full:
        assert process(*arguments, stdout=full) == Ended(
            1,
            "",
            "error: the output could not be written to its end: No space left on device  [output-not-written]\n",
        )
