"""Options that mean the same in every command, and what every command does with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.errors import InvalidUsage, Problem, Refused

if TYPE_CHECKING:
    from aurora_tenants.render import Output

File = Annotated[Path, typer.Option("--file", "-f", help="The file that says what should be there.")]
Region = Annotated[str | None, typer.Option(help="AWS region; otherwise the file's or the AWS configuration's.")]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")]
Format = Annotated[str, typer.Option("--output", help="text or json.")]
Tenants = Annotated[list[str] | None, typer.Option("--tenant", help="Only this tenant; may be repeated.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours; so does the variable NO_COLOR.")]
Secret = Annotated[str | None, typer.Option(help="ARN of a secret to read MySQL with, instead of the inspector's.")]
SharedName = Annotated[str, typer.Option("--stack", help="Name of the shared stack.")]

DEFAULT_FILE = Path("tenants.yaml")


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
