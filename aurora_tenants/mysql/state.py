"""The state of a server, desired or live: databases, accounts and grants, as values.

Desired and live are the same type, so a plan is a comparison (mysql/changes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner


class Database(NamedTuple):
    """A database; charset and collation None mean whatever the server's default is. owner: None for nobody's."""

    name: str
    charset: str | None = None
    collation: str | None = None
    owner: Owner | None = None


class Restriction(NamedTuple):
    """Privileges on `*.*` that do not hold on one database: a partial revoke."""

    database: str
    privileges: frozenset[str]


class User(NamedTuple):
    """An account, which may be a role, and the resource that manages it; owner: None for nobody's.

    default_roles: those it begins every session with. has_no_password: live alone; whoever knows its name may log in,
    unless it is locked. restrictions: live alone; no file asks for any, and MySQL adds its own. objects: live alone;
    how many views, routines, triggers and events run as this account.
    """

    account: Account
    owner: Owner | None = None
    options: Options = Options()
    default_roles: frozenset[Account] = frozenset()
    is_role: bool = False
    has_no_password: bool = False
    restrictions: tuple[Restriction, ...] = ()
    objects: int = 0


class Server(NamedTuple):
    """What the server's variables say. plugin: the authentication plugin a new account gets unless told otherwise.

    lower_case_names: names of databases and tables are stored in lower case (lower_case_table_names is not 0).
    charset, collation: of a new database that asks for none.
    """

    version: str
    partial_revokes: bool
    plugin: str
    lower_case_names: bool = False
    charset: str = ""
    collation: str = ""
    mandatory_roles: tuple[Account, ...] = ()
    activate_all_roles: bool = False

    def stored(self, name: str) -> str:
        """How the server stores the name of a database or a table: each letter by itself, as İ, which becomes i."""
        return "".join(letter.lower()[:1] for letter in name) if self.lower_case_names else name


@dataclass(frozen=True, slots=True)
class State:
    """Databases, users and grants; desired ones in normal form, live ones all that there are."""

    databases: Mapping[str, Database] = field(default_factory=dict)
    users: Mapping[Account, User] = field(default_factory=dict)
    grants: frozenset[Grant] = frozenset()


class Live(NamedTuple):
    """What a server holds, and what decides how its statements must be written."""

    server: Server
    state: State
