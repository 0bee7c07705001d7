"""Reads the state of a server in a constant number of statements, whatever the number of tenants.

The grant tables are read in bulk; the output of SHOW GRANTS is never parsed. Each result is read in pages by key,
because an answer of the Data API holds at most 1 MiB. Password hashes are never selected.

Every value is read as text (`select`): what the Data API makes of a column follows from MySQL's description of it, and
may be base64 for text that compares byte by byte, as most of the grant tables' does.

`execute` is any callable that takes one statement and returns its rows as tuples: the Data API in the product.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.accounts import ACCOUNT_COLUMNS, ACCOUNTS, DEFINERS, FUNCTION, GLOBAL_FLAGS, flags, user_of
from aurora_tenants.mysql.grants import ADMIN_OPTION, DATABASE_PRIVILEGES, GRANT_OPTION, MEMBER, Grant, Scope
from aurora_tenants.mysql.names import Account, account_of, key, pattern
from aurora_tenants.mysql.objects import NOTHING, OBJECTS, Asked, answer, pages, sought
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import OWNERS, Kind, Owner
from aurora_tenants.mysql.state import Database, Server, State, User

Value = str | int | float | bool | None
Row = Sequence[Value]
Execute = Callable[[str], Sequence[Row]]

# An answer holds at most 1 MiB; the longest row of the queries below is under 400 bytes, and under 1,000 of an account.
PAGE_ROWS = 2500
# A statement has at most 65,536 characters: "sql", ExecuteStatement, RDS Data API Reference.
_LONGEST = 65_000
_ACCOUNT_ROWS = 1000
# How many tables and views the schema of owners has beside the table of shares, which is younger.
_TABLES_OF_OWNERS = "4"


def select(columns: Sequence[str], rest: str) -> str:
    """SELECT of these expressions, each as text or NULL, FROM and so on. Labels sort in the order of the columns.

    CONVERT takes away the BINARY flag of a `_bin` collation and changes no value
    (test_no_column_that_is_read_has_the_binary_flag).
    """
    return f"SELECT {', '.join(f'{_text(column)} AS c{number:02}' for number, column in enumerate(columns))} {rest}"


def _text(column: str) -> str:
    return f"CONVERT({column} USING utf8mb4)"


def keys(values: Iterable[str]) -> str:
    """What goes between the brackets of IN. Left out is what no name in MySQL can be, whose comparison may fail (3988).

    Source: "Schema Object Names", MySQL 8.4 Reference Manual: no supplementary characters.
    """
    return ", ".join(("NULL", *(key(value) for value in values if not _NO_NAME.search(value))))


_NO_NAME = re.compile(r"[\ud800-\udfff\U00010000-\U0010ffff]")


class Query(NamedTuple):
    """A SELECT that can be paged. columns: the leading `keys` of them identify a row."""

    columns: tuple[str, ...]
    source: str
    keys: int
    where: str = "TRUE"
    page: int = PAGE_ROWS

    def of(self, *only: str) -> Query:
        """The same of the rows whose first key is one of these; without any, of all."""
        if not only:
            return self
        return self._replace(where=f"{self.where} AND {self.columns[0]} IN ({keys(only)})")


_DATABASE_FLAGS = (*DATABASE_PRIVILEGES, GRANT_OPTION)

SCHEMATA = Query(
    ("SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME"), "information_schema.SCHEMATA", 1
)
# Until the views exist (True: they do), their SELECT is run instead.
_DEFINERS = {True: f"{OWNERS}.definers", False: f"({DEFINERS}) AS definers"}
_ACCOUNTS = {True: f"{OWNERS}.accounts", False: f"({ACCOUNTS}) AS accounts"}
_DATABASES = Query(("User", "Host", "Db", flags(_DATABASE_FLAGS)), "mysql.db", 3)
_TABLES = Query(("User", "Host", "Db", "Table_name", "Table_priv"), "mysql.tables_priv", 4, where="Table_priv <> ''")
_COLUMN_ROWS = Query(("User", "Host", "Db", "Table_name", "Column_name", "Column_priv"), "mysql.columns_priv", 5)


def _utf8(*columns: str) -> str:
    """The columns in one character set: those of a UNION must agree."""
    return ", ".join(map(_text, columns))


_ROUTINES = Query(("User", "Host", "Routine_type", "Db", "Routine_name", "Proc_priv"), "mysql.procs_priv", 5)
# Small tables in one statement: routines, roles, default roles and dynamic privileges.
_OTHERS = Query(
    ("user", "host", "level", "a", "b", "c"),
    f"(SELECT {_utf8(*_ROUTINES.columns)} FROM {_ROUTINES.source}"
    f" UNION ALL SELECT {_utf8('TO_USER', 'TO_HOST')}, 'ROLE',"
    f" {_utf8('FROM_HOST', 'FROM_USER', 'WITH_ADMIN_OPTION')} FROM mysql.role_edges"
    f" UNION ALL SELECT {_utf8('USER', 'HOST')}, 'DEFAULT', {_utf8('DEFAULT_ROLE_HOST', 'DEFAULT_ROLE_USER')}, ''"
    " FROM mysql.default_roles"
    f" UNION ALL SELECT {_utf8('USER', 'HOST')}, 'DYNAMIC', {_utf8('PRIV')}, '', {_utf8('WITH_GRANT_OPTION')}"
    " FROM mysql.global_grants) AS others (user, host, level, a, b, c)",
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
    return server_of(execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_NAMES})"))


_NAMES = ", ".join(f"'{name}'" for name in _VARIABLES)
# The same as a table, which is there with performance_schema = OFF, and for whom nothing is granted
# (test_the_variables_are_the_same_as_a_table).
VARIABLES = Query(
    ("VARIABLE_NAME", "VARIABLE_VALUE"), "performance_schema.global_variables", 1, f"VARIABLE_NAME IN ({_NAMES})"
)


def server_of(rows: Iterable[Row]) -> Server:
    """rows: names of variables and their values."""
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
    """All databases, users and grants, and whether there is what those grants need that are asked for and not held.

    One statement after the other. mysql/reading.py reads the same with several at once.
    """
    has_owners, has_shares, can_look = parts_of(next(iter(rows_of(execute, SCHEMA_AND_FUNCTION))))
    databases = read_databases(execute, has_owners=has_owners, has_shares=has_shares)
    users, grants = read_users(execute, has_owners=has_owners)
    definers = read_definers(execute, has_owners=has_owners)
    return look_for(execute, asked, State(databases, users, grants, definers), can_look=can_look)


def read_definers(execute: Execute, *, has_owners: bool) -> dict[Account, int]:
    """How many views, routines, triggers and events run as each account that any runs as."""
    rows = execute(select(("Definer", "Objects"), f"FROM {_DEFINERS[has_owners]}"))
    return {account_of(str(definer)): int(count or 0) for definer, count in rows}


def look_for(execute: Execute, asked: Asked, state: State, *, can_look: bool) -> State:
    """The state with what there is of what is asked for: a statement where there is anything to ask, seldom more."""
    scopes = sought(asked.grants, state.grants) if asked.grants else frozenset[Scope]()
    todo = [*pages(scopes, asked.databases)] if can_look else []
    found = answer([(page, str(execute(select((page.expression,), "FROM DUAL"))[0][0])) for page in todo])
    definers = dict(state.definers)
    users = {it: user._replace(objects=definers.pop(it)) for it, user in state.users.items() if it in definers}
    return State(
        state.databases,
        {**state.users, **users},
        state.grants,
        definers,
        found.missing,
        frozenset() if can_look else scopes,
        found.contents,
    )


SCHEMA = Query(
    ("SUBSTRING_INDEX(CURRENT_USER(), '@', 1)", "SUM(TABLE_NAME <> 'shares')", "SUM(TABLE_NAME = 'shares')"),
    "information_schema.TABLES",
    1,
    f"TABLE_SCHEMA = {key(OWNERS)}",
)


def is_complete(row: Row) -> bool:
    """row: of SCHEMA. Whether the schema of owners has all of its tables and views."""
    return tuple(row[1:]) == (_TABLES_OF_OWNERS, "1")


def function_exists(execute: Execute, name: str = FUNCTION) -> bool:
    """Whether the schema of owners has a function that this user may execute: the one that sees all definers."""
    return execute(select((_function(name),), "FROM DUAL"))[0][0] != "0"


def _function(name: str) -> str:
    routines = "information_schema.ROUTINES"
    return f"(SELECT COUNT(*) FROM {routines} WHERE ROUTINE_SCHEMA = {key(OWNERS)} AND ROUTINE_NAME = {key(name)})"


# SCHEMA, and whether there is the function that looks for objects, which the user may execute.
SCHEMA_AND_FUNCTION = SCHEMA._replace(columns=(*SCHEMA.columns, _function(OBJECTS)))


def parts_of(row: Row) -> tuple[bool, bool, bool]:
    """row: of SCHEMA_AND_FUNCTION. Whether the schema has owners, whether shares, whether the function is there."""
    _, owners, shares, counted = row
    return owners == _TABLES_OF_OWNERS, shares == "1", counted != "0"


def read_databases(
    execute: Execute, name: str | None = None, *, has_owners: bool, has_shares: bool = False
) -> dict[str, Database]:
    """Databases with their owners and with whom they are shared, by name; with `name`, that one alone."""
    only = (name,) if name else ()
    owners = read_owners(execute, "databases", *only) if has_owners else {}
    shares = read_shares(execute, *only) if has_shares else {}
    return databases_from(rows_of(execute, SCHEMATA.of(*only)), owners, shares)


def databases_from(
    rows: Iterable[Row], owners: Mapping[str, Owner], shares: Mapping[str, tuple[frozenset[str], frozenset[str]]]
) -> dict[str, Database]:
    """rows: of SCHEMATA."""
    return {
        name: Database(name, charset, collation, owners.get(name), *shares.get(name, ()))
        for name, charset, collation in (map(str, row) for row in rows)
    }


def read_grants_on(execute: Execute, database: str) -> frozenset[Grant]:
    """What any account holds on a database, its tables, columns and routines, whether it is there or not."""
    names = f"IN ({key(database)}, {key(pattern(database, partial_revokes=False))})"
    queries = [it._replace(where=f"{it.where} AND Db {names}") for it in (_DATABASES, _TABLES, _COLUMN_ROWS)]
    *found, routines = together(execute, [*queries, _ROUTINES._replace(where=f"Db {names}")])
    return frozenset((*_grants(found), *(it for row in routines for it in _other_grants(*map(str, row)))))


def read_shares(execute: Execute, *names: str) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """The stacks that each database is shared with, and those that it was shared with; without names, of all."""
    return shares_of(rows_of(execute, SHARES.of(*names)))


SHARES = Query(("name", "stack", "withdrawn"), f"{OWNERS}.shares", 2)


def shares_of(rows: Iterable[Row]) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """rows: of SHARES."""
    shares: dict[str, tuple[set[str], set[str]]] = {}
    for name, stack, withdrawn in rows:
        shares.setdefault(str(name), (set(), set()))[withdrawn == "1"].add(str(stack))
    return {name: (frozenset(now), frozenset(before)) for name, (now, before) in shares.items()}


def read_users(
    execute: Execute,
    *only: str,
    has_owners: bool,
) -> tuple[dict[Account, User], frozenset[Grant]]:
    """Users with their owners, and their grants. only: the names of users whose accounts these are, or all."""
    queries = queries_of_users(*only, has_owners=has_owners)
    found: list[Iterable[Row]] = [*together(execute, queries)] if only else [rows_of(execute, it) for it in queries]
    rows = found[0] = list(found[0])
    if only and not rows:
        return {}, frozenset()  # grants go with their account
    entries = [Account(str(row[0]), str(row[1])).entry for row in rows] if only else []
    return users_of(found, read_owners(execute, "users", *entries) if has_owners else {})


def queries_of_users(*only: str, has_owners: bool = True) -> list[Query]:
    """What `users_of` needs the rows of. only: the names of users whose accounts these are; without any, all."""
    accounts = Query(ACCOUNT_COLUMNS, _ACCOUNTS[has_owners], 2, page=_ACCOUNT_ROWS)
    return [it.of(*only) for it in (accounts, _OTHERS, _DATABASES, _TABLES, _COLUMN_ROWS)]


def users_of(
    found: Sequence[Iterable[Row]], owners: Mapping[str, Owner]
) -> tuple[dict[Account, User], frozenset[Grant]]:
    """Users, and their grants. owners: by `user@host`."""
    accounts, others, *rows_of_grants = found
    users: dict[Account, User] = {}
    grants: list[Grant] = []
    for row in accounts:
        user, global_flags = user_of(row, owners)
        users[user.account] = user
        grants += (Grant(user.account, Scope("GLOBAL"), name) for name in _set_flags(global_flags, GLOBAL_FLAGS))
    defaults: dict[Account, set[Account]] = {}
    for row in others:
        user_name, host, level, a, b, c = map(str, row)
        if level == "DEFAULT":
            defaults.setdefault(Account(user_name, host), set()).add(Account(b, a))
        else:
            grants += _other_grants(user_name, host, level, a, b, c)
    for account, roles in defaults.items():
        if account in users:
            users[account] = users[account]._replace(default_roles=frozenset(roles))
    return users, frozenset((*grants, *_grants(rows_of_grants)))


def read_owners(execute: Execute, kind: Kind, *names: str) -> dict[str, Owner]:
    """One table of owners by name, including entries of things that are gone; without names, all of it."""
    return owners_of(rows_of(execute, owners_query(kind).of(*names)))


def owners_query(kind: Kind) -> Query:
    """What `owners_of` needs the rows of."""
    columns = ("name", "stack", "resource", "secret", "adopted", "released", "stack_id")
    return Query(columns, f"{OWNERS}.`{kind}`", 1)


def owners_of(rows: Iterable[Row]) -> dict[str, Owner]:
    """By name."""
    return {
        str(name): Owner(str(stack), str(resource), str(secret), adopted == "1", released == "1", str(stack_id))
        for name, stack, resource, secret, adopted, released, stack_id in rows
    }


def together(execute: Execute, queries: Sequence[Query]) -> list[list[Row]]:
    """The rows of each query, all in one statement; in one for each page where that, or its answer, is too long."""
    width = max(len(query.columns) for query in queries)
    selects = (
        select((str(number), *it.columns, *["''"] * (width - len(it.columns))), f"FROM {it.source} WHERE {it.where}")
        for number, it in enumerate(queries)
    )
    statement = " UNION ALL ".join(selects)
    found: list[list[Row]] = [[] for _ in queries]
    try:
        rows = execute(statement) if len(statement) < _LONGEST else None
    except DatabaseError as error:
        if not _is_too_large(error):
            raise
        rows = None
    if rows is None:
        return [list(rows_of(execute, query)) for query in queries]
    for number, *values in rows:
        found[int(str(number))].append(values[: len(queries[int(str(number))].columns)])
    return found


def _is_too_large(error: DatabaseError) -> bool:
    return "size limit" in str(error)


def rows_of(execute: Execute, query: Query) -> Iterator[Row]:
    """All rows, a page at a time; keys are compared byte by byte, so that no two are ever taken for the same."""
    keys = ", ".join(f"{_text(column)} COLLATE utf8mb4_bin" for column in query.columns[: query.keys])
    after, size = "", query.page
    while True:
        rest = f"FROM {query.source} WHERE {query.where}{after} ORDER BY {keys} LIMIT {size}"
        try:
            page = execute(select(query.columns, rest))
        except DatabaseError as error:
            if size == 1 or not _is_too_large(error):
                raise
            size //= 2  # whoever may make names can make them long
            continue
        yield from page
        if len(page) < size:
            return
        after = f" AND ({keys}) > ({', '.join(key(str(value)) for value in page[-1][: query.keys])})"


def _grants(found: Iterable[Iterable[Row]]) -> Iterator[Grant]:
    """The grants on databases, tables and columns."""
    for level, rows in zip(("DATABASE", "TABLE", "COLUMN"), found, strict=True):
        for row in rows:
            name, host, *place, value = map(str, row)
            account, scope = Account(name, host), Scope(level, *place)
            for privilege in _set_flags(value, _DATABASE_FLAGS) if level == "DATABASE" else _set_members(value):
                yield Grant(account, scope, privilege)


def _other_grants(user: str, host: str, level: str, a: str, b: str, c: str) -> Iterator[Grant]:
    """The grants in a row of _OTHERS: of a dynamic privilege, a role or a routine."""
    privileges: tuple[str, ...]
    if level == "DYNAMIC":
        scope, privileges = Scope(level, name=a), (a, GRANT_OPTION) if c == "Y" else (a,)
    elif level == "ROLE":
        scope, privileges = Scope(level, a, b), (MEMBER, ADMIN_OPTION) if c == "Y" else (MEMBER,)
    else:
        scope, privileges = Scope(level, a, b.lower()), _set_members(c)
    for privilege in privileges:
        yield Grant(Account(user, host), scope, privilege)


@cache
def _set_flags(flags: str, privileges: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name, flag in zip(privileges, flags, strict=True) if flag == "Y")


@cache
def _set_members(members: str) -> tuple[str, ...]:
    """The privileges in a SET column such as `Select,Grant,Create View`."""
    return tuple(GRANT_OPTION if name == "Grant" else name.upper() for name in members.split(",") if name)
