"""The commands about the sandbox: the one place where the two packages meet. Neither knows the other."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import aurora_sandbox.errors
from aurora_tenants.cli import options
from aurora_tenants.cli.group import Group
from aurora_tenants.cli.options import DISPLAY, SHARED_STACK, Display, Format, in_flight
from aurora_tenants.errors import Exit, InvalidUsage, Problem, SandboxError

if TYPE_CHECKING:
    from aurora_sandbox.state import Running

app = typer.Typer(cls=Group)

Mysqld = Annotated[
    str | None,
    typer.Option(
        help="The mysqld to use; otherwise one is looked for, then fetched.",
        metavar="PATH",
        envvar="AURORA_TENANTS_MYSQLD",
    ),
]
Bare = Annotated[bool, typer.Option("--bare", help="Without the shared stack.")]
PartialRevokes = Annotated[
    bool | None, typer.Option(help="The server's partial_revokes, on by default as Aurora has it.")
]
RollbackStyle = Annotated[
    Literal["update", "restore"] | None,
    typer.Option(
        help="How a custom resource that was replaced is rolled back, of which AWS's texts differ: with an Update "
        "to its old properties, the default, or without one.",
    ),
]
Region = Annotated[
    str | None, typer.Option(help="The region that the sandbox is; eu-west-1 by default.", metavar="REGION")
]


class Command(options.Command):
    """A command of the sandbox, whose own errors are told like all others."""

    def run(self, ctx: Any) -> Any:
        try:
            return super().run(ctx)
        except aurora_sandbox.errors.SandboxError as error:
            problems = (Problem(found.code, found.what, found.why, found.fix) for found in error.problems)
            raise SandboxError(*problems) from error


@app.command("up", cls=Command)
def sandbox_up(
    bare: Bare = False,
    mysqld: Mysqld = None,
    partial_revokes: PartialRevokes = None,
    region: Region = None,
    rollback_style: RollbackStyle = None,
) -> None:
    """Start a sandbox in the background and deploy the shared stack into it as shared-global."""
    from aurora_sandbox import lifecycle

    out = DISPLAY.open()
    with in_flight(""):
        running = lifecycle.up(
            mysqld=mysqld,
            partial_revokes=partial_revokes,
            tell=out.tell,
            deploy=None if bare else _deploy_shared,
            region=region,
            rollback_style=rollback_style,
        )
    out.result(f'The sandbox runs at {running.endpoint}. To use it: eval "$(aurora-tenants sandbox env)"')


@app.command("down", cls=Command)
def sandbox_down() -> None:
    """End the sandbox in the background; everything in it is gone."""
    from aurora_sandbox import lifecycle

    ended = lifecycle.down()
    DISPLAY.open().result("The sandbox has ended." if ended else "No sandbox is running.")


@app.command("status", cls=Command)
def sandbox_status(output: Format = "text") -> None:
    """Show what runs in the sandbox; exits 1 when there is none."""
    from aurora_sandbox import lifecycle

    out = Display(output).open()
    status = lifecycle.status(environ=os.environ)
    if output == "json":
        out.json(status)
    elif status:
        out.result("\n".join(f"{name}: {_shown(value)}" for name, value in status.items()))
    else:
        out.result("No sandbox is running. Start one with: aurora-tenants sandbox up")
    raise typer.Exit(Exit.DONE if status else Exit.FAILED)


@app.command("env", cls=Command)
def sandbox_env() -> None:
    """Print the variables that lead the AWS CLI and SDKs to the sandbox, for eval."""
    from aurora_sandbox import lifecycle
    from aurora_sandbox.environment import in_the_way

    running = _running()
    if names := in_the_way(os.environ):
        typer.echo(f"unset {' '.join(names)}")
    for name, value in lifecycle.environment(running).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command("run", cls=Command, context_settings={"allow_interspersed_args": False})
def sandbox_run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    bare: Bare = False,
    mysqld: Mysqld = None,
    partial_revokes: PartialRevokes = None,
    region: Region = None,
    rollback_style: RollbackStyle = None,
) -> None:
    """Run a command with a fresh sandbox of its own, and pass its exit code on."""
    from aurora_sandbox import lifecycle

    code = lifecycle.run(
        command,
        mysqld=mysqld,
        partial_revokes=partial_revokes,
        tell=DISPLAY.open().tell,
        deploy=None if bare else _deploy_shared,
        region=region,
        rollback_style=rollback_style,
    )
    raise typer.Exit(code)


@app.command("sql", cls=Command)
def sandbox_sql(
    execute: Annotated[
        str | None, typer.Option("-e", "--execute", help="The statement; otherwise stdin's.", metavar="SQL")
    ] = None,
    user: Annotated[str | None, typer.Option(help="A tenant's user; otherwise root.", metavar="NAME")] = None,
    output: Format = "text",
) -> None:
    """Run a statement in the sandbox's MySQL, as root or with the password from a user's secret."""
    from aurora_sandbox.sql import sql
    from aurora_tenants.render.output import table as tabbed

    out = Display(output).open()
    running = _running()
    if execute is None:
        if sys.stdin.isatty():
            out.tell("Type a statement and end it with Ctrl-D at the beginning of a line.")
        execute = sys.stdin.read()
    with in_flight("The statement may have been run."):
        table = sql(running, execute, user=user)
    if output == "json":
        out.json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    elif table.columns:
        out.raw(tabbed(table.columns, table.rows))


@app.command("clock", cls=Command)
def sandbox_clock(
    to: Annotated[
        str | None,
        typer.Argument(help="How far, +10h or +1d12h, or until when, 2026-03-29T00:00Z.", metavar="[MOVE]"),
    ] = None,
    output: Format = "text",
) -> None:
    """Show the sandbox's time, or move it forward: schedules fire on the way, and secrets that are due are rotated."""
    from aurora_sandbox import remote

    out = Display(output).open()
    running = _running()
    with in_flight("The clock may have been moved a part of the way."):
        moved = remote.clock(running, to)
    if output == "json":
        out.json(moved)
        return
    happened = [(each["at"], _fired(each)) for each in moved.get("fired", ())]
    happened += [(each["at"], _rotated(each)) for each in moved.get("rotated", ())]
    lines = [line for _, line in sorted(happened, key=lambda each: each[0])]
    ahead = moved["ahead_seconds"]
    lines.append(f"{moved['now']}, {f'{timedelta(seconds=ahead)} ahead of' if ahead else 'which is'} real time")
    out.result("\n".join(lines))


