"""Privileges as a set of single grants, their normal form, and the statements that turn one set into another.

One `Grant` is one privilege on one scope for one account. With both sides in normal form everything else is a
difference of sets: what is desired and not live is granted, what is live and not desired is revoked.

    Grant(Account("shop"), Scope("DATABASE", "shop"), "SELECT")
    Grant(Account("shop"), Scope("COLUMN", "shop", "customers", "country"), "SELECT")

level      database             name              column
GLOBAL     ""                   ""                ""          static privileges on *.*
DYNAMIC    ""                   privilege         ""          a dynamic privilege on *.*, with a GRANT OPTION of its own
DATABASE   as GRANT spells it   ""                ""          see names.pattern
TABLE      literal              table             ""
COLUMN     literal              table             column
PROCEDURE  literal              routine           ""          FUNCTION likewise
ROLE       role's host          role's user       ""          MEMBER, and ADMIN OPTION beside it
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby, zip_longest
from typing import NamedTuple

from aurora_tenants.mysql.names import Account, identifier, pattern

GRANT_OPTION = "GRANT OPTION"
ADMIN_OPTION = "ADMIN OPTION"
MEMBER = "MEMBER"
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

ROUTINE_PRIVILEGES = ("EXECUTE", "ALTER ROUTINE")

# What a tenant may hold on the whole server: none of these changes, blocks or ends what belongs to another tenant, and
# only PROCESS reads any of it: the statements that others are running, with the values in them (tenant/watching.py).
TENANT_STATIC = frozenset(("PROCESS", "REPLICATION CLIENT", "SHOW DATABASES"))
TENANT_DYNAMIC = frozenset(
    ("APPLICATION_PASSWORD_ADMIN", "FLUSH_OPTIMIZER_COSTS", "FLUSH_STATUS", "OPTIMIZE_LOCAL_TABLE")
)
TENANT_GLOBAL = TENANT_STATIC | TENANT_DYNAMIC

PRIVILEGES: Mapping[str, frozenset[str]] = {
    "GLOBAL": frozenset(GLOBAL_PRIVILEGES) | TENANT_DYNAMIC,
    "DATABASE": frozenset(DATABASE_PRIVILEGES),
    "TABLE": frozenset(TABLE_PRIVILEGES),
    "COLUMN": frozenset(COLUMN_PRIVILEGES),
    "PROCEDURE": frozenset(ROUTINE_PRIVILEGES),
    "FUNCTION": frozenset(ROUTINE_PRIVILEGES),
}


# In one statement: a column's name has 64 characters at most, each of them twice if it is a backtick.
_MOST_GRANTS = 200


class Scope(NamedTuple):
    """What a privilege is on; the module's table says which field means what."""

    level: str
    database: str = ""
    name: str = ""
    column: str = ""

    @property
    def role(self) -> Account:
        """The role that a scope of level ROLE is about."""
        return Account(self.name, self.database)


class Grant(NamedTuple):
    """One privilege on one scope for one account."""

    account: Account
    scope: Scope
    privilege: str

    @property
    def holding(self) -> tuple[Account, Scope]:
        """Who holds something on what, whichever privilege it is."""
        return self.account, self.scope


def by_account(grants: Iterable[Grant]) -> dict[Account, list[Grant]]:
    """The grants of each account that has any."""
    by_account: dict[Account, list[Grant]] = {}
    for grant in grants:
        by_account.setdefault(grant.account, []).append(grant)
    return by_account


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
    procedure: str = "",
    function: str = "",
    grant_option: bool = False,
    partial_revokes: bool,
) -> frozenset[Grant]:
    """The grants that one entry of `privileges` asks for; ALL becomes its level's list, USAGE nothing.

    database: the name of one database, or `*` for a privilege on the whole server.
    Raises ValueError with a sentence when a privilege does not exist at that level.
    """
    scopes = _scopes(database, table, columns, procedure, function, partial_revokes=partial_revokes)
    level = scopes[0].level
    names = {name for permission in permissions for name in _privileges(permission, level)}
    if grant_option and level == "GLOBAL":
        raise ValueError("GRANT OPTION cannot be granted on the whole server")
    grants = {Grant(account, _dynamic(scope, name), name) for scope in scopes for name in names}
    if grant_option:
        grants |= {Grant(account, row_scope(scope), GRANT_OPTION) for scope in scopes}
    return frozenset(grants)


