"""The pause schedule of a file on its own: read, looked at, deployed and priced. Asks no MySQL, so it wakes nothing.

schedule = read_schedule(configuration, region=None, profile=None)
schedule.plan                       what `apply` would do to it
schedule.look("tenants.yaml", …)    what `pause-schedule show` says
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from aurora_tenants.apply import run
from aurora_tenants.aws import scaling
from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.aws.clusters import require_available
from aurora_tenants.aws.stacks import Tell, read_deployed
from aurora_tenants.aws.usable import usable
from aurora_tenants.aws.whose import require_account
from aurora_tenants.errors import Problem
from aurora_tenants.model import Capacity, Configuration
from aurora_tenants.schedule.cost import of_schedule
from aurora_tenants.schedule.plan import SchedulePlan, is_held, plan_schedule
from aurora_tenants.schedule.view import View, look
from aurora_tenants.schedule.week import capacity_at
from aurora_tenants.stack import Shared, failed_rollback


@dataclass(frozen=True, slots=True)
class Schedule:
    """The pause schedule alone: what is needed to look at it and to deploy it without MySQL.

    account: the number of the AWS account.
    """

    aws: Aws
    configuration: Configuration
    shared: Shared
    plan: SchedulePlan
    account: str

    @property
    def refusals(self) -> tuple[Problem, ...]:
        """Why it is not deployed as it is."""
        failed = (failed_rollback(self.shared.stack),) if self.shared.has_failed else ()
        return (*self.plan.problems, *failed)

    @property
    def to_bring(self) -> Capacity | None:
        """What the cluster is to be brought to, by the file's schedule; None where it has that already."""
        wanted, live = self.plan.schedule, self.plan.live.cluster
        holds = capacity_at(wanted, live.now) if wanted else None
        return None if holds is None or is_held(live.capacity, holds) else holds

    def look(self, file: str, acu_price: Decimal | None) -> View:
        """All there is to show; one more call, for how many ACU the cluster has. file: what it is called."""
        cluster = self.plan.live.cluster
        measured = scaling.read_acu(self.aws, self.shared.cluster_arn)
        price = of_schedule(self.configuration, self.aws.region, cluster, acu_price=acu_price)
        return look(file, self.plan, price, measured)

    def deploy(self, tell: Tell) -> None:
        """Brings the stack to the plan, and then the cluster to what should hold now, if there is a schedule.

        Raises StackFailed, AwsError, also for a cluster that is stopped, which takes no capacity.
        """
        if self.plan.schedule:
            require_available(self.aws, self.shared.cluster_arn)
        run(self.plan.stack, self.aws.cloudformation, tell=tell)
        if self.plan.schedule:
            scaling.bring_to_hour(self.aws, self.plan.schedule, self.shared.cluster_arn)

    def bring(self, capacity: Capacity) -> None:
        """Brings the cluster to a capacity. Raises AwsError."""
        require_available(self.aws, self.shared.cluster_arn)
        live = scaling.read_cluster(self.aws, self.shared.cluster_arn)
        scaling.bring(self.aws, self.shared.cluster_arn, capacity, live=live)

    def again(self) -> Schedule:
        """The same, read anew."""
        return _schedule(self.aws, self.configuration, self.account)


def read_schedule(
    configuration: Configuration,
    *,
    region: str | None,
    profile: str | None,
    located: Callable[[str, str], None] = lambda account, region: None,
) -> Schedule:
    """The pause schedule's part of a plan; asks STS, CloudFormation, RDS, SQS and the scheduler, and not MySQL.

    located: called with account and region before anything else is asked. Raises AwsError.
    """
    aws = connect(region=region or configuration.cluster.region, profile=profile)
    account = require_account(aws, configuration.cluster)
    located(account, aws.region)
    return _schedule(aws, configuration, account)


def _schedule(aws: Aws, configuration: Configuration, account: str) -> Schedule:
    cluster = configuration.cluster
    deployed = read_deployed(aws.cloudformation, cluster)
    shared = usable(cluster, deployed)
    live = scaling.read_pause(aws, cluster, shared)
    return Schedule(aws, configuration, shared, plan_schedule(cluster, shared, deployed, live), account)
