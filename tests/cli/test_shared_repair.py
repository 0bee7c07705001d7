"""`shared repair` brings back what somebody changed by hand; what says that something is broken names it as the fix.

The tests of this file share one sandbox, and each leaves it whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, command_line
from tests.cloud import SHARED, Cloud, deployed

INSPECTOR = "aurora_tenants_inspector"
SECRET = f"/{SHARED}/database/{INSPECTOR}"
FIX = f"    fix: run: aurora-tenants shared repair --stack {SHARED}\n"
REPAIRED = f"Stack {SHARED} is repaired: the inspector reads MySQL, and its functions run this program's code.\n"
TENANTS = """\
  shop:
    databases: {shop: {on_remove: drop}}
    roles: {shop_reader: {privileges: [{permission: SELECT, database: shop}]}}
    users: {shop: {privileges: [{permission: ALL, database: shop}]}}
  old:
    databases: {old: {adopt: true, on_remove: drop}}
    users: {old: {adopt: true, privileges: [{permission: ALL, database: old}]}}
"""
TAKEN = "somebody took rights from the inspector's user, or something out of the schema aurora_tenants"
DENIED = "somebody dropped the inspector's user, or changed its password without its secret"
OLD = ("CREATE DATABASE old", "CREATE TABLE old.t (a INT)", "CREATE USER old IDENTIFIED BY 'word-of-old'")
NOTHING = "No changes: MySQL and CloudFormation hold what the file says.\n"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with deployed(tmp_path_factory.mktemp("repair")) as cloud:
        cloud.sql(*OLD)
        yield cloud


@pytest.fixture
def run(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    run = command_line(cloud, tmp_path, monkeypatch, capsys)
    run.file(TENANTS)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended.err
    return run


def entries(cloud: Cloud) -> dict[str, bool]:
    """What belongs to the tenants, by name, and whether it is said to be adopted."""
    rows = cloud.sql(
        "SELECT name, adopted FROM aurora_tenants.`databases` WHERE NOT released UNION ALL"
        f" SELECT name, adopted FROM aurora_tenants.users WHERE stack <> '{SHARED}' AND NOT released"
    )
    return {str(name): bool(adopted) for name, adopted in rows}


def grants(cloud: Cloud, user: str) -> list[str]:
    return sorted(str(grant) for (grant,) in cloud.sql(f"SHOW GRANTS FOR {user}"))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("DROP VIEW aurora_tenants.accounts", TAKEN),
        ("DROP VIEW aurora_tenants.definers", TAKEN),
        ("DROP FUNCTION aurora_tenants.definers_1", TAKEN),
        ("DROP TABLE aurora_tenants.users", TAKEN),
        ("DROP DATABASE aurora_tenants", TAKEN),
        (f"REVOKE SELECT ON mysql.db FROM {INSPECTOR}", TAKEN),
        (f"REVOKE SELECT ON aurora_tenants.* FROM {INSPECTOR}", TAKEN),
        (f"DROP USER {INSPECTOR}", DENIED),
        (f"ALTER USER {INSPECTOR} IDENTIFIED BY 'another-one'", DENIED),
        (f"ALTER USER {INSPECTOR} ACCOUNT LOCK", DENIED),
    ],
)
def test_what_is_gone_in_mysql_is_named_and_comes_back(run: CommandLine, cloud: Cloud, damage: str, why: str):
    before = {user: grants(cloud, user) for user in (INSPECTOR, "shop", "old", "shop_reader")}
    cloud.sql(damage)
    for command in ("plan", "apply --yes"):
        ended = run(f"aurora-tenants {command}")
        assert ended.code == 1
        assert ended.err.endswith(f"{FIX}Nothing was changed.\n")
        assert why in ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out.startswith(REPAIRED)) == (0, True), ended.err
    assert f"Found: the inspector cannot read MySQL, {why}" in ended.err
    assert run("aurora-tenants plan").out.endswith(NOTHING)
    assert {user: grants(cloud, user) for user in before} == before


def test_entries_that_were_lost_come_back_as_adopted_and_nothing_becomes_droppable(run: CommandLine, cloud: Cloud):
    cloud.clean()
    cloud.sql(*OLD)
    assert run("aurora-tenants apply --yes").code == 0
    assert entries(cloud) == {"shop": False, "shop@%": False, "shop_reader@%": False, "old": True, "old@%": True}
    cloud.sql("DROP DATABASE aurora_tenants")
    ended = run("aurora-tenants shared repair --yes")
    assert ended.code == 0, ended.err
    assert entries(cloud) == {"shop": True, "shop@%": True, "shop_reader@%": True, "old": True, "old@%": True}
    assert "MySQL no longer says whose the databases and users of 2 tenants are.\n" in ended.out
    assert "    ~ record  database old: " in ended.out
    assert ended.out.endswith("2 tenants recorded again.\n")
    run.file("  unused: {databases: {unused: {}}}\n")
    removed = run("aurora-tenants apply --yes --allow-mass-removal --allow-drop old --allow-drop shop")
    assert removed.code == 0, removed.err
    assert {name for (name,) in cloud.sql("SHOW DATABASES")} >= {"old", "shop"}
    assert cloud.sql("SELECT COUNT(*) FROM old.t") == [(0,)]
    assert {user for (user,) in cloud.sql("SELECT User FROM mysql.user")} >= {"old", "shop", "shop_reader"}
    cloud.connect("old", "word-of-old").close()
    cloud.clean()
    cloud.sql(*OLD)
