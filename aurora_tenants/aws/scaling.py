"""How the cluster scales and which schedules change that; setting its capacity; whether the cluster is paused.

    live = read_pause(aws, cluster, shared)        LivePause(LiveCluster("8.0.mysql_aurora.3.10.6", …), (Entry(…), …))
    bring_to_hour(aws, schedule, cluster_arn)      sets the capacity that a schedule has for this hour
    require_awake(aws, cluster_arn)                raises AwsError for a paused cluster, and does not wake it

To DescribeDBClusters a paused cluster is available; only the metric ServerlessDatabaseCapacity shows the pause.
("Automatic pause and resume for Aurora Serverless v2", Aurora User Guide)
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.model import Capacity, Cluster, PauseSchedule
from aurora_tenants.naming import schedule_group
from aurora_tenants.schedule.plan import LiveCluster, LivePause, acu, is_equipped, is_held
from aurora_tenants.schedule.template import Entry, scaling
from aurora_tenants.schedule.week import capacity_at
from aurora_tenants.stack import Shared

# How far back the metric is read. CloudWatch has a value for each minute, a few minutes late.
_METRIC_MINUTES = 5
# A cluster refuses a change while another one is in progress, such as one by the schedule a moment ago.
_BUSY_SECONDS, _BUSY_PAUSE_SECONDS = 300.0, 10.0
# EventBridge Scheduler's defaults for a schedule. ("RetryPolicy", EventBridge Scheduler API Reference)
_DEFAULT_AGE_SECONDS, _DEFAULT_ATTEMPTS = 86_400, 185


def read_pause(aws: Aws, cluster: Cluster, shared: Shared) -> LivePause:
    """The cluster, the schedules of the group, and how many of their events were lost.

    One call for each of them, one for the cluster's instances where the file has a schedule, and one for each schedule,
    however many tenants there are; the cluster's alone where the shared stack has nothing for schedules.
    """
    facts = read_cluster(aws, shared.cluster_arn)
    if cluster.pause_schedule:
        facts = replace(facts, provisioned=_read_provisioned(aws, shared.cluster_arn))
    if not is_equipped(shared):
        return LivePause(facts)
    with asking("read the queue of events that were not delivered"):
        attributes = aws.client("sqs").get_queue_attributes(
            QueueUrl=shared.pause_dead_letters, AttributeNames=["ApproximateNumberOfMessages"]
        )
    lost = int(attributes.get("Attributes", {}).get("ApproximateNumberOfMessages", 0))
    scheduler = aws.client("scheduler")
    try:
        return LivePause(facts, tuple(sorted(_entries(scheduler, schedule_group(cluster)))), lost)
    except AwsError as error:
        if code_of(error.__cause__) == "ResourceNotFoundException":
            return LivePause(facts, None, lost)
        raise


def _read_provisioned(aws: Aws, cluster_arn: str) -> tuple[str, ...]:
    """The cluster's instances that are not db.serverless: `orders-1 (db.r7g.large)`."""
    of_cluster = [{"Name": "db-cluster-id", "Values": [cluster_arn.rpartition(":")[2]]}]
    with asking("read the instances of the cluster"):
        pages = aws.client("rds").get_paginator("describe_db_instances").paginate(Filters=of_cluster)
        found = [(it["DBInstanceIdentifier"], it["DBInstanceClass"]) for page in pages for it in page["DBInstances"]]
    return tuple(f"{name} ({kind})" for name, kind in sorted(found) if kind != "db.serverless")


def _entries(scheduler: Any, group: str) -> Iterator[Entry]:
    with asking("read the schedules"):
        pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        names = [schedule["Name"] for page in pages for schedule in page["Schedules"]]
    for name in names:
        try:
            with asking(f"read schedule {name}"):
                yield _entry(scheduler.get_schedule(GroupName=group, Name=name))
        except AwsError as error:
            if code_of(error.__cause__) != "ResourceNotFoundException":  # gone since it was listed
                raise


def _entry(description: Mapping[str, Any]) -> Entry:
    target = description["Target"]
    retry = target.get("RetryPolicy", {})
    bounds = [f"{key} {description[key]}" for key in ("StartDate", "EndDate") if description.get(key)]
    return Entry(
        name=description["Name"],
        expression=description["ScheduleExpression"],
        timezone=description.get("ScheduleExpressionTimezone", "UTC"),
        input=_sorted(target.get("Input", "")),
        target=target["Arn"],
        role_arn=target["RoleArn"],
        dead_letters_arn=target.get("DeadLetterConfig", {}).get("Arn", ""),
        state=description.get("State", "ENABLED"),
        flexible=description["FlexibleTimeWindow"]["Mode"],
        max_age_seconds=retry.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_SECONDS),
        attempts=retry.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS),
        bounds=", ".join(bounds),
    )


