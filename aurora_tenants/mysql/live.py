"""Reads the state of a server in a constant number of statements, whatever the number of tenants.

The grant tables are read in bulk and their columns parsed; SHOW GRANTS never is. Each result is read in pages by
key, because an answer of the Data API holds at most 1 MiB. Password hashes are never selected.

`execute` is any callable that takes one statement and gives its rows as tuples: the Data API in the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from aurora_tenants.mysql.grants import (
    DATABASE_PRIVILEGES,
    GLOBAL_PRIVILEGES,
    GRANT_OPTION,
    Grant,
    Scope,
    normalise,
)
from aurora_tenants.mysql.names import Account, key
from aurora_tenants.mysql.owners import OWNERS, Kind, Owner
from aurora_tenants.mysql.state import Database, Server, State, User

Value = str | int | float | bool | None
Row = Sequence[Value]
Execute = Callable[[str], Sequence[Row]]

# An answer holds at most 1 MiB; the longest possible row of the queries below is under 400 bytes.
PAGE_ROWS = 2500

# MySQL names a column of mysql.user and mysql.db after the privilege, with these exceptions.
_COLUMNS = {
    "CREATE TEMPORARY TABLES": "Create_tmp_table",
    "SHOW DATABASES": "Show_db",
    "REPLICATION SLAVE": "Repl_slave",
    "REPLICATION CLIENT": "Repl_client",
    GRANT_OPTION: "Grant",
}


class _Query(NamedTuple):
    """A SELECT that can be paged. columns: the leading `keys` of them identify a row."""

    columns: tuple[str, ...]
    source: str
    keys: int
    where: str = "TRUE"


def _flags(privileges: tuple[str, ...]) -> str:
    """An expression that gives one Y or N for each privilege."""
    return "CONCAT(" + ", ".join(f"{_COLUMNS.get(name, name.replace(' ', '_'))}_priv" for name in privileges) + ")"


_DATABASE_FLAGS = (*DATABASE_PRIVILEGES, GRANT_OPTION)
_GLOBAL_FLAGS = (*GLOBAL_PRIVILEGES, GRANT_OPTION)

_SCHEMATA = _Query(
    ("SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME"), "information_schema.SCHEMATA", 1
)
_USERS = _Query(("User", "Host", _flags(_GLOBAL_FLAGS)), "mysql.user", 2)
_DATABASES = _Query(("User", "Host", "Db", _flags(_DATABASE_FLAGS)), "mysql.db", 3)
_TABLES = _Query(("User", "Host", "Db", "Table_name", "Table_priv"), "mysql.tables_priv", 4, where="Table_priv <> ''")
_COLUMN_ROWS = _Query(("User", "Host", "Db", "Table_name", "Column_name", "Column_priv"), "mysql.columns_priv", 5)
# Three small tables in one statement: routines, roles, and dynamic privileges.
_OTHERS = _Query(
    ("user", "host", "level", "a", "b", "c"),
    "(SELECT CONVERT(User USING utf8mb4) AS user, CONVERT(Host USING utf8mb4) AS host,"
    " CONVERT(Routine_type USING utf8mb4) AS level, CONVERT(Db USING utf8mb4) AS a,"
    " CONVERT(Routine_name USING utf8mb4) AS b, CONVERT(Proc_priv USING utf8mb4) AS c FROM mysql.procs_priv"
    " UNION ALL SELECT CONVERT(TO_USER USING utf8mb4), CONVERT(TO_HOST USING utf8mb4), 'ROLE',"
    " CONVERT(FROM_HOST USING utf8mb4), CONVERT(FROM_USER USING utf8mb4), CONVERT(WITH_ADMIN_OPTION USING utf8mb4)"
    " FROM mysql.role_edges"
    " UNION ALL SELECT CONVERT(USER USING utf8mb4), CONVERT(HOST USING utf8mb4), 'DYNAMIC', '', '',"
    " CONVERT(PRIV USING utf8mb4) FROM mysql.global_grants) AS others",
    6,
)


def read_server(execute: Execute) -> Server:
    """The server's variables that decide how statements must be written.

    SHOW VARIABLES, because @@name of a variable that this version does not have is an error.
    """
    names = "('version', 'partial_revokes', 'authentication_policy', 'default_authentication_plugin')"
    variables = {
        str(name).lower(): str(value)
        for name, value in execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {names}")
    }
    return Server(variables["version"], variables.get("partial_revokes") == "ON", _plugin(variables))


def _plugin(variables: dict[str, str]) -> str:
    """The default plugin. authentication_policy (8.0.27) reads `*:plugin` or `plugin`; a bare `*` leaves it open."""
    first = variables.get("authentication_policy", "*").split(",")[0].strip().removeprefix("*").removeprefix(":")
    return first or variables.get("default_authentication_plugin") or "caching_sha2_password"


def read_state(execute: Execute) -> State:
    """Every database, and every user with its grants."""
    has_owners = owners_exist(execute)
    databases = read_databases(execute, has_owners=has_owners)
    users, grants = read_users(execute, has_owners=has_owners)
    return State(databases, users, grants)


def owners_exist(execute: Execute) -> bool:
    """Whether the schema of owners is complete. It comes with the first tenant; without it nothing has an owner."""
    tables = f"SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = {key(OWNERS)}"
    return execute(tables)[0][0] == 2


def count_objects(execute: Execute, database: str) -> int:
    """How many tables, views, routines and events a database holds."""
    parts = (("TABLES", "TABLE"), ("ROUTINES", "ROUTINE"), ("EVENTS", "EVENT"))
    counts = (
        f"(SELECT COUNT(*) FROM information_schema.{table} WHERE {column}_SCHEMA = {key(database)})"
        for table, column in parts
    )
    return int(execute(f"SELECT {' + '.join(counts)} AS n")[0][0] or 0)


def read_databases(execute: Execute, name: str | None = None, *, has_owners: bool) -> dict[str, Database]:
    """Databases and their owners, by name; with `name`, that one alone."""
    only = (name,) if name else ()
    owners = read_owners(execute, "databases", *only) if has_owners else {}
    schemata = _rows(execute, _SCHEMATA, *only)
    return {str(row[0]): Database(str(row[0]), str(row[1]), str(row[2]), owners.get(str(row[0]))) for row in schemata}


def read_users(
    execute: Execute, name: str | None = None, *, has_owners: bool
) -> tuple[dict[Account, User], frozenset[Grant]]:
    """Users with their owners, and their grants; with `name`, the accounts of that user name alone."""
    only = (name,) if name else ()
    rows = list(_rows(execute, _USERS, *only))
    accounts = [Account(str(row[0]), str(row[1])) for row in rows]
    entries = [account.entry for account in accounts] if name else []
    owners = read_owners(execute, "users", *entries) if has_owners else {}
    users = {account: User(account, owners.get(account.entry)) for account in accounts}
    return users, normalise((*_global_grants(rows), *_grants(execute, only)))


def read_owners(execute: Execute, kind: Kind, *names: str) -> dict[str, Owner]:
    """The entries of one table of owners, by name, also of what is not there any more; all without names."""
    columns = ("name", "stack", "resource", "secret", "adopted", "released", "stack_id")
    return {
        str(name): Owner(str(stack), str(resource), str(secret), bool(adopted), bool(released), str(stack_id))
        for name, stack, resource, secret, adopted, released, stack_id in _rows(
            execute, _Query(columns, f"{OWNERS}.`{kind}`", 1), *names
        )
    }


def _rows(execute: Execute, query: _Query, *only: str) -> Iterator[Row]:
    """All rows, a page at a time; keys compare byte by byte, so that no two of them are ever taken for one.

    only: the values that the first key may have, all of them when there are none.
    """
    keys = ", ".join(f"CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin" for column in query.columns[: query.keys])
    columns = ", ".join(f"{column} AS c{number}" for number, column in enumerate(query.columns))
    where = query.where
    if only:
        where += f" AND {query.columns[0]} IN ({', '.join(key(value) for value in only)})"
    after = ""
    while True:
        page = execute(f"SELECT {columns} FROM {query.source} WHERE {where}{after} ORDER BY {keys} LIMIT {PAGE_ROWS}")
        yield from page
        if len(page) < PAGE_ROWS:
            return
        after = f" AND ({keys}) > ({', '.join(key(str(value)) for value in page[-1][: query.keys])})"


def _global_grants(users: Sequence[Row]) -> Iterator[Grant]:
    for name, host, flags in users:
        for privilege in _set_flags(str(flags), _GLOBAL_FLAGS):
            yield Grant(Account(str(name), str(host)), Scope("GLOBAL"), privilege)


def _grants(execute: Execute, only: tuple[str, ...]) -> Iterator[Grant]:
    for name, host, database, flags in _rows(execute, _DATABASES, *only):
        account, scope = Account(str(name), str(host)), Scope("DATABASE", str(database))
        for privilege in _set_flags(str(flags), _DATABASE_FLAGS):
            yield Grant(account, scope, privilege)
    for name, host, database, table, privileges in _rows(execute, _TABLES, *only):
        account, scope = Account(str(name), str(host)), Scope("TABLE", str(database), str(table))
        for privilege in _set_members(str(privileges)):
            yield Grant(account, scope, privilege)
    for name, host, database, table, column, privileges in _rows(execute, _COLUMN_ROWS, *only):
        account = Account(str(name), str(host))
        scope = Scope("COLUMN", str(database), str(table), str(column))
        for privilege in _set_members(str(privileges)):
            yield Grant(account, scope, privilege)
    for row in _rows(execute, _OTHERS, *only):
        yield from _other(*(str(value) for value in row))


def _other(user: str, host: str, level: str, a: str, b: str, c: str) -> Iterator[Grant]:
    account = Account(user, host)
    if level == "DYNAMIC":
        yield Grant(account, Scope(level), c)
    elif level == "ROLE":
        yield Grant(account, Scope(level, a, b), "ADMIN OPTION" if c == "Y" else "MEMBER")
    else:
        for privilege in _set_members(c):
            yield Grant(account, Scope(level, a, b.lower()), privilege)


@cache
def _set_flags(flags: str, privileges: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name, flag in zip(privileges, flags, strict=True) if flag == "Y")


@cache
def _set_members(members: str) -> tuple[str, ...]:
    """Privileges out of a SET column such as `Select,Grant,Create View`."""
    return tuple(GRANT_OPTION if name == "Grant" else name.upper() for name in members.split(",") if name)
