"""A cluster that is not available: what DescribeDBClusters says, how long, and what RDS and the Data API refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aurora_sandbox import mysqld, status
from aurora_sandbox.server import Sandbox
from tests.rds_account import WANTED, Account, emptied, refused

NAMED = {"DBClusterIdentifier": "legacy"}
INSTANCE: dict[str, Any] = {
    **NAMED,
    "DBInstanceIdentifier": "legacy-1",
    "DBInstanceClass": "db.serverless",
    "Engine": "aurora-mysql",
}


@pytest.fixture(scope="module")
def empty(mysqld_binary: mysqld.Binary) -> Iterator[Sandbox]:
    """A sandbox of its own: there is one server, and other tests' stacks have it."""
    with Sandbox.start(binary=mysqld_binary) as running:
        yield running


@pytest.fixture
def account(empty: Sandbox) -> Iterator[Account]:
    with emptied(empty) as account:
        yield account


def answer(account: Account, cluster: dict[str, Any], secret: str) -> str:
    """What the Data API answers: ok, or the code of its refusal."""
    try:
        account.run(cluster, secret, "SELECT 1")
    except account.data.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


# Pure


def test_a_status_follows_from_the_time_alone():
    life = status.stopped(status.created(100, 60), 1000, 30)
    moments = (99, 100, 159, 160, 1000, 1030, 1030 + 7 * 86_400, 1060 + 7 * 86_400)
    assert [life.at(moment) for moment in moments] == [
        *("", "creating", "creating", "available", "stopping", "stopped", "starting", "available")
    ]
    life = status.deleted(status.started(life, 2000, 0), 3000, 10)
    assert [life.at(moment) for moment in (1999, 2000, 3000, 3009, 3010)] == [
        *("stopped", "available", "deleting", "deleting", "")
    ]


def test_only_a_change_that_is_under_way_is_hurried():
    life = status.stopped(status.created(0), 1000, 600)
    assert life.hurried(500, 0) == life
    hurried = life.hurried(1100, 5)
    assert [hurried.at(moment) for moment in (1100, 1104, 1105)] == ["stopping", "stopping", "stopped"]
    assert hurried.until(1105) == 1105 + 7 * 86_400
    assert life.hurried(1700, 0) == life


# In the account


def test_every_change_is_at_once_unless_it_is_said_how_long_it_takes(account: Account):
    assert account.rds.create_db_cluster(**WANTED)["DBCluster"]["Status"] == "creating"
    assert account.described()["Status"] == "available"
    assert account.rds.stop_db_cluster(**NAMED)["DBCluster"]["Status"] == "stopping"
    assert account.described()["Status"] == "stopped"
    assert account.rds.start_db_cluster(**NAMED)["DBCluster"]["Status"] == "starting"
    assert account.described()["Status"] == "available"


def test_a_cluster_is_there_for_as_long_as_it_is_creating_and_deleting(account: Account):
    account.take(600)
    cluster, secret = account.create(), account.secret(username="boss", password="only-for-this-test")
    account.rds.create_db_instance(**INSTANCE)
    assert (cluster["Status"], answer(account, cluster, secret)) == ("creating", "InvalidResourceStateException")
    assert account.rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available"
    account.pass_time("+10m")
    assert (account.described()["Status"], answer(account, cluster, secret)) == ("available", "ok")

    account.rds.delete_db_instance(DBInstanceIdentifier="legacy-1")
    account.run(cluster, secret, "CREATE DATABASE orders")
    account.rds.delete_db_cluster(**NAMED, SkipFinalSnapshot=True)
    assert (account.described()["Status"], answer(account, cluster, secret)) == (
        *("deleting", "InvalidResourceStateException"),
    )
    assert refused(account.rds.create_db_cluster, **WANTED)[0] == "DBClusterAlreadyExistsFault"
    account.take(0)
    assert refused(account.rds.describe_db_clusters, **NAMED)[0] == "DBClusterNotFoundFault"
    assert answer(account, cluster, secret) == "DatabaseNotFoundException"
    assert account.run(account.create(), secret, "SHOW DATABASES LIKE 'orders'") == []


def test_a_stopped_cluster_answers_nobody_until_it_has_started(account: Account):
    cluster, secret = account.create(), account.secret(username="boss", password="only-for-this-test")
    account.run(cluster, secret, "CREATE DATABASE kept")
    account.rds.create_db_instance(**INSTANCE)
    account.take(60)
    seen = []
    for call in (account.rds.stop_db_cluster, account.rds.start_db_cluster):
        call(**NAMED)
        for wait in (None, "+60s"):
            if wait:
                account.pass_time(wait)
            instance = account.rds.describe_db_instances()["DBInstances"][0]
            seen.append((account.described()["Status"], instance["DBInstanceStatus"], answer(account, cluster, secret)))
    refusal = "InvalidResourceStateException"
    assert seen == [
        ("stopping", "stopping", refusal),
        ("stopped", "stopped", refusal),
        ("starting", "starting", refusal),
        ("available", "available", "ok"),
    ]
    assert account.run(cluster, secret, "SHOW DATABASES LIKE 'kept'") == [[{"stringValue": "kept"}]]


