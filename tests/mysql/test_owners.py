"""Who owns what: the rules of claiming, and that MySQL keeps what was written down."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from aurora_tenants.mysql.live import Execute, owners_exist, read_databases, read_user_owners
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import (
    OWNERS,
    Owner,
    attribute_of,
    claim,
    create_owners,
    forget_owner,
    owner_in,
    record_owner,
)
from aurora_tenants.mysql.state import alter_attribute
from aurora_tenants.sandbox import mysqld
from tests.mysql_server import execute_as

MINE = Owner("shared-shop", "DatabaseShop")
RENAMED = Owner("shared-shop", "DatabaseStore")
OTHER = Owner("shared-other", "DatabaseShop")
ADOPT = "shop exists and belongs to nobody; with adopt: true it would be taken over as it is"
KEPT = (
    "shop was kept when stack shared-other, resource DatabaseShop let go of it;"
    " with adopt: true it would be taken over as it is"
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
    "attribute",
    [
        '"text"',
        "null",
        "[]",
        "{}",
        '{"stack": "s"}',
        '{"stack": 1, "resource": "r"}',
        '{"stack": null, "resource": "r"}',
    ],
)
def test_an_attribute_that_we_did_not_write_names_no_owner(attribute: str):
    assert owner_in(attribute) is None


@pytest.mark.parametrize(
    "owner", [Owner("s", "r"), Owner("s", "r", "/a/secret"), Owner("s", "r", "/a/secret", adopted=True)]
)
def test_an_attribute_names_the_owner_that_was_written(owner: Owner):
    assert owner_in(json.dumps(json.loads(attribute_of(owner))[OWNERS])) == owner


# A real server


@pytest.fixture
def execute(server: mysqld.Server) -> Iterator[Execute]:
    execute = execute_as(server)
    for statement in create_owners():
        execute(statement)
    yield execute
    execute("DROP USER IF EXISTS owned, strange")
    execute(forget_owner("owned"))


def test_the_schema_of_owners_may_be_made_again_and_keeps_what_it_holds(execute: Execute):
    execute("CREATE DATABASE IF NOT EXISTS owned")
    execute(record_owner("owned", MINE))
    for statement in create_owners():
        execute(statement)
    assert owners_exist(execute)
    assert read_databases(execute, "owned", has_owners=True)["owned"].owner == MINE
    execute("DROP DATABASE owned")


@pytest.mark.parametrize("owner", [MINE, MINE._replace(adopted=True), MINE._replace(adopted=True, released=True)])
def test_the_owner_of_a_database_reads_back_as_it_was_written(execute: Execute, owner: Owner):
    execute("CREATE DATABASE IF NOT EXISTS owned")
    execute(record_owner("owned", OTHER))
    execute(record_owner("owned", owner))
    assert read_databases(execute, "owned", has_owners=True)["owned"].owner == owner
    execute(forget_owner("owned"))
    assert read_databases(execute, "owned", has_owners=True)["owned"].owner is None
    execute("DROP DATABASE owned")


def test_owners_are_told_apart_by_case(execute: Execute):
    execute(record_owner("owned", MINE))
    execute(record_owner("OWNED", OTHER))
    found = execute(f"SELECT name, stack FROM {OWNERS}.`databases` WHERE name LIKE 'owned' COLLATE utf8mb4_0900_ai_ci")
    assert set(found) == {("owned", "shared-shop"), ("OWNED", "shared-other")}
    execute(forget_owner("OWNED"))
    assert execute(f"SELECT name FROM {OWNERS}.`databases` WHERE name LIKE 'owned' COLLATE utf8mb4_0900_ai_ci") == [
        ("owned",)
    ]


def test_the_owner_of_a_user_stands_in_its_attribute(execute: Execute):
    owner = Owner("shared-shop", "UserShop", "/shared/database/shop", adopted=True)
    execute("CREATE USER owned")
    execute(alter_attribute(Account("owned"), attribute_of(owner)))
    assert read_user_owners(execute, "owned") == {Account("owned"): owner}


@pytest.mark.parametrize("attribute", ['{"aurora_tenants": "mine"}', '{"aurora_tenants": {"stack": 1}}', '{"x": 1}'])
def test_a_strange_attribute_breaks_nothing(execute: Execute, attribute: str):
    execute(f"CREATE USER strange ATTRIBUTE '{attribute}'")
    assert read_user_owners(execute, "strange") == {}


def test_the_view_of_owners_shows_nothing_else_of_an_attribute(execute: Execute):
    """The server keeps the hash of a retained password in the same column."""
    execute("CREATE USER owned IDENTIFIED BY 'first'")
    execute(alter_attribute(Account("owned"), attribute_of(MINE)))
    execute("ALTER USER owned IDENTIFIED BY 'second' RETAIN CURRENT PASSWORD")
    ((kept,),) = execute("SELECT User_attributes->>'$.additional_password' FROM mysql.user WHERE User = 'owned'")
    ((shown,),) = execute(f"SELECT owner FROM {OWNERS}.users WHERE User = 'owned'")
    assert kept
    assert json.loads(str(shown)) == {"stack": "shared-shop", "resource": "DatabaseShop", "secret": ""}
