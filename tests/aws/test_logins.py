"""Which fields of a secret are wrong, and of whom a refused login says anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aurora_tenants.aws.logins import Address, why_not, wrong_fields
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options, Require
from aurora_tenants.mysql.state import User

ADDRESS = Address("db.example", "3306", "one")
GOOD = {
    "username": "shop",
    "password": "hunter2",
    "engine": "mysql",
    "host": "db.example",
    "port": 3306,
    "dbClusterIdentifier": "one",
}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, ()),
        ({"port": "3306", "engine": "aurora-mysql", "note": "kept"}, ()),
        ({"username": "root"}, ("username",)),
        ({"password": ""}, ("password",)),
        ({"password": 5, "host": "x", "port": None}, ("password", "host", "port")),
        ({"engine": "postgres", "dbClusterIdentifier": "two"}, ("engine", "dbClusterIdentifier")),
    ],
)
def test_fields_that_are_missing_or_of_something_else_are_named(changed: dict[str, Any], wrong: tuple[str, ...]):
    assert wrong_fields(json.dumps({**GOOD, **changed}), "shop", ADDRESS) == wrong


@pytest.mark.parametrize("text", ["", "hunter2", "[]", '"hunter2"', "null"])
def test_what_is_no_object_holds_no_login(text: str):
    assert wrong_fields(text, "shop", ADDRESS) == ("username", "password")


def user(host: str = "%", **options: Any) -> User:
    return User(Account("shop", host), options=Options(**{"plugin": "caching_sha2_password", **options}))


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ((user(),), ""),
        ((user(), user("10.0.0.1")), ""),
        ((), "whose user is not in MySQL"),
        ((user("10.0.0.1"),), "whose host may not be the Data API's"),
        ((user(require=Require("X509")),), "who need a client certificate"),
        ((user(is_locked=True),), "whose account is locked"),
        ((user(plugin="AWSAuthenticationPlugin"),), "who log in without a password"),
    ],
)
def test_a_refused_login_says_something_where_the_right_one_would_be_let_in(accounts: tuple[User, ...], expected: str):
    assert why_not(accounts) == expected
