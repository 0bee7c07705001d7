"""The command line: flags in, one call, a rendered result, an exit code. The only place that prints and exits.

Imports of what a command needs stand in its function: `--version` and `validate` need neither boto3 nor a cluster.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from aurora_tenants import __version__
from aurora_tenants.cli import doctor, interrupts, pause_schedule, repair, sandbox, shared, tenants
from aurora_tenants.cli.interrupts import INTERRUPTED
from aurora_tenants.cli.options import Command, Group, InterruptedInFlight, with_groups
from aurora_tenants.errors import Exit
from aurora_tenants.render.text import printable

NAME = "aurora-tenants"

app = typer.Typer(
    name=NAME,
    cls=Group,
    help="Databases, users and privileges of many tenants on one Aurora MySQL cluster, from one file in git.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (tenants.validate, tenants.schema, tenants.plan, tenants.apply, tenants.env, doctor.doctor):
    app.command(cls=Command)(with_groups(command))
shared.app.command("repair", cls=Command)(with_groups(repair.shared_repair))
app.add_typer(pause_schedule.app, name="pause-schedule")
app.add_typer(shared.app, name="shared")
app.add_typer(sandbox.app, name="sandbox")


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs a command line and exits. What goes wrong on purpose is told by `Command`; the rest, here."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal's encoding does not have is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, prog_name=NAME, standalone_mode=False) or Exit.DONE
        if sys.stdout:  # there is none behind >&-
            sys.stdout.flush()
    except SystemExit as error:
        # typer and rich both exit like this when nobody reads any more.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = _not_written(error.__context__)
    except typer.Abort as error:
        cause = error.__cause__
        after = str(cause) if isinstance(cause, InterruptedInFlight) else "Nothing was changed."
        typer.echo(f"Interrupted. {after}".rstrip(), err=True)
        code = INTERRUPTED
    except Exception as error:
        code = _unexpected(error)
    if code == INTERRUPTED and arguments is None:
        interrupts.last()
    sys.exit(int(code))


def _unexpected(error: Exception) -> Exit:
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
        return _not_written(error)
    # typer's own usage errors share no public class; `format_message` is what they have in common.
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        help_of = context.command_path if context else NAME
        typer.echo(f"error: {printable(error.format_message())}  [usage]\n    fix: {help_of} --help", err=True)
        return Exit.USAGE
    typer.echo(printable(traceback.format_exc(), keep="\n"), err=True, nl=False)
    typer.echo(f"This is a bug in {NAME} {__version__}. Please report it with the lines above.", err=True)
    return Exit.FAILED


def _not_written(error: OSError) -> Exit:
    """Says that the output is not whole. What Python still holds of it goes nowhere: exiting would fail once more."""
    why = "nobody reads it any more" if error.errno == errno.EPIPE else error.strerror
    with suppress(OSError):  # standard error may be what nobody reads
        typer.echo(f"error: the output could not be written to its end: {why}  [output-not-written]", err=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    return Exit.FAILED
