"""Schedules that were changed behind the stack's back, that are somebody else's, or that failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.pause_schedule.conftest import (
    AWAKE,
    BY_FILE,
    SHOP,
    STACK,
    forget_dead_letters,
    modify,
    move_to,
    scaling,
    schedules,
    set_to,
)
from tests.cloud import SHARED, Cloud


def update(cloud: Cloud, name: str, **changed: Any) -> None:
    """Changes a schedule by hand."""
    scheduler = cloud.client("scheduler")
    it = scheduler.get_schedule(GroupName=STACK, Name=name)
    wanted = ("Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**{key: it[key] for key in (*wanted, "State")} | changed)


def disable(cloud: Cloud) -> str:
    update(cloud, "awake-MON-FRI-0700-r1", State="DISABLED")
    return "~ alter   schedule awake-MON-FRI-0700: state is DISABLED, not ENABLED\n"


def change(cloud: Cloud) -> str:
    update(cloud, "awake-MON-FRI-0700-r1", ScheduleExpression="cron(0 9 ? * MON-FRI *)")
    return "~ alter   schedule awake-MON-FRI-0700: time is cron(0 9 ? * MON-FRI *), not cron(0 7 ? * MON-FRI *)\n"


def delete(cloud: Cloud) -> str:
    cloud.client("scheduler").delete_schedule(GroupName=STACK, Name="awake-MON-FRI-0700-r1")
    return "+ create  schedule awake-MON-FRI-0700: cron(0 7 ? * MON-FRI *) in Europe/Berlin: 0.5 to 4 ACU\n"


@pytest.mark.parametrize("by_hand", [disable, *(pytest.param(it, marks=pytest.mark.long) for it in (change, delete))])
def test_drift_is_seen_by_plan_and_healed_by_apply(run: CommandLine, cloud: Cloud, by_hand: Any):
    run.file(SHOP)
    set_to(run)
    assert run("aurora-tenants apply --yes").code == 0
    made = schedules(cloud)
    shown = by_hand(cloud)
    ended = run("aurora-tenants plan --detailed-exitcode")
    assert ended.code == 2
    assert (
        f"~ update pause schedule  (stack {STACK}: drift: the schedules were changed by somebody else)\n    {shown}"
    ) in ended.out
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended
    healed = schedules(cloud)
    assert list(healed) == ["asleep-MON-FRI-1700-r2", "awake-MON-FRI-0700-r2"]
    for name, it in healed.items():
        before = made[name.replace("-r2", "-r1")]
        assert (it["State"], it["ScheduleExpression"], it["Target"]) == (
            "ENABLED",
            before["ScheduleExpression"],
            before["Target"],
        )
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def test_a_schedule_of_somebody_else_in_the_group_is_reported(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    set_to(run)
    scheduler = cloud.client("scheduler")
    it = scheduler.get_schedule(GroupName=STACK, Name="awake-MON-FRI-0700-r1")
    wanted = ("GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.create_schedule(Name="by-hand", **{key: it[key] for key in wanted})
    assert (
        "schedule by-hand of group shared-global-pause-schedule is not in the stack, and fires: "
        in run("aurora-tenants plan").out
    )


def test_what_could_not_be_delivered_is_reported(run: CommandLine, cloud: Cloud):
    """The role loses its right; the event ends in the queue."""
    run.file(SHOP)
    move_to(cloud, 0, 12)
    set_to(run)
    iam_client = cloud.client("iam")
    resources = cloud.client("cloudformation").describe_stack_resources(StackName=SHARED)["StackResources"]
    role = next(it["PhysicalResourceId"] for it in resources if it["LogicalResourceId"] == "PauseScheduleRole")
    policy = iam_client.get_role_policy(RoleName=role, PolicyName="pause")["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert "rds:ModifyDBCluster" in statement["Action"]
    without = policy | {"Statement": [statement | {"Action": ["sqs:SendMessage"]}]}
    try:
        iam_client.put_role_policy(RoleName=role, PolicyName="pause", PolicyDocument=json.dumps(without))
        move_to(cloud, 0, 20)
        assert "of the cluster's scaling failed in the last 14 days" in run("aurora-tenants pause-schedule show").out
        assert scaling(cloud)["MinCapacity"] == 0.5
    finally:
        iam_client.put_role_policy(RoleName=role, PolicyName="pause", PolicyDocument=json.dumps(policy))
        forget_dead_letters(cloud)


def test_a_saved_plan_is_moved_by_a_changed_schedule_and_not_by_the_cluster(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=BY_FILE)
    move_to(cloud, 1, 12)
    assert run("aurora-tenants plan --out plan.json").code == 0
    modify(cloud, AWAKE)
    move_to(cloud, 1, 22)
    ended = run("aurora-tenants apply plan.json")
    assert ended.code == 0, ended
    assert list(schedules(cloud)) == ["asleep-MON-FRI-1700-r1", "awake-MON-FRI-0700-r1"]
    assert run("aurora-tenants plan --out plan.json").code == 0
    disable(cloud)
    ended = run("aurora-tenants apply plan.json")
    assert ended.code == 1
    assert "error: EventBridge Scheduler: the pause schedule was changed (schedules)  [plan-moved]" in ended.err
