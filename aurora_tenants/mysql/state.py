"""The state of a server, desired or live, and the ordered changes that lead from one to the other.

Desired and live are the same type, so a plan is a comparison.

    changes(desired, live, server=Server("8.0.42", True, "caching_sha2_password"))
    Change("create", "database shop", "CREATE DATABASE `shop`"), Change("create", "user shop", …), Change("grant", …)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.mysql.grants import Grant, as_stored, statements
from aurora_tenants.mysql.names import Account, identifier, literal, pattern, unescaped
from aurora_tenants.mysql.owners import Owner, attribute_of, record_owner

HIDDEN = "***"


class Database(NamedTuple):
    """A database; charset and collation None mean whatever the server's default is. owner: None for nobody's."""

    name: str
    charset: str | None = None
    collation: str | None = None
    owner: Owner | None = None


class User(NamedTuple):
    """An account and the resource that manages it; owner: None for nobody's."""

    account: Account
    owner: Owner | None = None


class Server(NamedTuple):
    """What the server's variables say. plugin: the authentication plugin a new account gets unless told otherwise."""

    version: str
    partial_revokes: bool
    plugin: str


@dataclass(frozen=True, slots=True)
class State:
    """Databases, users and grants; grants in normal form."""

    databases: Mapping[str, Database] = field(default_factory=dict)
    users: Mapping[Account, User] = field(default_factory=dict)
    grants: frozenset[Grant] = frozenset()


class Change(NamedTuple):
    """One statement. action: record, create, alter, grant, revoke, drop or release. subject: "user shop".

    why: said only when the statement alone would not explain itself.
    """

    action: str
    subject: str
    statement: str
    why: str = ""


def changes(desired: State, live: State, *, server: Server, password: str = HIDDEN) -> tuple[Change, ...]:
    """What to run, in this order, so that everything desired holds: create, grant, revoke, late grants.

    Only databases and users of `desired` are compared; nothing that only `live` has is dropped here, but what a
    desired user holds beyond `desired` is revoked. password: for users that are created.
    """
    grants_of: dict[Account, tuple[set[Grant], set[Grant]]] = {account: (set(), set()) for account in desired.users}
    wanted = as_stored(desired.grants, live.grants)
    for grant in wanted - live.grants:
        grants_of[grant.account][0].add(grant)
    for grant in live.grants - wanted:
        if grant.account in grants_of:
            grants_of[grant.account][1].add(grant)
    return (
        *(change for name in sorted(desired.databases) for change in _database(desired.databases[name], live)),
        *(change for user in sorted(desired.users) for change in _user(desired.users[user], live, server, password)),
        *(
            Change(sql.split(" ", 1)[0].lower(), subject(account), sql, _why(sql, revoke, server))
            for account, (grant, revoke) in sorted(grants_of.items())
            for sql in statements(grant, revoke)
        ),
    )


def subject(account: Account) -> str:
    """How people say an account: the host only where it is not `%`."""
    return f"user {account.user}" if account.host == "%" else f"user {account.user}@{account.host}"


def _database(desired: Database, live: State) -> Iterable[Change]:
    """The owner is recorded before the database is made: a crash in between then leaves nothing that is nobody's."""
    known = live.databases.get(desired.name)
    about = f"database {desired.name}"
    if desired.owner and (known is None or desired.owner != known.owner):
        yield Change("record", about, record_owner("databases", desired.name, desired.owner))
    options = _options(desired)
    if known is None:
        yield Change("create", about, f"CREATE DATABASE {identifier(desired.name)}{options}")
    elif _differs(desired.charset, known.charset) or _differs(desired.collation, known.collation):
        why = "existing tables keep the character set and collation they have"
        yield Change("alter", about, f"ALTER DATABASE {identifier(desired.name)}{options}", why)


def _options(database: Database) -> str:
    charset = f" CHARACTER SET {literal(database.charset)}" if database.charset else ""
    return charset + (f" COLLATE {literal(database.collation)}" if database.collation else "")


def _differs(desired: str | None, live: str | None) -> bool:
    """Whether a stated character set or collation is another one; utf8 is an old name of utf8mb3."""
    if desired is None:
        return False
    name = desired.lower()
    return live != ("utf8mb3" + name[4:] if name == "utf8" or name.startswith("utf8_") else name)


def _user(desired: User, live: State, server: Server, password: str) -> Iterable[Change]:
    known = live.users.get(desired.account)
    about = subject(desired.account)
    if desired.owner and (known is None or desired.owner != known.owner):
        yield Change("record", about, record_owner("users", desired.account.entry, desired.owner))
    if known is None:
        clause = f" ATTRIBUTE {literal(attribute_of(desired.owner))}" if desired.owner else ""
        yield Change("create", about, f"CREATE USER {desired.account}{identified(server, password)}{clause}")


def _why(statement: str, revoked: Iterable[Grant], server: Server) -> str:
    """The reason for a REVOKE that only corrects how a database was spelled."""
    if not statement.startswith("REVOKE "):
        return ""
    for _, scope, _ in revoked:
        exact = pattern(unescaped(scope.database), partial_revokes=server.partial_revokes)
        if scope.level == "DATABASE" and scope.database != exact and f" ON {identifier(scope.database)}." in statement:
            effect = "matches no database" if server.partial_revokes else "also matches other databases"
            return f"spelled {scope.database}, it {effect}"
    return ""


def identified(server: Server, password: str) -> str:
    """The clause that sets a password. The plugin is always named: the server's default is not the same everywhere."""
    return f" IDENTIFIED WITH {identifier(server.plugin)} BY {literal(password)}"


def set_password(account: Account, server: Server, password: str, *, retain: bool) -> str:
    """The statement that gives an account this password; with retain, the one it had goes on working beside it."""
    return f"ALTER USER {account}{identified(server, password)}{' RETAIN CURRENT PASSWORD' if retain else ''}"


def drop_user(account: Account) -> str:
    """The statement that drops an account, its grants with it; somebody may have done so already."""
    return f"DROP USER IF EXISTS {account}"


def drop_database(name: str) -> str:
    """The statement that drops a database and every table in it."""
    return f"DROP DATABASE {identifier(name)}"
