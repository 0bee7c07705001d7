"""How often the provider asks the Data API for one event, and how much of it comes back, whatever else there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aurora_tenants.lambdas.request import client_of
from aurora_tenants.mysql.dataapi import DataApi
from tests.lambdas.served import Stack, user_of
from tests.lambdas.world import GIVEN, ONCE, PROVIDER, World, on

pytestmark = ONCE

# Of them in a Create of the user: one that reads all, its entry, a look at who was faster, CREATE USER, two GRANTs (of
# the privilege, of the role) and the default roles. An Update reads, and logs in.
ROUND_TRIPS = {
    "database": {"Create": 4, "Update": 1, "Delete": 4},
    "role": {"Create": 5, "Update": 1, "Delete": 3},
    "user": {"Create": 7, "Update": 2, "drift": 3, "Delete": 3},
}


class Counting:
    """A client for rds-data that counts its calls, and the bytes of what they answer."""

    def __init__(self, client: Any) -> None:
        self._client, self.calls, self.bytes = client, 0, 0

    def execute_statement(self, **asked: Any) -> Any:
        self.calls += 1
        answer = self._client.execute_statement(**asked)
        self.bytes += len(answer.get("formattedRecords", "")) + len(json.dumps(answer.get("records", "")))
        return answer


class Served:
    """What each event of a database, a role and a user of one stack has taken. mark: four characters, in every name."""

    def __init__(self, world: World, master: DataApi, mark: str) -> None:
        self.client = Counting(master.client)
        counting = DataApi(self.client, master.cluster_arn, master.secret_arn)
        self.calls: dict[str, dict[str, int]] = {}
        self.bytes: dict[str, dict[str, int]] = {}
        shop, reader, app = f"shop_{mark}", f"reader_{mark}", f"app_{mark}"
        secret = user_of(world, app)
        of = {"name": f"stack-{mark}"}
        database = Stack(world, counting, "Custom::Database", **of), {"Name": shop, "OnRemove": "drop"}
        role = Stack(world, counting, "Custom::DatabaseRole", **of), {"Name": reader, "Privileges": [on(shop)]}
        asked = {"SecretId": secret.arn, "Privileges": [on(shop, "SELECT")], "Roles": [{"Role": reader}]}
        user = Stack(world, counting, "Custom::DatabaseUser", secret, **of), asked
        # Its own logical id: all three are of one stack.
        for (stack, _), name in ((database, "Shop"), (role, "Reader"), (user, "App")):
            stack.logical_id = name
        for what, (stack, properties) in (("database", database), ("role", role), ("user", user)):
            self._serve(what, "Create", stack, properties)
            self._serve(what, "Update", stack, properties)
        world.sql(f"REVOKE SELECT ON `{shop}`.* FROM `{app}`")
        self._serve("user", "drift", user[0], user[1])
        assert world.sql(f"SHOW GRANTS FOR `{app}`")[1:2] == [(f"GRANT SELECT ON `{shop}`.* TO `{app}`@`%`",)]
        for what, (stack, properties) in (("user", user), ("role", role), ("database", database)):
            self._serve(what, "Delete", stack, properties)
        assert (world.has_user(app), world.has_user(reader), world.has_database(shop)) == (False, False, False)

    def _serve(self, what: str, event: str, stack: Stack, properties: dict[str, Any]) -> None:
        calls, size = self.client.calls, self.client.bytes
        stack.serve("Update" if event == "drift" else event, **properties)
        self.calls.setdefault(what, {})[event] = self.client.calls - calls
        self.bytes.setdefault(what, {})[event] = self.client.bytes - size


@contextmanager
def a_thousand_others(world: World) -> Iterator[None]:
    """Entries of a thousand other stacks, of accounts and databases, with which one database is shared."""
    of = "'Other', 'secret', 0, 0, '1'"
    numbers = [f"{number:04}" for number in range(1000)]
    try:
        world.sql(
            "INSERT INTO aurora_tenants.users VALUES "
            + ", ".join(f"('other-{it}@%', 'others-{it}', {of}), ('other-{it}@10.%', 'x', {of})" for it in numbers),
            "INSERT INTO aurora_tenants.`databases` VALUES "
            + ", ".join(f"('other-{it}', 'others-{it}', {of})" for it in numbers),
            "INSERT INTO aurora_tenants.shares VALUES "
            + ", ".join(f"('other-0001', 'others-{it}', 0)" for it in numbers),
        )
        yield
    finally:
        world.sql(
            "DELETE FROM aurora_tenants.users WHERE name LIKE 'other-____@%'",
            "DELETE FROM aurora_tenants.`databases` WHERE name LIKE 'other-____'",
            "DELETE FROM aurora_tenants.shares WHERE stack LIKE 'others-____'",
        )


def test_an_event_takes_as_many_round_trips_as_ever_and_reads_nothing_of_others(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    alone = Served(world, master, "rt01")
    assert alone.calls == ROUND_TRIPS
    with a_thousand_others(world):
        beside = Served(world, master, "rt02")
    assert (beside.calls, beside.bytes) == (alone.calls, alone.bytes)
    assert max(size for sizes in alone.bytes.values() for size in sizes.values()) < 10_000


def test_a_database_that_is_shared_with_a_thousand_stacks_is_read_as_one_that_is_shared_with_one(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    found = []
    for mark, shared_with in (("rt03", 0), ("rt04", 1000)):
        name, client = f"all_{mark}", Counting(master.client)
        counting = DataApi(client, master.cluster_arn, master.secret_arn)
        world.make_database(name)
        world.record(name, GIVEN, "Database")
        rows = "".join(f", ('{name}', 'others-{number}', 0)" for number in range(shared_with))
        world.sql(f"INSERT INTO aurora_tenants.shares VALUES ('{name}', 'stack-{mark}', 0){rows}")
        secret = user_of(world, f"app_{mark}")
        stack = Stack(world, counting, "Custom::DatabaseUser", secret, name=f"stack-{mark}")
        stack.serve("Create", SecretId=secret.arn, Privileges=[on(name, "SELECT")])
        stack.serve("Delete", SecretId=secret.arn)
        found.append(client.bytes)
        world.sql(f"DELETE FROM aurora_tenants.shares WHERE name = '{name}'", f"DROP DATABASE `{name}`")
    assert found[0] == found[1]


def test_a_process_makes_its_clients_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client_of.cache_clear()
    try:
        services = ("rds-data", "secretsmanager", "cloudformation")
        assert [client_of(it) for it in services] == [client_of(it) for it in services]
        # Only the Data API's own code knows what may be repeated.
        assert [client_of(it).meta.config.retries["total_max_attempts"] for it in services] == [1, 8, 8]
    finally:
        client_of.cache_clear()