def _privileges(permission: str, level: str) -> Iterator[str]:
    """The privileges that a `permission` names on a level. Raises ValueError when the level has no such privilege."""
    for name in privilege_names(permission):
        if name == "ALL" and level not in ("GLOBAL", "COLUMN"):
            yield from PRIVILEGES[level]
        elif name in PRIVILEGES[level]:
            yield name
        elif name != "USAGE":
            what = "the whole server" if level == "GLOBAL" else f"a {level.lower()}"
            raise ValueError(f"{name or 'an empty name'} is not a privilege that can be granted on {what}")


def _scopes(
    database: str, table: str, columns: Collection[str], procedure: str, function: str, *, partial_revokes: bool
) -> list[Scope]:
    """The scopes, all of one level, of a `privileges` entry. Raises ValueError for what does not go together."""
    if sum((table != "*", bool(procedure), bool(function))) > 1:
        raise ValueError("a privilege is on a table, on a procedure or on a function; name one of them")
    if database == "*" and (table != "*" or columns or procedure or function):
        raise ValueError("a privilege on the whole server names no table, column or routine")
    if columns:
        if table == "*":
            raise ValueError("columns need the name of one table")
        return [Scope("COLUMN", database, table, column) for column in columns]
    if procedure:
        return [Scope("PROCEDURE", database, procedure.lower())]
    if function:
        return [Scope("FUNCTION", database, function.lower())]
    if table != "*":
        return [Scope("TABLE", database, table)]
    if database != "*":
        return [Scope("DATABASE", pattern(database, partial_revokes=partial_revokes))]
    return [Scope("GLOBAL")]


def _dynamic(scope: Scope, privilege: str) -> Scope:
    """The scope of a privilege on the whole server: a dynamic one has a scope of its own."""
    return Scope("DYNAMIC", name=privilege) if scope.level == "GLOBAL" and privilege in TENANT_DYNAMIC else scope


def role_scope(role: Account) -> Scope:
    """The scope of being granted a role."""
    return Scope("ROLE", role.host, role.user)


def row_scope(scope: Scope) -> Scope:
    """The scope whose row in the grant tables holds the GRANT OPTION: for a column its table's."""
    return Scope("TABLE", scope.database, scope.name) if scope.level == "COLUMN" else scope


def normalise(grants: Iterable[Grant]) -> frozenset[Grant]:
    """The grants without those that have no effect: a privilege on a column of a table that has it as a whole."""
    everything = frozenset(grants)
    absorbed = {grant for grant in everything if grant.scope.level == "COLUMN" and _on_table(grant) in everything}
    return everything - absorbed


def as_stored(desired: Iterable[Grant], live: Iterable[Grant]) -> frozenset[Grant]:
    """The desired grants with every column in one spelling, the server's: names of columns are case-insensitive.

    REVOKE finds a column only in the spelling of its GRANT (1147), and a second spelling would be a second row
    (test_column_that_was_granted_in_capitals_is_revoked).
    """
    held = {grant.holding for grant in live if grant.scope.column}
    wanted = sorted(grant.holding for grant in desired if grant.scope.column)
    # The last spelling counts: one that is desired and held, or else one that is held, or else one that is desired.
    in_order = (*wanted, *sorted(held), *(holding for holding in wanted if holding in held))
    spellings = {_folded(account, scope): scope for account, scope in in_order}
    return frozenset(
        grant._replace(scope=spellings[_folded(*grant.holding)]) if grant.scope.column else grant for grant in desired
    )


