"""Reading a server: every kind of grant, every odd name, page by page, in a constant number of statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pymysql
import pytest
from pymysql.constants import FIELD_TYPE, FLAG

from aurora_sandbox import mysqld
from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.mysql import live
from aurora_tenants.mysql.grants import (
    DATABASE_PRIVILEGES,
    GLOBAL_PRIVILEGES,
    TABLE_PRIVILEGES,
    Grant,
    Scope,
    normalise,
    statements,
)
from aurora_tenants.mysql.inspector import RIGHTS
from aurora_tenants.mysql.live import (
    Execute,
    Row,
    function_exists,
    read_databases,
    read_server,
    read_state,
    read_users,
)
from aurora_tenants.mysql.names import Account, identifier
from aurora_tenants.mysql.one import read_contents
from aurora_tenants.mysql.owners import OWNERS, Owner, forget_owner, record_owner
from aurora_tenants.mysql.state import Database, Server, State
from tests.mysql_server import execute_as, make_owners, through_data_api

APP = Account("app")
OWNER = Owner("shared-app", "UserApp", "/shared/database/app")


WAYS: dict[str, Callable[[mysqld.Server], Execute]] = {
    "at the server": execute_as,
    "through the Data API": through_data_api,
    "with text of _bin as base64": partial(through_data_api, base64=True, reversed_keys=True),
}


@pytest.fixture(params=WAYS)
def execute(request: pytest.FixtureRequest, server: mysqld.Server) -> Iterator[Execute]:
    """Root on a server that holds nothing but what the test makes; it all goes away afterwards."""
    execute = WAYS[request.param](server)
    before = read_state(execute)
    make_owners(execute)
    yield execute
    after = read_state(execute)
    for account in after.users.keys() - before.users.keys():
        execute(f"DROP USER {account}")
    for name in after.databases.keys() - before.databases.keys() - {OWNERS}:
        execute(f"DROP DATABASE {identifier(name)}")
        execute(forget_owner("databases", name))
        execute(forget_owner("users", f"{name}@%"))


def grants_of(execute: Execute, *users: str) -> frozenset[Grant]:
    return frozenset(grant for grant in read_state(execute).grants if grant.account.user in (users or ("app",)))


def run(execute: Execute, *statements: str) -> None:
    for statement in statements:
        execute(statement)


# What is read


def test_a_privilege_on_every_level_reads_back_as_one_grant(execute: Execute):
    run(
        execute,
        "CREATE DATABASE app",
        "CREATE TABLE app.t (id INT, Country CHAR(2))",
        "CREATE PROCEDURE app.Proc() SELECT 1",
        "CREATE FUNCTION app.func() RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE USER app",
        "CREATE ROLE reader, writer",
        "GRANT PROCESS ON *.* TO app",
        "GRANT ROLE_ADMIN ON *.* TO app",
        "GRANT XA_RECOVER_ADMIN ON *.* TO app WITH GRANT OPTION",
        "GRANT SELECT, CREATE TEMPORARY TABLES ON app.* TO app WITH GRANT OPTION",
        "GRANT CREATE VIEW, DELETE ON app.t TO app",
        "GRANT UPDATE (Country) ON app.t TO app",
        "GRANT EXECUTE ON PROCEDURE app.Proc TO app",
        "GRANT ALTER ROUTINE ON FUNCTION app.func TO app",
        "GRANT reader TO app",
        "GRANT writer TO app WITH ADMIN OPTION",
    )
    assert grants_of(execute) == {
        Grant(APP, Scope("GLOBAL"), "PROCESS"),
        Grant(APP, Scope("DYNAMIC", name="ROLE_ADMIN"), "ROLE_ADMIN"),
        Grant(APP, Scope("DYNAMIC", name="XA_RECOVER_ADMIN"), "XA_RECOVER_ADMIN"),
        Grant(APP, Scope("DYNAMIC", name="XA_RECOVER_ADMIN"), "GRANT OPTION"),
        Grant(APP, Scope("DATABASE", "app"), "SELECT"),
        Grant(APP, Scope("DATABASE", "app"), "CREATE TEMPORARY TABLES"),
        Grant(APP, Scope("DATABASE", "app"), "GRANT OPTION"),
        Grant(APP, Scope("TABLE", "app", "t"), "CREATE VIEW"),
        Grant(APP, Scope("TABLE", "app", "t"), "DELETE"),
        Grant(APP, Scope("COLUMN", "app", "t", "Country"), "UPDATE"),
        Grant(APP, Scope("PROCEDURE", "app", "proc"), "EXECUTE"),
        Grant(APP, Scope("FUNCTION", "app", "func"), "ALTER ROUTINE"),
        Grant(APP, Scope("ROLE", "%", "reader"), "MEMBER"),
        Grant(APP, Scope("ROLE", "%", "writer"), "MEMBER"),
        Grant(APP, Scope("ROLE", "%", "writer"), "ADMIN OPTION"),
    }


@pytest.mark.parametrize(
    ("on", "scope", "expected"),
    [
        ("*.*", Scope("GLOBAL"), GLOBAL_PRIVILEGES),
        ("app.*", Scope("DATABASE", "app"), DATABASE_PRIVILEGES),
        ("app.t", Scope("TABLE", "app", "t"), TABLE_PRIVILEGES),
    ],
)
def test_all_privileges_read_back_as_their_whole_list(
    execute: Execute, on: str, scope: Scope, expected: tuple[str, ...]
):
    run(execute, "CREATE DATABASE app", "CREATE TABLE app.t (id INT)", "CREATE USER app", f"GRANT ALL ON {on} TO app")
    found = {grant.privilege for grant in grants_of(execute) if grant.scope == scope}
    assert found == set(expected)


def test_a_column_that_its_whole_table_covers_is_read_too(execute: Execute):
    """It changes nothing, but its spelling must be known (see revocable)."""
    run(execute, "CREATE DATABASE app", "CREATE TABLE app.t (id INT)", "CREATE USER app")
    run(execute, "GRANT SELECT (ID), UPDATE (ID) ON app.t TO app", "GRANT SELECT ON app.t TO app")
    table, column = Grant(APP, Scope("TABLE", "app", "t"), "SELECT"), Scope("COLUMN", "app", "t", "ID")
    assert grants_of(execute) == {table, Grant(APP, column, "SELECT"), Grant(APP, column, "UPDATE")}
    assert normalise(grants_of(execute)) == {table, Grant(APP, column, "UPDATE")}


def test_databases_and_users_come_with_their_owners(execute: Execute):
    owner = Owner("shared-app", "DatabaseApp", adopted=True)
    run(
        execute,
        "CREATE DATABASE app CHARACTER SET latin1",
        "CREATE DATABASE stray",
        record_owner("databases", "app", owner),
        "CREATE USER app",
        record_owner("users", "app@%", OWNER),
        "CREATE USER stray",
    )
    state = read_state(execute)
    assert state.databases["app"] == Database("app", "latin1", "latin1_swedish_ci", owner)
    assert state.databases["stray"].owner is None
    assert state.users[APP].owner == OWNER
    assert state.users[Account("stray")].owner is None


def test_a_server_without_the_schema_of_owners_has_no_owners(server_without_partial_revokes: mysqld.Server):
    execute = execute_as(server_without_partial_revokes)
    execute(f"DROP DATABASE IF EXISTS {OWNERS}")
    run(execute, "CREATE DATABASE app", "CREATE USER app")
    state = read_state(execute)
    assert (state.databases["app"].owner, state.users[APP].owner) == (None, None)
    run(execute, "DROP DATABASE app", "DROP USER app")


def test_half_a_schema_of_owners_counts_as_none(execute: Execute):
    execute(f"DROP TABLE {OWNERS}.users")
    assert not live.is_complete(*live.rows_of(execute, live.SCHEMA))
    make_owners(execute)
    assert live.is_complete(*live.rows_of(execute, live.SCHEMA))


@pytest.mark.parametrize("literal", [True, False])
def test_the_variables_that_decide_how_statements_are_written(request: pytest.FixtureRequest, literal: bool):
    server = request.getfixturevalue("server" if literal else "server_without_partial_revokes")
    execute = execute_as(server)
    ((version,),) = execute("SELECT VERSION()")
    expected = Server(str(version), literal, "caching_sha2_password", charset="utf8mb4", collation="utf8mb4_0900_ai_ci")
    ((most, each),) = execute("SELECT @@max_connections, @@max_user_connections")
    assert int(str(most)) > 0
    limits = {"max_connections": int(str(most)), "max_user_connections": int(str(each))}
    assert read_server(execute) == expected._replace(**limits)
    # The same as a table, for a user who may do nothing, though performance_schema is OFF.
    assert execute("SELECT @@performance_schema") == [(0,)]
    execute("CREATE USER nobody_at_all")
    with server.connect("nobody_at_all") as connection, connection.cursor() as cursor:

        def asking(statement: str) -> Sequence[Row]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        assert live.server_of(live.rows_of(asking, live.VARIABLES)) == read_server(execute)
    execute("DROP USER nobody_at_all")


@pytest.mark.parametrize("why", ["the answer is too large", "the statement is too long"])
def test_what_is_too_much_for_one_statement_is_read_in_several(
    execute: Execute, monkeypatch: pytest.MonkeyPatch, why: str
):
    a_service(execute, 1)
    queries = [live.SCHEMA, live.owners_query("users"), *live.queries_of_users("service-1", "service-1-role")]
    sent: list[str] = []

    def refusing(statement: str) -> Sequence[Row]:
        sent.append(statement)
        if why == "the answer is too large" and len(sent) == 1:
            raise DatabaseError(Problem("database-refused", "Database returned more than the size limit"))
        return execute(statement)

    expected = [sorted(map(tuple, rows)) for rows in live.together(execute, queries)]
    assert expected[2:] != [[]] * 5
    if why == "the statement is too long":
        monkeypatch.setattr(live, "_LONGEST", 100)
    assert [sorted(map(tuple, rows)) for rows in live.together(refusing, queries)] == expected
    assert len(sent) == len(queries) + (why == "the answer is too large")


@pytest.mark.parametrize(
    ("variables", "plugin"),
    [
        # Aurora MySQL 3 (8.0.26 to 8.0.42), MySQL 8.4 with another default, and a version that knows neither
        ({"authentication_policy": "*,,", "default_authentication_plugin": "mysql_native_password"}, "native"),
        ({"authentication_policy": "*:sha256_password,,"}, "sha256_password"),
        ({"authentication_policy": "sha256_password"}, "sha256_password"),
        ({}, "caching_sha2_password"),
    ],
)
def test_the_plugin_of_new_users_is_what_the_server_says(variables: dict[str, str], plugin: str):
    rows = [("version", "8.0.42"), *variables.items()]
    expected = "mysql_native_password" if plugin == "native" else plugin
    assert read_server(lambda _: rows) == Server("8.0.42", False, expected)


def test_a_database_is_empty_until_it_holds_any_object(execute: Execute):
    execute("CREATE DATABASE app")
    counts = [read_contents(execute, "app").objects]
    for statement in (
        "CREATE TABLE app.t (id INT)",
        "CREATE VIEW app.v AS SELECT 1 AS one",
        "CREATE PROCEDURE app.p() SELECT 1",
        "CREATE EVENT app.e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
    ):
        execute(statement)
        counts.append(read_contents(execute, "app").objects)
    assert counts == [0, 1, 2, 3, 4]
    assert read_contents(execute, "APP").objects == 0


# Odd names


ODD = ("a", "A", "a_", "a%", "a\\", "a`'\"", "a b", "é", "e\u0301", "ß", "ss", "a\tb", "ö", "名前")


def test_odd_names_of_users_are_never_taken_for_one_another(execute: Execute):
    for number, name in enumerate(ODD):
        account = Account(name)
        execute(f"CREATE USER {account}")
        execute(f"GRANT {TABLE_PRIVILEGES[number % 12]} ON *.* TO {account}")
    found = read_state(execute)
    expected = {Grant(Account(name), Scope("GLOBAL"), TABLE_PRIVILEGES[number % 12]) for number, name in enumerate(ODD)}
    assert {Account(name) for name in ODD} <= found.users.keys()
    assert grants_of(execute, *ODD) == expected
    for name in ODD:
        users, grants = read_users(execute, name, has_owners=True)
        assert (set(users), grants) == ({Account(name)}, {it for it in expected if it.account.user == name})


def test_odd_names_of_databases_tables_and_columns_read_back_as_they_are(execute: Execute):
    execute("CREATE USER app")
    expected = set()
    for name in ("d`", "d'\"", "d b", "D", "d", "dé", "d-$_%"):
        table, column = f"t {name}"[:64], f"c {name}"
        execute(f"CREATE DATABASE {identifier(name)}")
        execute(f"CREATE TABLE {identifier(name)}.{identifier(table)} ({identifier(column)} INT)")
        execute(f"GRANT SELECT ON {identifier(name)}.* TO app")
        execute(f"GRANT UPDATE ({identifier(column)}) ON {identifier(name)}.{identifier(table)} TO app")
        assert set(read_databases(execute, name, has_owners=True)) == {name}
        expected |= {
            Grant(APP, Scope("DATABASE", name), "SELECT"),
            Grant(APP, Scope("COLUMN", name, table, column), "UPDATE"),
        }
    assert grants_of(execute) == expected


def test_the_same_user_at_several_hosts_is_several_accounts(execute: Execute):
    hosts = ("%", "localhost", "10.0.0.%", "10.0.0.0/255.255.255.0")
    run(execute, *(f"CREATE USER {Account('app', host)}" for host in hosts))
    assert set(read_users(execute, "app", has_owners=True)[0]) == {Account("app", host) for host in hosts}


# Pages


def many(execute: Execute) -> None:
    """Thirty users and databases whose names differ only in case or in a byte; some with rights on every level."""
    execute("CREATE DATABASE app")
    execute("CREATE TABLE app.t (a INT, b INT, c INT)")
    for n in range(30):
        name = "".join(letter.upper() if n >> bit & 1 else letter for bit, letter in enumerate("abcde"))
        run(execute, f"CREATE DATABASE `{name}`", f"CREATE USER `{name}`", f"GRANT SELECT ON `{name}`.* TO `{name}`")
        run(execute, record_owner("databases", name, Owner("shared", "D")), f"GRANT UPDATE ON app.t TO `{name}`")
        run(execute, f"GRANT SELECT (a), INSERT (b, c) ON app.t TO `{name}`", f"GRANT ROLE_ADMIN ON *.* TO `{name}`")
        execute(record_owner("users", f"{name}@%", OWNER))


@pytest.mark.parametrize("rows", [1, 2, 7, 30, 31])
def test_pages_of_any_size_give_the_same_state(execute: Execute, monkeypatch: pytest.MonkeyPatch, rows: int):
    many(execute)
    whole = read_state(execute)
    monkeypatch.setattr(live, "PAGE_ROWS", rows)
    assert read_state(execute) == whole
    assert sum(grant.privilege == "ROLE_ADMIN" and len(grant.account.user) == 5 for grant in whole.grants) == 30


def test_a_user_that_is_made_while_pages_are_read_makes_none_be_read_twice(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
):
    """Pages by key: with OFFSET the new first row would push a row of the first page onto the second."""
    many(execute)
    before = read_state(execute)
    monkeypatch.setattr(live, "PAGE_ROWS", 10)
    statements: list[str] = []

    def meanwhile(statement: str) -> list[Row]:
        statements.append(statement)
        if sum("FROM mysql.user WHERE" in it for it in statements) == 2:
            execute("CREATE USER IF NOT EXISTS `0-first`")
        return list(execute(statement))

    assert read_state(meanwhile) == before


# Statements


def recorded(execute: Execute) -> tuple[Execute, list[str]]:
    statements: list[str] = []

    def run(statement: str) -> list[Row]:
        statements.append(statement)
        return list(execute(statement))

    return run, statements


def a_service(execute: Execute, number: int) -> None:
    """A database and a user with a row of every kind that there is to read."""
    name = f"service-{number}"
    run(
        execute,
        f"CREATE DATABASE `{name}`",
        f"CREATE TABLE `{name}`.t (a INT, b INT)",
        f"CREATE PROCEDURE `{name}`.p() SELECT 1",
        f"CREATE FUNCTION `{name}`.f() RETURNS INT DETERMINISTIC RETURN 1",
        f"CREATE ROLE `{name}-role`",
        f"CREATE USER `{name}` REQUIRE SUBJECT 'CN=shop' WITH MAX_USER_CONNECTIONS 5 COMMENT 'a comment'",
        f"CREATE DEFINER = `{name}` VIEW `{name}`.v AS SELECT 1 AS one",
        f"GRANT PROCESS, INSERT ON *.* TO `{name}`",
        f"REVOKE INSERT ON mysql.* FROM `{name}`",
        f"GRANT ROLE_ADMIN ON *.* TO `{name}` WITH GRANT OPTION",
        f"GRANT SELECT ON `{name}`.* TO `{name}-role` WITH GRANT OPTION",
        f"GRANT SELECT (a), UPDATE ON `{name}`.t TO `{name}`",
        f"GRANT EXECUTE ON PROCEDURE `{name}`.p TO `{name}`",
        f"GRANT EXECUTE ON FUNCTION `{name}`.f TO `{name}`",
        f"GRANT `{name}-role` TO `{name}` WITH ADMIN OPTION",
        f"SET DEFAULT ROLE `{name}-role` TO `{name}`",
        record_owner("databases", name, Owner("shared", "D")),
        record_owner("users", f"{name}@%", OWNER),
    )


def test_the_number_of_statements_does_not_depend_on_the_number_of_services(execute: Execute):
    counts = []
    for services in (range(5), range(5, 200)):
        for number in services:
            a_service(execute, number)
        recording, statements = recorded(execute)
        read_server(recording)
        found = read_state(recording)
        counts.append((len(statements), sum(grant.scope.level == "COLUMN" for grant in found.grants)))
    assert counts == [(12, 5), (12, 200)]


def test_a_password_hash_is_never_selected(execute: Execute, server: mysqld.Server):
    """Neither by name nor by `*`: not even the Data API's log may hold one."""
    run(
        execute,
        "CREATE USER app IDENTIFIED BY 'first'",
        "ALTER USER app IDENTIFIED BY 'second' RETAIN CURRENT PASSWORD",
    )
    hashes = "SELECT authentication_string, User_attributes FROM mysql.user WHERE User='app'"
    ((current, attributes),) = execute_as(server)(hashes)
    recording, statements = recorded(execute)
    rows: list[object] = []

    def keeping(statement: str) -> list[Row]:
        answer = list(recording(statement))
        rows.extend(answer)
        return answer

    read_state(keeping)
    text = "\n".join(statements)
    assert re.findall(r"authentication_string|User_attributes|SELECT \*|, \*", text) == []
    retained = re.search(r'"additional_password": "(.+?)"', str(attributes))
    assert retained
    assert [secret for secret in (str(current), retained.group(1)) if secret in str(rows)] == []