def test_aws_starts_it_again_after_seven_days(account: Account):
    account.create()
    account.rds.stop_db_cluster(**NAMED)
    stopped = account.described()
    now = datetime.fromisoformat(account.now())
    assert abs(stopped["AutomaticRestartTime"] - now - timedelta(days=7)) < timedelta(minutes=1)
    account.pass_time("+6d23h")
    assert account.described()["Status"] == "stopped"
    account.pass_time("+1h")
    assert (account.described()["Status"], "AutomaticRestartTime" in account.described()) == ("available", False)


def test_it_neither_pauses_nor_is_measured_while_it_is_stopped(account: Account):
    scaling = {"MinCapacity": 0, "MaxCapacity": 2, "SecondsUntilAutoPause": 300}
    account.create(ServerlessV2ScalingConfiguration=scaling)
    account.rds.stop_db_cluster(**NAMED)
    account.pass_time("+1h")
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": "ServerlessDatabaseCapacity",
        "Dimensions": [{"Name": "DBClusterIdentifier", "Value": "legacy"}],
    }
    window = {"StartTime": datetime.now(UTC) - timedelta(minutes=2), "EndTime": datetime.now(UTC)}

    def measured() -> list[float]:
        found = account.client("cloudwatch").get_metric_statistics(
            **metric, **window, Period=60, Statistics=["Maximum"]
        )
        return [point["Maximum"] for point in found["Datapoints"]]

    assert measured() == []
    account.rds.start_db_cluster(**NAMED)
    assert measured()[-1] == 0.5  # awake, though nobody has used it for an hour


def steady(described: dict[str, Any]) -> dict[str, Any]:
    """Without what passes by itself."""
    return {name: value for name, value in described.items() if not name.endswith("RestorableTime")}


STOPPED_REFUSES = {
    "stop_db_cluster": (NAMED, "DbCluster legacy is in stopped state but expected it to be one of available."),
    "modify_db_cluster": (
        {**NAMED, "BackupRetentionPeriod": 3},
        "DB cluster is not available for modification with status stopped",
    ),
    "delete_db_cluster": ({**NAMED, "SkipFinalSnapshot": True}, "Db cluster legacy is in stopped state"),
    "create_db_instance": ({**INSTANCE, "DBInstanceIdentifier": "legacy-2"}, "Db cluster legacy is in stopped state"),
    "delete_db_instance": ({"DBInstanceIdentifier": "legacy-1"}, "Db cluster legacy is in stopped state"),
    "modify_db_instance": (
        {"DBInstanceIdentifier": "legacy-1", "PromotionTier": 2},
        "Db cluster legacy is in stopped state",
    ),
}


@pytest.mark.parametrize("operation", STOPPED_REFUSES)
def test_rds_does_nothing_with_a_stopped_cluster_but_start_it(account: Account, operation: str):
    parameters, why = STOPPED_REFUSES[operation]
    account.create()
    account.rds.create_db_instance(**INSTANCE)
    account.rds.stop_db_cluster(**NAMED)
    before = steady(account.described())
    assert refused(getattr(account.rds, operation), **parameters) == ("InvalidDBClusterStateFault", why)
    assert steady(account.described()) == before


def test_what_is_not_stopped_is_not_started_and_its_data_api_is_not_switched(account: Account):
    cluster = account.create()
    assert refused(account.rds.start_db_cluster, **NAMED) == (
        "InvalidDBClusterStateFault",
        "DbCluster legacy is in available state but expected it to be one of "
        "stopped,inaccessible-encryption-credentials-recoverable.",
    )
    account.rds.stop_db_cluster(**NAMED)
    code, _ = refused(account.rds.disable_http_endpoint, ResourceArn=cluster["DBClusterArn"])
    assert (code, account.described()["HttpEndpointEnabled"]) == ("InvalidResourceStateFault", True)


def test_a_protected_cluster_and_one_with_instances_are_not_deleted_and_a_last_snapshot_is_kept(account: Account):
    account.create(DeletionProtection=True)
    account.rds.create_db_instance(**INSTANCE)
    delete = {**NAMED, "FinalDBSnapshotIdentifier": "last"}
    assert refused(account.rds.delete_db_cluster, **delete)[1] == (
        "Cannot delete protected Cluster, please disable deletion protection and try again."
    )
    account.rds.modify_db_cluster(**NAMED, DeletionProtection=False)
    assert refused(account.rds.delete_db_cluster, **delete)[1] == (
        "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
    )
    account.rds.delete_db_instance(DBInstanceIdentifier="legacy-1")
    account.rds.delete_db_cluster(**delete)
    # What moto holds belongs to the process, and other tests leave snapshots there.
    made = account.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="last")["DBClusterSnapshots"]
    assert [snapshot["SnapshotType"] for snapshot in made] == ["manual"]
    account.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="last")


def test_seconds_are_a_number_that_is_not_negative(account: Account):
    for seconds in (-1, "60", None):
        assert account.own("cluster", {"seconds": seconds}) == 400
