"""The pause schedule end to end: set, plan, drift, apply, clear, and what is refused; its sandbox's clock is moved."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_sandbox import iam, mysqld
from aurora_tenants import config
from aurora_tenants.aws import clients
from aurora_tenants.aws import scaling as aws_scaling
from aurora_tenants.mysql import dataapi
from aurora_tenants.render import schedule as render_schedule
from tests.cli.conftest import HEAD, CommandLine, Ended, Terminal
from tests.cloud import SHARED, Cloud, deployed

STACK = f"{SHARED}-pause-schedule"
SET = 'aurora-tenants pause-schedule set --timezone Europe/Berlin --awake "MON-FRI 07:00-17:00" --yes'
CLEAR = "aurora-tenants pause-schedule clear --yes --then stay"
SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""
AWAKE = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
ASLEEP = {"MinCapacity": 0.0, "MaxCapacity": 2.0, "SecondsUntilAutoPause": 300}
NOTHING = "Nothing was changed.\n"
BY_FILE = HEAD.replace(
    "{stack: shared-global}",
    """
  stack: shared-global
  pause_schedule:
    timezone: Europe/Berlin
    awake: {days: MON-FRI, from: "07:00", to: "17:00", min_acu: 0.5, max_acu: 4}
    asleep: {min_acu: 0, max_acu: 2}""",
)

pytestmark = pytest.mark.usefixtures("unscheduled")


@pytest.fixture(scope="module")
def cloud(mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Not the session's: its clock is moved, and never back."""
    with deployed(tmp_path_factory.mktemp("paused")) as running:
        yield running


