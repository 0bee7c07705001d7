"""The pause schedule as a CloudFormation template: one AWS::Scheduler::Schedule for each rule of its week. Pure.

Group, role and queue are the shared stack's, so the stack holds schedules and nothing else. An `Entry` is one schedule,
desired or live, so that a plan compares two of the same kind.

    Entry("awake-MON-FRI-0700-r1", "cron(0 7 ? * MON-FRI *)", "Europe/Berlin", '{"DbClusterIdentifier": …}', …)

Names end in the stack's `Revision`: another revision makes every schedule anew, which is the only way that
CloudFormation has to bring back one that was deleted by hand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aurora_tenants.model import Capacity, Cluster, PauseSchedule
from aurora_tenants.naming import REVISION, schedule_group
from aurora_tenants.schedule.week import Rule, rules
from aurora_tenants.stack import Shared, Template

TARGET = "arn:aws:scheduler:::aws-sdk:rds:modifyDBCluster"
_WEEK_MINUTES = 7 * 1440
# An event that is tried again for longer than an hour, or until the next one is due, would undo that one.
_LONGEST_SECONDS = 3600
_NAME = re.compile(r"(?:awake|asleep)-[A-Za-z.-]+-[0-9]{4}-r([0-9]+)")
_ATTEMPTS = 185  # as many as there may be: the age ends them


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A schedule of EventBridge Scheduler: all that decides what it does and when.

    input: JSON with sorted keys. bounds: its start and end date, empty for none. max_age_seconds, attempts: of a
    delivery that failed.
    """

    name: str
    expression: str
    timezone: str
    input: str
    target: str
    role_arn: str
    dead_letters_arn: str
    state: str = "ENABLED"
    flexible: str = "OFF"
    max_age_seconds: int = _LONGEST_SECONDS
    attempts: int = _ATTEMPTS
    bounds: str = ""


def dead_letters_arn(shared: Shared) -> str:
    """The ARN of the queue whose URL the shared stack gives: https://sqs.eu-west-1.amazonaws.com/123456789012/name."""
    _, partition, _, region, *_ = shared.cluster_arn.split(":")
    account, name = shared.pause_dead_letters.split("/")[-2:]
    return f"arn:{partition}:sqs:{region}:{account}:{name}"


def entries(schedule: PauseSchedule, shared: Shared, *, revision: int) -> tuple[Entry, ...]:
    """The schedules that the stack should hold, by name."""
    week = rules(schedule)
    return tuple(
        sorted(
            Entry(
                f"{base_name(rule)}-r{revision}",
                rule.expression,
                schedule.timezone,
                scaling_input(shared.cluster_arn, rule.capacity),
                TARGET,
                shared.pause_role_arn,
                dead_letters_arn(shared),
                max_age_seconds=_max_age_seconds(week),
            )
            for rule in week
        )
    )


def base_name(rule: Rule) -> str:
    """A name that says what it does when, without the revision: asleep-MON-FRI-1700, awake-daily-0700."""
    days = "daily" if len(rule.days) == 7 else rule.expression.split()[4].replace(",", ".")
    hour, minute = divmod(rule.minute, 60)
    return f"{'awake' if rule.is_awake else 'asleep'}-{days}-{hour:02}{minute:02}"


def scaling(capacity: Capacity) -> dict[str, float]:
    """A ServerlessV2ScalingConfiguration. The seconds belong to a minimum of 0 and to no other: RDS refuses them with
    any other, forgets them there, and takes 300 where a minimum of 0 comes without them.
    """
    bounds = {"MaxCapacity": _number(capacity.max_acu), "MinCapacity": _number(capacity.min_acu)}
    return bounds if capacity.min_acu else bounds | {"SecondsUntilAutoPause": capacity.pause_after_seconds}


def _number(acu: float) -> float:
    """2 for 2 and 2.0: the same schedule gives the same bytes."""
    return int(acu) if float(acu).is_integer() else acu


def scaling_input(cluster_arn: str, capacity: Capacity) -> str:
    """What a schedule sends. EventBridge Scheduler spells the keys as the SDK for Java does: DbClusterIdentifier."""
    identifier = cluster_arn.rpartition(":")[2]
    sent = {"DbClusterIdentifier": identifier, "ServerlessV2ScalingConfiguration": scaling(capacity)}
    return json.dumps(sent, sort_keys=True)


def pause_template(cluster: Cluster, schedule: PauseSchedule, shared: Shared) -> Template:
    """What is deployed for a pause schedule."""
    resources = {_logical_id(entry): _resource(cluster, entry) for entry in entries(schedule, shared, revision=0)}
    body = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The pause schedule of {cluster.stack}, deployed by aurora-tenants.",
        "Parameters": {
            REVISION: {
                "Type": "String",
                "Default": "1",
                "Description": "Another value makes every schedule anew, whatever was done to it by hand.",
            }
        },
        "Resources": resources,
    }
    return Template.of(body)


def without_revision(name: str) -> str:
    """awake-MON-FRI-0700 of awake-MON-FRI-0700-r12."""
    base, _, revision = name.rpartition("-r")
    return base if base and revision.isdecimal() else name


def is_of_revision(name: str, revision: int) -> bool:
    """Whether a schedule is called as the stack calls its own under a revision."""
    match = _NAME.fullmatch(name)
    return match is not None and match[1] == str(revision)


def _logical_id(entry: Entry) -> str:
    return "".join(
        part[:1].upper() + part[1:] for part in without_revision(entry.name).replace(".", "-").split("-") if part
    )


def _resource(cluster: Cluster, entry: Entry) -> dict[str, Any]:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Name": {"Fn::Sub": f"{without_revision(entry.name)}-r${{{REVISION}}}"},
            "GroupName": schedule_group(cluster),
            "ScheduleExpression": entry.expression,
            "ScheduleExpressionTimezone": entry.timezone,
            "State": entry.state,
            "FlexibleTimeWindow": {"Mode": entry.flexible},
            "Target": {
                "Arn": entry.target,
                "RoleArn": entry.role_arn,
                "Input": entry.input,
                "DeadLetterConfig": {"Arn": entry.dead_letters_arn},
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": entry.max_age_seconds,
                    "MaximumRetryAttempts": entry.attempts,
                },
            },
        },
    }


def _max_age_seconds(week: tuple[Rule, ...]) -> int:
    """How long a delivery may be tried again: never until the next one is due."""
    minutes = sorted({day * 1440 + rule.minute for rule in week for day in rule.days})
    following = [*minutes[1:], minutes[0] + _WEEK_MINUTES]
    gap = min(after - before for before, after in zip(minutes, following, strict=True))
    return max(60, min(_LONGEST_SECONDS, gap * 60))
