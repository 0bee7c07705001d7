"""Privileges as a set of single grants, its normal form, and the statements that lead from one set to another.

One `Grant` is one privilege on one scope for one account. With both sides in normal form everything else is a
difference of sets: what is desired and not live is granted, what is live and not desired is revoked.

    Grant(Account("shop"), Scope("DATABASE", "shop"), "SELECT")
    Grant(Account("shop"), Scope("COLUMN", "shop", "customers", "country"), "SELECT")

level      database             name              column
GLOBAL     ""                   ""                ""          static privileges on *.*
DYNAMIC    ""                   ""                ""          dynamic privileges on *.*
DATABASE   as GRANT spells it   ""                ""          see names.pattern
TABLE      literal              table             ""
COLUMN     literal              table             column
PROCEDURE  literal              routine           ""          FUNCTION likewise
ROLE       role's host          role's user       ""          privilege MEMBER or ADMIN OPTION
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from aurora_tenants.mysql.names import Account, identifier, pattern

GRANT_OPTION = "GRANT OPTION"
COLUMN_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
TABLE_PRIVILEGES = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER"),
    *("CREATE VIEW", "SHOW VIEW", "TRIGGER"),
)
DATABASE_PRIVILEGES = (
    *TABLE_PRIVILEGES,
    *("CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT"),
)
GLOBAL_PRIVILEGES = (
    *DATABASE_PRIVILEGES,
    *("RELOAD", "SHUTDOWN", "PROCESS", "FILE", "SHOW DATABASES", "SUPER", "REPLICATION SLAVE", "REPLICATION CLIENT"),
    *("CREATE USER", "CREATE TABLESPACE", "CREATE ROLE", "DROP ROLE"),
)

PRIVILEGES: Mapping[str, frozenset[str]] = {
    "GLOBAL": frozenset(GLOBAL_PRIVILEGES),
    "DATABASE": frozenset(DATABASE_PRIVILEGES),
    "TABLE": frozenset(TABLE_PRIVILEGES),
    "COLUMN": frozenset(COLUMN_PRIVILEGES),
}


class Scope(NamedTuple):
    """What a privilege is on; the module's table says which field means what."""

    level: str
    database: str = ""
    name: str = ""
    column: str = ""


class Grant(NamedTuple):
    """One privilege on one scope for one account."""

    account: Account
    scope: Scope
    privilege: str


def privilege_names(permission: str) -> tuple[str, ...]:
    """The privileges one `permission` lists, upper case, `ALL PRIVILEGES` as ALL: "select, insert" gives two."""
    names = (" ".join(part.upper().split()) for part in permission.split(","))
    return tuple("ALL" if name == "ALL PRIVILEGES" else name for name in names)


def expand(
    account: Account,
    permissions: Iterable[str],
    *,
    database: str,
    table: str = "*",
    columns: Collection[str] = (),
    grant_option: bool = False,
    partial_revokes: bool,
) -> frozenset[Grant]:
    """The grants that one entry of `privileges` asks for; ALL becomes its level's list, USAGE nothing.

    database: the one database that is meant, or `*` for a privilege on the whole server.
    Raises ValueError with a sentence when a privilege does not exist at that level.
    """
    level, scopes = _scopes(database, table, columns, partial_revokes=partial_revokes)
    known = PRIVILEGES[level]
    names: set[str] = set()
    for permission in permissions:
        for name in privilege_names(permission):
            if name == "ALL" and level in ("DATABASE", "TABLE"):
                names |= known
            elif name in known:
                names.add(name)
            elif name != "USAGE":
                raise ValueError(f"{name or 'an empty name'} is not a privilege that MySQL has on a {level.lower()}")
    grants = {Grant(account, scope, name) for scope in scopes for name in names}
    if grant_option:
        grants |= {Grant(account, row_scope(scope), GRANT_OPTION) for scope in scopes}
    return frozenset(grants)


def _scopes(database: str, table: str, columns: Collection[str], *, partial_revokes: bool) -> tuple[str, list[Scope]]:
    """The level and the scopes that a `privileges` entry names. Raises ValueError for columns of no table."""
    if columns:
        if table == "*" or database == "*":
            raise ValueError("columns need the name of one table")
        return "COLUMN", [Scope("COLUMN", database, table, column.lower()) for column in columns]
    if table != "*":
        return "TABLE", [Scope("TABLE", database, table)]
    if database != "*":
        return "DATABASE", [Scope("DATABASE", pattern(database, partial_revokes=partial_revokes))]
    return "GLOBAL", [Scope("GLOBAL")]


def row_scope(scope: Scope) -> Scope:
    """The scope whose row carries this one's GRANT OPTION: a column's is its table's."""
    return Scope("TABLE", scope.database, scope.name) if scope.level == "COLUMN" else scope


