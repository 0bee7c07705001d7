"""Database, then migrations, then grants: everybody's order, with one file; and how what is there at the end goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")

OTHER = "  other:\n    databases: {other: {}}\n"
SHOP = """\
  shop:
    databases: {shop: {on_remove: drop}}
    roles:
      reader: {privileges: [{permission: SELECT, database: shop, table: orders%s}]}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
      report:
        on_remove: lock
        roles: [reader]
        privileges:
          - {permission: SELECT, database: shop, table: customers, columns: [id, Country]%s}
          - {permission: EXECUTE, database: shop, procedure: Monthly%s}
"""
FAIL, SKIP = SHOP.replace("%s", ""), SHOP.replace("%s", ", when_missing: skip")
MIGRATION = (
    "CREATE TABLE shop.orders (id INT)",
    "CREATE TABLE shop.customers (id INT)",
    "INSERT INTO shop.orders VALUES (1), (2)",
)
LATER = ("ALTER TABLE shop.customers ADD country CHAR(2)", "CREATE PROCEDURE shop.monthly() SELECT 1")


def planned(run: CommandLine) -> dict[str, Any]:
    ended = run("aurora-tenants plan --output json")
    assert ended.code == 0, ended
    return dict(json.loads(ended.out))


def waiting(plan: dict[str, Any]) -> list[str]:
    return sorted(notice["text"].partition(";")[0] for notice in plan["notices"] if notice["code"] == "waits")


def granted(plan: dict[str, Any]) -> list[str]:
    return [line["sql"] for tenant in plan["tenants"] for line in tenant["changes"] if line["action"] == "grant"]


def rights(cloud: Cloud, name: str) -> set[str]:
    return {str(line) for (line,) in cloud.sql(f"SHOW GRANTS FOR {name}") if "USAGE" not in str(line)}


def test_a_grant_on_what_is_not_there_is_refused_before_anything_happens(run: CommandLine, cloud: Cloud):
    run.file(FAIL)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 1
    assert ended.err.count("[unknown-table]") == 2
    assert "error: procedure shop.monthly does not exist, and user report is to be granted EXECUTE on it" in ended.err
    assert "run the migration first, or set when_missing: skip" in ended.err
    assert cloud.stacks() == {}


def test_what_may_wait_is_granted_by_the_first_apply_after_the_migration(run: CommandLine, cloud: Cloud):
    run.file(SKIP)
    applied = run("aurora-tenants apply --yes")
    assert applied.code == 0, applied
    plan = planned(run)
    assert (plan["has_changes"], waiting(plan)) == (
        False,
        [
            "role reader waits for table shop.orders with SELECT",
            "user report waits for procedure shop.monthly with EXECUTE",
            "user report waits for table shop.customers with SELECT (Country), SELECT (id)",
        ],
    )
    assert rights(cloud, "report") == {"GRANT `reader`@`%` TO `report`@`%`"}
    assert run("aurora-tenants plan --detailed-exitcode").code == 0

    cloud.sql(*MIGRATION)
    plan = planned(run)
    assert granted(plan) == [
        "GRANT SELECT ON `shop`.`orders` TO `reader`@`%`",
        "GRANT SELECT (`id`) ON `shop`.`customers` TO `report`@`%`",
    ]
    assert waiting(plan) == [
        "user report waits for column shop.customers.Country with SELECT",
        "user report waits for procedure shop.monthly with EXECUTE",
    ]
    applied = run("aurora-tenants apply --yes")
    assert applied.code == 0, applied
    assert rights(cloud, "reader") == {"GRANT SELECT ON `shop`.`orders` TO `reader`@`%`"}
    assert planned(run)["has_changes"] is False

    cloud.sql(*LATER)
    applied = run("aurora-tenants apply --yes")
    assert applied.code == 0, applied
    plan = planned(run)
    assert (plan["has_changes"], waiting(plan)) == (False, [])
    assert rights(cloud, "report") == {
        "GRANT SELECT (`Country`, `id`) ON `shop`.`customers` TO `report`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`monthly` TO `report`@`%`",
        "GRANT `reader`@`%` TO `report`@`%`",
    }
    run.file(FAIL)  # which asks for the same, now that all of it is there
    applied = run("aurora-tenants apply --yes")
    assert applied.code == 0, applied
    assert planned(run)["has_changes"] is False


def test_what_leaves_the_file_goes_as_the_plan_says(run: CommandLine, cloud: Cloud):
    run.file(OTHER + SKIP)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql(*MIGRATION)
    run.file(OTHER)
    plan = planned(run)
    (danger,) = plan["dangers"]
    assert danger["what"].startswith("database shop would be dropped with everything in it: 2 tables, ")
    statements = [line["sql"] for tenant in plan["tenants"] for line in tenant["changes"]]
    assert "ALTER USER IF EXISTS `report`@`%` ACCOUNT LOCK" in statements
    assert "DROP USER IF EXISTS `shop`@`%`" in statements
    applied = run("aurora-tenants apply --yes --allow-drop shop")
    assert applied.code == 0, applied
    assert cloud.sql("SELECT User, account_locked FROM mysql.user WHERE User IN ('shop', 'report')") == [
        ("report", "Y")
    ]
    assert {name for (name,) in cloud.sql("SHOW DATABASES")} & {"shop", "other"} == {"other"}
    assert planned(run)["has_changes"] is False
