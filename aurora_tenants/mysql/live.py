"""Reads the state of a server in a constant number of statements, whatever the number of tenants.

The grant tables are read in bulk and their columns parsed; SHOW GRANTS never is. Each result is read in pages by
key, because an answer of the Data API holds at most 1 MiB. Password hashes are never selected.

`execute` is any callable that takes one statement and gives its rows as tuples: the Data API in the product.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from aurora_tenants.mysql.accounts import (
    ACCOUNT_COLUMNS,
    ACCOUNTS,
    DEFINERS,
    GLOBAL_FLAGS,
    flags,
    user_of,
)
from aurora_tenants.mysql.grants import (
    ADMIN_OPTION,
    DATABASE_PRIVILEGES,
    GRANT_OPTION,
    MEMBER,
    Grant,
    Scope,
)
from aurora_tenants.mysql.names import Account, account_of, key
from aurora_tenants.mysql.owners import OWNERS, Kind, Owner
from aurora_tenants.mysql.state import Database, Server, State, User

Value = str | int | float | bool | None
Row = Sequence[Value]
Execute = Callable[[str], Sequence[Row]]

# An answer holds at most 1 MiB; the longest row of the queries below is under 400 bytes, and under 1,000 of an account.
PAGE_ROWS = 2500
_ACCOUNT_ROWS = 1000
# The tables and views of the schema of owners.
_OF_OWNERS = 4


class _Query(NamedTuple):
    """A SELECT that can be paged. columns: the leading `keys` of them identify a row."""

    columns: tuple[str, ...]
    source: str
    keys: int
    where: str = "TRUE"
    page: int = PAGE_ROWS


_DATABASE_FLAGS = (*DATABASE_PRIVILEGES, GRANT_OPTION)

_SCHEMATA = _Query(
    ("SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME"), "information_schema.SCHEMATA", 1
)
# Where the view is not there yet, its statement takes its place.
_USERS = _Query(ACCOUNT_COLUMNS, f"{OWNERS}.accounts", 2, page=_ACCOUNT_ROWS)
_DEFINERS = {True: f"{OWNERS}.definers", False: f"({DEFINERS}) AS definers"}
_USERS_AT_FIRST = _USERS._replace(source=f"({ACCOUNTS}) AS accounts")
_DATABASES = _Query(("User", "Host", "Db", flags(_DATABASE_FLAGS)), "mysql.db", 3)
_TABLES = _Query(("User", "Host", "Db", "Table_name", "Table_priv"), "mysql.tables_priv", 4, where="Table_priv <> ''")
_COLUMN_ROWS = _Query(("User", "Host", "Db", "Table_name", "Column_name", "Column_priv"), "mysql.columns_priv", 5)


def _utf8(*columns: str) -> str:
    """The columns in one character set: those of a UNION must agree."""
    return ", ".join(f"CONVERT({column} USING utf8mb4)" for column in columns)


# Small tables in one statement: routines, roles, default roles and dynamic privileges.
_OTHERS = _Query(
    ("user", "host", "level", "a", "b", "c"),
    "(SELECT CONVERT(User USING utf8mb4) AS user, CONVERT(Host USING utf8mb4) AS host,"
    " CONVERT(Routine_type USING utf8mb4) AS level, CONVERT(Db USING utf8mb4) AS a,"
    " CONVERT(Routine_name USING utf8mb4) AS b, CONVERT(Proc_priv USING utf8mb4) AS c FROM mysql.procs_priv"
    f" UNION ALL SELECT {_utf8('TO_USER', 'TO_HOST')}, 'ROLE',"
    f" {_utf8('FROM_HOST', 'FROM_USER', 'WITH_ADMIN_OPTION')} FROM mysql.role_edges"
    f" UNION ALL SELECT {_utf8('USER', 'HOST')}, 'DEFAULT', {_utf8('DEFAULT_ROLE_HOST', 'DEFAULT_ROLE_USER')}, ''"
    " FROM mysql.default_roles"
    f" UNION ALL SELECT {_utf8('USER', 'HOST')}, 'DYNAMIC', {_utf8('PRIV')}, '', {_utf8('WITH_GRANT_OPTION')}"
    " FROM mysql.global_grants) AS others",
    6,
)


_VARIABLES = (
    *("version", "partial_revokes", "authentication_policy", "default_authentication_plugin"),
    *("lower_case_table_names", "character_set_server", "collation_server"),
    *("mandatory_roles", "activate_all_roles_on_login"),
)


def read_server(execute: Execute) -> Server:
    """The server's variables that decide how statements must be written.

    SHOW VARIABLES, because @@name of a variable that this version does not have is an error.
    """
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    answer = execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    variables = {str(name).lower(): str(value) for name, value in answer}
    return Server(
        variables["version"],
        variables.get("partial_revokes") == "ON",
        _plugin(variables),
        variables.get("lower_case_table_names", "0") != "0",
        variables.get("character_set_server", ""),
        variables.get("collation_server", ""),
        mandatory_roles(variables.get("mandatory_roles", "")),
        variables.get("activate_all_roles_on_login") == "ON",
    )


def mandatory_roles(value: str) -> tuple[Account, ...]:
    """The accounts in a list such as "`a`@`%`,b,'c d'@localhost"; a role without a host has `%`.

    Source: "mandatory_roles", MySQL 8.4 Reference Manual: role names as in GRANT, separated by commas.
    """
    part = r"`(?:[^`]|``)*`|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^\s,@]+"
    found = re.findall(rf"\s*({part})(?:@({part}))?\s*(?:,|$)", value)
    return tuple(Account(_bare(user), _bare(host).lower() or "%") for user, host in found)


def _bare(name: str) -> str:
    quote = name[:1]
    return name[1:-1].replace(quote * 2, quote) if quote and quote in "`'\"" else name


def _plugin(variables: dict[str, str]) -> str:
    """The default plugin. authentication_policy (8.0.27) reads `*:plugin` or `plugin`; a bare `*` leaves it open."""
    first = variables.get("authentication_policy", "*").split(",")[0].strip().removeprefix("*").removeprefix(":")
    return first or variables.get("default_authentication_plugin") or "caching_sha2_password"


def read_state(execute: Execute) -> State:
    """Every database, and every user with its grants."""
    has_owners = owners_exist(execute)
    databases = read_databases(execute, has_owners=has_owners)
    users, grants = read_users(execute, has_owners=has_owners)
    for row in execute("SELECT Definer AS definer, Objects AS objects FROM " + _DEFINERS[has_owners]):
        account = account_of(str(row[0]))
        if account in users:
            users[account] = users[account]._replace(objects=int(row[1] or 0))
    return State(databases, users, grants)


def owners_exist(execute: Execute) -> bool:
    """Whether the schema of owners is complete. It comes with the first tenant; without it nothing has an owner."""
    tables = f"SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = {key(OWNERS)}"
    return execute(tables)[0][0] == _OF_OWNERS


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
    rows = list(_rows(execute, _USERS if has_owners else _USERS_AT_FIRST, *only))
    entries = [Account(str(row[0]), str(row[1])).entry for row in rows] if name else []
    owners = read_owners(execute, "users", *entries) if has_owners else {}
    users: dict[Account, User] = {}
    grants: list[Grant] = []
    for row in rows:
        user, given = user_of(row, owners.get(Account(str(row[0]), str(row[1])).entry))
        users[user.account] = user
        for privilege in _set_flags(given, GLOBAL_FLAGS):
            grants.append(Grant(user.account, Scope("GLOBAL"), privilege))
    defaults: dict[Account, set[Account]] = {}
    for account, level, *others in _others(execute, only):
        if level == "DEFAULT":
            defaults.setdefault(account, set()).add(Account(others[1], others[0]))
        else:
            grants.extend(_other(account, level, *others))
    for account, roles in defaults.items():
        if account in users:
            users[account] = users[account]._replace(default_roles=frozenset(roles))
    return users, frozenset((*grants, *_grants(execute, only)))


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
        page = execute(f"SELECT {columns} FROM {query.source} WHERE {where}{after} ORDER BY {keys} LIMIT {query.page}")
        yield from page
        if len(page) < query.page:
            return
        after = f" AND ({keys}) > ({', '.join(key(str(value)) for value in page[-1][: query.keys])})"


def _grants(execute: Execute, only: tuple[str, ...]) -> Iterator[Grant]:
    for name, host, database, given in _rows(execute, _DATABASES, *only):
        account, scope = Account(str(name), str(host)), Scope("DATABASE", str(database))
        for privilege in _set_flags(str(given), _DATABASE_FLAGS):
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


def _others(execute: Execute, only: tuple[str, ...]) -> Iterator[tuple[Account, str, str, str, str]]:
    for row in _rows(execute, _OTHERS, *only):
        user, host, level, a, b, c = map(str, row)
        yield Account(user, host), level, a, b, c


def _other(account: Account, level: str, a: str, b: str, c: str) -> Iterator[Grant]:
    if level == "DYNAMIC":
        scope = Scope(level, name=a)
        yield Grant(account, scope, a)
        if c == "Y":
            yield Grant(account, scope, GRANT_OPTION)
    elif level == "ROLE":
        scope = Scope(level, a, b)
        yield Grant(account, scope, MEMBER)
        if c == "Y":
            yield Grant(account, scope, ADMIN_OPTION)
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