def normalise(grants: Iterable[Grant]) -> frozenset[Grant]:
    """The grants without those that change nothing: a column's privilege that its whole table has too."""
    everything = frozenset(grants)
    absorbed = {
        grant
        for grant in everything
        if grant.scope.level == "COLUMN" and grant._replace(scope=row_scope(grant.scope)) in everything
    }
    return everything - absorbed


def as_stored(desired: Iterable[Grant], live: Iterable[Grant]) -> frozenset[Grant]:
    """The desired grants with every column spelled as the server holds it; a column's name has no case of its own.

    REVOKE finds a column in the spelling of its GRANT alone (1147), so what is live keeps it (see
    test_column_that_was_granted_in_capitals_is_revoked).
    """
    spellings = {_folded(grant): grant for grant in live if grant.scope.column}
    return frozenset(spellings.get(_folded(grant), grant) for grant in desired)


def _folded(grant: Grant) -> Grant:
    return grant._replace(scope=grant.scope._replace(column=grant.scope.column.lower()))


def statements(to_grant: Collection[Grant], to_revoke: Collection[Grant]) -> tuple[str, ...]:
    """One GRANT and one REVOKE per account and scope: grants first, so that a right which is kept never pauses.

    Late grants come after the revokes: REVOKE SELECT ON t also takes every SELECT (column) of t away, so a column
    that should keep the privilege needs it again (see test_columns_survive_the_revoke_of_their_table).
    """
    revoked = frozenset(to_revoke)
    late = {
        grant
        for grant in to_grant
        if grant.scope.level == "COLUMN" and grant._replace(scope=row_scope(grant.scope)) in revoked
    }
    early = [grant for grant in to_grant if grant not in late]
    return (*_statements("GRANT", early), *_statements("REVOKE", revoked), *_statements("GRANT", late))


def _statements(verb: str, grants: Collection[Grant]) -> list[str]:
    def row(grant: Grant) -> tuple[Account, Scope]:
        return grant.account, row_scope(grant.scope)

    rows = groupby(sorted(grants, key=lambda grant: (row(grant), grant)), key=row)
    return [_statement(verb, account, scope, list(group)) for (account, scope), group in rows]


def _statement(verb: str, account: Account, scope: Scope, grants: list[Grant]) -> str:
    """One GRANT or REVOKE for all privileges on one row of the grant tables."""
    preposition = "TO" if verb == "GRANT" else "FROM"
    names = {grant.privilege for grant in grants}
    if scope.level == "ROLE":
        suffix = " WITH ADMIN OPTION" if verb == "GRANT" and "ADMIN OPTION" in names else ""
        return f"{verb} {Account(scope.name, scope.database)} {preposition} {account}{suffix}"
    privileges = _privilege_list(scope.level, [grant for grant in grants if grant.privilege != GRANT_OPTION])
    suffix = ""
    if scope.level == "DYNAMIC" and verb == "REVOKE":
        # Error 3879 for a master who is restricted on schema mysql, as Aurora's is, unless a static privilege goes with
        # them; no managed user keeps one on *.* (test_a_master_like_auroras_can_take_away_what_it_has_given).
        privileges.insert(0, "PROCESS")
    if GRANT_OPTION in names:
        if verb == "GRANT":
            suffix = " WITH GRANT OPTION"
        elif privileges[:1] == ["ALL PRIVILEGES"]:  # REVOKE ALL PRIVILEGES, GRANT OPTION ON x is a syntax error (1064)
            privileges = [*sorted(names)]
        else:
            privileges.append(GRANT_OPTION)
    return f"{verb} {', '.join(privileges or ['USAGE'])} ON {_object(scope)} {preposition} {account}{suffix}"


def _privilege_list(level: str, grants: list[Grant]) -> list[str]:
    """`SELECT`, `INSERT (a, b)`, …; the whole list of a database or a table is written ALL PRIVILEGES."""
    columns: dict[str, list[str]] = {}
    for grant in grants:
        columns.setdefault(grant.privilege, []).extend([grant.scope.column] if grant.scope.column else [])
    if level in ("DATABASE", "TABLE") and columns.keys() == PRIVILEGES[level] and not any(columns.values()):
        return ["ALL PRIVILEGES"]
    return [
        f"{name} ({', '.join(identifier(column) for column in of)})" if of else name
        for name, of in sorted(columns.items())
    ]


def _object(scope: Scope) -> str:
    """What stands after ON."""
    if scope.level in ("GLOBAL", "DYNAMIC"):
        return "*.*"
    kind = f"{scope.level} " if scope.level in ("PROCEDURE", "FUNCTION") else ""
    return f"{kind}{identifier(scope.database)}.{identifier(scope.name) if scope.name else '*'}"
