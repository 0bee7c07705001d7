"""The command line: flags in, one call, a rendered result, an exit code. The only place that prints and exits.

Imports of what a command needs stand in its function: `--version` and `validate` need neither boto3 nor a cluster.
`--version` alone is answered here, before typer is loaded, which takes several times as long as Python's own start.
"""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper

from aurora_tenants import __version__

TYPE_CHECKING = False  # that of typing, which would be half of what is loaded for --version
if TYPE_CHECKING:
    from typing import NoReturn

NAME = "aurora-tenants"


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs a command line and exits. What goes wrong on purpose is told by `Command`; the rest, here.

    arguments: None for those of this process, which does nothing else then.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal's encoding does not have is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    is_version = (sys.argv[1:] if arguments is None else arguments) == ["--version"]
    try:
        code = _version() if is_version else _run(arguments)
        if sys.stdout:  # there is none behind >&-
            sys.stdout.flush()
    except SystemExit as error:
        # typer and rich both exit like this when nobody reads any more.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = _not_written(error.__context__)
    except Exception as error:
        code = _failed(error)
    if arguments is None and not is_version:
        from aurora_tenants.cli import process

        process.end(code)
    sys.exit(int(code))


def _version() -> int:
    if sys.stdout:
        sys.stdout.write(f"{__version__}\n")
    return 0


def _run(arguments: list[str] | None) -> int:
    """Does what the command line says; the exit code."""
    from aurora_tenants.cli.commands import app

    return int(app(arguments, prog_name=NAME, standalone_mode=False) or 0)


def _failed(error: Exception) -> int:
    """Says what came of it that no command has told; the exit code."""
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
        return _not_written(error)
    import typer

    from aurora_tenants.errors import Exit
    from aurora_tenants.render.text import printable

    if isinstance(error, typer.Abort):
        from aurora_tenants.cli.interrupts import INTERRUPTED
        from aurora_tenants.cli.options import InterruptedInFlight

        cause = error.__cause__
        after = str(cause) if isinstance(cause, InterruptedInFlight) else "Nothing was changed."
        typer.echo(f"Interrupted. {after}".rstrip(), err=True)
        return INTERRUPTED
    # typer's own usage errors share no public class; `format_message` is what they have in common.
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        help_of = context.command_path if context else NAME
        typer.echo(f"error: {printable(error.format_message())}  [usage]\n    fix: {help_of} --help", err=True)
        return Exit.USAGE
    import traceback

    typer.echo(printable(traceback.format_exc(), keep="\n"), err=True, nl=False)
    typer.echo(f"This is a bug in {NAME} {__version__}. Please report it with the lines above.", err=True)
    return Exit.FAILED


def _not_written(error: OSError) -> int:
    """Says that the output is not whole. What Python still holds of it goes nowhere: exiting would fail once more."""
    why = "nobody reads it any more" if error.errno == errno.EPIPE else error.strerror
    try:
        if sys.stderr:
            sys.stderr.write(f"error: the output could not be written to its end: {why}  [output-not-written]\n")
            sys.stderr.flush()
    except OSError:
        pass  # standard error may be what nobody reads
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    return 1
