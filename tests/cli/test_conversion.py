"""That what typer is not asked to convert is as it would have converted it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurora_tenants.cli.commands import whole
from aurora_tenants.cli.conversion import as_given

WHOLE = whole()
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def parameters(group: Any) -> Iterator[tuple[str, Any, Any]]:
    for command in (group, *getattr(group, "commands", {}).values()):
        if command is not group and hasattr(command, "commands"):
            yield from parameters(command)
            continue
        context = typer.Context(command)
        for parameter in command.get_params(context):
            yield f"{command.name} {parameter.name}", context, parameter


PARAMETERS = [pytest.param(context, parameter, id=name) for name, context, parameter in parameters(WHOLE)]


def answer(process: Any, context: Any, value: object) -> object:
    try:
        return repr(process(context, value))
    except Exception as error:
        return type(error), getattr(error, "format_message", error.__str__)()


def slow(parameter: Any) -> Any:
    """The same parameter with all of typer's conversion."""
    kept = vars(parameter).pop("get_runtime_param", None)

    def process(context: Any, value: object) -> object:
        return parameter.process_value(context, value)

    return kept, process


def compare(context: Any, parameter: Any, value: object) -> None:
    quick = answer(parameter.process_value, context, value)
    kept, process = slow(parameter)
    try:
        slowly = answer(process, context, value)
    finally:
        if kept:
            parameter.get_runtime_param = kept
    assert quick == slowly


@pytest.mark.parametrize(("context", "parameter"), PARAMETERS)
def test_what_is_not_given(context: Any, parameter: Any):
    if not parameter.is_eager:  # --help and --version, which end all if they are true
        compare(context, parameter, None)
        compare(context, parameter, parameter.get_default(context))


@pytest.mark.parametrize(("context", "parameter"), PARAMETERS)
@settings(max_examples=10, deadline=None)  # of each of 140 parameters
@given(texts=st.lists(TEXTS, max_size=3))
@example(["tenants.yaml"])
@example([".", "/", "-"])
@example(["", " "])
@example(["1", "1e400", "nan", "0x1"])
@example(["update", "yes", "on"])
def test_what_is_given(context: Any, parameter: Any, texts: list[str]):
    if parameter.is_eager:
        return
    many = parameter.multiple or parameter.nargs == -1
    for value in [texts, tuple(texts)] if many else texts:
        compare(context, parameter, value)


def test_a_path_is_looked_at_neither_way(tmp_path: Path):
    """typer can demand that a file is there; nothing here asks it to, and each command says more of it."""
    command = WHOLE.commands["plan"]
    (file,) = (each for each in command.get_params(typer.Context(command)) if each.name == "file")
    unreadable = tmp_path / "unreadable"
    unreadable.touch(0)
    for path in (tmp_path, tmp_path / "nowhere", unreadable):
        compare(typer.Context(command), file, str(path))


def test_a_parameter_of_another_typer_is_left_as_it_is():
    class Bare:
        """Of a typer that converts otherwise."""

    bare = Bare()
    assert as_given(bare) is bare
    assert vars(bare) == {}