# The inspector


@pytest.fixture
def inspector(execute: Execute, server: mysqld.Server) -> Execute:
    """A user with the rights that the shared stack gives its inspector: none on mysql.user, where the hashes are."""
    execute("CREATE USER inspector")
    account = Account("inspector")
    run(execute, *(it.sql for it in statements([Grant(account, scope, name) for name, scope in RIGHTS], ())))
    return execute_as(server, "inspector")


def test_the_inspector_reads_what_root_reads(execute: Execute, inspector: Execute):
    many(execute)
    run(
        execute,
        "CREATE USER app",
        "GRANT INSERT ON *.* TO app",
        "REVOKE INSERT ON mysql.* FROM app",
        "ALTER USER app COMMENT 'it''s \"'",
    )
    run(execute, "CREATE DEFINER = app@`%` VIEW app.v AS SELECT 1 AS one", "CREATE ROLE reader", "GRANT reader TO app")
    run(execute, "SET DEFAULT ROLE reader TO app")
    assert read_state(inspector) == read_state(execute)
    assert read_server(inspector) == read_server(execute)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT authentication_string FROM mysql.user",
        "SELECT User_attributes FROM mysql.user",
        "SELECT a FROM app.t",
        f"DELETE FROM {OWNERS}.`databases`",
        "CREATE USER another",
    ],
)
def test_the_inspector_can_neither_read_a_hash_nor_a_tenants_data_nor_write(
    execute: Execute, inspector: Execute, statement: str
):
    run(execute, "CREATE DATABASE app", "CREATE TABLE app.t (a INT)")
    with pytest.raises(pymysql.OperationalError, match="denied"):
        inspector(statement)


