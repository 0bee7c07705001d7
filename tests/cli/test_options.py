"""Options that belong together: a dataclass as a command's parameter, its fields on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import pytest
import typer
import typer.main

from aurora_tenants.cli.commands import whole
from aurora_tenants.cli.options import Display, Target, with_groups
from tests.cli.conftest import CommandLine, Ended

Colour = Annotated[str, typer.Option("--colour", help="What it is painted in.")]
Sizes = Annotated[list[int] | None, typer.Option("--size", help="May be repeated.")]
Loud = Annotated[bool, typer.Option("--loud")]


@dataclass(frozen=True, slots=True)
class Paint:
    """Two options of one command."""

    colour: Colour = "red"
    sizes: Sizes = None


PAINT = Paint()


def painted(name: str, paint: Paint = PAINT, loud: Loud = False) -> None:
    """Paint something."""
    typer.echo(f"{name}: {paint}{'!' if loud else ''}")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """A command line in an empty directory and without an AWS account."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, capsys)


def test_a_plan_has_one_form(run: CommandLine):
    ended = run("aurora-tenants plan --sql --output markdown")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("error: --sql and --output markdown are two forms of one plan  [two-forms]\n")


# A function's parameters


def test_the_fields_of_a_group_stand_in_its_place_with_their_defaults():
    parameters = signature(with_groups(painted)).parameters.values()
    assert [(each.name, each.default, each.annotation) for each in parameters] == [
        ("name", Parameter.empty, str),
        ("colour", "red", Colour),
        ("sizes", None, Sizes),
        ("loud", False, Loud),
    ]
    assert {each.kind for each in parameters} == {Parameter.KEYWORD_ONLY}


def test_type_hints_are_those_of_the_signature():
    """typer reads both: the options from the hints, the defaults from the signature."""
    hints = get_type_hints(with_groups(painted), include_extras=True)
    assert hints == {"name": str, "colour": Colour, "sizes": Sizes, "loud": Loud}


def test_a_command_keeps_its_name_and_what_it_says_of_itself():
    command = with_groups(painted)
    assert (command.__name__, command.__doc__) == ("painted", "Paint something.")


def test_a_function_without_groups_gets_what_it_asks_for():
    got: list[object] = []

    def plain(name: str, loud: Loud = False) -> None:
        got.extend((name, loud))

    with_groups(plain)(name="door", loud=True)
    assert got == ["door", True]


def test_a_function_gets_its_groups_as_values():
    got: list[object] = []

    def commanded(target: Target, paint: Paint, loud: Loud) -> None:
        got.extend((target, paint, loud))

    with_groups(commanded)(file=Path("t"), region="r", profile=None, colour="blue", sizes=[1], loud=True)
    assert got == [Target(Path("t"), "r", None), Paint("blue", [1]), True]


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["door"], "door: Paint(colour='red', sizes=None)\n"),
        (["door", "--colour", "blue", "--loud"], "door: Paint(colour='blue', sizes=None)!\n"),
        (["--size", "1", "--size", "2", "door"], "door: Paint(colour='red', sizes=[1, 2])\n"),
    ],
)
def test_typer_reads_the_options_of_a_group(words: list[str], printed: str, capsys: pytest.CaptureFixture[str]):
    alone = typer.Typer()
    alone.command()(with_groups(painted))
    alone(words, standalone_mode=False)
    assert capsys.readouterr().out == printed


# Every command's


def commands(group: Any, name: str = "aurora-tenants") -> Iterator[tuple[str, Any]]:
    """Every command with the words that it is called by."""
    for key, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from commands(each, f"{name} {key}")
        else:
            yield f"{name} {key}", each


IN_EITHER_FORM = [
    "aurora-tenants apply",
    "aurora-tenants doctor",
    "aurora-tenants plan",
    "aurora-tenants pause-schedule clear",
    "aurora-tenants pause-schedule set",
    "aurora-tenants pause-schedule show",
    "aurora-tenants rotate",
    "aurora-tenants sandbox clock",
    "aurora-tenants sandbox fault",
    "aurora-tenants sandbox sql",
    "aurora-tenants sandbox status",
    "aurora-tenants shared deploy",
    "aurora-tenants shared status",
    "aurora-tenants status",
    "aurora-tenants validate",
]


def test_these_commands_have_two_forms():
    options = {name: {option for each in command.params for option in each.opts} for name, command in commands(whole())}
    assert sorted(name for name, known in options.items() if "--output" in known) == sorted(IN_EITHER_FORM)


@pytest.mark.parametrize("command", IN_EITHER_FORM)
def test_another_form_of_output_is_refused_before_anything_is_read(run: CommandLine, command: str):
    """There is no tenants.yaml here, no account and no sandbox."""
    forms = "text, json or markdown" if command == "aurora-tenants plan" else "text or json"
    tenant = " shop" if command == "aurora-tenants rotate" else ""
    assert run(f"{command}{tenant} --output yaml") == Ended(
        64,
        "",
        f"error: --output cannot be yaml  [unknown-output]\n    fix: use {forms}\nNothing was changed.\n",
    )


@pytest.mark.parametrize(("output", "is_json"), [("text", False), ("json", True)])
def test_a_display_says_whether_a_program_reads_it(output: str, is_json: bool):
    assert Display(output).is_json == is_json
