"""The commands about tenants.yaml: validate, schema, plan, apply, env."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.options import (
    DEFAULT_FILE,
    WAIT_SECONDS,
    AcuPrice,
    File,
    Format,
    NoColor,
    Profile,
    Region,
    Secret,
    Tenants,
    Wait,
    ask,
    given_price,
    in_flight,
    output_of,
)
from aurora_tenants.errors import AuroraTenantsError, Breached, Exit, NotConverged, Problem, Refused

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from aurora_tenants.inputs import Inputs, Reading
    from aurora_tenants.plan import Plan
    from aurora_tenants.render import Output


def validate(
    file: File = DEFAULT_FILE,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask MySQL who can get into a database that is not theirs.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    secret: Secret = None,
    wait: Wait = WAIT_SECONDS,
    output: Format = "text",
    no_color: NoColor = False,
) -> None:
    """Check the file alone; asks nothing of AWS without --live."""
    from aurora_tenants import config, render

    out = output_of(output, no_color=no_color)
    configuration = config.load(file)
    if live:
        reading = replace(_reading(out, secret, wait, None), with_schedule=False)
        _check_isolation(_read(file, region, profile, reading))
    if output == "json":
        out.json({"version": 1, "tenants": [tenant.name for tenant in configuration.tenants], "problems": []})
        return
    tenants, count = configuration.tenants, render.count
    held = [
        count(len(tenants), "tenant"),
        count(sum(len(tenant.databases) for tenant in tenants), "database"),
        count(sum(len(tenant.users) for tenant in tenants), "user"),
    ]
    if roles := sum(len(tenant.roles) for tenant in tenants):
        held.append(count(roles, "role"))
    out.result(f"{file} is valid: {', '.join(held)}.")
    if live:
        but = ", apart from accounts that ignore.users names" if configuration.ignore.users else ""
        out.result(f"Nobody can get into a tenant's database without belonging there{but}.")


def schema() -> None:
    """Print the JSON Schema of the file, for editors."""
    from aurora_tenants import data

    typer.echo(data.text("tenants.schema.json"), nl=False)


def plan(
    file: File = DEFAULT_FILE,
    tenant: Tenants = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes, 0 when there are none.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say the rule behind each line.")] = False,
    allow_mass_removal: Annotated[
        bool, typer.Option("--allow-mass-removal", help="A file without tenants is meant.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    secret: Secret = None,
    wait: Wait = WAIT_SECONDS,
    acu_price: AcuPrice = None,
    no_wake: Annotated[bool, typer.Option("--no-wake", help="Fail instead of waking a paused cluster.")] = False,
    output: Format = "text",
    no_color: NoColor = False,
) -> None:
    """Show what apply would change, down to the SQL. Changes nothing."""
    from aurora_tenants import render, safety

    out, price = output_of(output, no_color=no_color), given_price(acu_price)
    inputs = _read(file, region, profile, _reading(out, secret, wait, tenant, may_wake=not no_wake))
    _check_not_empty(inputs, allow_mass_removal)
    made = _plan(inputs, tenant, price)
    dangers = safety.dangers(made)
    if output == "json":
        out.json(render.plan_data(made, dangers, inputs.live))
    else:
        out.result(render.plan(made, dangers, inputs.live, file=str(file), explain=explain))
    if made.problems:
        raise typer.Exit(Exit.FAILED)
    if detailed_exitcode and made.has_changes:
        raise typer.Exit(Exit.CHANGES)


def apply(
    file: File = DEFAULT_FILE,
    tenant: Tenants = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=50, help="Stacks in flight at once.", metavar="NUMBER")] = 5,
    allow_drop: Annotated[
        list[str] | None, typer.Option("--allow-drop", help="Drop this database; may be repeated.", metavar="NAME")
    ] = None,
    allow_mass_removal: Annotated[
        bool, typer.Option("--allow-mass-removal", help="Remove all tenants, or more than 30 % of ten or more.")
    ] = False,
    allow_access: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-access",
            help="Let this account into what it could not get into; may be repeated.",
            metavar="USER@HOST",
        ),
    ] = None,
    region: Region = None,
    profile: Profile = None,
    secret: Secret = None,
    wait: Wait = WAIT_SECONDS,
    acu_price: AcuPrice = None,
    no_color: NoColor = False,
) -> None:
    """Deploy what plan shows, one stack per tenant, and read back what came of it."""
    from aurora_tenants import render, render_schedule, safety
    from aurora_tenants.apply import apply as run
    from aurora_tenants.progress import Progress
    from aurora_tenants.scheduling import deploy_schedule

    out, price = output_of(no_color=no_color), given_price(acu_price)
    reading = _reading(out, secret, wait, tenant)
    inputs = _read(file, region, profile, reading)
    _check_not_empty(inputs, allow_mass_removal)
    made = _plan(inputs, tenant, price)
    refused = safety.not_allowed(
        made,
        allow_drop=allow_drop or (),
        allow_mass_removal=allow_mass_removal,
        allow_access=allow_access or (),
    )
    out.result(render.plan(made, safety.dangers(made), inputs.live, file=str(file)))
    for name in safety.not_dropped(made, allow_drop or ()):
        out.tell(f"--allow-drop {name}: no database of this name would be dropped")
    for account in safety.not_opened(made, allow_access or ()):
        out.tell(f"--allow-access {account}: this account would get into nothing that it could not get into before")
    if made.problems or refused:
        raise Refused(*made.problems, *refused)
    if not made.has_changes:
        return
    ask(out, f"Apply to {_what(made)}?", yes=yes)
    aws, shared = inputs.aws, inputs.deployed.shared
    with in_flight(), Progress(out.err, len(made.todo) + bool(made.schedule_todo)) as progress:
        results = run(
            made,
            aws.cloudformation,
            parallel=parallel,
            allow_drop=allow_drop or (),
            tell=progress.tell,
            deploy_schedule=lambda tell: deploy_schedule(aws, made.schedule, made.cluster, shared, tell),
        )
    failed = list(dict.fromkeys(problem for result in results for problem in result.problems))
    if failed:
        done = len(results) - sum(bool(result.problems) for result in results)
        what = "stacks" if made.schedule_todo else "tenants"
        out.tell(f"{done} of {len(results)} {what} applied. Run apply again when the cause is gone.")
        raise NotConverged(*failed)
    with in_flight():
        _read_back(out, inputs, made, tenant, file=file, reading=reading)
    if made.todo:
        done = len(made.todo)
        out.result(f"Applied: {done} of {done} tenants. MySQL holds what the file says of them.")
    if made.schedule_todo:
        out.result(render_schedule.deployed(made.schedule_todo))


def env(
    tenant: Annotated[str, typer.Argument(help="The tenant, with its stage.")],
    user: Annotated[str | None, typer.Option(help="The user to log in as; the first of the file by default.")] = None,
    database: Annotated[str | None, typer.Option(help="The database; the first of the file by default.")] = None,
    format: Annotated[str, typer.Option("--format", help="shell, dotenv or json.")] = "shell",
    file: File = DEFAULT_FILE,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print what a service of this tenant needs: names of resources, never a password."""
    from aurora_tenants import config
    from aurora_tenants.aws.clients import connect
    from aurora_tenants.service import environment, writer

    write = writer(format)
    configuration = config.load(file)
    aws = connect(region=region or configuration.cluster.region, profile=profile)
    values = environment(aws.cloudformation, configuration, tenant, user=user, database=database)
    typer.echo(write(values))