@pytest.fixture
def unscheduled(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No schedule, no tenant, and the scaling that the shared stack begins with; waits are short."""
    monkeypatch.setattr(dataapi, "_POLL_SECONDS", 0.03)
    cloud.post("pause", {"seconds": 0.01})
    modify(cloud, ASLEEP)
    yield
    cloud.clean()
    scheduler = cloud.client("scheduler")
    for it in scheduler.list_schedules(GroupName=STACK)["Schedules"]:
        scheduler.delete_schedule(GroupName=STACK, Name=it["Name"])


def identifier(cloud: Cloud) -> str:
    return str(cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"])


def modify(cloud: Cloud, scaling: Mapping[str, Any]) -> None:
    cloud.client("rds").modify_db_cluster(
        DBClusterIdentifier=identifier(cloud), ServerlessV2ScalingConfiguration=scaling
    )


def scaling(cloud: Cloud) -> dict[str, Any]:
    found = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["ServerlessV2ScalingConfiguration"]
    return dict(found)


def schedules(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What is deployed, by name."""
    scheduler = cloud.client("scheduler")
    names = [it["Name"] for it in scheduler.list_schedules(GroupName=STACK)["Schedules"]]
    return {name: scheduler.get_schedule(GroupName=STACK, Name=name) for name in sorted(names)}


def now(cloud: Cloud) -> datetime:
    """The sandbox's time."""
    headers = cloud.client("rds").describe_db_clusters()["ResponseMetadata"]["HTTPHeaders"]
    return datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


def move_to(cloud: Cloud, weekday: int, hour: int) -> None:
    """Moves the clock to the next such hour in UTC. weekday: 0 = Monday."""
    at = now(cloud).replace(hour=hour, minute=0, second=0) + timedelta(days=1)
    while at.weekday() != weekday:
        at += timedelta(days=1)
    cloud.post("clock", {"to": at.strftime("%Y-%m-%dT%H:%MZ")})
    cloud.post("pause", {"seconds": 0.01})  # it wakes in no time, where after hours of idling it would take 15 s


def wake(cloud: Cloud) -> None:
    """The cluster is awake and will be for five minutes."""
    cloud.post("pause", {"seconds": 0.01})
    before = scaling(cloud)
    modify(cloud, before | {"MaxCapacity": 8.0})  # any change of the range wakes it
    modify(cloud, before)


def set_to(run: CommandLine, line: str = SET) -> Ended:
    ended = run(line)
    assert ended.code == 0, ended
    return ended


# Set


def test_set_writes_deploys_and_brings_the_cluster_to_what_holds_now(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=HEAD.replace("tenants:", "# a comment\ntenants:"))
    move_to(cloud, 1, 12)
    ended = set_to(run)
    assert ended.out.endswith("The pause schedule is deployed. The cluster scales from now on: 0.5 to 4 ACU.\n")
    todo = f"tenants.yaml will be written; create stack {STACK}; bring the cluster to 0.5 to 4 ACU\n"
    assert ended.err.startswith(todo)
    assert cloud.stacks() == {STACK: "CREATE_COMPLETE"}
    assert scaling(cloud) == AWAKE
    text = (run.directory / "tenants.yaml").read_text()
    assert "# a comment" in text and "timezone: Europe/Berlin" in text
    assert list(schedules(cloud)) == ["asleep-MON-FRI-1700-r1", "awake-MON-FRI-0700-r1"]
    plan = json.loads(run("aurora-tenants plan --output json").out)
    assert (plan["pause_schedule"]["action"], plan["pause_schedule"]["changes"]) == ("none", [])


def test_set_again_changes_nothing_but_what_the_cluster_lost(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    move_to(cloud, 2, 12)
    set_to(run)
    before = cloud.calls()
    ended = set_to(run)
    assert ended.err == "tenants.yaml says so already; the stack is as it should be\n"
    assert ended.out.endswith("\nNothing was changed. The cluster scales from now on: 0.5 to 4 ACU.\n")
    asked = cloud.calls() - before
    assert (asked["rds:ModifyDBCluster"], asked["cloudformation:CreateChangeSet"]) == (0, 0)
    assert run(SET.removesuffix(" --yes")).code == 0  # nothing to ask
    modify(cloud, ASLEEP)
    assert run(SET.removesuffix(" --yes")).code == 1
    ended = set_to(run)
    assert ended.err.startswith(
        "tenants.yaml says so already; the stack is as it should be; bring the cluster to 0.5 to 4 ACU\n"
    )
    assert scaling(cloud) == AWAKE


def test_the_schedules_fire_and_set_at_night_leaves_the_cluster_asleep(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    move_to(cloud, 3, 22)
    set_to(run)
    assert scaling(cloud) == ASLEEP
    move_to(cloud, 4, 12)
    assert scaling(cloud) == AWAKE
    move_to(cloud, 6, 12)
    assert scaling(cloud) == ASLEEP
    # What the schedules changed is no difference.
    assert json.loads(run("aurora-tenants plan --output json").out)["pause_schedule"]["action"] == "none"


def test_several_windows_nights_and_weekends(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    set_to(
        run,
        "aurora-tenants pause-schedule set --timezone America/New_York --yes --pause-after 10m --asleep-acu 0-1"
        ' --awake "MON-FRI 22:00-06:00 2-8" --awake "SAT,SUN 10:00-14:00" --awake-acu 1-2',
    )
    assert list(schedules(cloud)) == [
        "asleep-SAT.SUN-1400-r1",
        "asleep-TUE-SAT-0600-r1",
        "awake-MON-FRI-2200-r1",
        "awake-SAT.SUN-1000-r1",
    ]
    move_to(cloud, 5, 16)
    assert scaling(cloud) == {"MinCapacity": 1.0, "MaxCapacity": 2.0}
    move_to(cloud, 5, 20)
    assert scaling(cloud) == {"MinCapacity": 0.0, "MaxCapacity": 1.0, "SecondsUntilAutoPause": 600}
    move_to(cloud, 1, 5)
    assert scaling(cloud) == {"MinCapacity": 2.0, "MaxCapacity": 8.0}


def test_set_can_write_the_file_alone_and_apply_deploys_it(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    before = cloud.calls()
    line = SET.replace(" --yes", " --file-only")
    assert run(line) == Ended(
        0, "tenants.yaml is written. aurora-tenants plan shows what it changes, apply deploys it.\n", ""
    )
    assert cloud.calls() == before
    assert run(line).out == "tenants.yaml says so already: nothing was changed.\n"
    ended = run("aurora-tenants plan --detailed-exitcode")
    assert ended.code == 2
    assert (
        f"\n+ create pause schedule  (stack {STACK}: new)\n"
        "    + create  schedule asleep-MON-FRI-1700: cron(0 17 ? * MON-FRI *) in Europe/Berlin:"
        " 0 to 2 ACU, pauses after 5 min\n"
        "    + create  schedule awake-MON-FRI-0700: cron(0 7 ? * MON-FRI *) in Europe/Berlin: 0.5 to 4 ACU\n"
    ) in ended.out
    assert " Pause schedule: to create.\n" in ended.out
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended
    assert ended.out.endswith(
        "Applied: 1 of 1 tenants. MySQL holds what the file says of them.\n"
        "The pause schedule is deployed, and the cluster is at what it says of this hour.\n"
    )
    assert "pause-schedule: created in N s\n" in ended.err
    assert cloud.stacks() == {STACK: "CREATE_COMPLETE", f"{SHARED}-shop": "CREATE_COMPLETE"}
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def test_a_file_edited_by_hand_is_deployed_by_apply(run: CommandLine, cloud: Cloud):
    run.file("  {}\n", head=BY_FILE)
    assert run("aurora-tenants apply --yes").code == 0
    run.file("  {}\n", head=BY_FILE.replace('"17:00"', '"18:00"'))
    ended = run("aurora-tenants plan")
    assert f"~ update pause schedule  (stack {STACK}: the file changed)\n" in ended.out
    assert run("aurora-tenants apply --yes").code == 0
    assert list(schedules(cloud)) == ["asleep-MON-FRI-1800-r2", "awake-MON-FRI-0700-r2"]
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def test_apply_to_one_tenant_leaves_the_schedule_alone(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=BY_FILE)
    assert run("aurora-tenants apply --yes --tenant shop").code == 0
    assert cloud.stacks() == {f"{SHARED}-shop": "CREATE_COMPLETE"}
    assert "pause schedule" not in run("aurora-tenants plan --tenant shop").out


# Drift


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


@pytest.mark.parametrize("by_hand", [disable, change, delete])
def test_drift_is_seen_by_plan_and_healed_by_apply(run: CommandLine, cloud: Cloud, by_hand: Any):
    run.file(SHOP)
    set_to(run)
    assert run("aurora-tenants apply --yes").code == 0
    made = schedules(cloud)
    shown = by_hand(cloud)
    ended = run("aurora-tenants plan --detailed-exitcode")
    assert ended.code == 2
    assert (
        f"\n~ update pause schedule  (stack {STACK}: drift: the schedules were changed behind its back)\n    {shown}"
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
    statements = [it for it in policy["Statement"] if it["Action"] != "rds:ModifyDBCluster"]
    try:
        iam_client.put_role_policy(
            RoleName=role, PolicyName="pause", PolicyDocument=json.dumps(policy | {"Statement": statements})
        )
        move_to(cloud, 0, 20)
        assert "of the cluster's scaling failed in the last 14 days" in run("aurora-tenants pause-schedule show").out
        assert scaling(cloud)["MinCapacity"] == 0.5
    finally:
        iam_client.put_role_policy(RoleName=role, PolicyName="pause", PolicyDocument=json.dumps(policy))
        queue = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
        url = next(it["OutputValue"] for it in queue if it["OutputKey"] == "PauseScheduleDeadLetters")
        cloud.client("sqs").purge_queue(QueueUrl=url)


# Clear


def test_clear_asks_what_should_hold_from_now_on(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    before = (run.directory / "tenants.yaml").read_text()
    set_to(run)
    monkeypatch.setattr(sys, "stdin", Terminal("asleep\nyes\n"))
    ended = run("aurora-tenants pause-schedule clear")
    assert (ended.code, ended.out) == (
        0,
        "The pause schedule is removed. The cluster scales from now on: 0 to 2 ACU, pauses after 5 min.\n",
    )
    assert ended.err.startswith(
        "What should hold from now on?\n  asleep  0 to 2 ACU, pauses after 5 min\n  awake   0.5 to 4 ACU\n  stay    "
    )
    assert (cloud.stacks(), scaling(cloud)) == ({}, ASLEEP)
    assert (run.directory / "tenants.yaml").read_text() == before
    assert run("aurora-tenants pause-schedule clear").out == (
        "There is no pause schedule, neither in tenants.yaml nor deployed.\n"
    )


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("awake", AWAKE),
        ("1-8", {"MinCapacity": 1.0, "MaxCapacity": 8.0}),
        ("0-1 --pause-after 20m", {"MinCapacity": 0.0, "MaxCapacity": 1.0, "SecondsUntilAutoPause": 1200}),
    ],
)
def test_clear_can_be_told_what_should_hold(run: CommandLine, cloud: Cloud, then: str, expected: dict[str, Any]):
    run.file("  {}\n")
    set_to(run)
    assert run(f"aurora-tenants pause-schedule clear --yes --then {then}").code == 0
    assert scaling(cloud) == expected


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--yes", 1, "error: it is not said what should hold from now on  [not-said]\n"),
        ("--yes --then tomorrow", 64, "error: --then cannot be tomorrow  [unknown-then]\n"),
        ("--yes --then 4-1", 64, "[minimum-over-maximum]\n"),
        ("--yes --then 0-300", 64, "[wrong-value]\n"),
        ("--yes --then 0-4 --pause-after 1m", 64, "[wrong-value]\n"),
        ("--then stay", 1, "error: this needs a confirmation  [not-confirmed]\n"),
        ("--then stay --file-only", 64, "error: --then cannot go together with --file-only  [unknown-then]\n"),
    ],
)
def test_clear_without_an_answer_changes_nothing(run: CommandLine, cloud: Cloud, options: str, code: int, said: str):
    run.file("  {}\n")
    set_to(run)
    text, before = (run.directory / "tenants.yaml").read_text(), scaling(cloud)
    ended = run(f"aurora-tenants pause-schedule clear {options}")
    assert (ended.code, ended.out, said in ended.err) == (code, "", True), ended
    assert ended.err.endswith(NOTHING)
    assert (run.directory / "tenants.yaml").read_text() == text
    assert (cloud.stacks(), scaling(cloud)) == ({STACK: "CREATE_COMPLETE"}, before)


def test_a_schedule_taken_out_of_the_file_is_removed_by_apply_and_the_scaling_stays(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    move_to(cloud, 1, 12)
    set_to(run)
    assert run("aurora-tenants pause-schedule clear --file-only").code == 0
    ended = run("aurora-tenants plan")
    assert (
        f"\n- delete pause schedule  (stack {STACK}: no longer in the file)\n"
        "    - drop    schedule asleep-MON-FRI-1700\n"
        "    - drop    schedule awake-MON-FRI-0700\n"
        "    the cluster's scaling stays as it is now: 0.5 to 4 ACU\n"
    ) in ended.out
    ended = run("aurora-tenants apply --yes")
    assert ended.out.endswith("The pause schedule is removed; the cluster's scaling stays as it is: 0.5 to 4 ACU.\n")
    assert (ended.code, cloud.stacks(), scaling(cloud)) == (0, {}, AWAKE)


# Refused


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ('--timezone Europe/Berlin --awake "MON-FRI 07:00-17:00" --awake "TUE 16:00-18:00"', "overlap"),
        ('--timezone Europe/Berlin --awake "MON 07:00-07:00"', "empty-window"),
        ('--timezone Europe/Bärlin --awake "MON 07:00-17:00"', "unknown-time-zone"),
        ('--timezone UTC --awake "MON 07:00-17:00" --awake-acu 0.7-4', "wrong-value"),
        ('--timezone UTC --awake "MON 07:00-17:00" --awake-acu 1-257', "wrong-value"),
        ('--timezone UTC --awake "MON 07:00-17:00" --asleep-acu 2-1', "minimum-over-maximum"),
        ('--timezone UTC --awake "MON 07:00-17:00" --pause-after 299s', "wrong-value"),
        ('--timezone UTC --awake "MON 07:00-17:00" --pause-after 25h', "wrong-value"),
        ('--timezone UTC --awake "MON 07:00-17:00" --acu-price free', "invalid-price"),
        ("--timezone UTC", "missing-window"),
        ('--awake "MON 07:00-17:00"', "empty-value"),
    ],
)
def test_bad_input_changes_nothing(run: CommandLine, cloud: Cloud, options: str, code: str):
    run.file(SHOP)
    text, before = (run.directory / "tenants.yaml").read_text(), cloud.calls()
    ended = run(f"aurora-tenants pause-schedule set --yes {options}")
    assert (ended.code, ended.out) == (64, "")
    assert code in ended.err.partition("\n")[0] and ended.err.endswith(NOTHING), ended.err
    assert ((run.directory / "tenants.yaml").read_text(), cloud.calls()) == (text, before)


def test_an_engine_that_cannot_pause_is_refused_before_anything_is_written(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    text, rds = (run.directory / "tenants.yaml").read_text(), cloud.client("rds")
    modify(cloud, AWAKE)
    rds.modify_db_cluster(DBClusterIdentifier=identifier(cloud), EngineVersion="8.0.mysql_aurora.3.07.1")
    try:
        ended = run(SET)
        pausing_clear = run("aurora-tenants pause-schedule clear --yes --then 0-2")
        run.file(SHOP, head=BY_FILE)
        shown = json.loads(run("aurora-tenants pause-schedule show --output json").out)
        run.file(SHOP)
    finally:
        rds.modify_db_cluster(DBClusterIdentifier=identifier(cloud), EngineVersion="8.0.mysql_aurora.3.10.6")
    assert (pausing_clear.code, pausing_clear.err) == (1, ended.err)
    assert [it["code"] for it in shown["problems"]] == ["no-auto-pause"]
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "error: the cluster cannot pause: its engine version is 8.0.mysql_aurora.3.07.1  [no-auto-pause]\n"
        "    why: a minimum of 0 ACU needs Aurora MySQL 3.08.0 or later\n"
        "    fix: give a minimum of 0.5, "
        "or deploy the shared stack with a later version (its parameter EngineVersion)\n"
        f"{NOTHING}"
    )
    assert ((run.directory / "tenants.yaml").read_text(), cloud.stacks()) == (text, {})


def test_no_is_no(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    text = (run.directory / "tenants.yaml").read_text()
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = run(SET.replace(" --yes", ""))
    assert (ended.code, ended.err.endswith(f"error: not confirmed  [not-confirmed]\n{NOTHING}")) == (1, True)
    assert ((run.directory / "tenants.yaml").read_text(), cloud.stacks()) == (text, {})


def test_somebody_elses_stack_of_that_name_is_left_alone(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "mine"}}
    cloud.deploy(STACK, {"Resources": {"Mine": group}})
    ended = run(SET)
    assert (ended.code, f"error: there is a stack {STACK} that is not the pause schedule's" in ended.err) == (1, True)
    assert cloud.client("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"]


def test_the_shared_stack_is_not_deleted_under_a_schedule(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    set_to(run)
    ended = run("aurora-tenants shared delete --yes")
    assert (ended.code, ended.err) == (
        1,
        "error: a pause schedule is deployed on stack shared-global  [schedule-deployed]\n"
        "    why: its schedules would fire at a cluster that is gone\n"
        f"    fix: run: aurora-tenants pause-schedule clear\n{NOTHING}",
    )


def test_a_shared_stack_from_before_is_told_to_be_deployed(run: CommandLine, cloud: Cloud):
    """It has a provider, but none of what schedules work with."""
    old = {
        "Resources": {"Something": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "old-shared"}}},
        "Outputs": {
            "DatabaseServer": {"Value": cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]},
            "ProviderVersion": {"Value": "2"},
        },
    }
    cloud.deploy("old", old)
    run.file(SHOP, head=HEAD.replace("shared-global", "old"))
    text = (run.directory / "tenants.yaml").read_text()
    ended = run(SET)
    assert (ended.code, ended.out, ended.err) == (
        1,
        "",
        "error: stack old is too old for a pause schedule: it has no output PauseScheduleRole  [old-shared-stack]\n"
        "    why: the role that the schedules work with stands in the shared stack\n"
        f"    fix: run: aurora-tenants shared deploy --stack old\n{NOTHING}",
    )
    assert (run.directory / "tenants.yaml").read_text() == text


