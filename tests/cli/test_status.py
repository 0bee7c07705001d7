"""status: of a cluster that is awake, paused, or read again and again; what it calls, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from aurora_tenants.aws import usable
from aurora_tenants.cli import main, status
from aurora_tenants.mysql import dataapi
from tests.cli.conftest import HEAD, CommandLine
from tests.cloud import SHARED, Cloud
from tests.endpoint import set_environment
from tests.render.schemas import Schema

SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
      token: {auth: iam}
"""
MORE = "  books: {databases: {books: {}}}\n  music: {databases: {music: {}}}\n"
CHECK = Schema("status.schema.json").check


@pytest.fixture(scope="module", autouse=True)
def deployed(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tenants shop, books and music, once for all of these tests."""
    file = tmp_path_factory.mktemp("status") / "tenants.yaml"
    file.write_text(HEAD + SHOP + MORE)
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, cloud.environment)
        with pytest.raises(SystemExit) as ended:
            main(["apply", "--yes", "--file", str(file)])
    assert ended.value.code == 0
    cloud.sql("CREATE TABLE shop.orders (id INT PRIMARY KEY)")
    yield
    cloud.clean()


@pytest.fixture(autouse=True)
def file(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataapi, "_POLL_SECONDS", 0.03)  # the sandbox's cluster wakes in less than a second
    run.file(SHOP + MORE)


def told(run: CommandLine, options: str = "", code: int = 0) -> dict[str, Any]:
    """What status says to a program, which keeps to the schema."""
    ended = run(f"aurora-tenants status --output json {options}")
    assert ended.code == code, ended
    found: dict[str, Any] = json.loads(ended.out)
    CHECK(found)
    return found


def login(cloud: Cloud, user: str) -> pymysql.Connection[Any]:
    """A connection as a service has it."""
    value = cloud.client("secretsmanager").get_secret_value(SecretId=f"/{SHARED}/database/{user}")["SecretString"]
    password = json.loads(value)["password"]
    return pymysql.connect(host="127.0.0.1", port=cloud.port, user=user, password=password)


def test_a_tenant_with_its_tables_connections_secret_and_difference(run: CommandLine, cloud: Cloud):
    with login(cloud, "shop"):
        found = told(run)
    shop, books, _ = found["tenants"]
    assert (shop["difference"], shop["stack_is"], shop["tables"], shop["monthly"]) == ("in sync", "ok", 1, 0.4)
    assert [(it["name"], it["connections"], it["secret"] is not None) for it in shop["users"]] == [
        ("shop", 1, True),
        ("token", 0, False),
    ]
    secret = shop["users"][0]["secret"]
    assert (secret["period"], secret["trouble"], secret["next_rotation"] > found["at"]) == ("every 30 days", None, True)
    assert (books["tables"], books["users"], books["monthly"]) == (0, [], 0)
    assert (found["mysql"]["read_at"], found["cluster"]["is_paused"]) == (found["at"], False)
    assert found["cost"]["secrets"] == 3  # the inspector's, the master's, and the shop's
    table = run("aurora-tenants status").out
    assert [line.split()[:4] for line in table.split("\n") if line.startswith("shop")] == [
        ["shop", "in", "sync", "CREATE_COMPLETE"]
    ]


def test_drift_and_a_changed_file_are_told_and_are_no_error(run: CommandLine, cloud: Cloud):
    cloud.sql("REVOKE SELECT ON shop.* FROM shop")
    run.file(SHOP + MORE.replace("music", "songs"))
    try:
        found = told(run)
    finally:
        cloud.sql("GRANT SELECT ON shop.* TO shop")
    assert {it["tenant"]: it["difference"] for it in found["tenants"]} == {
        "shop": "drift",
        "books": "in sync",
        "songs": "not deployed",
        "music": "to remove",
    }
    assert [it["name"] for it in found["tenants"][3]["databases"]] == ["music"]


def test_it_calls_as_often_for_three_tenants_as_for_one(run: CommandLine, cloud: Cloud):
    def calls() -> dict[str, int]:
        before = cloud.calls()
        assert run("aurora-tenants status").code == 0
        return dict(cloud.calls() - before)

    three = calls()
    # The shared stack by its name and all of them, the cluster and whether it is available.
    assert three == {
        "sts:GetCallerIdentity": 1,
        "cloudformation:DescribeStacks": 2,
        "secretsmanager:ListSecrets": 1,
        "rds:DescribeDBClusters": 2,
        "cloudwatch:GetMetricData": 1,
        "rds-data:ExecuteStatement": three["rds-data:ExecuteStatement"],
    }
    run.file(SHOP)
    assert run("aurora-tenants status").out.count("to remove") == 2
    assert calls() == three


def test_a_tenant_that_there_is_none_of_is_refused(run: CommandLine):
    ended = run("aurora-tenants status --tenant shpo")
    assert (ended.code, ended.out) == (64, "")
    assert "there is no tenant shpo" in ended.err and "did you mean shop?" in ended.err


def test_a_paused_cluster_is_left_alone_and_woken_when_asked(run: CommandLine, cloud: Cloud):
    cloud.post("pause", {"seconds": 0.01})
    before = cloud.calls()
    found = told(run)
    assert (cloud.calls() - before)["rds-data:ExecuteStatement"] == 0
    shop = found["tenants"][0]
    assert (found["cluster"]["is_paused"], found["mysql"]) == (
        True,
        {"read_at": None, "not_read": "the cluster is paused"},
    )
    assert (shop["difference"], shop["tables"], shop["monthly"]) == ("unknown", None, 0.4)
    assert "MySQL was not read: the cluster is paused." in run("aurora-tenants status --tenant shop").out
    woken = run("aurora-tenants status --wake")
    assert (woken.code, woken.err) == (0, "The cluster is waking, usually 15 s.\n")
    assert woken.out.endswith("The cluster was paused; this woke it.\n")
    assert not told(run, "--wake")["woke_cluster"]


def test_what_the_inspector_may_not_read_is_left_out_and_said(run: CommandLine, cloud: Cloud):
    """As on a shared stack from before."""
    right = "EXECUTE ON FUNCTION aurora_tenants.connections_1"
    cloud.sql(f"REVOKE {right} FROM aurora_tenants_inspector")
    try:
        found = told(run)
        assert "whose they are, only a newer shared stack tells" in run("aurora-tenants status").out
    finally:
        cloud.sql(f"GRANT {right} TO aurora_tenants_inspector")
    shop = found["tenants"][0]
    assert (found["cluster"]["sees_users"], shop["connections"], shop["tables"]) == (False, None, 1)
    assert found["cluster"]["connections"] > 0


def test_a_shared_stack_that_is_too_old_is_a_problem_beside_what_there_is(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(usable, "PROVIDER_VERSION", 99)
    found = told(run, code=1)
    assert [it["code"] for it in found["problems"]] == ["old-shared-stack"]
    assert [it["status"] for it in found["tenants"]] == ["CREATE_COMPLETE"] * 3


def test_a_mysql_that_cannot_be_read_is_a_problem_beside_what_there_is(run: CommandLine):
    found = told(run, "--wait 0 --secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:none-AbCdEf", code=1)
    assert (len(found["problems"]), found["mysql"]["not_read"]) == (1, "it could not be read")
    assert found["tenants"][0]["monthly"] == 0.4


def test_how_often_without_watch_is_usage(run: CommandLine):
    ended = run("aurora-tenants status --every 5")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err == (
        "error: --every is how often --watch looks, and this looks once  [only-with-watch]\n"
        "    fix: add --watch, or leave --every out\nNothing was changed.\n"
    )


def test_watching_reads_again_with_the_same_clients_and_ends_when_it_is_interrupted(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    slept = list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(status, "sleep", sleep)
    before = cloud.calls()
    ended = run("aurora-tenants status --watch --every 5")
    assert (ended.code, slept, ended.out.count("TENANT")) == (130, [5, 5], 2)
    calls = cloud.calls() - before
    assert (calls["sts:GetCallerIdentity"], calls["secretsmanager:ListSecrets"]) == (1, 2)
    # It can pause, and nobody else uses it: MySQL is not asked again, or it never would.
    before = cloud.calls()
    assert run("aurora-tenants status").code == 0
    once = cloud.calls() - before
    assert calls["rds-data:ExecuteStatement"] == once["rds-data:ExecuteStatement"] > 0


def test_a_file_that_is_wrong_is_told_before_anything_is_asked(run: CommandLine, cloud: Cloud):
    run.file("  shop: {databasez: {}}\n")
    before = cloud.calls()
    assert run("aurora-tenants status").code == 1
    assert not cloud.calls() - before
