"""The cluster's scaling and its pause schedule as they are, and changing them; whether the cluster is paused.

    live = read_pause(aws, cluster, shared)        LivePause(LiveCluster("8.0.mysql_aurora.3.10.6", …), (Entry(…), …))
    bring_to_hour(aws, schedule, cluster_arn)      the capacity that a schedule wants at this hour
    require_awake(aws, cluster_arn)                raises AwsError for a cluster that is paused; asks nothing of MySQL

DescribeDBClusters calls a paused cluster available; only the metric ServerlessDatabaseCapacity tells.
("Automatic pause and resume for Aurora Serverless v2", Aurora User Guide)
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
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

# How far back the metric is read. CloudWatch has a value for each minute, some minutes late.
_METRIC_MINUTES = 5
# A cluster takes no change while another is under way, such as the schedule's own a moment ago.
_BUSY_SECONDS, _BUSY_PAUSE_SECONDS = 300.0, 10.0
# What EventBridge Scheduler does where a schedule does not say. ("RetryPolicy", EventBridge Scheduler API Reference)
_DEFAULT_AGE_SECONDS, _DEFAULT_ATTEMPTS = 86_400, 185


def read_pause(aws: Aws, cluster: Cluster, shared: Shared) -> LivePause:
    """The cluster, the schedules of the group, and how many of their events were lost.

    One call for each of them and one for each schedule, however many tenants there are; the cluster's alone where the
    shared stack has nothing for schedules.
    """
    facts = read_cluster(aws, shared.cluster_arn)
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


def _entries(scheduler: Any, name: str) -> Iterator[Entry]:
    with asking("read the schedules"):
        pages = scheduler.get_paginator("list_schedules").paginate(GroupName=name)
        names = [it["Name"] for page in pages for it in page["Schedules"]]
    for it in names:
        try:
            with asking(f"read schedule {it}"):
                yield _entry(scheduler.get_schedule(GroupName=name, Name=it))
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
    """JSON with sorted keys, so that two spellings of one value are equal; any other text as it is."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def read_cluster(aws: Aws, cluster_arn: str) -> LiveCluster:
    """One call. Raises AwsError when RDS cannot be asked or has no such cluster."""
    with asking("read the cluster"):
        answer = aws.client("rds").describe_db_clusters(DBClusterIdentifier=cluster_arn)
    found = answer["DBClusters"][0]
    sent, capacity = found.get("ServerlessV2ScalingConfiguration"), None
    if sent:
        seconds = int(sent.get("SecondsUntilAutoPause", 300))
        capacity = Capacity(float(sent["MinCapacity"]), float(sent["MaxCapacity"]), seconds)
    is_io_optimized = found.get("StorageType") == "aurora-iopt1"
    return LiveCluster(found.get("EngineVersion", ""), capacity, is_io_optimized, _said_at(answer))


def _said_at(answer: Mapping[str, Any]) -> datetime:
    """When AWS gave an answer, by its own clock, which is the one that the schedules follow."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)


def require_awake(aws: Aws, cluster_arn: str) -> None:
    """Returns for a cluster that is awake for certain. Raises AwsError for every other; wakes none."""
    live = read_cluster(aws, cluster_arn)
    if live.capacity is None or live.capacity.min_acu:
        return
    measured = read_acu(aws, cluster_arn)
    if measured:
        return
    if measured is None:
        what = (
            f"it cannot be seen whether the cluster is paused: its capacity was not measured in {_METRIC_MINUTES} min"
        )
        why = "reading MySQL could wake it, and --no-wake forbids that"
    else:
        what, why = "the cluster is paused, and a plan would have to wake it", "--no-wake forbids that"
    fix = "try again when it is in use, or leave --no-wake out"
    raise AwsError(Problem("would-wake", what, why, fix))


def read_acu(aws: Aws, cluster_arn: str) -> float | None:
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
            StartTime=now - timedelta(minutes=_METRIC_MINUTES),
            EndTime=now + timedelta(minutes=1),
            ScanBy="TimestampDescending",
        )
    values = answer["MetricDataResults"][0]["Values"]
    return float(values[0]) if values else None


def bring_to_hour(aws: Aws, schedule: PauseSchedule, cluster_arn: str) -> None:
    """Brings the cluster to what a schedule that was just deployed says of this hour. Raises AwsError."""
    try:
        live = read_cluster(aws, cluster_arn)
        bring(aws, cluster_arn, capacity_at(schedule, live.now), live=live)
    except AwsError as error:
        what = "the schedules are deployed, but the cluster is not at what they say of this hour"
        fix = "the next of them brings it there; `aurora-tenants pause-schedule set` does before, apply does not"
        raise AwsError(*error.problems, Problem("not-brought", what, fix=fix)) from error


def bring(aws: Aws, cluster_arn: str, capacity: Capacity, *, live: LiveCluster) -> bool:
    """Brings the cluster to a capacity; False if it has it already, because any change would wake a paused cluster.

    Waits up to five minutes for another change of the cluster to end. Raises AwsError.
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
