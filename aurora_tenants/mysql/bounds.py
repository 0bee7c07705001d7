"""What accounts can get into at the most: quick to tell, and never too little.

    bounds(state, server)[Account("report")]
    Bound({"shop"}, holders={Account("report")})

access.reach says exactly who gets in where, and by which grants. Whoever only wants to know that an account gets in
nowhere else needs less: all that is named by any grant that may ever count for it, whichever of them hides another,
is revoked in part, or needs a role that is not active. So access.reach never finds a database that is not in here
(tests/mysql/test_bounds.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.mysql.grants import DATABASE_PRIVILEGES
from aurora_tenants.mysql.matching import Databases
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Server, State

# Their tables are the server's own and mostly open to everybody, whatever the grants are.
_VIRTUAL = ("information_schema", "performance_schema")
ON_DATABASES = frozenset(DATABASE_PRIVILEGES)


class Bound(NamedTuple):
    """The databases that an account gets into at the most. holders: all accounts whose grants may count for it."""

    databases: Collection[str]
    holders: Collection[Account]


@dataclass(slots=True)
class _Held:
    """What an account holds itself. spellings: of databases; named: databases of tables, columns and routines."""

    on_server: bool = False
    spellings: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    roles: list[Account] = field(default_factory=list)


_NOTHING = _Held()


def databases_of(state: State, server: Server) -> Databases:
    """The databases whose grants decide who gets into them."""
    return Databases((name for name in state.databases if name.lower() not in _VIRTUAL), server)


def bounds(state: State, server: Server) -> dict[Account, Bound]:
    """What each account gets into at the most, roles and locked ones as if they could log in."""
    databases, held = databases_of(state, server), _held(state)
    namesakes: dict[str, list[Account]] = {}
    for account in {*held, *state.users}:  # rows that a dropped account left behind count, too
        namesakes.setdefault(account.user, []).append(account)
    anonymous, mandatory = namesakes.get("", []), server.mandatory_roles
    found: dict[Account, Bound] = {}
    for account in state.users:
        own, holders = held.get(account, _NOTHING), namesakes[account.user]
        roles = [*own.roles, *mandatory]
        if roles or anonymous or len(holders) > 1:
            holders = [*{*holders, *anonymous, *_closure(roles, held)}]
        found[account] = Bound(
            _opened([held.get(it, _NOTHING) for it in holders], databases, has_role=bool(roles)), holders
        )
    return found


def _held(state: State) -> dict[Account, _Held]:
    held: dict[Account, _Held] = {}
    # Mostly, several privileges are on the same thing.
    for account, level, database, name in {
        (account, scope.level, scope.database, scope.name if scope.level == "ROLE" else "")
        for account, scope, privilege in state.grants
        if scope.level != "DYNAMIC" and (scope.level != "GLOBAL" or privilege in ON_DATABASES)
    }:
        own = held.get(account)
        if own is None:
            own = held[account] = _Held()
        if level == "DATABASE":
            own.spellings.append(database)
        elif level == "GLOBAL":
            own.on_server = True
        elif level == "ROLE":
            own.roles.append(Account(name, database))
        else:
            own.named.append(database)
    return held


def _opened(holders: Iterable[_Held], databases: Databases, *, has_role: bool) -> Collection[str]:
    opened = set[str]()
    for holder in holders:
        if holder.on_server:
            return databases.names
        for spelling in holder.spellings:
            opened.update(databases.matches(spelling))
            if has_role:
                opened.update(databases.matches(spelling, with_role=True))
        for name in holder.named:
            opened.update(databases.named(name))
    return opened


def _closure(roles: Iterable[Account], held: dict[Account, _Held]) -> set[Account]:
    """The roles, their roles, and so on."""
    known = set(roles)
    todo = [*known]
    while todo:
        more = set(held.get(todo.pop(), _NOTHING).roles) - known
        known |= more
        todo += more
    return known
