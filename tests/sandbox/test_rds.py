"""A cluster made by CreateDBCluster alone: the same server is behind it as behind a stack's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from botocore.exceptions import ClientError

from aurora_sandbox import mysqld
from aurora_sandbox.server import Sandbox
from tests.rds_account import WANTED, Account, emptied, refused


@pytest.fixture(scope="module")
def empty(mysqld_binary: mysqld.Binary) -> Iterator[Sandbox]:
    """A sandbox of its own: there is one server, and other tests' stacks have it."""
    with Sandbox.start(binary=mysqld_binary, time_scale=100.0) as running:
        yield running


@pytest.fixture
def account(empty: Sandbox) -> Iterator[Account]:
    with emptied(empty) as account:
        yield account


def test_a_version_that_rds_does_not_have_is_refused_at_creation_and_in_an_update(account: Account):
    wrong = {"EngineVersion": "8.0.mysql_aurora.3.99.9"}
    said = r"\(InvalidParameterCombination\).* Cannot find version 8\.0\.mysql_aurora\.3\.99\.9 for aurora-mysql$"
    with pytest.raises(ClientError, match=said):
        account.create(**wrong)
    assert account.rds.describe_db_clusters()["DBClusters"] == []
    assert account.create(EngineVersion="8.0")["Status"]
    with pytest.raises(ClientError, match=said):
        account.rds.modify_db_cluster(DBClusterIdentifier="legacy", **wrong)


def test_a_secret_made_by_hand_logs_in_as_the_master(account: Account):
    cluster = account.create()
    assert "MasterUserSecret" not in cluster
    secret = account.secret(username="boss", password="only-for-this-test")
    assert account.run(cluster, secret, "SELECT CURRENT_USER(), CURRENT_ROLE()") == [
        [{"stringValue": "boss@%"}, {"stringValue": "`rds_superuser_role`@`%`"}]
    ]


def test_rds_keeps_the_password_of_a_master_user_that_it_manages(account: Account):
    cluster = account.create(MasterUserPassword=None, ManageMasterUserPassword=True)
    secret = cluster["MasterUserSecret"]["SecretArn"]
    assert json.loads(account.secrets.get_secret_value(SecretId=secret)["SecretString"])["username"] == "boss"
    assert account.run(cluster, secret, "SELECT 1") == [[{"longValue": 1}]]


def test_it_is_described_as_it_was_asked_for(account: Account):
    cluster = account.create(DatabaseName="first", StorageType="aurora-iopt1")
    account.rds.create_db_instance(
        DBInstanceIdentifier="legacy-1",
        DBClusterIdentifier="legacy",
        DBInstanceClass="db.serverless",
        Engine="aurora-mysql",
    )
    cluster = account.described()
    names = ("MasterUsername", "HttpEndpointEnabled", "Status", "EngineMode", "StorageType", "EngineVersion", "Port")
    assert {name: cluster[name] for name in names} == {
        "MasterUsername": "boss",
        "HttpEndpointEnabled": True,
        "Status": "available",
        "EngineMode": "provisioned",
        "StorageType": "aurora-iopt1",
        "EngineVersion": "8.0.mysql_aurora.3.10.0",
        "Port": account.sandbox.mysql.port,
    }
    assert cluster["DbClusterResourceId"].startswith("cluster-")
    (member,) = cluster["DBClusterMembers"]
    assert (member["DBInstanceIdentifier"], member["IsClusterWriter"]) == ("legacy-1", True)
    login = {"host": cluster["Endpoint"], "port": cluster["Port"], "user": "boss", "password": "only-for-this-test"}
    with pymysql.connect(**login) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'first'")
        assert cursor.fetchall() == (("first",),)