# What fails on the way


@pytest.fixture
def untrusting(cloud: Cloud) -> Iterator[Callable[[], None]]:
    """The schedules' role does not let the scheduler act in it; what is returned ends that."""
    client = cloud.client("iam")
    found = cloud.client("cloudformation").describe_stack_resources(StackName=SHARED)["StackResources"]
    role = next(it["PhysicalResourceId"] for it in found if it["LogicalResourceId"] == "PauseScheduleRole")
    trust = json.dumps(client.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])

    def trust_again() -> None:
        client.update_assume_role_policy(RoleName=role, PolicyDocument=trust)

    client.update_assume_role_policy(RoleName=role, PolicyDocument=trust.replace("scheduler.amazonaws", "nobody"))
    yield trust_again
    trust_again()


def test_a_failed_stack_is_told_by_its_root_cause_and_made_good_by_apply(
    run: CommandLine, cloud: Cloud, untrusting: Callable[[], None]
):
    run.file("  {}\n")
    ended = run(SET)
    assert ended.code == 1
    assert "The execution role you provide must allow AWS EventBridge Scheduler to assume the role." in ended.err
    assert f"    why: stack {STACK} was rolled back; the next apply creates it again\n" in ended.err
    assert ended.err.endswith(
        "error: tenants.yaml is written already; run this again when the cause is gone  [not-deployed]\n"
    )
    assert cloud.stacks() == {STACK: "ROLLBACK_COMPLETE"}
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, "pause-schedule: failed after N s: " in ended.err) == (1, True), ended
    untrusting()
    assert "~ replace pause schedule" in run("aurora-tenants plan").out
    assert run("aurora-tenants apply --yes").code == 0
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def test_an_interrupted_set_says_what_is_written_and_apply_ends_it(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if "create complete" in text:
                raise KeyboardInterrupt
            return super().write(text)

    run.file("  {}\n")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Interrupting())
        assert run(SET).code == 1
        assert sys.stderr.getvalue().endswith(
            "Interrupted. tenants.yaml is written already; what CloudFormation has begun, it finishes;"
            " this again does what is left.\n"
        )
    assert cloud.settled(STACK) == "CREATE_COMPLETE"
    assert set_to(run).code == 0
    assert set_to(run).err == "tenants.yaml says so already; the stack is as it should be\n"


