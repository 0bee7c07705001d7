"""Options that mean the same in every command, and what every command does with them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_type_hints

import typer
import typer.core

from aurora_tenants.cli.conversion import as_given
from aurora_tenants.cli.interrupts import as_interrupts
from aurora_tenants.errors import AuroraTenantsError, Exit, InvalidUsage, Problem, Refused

if TYPE_CHECKING:
    from decimal import Decimal

    from aurora_tenants.render.output import EventOutput, Output

File = Annotated[Path, typer.Option("--file", "-f", help="The file that says what should be there.", metavar="PATH")]
Region = Annotated[
    str | None,
    typer.Option(help="AWS region; otherwise the file's, AWS_REGION or the AWS configuration's.", metavar="REGION"),
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", metavar="NAME")]
Format = Annotated[str, typer.Option("--output", help="text or json.", metavar="FORMAT")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours; so does the variable NO_COLOR.")]
AcuPrice = Annotated[
    str | None,
    typer.Option("--acu-price", help="US dollars for one ACU-hour, instead of the known price.", metavar="PRICE"),
]
SnapshotWait = Annotated[
    float,
    typer.Option(
        min=0,
        max=86_400,
        help="Seconds that a snapshot may take that snapshot_before_drop asks for.",
        metavar="SECONDS",
    ),
]

DEFAULT_FILE = Path("tenants.yaml")
SHARED_STACK = "shared-global"


@dataclass(frozen=True, slots=True)
class Target:
    """The file that a command is about, and the AWS account and region that it is compared with."""

    file: File = DEFAULT_FILE
    region: Region = None
    profile: Profile = None


@dataclass(frozen=True, slots=True)
class Display:
    """How a command says what it found."""

    forms: ClassVar[tuple[str, ...]] = ("text", "json")

    output: Format = "text"
    no_color: NoColor = False

    @property
    def is_json(self) -> bool:
        """Whether a program reads it."""
        return self.output == "json"

    def open(self) -> Output:
        """Raises InvalidUsage for another form than those there are."""
        from aurora_tenants.render.output import Output

        if self.output not in self.forms:
            use = f"use {', '.join(self.forms[:-1])} or {self.forms[-1]}"
            raise InvalidUsage(Problem("unknown-output", f"--output cannot be {self.output}", fix=use))
        return Output(color=False if self.no_color else None)

    def open_events(self) -> EventOutput:
        """For what takes its time: what is not the result is for a program as well."""
        from aurora_tenants.render.output import EventOutput

        return EventOutput(color=False)


@dataclass(frozen=True, slots=True)
class PlanDisplay(Display):
    """How `plan` says what it found: also in a form for comments on a change."""

    forms: ClassVar[tuple[str, ...]] = ("text", "json", "markdown")

    output: Annotated[str, typer.Option("--output", help="text, json or markdown.", metavar="FORMAT")] = "text"


TARGET, DISPLAY, PLAN_DISPLAY = Target(), Display(), PlanDisplay()


def with_groups(function: Callable[..., None]) -> Callable[..., None]:
    """A command as typer takes it: a parameter of one of the types above stands for the options that are its fields."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @wraps(function)
    def run(**options: Any) -> None:
        for name, group in groups.items():
            options[name] = group(**{field.name: options.pop(field.name) for field in fields(group)})
        function(**options)

    def options_of(parameter: Parameter) -> Iterator[Parameter]:
        if parameter.name not in groups:
            yield parameter.replace(annotation=hints[parameter.name], kind=Parameter.KEYWORD_ONLY)
            return
        group = groups[parameter.name]
        of_fields = get_type_hints(group, include_extras=True)
        for field in fields(group):
            hint = of_fields[field.name]
            yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hint)

    parameters = [each for parameter in signature(function).parameters.values() for each in options_of(parameter)]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def given_price(text: str | None) -> Decimal | None:
    """The price of --acu-price. Raises InvalidUsage unless it is one."""
    from aurora_tenants.schedule.cost import given_price as read

    return read(text) if text is not None else None


def teller(out: Output, *, is_json: bool) -> Callable[[str, str], None]:
    """What is called with account and region: prints the line for people; a program finds both in the result."""
    from aurora_tenants.render.text import located

    def tell(account: str, region: str) -> None:
        if not is_json:
            out.result(located(account, region))

    return tell


def is_given(context: typer.Context, name: str) -> bool:
    """Whether the command line names a parameter itself, be it with the value that is the default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


class InterruptedInFlight(KeyboardInterrupt):
    """An interrupt while something was being changed; its text says what becomes of that."""


class Command(typer.core.TyperCommand):
    """A command. What goes wrong in it is told here: only here is it known which output was asked for."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return self.run(ctx)
        except AuroraTenantsError as error:
            as_json = ctx.params.get("output") == "json"
            code = _fail(error, as_json=as_json, no_color=bool(ctx.params.get("no_color")))
            raise typer.Exit(code) from error
        except KeyboardInterrupt as error:
            # Of what gets through to typer, it makes the exit code 130, which a command may have ended with as well.
            raise typer.Abort from error

    def run(self, ctx: Any) -> Any:
        """The command itself. Where it calls something with errors of its own, they are turned into ours here."""
        return super().invoke(ctx)

    def get_params(self, ctx: Any) -> Any:
        return [as_given(each) for each in super().get_params(ctx)]


def _fail(error: AuroraTenantsError, *, as_json: bool, no_color: bool) -> Exit:
    from aurora_tenants.render.output import Output
    from aurora_tenants.render.problems import problem_data, problem_text

    out = Output(color=False if no_color else None)
    for problem in error.problems:
        out.tell(problem_text(problem))
    if error.nothing_was_changed:
        out.tell("Nothing was changed.")
    if as_json:
        out.json({"version": 1, "problems": [problem_data(problem) for problem in error.problems]})
    return error.exit_code


IN_FLIGHT = "What CloudFormation has begun, it finishes; plan shows what is left."


@contextmanager
def in_flight(after: str = IN_FLIGHT) -> Iterator[None]:
    """Around what changes something: an interrupt of it is told with `after`, any other with "Nothing was changed.".

    SIGTERM and SIGHUP are interrupts in here.
    """
    try:
        with as_interrupts():
            yield
    except KeyboardInterrupt as error:
        raise InterruptedInFlight(after) from error


def ask(out: Output, question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        why = "standard input is not a terminal, so nobody can be asked"
        raise Refused(Problem("not-confirmed", "this needs to be confirmed", why, "pass --yes"))
    out.tell(f"{question} Type yes to go on.")
    if sys.stdin.readline().strip() != "yes":
        raise Refused(Problem("not-confirmed", "not confirmed"))
