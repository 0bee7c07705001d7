"""Reads what a plan is made of: the file, CloudFormation, and MySQL as the read-only inspector."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from aurora_tenants import config, cost
from aurora_tenants.aws import pausing
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.stacks import Tell, read_deployed, read_template
from aurora_tenants.cost import Cost
from aurora_tenants.errors import AwsError, DatabaseError, Problem
from aurora_tenants.model import Capacity, Cluster, Configuration, Deployed, Shared
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import read_server, read_state
from aurora_tenants.notices import Notice
from aurora_tenants.pause.plan import LiveCluster, LivePause, SchedulePlan, is_held, plan_schedule
from aurora_tenants.pause.shown import Shown, look
from aurora_tenants.pause.template import pause_stack
from aurora_tenants.plan import Live, Plan, make_plan
from aurora_tenants.schedule import capacity_at

# The provider this command line needs; lambdas/provider.py counts its own.
PROVIDER_VERSION = 2
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
    shared, woke = usable(configuration, deployed), list[bool]()
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


@dataclass(frozen=True, slots=True)
class Schedule:
    """The pause schedule alone: what is needed to look at it and to deploy it without MySQL."""

    aws: Aws
    configuration: Configuration
    shared: Shared
    plan: SchedulePlan

    @property
    def to_bring(self) -> Capacity | None:
        """What the cluster is to be brought to, by the file's schedule; None where it has that already."""
        wanted, live = self.plan.schedule, self.plan.live.cluster
        holds = capacity_at(wanted, live.now) if wanted else None
        return None if holds is None or is_held(live.capacity, holds) else holds

    def look(self, file: str, acu_price: Decimal | None) -> Shown:
        """All there is to show; one more call, for how many ACU the cluster has. file: what it is called."""
        cluster = self.plan.live.cluster
        measured = pausing.read_acu(self.aws, self.shared.cluster_arn)
        price = cost_of(self.configuration, self.aws.region, cluster, acu_price=acu_price)
        return look(file, self.plan, price, measured)

    def deploy(self, tell: Tell) -> None:
        """Runs the plan. Raises StackFailed, AwsError."""
        pausing.deploy(self.aws, self.plan, self.configuration.cluster, self.shared, tell=tell)

    def bring(self, capacity: Capacity) -> None:
        """Brings the cluster to a capacity. Raises AwsError."""
        live = pausing.read_cluster(self.aws, self.shared.cluster_arn)
        pausing.bring(self.aws, self.shared.cluster_arn, capacity, live=live)

    def again(self) -> Schedule:
        """The same, read anew."""
        return _schedule(self.aws, self.configuration)


def read_schedule(configuration: Configuration, *, region: str | None, profile: str | None) -> Schedule:
    """The pause schedule's part of a plan; asks CloudFormation, RDS, SQS and the scheduler, and not MySQL.

    Raises AwsError.
    """
    return _schedule(connect(region=region or configuration.cluster.region, profile=profile), configuration)


def _schedule(aws: Aws, configuration: Configuration) -> Schedule:
    cluster = configuration.cluster
    deployed = read_deployed(aws.cloudformation, cluster)
    shared = usable(configuration, deployed)
    live = pausing.read_pause(aws, cluster, shared)
    return Schedule(aws, configuration, shared, schedule_of(cluster, shared, deployed, live))


def schedule_of(cluster: Cluster, shared: Shared, deployed: Deployed, live: LivePause) -> SchedulePlan:
    """The pause schedule's part of a plan."""
    is_taken = pause_stack(cluster) in deployed.others
    return plan_schedule(cluster, shared, deployed.pause_schedule, live, is_taken=is_taken)


def deploy_schedule(inputs: Inputs, plan: Plan, tell: Tell) -> None:
    """Runs the pause schedule's part of a plan. Raises StackFailed, AwsError."""
    if plan.schedule and inputs.deployed.shared:
        pausing.deploy(inputs.aws, plan.schedule, plan.cluster, inputs.deployed.shared, tell=tell)


def cost_of(
    configuration: Configuration, region: str, live: LiveCluster, *, acu_price: Decimal | None = None
) -> Cost | None:
    """What the schedule of the file costs a month; None without one.

    Secrets are counted for users with a password, for the inspector and for the master.
    """
    schedule = configuration.cluster.pause_schedule
    if schedule is None:
        return None
    secrets = sum(user.auth == "password" for tenant in configuration.tenants for user in tenant.users) + 2
    return cost.monthly(
        schedule,
        region=region,
        secrets=secrets,
        year=live.now.year,
        is_io_optimized=live.is_io_optimized,
        acu_price=acu_price,
    )


def usable(configuration: Configuration, deployed: Deployed) -> Shared:
    """The shared stack. Raises AwsError when there is none, when it is none, not whole, or too old."""
    name, shared = configuration.cluster.stack, deployed.shared
    fix = f"run: aurora-tenants shared deploy --stack {name}"
    if shared is None:
        why = "cluster.stack in tenants.yaml names it; it holds the cluster and what makes databases and users"
        raise AwsError(Problem("no-shared-stack", f"there is no stack {name}", why, fix))
    if not shared.status.endswith(("_COMPLETE", "UPDATE_IN_PROGRESS")) or shared.status.startswith("ROLLBACK"):
        what = f"stack {name} cannot be used: it is {shared.status}"
        why, fix = "its creation or its deletion did not end well", f"aurora-tenants shared status --stack {name}"
        raise AwsError(Problem("no-shared-stack", what, why, fix))
    if not shared.cluster_arn or shared.version is None:
        missing = "ProviderVersion" if shared.cluster_arn else "DatabaseServer"
        what, why = f"stack {name} is not a shared stack", f"it has no output {missing}"
        raise AwsError(Problem("no-shared-stack", what, why, "name the shared stack in cluster.stack of tenants.yaml"))
    if shared.version < PROVIDER_VERSION:
        what = f"stack {name} is too old: its provider has version {shared.version}"
        raise AwsError(Problem("old-shared-stack", what, f"this program needs version {PROVIDER_VERSION}", fix))
    return shared


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
