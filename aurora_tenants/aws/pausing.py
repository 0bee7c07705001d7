"""The cluster's scaling as it is: its capacity, whether it is paused, and changing how far it scales.

    facts = read_cluster(aws, cluster_arn)     LiveCluster("8.0.mysql_aurora.3.10.6", Capacity(0, 2, 300), …)
    require_awake(aws, cluster_arn)            raises AwsError for one that is paused; asks nothing of MySQL

DescribeDBClusters calls a paused cluster available; only the metric ServerlessDatabaseCapacity tells.
("Automatic pause and resume for Aurora Serverless v2", Aurora User Guide)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.model import Capacity

# How far back the metric is read. CloudWatch has a value for each minute, some minutes late.
_METRIC_MINUTES = 5


@dataclass(frozen=True, slots=True)
class LiveCluster:
    """What RDS says of the cluster. capacity: None for one that is not Serverless v2. is_io_optimized: its storage."""

    engine_version: str
    capacity: Capacity | None
    is_io_optimized: bool = False

    @property
    def can_pause(self) -> bool:
        """Whether its capacity lets it pause now."""
        return self.capacity is not None and self.capacity.min_acu == 0


def read_cluster(aws: Aws, cluster_arn: str) -> LiveCluster:
    """One call. Raises AwsError when RDS cannot be asked or has no such cluster."""
    with asking("read the cluster"):
        found = aws.client("rds").describe_db_clusters(DBClusterIdentifier=cluster_arn)["DBClusters"][0]
    scaling, capacity = found.get("ServerlessV2ScalingConfiguration"), None
    if scaling:
        # The seconds are not told where the minimum is not 0: they do not hold then.
        seconds = int(scaling.get("SecondsUntilAutoPause", 300))
        capacity = Capacity(float(scaling["MinCapacity"]), float(scaling["MaxCapacity"]), seconds)
    return LiveCluster(found.get("EngineVersion", ""), capacity, found.get("StorageType") == "aurora-iopt1")


def require_awake(aws: Aws, cluster_arn: str) -> None:
    """Returns for a cluster that is awake for certain. Raises AwsError for every other; wakes none."""
    if not read_cluster(aws, cluster_arn).can_pause:
        return
    acu = read_acu(aws, cluster_arn, now=datetime.now(UTC))
    if acu:
        return
    if acu is None:
        what = f"it cannot be seen whether the cluster is paused: no metric of the last {_METRIC_MINUTES} minutes"
        why = "reading MySQL could wake it, and --no-wake forbids that"
    else:
        what, why = "the cluster is paused, and a plan would have to wake it", "--no-wake forbids that"
    fix = "try again when it is in use, or leave --no-wake out"
    raise AwsError(Problem("would-wake", what, why, fix))


def read_acu(aws: Aws, cluster_arn: str, *, now: datetime) -> float | None:
    """How many ACU the cluster had when it was last measured, 0 for a paused one; None when it was not measured."""
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": "ServerlessDatabaseCapacity",
        "Dimensions": [{"Name": "DBClusterIdentifier", "Value": cluster_arn.rpartition(":")[2]}],
    }
    with asking("read the cluster's capacity"):
        answer = aws.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "acu", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}],
            StartTime=now - timedelta(minutes=_METRIC_MINUTES),
            EndTime=now,
            ScanBy="TimestampDescending",
        )
    values = answer["MetricDataResults"][0]["Values"]
    return float(values[0]) if values else None