def test_no_column_that_is_read_has_the_binary_flag(execute: Execute, server: mysqld.Server):
    """Some clients take text that has it for bytes, and the Data API may answer such columns in base64."""
    run(execute, "CREATE DATABASE app COLLATE utf8mb4_bin", "CREATE USER app COMMENT 'x'", "CREATE ROLE reader")
    run(execute, "GRANT reader TO app", "SET DEFAULT ROLE reader TO app", "GRANT SELECT ON app.* TO app")
    run(execute, record_owner("users", "app@%", OWNER), record_owner("databases", "app", OWNER))
    connection, flagged = server.connect(), set[str]()
    texts = (FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING, FIELD_TYPE.BLOB)

    def looking(statement: str) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            for column in cursor._result.fields:  # type: ignore[attr-defined]  # the one way to a column's flags
                if column.flags & FLAG.BINARY and column.type_code in texts:
                    flagged.add(f"{column.name} of {statement}")
            return list(cursor.fetchall())

    looking("SELECT User AS unconverted FROM mysql.user")
    assert len(flagged) == 1
    flagged.clear()
    assert read_state(looking) == read_state(execute)
    assert read_server(looking) == read_server(execute)
    assert (function_exists(looking), read_contents(looking, "app").objects) == (True, 0)
    assert flagged == set()


def test_the_servers_own_accounts_and_databases_are_read_too(execute: Execute):
    state = read_state(execute)
    assert isinstance(state, State)
    assert {account.user for account in state.users} >= {"root", "mysql.sys", "mysql.session", "mysql.infoschema"}
    assert state.databases.keys() >= {"mysql", "sys", "information_schema", "performance_schema", OWNERS}