def test_a_range_that_was_not_given_is_not_told_and_no_instance_is_serverless_without_it(account: Account):
    cluster = account.create(ServerlessV2ScalingConfiguration=None)
    assert "ServerlessV2ScalingConfiguration" not in cluster
    instance = {"DBInstanceIdentifier": "legacy-1", "DBClusterIdentifier": "legacy", "Engine": "aurora-mysql"}
    why = "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB "
    assert refused(account.rds.create_db_instance, **instance, DBInstanceClass="db.serverless") == (
        "InvalidDBClusterStateFault",
        why + "instance.",
    )
    scaling = {"MinCapacity": 0.5, "MaxCapacity": 2}
    account.rds.modify_db_cluster(DBClusterIdentifier="legacy", ServerlessV2ScalingConfiguration=scaling)
    assert account.described()["ServerlessV2ScalingConfiguration"] == scaling
    account.rds.create_db_instance(**instance, DBInstanceClass="db.serverless")


def test_the_data_api_is_off_until_it_is_switched_on(account: Account):
    cluster = account.create(EnableHttpEndpoint=None)
    secret = account.secret(username="boss", password="only-for-this-test")
    assert cluster["HttpEndpointEnabled"] is False
    call = {"resourceArn": cluster["DBClusterArn"], "secretArn": secret, "sql": "SELECT 1"}
    assert refused(account.data.execute_statement, **call)[0] == "HttpEndpointNotEnabledException"
    account.rds.enable_http_endpoint(ResourceArn=cluster["DBClusterArn"])
    assert account.data.execute_statement(**call)["records"] == [[{"longValue": 1}]]


def test_a_deleted_cluster_leaves_nothing_to_the_next_one(account: Account):
    cluster = account.create(MasterUserPassword=None, ManageMasterUserPassword=True)
    secret = cluster["MasterUserSecret"]["SecretArn"]
    account.run(cluster, secret, "CREATE DATABASE orders")
    assert refused(account.rds.delete_db_cluster, DBClusterIdentifier="legacy") == (
        "InvalidParameterCombination",
        "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
    )
    answer = account.rds.delete_db_cluster(DBClusterIdentifier="legacy", SkipFinalSnapshot=True)
    assert answer["DBCluster"]["Status"] == "deleting"
    assert refused(account.secrets.describe_secret, SecretId=secret)[0] == "ResourceNotFoundException"
    assert refused(account.rds.describe_db_clusters, DBClusterIdentifier="legacy")[0] == "DBClusterNotFoundFault"
    again = account.create(MasterUserPassword=None, ManageMasterUserPassword=True)
    assert account.run(again, again["MasterUserSecret"]["SecretArn"], "SHOW DATABASES LIKE 'orders'") == []


def test_another_password_and_who_keeps_it_can_be_changed(account: Account):
    cluster = account.create()
    secret = account.secret(username="boss", password="another-password")
    change = {"DBClusterIdentifier": "legacy", "ApplyImmediately": True}
    account.rds.modify_db_cluster(**change, MasterUserPassword="another-password")
    assert account.run(cluster, secret, "SELECT 1") == [[{"longValue": 1}]]
    account.rds.modify_db_cluster(**change, ManageMasterUserPassword=True)
    kept = account.described()["MasterUserSecret"]["SecretArn"]
    assert account.run(cluster, kept, "SELECT 1") == [[{"longValue": 1}]]
    assert refused(account.rds.modify_db_cluster, **change, ManageMasterUserPassword=False) == (
        "InvalidParameterCombination",
        "MasterUserPassword must be provided when ManageMasterUserPassword is set to false.",
    )


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"MasterUsername": None}, "InvalidParameterValue", "The parameter MasterUsername must be provided"),
        ({"MasterUserPassword": None}, "InvalidParameterValue", "The parameter MasterUserPassword must be provided"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue", "is not a valid password"),
        ({"ManageMasterUserPassword": True}, "InvalidParameterCombination", "MasterUserPassword"),
        (
            {"ServerlessV2ScalingConfiguration": {"MinCapacity": 8, "MaxCapacity": 4}},
            "InvalidParameterValue",
            "greater than the maximum",
        ),
    ],
)
def test_what_rds_refuses_makes_no_cluster(account: Account, changed: dict[str, Any], code: str, words: str):
    wanted = {name: value for name, value in {**WANTED, **changed}.items() if value is not None}
    found, why = refused(account.rds.create_db_cluster, **wanted)
    assert (found, words in why) == (code, True)
    assert account.rds.describe_db_clusters()["DBClusters"] == []


