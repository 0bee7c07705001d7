"""The pause schedule of a file on its own: read, looked at, deployed and priced. Asks no MySQL, so it wakes nothing.

schedule = read_schedule(configuration, region=None, profile=None)
schedule.plan                       what `apply` would do to it
schedule.look("tenants.yaml", …)    what `pause-schedule show` says
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aurora_tenants import cost
from aurora_tenants.aws import pausing
from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.aws.shared import usable
from aurora_tenants.aws.stacks import Tell, read_deployed
from aurora_tenants.cost import Cost
from aurora_tenants.model import Capacity, Cluster, Configuration, Deployed, Shared
from aurora_tenants.pause.plan import LiveCluster, LivePause, SchedulePlan, is_held, plan_schedule
from aurora_tenants.pause.shown import Shown, look
from aurora_tenants.pause.template import pause_stack
from aurora_tenants.schedule import capacity_at


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
    shared = usable(cluster, deployed)
    live = pausing.read_pause(aws, cluster, shared)
    return Schedule(aws, configuration, shared, schedule_of(cluster, shared, deployed, live))


def schedule_of(cluster: Cluster, shared: Shared, deployed: Deployed, live: LivePause) -> SchedulePlan:
    """The pause schedule's part of a plan."""
    is_taken = pause_stack(cluster) in deployed.others
    return plan_schedule(cluster, shared, deployed.pause_schedule, live, is_taken=is_taken)


def deploy_schedule(aws: Aws, plan: SchedulePlan | None, cluster: Cluster, shared: Shared | None, tell: Tell) -> None:
    """Runs the pause schedule's part of a plan, if it has one. Raises StackFailed, AwsError."""
    if plan and shared:
        pausing.deploy(aws, plan, cluster, shared, tell=tell)


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
