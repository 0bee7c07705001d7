"""A cluster that is being created, stopped, started or deleted: refused at once, with the command that mends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine, command_line
from tests.cloud import SHARED, Cloud, empty

NAMED = {"DBClusterIdentifier": "orders"}
WANTED: dict[str, Any] = {
    **NAMED,
    "Engine": "aurora-mysql",
    "EngineVersion": "8.0.mysql_aurora.3.10.6",
    "MasterUsername": "boss",
    "ManageMasterUserPassword": True,
    "EnableHttpEndpoint": True,
    "EnableIAMDatabaseAuthentication": True,
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 4},
}
INSTANCE: dict[str, Any] = {
    **NAMED,
    "DBInstanceIdentifier": "orders-1",
    "Engine": "aurora-mysql",
    "DBInstanceClass": "db.serverless",
}
DEPLOY = "aurora-tenants shared deploy --yes --cluster orders"
START = "run: aws rds start-db-cluster --db-cluster-identifier orders"
WAIT = "run: aws rds wait db-cluster-available --db-cluster-identifier orders, then try again"
RESTORE = "name another cluster, or restore a snapshot into a new one"
UNREACHED = "    why: nothing can reach MySQL\n"
FOR_EVER = "    why: its databases will not come back\n"
TENANT = """\
  shop:
    databases: {shop: {on_remove: drop}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A sandbox with nothing in it."""
    with empty(tmp_path_factory.mktemp("states")) as cloud:
        yield cloud


@pytest.fixture
def run(own: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(own, tmp_path, monkeypatch, capsys)


def refusal(status: str, fix: str, why: str = UNREACHED) -> str:
    return f"error: cluster orders is {status}  [cluster-not-available]\n{why}    fix: {fix}\nNothing was changed.\n"


# In this order, which is a cluster's life.


def test_one_that_is_being_created_is_refused_with_the_command_that_waits(run: CommandLine, own: Cloud):
    own.changes_take(3600)
    own.client("rds").create_db_cluster(**WANTED)
    ended = run(DEPLOY)
    assert (ended.code, ended.err, own.stacks()) == (1, refusal("creating", WAIT), {})
    own.client("rds").create_db_instance(**INSTANCE)
    own.changes_take(0)


def test_one_that_is_stopped_is_refused_with_the_command_that_starts_it(run: CommandLine, own: Cloud):
    rds = own.client("rds")
    own.changes_take(3600)
    rds.stop_db_cluster(**NAMED)
    ended = run(DEPLOY)
    assert (ended.code, ended.err) == (1, refusal("stopping", f"wait until it is stopped, then {START}"))
    own.changes_take(0)
    ended = run(DEPLOY)
    assert (ended.code, ended.err) == (1, refusal("stopped", START))
    assert "cluster orders is stopped" in run("aurora-tenants doctor --cluster orders").out
    own.changes_take(3600)
    rds.start_db_cluster(**NAMED)
    ended = run(DEPLOY)
    assert (ended.code, ended.err, own.stacks()) == (1, refusal("starting", WAIT), {})
    own.changes_take(0)
    ended = run(DEPLOY)
    assert (ended.code, ended.out) == (0, f"Stack {SHARED} is deployed.\n"), ended.err


@pytest.mark.parametrize("command", ["plan", "apply --yes", "plan --no-wake", "validate --live"])
def test_what_reads_mysql_says_at_once_that_the_cluster_is_stopped(run: CommandLine, own: Cloud, command: str):
    run.file(TENANT)
    own.client("rds").stop_db_cluster(**NAMED)
    begun = time.monotonic()
    ended = run(f"aurora-tenants {command}")
    took = time.monotonic() - begun
    assert (ended.code, own.stacks()) == (1, {})
    assert f"error: cluster orders is stopped  [cluster-not-available]\n{UNREACHED}    fix: {START}\n" in ended.err
    assert took < 30  # of the 180 s that a cluster may take to wake
    assert run("aurora-tenants shared deploy --yes").err == refusal("stopped", START)
    own.client("rds").start_db_cluster(**NAMED)
    assert run("aurora-tenants plan").code == 0


def test_no_schedule_is_deployed_for_a_stopped_cluster(run: CommandLine, own: Cloud):
    run.file(TENANT)
    own.client("rds").stop_db_cluster(**NAMED)
    begun = time.monotonic()
    ended = run(
        "aurora-tenants pause-schedule set --timezone UTC --yes --pause-after 10m --asleep-acu 0-1"
        ' --awake "MON-FRI 07:00-17:00" --awake-acu 1-2'
    )
    assert (ended.code, own.stacks(), time.monotonic() - begun < 30) == (1, {}, True)
    assert f"error: cluster orders is stopped  [cluster-not-available]\n{UNREACHED}    fix: {START}\n" in ended.err
    own.client("rds").start_db_cluster(**NAMED)


def test_one_that_is_starting_is_waited_for(run: CommandLine, own: Cloud):
    run.file(TENANT)
    rds = own.client("rds")
    rds.stop_db_cluster(**NAMED)
    own.changes_take(4)
    rds.start_db_cluster(**NAMED)
    ended = run("aurora-tenants plan --detailed-exitcode")
    own.changes_take(0)
    assert (ended.code, "is in state starting" in ended.err) == (2, True), ended.err


def test_one_that_is_being_deleted_or_is_gone_is_told(run: CommandLine, own: Cloud):
    rds = own.client("rds")
    run.file(TENANT)
    rds.delete_db_instance(DBInstanceIdentifier="orders-1")
    own.changes_take(3600)
    rds.delete_db_cluster(**NAMED, SkipFinalSnapshot=True)
    assert run(DEPLOY).err == refusal("deleting", RESTORE, FOR_EVER)
    ended = run("aurora-tenants plan")
    assert f"error: cluster orders is deleting  [cluster-not-available]\n{FOR_EVER}    fix: {RESTORE}\n" in ended.err
    own.changes_take(0)
    ended = run("aurora-tenants plan")
    assert (ended.code, "error: there is no cluster orders in eu-west-1  [no-cluster]\n" in ended.err) == (1, True)
    ended = run(DEPLOY)
    assert (ended.code, "error: there is no cluster orders in eu-west-1  [unfit-cluster]\n" in ended.err) == (1, True)
