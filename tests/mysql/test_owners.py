"""Who owns what: the rules of claiming, and that MySQL keeps what was written down."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_tenants.mysql.live import SCHEMA, Execute, is_complete, read_databases, read_owners, read_users, rows_of
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import (
    OWNERS,
    Owner,
    attribute_of,
    claim,
    forget_owner,
    record_owner,
)
from tests.mysql_server import execute_as, make_owners

MINE = Owner("shared-shop", "DatabaseShop")
RENAMED = Owner("shared-shop", "DatabaseStore")
OTHER = Owner("shared-other", "DatabaseShop")
ADOPT = "shop exists already and belongs to nobody; set adopt: true to take it over as it is"
KEPT = (
    "shop was kept when stack shared-other, resource DatabaseShop let go of it;"
    " set adopt: true to take it over as it is"
)


@pytest.mark.parametrize(
    ("known", "adopt", "expected"),
    [
        # what exists belongs to   adopt: true   becomes
        (None, True, MINE._replace(adopted=True)),
        (MINE, False, MINE),
        (MINE, True, MINE),
        (MINE._replace(adopted=True), False, MINE._replace(adopted=True)),
        (MINE._replace(released=True), False, MINE),
        (MINE._replace(adopted=True, released=True), False, MINE._replace(adopted=True)),
        (RENAMED._replace(released=True), False, MINE),
        (RENAMED, True, MINE._replace(adopted=True)),
        (OTHER._replace(released=True), True, MINE._replace(adopted=True)),
    ],
)
def test_what_may_be_claimed(known: Owner | None, adopt: bool, expected: Owner):
    assert claim("shop", known, MINE, adopt=adopt) == expected


@pytest.mark.parametrize(
    ("known", "adopt", "sentence"),
    [
        (None, False, ADOPT),
        (OTHER._replace(released=True), False, KEPT),
        (OTHER, False, "shop belongs to stack shared-other, resource DatabaseShop"),
        (OTHER, True, "shop belongs to stack shared-other, resource DatabaseShop"),
        (RENAMED, False, "shop belongs to stack shared-shop, resource DatabaseStore"),
    ],
)
def test_what_may_not_be_claimed(known: Owner | None, adopt: bool, sentence: str):
    with pytest.raises(ValueError) as refused:
        claim("shop", known, MINE, adopt=adopt)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("known", "asked", "expected"), [("s", "s", "s"), ("s", "", "s"), ("", "s", "s"), ("", "", "")]
)
def test_a_user_keeps_its_secret_while_it_uses_iam_and_gets_one_when_it_had_none(known: str, asked: str, expected: str):
    """A secret's rotation and its resource's deletion find the user by it."""
    mine = MINE._replace(secret=asked)
    assert claim("user shop", MINE._replace(secret=known), mine, adopt=False) == mine._replace(secret=expected)
    with pytest.raises(ValueError, match="another secret needs another user name"):
        claim("user shop", MINE._replace(secret="other"), MINE._replace(secret="s"), adopt=True)


def test_an_attribute_tells_people_whose_a_user_is():
    assert json.loads(attribute_of(MINE)) == {OWNERS: {"stack": MINE.stack, "resource": MINE.resource}}


# A real server


@pytest.fixture
def execute(server: mysqld.Server) -> Iterator[Execute]:
    execute = execute_as(server)
    make_owners(execute)
    yield execute
    execute("DROP USER IF EXISTS owned")
    execute(forget_owner("databases", "owned"))
    execute(forget_owner("users", "owned@%"))


def test_the_schema_of_owners_may_be_made_again_and_keeps_what_it_holds(execute: Execute):
    execute("CREATE DATABASE IF NOT EXISTS owned")
    execute(record_owner("databases", "owned", MINE))
    make_owners(execute)
    assert is_complete(*rows_of(execute, SCHEMA))
    assert read_databases(execute, "owned", has_owners=True)["owned"].owner == MINE
    execute("DROP DATABASE owned")


@pytest.mark.parametrize("owner", [MINE, MINE._replace(adopted=True), MINE._replace(adopted=True, released=True)])
def test_the_owner_of_a_database_reads_back_as_it_was_written(execute: Execute, owner: Owner):
    execute("CREATE DATABASE IF NOT EXISTS owned")
    execute(record_owner("databases", "owned", OTHER))
    execute(record_owner("databases", "owned", owner))
    assert read_databases(execute, "owned", has_owners=True)["owned"].owner == owner
    execute(forget_owner("databases", "owned"))
    assert read_databases(execute, "owned", has_owners=True)["owned"].owner is None
    execute("DROP DATABASE owned")


def test_owners_are_told_apart_by_case(execute: Execute):
    execute(record_owner("databases", "owned", MINE))
    execute(record_owner("databases", "OWNED", OTHER))
    found = execute(f"SELECT name, stack FROM {OWNERS}.`databases` WHERE name LIKE 'owned' COLLATE utf8mb4_0900_ai_ci")
    assert set(found) == {("owned", "shared-shop"), ("OWNED", "shared-other")}
    execute(forget_owner("databases", "OWNED"))
    assert execute(f"SELECT name FROM {OWNERS}.`databases` WHERE name LIKE 'owned' COLLATE utf8mb4_0900_ai_ci") == [
        ("owned",)
    ]


def test_the_owner_of_a_user_reads_back_as_it_was_written(execute: Execute):
    owner = Owner("shared-shop", "UserShop", "/shared/database/shop", adopted=True, released=True)
    execute(record_owner("users", "owned@%", owner))
    assert read_owners(execute, "users", "owned@%") == {"owned@%": owner}


def test_an_entry_is_inserted_by_one_of_two_alone(execute: Execute, server: mysqld.Server):
    execute(record_owner("databases", "owned", MINE, "INSERT"))
    with pytest.raises(pymysql.IntegrityError, match="1062"):
        execute_as(server)(record_owner("databases", "owned", OTHER, "INSERT"))
    assert read_owners(execute, "databases", "owned") == {"owned": MINE}


@pytest.mark.parametrize("account", ["owned", "owned@'%'", "CURRENT_USER()"])
def test_a_user_who_changes_its_own_attribute_does_not_change_its_owner(
    execute: Execute, server: mysqld.Server, account: str
):
    """MySQL lets every user do this who sets its password in the same statement, and nobody without (1227)."""
    execute("CREATE USER owned IDENTIFIED BY 'own'")
    execute(record_owner("users", "owned@%", MINE))
    forged = json.dumps({OWNERS: {"stack": "shared-other", "adopted": True}})
    own = execute_as(server, "owned", "own")
    for clause in ("ATTRIBUTE", "DISCARD OLD PASSWORD ATTRIBUTE", "ACCOUNT UNLOCK ATTRIBUTE"):
        with pytest.raises(pymysql.OperationalError, match="1227"):
            own(f"ALTER USER {account} {clause} '{forged}'")
    own(f"ALTER USER {account} IDENTIFIED BY 'own' ATTRIBUTE '{forged}'")
    assert execute(
        "SELECT User_attributes->>'$.metadata.aurora_tenants.adopted' FROM mysql.user WHERE User = 'owned'"
    ) == [("true",)]
    users, _ = read_users(execute, "owned", has_owners=True)
    assert users[Account("owned")].owner == MINE


def test_an_account_of_the_same_name_at_another_host_is_nobodys(execute: Execute):
    execute("CREATE USER owned, owned@localhost")
    execute(record_owner("users", "owned@%", MINE))
    users, _ = read_users(execute, "owned", has_owners=True)
    execute("DROP USER owned@localhost")
    assert {account.host: user.owner for account, user in users.items()} == {"%": MINE, "localhost": None}
