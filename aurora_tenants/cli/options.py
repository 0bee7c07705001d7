"""Options that mean the same in every command, and what every command does with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from aurora_tenants.errors import AuroraTenantsError, Exit, InvalidUsage, Problem, Refused

if TYPE_CHECKING:
    from decimal import Decimal

    from aurora_tenants.render import Output

File = Annotated[Path, typer.Option("--file", "-f", help="The file that says what should be there.", metavar="PATH")]
FileIfThere = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="The file that names the stack and its region; tenants.yaml if it exists.", metavar="PATH"
    ),
]
Region = Annotated[
    str | None, typer.Option(help="AWS region; otherwise the file's or the AWS configuration's.", metavar="REGION")
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", metavar="NAME")]
Format = Annotated[str, typer.Option("--output", help="text or json.", metavar="FORMAT")]
Tenants = Annotated[
    list[str] | None, typer.Option("--tenant", help="Only this tenant; may be repeated.", metavar="NAME")
]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours; so does the variable NO_COLOR.")]
Secret = Annotated[
    str | None, typer.Option(help="ARN of a secret to read MySQL with, instead of the inspector's.", metavar="ARN")
]
SharedName = Annotated[
    str | None,
    typer.Option("--stack", help="Name of the shared stack; otherwise the file's, or shared-global.", metavar="NAME"),
]

Wait = Annotated[
    float,
    typer.Option("--wait", min=0, max=3600, help="Seconds that a paused cluster may take to wake.", metavar="SECONDS"),
]
WAIT_SECONDS = 180.0
AcuPrice = Annotated[
    str | None,
    typer.Option("--acu-price", help="US dollars for one ACU-hour, instead of the known price.", metavar="PRICE"),
]

DEFAULT_FILE = Path("tenants.yaml")
SHARED_STACK = "shared-global"


def given_price(text: str | None) -> Decimal | None:
    """The price of --acu-price. Raises InvalidUsage unless it is one."""
    from aurora_tenants.cost import given_price as read

    return read(text) if text is not None else None


class InterruptedInFlight(KeyboardInterrupt):
    """An interrupt while something was being changed; its text says what becomes of that."""


class Group(typer.core.TyperGroup):
    """Commands under one name. The name alone asks for help; in typer that is an error."""

    def parse_args(
        self, ctx: Any, args: list[str]
    ) -> Any:  # a context's type is private in one typer, click's in another
        return super().parse_args(ctx, args or ["--help"])


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


def _fail(error: AuroraTenantsError, *, as_json: bool, no_color: bool) -> Exit:
    from aurora_tenants import render

    out = render.Output(color=False if no_color else None)
    for problem in error.problems:
        out.tell(render.problem(problem))
    if error.nothing_was_changed:
        out.tell("Nothing was changed.")
    if as_json:
        out.json({"version": 1, "problems": [render.problem_data(problem) for problem in error.problems]})
    return error.exit_code


@contextmanager
def in_flight(
    after: str = "What CloudFormation has begun, it finishes; plan shows what is left.",
) -> Iterator[None]:
    """Around what changes something: an interrupt of it is told with `after`, any other with "Nothing was changed."."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedInFlight(after) from error


def output_of(form: str = "text", *, no_color: bool = False) -> Output:
    from aurora_tenants.render import Output

    if form not in ("text", "json"):
        raise InvalidUsage(Problem("unknown-output", f"--output cannot be {form}", fix="use text or json"))
    return Output(color=False if no_color else None)


def ask(out: Output, question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        why = "there is no terminal to ask at"
        raise Refused(Problem("not-confirmed", "this needs a confirmation", why, "pass --yes"))
    out.tell(f"{question} Only `yes` is taken for a yes.")
    if sys.stdin.readline().strip() != "yes":
        raise Refused(Problem("not-confirmed", "not confirmed"))