def revocable(live: Iterable[Grant], wanted: Collection[Grant]) -> frozenset[Grant]:
    """The live grants in normal form, as REVOKE can remove them.

    A column that somebody granted in two spellings counts as granted on the whole table: REVOKE of one spelling leaves
    the privilege in the server's memory, where no table shows it; only REVOKE on the whole table removes both
    (test_a_column_that_was_granted_in_two_spellings_is_revoked).
    """
    everything = frozenset(live)
    columns = {grant for grant in everything if grant.scope.column}
    spellings: dict[tuple[Account, Scope], set[Scope]] = {}
    for grant in columns:
        spellings.setdefault(_folded(*grant.holding), set()).add(grant.scope)
    tangled = {_on_table(grant) for grant in columns if len(spellings[_folded(*grant.holding)]) > 1}
    kept = {grant for grant in normalise(everything) if not (grant.scope.column and _on_table(grant) in tangled)}
    return frozenset(kept | (tangled - frozenset(wanted)))


def is_revocable(grant: Grant) -> bool:
    """Whether MySQL can revoke it. One on a routine whose name is not ASCII it stores under a name that it has mangled.

    Once grants are loaded again, it finds that by no spelling (1403), and REVOKE ALL PRIVILEGES fails, too; only with
    its account it goes (test_a_grant_on_a_routine_that_is_not_ascii_stops_nobody).
    """
    return grant.scope.level not in ("PROCEDURE", "FUNCTION") or grant.scope.name.isascii()


def _on_table(grant: Grant) -> Grant:
    """The same privilege on the whole table."""
    return grant._replace(scope=row_scope(grant.scope))


def _folded(account: Account, scope: Scope) -> tuple[Account, Scope]:
    return account, scope._replace(column=scope.column.lower())


class Statement(NamedTuple):
    """A GRANT or REVOKE, and the single grants that it gives or removes."""

    sql: str
    grants: tuple[Grant, ...]


def statements(
    to_grant: Collection[Grant], to_revoke: Collection[Grant], *, restricted: Collection[str] = ()
) -> tuple[Statement, ...]:
    """One GRANT and one REVOKE per account and scope: grants first, so that a privilege that is kept is never missing.

    A REVOKE sometimes removes more than it should; the excess is granted again directly after it. REVOKE SELECT ON t
    also removes every SELECT (column) of t
    (test_a_table_privilege_that_is_narrowed_to_columns_pauses_for_one_statement), and the option to pass on a role or a
    dynamic privilege can only be removed together with the role or the privilege.
    restricted: databases that a partial revoke excludes from what is granted on `*.*`. There a GRANT would only lift
    the restriction, or fail (3901, test_a_privilege_that_was_revoked_in_part_is_granted), so it follows the REVOKE.
    """
    revoked = frozenset(to_revoke)
    late: dict[tuple[Account, Scope], set[Grant]] = {}
    for grant in to_grant:
        if grant.scope.level == "COLUMN" and _on_table(grant) in revoked:
            late.setdefault(_statement_row(grant), set()).add(grant)
        elif grant.scope.level == "DATABASE" and grant.scope.database in restricted:
            late.setdefault((grant.account, Scope("GLOBAL")), set()).add(grant)
    waiting = frozenset[Grant]().union(*late.values())
    for grant in revoked:
        held = _without_option(grant)
        if held and held not in revoked:
            late.setdefault(_statement_row(held), set()).add(held)
    in_order = _statements("GRANT", [grant for grant in to_grant if grant not in waiting])
    revokes = _statements("REVOKE", revoked)
    for statement, after in zip_longest(revokes, revokes[1:]):
        row = _statement_row(statement.grants[0])
        in_order.append(statement)
        if after is None or _statement_row(after.grants[0]) != row:
            in_order += _statements("GRANT", late.pop(row, ()))
    return (*in_order, *_statements("GRANT", waiting & frozenset[Grant]().union(*late.values())))


