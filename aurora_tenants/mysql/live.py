"""Reads the state of a server in a constant number of statements, whatever the number of tenants.

The grant tables are read in bulk; the output of SHOW GRANTS is never parsed. Each result is read in pages by key,
because an answer of the Data API holds at most 1 MiB. Password hashes are never selected.

Every value is read as text (`select`): what the Data API makes of a column follows from MySQL's description of it, and
may be base64 for text that compares byte by byte, as most of the grant tables' does.

`execute` is any callable that takes one statement and returns its rows as tuples: the Data API in the product.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.accounts import ACCOUNT_COLUMNS, ACCOUNTS, DEFINERS, FUNCTION, GLOBAL_FLAGS, flags, user_of
from aurora_tenants.mysql.grants import ADMIN_OPTION, DATABASE_PRIVILEGES, GRANT_OPTION, MEMBER, Grant, Scope
from aurora_tenants.mysql.names import Account, account_of, key, pattern
from aurora_tenants.mysql.objects import NOTHING, OBJECTS, Answer, Asked, Page, answer, pages, sought
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import OWNERS, Kind, Owner
from aurora_tenants.mysql.state import Database, Server, State, User

Value = str | int | float | bool | None
Row = Sequence[Value]
Execute = Callable[[str], Sequence[Row]]

# An answer holds at most 1 MiB; the longest row of the queries below is under 400 bytes, and under 1,000 of an account.
PAGE_ROWS = 2500
_ACCOUNT_ROWS = 1000
# How many tables and views the schema of owners has beside the table of shares, which is younger.
_TABLES_OF_OWNERS = 4


def select(columns: Sequence[str], rest: str) -> str:
    """SELECT of these expressions, each as text or NULL, FROM and so on. Labels sort in the order of the columns.

    CONVERT takes away the BINARY flag of a `_bin` collation and changes no value
    (test_no_column_that_is_read_has_the_binary_flag).
    """
    return f"SELECT {', '.join(f'{_text(column)} AS c{number:02}' for number, column in enumerate(columns))} {rest}"


def _text(column: str) -> str:
    return f"CONVERT({column} USING utf8mb4)"


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
# Until the views exist (True: they do), their SELECT is run instead.
_DEFINERS = {True: f"{OWNERS}.definers", False: f"({DEFINERS}) AS definers"}
_ACCOUNTS = {True: f"{OWNERS}.accounts", False: f"({ACCOUNTS}) AS accounts"}
_DATABASES = _Query(("User", "Host", "Db", flags(_DATABASE_FLAGS)), "mysql.db", 3)
_TABLES = _Query(("User", "Host", "Db", "Table_name", "Table_priv"), "mysql.tables_priv", 4, where="Table_priv <> ''")
_COLUMN_ROWS = _Query(("User", "Host", "Db", "Table_name", "Column_name", "Column_priv"), "mysql.columns_priv", 5)


def _utf8(*columns: str) -> str:
    """The columns in one character set: those of a UNION must agree."""
    return ", ".join(map(_text, columns))


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
    *("mandatory_roles", "max_connections", "max_user_connections"),
)


def read_server(execute: Execute) -> Server:
    """The server's variables that decide how statements must be written.

    By SHOW VARIABLES, because selecting @@name is an error where the version does not have that variable.
    """
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    variables = {str(name).lower(): str(value) for name, value in rows}
    return Server(
        variables["version"],
        variables.get("partial_revokes") == "ON",
        _plugin(variables),
        variables.get("lower_case_table_names", "0") != "0",
        variables.get("character_set_server", ""),
        variables.get("collation_server", ""),
        mandatory_roles(variables.get("mandatory_roles", "")),
        int(variables.get("max_connections", 0)),
        int(variables.get("max_user_connections", 0)),
    )


def mandatory_roles(value: str) -> tuple[Account, ...]:
    """The accounts in a list such as "`a`@`%`,b,'c d'@localhost"; a role without a host has `%`.

    Source: "mandatory_roles", MySQL 8.4 Reference Manual: role names as in GRANT, separated by commas.
    """
    part = r"`(?:[^`]|``)*`|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^\s,@]+"
    roles = re.findall(rf"\s*({part})(?:@({part}))?\s*(?:,|$)", value)
    return tuple(Account(_unquoted(user), _unquoted(host).lower() or "%") for user, host in roles)


def _unquoted(name: str) -> str:
    quote = name[:1]
    return name[1:-1].replace(quote * 2, quote) if quote and quote in "`'\"" else name


def _plugin(variables: dict[str, str]) -> str:
    """The default plugin, if it takes a password. authentication_policy (8.0.27) reads `*:plugin` or `plugin`; a bare
    `*` leaves it open.
    """
    first = variables.get("authentication_policy", "*").split(",")[0].strip().removeprefix("*").removeprefix(":")
    default = first or variables.get("default_authentication_plugin")
    return default if default in PASSWORD_PLUGINS else "caching_sha2_password"


def read_state(execute: Execute, asked: Asked = NOTHING) -> State:
    """All databases, users and grants, and whether there is what those grants need that are asked for and not held."""
    looks = _function(OBJECTS) if any(asked) else "0"
    _, has_owners, has_shares, can_look = _schema_of_owners(execute, looks)
    databases = read_databases(execute, has_owners=has_owners, has_shares=has_shares)
    users, grants = read_users(execute, has_owners=has_owners)
    scopes = sought(asked.grants, grants) if asked.grants else frozenset[Scope]()
    todo = [*pages(scopes, asked.databases)] if can_look else []
    definers, found = _read_objects(execute, _DEFINERS[has_owners], todo)
    users |= {it: user._replace(objects=definers.pop(it)) for it, user in users.items() if it in definers}
    unseen = frozenset[Scope]() if can_look else scopes
    return State(databases, users, grants, definers, found.missing, unseen, found.contents)


def _read_objects(execute: Execute, definers: str, todo: Sequence[Page]) -> tuple[dict[Account, int], Answer]:
    """How much runs as each account, and in the same statement what there is of what is asked for, or its first page.

    definers: where the former is in the database.
    """
    also = f" UNION ALL SELECT NULL, {_text(todo[0].expression)}" if todo else ""
    rows = execute(select(("Definer", "Objects"), f"FROM {definers}{also}"))
    texts = [str(value) for definer, value in rows if definer is None]
    texts += [str(execute(select((page.expression,), "FROM DUAL"))[0][0]) for page in todo[1:]]
    counts = {account_of(str(definer)): int(count or 0) for definer, count in rows if definer is not None}
    return counts, answer(zip(todo, texts, strict=True))


def read_schema_of_owners(execute: Execute) -> tuple[str, bool]:
    """The user that is logged in, and whether the schema of owners is complete.

    The shared stack brings that schema; without it nothing has an owner.
    """
    user, has_owners, has_shares, _ = _schema_of_owners(execute)
    return user, has_owners and has_shares


def _schema_of_owners(execute: Execute, count: str = "0") -> tuple[str, bool, bool, bool]:
    """The user that is logged in, whether the schema has owners, whether it has shares, whether `count` is not 0."""
    name = "SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"
    counts = (f"SUM(TABLE_NAME {comparison} 'shares')" for comparison in ("<>", "="))
    tables = f"FROM information_schema.TABLES WHERE TABLE_SCHEMA = {key(OWNERS)}"
    ((user, owners, shares, counted),) = execute(select((name, *counts, count), tables))
    return str(user), owners == str(_TABLES_OF_OWNERS), shares == "1", counted != "0"


def function_exists(execute: Execute, name: str = FUNCTION) -> bool:
    """Whether the schema of owners has a function that this user may execute: the one that sees all definers."""
    return execute(select((_function(name),), "FROM DUAL"))[0][0] != "0"


def _function(name: str) -> str:
    routines = "information_schema.ROUTINES"
    return f"(SELECT COUNT(*) FROM {routines} WHERE ROUTINE_SCHEMA = {key(OWNERS)} AND ROUTINE_NAME = {key(name)})"


class Droppable(NamedTuple):
    """What there is of a database: whether it is there, how much is in it, and how many shares it has.

    objects: its tables, views, routines and events.
    """

    is_there: bool
    objects: int
    shares: int


def read_contents(execute: Execute, database: str) -> Droppable:
    """In one statement what decides whether a database may be dropped."""
    parts = (("TABLES", "TABLE"), ("ROUTINES", "ROUTINE"), ("EVENTS", "EVENT"))
    objects = (
        f"(SELECT COUNT(*) FROM information_schema.{table} WHERE {column}_SCHEMA = {key(database)})"
        for table, column in parts
    )
    there = f"(SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {key(database)})"
    shares = f"(SELECT COUNT(*) FROM {OWNERS}.shares WHERE name = {key(database)} AND NOT withdrawn)"
    ((schemata, count, shared),) = execute(select((there, " + ".join(objects), shares), "FROM DUAL"))
    return Droppable(schemata != "0", int(count or 0), int(shared or 0))


def read_databases(
    execute: Execute, name: str | None = None, *, has_owners: bool, has_shares: bool = False
) -> dict[str, Database]:
    """Databases with their owners and with whom they are shared, by name; with `name`, that one alone."""
    only = (name,) if name else ()
    owners = read_owners(execute, "databases", *only) if has_owners else {}
    shares = read_shares(execute, *only) if has_shares else {}
    schemata = (map(str, row) for row in _rows(execute, _SCHEMATA, *only))
    return {
        name: Database(name, charset, collation, owners.get(name), *shares.get(name, ()))
        for name, charset, collation in schemata
    }


def read_grants_on(execute: Execute, database: str) -> frozenset[Grant]:
    """What any account holds on a database, its tables, columns and routines, whether it is there or not."""
    names = f"IN ({key(database)}, {key(pattern(database, partial_revokes=False))})"
    parts = (
        ("'DATABASE'", "''", "''", flags(_DATABASE_FLAGS), f"mysql.db WHERE Db {names}"),
        ("'TABLE'", "Table_name", "''", "Table_priv", f"mysql.tables_priv WHERE Db {names} AND Table_priv <> ''"),
        ("'COLUMN'", "Table_name", "Column_name", "Column_priv", f"mysql.columns_priv WHERE Db {names}"),
        ("Routine_type", "Routine_name", "''", "Proc_priv", f"mysql.procs_priv WHERE Db {names}"),
    )
    labels = ("User", "Host", "level", "Db", "name", "col", "granted")
    union = " UNION ALL ".join(
        "SELECT "
        + ", ".join(f"{_text(column)} AS {label}" for column, label in zip(columns, labels, strict=True))
        + f" FROM {source}"
        for level, name, column, granted, source in parts
        for columns in [("User", "Host", level, "Db", name, column, granted)]
    )
    grants = set()
    for row in _rows(execute, _Query(labels, f"({union}) AS found", 6)):
        user, host, level, db, name, column, granted = map(str, row)
        privileges = _set_flags(granted, _DATABASE_FLAGS) if level == "DATABASE" else _set_members(granted)
        grants |= {Grant(Account(user, host), Scope(level, db, name, column), privilege) for privilege in privileges}
    return frozenset(grants)


def read_shares(execute: Execute, *names: str) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """The stacks that each database is shared with, and those that it was shared with; without names, of all."""
    shares: dict[str, tuple[set[str], set[str]]] = {}
    for name, stack, withdrawn in _rows(execute, _Query(("name", "stack", "withdrawn"), f"{OWNERS}.shares", 2), *names):
        shares.setdefault(str(name), (set(), set()))[withdrawn == "1"].add(str(stack))
    return {name: (frozenset(now), frozenset(before)) for name, (now, before) in shares.items()}


def read_owned(execute: Execute, names: Collection[str], stack: str) -> dict[str, Database]:
    """Of these databases those that have an owner, also when they are gone; of their shares only this stack's."""
    columns = ("name", "owner", "resource", "released", "stack_id", "withdrawn")
    source = (
        f"(SELECT d.name, d.stack AS owner, d.resource, d.released, d.stack_id, s.withdrawn FROM {OWNERS}.`databases`"
        f" AS d LEFT JOIN {OWNERS}.shares AS s ON s.name = d.name AND s.stack = {key(stack)}) AS owned"
    )
    owned = {}
    for row in _rows(execute, _Query(columns, source, 1), *names) if names else ():
        name, owner, resource, released, stack_id, withdrawn = row
        known = Owner(str(owner), str(resource), released=released == "1", stack_id=str(stack_id))
        is_shared, was_shared = (frozenset((stack,) if withdrawn == mark else ()) for mark in ("0", "1"))
        owned[str(name)] = Database(str(name), owner=known, shared_with=is_shared, withdrawn_from=was_shared)
    return owned


