"""A right that both the old and the new state hold is there after every single statement in between.

A statement about accounts takes effect at once and whole, so it is enough to try everything after each: with a
connection that stays open all the time, and with a new login. What MySQL leaves no way around is at the end, each pause
with a test that shows how short it is. AURORA_TENANTS_TRANSITIONS says how many transitions: 60 unless told.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import pymysql
import pytest

from aurora_sandbox.mysqld import Server
from aurora_tenants.mysql.changes import Change, changes
from aurora_tenants.mysql.live import Execute, read_server, read_state
from aurora_tenants.mysql.names import Account
from tests.mysql.walk import World, random_options
from tests.mysql_server import execute_as, hashes, make_owners

TRANSITIONS = int(os.environ.get("AURORA_TENANTS_TRANSITIONS", "60"))
PASSWORD = "s3cret"
CLIENT = "Auto_Generated_Client_Certificate"
ROLES = ("keep-role", "keep-other")
# All of them match a client of this machine.
HOSTS = ("%", "127.0.0.1", "localhost", "127.0.0.%", "127.0.0.0/255.0.0.0")
PROBES = {
    "select": "SELECT id FROM ke_ep.t",
    "select all": "SELECT * FROM ke_ep.t",
    "insert": "INSERT INTO ke_ep.t (id) VALUES (1)",
    "update": "UPDATE ke_ep.t SET country = 1",
    "delete": "DELETE FROM ke_ep.t",
    "other table": "SELECT id FROM ke_ep.u",
    "other database": "SELECT id FROM kexep.t",
    "call": "CALL ke_ep.p()",
    "function": "SELECT ke_ep.f()",
    "process": "SELECT COUNT(*) FROM information_schema.INNODB_METRICS",
    "flush": "FLUSH STATUS",
    "temporary": "CREATE TEMPORARY TABLE IF NOT EXISTS ke_ep.temporary (id INT)",
}
ROUTINES = ("call", "function")
ENTRIES: tuple[dict[str, Any], ...] = (
    {"Permission": "ALL", "Database": "ke_ep"},
    {"Permission": ["SELECT", "INSERT", "UPDATE"], "Database": "ke_ep"},
    {"Permission": ["SELECT", "EXECUTE", "CREATE TEMPORARY TABLES"], "Database": "ke_ep"},
    {"Permission": "ALL", "Database": "ke_ep", "Table": "t"},
    {"Permission": ["SELECT", "DELETE"], "Database": "ke_ep", "Table": "t", "GrantOption": "true"},
    {"Permission": ["SELECT"], "Database": "ke_ep", "Table": "u"},
    {"Permission": ["SELECT", "INSERT", "UPDATE"], "Database": "ke_ep", "Table": "t", "Columns": ["id", "country"]},
    {"Permission": ["SELECT"], "Database": "ke_ep", "Table": "t", "Columns": ["id"]},
    {"Permission": ["EXECUTE"], "Database": "ke_ep", "Procedure": "p"},
    {"Permission": ["EXECUTE"], "Database": "ke_ep", "Function": "f"},
    {"Permission": ["SELECT"], "Database": "kexep"},
    {"Permission": ["PROCESS"], "Database": "*"},
)


class Client:
    """A user of the server that connects by TLS with a certificate, so that no REQUIRE turns it away."""

    def __init__(self, server: Server) -> None:
        self.server = server
        data = server.directory / "data"
        self.tls = {name: str(data / f"{file}.pem") for name, file in (("key", "client-key"), ("cert", "client-cert"))}
        self.tls["ca"] = str(data / "ca.pem")

    def connect(self) -> pymysql.Connection[Any]:
        address = {"host": self.server.host, "port": self.server.port}
        tls = {"ssl": self.tls | {"check_hostname": False}}
        return pymysql.connect(user="keep", password=PASSWORD, autocommit=True, **address, **tls)  # type: ignore[call-overload]

    def fails(self) -> dict[str, str]:
        """The probes that fail with a new login."""
        with self.connect() as connection:
            return failing(connection)


def failing(connection: pymysql.Connection[Any]) -> dict[str, str]:
    found = {}
    with connection.cursor() as cursor:
        for name, statement in PROBES.items():
            try:
                cursor.execute(statement)
            except pymysql.MySQLError as error:
                found[name] = str(error)
    return found


def one(connection: pymysql.Connection[Any], statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        ((value,),) = cursor.fetchall()
    return str(value)


class Keeper(NamedTuple):
    """root: makes the changes. client: the user `keep`."""

    root: Execute
    client: Client
    version: str
    is_literal: bool

    def to(self, world: World) -> tuple[Change, ...]:
        """The changes that lead there."""
        server = read_server(self.root)
        return changes(world.state(server), read_state(self.root), server=server, password=hashes(PASSWORD))

    def go(self, world: World) -> tuple[Change, ...]:
        todo = self.to(world)
        for change in todo:
            self.root(change.statement)
        return todo


# The certificates that mysqld itself has made: there is one for a client among them.
OWN_TLS = ("--ssl-ca=ca.pem", "--ssl-cert=server-cert.pem", "--ssl-key=server-key.pem")


@pytest.fixture(
    params=[True, pytest.param(False, marks=pytest.mark.long)], ids=["server", "server_without_partial_revokes"]
)
def keeper(request: pytest.FixtureRequest, server_with: Callable[..., Server]) -> Iterator[Keeper]:
    server = server_with(*OWN_TLS, partial_revokes=request.param)
    root = execute_as(server)
    make_owners(root)
    for database in ("ke_ep", "kexep"):
        root(f"CREATE DATABASE {database}")
        root(f"CREATE TABLE {database}.t (id INT, country INT)")
        root(f"CREATE TABLE {database}.u (id INT)")
    root("CREATE PROCEDURE ke_ep.p() SELECT 1")
    root("CREATE FUNCTION ke_ep.f() RETURNS INT DETERMINISTIC RETURN 1")
    yield Keeper(root, Client(server), server.version, read_server(root).partial_revokes)
    for database in ("ke_ep", "kexep", "aurora_tenants"):
        root(f"DROP DATABASE {database}")
    for user, host in root("SELECT User, Host FROM mysql.user WHERE User LIKE 'keep%'"):
        root(f"DROP USER {Account(str(user), str(host))}")


def world_of(user: dict[str, Any], **roles: list[dict[str, Any]]) -> World:
    of_roles = {f"role:{name}": {"Name": name, "Privileges": roles.get(name.replace("-", "_"), [])} for name in ROLES}
    return World({**of_roles, "user:keep": user})


def random_world(chance: random.Random, keeper: Keeper, hosts: list[str]) -> World:
    """hosts: where the user is now; it moves now and then."""
    roles = chance.sample(ROLES, chance.choice((0, 0, 1, 1, 2)))
    user = {
        "Hosts": chance.sample(HOSTS, chance.choice((1, 1, 2))) if chance.random() < 0.25 else hosts,
        "Privileges": chance.sample(ENTRIES, chance.randrange(5)),
        "Roles": [{"Role": role} | ({"AdminOption": "true"} if chance.random() < 0.3 else {}) for role in roles],
        "Require": chance.choice(("NONE", "SSL", "X509", {"Subject": f"/CN=MySQL_Server_{keeper.version}_{CLIENT}"})),
    } | random_options(chance, ("caching_sha2_password", "sha256_password"), ("0", "4294967295"))
    user.pop("Locked", None)
    if chance.random() < 0.3:
        user["DefaultRoles"] = chance.sample(roles, chance.randrange(len(roles) + 1))
    return world_of(user, keep_role=chance.sample(ENTRIES, 2), keep_other=chance.sample(ENTRIES, 2))


def by_hand(chance: random.Random, keeper: Keeper) -> list[str]:
    """The database in its other spelling, which without partial_revokes means more than the one."""
    spelled = "ke\\_ep" if keeper.is_literal else "ke_ep"
    accounts = keeper.root("SELECT User, Host FROM mysql.user WHERE User LIKE 'keep%'")
    return [
        f"GRANT {chance.choice(('SELECT', 'ALL', 'INSERT, EXECUTE'))} ON `{spelled}`.* TO {Account(*map(str, of))}"
        for of in accounts
        if chance.random() < 0.4
    ]


# Every transition


class Lost(NamedTuple):
    """A right that was not there after a statement although both states hold it."""

    who: str
    probe: str
    todo: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        done = (f"{'>>' if number == self.at else '  '} {it}" for number, it in enumerate(self.changed))
        return "\n".join((f"{self.who} lost {self.probe} after:", *done))


def test_no_right_that_both_states_hold_is_ever_missing(
    keeper: Keeper, record_testsuite_property: Callable[[str, object], None]
):
    chance = random.Random(20_262)
    world = random_world(chance, keeper, ["%"])
    keeper.go(world)
    known = dict.fromkeys(("columns", "admin option", "role not active", "account gone"), 0)
    tried = 0
    for _ in range(TRANSITIONS):
        for statement in by_hand(chance, keeper):
            keeper.root(statement)
        world = random_world(chance, keeper, world["user:keep"]["Hosts"])
        lost, count = transition(keeper, world)
        tried += count
        for it, why in lost:
            assert why, str(it)
            known[why] += 1
    record_testsuite_property("tried", tried)
    record_testsuite_property("exceptions", known)
    assert tried > 50 * TRANSITIONS
    assert sum(known.values()) < tried / 10


def transition(keeper: Keeper, world: World) -> tuple[list[tuple[Lost, str]], int]:
    """What was lost on the way, each with the exception it is one of, if any; and how much was tried."""
    todo = list(keeper.to(world))
    with keeper.client.connect() as staying:
        roles, account = one(staying, "SELECT CURRENT_ROLE()"), one(staying, "SELECT CURRENT_USER()")
        at_first = {"staying": failing(staying), "new": keeper.client.fails()}
        missed: list[tuple[str, str, int]] = []
        for number, change in enumerate(todo):
            keeper.root(change.statement)
            if change.action == "record":
                continue  # who owns an account is nothing to its clients
            for who, failed in (("staying", failing(staying)), ("new", keeper.client.fails())):
                missed += [(who, probe, number) for probe in failed if probe not in at_first[who]]
        with keeper.client.connect() as new:
            at_last, new_roles = failing(new), one(new, "SELECT CURRENT_ROLE()")
        is_gone = account not in {f"{user}@{host}" for user, host in keeper.root("SELECT User, Host FROM mysql.user")}
        with suppress(pymysql.MySQLError):
            one(staying, "SELECT CURRENT_USER()")
            with staying.cursor() as cursor:
                cursor.execute("SET ROLE DEFAULT")
        awake = failing(staying)
    statements = tuple(change.statement for change in todo)
    found = []
    for who, probe, number in missed:
        if probe in at_last:
            continue
        why = pause(todo, number)
        if not why and who == "staying" and is_gone and ({roles, new_roles} != {"NONE"} or probe in ROUTINES):
            why = "account gone"
        elif not why and who == "staying" and probe not in awake:
            why = "role not active"
        found.append((Lost(who, probe, statements, number), why))
    return found, 2 * len(PROBES) * len(todo)


def pause(todo: list[Change], number: int) -> str:
    """The exception that the statement begins: a REVOKE whose GRANT follows at once, and the default roles after it."""
    before = todo[number - 1] if number and todo[number].action == "grant" else todo[number]
    if before.action != "revoke" or todo[number].action not in ("revoke", "grant"):
        return ""
    after = todo[todo.index(before) + 1 :][:1]
    if not after or after[0].action != "grant":
        return ""
    scope = after[0].grants[0].scope
    return {"COLUMN": "columns", "ROLE": "admin option"}.get(scope.level, "")


# Clients that go on working


def test_clients_at_work_see_no_error_while_everything_about_their_account_changes(keeper: Keeper):
    """One keeps its connection, one logs in for each query; spelling, plugin, REQUIRE, host, limits, roles change.

    Who has logged in at a host just before the account there is dropped has to connect again, as the last test says.
    """
    reading = {"Privileges": [ENTRIES[1]]}
    with_role = reading | {"Roles": [{"Role": "keep-role"}]}
    worlds = (
        world_of(reading | {"Plugin": "sha256_password", "Require": "X509", "MaxUserConnections": "100"}),
        world_of(reading | {"Hosts": ["127.0.0.1"], "Comment": "moved", "PasswordHistory": "5"}),
        world_of(with_role | {"Hosts": ["127.0.0.1", "%"]}, keep_role=[ENTRIES[2]]),
        world_of(with_role | {"Plugin": "caching_sha2_password"}, keep_role=[ENTRIES[3]]),
        world_of(with_role, keep_role=[]),
    )
    keeper.go(world_of(reading))
    errors: list[str] = []
    done = {"staying": 0, "new": 0}
    over = threading.Event()

    def work(who: str) -> None:
        staying, has_failed = keeper.client.connect(), False
        while not over.is_set():
            try:
                connection = staying if who == "staying" else keeper.client.connect()
                one(connection, "SELECT COUNT(*) FROM ke_ep.t")
                done[who] += 1
                has_failed = False
                if who == "new":
                    connection.close()
            except pymysql.MySQLError as error:
                if who == "staying" or has_failed:
                    errors.append(f"{who}: {error}")
                has_failed = True

    workers = [threading.Thread(target=work, args=(who,)) for who in done]
    for worker in workers:
        worker.start()
    try:
        for world in worlds:
            other = "ke\\_ep" if keeper.is_literal else "ke_ep"
            for host in keeper.root("SELECT Host FROM mysql.user WHERE User = 'keep'"):
                keeper.root(f"GRANT SELECT ON `{other}`.* TO {Account('keep', str(host[0]))}")
            before = dict(done)
            keeper.go(world)
            deadline = time.monotonic() + 30
            while not errors and any(done[who] < before[who] + 3 for who in done):
                assert time.monotonic() < deadline
                over.wait(0.005)
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert errors == []


# What MySQL leaves no way around


def pauses(keeper: Keeper, world: World) -> dict[tuple[str, str], list[str]]:
    """After which statements, by their first word, a right was missing; by client and probe."""
    found: dict[tuple[str, str], list[str]] = {}
    for lost, _ in transition(keeper, world)[0]:
        found.setdefault((lost.who, lost.probe), []).append(lost.todo[lost.at].split(" ", 1)[0])
    return found


def test_a_table_privilege_that_is_narrowed_to_columns_pauses_for_one_statement(keeper: Keeper):
    """REVOKE SELECT ON t takes every SELECT (column) of t too, so what comes next is their GRANT."""
    keeper.go(world_of({"Privileges": [{"Permission": ["SELECT"], "Database": "ke_ep", "Table": "t"}, ENTRIES[5]]}))
    narrowed = world_of({"Privileges": [ENTRIES[7]]})
    assert pauses(keeper, narrowed) == {("staying", "select"): ["REVOKE"], ("new", "select"): ["REVOKE"]}


def test_admin_option_that_is_taken_away_pauses_its_role_until_it_is_granted_again(keeper: Keeper):
    """A new login waits for SET DEFAULT ROLE besides."""
    entry = {"Permission": ["SELECT"], "Database": "kexep"}
    member = {"Roles": [{"Role": "keep-role"}]}
    keeper.go(world_of({"Roles": [{"Role": "keep-role", "AdminOption": "true"}]}, keep_role=[entry]))
    assert pauses(keeper, world_of(member, keep_role=[entry])) == {
        ("staying", "other database"): ["REVOKE"],
        ("new", "other database"): ["REVOKE", "GRANT"],
    }


def test_the_option_of_a_dynamic_privilege_that_is_taken_away_pauses_the_privilege(keeper: Keeper):
    """Somebody else gave it: no file can. An open connection goes on."""
    flushing = world_of({"Privileges": [{"Permission": ["FLUSH_STATUS"], "Database": "*"}]})
    keeper.go(flushing)
    keeper.root("GRANT FLUSH_STATUS ON *.* TO keep WITH GRANT OPTION")
    found = pauses(keeper, flushing)
    assert found.pop(("new", "flush")) == ["REVOKE"]
    assert found in ({}, {("staying", "flush"): ["REVOKE"]})


def test_a_right_that_moves_to_a_role_is_missing_in_connections_that_began_without_the_role(keeper: Keeper):
    """They have not activated it; SET ROLE DEFAULT or a new login does."""
    entry = {"Permission": ["SELECT"], "Database": "kexep"}
    keeper.go(world_of({"Privileges": [entry]}))
    moved = world_of({"Roles": [{"Role": "keep-role"}]}, keep_role=[entry])
    lost, _ = transition(keeper, moved)
    assert {(it.who, it.probe, why) for it, why in lost} == {("staying", "other database", "role not active")}


def test_an_account_that_is_renamed_leaves_its_connections_without_roles_and_routines(keeper: Keeper):
    """With a role active all rights are looked up by the account that logged in.

    Without one, rights on databases and tables are looked up by user name, address and name of the client's host; those
    on routines by user name and address.
    """
    entry = {"Permission": ["SELECT"], "Database": "kexep"}
    keeper.go(world_of({"Privileges": [entry]}))
    assert pauses(keeper, world_of({"Hosts": ["127.0.0.1"], "Privileges": [entry]})) == {}
    keeper.go(world_of({"Privileges": [ENTRIES[8]]}))
    lost, _ = transition(keeper, world_of({"Hosts": ["localhost"], "Privileges": [ENTRIES[8]]}))
    assert {(it.who, it.probe, why) for it, why in lost} == {("staying", "call", "account gone")}
    with_role = {"Privileges": [entry], "Roles": [{"Role": "keep-role"}]}
    keeper.go(world_of(with_role | {"Hosts": ["127.0.0.1"]}))
    lost, _ = transition(keeper, world_of(with_role))
    assert {(it.who, it.probe, why) for it, why in lost} == {("staying", "other database", "account gone")}
