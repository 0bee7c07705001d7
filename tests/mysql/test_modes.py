"""Every name and every literal in every mode of a server: made, granted, read back, used, taken away again.

The modes are those that change how MySQL reads a statement or a name: partial_revokes, lower_case_table_names,
ANSI_QUOTES, NO_BACKSLASH_ESCAPES, and activate_all_roles_on_login.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pymysql
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aurora_sandbox.mysqld import Server
from aurora_tenants.mysql.changes import changes, drop_database, drop_user
from aurora_tenants.mysql.grants import MEMBER, Grant, expand, role_scope
from aurora_tenants.mysql.live import Execute, read_server, read_state
from aurora_tenants.mysql.names import Account, identifier, is_reserved_database, is_reserved_user
from aurora_tenants.mysql.options import Options, Require
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, State, User
from tests.mysql_server import as_desired, execute_as, hashes, make_owners
from tests.mysql_variables import variables

BOTH = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"
MODES = {
    "literal names": ("server", {}),
    "patterns": ("server_without_partial_revokes", {}),
    "folded names": ("server_folding_names", {}),
    "ANSI_QUOTES": ("server", {"sql_mode": "ANSI_QUOTES"}),
    "NO_BACKSLASH_ESCAPES": ("server", {"sql_mode": "NO_BACKSLASH_ESCAPES"}),
    "both, patterns": ("server_without_partial_revokes", {"sql_mode": BOTH}),
    "both, folded names": ("server_folding_names", {"sql_mode": BOTH}),
    "all roles": ("server", {"activate_all_roles_on_login": 1}),
}
ROLE = Account("mode-role")

# A file name has 255 bytes at most, and MySQL writes `-` and `$` with five; a name may hold 47 of them.
of_database = st.text("abXY09_", max_size=40).flatmap(lambda it: st.permutations([*it, *"-$-_"[: 1 + len(it) % 4]]))
databases = of_database.map("".join).filter(lambda it: not is_reserved_database(it))
users = st.text("abXY09_$-", min_size=1, max_size=32).filter(lambda it: not is_reserved_user(it))
# Letters of which MySQL and Python know the same lower case, and all that could end a name or a statement.
letters = st.sampled_from([*map(chr, range(1, 256)), *"ΑΩαωЖжŁłİ漢字`'\"\\%_; ", "\u2028", "\uffff"])
# MySQL lets no name end with a blank, and writes most letters of a file's name with five bytes.
names = st.text(letters, min_size=1, max_size=40).filter(lambda it: it[-1] not in " \t\n\r\x0b\x0c\xa0\x85")
literals = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=60)


class Asked(NamedTuple):
    """What one example makes."""

    database: str
    user: str
    table: str
    column: str
    password: str
    comment: str


asked = st.builds(Asked, databases, users, names, names, literals, literals)


# Those with both are for script/test long.
@pytest.fixture(params=[pytest.param(it, marks=[pytest.mark.long] if it.startswith("both") else []) for it in MODES])
def mode(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server in the mode, with a role."""
    name, values = MODES[request.param]
    server: Server = request.getfixturevalue(name)
    with variables(server, **values):
        execute = execute_as(server)
        make_owners(execute)
        execute(f"CREATE USER {ROLE} ACCOUNT LOCK PASSWORD EXPIRE")
        yield server
        execute(drop_user(ROLE))
        execute(drop_database("aurora_tenants"))


def run(execute: Execute, desired: State, password: str) -> None:
    for change in changes(desired, read_state(execute), server=read_server(execute), password=hashes(password)):
        execute(change.statement)


def can(server: Server, it: Asked) -> bool:
    """Whether the user logs in and reads the one column that it may."""
    address = {"host": server.host, "port": server.port, "charset": "utf8mb4", "ssl_disabled": True}
    connection = pymysql.connect(user=it.user, password=it.password.encode(), **address)  # type: ignore[call-overload]
    statement = f"SELECT {identifier(it.column)} FROM {identifier(it.database)}.{identifier(it.table)}"
    with connection, connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except pymysql.OperationalError as error:
            assert error.args[0] in (1142, 1143), error
            return False
        return True


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(asked)
@example(Asked("a" * 17 + "-" * 47, "u" * 32, "`", "\\", "'", '"'))
@example(Asked("A_b", "A_b", "\\'\"`%_", "'; DROP USER root; --", "'' OR 1=1 -- ", "\U0001f600 it's {}"))
@example(Asked("$", "$", "Größe 名前", "Spalte Ä", "Pä\U0001f600", "%s %(a)s :name ?"))
def test_every_name_and_literal_survives(mode: Server, it: Asked):
    execute = execute_as(mode)
    running = read_server(execute)
    database, table = running.stored(it.database), running.stored(it.table)
    account, owner = Account(it.user), Owner("it's", "a 'stack'")
    member = {Grant(account, role_scope(ROLE), MEMBER)}
    wanted = {"database": database, "partial_revokes": running.partial_revokes}
    grants = {
        *expand(account, ["INSERT", "EXECUTE"], grant_option=True, **wanted),
        *expand(account, ["DELETE"], table=table, **wanted),
        *expand(account, ["SELECT"], table=table, columns=[it.column], **wanted),
        *member,
    }
    options = Options(require=Require("SPECIFIED", it.comment, it.password), comment=it.comment)
    locked = User(account, owner, options, frozenset({ROLE}))
    open_to_all = State({database: Database(database, owner=owner)}, {account: User(account, owner)}, frozenset())
    try:
        run(execute, open_to_all, it.password)
        execute(f"CREATE TABLE {identifier(it.database)}.{identifier(it.table)} ({identifier(it.column)} INT)")
        assert not can(mode, it)
        full = State(open_to_all.databases, {account: locked._replace(options=Options(comment=it.comment))}, grants)
        run(execute, full, it.password)
        assert can(mode, it)
        live = read_state(execute)
        assert as_desired(live, full) == full
        for state in (State(full.databases, {account: locked}, full.grants), open_to_all):
            run(execute, state, it.password)
            live = read_state(execute)
            assert as_desired(live, state) == state
            assert changes(state, live, server=running) == ()
        assert not can(mode, it)
    finally:
        execute(drop_user(account))
        execute(f"DROP DATABASE IF EXISTS {identifier(it.database)}")
    gone = read_state(execute)
    assert (account in gone.users, database in gone.databases) == (False, False)


def test_a_database_that_is_written_in_two_cases_is_one_where_names_are_folded(server_folding_names: Server):
    server = read_server(execute_as(server_folding_names))
    assert (server.lower_case_names, server.stored("Shop_İ")) == (True, "shop_i")