def read_users(
    execute: Execute,
    *only: str,
    has_owners: bool,
    owners: Mapping[str, Owner] | None = None,
) -> tuple[dict[Account, User], frozenset[Grant]]:
    """Users with their owners, and their grants. only: the names of users whose accounts these are; without any, all.

    owners: by `user@host`, where they are known already.
    """
    rows = list(_rows(execute, _Query(ACCOUNT_COLUMNS, _ACCOUNTS[has_owners], 2, page=_ACCOUNT_ROWS), *only))
    entries = [Account(str(row[0]), str(row[1])).entry for row in rows] if only else []
    if only and not rows:
        return {}, frozenset()  # grants go with their account
    if owners is None:
        owners = read_owners(execute, "users", *entries) if has_owners else {}
    users: dict[Account, User] = {}
    grants: list[Grant] = []
    for row in rows:
        user, global_flags = user_of(row, owners)
        users[user.account] = user
        grants += (Grant(user.account, Scope("GLOBAL"), name) for name in _set_flags(global_flags, GLOBAL_FLAGS))
    defaults: dict[Account, set[Account]] = {}
    for row in _rows(execute, _OTHERS, *only):
        user_name, host, level, a, b, c = map(str, row)
        account = Account(user_name, host)
        if level == "DEFAULT":
            defaults.setdefault(account, set()).add(Account(b, a))
        else:
            grants += _other_grants(account, level, a, b, c)
    for account, roles in defaults.items():
        if account in users:
            users[account] = users[account]._replace(default_roles=frozenset(roles))
    return users, frozenset((*grants, *_grants(execute, only)))