def test_a_clear_that_could_not_bring_the_cluster_says_what_does(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    """RDS refuses the change when the section and the stack are gone: awake and asleep have no meaning any more."""

    def refuse(params: dict[str, Any], **_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ModifyDBCluster")

    run.file("  {}\n")
    move_to(cloud, 1, 12)
    set_to(run)
    with listening(monkeypatch, "provide-client-params.rds.ModifyDBCluster", refuse):
        ended = run("aurora-tenants pause-schedule clear --yes --then asleep")
    again = "aurora-tenants pause-schedule clear --then 0-2 --pause-after 300s"
    assert (ended.code, cloud.stacks(), scaling(cloud)) == (1, {}, AWAKE)
    assert f"tenants.yaml is written already; run `{again}` when the cause is gone  [not-deployed]\n" in ended.err
    ended = run("aurora-tenants pause-schedule clear --yes --then asleep")
    assert (ended.code, "error: --then cannot be asleep  [unknown-then]\n" in ended.err) == (64, True), ended
    assert run(f"{again} --yes").code == 0
    assert scaling(cloud) == ASLEEP


def test_an_apply_that_could_not_bring_the_cluster_says_so(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    def refuse(params: dict[str, Any], **_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ModifyDBCluster")

    run.file("  {}\n", head=BY_FILE)
    move_to(cloud, 1, 12)
    with listening(monkeypatch, "provide-client-params.rds.ModifyDBCluster", refuse):
        ended = run("aurora-tenants apply --yes")
    assert (ended.code, cloud.stacks(), scaling(cloud)) == (1, {STACK: "CREATE_COMPLETE"}, ASLEEP)
    assert "error: could not bring the cluster to 0.5 to 4 ACU: no  [access-denied]\n" in ended.err
    assert "the cluster does not have the capacity that they set for this hour  [not-brought]\n" in ended.err


def test_a_cluster_that_is_being_changed_is_waited_for(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    """RDS refuses a change while another is under way. The sandbox's take no time, so these refusals are made here."""
    monkeypatch.setattr(aws_scaling, "_BUSY_PAUSE_SECONDS", 0.01)
    refusals = iter(["InvalidDBClusterStateFault", "InvalidDBClusterStateFault"])

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if code := next(refusals, None):
            raise ClientError({"Error": {"Code": code, "Message": "busy"}}, "ModifyDBCluster")

    with listening(monkeypatch, "provide-client-params.rds.ModifyDBCluster", refuse):
        run.file("  {}\n")
        move_to(cloud, 1, 12)
        set_to(run)
    assert (scaling(cloud), list(refusals)) == (AWAKE, [])


@contextmanager
def listening(monkeypatch: pytest.MonkeyPatch, event: str, handler: Callable[..., None]) -> Iterator[None]:
    """Every client of the command line calls this before it sends."""
    make = clients._client

    def listened(*arguments: Any) -> Any:
        client = make(*arguments)
        client.meta.events.register(event, handler)
        return client

    with monkeypatch.context() as patch:
        patch.setattr(clients, "_client", listened)
        yield


# Rights


class Policy:
    """Lets only those calls pass that a role with these policies of the shared stack may make.

    The sandbox lets everybody who is no function do everything, so they are applied here, before a call is sent.
    """

    def __init__(self, cloud: Cloud, *names: str) -> None:
        outputs = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
        arns = {it["OutputKey"]: it["OutputValue"] for it in outputs}
        self.arns, self.used, client = arns, set[str](), cloud.client("iam")
        self.statements = []
        for name in names:
            version = client.get_policy(PolicyArn=arns[name])["Policy"]["DefaultVersionId"]
            found = client.get_policy_version(PolicyArn=arns[name], VersionId=version)["PolicyVersion"]["Document"]
            self.statements += found["Statement"]

    def check(self, params: dict[str, Any], *, model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        service = "monitoring" if service == "cloudwatch" else service
        for need in self.needs(service, operation, params):
            self.used.add(need.action)
            if why := iam.decide(self.statements, need):
                said = {"Error": {"Code": "AccessDenied", "Message": f"{need.action} on {need.resource} {why}"}}
                raise ClientError(said, operation)

    def needs(self, service: str, operation: str, params: dict[str, Any]) -> Iterator[iam.Need]:
        def arn_prefix(service: str) -> str:
            return f"arn:aws:{service}:eu-west-1:123456789012:"

        if operation in ("GetSchedule",):
            yield iam.Need(
                f"scheduler:{operation}", f"{arn_prefix('scheduler')}schedule/{params['GroupName']}/{params['Name']}"
            )
        elif service == "sqs":
            yield iam.Need(f"sqs:{operation}", f"{arn_prefix('sqs')}{params['QueueUrl'].rpartition('/')[2]}")
        elif service == "monitoring":
            yield iam.Need(f"cloudwatch:{operation}", "*")
        else:
            yield from iam.needs(service, operation, params, arn_prefix=arn_prefix, secret=lambda _: None)
        if params.get("RoleARN"):
            passed = {"iam:passedtoservice": "cloudformation.amazonaws.com"}
            yield iam.Need("iam:PassRole", params["RoleARN"], passed)


def test_plan_and_show_need_the_plan_policy_and_no_more(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(SHOP)
    set_to(run)
    wake(cloud)
    policy = Policy(cloud, "PlanPolicy")
    with listening(monkeypatch, "provide-client-params.*.*", policy.check):
        assert run("aurora-tenants plan --no-wake").code == 0
        assert run("aurora-tenants pause-schedule show").code == 0
        ended = run(SET.replace("17:00", "18:00"))
    assert (ended.code, "[access-denied]" in ended.err) == (1, True)
    assert {"scheduler:ListSchedules", "scheduler:GetSchedule", "sqs:GetQueueAttributes"} < policy.used
    assert {"rds:DescribeDBClusters", "cloudwatch:GetMetricData"} < policy.used


def test_set_apply_and_clear_need_both_policies_and_no_more(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(SHOP)
    move_to(cloud, 1, 12)
    wake(cloud)
    policy = Policy(cloud, "PlanPolicy", "ApplyPolicy")
    with listening(monkeypatch, "provide-client-params.*.*", policy.check):
        set_to(run)
        cloud.client("scheduler").delete_schedule(GroupName=STACK, Name="awake-MON-FRI-0700-r1")
        for line in ("aurora-tenants apply --yes", CLEAR.replace("stay", "asleep")):
            ended = run(line)
            assert ended.code == 0, ended
    assert {"rds:ModifyDBCluster", "iam:PassRole", "cloudformation:ExecuteChangeSet"} < policy.used


# Show


def test_show_says_what_is_deployed_and_wakes_nothing(run: CommandLine, cloud: Cloud):
    """The whole text is a golden of `test_render_schedule.py`: here the season decides the hours in UTC."""
    run.file(SHOP)
    move_to(cloud, 6, 12)
    set_to(run)
    cloud.post("pause", {"seconds": 60})
    before = cloud.calls()
    ended = run("aurora-tenants pause-schedule show")
    assert (ended.code, ended.err) == (0, "")
    assert (
        f"\nNow\n  stack {STACK} is deployed as the file says\n"
        "  the cluster scales 0 to 2 ACU, pauses after 5 min; it is at this moment: paused\n"
    ) in ended.out
    assert (cloud.calls() - before)["rds-data:ExecuteStatement"] == 0


def test_show_on_a_terminal_without_the_characters_of_the_picture(run: CommandLine, cloud: Cloud):
    run.file("  {}\n", head=BY_FILE)
    schedule = config.load(run.directory / "tenants.yaml").cluster.pause_schedule
    assert schedule is not None
    text = render_schedule.week(schedule, is_plain=True).plain
    assert text.isascii()
    assert f"  Mon  {'.' * 14}{'#' * 20}{'.' * 14}\n" in text


def test_show_as_json(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    move_to(cloud, 1, 12)
    set_to(run)
    wake(cloud)
    shown = json.loads(run("aurora-tenants pause-schedule show --output json --acu-price 0.2").out)
    awake = {"min_acu": 0.5, "max_acu": 4.0, "pause_after_seconds": 300}
    assert shown["pause_schedule"] == {
        "timezone": "Europe/Berlin",
        "awake": {"days": "MON-FRI", "from": "07:00", "to": "17:00", "min_acu": 0.5, "max_acu": 4},
        "asleep": {"min_acu": 0, "max_acu": 2, "pause_after_seconds": 300},
    }
    assert shown["stack"]["action"] == "none"
    assert [it["day"] for it in shown["week"]] == ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
    assert [span["state"] for span in shown["week"][0]["spans"]] == ["asleep", "awake", "asleep"]
    assert [it["state"] for it in shown["next"]] == ["asleep", "awake", "asleep"]
    assert len(shown["clock_changes"]) == 2
    cluster = shown["cluster"]
    assert (cluster["scaling"], cluster["should_be"], cluster["is_paused"]) == (awake, awake, False)
    assert (shown["cost"]["acu_hour"], shown["cost"]["price_certainty"]) == (0.2, "given")


def test_set_and_clear_as_json(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    ended = run(f"{SET} --output json")
    assert (ended.code, json.loads(ended.out)["stack"]["action"]) == (0, "none")
    ended = run(f"{CLEAR} --output json")
    assert (ended.code, json.loads(ended.out)["version"]) == (0, 1)


def test_show_without_a_schedule(run: CommandLine):
    run.file("  {}\n")
    ended = run("aurora-tenants pause-schedule show")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(
        "tenants.yaml has no pause schedule.\n\nNow\n"
        "  no schedule is deployed\n"
        "  the cluster scales 0 to 2 ACU, pauses after 5 min; it is at this moment: "
    )


def test_both_changes_of_the_clock_within_a_year_are_shown_with_what_they_skip_and_repeat(run: CommandLine):
    run.file("  {}\n")
    run(SET.replace("MON-FRI 07:00-17:00", "SUN 02:30-09:00").replace("--yes", "--file-only"))
    ended = run("aurora-tenants pause-schedule show")
    assert (
        "    Sun 02:30 does not exist that day: awake is skipped, 0 to 2 ACU, pauses after 5 min stays until "
        in ended.out
    )
    assert "    Sun 02:30 comes twice that day: awake the first time only, at 00:30 UTC\n" in ended.out


# Costs


def test_the_plan_ends_with_what_the_schedule_costs(run: CommandLine):
    run.file(SHOP, head=BY_FILE)
    assert (
        "\nThe cluster costs at least $16.41 a month on its pause schedule (217 of 730 hours awake), $52.30 always on;"
        " storage and load are left out.\n"
    ) in run("aurora-tenants plan").out
    plan = json.loads(run("aurora-tenants plan --output json --acu-price 0.2").out)
    assert (plan["cost"]["acu_hour"], plan["cost"]["secrets"]) == (0.2, 3)


def test_a_plan_with_a_schedule_asks_a_few_calls_more_and_no_more_for_more_tenants(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    set_to(run)
    wake(cloud)
    head = (run.directory / "tenants.yaml").read_text().partition("  {}\n")[0]

    def asked(tenants: str, head: str) -> Counter[str]:
        run.file(tenants, head=head)
        before = cloud.calls()
        assert run("aurora-tenants plan").code == 0
        return cloud.calls() - before

    one = asked(SHOP, head)
    assert one == asked("".join(SHOP.replace("shop", f"t{number}") for number in range(5)), head)
    assert one == {
        "cloudformation:DescribeStacks": 1,
        "rds-data:ExecuteStatement": 11,
        "rds:DescribeDBClusters": 1,
        "scheduler:ListSchedules": 1,
        "scheduler:GetSchedule": 2,
    }
