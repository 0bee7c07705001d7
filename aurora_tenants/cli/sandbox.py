"""The commands about the sandbox; the only part of the program that knows of it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.options import Format, Region, output_of
from aurora_tenants.errors import Exit, Problem, SandboxError

if TYPE_CHECKING:
    from aurora_tenants.sandbox.state import Running

app = typer.Typer(help="The whole thing on this machine: a real MySQL, no AWS account.")

Mysqld = Annotated[str | None, typer.Option(help="The mysqld to use; otherwise one is looked for, then fetched.")]
Bare = Annotated[bool, typer.Option("--bare", help="Without the shared stack.")]
PartialRevokes = Annotated[bool, typer.Option(help="The server's partial_revokes; Aurora has it on.")]


@app.command("up")
def sandbox_up(
    bare: Bare = False, mysqld: Mysqld = None, partial_revokes: PartialRevokes = True, region: Region = None
) -> None:
    """Start a sandbox in the background and deploy the shared stack into it as shared-global."""
    from aurora_tenants.sandbox import REGION, lifecycle

    out = output_of()
    running = lifecycle.up(
        bare=bare,
        mysqld=mysqld or os.environ.get("AURORA_TENANTS_MYSQLD"),
        partial_revokes=partial_revokes,
        tell=out.tell,
        deploy=_deploy_shared,
        region=region or REGION,
    )
    out.result(f'The sandbox runs at {running.endpoint}. To use it: eval "$(aurora-tenants sandbox env)"')


@app.command("down")
def sandbox_down() -> None:
    """End the sandbox in the background; everything in it is gone."""
    from aurora_tenants.sandbox import lifecycle

    ended = lifecycle.down()
    output_of().result("The sandbox has ended." if ended else "No sandbox is running.")


@app.command("status")
def sandbox_status(output: Format = "text") -> None:
    """Show what runs in the sandbox; exits 1 when there is none."""
    from aurora_tenants.sandbox import lifecycle

    out = output_of(output)
    status = lifecycle.status()
    if output == "json":
        out.json(status)
    elif status:
        out.result("\n".join(f"{name}: {_shown(value)}" for name, value in status.items()))
    else:
        out.result("No sandbox is running. Start one with: aurora-tenants sandbox up")
    raise typer.Exit(Exit.DONE if status else Exit.FAILED)


@app.command("env")
def sandbox_env() -> None:
    """Print the variables that lead the AWS CLI and SDKs to the sandbox, for eval."""
    from aurora_tenants.sandbox import lifecycle

    for name, value in lifecycle.environment(_running()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command("run", context_settings={"allow_interspersed_args": False})
def sandbox_run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    bare: Bare = False,
    mysqld: Mysqld = None,
    partial_revokes: PartialRevokes = True,
    region: Region = None,
) -> None:
    """Run a command with a fresh sandbox of its own, and pass its exit code on."""
    from aurora_tenants.sandbox import REGION, lifecycle

    code = lifecycle.run(
        command,
        bare=bare,
        mysqld=mysqld or os.environ.get("AURORA_TENANTS_MYSQLD"),
        partial_revokes=partial_revokes,
        tell=output_of().tell,
        deploy=_deploy_shared,
        region=region or REGION,
    )
    raise typer.Exit(code)


@app.command("sql")
def sandbox_sql(
    execute: Annotated[str | None, typer.Option("-e", "--execute", help="The statement; otherwise stdin's.")] = None,
    user: Annotated[str | None, typer.Option(help="A tenant's user; otherwise root.")] = None,
    output: Format = "text",
) -> None:
    """Run a statement in the sandbox's MySQL, as root or with the password from a user's secret."""
    from aurora_tenants import render
    from aurora_tenants.sandbox.sql import sql

    out = output_of(output)
    table = sql(_running(), execute or sys.stdin.read(), user=user)
    if output == "json":
        out.json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    elif table.columns:
        out.raw(render.table(table.columns, table.rows))


def _running() -> Running:
    from aurora_tenants.sandbox import lifecycle

    running = lifecycle.current()
    if running is None:
        raise SandboxError(Problem("no-sandbox", "no sandbox is running", fix="run: aurora-tenants sandbox up"))
    return running


def _deploy_shared(environment: Mapping[str, str]) -> None:
    """Deploys the shared stack into a sandbox, as a user would deploy it into an account."""
    from aurora_tenants.aws import shared
    from aurora_tenants.sandbox.environment import of_command

    # Nothing of the user's own AWS configuration may lead elsewhere.
    cleaned = of_command(os.environ, environment)
    for name in os.environ.keys() - cleaned.keys():
        del os.environ[name]
    os.environ.update(cleaned)
    shared.deploy(region=None, profile=None, stack="shared-global", parameters={}, tell=lambda event: None)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