def read_owners(execute: Execute, kind: Kind, *names: str) -> dict[str, Owner]:
    """One table of owners by name, including entries of things that are gone; without names, all of it."""
    columns = ("name", "stack", "resource", "secret", "adopted", "released", "stack_id")
    return {
        str(name): Owner(str(stack), str(resource), str(secret), adopted == "1", released == "1", str(stack_id))
        for name, stack, resource, secret, adopted, released, stack_id in _rows(
            execute, _Query(columns, f"{OWNERS}.`{kind}`", 1), *names
        )
    }


def _rows(execute: Execute, query: _Query, *only: str) -> Iterator[Row]:
    """All rows, a page at a time; keys are compared byte by byte, so that no two are ever taken for the same.

    only: the values that the first key may have; without any, every value.
    """
    keys = ", ".join(f"{_text(column)} COLLATE utf8mb4_bin" for column in query.columns[: query.keys])
    where = query.where
    if only:
        where += f" AND {query.columns[0]} IN ({', '.join(key(value) for value in only)})"
    after, size = "", query.page
    while True:
        rest = f"FROM {query.source} WHERE {where}{after} ORDER BY {keys} LIMIT {size}"
        try:
            page = execute(select(query.columns, rest))
        except DatabaseError as error:
            if size == 1 or "size limit" not in str(error):
                raise
            size //= 2  # whoever may make names can make them long
            continue
        yield from page
        if len(page) < size:
            return
        after = f" AND ({keys}) > ({', '.join(key(str(value)) for value in page[-1][: query.keys])})"