# Named here, so that --help loads nothing of boto3.
_FAULTS = (
    "Of calls: throttle, limit, 5xx, slow, drop-before, drop-after, drop-in-body, expired-credentials, oversize; of the"
    " cluster: paused-cluster, early; of stacks: slow-stacks; of functions: crash-before, crash-after, hang,"
    " answer-twice, called-twice, called-late"
)


@app.command("fault", cls=Command)
def sandbox_fault(
    name: Annotated[str, typer.Argument(help=f"{_FAULTS}; or list, or clear.", metavar="[NAME|list|clear]")] = "list",
    cleared: Annotated[
        str | None, typer.Argument(help="After clear: the faults of this name alone.", metavar="[NAME]")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="How many meet it, 20%; of limit: how many calls pass, 5/s.", metavar="RATE")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Which of a share meet it: the same for the same seed.", metavar="NUMBER")
    ] = None,
    times: Annotated[int | None, typer.Option(help="How often it happens at most.", metavar="NUMBER")] = None,
    nth: Annotated[
        int | None, typer.Option(help="The one from now on, counted from 1, that meets it.", metavar="NUMBER")
    ] = None,
    every: Annotated[
        int | None, typer.Option(help="Each so many, from the nth on if that is given.", metavar="NUMBER")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="The calls to this service alone, cloudformation.", metavar="NAME")
    ] = None,
    operation: Annotated[
        str | None, typer.Option(help="And of this operation of it alone, CreateChangeSet.", metavar="NAME")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="The calls of user alone, or of function alone.", metavar="WHO")
    ] = None,
    function: Annotated[
        str | None, typer.Option(help="The function whose events meet it, or the end of its name.", metavar="NAME")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="How long what takes its time takes.", metavar="NUMBER")] = None,
    status: Annotated[int | None, typer.Option(help="Of 5xx: 500, or 503 by default.", metavar="NUMBER")] = None,
    answer: Annotated[str | None, typer.Option(help="Of early: this answer, each time.", metavar="NAME")] = None,
    output: Format = "text",
) -> None:
    """Let calls, stacks or functions of the sandbox fail as on AWS; list what is on, or clear it."""
    from aurora_sandbox import remote

    out = Display(output).open()
    fields: dict[str, Any] = {"seed": seed, "times": times, "nth": nth, "every": every, "service": service}
    fields |= {"operation": operation, "by": by, "function": function, "seconds": seconds, "status": status}
    fields |= {"answer": answer} | _rate(rate)
    options = ["--" + field for field, value in fields.items() if value is not None]
    if name in ("list", "clear") and options:
        raise InvalidUsage(
            Problem("unused-option", f"{name} takes no option but --output", fix=f"leave {options[0]} out")
        )
    if cleared is not None and name != "clear":
        fix = f"for example: aurora-tenants sandbox fault {name}"
        raise InvalidUsage(Problem("unused-argument", f"{name} takes no {cleared}", fix=fix))
    running = _running()
    if name == "list":
        on = remote.faults(running)
        shown = [_met(fault) for fault in on] or ["No fault is on."]
    elif name == "clear":
        on = remote.clear(running, cleared)
        shown = [f"Cleared: {_met(fault)}" for fault in on] or [
            "No such fault is on." if cleared else "No fault is on."
        ]
    else:
        on = [remote.meet(running, {"name": name, **fields})]
        shown = [f"On until it is cleared: {_said(fault)}" for fault in on]
    if output == "json":
        out.json(on)
    else:
        out.result("\n".join(shown))