def _read(file: Path, region: str | None, profile: str | None, reading: Reading) -> Inputs:
    from aurora_tenants.inputs import read_inputs

    return read_inputs(file, region=region, profile=profile, reading=reading)


def _check_isolation(inputs: Inputs) -> None:
    """Raises Breached with everybody who can get into a database that is not theirs."""
    from aurora_tenants.isolation import breaches, summed_up
    from aurora_tenants.safety import breach_problem

    master = inputs.deployed.shared.master_user if inputs.deployed.shared else ""
    found = breaches(inputs.configuration, inputs.live.state, inputs.live.server, master=master)
    if found:
        raise Breached(*map(breach_problem, summed_up(found, inputs.live.state, inputs.live.server)))


def _reading(out: Output, secret: str | None, wait: float, only: list[str] | None, *, may_wake: bool = True) -> Reading:
    from aurora_tenants.inputs import Reading

    woken = lambda: out.tell("The cluster is waking, usually 15 s.")  # noqa: E731
    return Reading(secret, wait, may_wake, woken, with_schedule=not only)


def _plan(inputs: Inputs, only: list[str] | None, acu_price: Decimal | None = None) -> Plan:
    from aurora_tenants.inputs import plan_of

    return plan_of(inputs, only or (), acu_price=acu_price)


def _what(made: Plan) -> str:
    """What apply asks about: `2 tenants and the pause schedule`."""
    from aurora_tenants.render import count

    tenants = [count(len(made.todo), "tenant")] if made.todo else []
    return " and ".join([*tenants, *(["the pause schedule"] if made.schedule_todo else [])])


def _check_not_empty(inputs: Inputs, allow_mass_removal: bool) -> None:
    from aurora_tenants import safety

    empty = safety.no_tenants(inputs.configuration, inputs.deployed)
    if empty and not allow_mass_removal:
        raise Refused(*empty)


def _read_back(
    out: Output, applied: Inputs, before: Plan, only: list[str] | None, *, file: Path, reading: Reading
) -> None:
    """What was applied must be there; a difference now is an error, not a later surprise."""
    from aurora_tenants import render
    from aurora_tenants.inputs import read_world
    from aurora_tenants.notices import LEFT_OVER

    try:
        again = read_world(applied.aws, applied.configuration, reading)
        there = {it.name for it in again.configuration.tenants} | again.deployed.tenants.keys()
        named = [name for name in only or () if name in there]  # without those that were removed
        if only and not named:
            return
        left = _plan(again, named)
    except AuroraTenantsError as error:
        raise NotConverged(Problem("not-read-back", "applied, but could not read back"), *error.problems) from error
    lost = [notice for notice in left.notices if notice.code == LEFT_OVER and notice not in before.notices]
    if lost:
        raise NotConverged(*(Problem(notice.code, notice.text) for notice in lost))
    if left.has_changes or left.problems:
        out.tell(render.plan(left, (), again.live, file=str(file)))
        differing = [it.tenant for it in (*left.todo, left.schedule_todo) if it]
        where = "MySQL" if left.todo or not differing else "CloudFormation"
        what = f"applied, but {where} still differs: {', '.join(differing)}"
        why = "somebody else changes it at the same time, or this is a bug"
        raise NotConverged(Problem("not-converged", what, why, "run plan again"), *left.problems)