def test_there_is_one_server_and_other_clusters_are_records(account: Account):
    first = account.create()
    assert refused(account.rds.create_db_cluster, **WANTED) == (
        "DBClusterAlreadyExistsFault",
        "DB Cluster already exists",
    )
    account.create(DBClusterIdentifier="second")
    second = account.rds.describe_db_clusters(DBClusterIdentifier="second")["DBClusters"][0]
    assert (first["Port"], second["Port"] == first["Port"]) == (account.sandbox.mysql.port, False)


def test_a_snapshot_is_made_for_a_while_and_wakes_no_cluster(account: Account):
    account.create()
    account.own("pause", {"seconds": 3600})
    account.take(60)
    create, delete = account.rds.create_db_cluster_snapshot, account.rds.delete_db_cluster_snapshot
    named = {"DBClusterSnapshotIdentifier": "Before-Drop"}
    wanted = {**named, "DBClusterIdentifier": "legacy", "Tags": [{"Key": "tenants", "Value": "shop-dev blog"}]}
    made = create(**wanted)["DBClusterSnapshot"]
    assert (made["Status"], made["PercentProgress"], made["TagList"]) == ("creating", 0, wanted["Tags"])
    assert refused(create, **wanted)[0] == "DBClusterSnapshotAlreadyExistsFault"
    another = {**wanted, "DBClusterSnapshotIdentifier": "another"}
    assert refused(create, **another)[0] == "InvalidDBClusterStateFault"
    assert refused(delete, **named)[0] == "InvalidDBClusterSnapshotStateFault"
    account.pass_time("+61s")
    asked = {"DBClusterIdentifier": "legacy", "SnapshotType": "manual"}
    (done,) = account.rds.describe_db_cluster_snapshots(**asked)["DBClusterSnapshots"]
    told = (done["DBClusterSnapshotIdentifier"], done["Status"], done["PercentProgress"])
    assert told == ("before-drop", "available", 100)
    delete(**named)
    code, _ = refused(account.rds.describe_db_cluster_snapshots, **named)
    assert code == "DBClusterSnapshotNotFoundFault"
    cluster, secret = account.described(), account.secret(username="boss", password="only-for-this-test")
    code, _ = refused(lambda: account.run(cluster, secret, "SELECT 1"))
    assert code == "DatabaseResumingException"
    account.own("pause", {"seconds": 0})


def test_no_snapshot_is_made_of_what_is_stopped_or_not_there_nor_by_a_name_that_rds_does_not_take(account: Account):
    account.create()
    wanted = {"DBClusterIdentifier": "legacy", "DBClusterSnapshotIdentifier": "before"}
    names = ({"DBClusterSnapshotIdentifier": name} for name in ("9x", "a--b", "a-", "a_b", "x" * 64))
    tags = {"Tags": [{"Key": "databases", "Value": "shop$old"}]}
    invalid, absent = "InvalidParameterValue", ("DBClusterNotFoundFault", {"DBClusterIdentifier": "other"})
    for code, changed in (*((invalid, name) for name in names), (invalid, tags), absent):
        assert refused(account.rds.create_db_cluster_snapshot, **{**wanted, **changed})[0] == code
    account.rds.stop_db_cluster(DBClusterIdentifier="legacy")
    assert refused(account.rds.create_db_cluster_snapshot, **wanted)[0] == "InvalidDBClusterStateFault"