def _grants(execute: Execute, only: tuple[str, ...]) -> Iterator[Grant]:
    """The grants on databases, tables and columns."""
    for level, query in (("DATABASE", _DATABASES), ("TABLE", _TABLES), ("COLUMN", _COLUMN_ROWS)):
        for row in _rows(execute, query, *only):
            name, host, *place, value = map(str, row)
            account, scope = Account(name, host), Scope(level, *place)
            for privilege in _set_flags(value, _DATABASE_FLAGS) if level == "DATABASE" else _set_members(value):
                yield Grant(account, scope, privilege)


def _other_grants(account: Account, level: str, a: str, b: str, c: str) -> Iterator[Grant]:
    """The grants in a row of _OTHERS: of a dynamic privilege, a role or a routine."""
    privileges: tuple[str, ...]
    if level == "DYNAMIC":
        scope, privileges = Scope(level, name=a), (a, GRANT_OPTION) if c == "Y" else (a,)
    elif level == "ROLE":
        scope, privileges = Scope(level, a, b), (MEMBER, ADMIN_OPTION) if c == "Y" else (MEMBER,)
    else:
        scope, privileges = Scope(level, a, b.lower()), _set_members(c)
    for privilege in privileges:
        yield Grant(account, scope, privilege)


@cache
def _set_flags(flags: str, privileges: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name, flag in zip(privileges, flags, strict=True) if flag == "Y")


@cache
def _set_members(members: str) -> tuple[str, ...]:
    """The privileges in a SET column such as `Select,Grant,Create View`."""
    return tuple(GRANT_OPTION if name == "Grant" else name.upper() for name in members.split(",") if name)