def _rate(text: str | None) -> dict[str, float | int | None]:
    """What --rate says: a share, or how many calls a second. Raises InvalidUsage."""
    if text is None:
        return {}
    if (match := re.fullmatch(r"(\d+(?:\.\d+)?)%", text)) and 0 < float(match[1]) <= 100:
        return {"rate": float(match[1]) / 100}
    if match := re.fullmatch(r"(\d+)/s", text):
        return {"per_second": int(match[1])}
    fix = "for example: --rate 20%, at most 100%; or for limit: --rate 5/s"
    raise InvalidUsage(Problem("no-rate", f"--rate cannot be {text}", fix=fix))


def _met(fault: Mapping[str, Any]) -> str:
    return f"{_said(fault)}  (met by {fault['happened']} of {fault['counted']})"


def _said(fault: Mapping[str, Any]) -> str:
    """The fault as it is typed, so that it can be switched on again."""
    words = [fault["name"]]
    for field, value in fault.items():
        if field == "rate":
            words.append(f"--rate {value * 100:g}%")
        elif field == "per_second":
            words.append(f"--rate {value}/s")
        elif field not in ("name", "counted", "happened"):
            words += ["--" + field, f"{value:g}" if isinstance(value, float) else str(value)]
    return " ".join(words)


def _fired(firing: Mapping[str, str]) -> str:
    how = f"failed: {firing['error']}" if firing["error"] else firing["target"]
    return f"{firing['at']}  {firing['schedule']}  {how}"


def _rotated(rotation: Mapping[str, str]) -> str:
    how = f"failed at {rotation['step']}: {rotation['error']}" if rotation["error"] else "rotated"
    return f"{rotation['at']}  secret {rotation['secret']}  {how}"


def _running() -> Running:
    from aurora_sandbox import lifecycle

    # Within `sandbox run` there is no other trace of the sandbox than its variables.
    running = lifecycle.current(environ=os.environ)
    if running is None:
        raise SandboxError(Problem("no-sandbox", "no sandbox is running", fix="run: aurora-tenants sandbox up"))
    return running


def _deploy_shared(environment: Mapping[str, str]) -> None:
    """Deploys the shared stack into a sandbox that has none, as a user would deploy it into an account."""
    from aurora_sandbox.environment import of_command
    from aurora_tenants.aws.clients import connect
    from aurora_tenants.aws.preparation import NewCluster
    from aurora_tenants.aws.rollout import deploy
    from aurora_tenants.aws.stacks import read_stack

    # Nothing of the user's own AWS configuration may lead elsewhere.
    cleaned = of_command(os.environ, environment)
    for name in os.environ.keys() - cleaned.keys():
        del os.environ[name]
    os.environ.update(cleaned)
    if read_stack(connect(region=None, profile=None).cloudformation, SHARED_STACK) is None:
        deploy(region=None, profile=None, stack=SHARED_STACK, parameters={}, chosen=NewCluster())


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
