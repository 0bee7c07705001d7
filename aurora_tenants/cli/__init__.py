"""The command line: flags in, one call, a rendered result, an exit code. The only place that prints and exits.

Imports of what a command needs stand in its function: `--version` and `validate` need neither boto3 nor a cluster.
"""

from __future__ import annotations

import sys
import traceback
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from aurora_tenants import __version__
from aurora_tenants.cli import sandbox, shared, tenants
from aurora_tenants.errors import AuroraTenantsError, Exit


class _Group(typer.core.TyperGroup):
    """Tells an interrupt from a command that ended with 130: typer makes the one out of the other."""

    def invoke(self, ctx: Any) -> Any:  # the type of a context is private in one typer and click's in another
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort from error


app = typer.Typer(
    name="aurora-tenants",
    cls=_Group,
    help="Databases, users and privileges of many tenants on one Aurora MySQL cluster, from one file in git.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (tenants.validate, tenants.schema, tenants.plan, tenants.apply, tenants.env):
    app.command()(command)
app.add_typer(shared.app, name="shared", no_args_is_help=True)
app.add_typer(sandbox.app, name="sandbox", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs a command line and exits. Every error on purpose is a sentence; anything else says that it is a bug."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal's encoding does not have is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, standalone_mode=False) or Exit.DONE
    except AuroraTenantsError as error:
        code = _fail(error)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted. What CloudFormation has begun, it finishes; plan shows what is left.", err=True)
        code = Exit.FAILED
    except BrokenPipeError:
        code = Exit.FAILED
    except Exception as error:
        # typer's own usage errors share no public class; `format_message` is what they have in common.
        if hasattr(error, "format_message"):
            typer.echo(f"error: {error.format_message()}  [usage]\n    fix: aurora-tenants --help", err=True)
            code = Exit.USAGE
        else:
            typer.echo(traceback.format_exc(), err=True, nl=False)
            typer.echo(
                f"This is a bug in aurora-tenants {__version__}. Please report it with the lines above.", err=True
            )
            code = Exit.FAILED
    sys.exit(int(code))


def _fail(error: AuroraTenantsError) -> Exit:
    from aurora_tenants import render

    out = render.Output()
    for problem in error.problems:
        out.tell(render.problem(problem))
    if error.nothing_was_changed:
        out.tell("Nothing was changed.")
    return error.exit_code
