"""Somebody changes MySQL behind our back: each kind of it is called drift, healed by apply, and gone afterwards."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_sandbox import mysqld
from aurora_tenants.revision import plain
from tests.cli.conftest import CommandLine, command_line
from tests.cloud import Cloud, deployed

# Its first line is the fourth of the file.
TENANTS = """
  shop:
    databases: {shop_1: {charset: utf8mb4}}
    users:
      shop:
        privileges:
          - {permission: ALL, database: shop_1}
      report:
        privileges:
          - {permission: [SELECT], database: shop_1}
"""
CREATE = (
    "CREATE USER `report`@`%` IDENTIFIED WITH `caching_sha2_password` AS '***' ATTRIBUTE "
    '\'{"aurora_tenants": {"stack": "shared-global-shop", "resource": "UserReport"}}\''
)
RECORD_USER = (
    "REPLACE INTO aurora_tenants.`users` VALUES"
    " ('report@%', 'shared-global-shop', 'UserReport', '/shared-global/database/report', 0, 0, '')"
)
RECORD = (
    "REPLACE INTO aurora_tenants.`databases` VALUES"
    " ('shop_1', 'shared-global-shop', 'DatabaseShop16C5C1389', '', 0, 0, '')"
)


NOTICE = "Notices: nothing here is touched\n  role helper belongs to nobody and is not in the file  [unmanaged-role]\n"


@pytest.fixture(scope="module", autouse=True)
def clean(cloud: Cloud) -> Iterator[None]:
    """The tenant is deployed once: every test leaves it healed."""
    yield
    cloud.clean()


@pytest.fixture
def shop(run: CommandLine) -> CommandLine:
    run.file(TENANTS)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended
    return run


def plan_of_drift(item: str, *statements: str, why: str = "something was changed by hand") -> str:
    count = f"{len(statements)} statement" + ("" if len(statements) == 1 else "s")
    return f"~ tenant shop  {why}\n  {item}\n\nTenants: 1 to update (1 by drift). {count} in MySQL.\n"


def assert_healed(run: CommandLine, plan: str, *statements: str) -> None:
    """The plan says exactly this and with 2 that there is something to do; apply heals it; nothing is left."""
    planned = run("aurora-tenants plan --detailed-exitcode")
    assert (planned.code, planned.out, planned.err) == (2, plan, "")
    sql = run("aurora-tenants plan --sql").out.splitlines()
    assert [line for line in sql if line and not line.startswith("-- ")] == [f"{each};" for each in statements]
    applied = run("aurora-tenants apply --yes")
    assert (applied.code, applied.out) == (
        0,
        plan + "Applied: 1 of 1 tenants. MySQL holds what the file says of them.\n",
    )
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


@pytest.mark.parametrize(
    ("behind", "item", "statements"),
    [
        (
            ["REVOKE SELECT ON shop_1.* FROM report"],
            "~ user report  shop_1.*: none → SELECT (wider)",
            ["GRANT SELECT ON `shop_1`.* TO `report`@`%`"],
        ),
        (
            ["GRANT INSERT ON shop_1.* TO report WITH GRANT OPTION"],
            "~ user report  shop_1.*: SELECT, INSERT with GRANT OPTION → SELECT",
            ["REVOKE INSERT, GRANT OPTION ON `shop_1`.* FROM `report`@`%`"],
        ),
        (
            ["GRANT PROCESS ON *.* TO report", "GRANT ROLE_ADMIN ON *.* TO report"],
            "~ user report  *.*: PROCESS, ROLE_ADMIN → none",
            ["REVOKE RELOAD, ROLE_ADMIN ON *.* FROM `report`@`%`", "REVOKE PROCESS ON *.* FROM `report`@`%`"],
        ),
        (
            ["GRANT SELECT ON mysql.* TO report"],
            "~ user report  mysql.*: SELECT → none",
            ["REVOKE SELECT ON `mysql`.* FROM `report`@`%`"],
        ),
        (
            ["CREATE ROLE helper", "GRANT helper TO report"],
            "~ user report  role helper: granted → none",
            ["REVOKE `helper`@`%` FROM `report`@`%`"],
        ),
        (
            ["DROP USER report"],
            "+ user report  made again, with the password of its secret: it was dropped by hand; SELECT on shop_1.*",
            [RECORD_USER, CREATE, "GRANT SELECT ON `shop_1`.* TO `report`@`%`"],
        ),
        (
            ["ALTER USER report PASSWORD EXPIRE"],
            "~ user report  password: made to expire → the secret's again",
            ["ALTER USER `report`@`%` IDENTIFIED WITH `caching_sha2_password` AS '***'"],
        ),
        (
            ["DROP DATABASE shop_1"],
            "+ database shop_1  made again: it was dropped by hand; charset: utf8mb4",
            [RECORD, "CREATE DATABASE `shop_1` CHARACTER SET 'utf8mb4'"],
        ),
        (
            ["ALTER DATABASE shop_1 CHARACTER SET latin1"],
            "~ database shop_1  charset: latin1 → utf8mb4; its tables keep the character set and collation that they"
            " have",
            ["ALTER DATABASE `shop_1` CHARACTER SET 'utf8mb4'"],
        ),
    ],
    ids=[
        "privilege revoked",
        "privilege added",
        "global privileges added",
        "another database opened",
        "role granted",
        "user dropped",
        "password made to expire",
        "database dropped",
        "character set changed",
    ],
)
def test_what_was_changed_behind_our_back_is_healed(
    shop: CommandLine, cloud: Cloud, behind: list[str], item: str, statements: list[str]
):
    cloud.sql("DROP ROLE IF EXISTS helper")
    cloud.sql(*behind, user="admin")
    plan = plan_of_drift(item, *statements)
    if "CREATE ROLE helper" in behind:
        plan = plan.replace("\n\nTenants", f"\n\n{NOTICE}\nTenants")
    before = updated(cloud)
    assert_healed(shop, plan, *statements)
    cloud.sql("DROP ROLE IF EXISTS helper")
    # Nothing else of the tenant is asked for.
    assert updated(cloud) - before == Counter(["UserReport" if " user " in item else "DatabaseShop16C5C1389"])


def updated(cloud: Cloud, stack: str = "shared-global-shop") -> Counter[str]:
    """How often each custom resource was updated."""
    pages = cloud.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    events = (event for page in pages for event in page["StackEvents"] if event["ResourceType"].startswith("Custom::"))
    return Counter(it["LogicalResourceId"] for it in events if it["ResourceStatus"] == "UPDATE_COMPLETE")


def test_a_stack_that_was_deployed_with_one_number_goes_on_without_a_word(shop: CommandLine, cloud: Cloud):
    """As it was before there were counters, whose first use asks for nothing that did not differ."""
    cloudformation, stack = cloud.client("cloudformation"), "shared-global-shop"
    body = json.loads(json.dumps(cloudformation.get_template(StackName=stack)["TemplateBody"]))
    number = [{"ParameterKey": "Revision", "ParameterValue": "7"}]
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(plain(body)), Parameters=number)
    assert cloud.settled(stack) == "UPDATE_COMPLETE"
    planned = shop("aurora-tenants plan --detailed-exitcode")
    assert (planned.code, "No changes: " in planned.out) == (0, True), planned
    before = updated(cloud)
    cloud.sql("REVOKE SELECT ON shop_1.* FROM report")
    statement = "GRANT SELECT ON `shop_1`.* TO `report`@`%`"
    assert_healed(shop, plan_of_drift("~ user report  shop_1.*: none → SELECT (wider)", statement), statement)
    assert updated(cloud) - before == Counter(["UserReport"])


def test_a_user_made_anew_has_the_password_of_its_secret(shop: CommandLine, cloud: Cloud):
    cloud.sql("DROP USER report")
    assert shop("aurora-tenants apply --yes").code == 0
    password = json.loads(cloud.secrets()["/shared-global/database/report"])["password"]
    cloud.connect("report", password).close()


def test_a_privilege_that_is_kept_never_pauses_while_drift_is_healed(shop: CommandLine, cloud: Cloud):
    """A client that asks all the time, while a grant beside the one it uses is taken away, never hears a no."""
    cloud.sql("CREATE TABLE IF NOT EXISTS shop_1.t (id INT)", "GRANT INSERT ON shop_1.* TO report")
    password = json.loads(cloud.secrets()["/shared-global/database/report"])["password"]
    healed, asked = threading.Event(), []

    def ask() -> None:
        with cloud.connect("report", password) as connection, connection.cursor() as cursor:
            while not healed.is_set():
                cursor.execute("SELECT COUNT(*) FROM shop_1.t")
                asked.append(cursor.fetchall())

    client = threading.Thread(target=ask)
    client.start()
    try:
        assert shop("aurora-tenants apply --yes").code == 0
    finally:
        healed.set()
        client.join()
    assert set(asked) == {((0,),)}
    assert len(asked) > 10


def test_a_template_that_was_changed_by_hand_is_written_again(shop: CommandLine, cloud: Cloud):
    """Neither MySQL nor the secrets show what somebody has changed here, and the digest stays."""
    cloudformation, stack = cloud.client("cloudformation"), "shared-global-shop"
    before = cloudformation.get_template(StackName=stack)["TemplateBody"]
    edited = json.loads(json.dumps(before))
    edited["Resources"]["SecretReport"]["DeletionPolicy"] = "Retain"
    edited["Resources"]["Mine"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "mine"}}
    same = [{"ParameterKey": "Revision", "UsePreviousValue": True}]
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(edited), Parameters=same)
    assert cloud.settled(stack) == "UPDATE_COMPLETE"
    assert_healed(shop, plan_of_drift(f"~ stack {stack}  its template was changed by hand: it is written again"))
    assert cloudformation.get_template(StackName=stack)["TemplateBody"] == before
    before_calls = cloud.calls()
    assert shop("aurora-tenants plan --detailed-exitcode").code == 0
    assert (cloud.calls() - before_calls)["cloudformation:GetTemplate"] == 0


# Where database names in grants are patterns


@pytest.fixture(scope="module")
def cloud_of_patterns(mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with deployed(tmp_path_factory.mktemp("patterns"), partial_revokes=False) as running:
        yield running


@pytest.mark.long
def test_rights_by_pattern_are_told_and_open_what_they_match(
    cloud_of_patterns: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run, cloud = command_line(cloud_of_patterns, tmp_path, monkeypatch, capsys), cloud_of_patterns
    run.file(TENANTS)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql("CREATE USER legacy IDENTIFIED BY RANDOM PASSWORD", "GRANT SELECT ON `sho%`.* TO legacy")
    planned = run("aurora-tenants plan --detailed-exitcode")
    cloud.sql("DROP USER legacy")
    assert (planned.code, planned.out) == (
        0,
        "Compared 1 tenant of tenants.yaml with cluster shared-global: MySQL N with N databases and N users.\n"
        "\n"
        "Notices: nothing here is touched\n"
        "  user legacy belongs to nobody and is not in the file  [unmanaged-user]\n"
        "  user legacy has rights on every database that matches sho%, also on those to come  [pattern-grant]\n"
        "\n"
        "Dangers\n"
        "  danger: user legacy can get into database shop_1 of tenant shop  [breach]\n"
        "    why: SELECT on `sho%`.*; it belongs to no tenant\n"
        "    fix: REVOKE SELECT ON `sho%`.* FROM `legacy`@`%`\n"
        "\n"
        "No changes: MySQL and CloudFormation hold what the file says.\n"
        "1 danger: see above.\n",
    )


@pytest.mark.long
def test_an_unescaped_spelling_is_replaced_by_the_escaped_one(
    cloud_of_patterns: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run, cloud = command_line(cloud_of_patterns, tmp_path, monkeypatch, capsys), cloud_of_patterns
    run.file(TENANTS)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql("REVOKE SELECT ON `shop\\_1`.* FROM report", "GRANT SELECT ON `shop_1`.* TO report")
    statements = (
        "GRANT SELECT ON `shop\\_1`.* TO `report`@`%`",
        "REVOKE SELECT ON `shop_1`.* FROM `report`@`%`",
    )
    item = "~ user report  rights on shop_1.* reach: also databases with any other letter for _ → this database alone"
    plan = plan_of_drift(item, *statements, why="MySQL takes a name for a pattern")
    assert_healed(run, plan, *statements)
