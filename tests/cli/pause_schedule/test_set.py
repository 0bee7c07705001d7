"""The pause schedule is deployed, by `set` or by `apply`, so that the cluster scales by it; what fails on the way."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_tenants.aws import scaling as aws_scaling
from tests.cli.conftest import HEAD, CommandLine, Ended
from tests.cli.pause_schedule.conftest import (
    ASLEEP,
    AWAKE,
    BY_FILE,
    CLEAR,
    SET,
    SHOP,
    STACK,
    listening,
    modify,
    move_to,
    scaling,
    schedules,
    set_to,
)
from tests.cloud import SHARED, Cloud


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
        "The pause schedule is deployed, and the cluster has the capacity it sets for this hour.\n"
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
        assert run(SET).code == 130
        assert sys.stderr.getvalue().endswith(
            "Interrupted. tenants.yaml is written already; what CloudFormation has begun, it finishes;"
            " this again does what is left.\n"
        )
    assert cloud.settled(STACK) == "CREATE_COMPLETE"
    assert set_to(run).code == 0
    assert set_to(run).err == "tenants.yaml says so already; the stack is as it should be\n"


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


def test_set_and_clear_as_json(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    ended = run(f"{SET} --output json")
    assert (ended.code, json.loads(ended.out)["stack"]["action"]) == (0, "none")
    ended = run(f"{CLEAR} --output json")
    assert (ended.code, json.loads(ended.out)["version"]) == (0, 1)
