"""A paused cluster, at every point of a plan, an apply and a rotation: it is waited for, told of, or left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest

from aurora_tenants.lambdas.database import delete_database, serve_database
from aurora_tenants.lambdas.request import client_of, request_of
from aurora_tenants.lambdas.user import delete_accounts, serve_user
from aurora_tenants.mysql import dataapi
from tests.cli.conftest import HEAD, CommandLine, Ended
from tests.cloud import Cloud
from tests.endpoint import until

SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: %s, database: shop}]}
"""
NO_CHANGES = (
    "Compared 1 tenant of tenants.yaml with cluster shared-global: MySQL N with N databases and N users.\n\n"
    "No changes: MySQL and CloudFormation hold what the file says.\n"
)
WAKING = "The cluster is waking, usually 15 s.\n"
WOKEN = "The cluster was paused; this woke it.\n"
AS_V1 = pytest.mark.parametrize("as_v1", [False, True], ids=["Serverless v2", "v1's words"])

pytestmark = pytest.mark.usefixtures("clean", "awake", "impatient")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's cluster wakes in less than a second; asking every 3 s would take most of a test."""
    monkeypatch.setattr(dataapi, "_POLL_SECONDS", 0.03)


@pytest.fixture
def awake(cloud: Cloud) -> Iterator[None]:
    """The cluster is awake before and after."""

    def wake() -> None:
        cloud.post("pause", {"seconds": 0})
        arn = cloud.client("rds").describe_db_clusters()["DBClusters"][0]
        until(lambda: _answers(cloud, arn["DBClusterArn"], arn["MasterUserSecret"]["SecretArn"]))

    wake()
    yield
    wake()


def _answers(cloud: Cloud, cluster: str, secret: str) -> bool:
    data = cloud.client("rds-data")
    try:
        data.execute_statement(resourceArn=cluster, secretArn=secret, sql="SELECT 1")
    except data.exceptions.DatabaseResumingException:
        return False
    return True


@AS_V1
def test_a_plan_waits_whenever_the_cluster_pauses_and_says_that_it_woke_it(run: CommandLine, cloud: Cloud, as_v1: bool):
    run.file(SHOP % "ALL")
    assert run("aurora-tenants apply --yes").code == 0
    served = cloud.calls()["rds-data:ExecuteStatement"]
    cloud.post("pause", {"seconds": 0.01, "as_v1": as_v1, "every_calls": 1})
    assert run("aurora-tenants plan --detailed-exitcode") == Ended(0, NO_CHANGES + WOKEN, WAKING)
    # Ten statements, each of which found the cluster paused first.
    assert cloud.calls()["rds-data:ExecuteStatement"] - served >= 20


