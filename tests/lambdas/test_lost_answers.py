"""The answer to any one statement that changes something is lost: the event ends as if it had come.

Nobody but MySQL knows then whether the statement has run, so each is lost both ways.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas import ownership
from aurora_tenants.lambdas.ownership import until_heard
from aurora_tenants.lambdas.request import Secret
from aurora_tenants.lambdas.rotation import _give_both
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import Row, read_users
from tests.endpoint import own
from tests.lambdas.served import Losing, Stack, user_of
from tests.lambdas.world import ONCE, PROVIDER, World, fresh, on
from tests.mysql_server import hashes

pytestmark = ONCE

EITHER_WAY = pytest.mark.parametrize("ran", [True, False], ids=["it ran", "it did not run"])


def each(served: Callable[[int], int]) -> None:
    """Serves with the first answer lost, then with the second, and so on, until there was none to lose."""
    for lost in count(1):
        if served(lost) < lost:
            assert lost > 2
            return


@EITHER_WAY
def test_a_database_is_made_changed_and_dropped(world: World, master: DataApi, ran: bool) -> None:
    def served(lost: int) -> int:
        name, stack = fresh("shop"), Stack(world, master, "Custom::Database")
        statements = stack.serve("Create", lost, ran=ran, Name=name)
        assert (world.has_database(name), (world.owner(name) or ())[2:]) == (True, (0, 0))
        properties = {"Name": name, "Charset": "latin1", "OnRemove": "drop", "AllowDrop": name}
        # There is but one statement in it.
        stack.serve("Update", 1, ran=ran, **properties)
        assert world.sql(
            f"SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'"
        ) == [("latin1",)]
        stack.serve("Delete", min(lost, 2), ran=ran, **properties)
        assert (world.has_database(name), world.owner(name)) == (False, None)
        return statements

    each(served)


def seen(world: World, name: str) -> Mapping[str, Any]:
    """All that there is to see of a user, without its name."""
    grants = sorted(grant.replace(name, "USER") for host in world.accounts(name) for grant in _shown(world, name, host))
    entries = {host: owner._replace(stack="", secret="") for host, owner in world.entries(name).items()}
    return {"accounts": {host: user.options for host, user in world.accounts(name).items()}, "grants": grants} | entries


def _shown(world: World, name: str, host: str) -> list[str]:
    return [str(row[0]) for row in world.sql(f"SHOW GRANTS FOR `{name}`@`{host}`")]


@EITHER_WAY
def test_a_user_is_made_changed_and_dropped(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, ran: bool
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    world.make_database(shop := fresh("shop"))
    made = {"Privileges": [on(shop, "SELECT, DROP")], "Hosts": ["%", "10.0.0.1"]}
    changed = {"Privileges": [on(shop, "INSERT")], "Hosts": ["%", "10.0.0.2", "%.x"], "Require": "SSL"}
    expected: list[Mapping[str, Any]] = []

    def lost_in(event: str) -> Callable[[int], int]:
        def served(lost: int) -> int:
            secret = user_of(world)
            stack, name = Stack(world, master, "Custom::DatabaseUser", secret), secret.user
            statements = stack.serve("Create", lost if event == "Create" else 0, ran=ran, SecretId=secret.arn, **made)
            if event == "Create":
                expected.append(seen(world, name))
                assert expected[-1] == expected[0]
            if event != "Create":
                statements = stack.serve(
                    "Update", lost if event == "Update" else 0, ran=ran, SecretId=secret.arn, **changed
                )
            if event == "Update":
                expected.append(seen(world, name))
                assert expected[-1] == expected[0]
            assert world.takes(name, "hush-0", tls=event != "Create")
            removed = stack.serve("Delete", lost if event == "Delete" else 0, ran=ran, SecretId=secret.arn)
            assert (world.has_user(name), world.entries(name)) == (False, {})
            return removed if event == "Delete" else statements

        expected.clear()
        return served

    for event in ("Create", "Update", "Delete"):
        each(lost_in(event))


@EITHER_WAY
def test_a_user_whose_secret_is_made_again_keeps_the_password_before(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, ran: bool
) -> None:
    hosts = ["%", "10.0.0.1"]
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)

    def served(lost: int) -> int:
        first = user_of(world)
        stack, name = Stack(world, master, "Custom::DatabaseUser", first), first.user
        properties = {"Hosts": hosts, "Privileges": []}
        stack.serve("Create", 0, ran=ran, SecretId=first.arn, **properties)
        for host in hosts:  # as a rotation leaves it
            world.sql(f"ALTER USER `{name}`@`{host}` IDENTIFIED BY 'hush-rotated' RETAIN CURRENT PASSWORD")
        world.secrets.delete_secret(SecretId=first.arn, ForceDeleteWithoutRecovery=True)
        stack.secret = again = Secret(world.secret(name, "hush-again"), first.name, name, hashes("hush-again"))
        statements = stack.serve("Update", lost, ran=ran, SecretId=again.arn, **properties)
        assert (world.takes(name, "hush-again"), world.takes(name, "hush-rotated")) == (True, True)
        second = "User_attributes->>'$.additional_password' = ''"
        assert world.sql(f"SELECT Host FROM mysql.user WHERE User = '{name}' AND COALESCE({second}, 1)") == []
        return statements

    each(served)


@EITHER_WAY
@pytest.mark.parametrize("older", ["", "hush-older"], ids=["one password", "two passwords"])
def test_a_user_that_is_adopted_keeps_the_password_that_it_has(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, ran: bool, older: str
) -> None:
    hosts = ["%", "10.0.0.1"]
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)

    def served(lost: int) -> int:
        secret = user_of(world)
        stack, name = Stack(world, master, "Custom::DatabaseUser", secret), secret.user
        for host in hosts:
            world.sql(f"CREATE USER `{name}`@`{host}` IDENTIFIED BY '{older or 'hush-theirs'}'")
            if older:
                world.sql(f"ALTER USER `{name}`@`{host}` IDENTIFIED BY 'hush-theirs' RETAIN CURRENT PASSWORD")
        properties = {"SecretId": secret.arn, "Adopt": "true", "Hosts": hosts, "Privileges": []}
        statements = stack.serve("Create", lost, ran=ran, **properties)
        assert (world.takes(name, "hush-0"), world.takes(name, "hush-theirs")) == (True, True)
        assert {owner.adopted for owner in world.entries(name).values()} == {True}
        stack.serve("Delete", 0, ran=ran, **properties)
        assert world.has_user(name)
        return statements

    each(served)


def test_a_user_whose_adoption_failed_keeps_its_password_when_it_is_adopted_after_all(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of its accounts was refused the new password, when the first had it already."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    secret, hosts = user_of(world), ["%", "10.0.0.1"]
    name = secret.user
    for host in hosts:
        world.sql(f"CREATE USER `{name}`@`{host}` IDENTIFIED BY 'hush-theirs'")
    refusing = DataApi(master.client, master.cluster_arn, master.secret_arn)

    def refuse(statement: str) -> list[Row]:
        if "RETAIN" in statement and "10.0.0.1" in statement:
            raise DatabaseError(Problem("database-refused", "too simple (1819)"), number=1819)
        return refusing.execute(statement)

    properties = {"SecretId": secret.arn, "Adopt": "true", "Hosts": hosts, "Privileges": []}
    failed = Stack(world, master, "Custom::DatabaseUser", secret, execute=refuse)
    with pytest.raises(DatabaseError, match="1819"):
        failed.serve("Create", 0, ran=True, **properties)
    assert {host: (owner.adopted, owner.released) for host, owner in world.entries(name).items()} == {"%": (True, True)}
    world.put(secret.arn, name, "hush-1")
    again = Stack(world, master, "Custom::DatabaseUser", secret._replace(password=hashes("hush-1")))
    again.serve("Create", 0, ran=True, **properties)
    assert (world.takes(name, "hush-1"), world.takes(name, "hush-theirs")) == (True, True)


@EITHER_WAY
def test_a_rotation_of_an_account_with_a_password_history_ends_with_both_passwords(
    world: World, master: DataApi, ran: bool
) -> None:

    def served(lost: int) -> int:
        name = fresh("app")
        world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-now' PASSWORD HISTORY 3")
        (account,) = read_users(master.execute, name, has_owners=True)[0].values()
        losing = Losing(master.execute, lost, ran=ran)
        until_heard(partial(_give_both, losing, account, hashes("hush-now"), hashes("hush-next")))
        assert world.options(name).history == 3
        assert (world.takes(name, "hush-now"), world.takes(name, "hush-next")) == (True, True)
        return len(losing.statements)

    each(served)


@EITHER_WAY
def test_answers_that_are_lost_for_good_are_told_soon(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, ran: bool
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(ownership, "time", SimpleNamespace(sleep=slept.append))
    name, stack = fresh("shop"), Stack(world, master, "Custom::Database")
    with pytest.raises(DatabaseError, match="the answer was lost"):
        stack.serve("Create", 1, ran=ran, for_good=True, Name=name)
    assert not world.has_database(name)
    # Twice: what it was about, and taking it back.
    assert slept == [0.1 * 2**number for number in range(7)] * 2


def test_a_delete_whose_answers_break_off_drops_or_says_why_not(world: World, master: DataApi) -> None:
    """botocore takes the rest of an answer for one without rows: "there is no such database"."""

    def served(torn: int) -> int:
        name, stack = fresh("shop"), Stack(world, master, "Custom::Database")
        stack.serve("Create", 0, ran=True, Name=name)
        world.drop(torn, in_body=True)
        before = statements(world)
        stack.serve("Delete", 0, ran=True, Name=name, OnRemove="drop", AllowDrop=name)
        world.drop(0)
        assert (world.has_database(name), world.owner(name)) == (False, None)
        return statements(world) - before

    each(served)


def statements(world: World) -> int:
    return int(json.loads(own(world.sandbox.environment, "status"))["statements"])