def _without_option(grant: Grant) -> Grant | None:
    """For the option to pass on a role or a dynamic privilege: the role or the privilege itself."""
    if grant.scope.level == "ROLE" and grant.privilege == ADMIN_OPTION:
        return grant._replace(privilege=MEMBER)
    if grant.scope.level == "DYNAMIC" and grant.privilege == GRANT_OPTION:
        return grant._replace(privilege=grant.scope.name)
    return None


def _statement_row(grant: Grant) -> tuple[Account, Scope]:
    """The row of the grant tables that one statement changes: for a column its table's."""
    return grant.account, row_scope(grant.scope)


def _statements(verb: str, grants: Collection[Grant]) -> list[Statement]:
    rows = groupby(sorted(grants, key=lambda grant: (_statement_row(grant), grant)), key=_statement_row)
    return [_statement(verb, *row, part) for row, group in rows for part in _parts(tuple(group))]


def _parts(grants: tuple[Grant, ...]) -> Iterator[tuple[Grant, ...]]:
    """The grants on one row, those on many columns in parts: a statement of the Data API has 65,536 characters."""
    for start in range(0, len(grants), _MOST_GRANTS):
        yield grants[start : start + _MOST_GRANTS]


def _statement(verb: str, account: Account, scope: Scope, grants: tuple[Grant, ...]) -> Statement:
    """One GRANT or REVOKE for all privileges on one row of the grant tables."""
    names = {grant.privilege for grant in grants}
    if verb == "GRANT":
        option = next((name for name in (ADMIN_OPTION, GRANT_OPTION) if name in names), "")
        receiver = f"TO {account} WITH {option}" if option else f"TO {account}"
    else:
        receiver = f"FROM {account}"
    if scope.level == "ROLE":
        return Statement(f"{verb} {scope.role} {receiver}", grants)
    if scope.level == "DYNAMIC":
        # Error 3879 for a master user who is restricted on schema mysql, as Aurora's is, unless REVOKE also names a
        # static privilege; no tenant may hold RELOAD (test_a_master_like_auroras_can_take_away_what_it_has_given).
        privileges = [scope.name] if verb == "GRANT" else ["RELOAD", scope.name]
    else:
        privileges = _privilege_list(scope.level, [grant for grant in grants if grant.privilege != GRANT_OPTION])
        if verb == "REVOKE" and GRANT_OPTION in names:
            # REVOKE ALL PRIVILEGES, GRANT OPTION ON x is a syntax error (1064).
            privileges = sorted(names) if privileges == ["ALL PRIVILEGES"] else [*privileges, GRANT_OPTION]
    return Statement(f"{verb} {', '.join(privileges or ['USAGE'])} ON {_object(scope)} {receiver}", grants)


def _privilege_list(level: str, grants: list[Grant]) -> list[str]:
    """`SELECT`, `INSERT (a, b)`, …; every privilege of a database, a table or a routine is written ALL PRIVILEGES."""
    columns: dict[str, list[str]] = {}
    for grant in grants:
        columns.setdefault(grant.privilege, []).extend([grant.scope.column] if grant.scope.column else [])
    if level != "GLOBAL" and columns.keys() == PRIVILEGES[level] and not any(columns.values()):
        return ["ALL PRIVILEGES"]
    return [
        f"{privilege} ({', '.join(map(identifier, names))})" if names else privilege
        for privilege, names in sorted(columns.items())
    ]


def _object(scope: Scope) -> str:
    """What GRANT and REVOKE name after ON."""
    if scope.level in ("GLOBAL", "DYNAMIC"):
        return "*.*"
    kind = f"{scope.level} " if scope.level in ("PROCEDURE", "FUNCTION") else ""
    return f"{kind}{identifier(scope.database)}.{identifier(scope.name) if scope.name else '*'}"