def _sorted(text: str) -> str:
    """JSON with sorted keys, so that equal values are equal texts; any other text unchanged."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def read_cluster(aws: Aws, cluster_arn: str) -> LiveCluster:
    """One call. Raises AwsError when RDS cannot be asked or has no such cluster."""
    with asking("read the cluster"):
        answer = aws.client("rds").describe_db_clusters(DBClusterIdentifier=cluster_arn)
    cluster = answer["DBClusters"][0]
    configuration, capacity = cluster.get("ServerlessV2ScalingConfiguration"), None
    if configuration:
        seconds = int(configuration.get("SecondsUntilAutoPause", 300))
        capacity = Capacity(float(configuration["MinCapacity"]), float(configuration["MaxCapacity"]), seconds)
    is_io_optimized = cluster.get("StorageType") == "aurora-iopt1"
    return LiveCluster(cluster.get("EngineVersion", ""), capacity, is_io_optimized, _time_of(answer))


def _time_of(answer: Mapping[str, Any]) -> datetime:
    """When AWS sent an answer, by AWS's own clock, which is the one that the schedules follow."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)


def require_awake(aws: Aws, cluster_arn: str, *, minutes: int = _METRIC_MINUTES) -> None:
    """Raises AwsError if the newest value of the last minutes says that the cluster is paused, or if there is none.

    Never wakes it. It may have paused since the minute that the value is of.
    """
    live = read_cluster(aws, cluster_arn)
    if live.capacity is None or live.capacity.min_acu:
        return
    measured = read_acu(aws, cluster_arn, minutes=minutes)
    if measured:
        return
    if measured is None:
        what = f"cannot tell whether the cluster is paused: CloudWatch has no capacity of the last {minutes} min"
        why = "reading MySQL could wake it, and --no-wake forbids that"
    else:
        what, why = "the cluster is paused, and a plan would have to wake it", "--no-wake forbids that"
    fix = "try again when it is in use, or run without --no-wake"
    raise AwsError(Problem("would-wake", what, why, fix))


def read_acu(aws: Aws, cluster_arn: str, *, minutes: int = _METRIC_MINUTES) -> float | None:
    """How many ACU the cluster had when it was last measured, 0 for a paused one; None when it was not measured."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": "ServerlessDatabaseCapacity",
        "Dimensions": [{"Name": "DBClusterIdentifier", "Value": cluster_arn.rpartition(":")[2]}],
    }
    with asking("read the cluster's capacity"):
        answer = aws.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "acu", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}],
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now + timedelta(minutes=1),
            ScanBy="TimestampDescending",
        )
    values = answer["MetricDataResults"][0]["Values"]
    return float(values[0]) if values else None


def bring_to_hour(aws: Aws, schedule: PauseSchedule, cluster_arn: str) -> None:
    """Sets the capacity that a schedule, which was just deployed, has for this hour. Raises AwsError."""
    try:
        live = read_cluster(aws, cluster_arn)
        bring(aws, cluster_arn, capacity_at(schedule, live.now), live=live)
    except AwsError as error:
        what = "the schedules are deployed, but the cluster does not have the capacity that they set for this hour"
        fix = "run `aurora-tenants pause-schedule set` again (apply does not set it), or wait for the next schedule"
        raise AwsError(*error.problems, Problem("not-brought", what, fix=fix)) from error


def bring(aws: Aws, cluster_arn: str, capacity: Capacity, *, live: LiveCluster) -> bool:
    """Sets the cluster's capacity. False if it has it already: then any change would only wake a paused cluster.

    Waits up to five minutes for another change of the cluster to finish. Raises AwsError.
    """
    if is_held(live.capacity, capacity):
        return False
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            with asking(f"bring the cluster to {acu(capacity)}"):
                aws.client("rds").modify_db_cluster(
                    DBClusterIdentifier=cluster_arn.rpartition(":")[2],
                    ServerlessV2ScalingConfiguration=scaling(capacity),
                    ApplyImmediately=True,
                )
            return True
        except AwsError as error:
            is_busy = code_of(error.__cause__) == "InvalidDBClusterStateFault"
            if not is_busy or time.monotonic() > deadline:
                error.nothing_was_changed = False
                raise
        time.sleep(_BUSY_PAUSE_SECONDS)
