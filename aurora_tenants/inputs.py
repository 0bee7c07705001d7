"""Reads what a plan is made of: the file, CloudFormation, and MySQL as the read-only inspector."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from aurora_tenants import config
from aurora_tenants.aws import pausing
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.shared import usable
from aurora_tenants.aws.stacks import read_deployed, read_template
from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.model import Configuration, Deployed, Shared
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import read_server, read_state
from aurora_tenants.notices import Notice
from aurora_tenants.pause.plan import LivePause
from aurora_tenants.plan import Live, Plan, make_plan
from aurora_tenants.scheduling import cost_of, schedule_of

# CloudFormation's APIs begin to refuse at about ten calls at once.
_AT_ONCE = 5
# Access denied to a user, because of its password (1045) or of a locked account (3118).
_NO_LOGIN = (1045, 3118)


@dataclass(frozen=True, slots=True)
class Reading:
    """How MySQL is read. secret: of another user to read it as, instead of the inspector.

    wait_seconds: how long a paused cluster may take to wake. may_wake: False refuses a paused cluster instead. woken:
    called when a paused cluster wakes. with_schedule: whether the pause schedule is read too.
    """

    secret: str | None = None
    wait_seconds: float = 180.0
    may_wake: bool = True
    woken: Callable[[], None] = lambda: None
    with_schedule: bool = True


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a plan compares, and the clients it was read with.

    woke: reading it woke a paused cluster. pause: None where there is no pause schedule, in the file or deployed.
    """

    aws: Aws
    configuration: Configuration
    deployed: Deployed
    live: Live
    woke: bool = False
    pause: LivePause | None = None


def read_inputs(file: Path, *, region: str | None, profile: str | None, reading: Reading) -> Inputs:
    """The file first, so that nothing is asked of AWS for a file that cannot be used.

    Raises InvalidFile, AwsError, DatabaseError.
    """
    configuration = config.load(file)
    aws = connect(region=region or configuration.cluster.region, profile=profile)
    return read_world(aws, configuration, reading)


def read_world(aws: Aws, configuration: Configuration, reading: Reading) -> Inputs:
    """CloudFormation and MySQL, now, beside a file that was read before. Raises AwsError, DatabaseError."""
    deployed = read_deployed(aws.cloudformation, configuration.cluster)
    shared, woke = usable(configuration.cluster, deployed), list[bool]()
    if not reading.may_wake:
        pausing.require_awake(aws, shared.cluster_arn)

    def woken() -> None:
        woke.append(True)
        reading.woken()

    pause, cluster = None, configuration.cluster
    if reading.with_schedule and (cluster.pause_schedule or deployed.pause_schedule):
        pause = pausing.read_pause(aws, cluster, shared)
    live = read_live(aws, shared, replace(reading, woken=woken))
    return Inputs(aws, configuration, deployed, live, bool(woke), pause)


def plan_of(inputs: Inputs, only: Collection[str] = (), *, acu_price: Decimal | None = None) -> Plan:
    """The whole difference, the pause schedule's part in it; with `only`, that of these tenants alone.

    acu_price: instead of the known one. Raises InvalidUsage for a tenant that is nowhere.
    """
    made = replace(_tenants(inputs, only), woke_cluster=inputs.woke)
    if only or inputs.pause is None or inputs.deployed.shared is None:
        return made
    schedule = schedule_of(inputs.configuration.cluster, inputs.deployed.shared, inputs.deployed, inputs.pause)
    notices = (Notice(code, text) for code, text in schedule.warnings)
    return replace(
        made,
        schedule=schedule,
        cost=cost_of(inputs.configuration, inputs.aws.region, inputs.pause.cluster, acu_price=acu_price),
        notices=(*made.notices, *notices),
        problems=(*made.problems, *schedule.problems),
    )


def _tenants(inputs: Inputs, only: Collection[str]) -> Plan:
    """The tenants' part of a plan.

    Where the file changed and MySQL differs, the template that is deployed is read too: it tells the file's doing from
    drift.
    """
    plan = make_plan(inputs.configuration, inputs.live, inputs.deployed, only=only)
    unclear = [it.tenant for it in plan.todo if it.action == "update" and it.origin == "file" and it.lines]
    if not unclear:
        return plan
    deployed = inputs.deployed
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        texts = pool.map(lambda name: read_template(inputs.aws.cloudformation, deployed.tenants[name].name), unclear)
        templates = dict(zip(unclear, texts, strict=True))
    return make_plan(inputs.configuration, inputs.live, replace(deployed, templates=templates), only=only)


def read_live(aws: Aws, shared: Shared, reading: Reading) -> Live:
    """What MySQL holds, read as the inspector or with the secret given."""
    secret = reading.secret
    if shared.inspector_problem and not secret:
        what = "the inspector may not read MySQL's grant tables"
        fix = "pass --secret with the ARN of a secret whose user may read the schema mysql"
        raise DatabaseError(Problem("no-inspector", what, shared.inspector_problem, fix))
    api = DataApi(
        aws.rds_data,
        shared.cluster_arn,
        secret or shared.inspector_secret,
        wait_seconds=reading.wait_seconds,
        woken=reading.woken,
    )
    try:
        with asking("read MySQL"):
            return Live(read_server(api.execute), read_state(api.execute))
    except DatabaseError as error:
        if secret or error.number not in _NO_LOGIN:
            raise
        why = "its password or its rights were changed behind its secret's back"
        fix = f"aws secretsmanager rotate-secret --secret-id {shared.inspector_secret}, then try again"
        (problem,) = error.problems
        raise DatabaseError(Problem("no-inspector", problem.what, why, fix), number=error.number) from error
