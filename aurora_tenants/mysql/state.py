"""The state of a server, desired or live: databases, accounts and grants, as values.

Desired and live are the same type, so a plan is a comparison (mysql/changes.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner


class Database(NamedTuple):
    """A database. charset, collation: None for the server's default. owner: None if it belongs to nobody.

    shared_with: the stacks whose users may be granted something on it. withdrawn_from: those that it was shared with,
    known of live databases only.
    """

    name: str
    charset: str | None = None
    collation: str | None = None
    owner: Owner | None = None
    shared_with: frozenset[str] = frozenset()
    withdrawn_from: frozenset[str] = frozenset()


class Restriction(NamedTuple):
    """A partial revoke: privileges on `*.*` that do not apply to one database."""

    database: str
    privileges: frozenset[str]


class User(NamedTuple):
    """An account, which may be a role. owner: the resource that manages it, None if it belongs to nobody.

    default_roles: those it begins every session with. The rest is known of live accounts only. has_no_password: whoever
    knows its name can log in, unless it is locked. restrictions: no file asks for any; MySQL adds its own. objects: how
    many views, routines, triggers and events run as this account. is_expired: its password was made to expire, and it
    can do nothing until it has another.
    """

    account: Account
    owner: Owner | None = None
    options: Options = Options()
    default_roles: frozenset[Account] = frozenset()
    is_role: bool = False
    has_no_password: bool = False
    restrictions: tuple[Restriction, ...] = ()
    objects: int = 0
    is_expired: bool = False


class Server(NamedTuple):
    """What the server's variables say. plugin: the authentication plugin of a new account that asks for none.

    lower_case_names: names of databases and tables are stored in lower case (lower_case_table_names is not 0).
    charset, collation: of a new database that asks for none. max_connections: of all together; max_user_connections: of
    an account that has no limit of its own; 0 for none, or where it is not known.
    """

    version: str
    partial_revokes: bool
    plugin: str
    lower_case_names: bool = False
    charset: str = ""
    collation: str = ""
    mandatory_roles: tuple[Account, ...] = ()
    max_connections: int = 0
    max_user_connections: int = 0

    def stored(self, name: str) -> str:
        """The name of a database or a table as the server stores it: each letter lowered by itself, so that İ is i."""
        return "".join(letter.lower()[:1] for letter in name) if self.lower_case_names else name


_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_ROWS = ((10**9, "billion rows"), (10**6, "million rows"))


class Contents(NamedTuple):
    """How much is in a database. tables: without views. rows, bytes: InnoDB's estimates, which may be a day old."""

    tables: int
    rows: int
    bytes: int

    def __str__(self) -> str:
        """31 tables, about 3.4 million rows, 1.2 GB; "there is no table in it"."""
        if not self.tables:
            return "there is no table in it"
        tables = f"{self.tables:,} table{'' if self.tables == 1 else 's'}"
        rows = _rounded(self.rows, _ROWS, "row" if self.rows == 1 else "rows")
        return f"{tables}, about {rows}, {_rounded(self.bytes, _SIZES, 'bytes')}"


def _rounded(number: int, units: Sequence[tuple[int, str]], plain: str) -> str:
    """1.2 GB, 210 MB, 12,400 rows: tenths are told below ten of a unit. plain: of a number below every unit."""
    of, unit = next(((of, unit) for of, unit in units if number >= of), (1, plain))
    told = f"{number / of:.1f}" if of > 1 and number < 10 * of else f"{round(number / of):,}"
    return f"{told.removesuffix('.0')} {unit}"


@dataclass(frozen=True, slots=True)
class State:
    """Databases, users and grants: the desired ones in normal form, or all live ones.

    The rest is known of live ones only. definers: how many views, routines, triggers and events run as accounts that
    are not there. missing: the tables, columns and routines that were looked for and are not there; unseen: those that
    could not be looked for. contents: of the databases that were asked for.
    """

    databases: Mapping[str, Database] = field(default_factory=dict)
    users: Mapping[Account, User] = field(default_factory=dict)
    grants: frozenset[Grant] = frozenset()
    definers: Mapping[Account, int] = field(default_factory=dict)
    missing: frozenset[Scope] = frozenset()
    unseen: frozenset[Scope] = frozenset()
    contents: Mapping[str, Contents] = field(default_factory=dict)


class Live(NamedTuple):
    """What a server holds, and the variables that decide how its statements must be written."""

    server: Server
    state: State