def test_a_plan_says_to_programs_that_it_woke_the_cluster(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    cloud.post("pause", {"seconds": 0.01})
    woke = [json.loads(run("aurora-tenants plan --output json").out)["woke_cluster"] for _ in range(2)]
    assert woke == [True, False]


def test_a_throttled_call_is_not_told_as_waking(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    cloud.throttle("rds-data", "ExecuteStatement", 2)
    ended = run("aurora-tenants plan")
    assert (ended.code, ended.err, WOKEN in ended.out) == (0, "", False)


@AS_V1
def test_waiting_ends_when_it_was_told_to(run: CommandLine, cloud: Cloud, as_v1: bool):
    run.file(SHOP % "ALL")
    cloud.post("pause", {"seconds": 60, "as_v1": as_v1})
    ended = run("aurora-tenants plan --wait 1")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"{WAKING}error: the cluster did not answer within 1 s  [database-not-awake]\n")
    assert ended.err.endswith("\nNothing was changed.\n")


def test_an_apply_waits_too(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    cloud.post("pause", {"seconds": 60})
    assert "[database-not-awake]" in run("aurora-tenants apply --yes --wait 0.1").err


@pytest.mark.parametrize("seconds", ["-1", "soon", "4000"])
def test_a_wait_that_is_none_is_refused(run: CommandLine, seconds: str):
    ended = run(f"aurora-tenants plan --wait={seconds}")
    assert (ended.code, ended.out) == (64, "")
    assert "--wait" in ended.err


# --no-wake


def test_no_wake_reads_mysql_while_the_cluster_is_awake(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    ended = run("aurora-tenants plan --no-wake")
    assert (ended.code, ended.err) == (0, "")


def test_no_wake_leaves_a_paused_cluster_alone(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    cloud.post("pause", {"seconds": 0.01})
    before = cloud.calls()
    assert run("aurora-tenants plan --no-wake --detailed-exitcode") == Ended(
        1,
        "",
        "error: the cluster is paused, and a plan would have to wake it  [would-wake]\n"
        "    why: --no-wake forbids that\n"
        "    fix: try again when it is in use, or run without --no-wake\n"
        "Nothing was changed.\n",
    )
    asked = cloud.calls() - before
    assert asked["rds-data:ExecuteStatement"] == 0
    # And it is still paused: the next plan wakes it.
    assert run("aurora-tenants plan").err == WAKING


def test_no_wake_fails_as_json(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    cloud.post("pause", {"seconds": 0.01})
    ended = run("aurora-tenants plan --no-wake --output json")
    assert (ended.code, [it["code"] for it in json.loads(ended.out)["problems"]]) == (1, ["would-wake"])


def test_no_wake_asks_no_metric_of_a_cluster_that_cannot_pause(run: CommandLine, cloud: Cloud):
    run.file(SHOP % "ALL")
    rds = cloud.client("rds")
    identifier = rds.describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
    scaling = {"MinCapacity": 0.5, "MaxCapacity": 2}
    rds.modify_db_cluster(DBClusterIdentifier=identifier, ServerlessV2ScalingConfiguration=scaling)
    try:
        before = cloud.calls()
        assert run("aurora-tenants plan --no-wake").code == 0
        assert (cloud.calls() - before)["cloudwatch:GetMetricData"] == 0
    finally:
        scaling = {"MinCapacity": 0, "MaxCapacity": 2, "SecondsUntilAutoPause": 300}
        rds.modify_db_cluster(DBClusterIdentifier=identifier, ServerlessV2ScalingConfiguration=scaling)


# The functions


def test_an_apply_ends_well_when_the_cluster_pauses_again_and_again(run: CommandLine, cloud: Cloud):
    """The plan, the deployed provider and the reading back all find it paused, some of them twice."""
    run.file(SHOP % "SELECT", head=HEAD.replace("tenants:", "defaults: {rotate_after_days: 0}\ntenants:"))
    cloud.post("pause", {"seconds": 0.01, "every_calls": 7})
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, ended.err.count(WAKING)) == (0, 2), ended
    assert ended.out.endswith("Applied: 1 of 1 tenants. MySQL holds what the file says of them.\n")
    assert ("GRANT SELECT ON `shop`.* TO `shop`@`%`",) in cloud.sql("SHOW GRANTS FOR shop")


@AS_V1
def test_the_provider_waits_before_every_statement(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, as_v1: bool
):
    """In this process, because the deployed function asks every 3 s; `run` has set AWS's variables."""
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]
    monkeypatch.setenv("CLUSTER_ARN", cluster["DBClusterArn"])
    monkeypatch.setenv("MASTER_SECRET_ARN", cluster["MasterUserSecret"]["SecretArn"])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client_of.cache_clear()
    secret = cloud.client("secretsmanager").create_secret(
        Name="/shared-global/database/waking", SecretString='{"username": "waking", "password": "hush-0"}'
    )["ARN"]
    pauses = {"seconds": 0.01, "as_v1": as_v1, "every_calls": 1}
    try:
        database = event("Custom::Database", Name="waking", OnRemove="drop")
        serve_database(request_of(database, 60))
        cloud.post("pause", pauses)
        served = cloud.calls()["rds-data:ExecuteStatement"]
        for permission in ("SELECT", "INSERT"):
            privileges = [{"Permission": permission, "Database": "waking", "Table": "*"}]
            user = event("Custom::DatabaseUser", SecretId=secret, Privileges=privileges)
            serve_user(request_of(user, 120))
        assert cloud.sql("SHOW GRANTS FOR waking")[1:] == [("GRANT INSERT ON `waking`.* TO `waking`@`%`",)]
        delete_accounts(request_of(user | {"RequestType": "Delete"}, 60), secret)
        delete_database(request_of(database | {"RequestType": "Delete"}, 60), "waking")
        assert cloud.calls()["rds-data:ExecuteStatement"] - served >= 2 * 16
        assert [name for (name,) in cloud.sql("SHOW DATABASES") if name == "waking"] == []
    finally:
        cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def event(kind: str, **properties: object) -> dict[str, object]:
    """What CloudFormation sends for a resource of its stack `waking`."""
    return {
        "RequestType": "Create",
        "ResourceType": kind,
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/waking/1",
        "LogicalResourceId": kind.rpartition(":")[2],
        "RequestId": "1",
        "ResourceProperties": properties,
    }
