"""What MySQL holds of one user or role, and of all that decides about it, read in one statement.

What is read does not grow with what other stacks have: the entries of the names in question and of this resource, the
accounts of these names and of the roles that are granted, the owners of the databases that are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aurora_tenants.lambdas.ownership import look
from aurora_tenants.lambdas.permission import Existing, Wanted, roles_in
from aurora_tenants.lambdas.request import Request
from aurora_tenants.mysql.consent import databases_of
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.live import (
    SHARES,
    Row,
    owners_of,
    owners_query,
    queries_of_users,
    shares_of,
    users_of,
)
from aurora_tenants.mysql.names import Account, account_of, key
from aurora_tenants.mysql.one import of_resource
from aurora_tenants.mysql.owners import Owner, received
from aurora_tenants.mysql.state import Database, Server, State, User


class Reading(NamedTuple):
    """names, databases: what it is about. master, server: see ownership.look. recorded: entries, as they are."""

    names: frozenset[str]
    databases: frozenset[str]
    master: str
    server: Server
    recorded: Mapping[Account, Owner]
    owned: Mapping[str, Database]
    users: Mapping[Account, User]
    grants: frozenset[Grant]


def read(request: Request, names: Iterable[str], databases: Iterable[str], secret: str = "") -> Reading:
    """names: of users and roles. secret: the name of one that entries are asked for by, too."""
    of, on, mine = frozenset(names), frozenset(databases), request.owner
    seen = look(
        request.execute,
        of_resource(sorted(of), mine, secret),
        owners_query("databases").of("", *sorted(on)),
        SHARES._replace(where=f"stack = {key(mine.stack)}").of("", *sorted(on)),
        *queries_of_users("", *sorted(of)),
    )
    entries, owners, shares, *found = seen.found
    shared = shares_of(shares)
    owned = {
        name: Database(name, None, None, owner, *shared.get(name, ())) for name, owner in owners_of(owners).items()
    }
    return Reading(of, on, seen.master, seen.server, entries_in(entries), owned, *users_of(found, {}))


def read_asked(request: Request, names: Iterable[str]) -> Reading:
    """The same with the roles and databases that the properties name, before it is known whether they are right."""
    asked = {what: list(_named(request.properties.get(where), what)) for where, what in _PLACES.items()}
    databases = [name for text in asked["Database"] for name in (text, text.lower())]
    return read(request, {*names, *asked["Role"]}, databases)


_PLACES = {"Privileges": "Database", "Roles": "Role"}


def _named(entries: Any, what: str) -> Iterable[str]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield str(entry.get(what, ""))


def existing_of(request: Request, wanted: Wanted, reading: Reading | None = None) -> Existing:
    """What there is of what is wanted. reading: what was read already; it is read again where that is not all."""
    roles, databases = {role.user for role in roles_in(wanted.state)}, databases_of(wanted.state.grants)
    if not (reading and {*wanted.names, *roles} <= reading.names and databases <= reading.databases):
        reading = read(request, {*wanted.names, *roles}, databases)
    entries = taken(request, wanted, reading.recorded)
    users = {it: user._replace(owner=entries.get(it)) for it, user in reading.users.items() if it.user in wanted.names}
    # Grants go with their account.
    grants = frozenset(it for it in reading.grants if users and it.account.user in wanted.names)
    locked = {it: user.options.is_locked for it, user in reading.users.items()}
    return Existing(State(users=users, grants=grants), entries, reading.recorded, locked, reading.owned)


def entries_in(rows: Iterable[Row]) -> dict[Account, Owner]:
    return {account_of(entry): owner for entry, owner in owners_of(rows).items()}


def taken(request: Request, wanted: Wanted, recorded: Mapping[Account, Owner]) -> dict[Account, Owner]:
    """The entries by account, as this resource finds those of its user."""
    return {
        it: (received(owner, request.owner, request.moved_from) if it.user in wanted.names else None) or owner
        for it, owner in recorded.items()
    }
