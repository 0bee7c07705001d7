"""A pause schedule that cannot be, or may not be now: refused before anything is written."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cli.conftest import HEAD, CommandLine, Terminal
from tests.cli.pause_schedule.conftest import AWAKE, BY_FILE, NOTHING, SET, SHOP, STACK, identifier, modify, set_to
from tests.cloud import Cloud


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


def test_a_cluster_with_an_instance_that_does_not_scale_is_refused(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=BY_FILE)
    text, rds = (run.directory / "tenants.yaml").read_text(), cloud.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="big",
        DBClusterIdentifier=identifier(cloud),
        Engine="aurora-mysql",
        DBInstanceClass="db.r6g.large",
    )
    said = (
        "the cluster of stack shared-global is provisioned in part: big (db.r6g.large)  [not-serverless]\n"
        "    why: a cluster with a provisioned instance never pauses\n"
        "    fix: make each of its instances a db.serverless: `aurora-tenants doctor` says how\n"
    )
    try:
        for command in (SET, "aurora-tenants plan", "aurora-tenants apply --yes"):
            ended = run(command)
            assert (ended.code, said in ended.out + ended.err) == (1, True), ended
    finally:
        rds.delete_db_instance(DBInstanceIdentifier="big", SkipFinalSnapshot=True)
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
        "    why: it works with a role of that stack\n"
        f"    fix: run: aurora-tenants pause-schedule clear\n{NOTHING}",
    )


def test_a_shared_stack_from_before_is_told_to_be_deployed(run: CommandLine, cloud: Cloud):
    """It has a provider, but none of what schedules work with."""
    old = {
        "Resources": {"Something": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "old-shared"}}},
        "Outputs": {
            "DatabaseServer": {"Value": cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]},
            "ProviderVersion": {"Value": "5"},
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
