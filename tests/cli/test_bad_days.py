"""What goes wrong between CloudFormation, MySQL and a user who edits the file meanwhile: nothing is lost or stuck.

MySQL keeps the master from touching an account that holds SYSTEM_USER (1227): here that stands for every Delete that
fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

SHOP = "  shop:\n    databases: {shop: %s}\n    users:\n      shop: {privileges: [{permission: ALL, database: shop}]}\n"
KEPT, DROPPED = SHOP % "{}", SHOP % "{on_remove: drop}"
OTHER = "  other:\n    databases: {other: {}}\n"
NOT_THERE = "permission: SELECT, database: new, table: not_there"
STACK = "shared-global-shop"


@pytest.fixture(autouse=True)
def clean(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.clean()


def apply(run: CommandLine, tenants: str, options: str = "", *, code: int = 0) -> str:
    run.file(tenants)
    ended = run(f"aurora-tenants apply --yes {options}")
    assert ended.code == code, ended
    return ended.err


def has_rows(cloud: Cloud) -> bool:
    return cloud.sql("SELECT COUNT(*) FROM shop.t") == [(1,)]


@pytest.mark.usefixtures("blind")
def test_a_stack_that_cannot_roll_back_is_brought_out_of_it_by_the_next_apply(run: CommandLine, cloud: Cloud):
    """A grant on a table that is gone can be given neither now nor in the rollback (1146)."""
    report = "      report: {privileges: [%s]}\n"
    old, new = (f"{{permission: SELECT, database: shop, table: {table}}}" for table in ("old", "new"))
    apply(run, KEPT)
    cloud.sql("CREATE TABLE shop.old (id INT)")
    apply(run, KEPT + report % old)
    cloud.sql("DROP TABLE shop.old", "REVOKE ALL, GRANT OPTION FROM report")
    assert "report" in str(cloud.sql("SELECT User FROM mysql.user"))
    assert "'shop.new' doesn't exist (1146)" in apply(
        run, KEPT + report % "" + report.replace("report", "another") % new, code=1
    )
    apply(run, KEPT + report % "")
    assert cloud.stacks() == {STACK: "UPDATE_COMPLETE"}


def test_replacing_a_stack_whose_deletion_failed_needs_leave_for_what_it_drops(run: CommandLine, cloud: Cloud):
    apply(run, OTHER + DROPPED)
    cloud.sql("CREATE TABLE shop.t (id INT)", "INSERT INTO shop.t VALUES (1)", "GRANT SYSTEM_USER ON *.* TO shop")
    apply(run, OTHER, "--allow-drop shop", code=1)
    cloud.sql("REVOKE SYSTEM_USER ON *.* FROM shop")
    assert cloud.stacks()[STACK] == "DELETE_FAILED"
    assert "fix: if that is meant: --allow-drop shop" in apply(run, OTHER + DROPPED, code=1)
    planned = run("aurora-tenants plan").out
    assert f"~ tenant shop  to be made again\n  ~ stack {STACK}  its deletion failed (DELETE_FAILED): " in planned
    assert has_rows(cloud)


@pytest.mark.usefixtures("blind")
def test_leave_to_drop_does_not_outlive_its_run(run: CommandLine, cloud: Cloud):
    apply(run, DROPPED)
    cloud.sql("CREATE TABLE shop.t (id INT)", "INSERT INTO shop.t VALUES (1)")
    wrong = (SHOP % "{}").replace("shop: {}}", "new: {}}").replace("permission: ALL, database: shop", NOT_THERE)
    apply(run, wrong, "--allow-drop shop", code=1)
    run.file(DROPPED)
    assert run("aurora-tenants plan --detailed-exitcode").code == 2
    apply(run, DROPPED)
    cloud.client("cloudformation").delete_stack(StackName=STACK)
    assert (cloud.settled(STACK), has_rows(cloud)) == ("gone", True)


def test_a_removal_with_leave_to_drop_converges_nothing_on_the_way(run: CommandLine, cloud: Cloud):
    """A user that was dropped by hand, with a right on a table that is gone, could not be made again."""
    apply(run, OTHER + DROPPED)
    cloud.sql("CREATE TABLE shop.t (id INT)")
    users = DROPPED + "      report: {privileges: [{permission: SELECT, database: shop, table: t}]}\n"
    apply(run, OTHER + users)
    cloud.sql("DROP USER report", "DROP TABLE shop.t")
    apply(run, OTHER, "--allow-drop shop")
    assert cloud.stacks() == {"shared-global-other": "CREATE_COMPLETE"}


def test_a_user_that_could_not_be_dropped_is_named_until_it_is(run: CommandLine, cloud: Cloud):
    """CloudFormation forgets what it could not delete after an update, and ends as UPDATE_COMPLETE."""
    report = "      report: {privileges: [{permission: SELECT, database: shop}]}\n"
    apply(run, KEPT + report)
    cloud.sql("GRANT SYSTEM_USER ON *.* TO report")
    left = f"user report was made by stack {STACK}, which does not name it any more, and was not dropped; "
    assert left in apply(run, KEPT, code=1)
    ended = run("aurora-tenants plan")
    assert left in ended.out
    assert ended.out.endswith("Nothing to apply, but 1 thing left over, as the notices say.\n")
    cloud.sql("REVOKE SYSTEM_USER ON *.* FROM report")
    secret = "/shared-global/database/report"
    cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    apply(run, KEPT + report)
    apply(run, KEPT)
    assert "report" not in str(cloud.sql("SELECT User FROM mysql.user"))


def test_a_stack_that_only_bears_a_tenants_tags_is_nobodys_tenant(run: CommandLine, cloud: Cloud):
    apply(run, KEPT)
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "/not/ours", "SecretString": "{}"}}
    tags = {"aurora-tenants:cluster": "shared-global", "aurora-tenants:tenant": "gone"}
    cloud.deploy(
        "payroll", {"Resources": {"S": secret}}, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )
    apply(run, KEPT)
    assert cloud.stacks()["payroll"] == "CREATE_COMPLETE"


def test_a_user_cannot_change_whose_it_is(run: CommandLine, cloud: Cloud):
    """MySQL lets every user change its own ATTRIBUTE, as long as it sets its password in the same statement."""
    apply(run, KEPT + OTHER)
    password = json.loads(cloud.secrets()["/shared-global/database/shop"])["password"]
    forged = json.dumps({"aurora_tenants": {"adopted": True, "stack": "another"}})
    with cloud.connect("shop", password) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER USER shop IDENTIFIED BY '{password}' ATTRIBUTE '{forged}'")
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
    apply(run, OTHER)
    assert "shop" not in [name for (name,) in cloud.sql("SELECT User FROM mysql.user")]


def test_the_master_user_is_nobodys_tenant(run: CommandLine):
    run.file("  shop:\n    users:\n      admin: {adopt: true}\n")
    ended = run("aurora-tenants plan")
    assert (ended.code, "error: user admin is the cluster's master user  [master-user]" in ended.out) == (1, True)


def test_a_leave_that_nothing_needs_is_told(run: CommandLine):
    assert apply(run, KEPT, "--allow-drop shpo --allow-access stranger") == (
        "--allow-drop shpo: no database of this name would be dropped\n"
        "--allow-access stranger: this account would get into nothing that it could not get into before\n"
        "shop: started\n"
        "[1/1] shop: created in N s\n"
    )
