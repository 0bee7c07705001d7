"""Which grants of a tenant its plan may make: those on databases of its own, and on what others share with it. Pure.

The provider asks the same function (mysql/consent.py) at the deployment. What it will find is what MySQL holds
now and what the plans of the other tenants will have recorded by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from aurora_tenants.model import Privilege, Tenant
from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.consent import consented, database_of, leftovers
from aurora_tenants.mysql.grants import Grant, by_account, revocable, statements
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Server, State
from aurora_tenants.tenant.inspector import is_inspector

Databases = Mapping[str, Database]


class Agreed(NamedTuple):
    """What a tenant may have. refused: a sentence for each database on which nothing can be granted.

    late: the databases whose owners are yet to share them, each with the stack that will.
    """

    state: State
    refused: tuple[str, ...] = ()
    late: Mapping[str, str] = {}


def shared_by_then(live: Databases, desired: Iterable[State]) -> dict[str, Database]:
    """The databases once these states hold; what is shared now and not any more is withdrawn."""
    databases = {**live}
    for state in desired:
        for name, database in state.databases.items():
            known = live.get(name)
            before = known.shared_with | known.withdrawn_from if known else frozenset[str]()
            # Of whichever stack of that name: one that is made again has another id than what it takes back.
            owner = database.owner and database.owner._replace(stack_id="")
            databases[name] = database._replace(owner=owner, withdrawn_from=before - database.shared_with)
    return databases


def agreed(desired: State, held: Collection[Grant], live: Databases, by_then: Databases, mine: Owner) -> Agreed:
    """What a stack may have of what it asks for. held: what its accounts hold. by_then: see shared_by_then."""
    consent = consented(desired.grants, held, by_then, mine)
    late: dict[str, str] = {}
    scopes = {grant.scope for grant in consent.grants}
    for name in sorted({*map(database_of, scopes)} - {""} - desired.databases.keys()):
        owner = by_then[name].owner if name in by_then else None
        on_it = {grant for grant in consent.grants if database_of(grant.scope) == name}
        if owner and consented(on_it, held, live, mine).refused:
            late[name] = owner.stack
    return Agreed(replace(desired, grants=consent.grants), consent.refused, late)


def is_as_held(desired: frozenset[Grant], held: Collection[Grant]) -> bool:
    """Whether accounts certainly hold exactly this already. Then nothing is refused or late, since what is held stays
    unless it is withdrawn; columns in lower case alone have one spelling.
    """
    return (
        len(held) == len(desired)
        and desired == frozenset(held)
        and all(grant.scope.column == grant.scope.column.lower() for grant in desired)
    )


class LeftBehind:
    """What accounts of stacks hold on each name of a database, found without a look at everything for each."""

    def __init__(self, live: State) -> None:
        self._live = live
        self._databases = live.databases

    @cached_property
    def _owners(self) -> dict[str, Owner]:
        return {account.entry: user.owner for account, user in self._live.users.items() if user.owner}

    @cached_property
    def _grants(self) -> dict[str, list[Grant]]:
        """By the database that they are on; looked for only where a database is made or taken over."""
        owned = {account for account, user in self._live.users.items() if user.owner}
        found: dict[str, list[Grant]] = {}
        for grant in self._live.grants:
            if grant.account in owned and (name := database_of(grant.scope)):
                found.setdefault(name, []).append(grant)
        return found

    def revoked(self, desired: State, mine: Owner) -> tuple[Change, ...]:
        """What the provider revokes from other stacks' accounts before it makes or takes over these databases."""
        found: list[Change] = []
        for name, database in sorted(desired.databases.items()):
            known = self._databases.get(name)
            if known and known.owner and known.owner.is_of(mine):
                continue
            giver = known.owner.giver if known and known.owner else ""
            left = leftovers(name, self._grants.get(name, ()), self._owners, database.shared_with, mine, giver)
            why = f"of another stack's, on database {name} of before"
            for sql, grants in statements((), revocable(left, ())):
                found.append(Change("revoke", subject(grants[0].account), sql, why, grants))
        return tuple(found)


def without_consent(state: State) -> dict[tuple[Account, str], str]:
    """What accounts of stacks hold on databases that their owners do not share: a sentence by account and database."""
    owned = {
        name: database
        for name, database in state.databases.items()
        if database.owner is not None and not database.owner.released
    }
    found: dict[tuple[Account, str], str] = {}
    for account, grants in by_account(state.grants).items():
        user = state.users.get(account)
        if user is None or user.owner is None or user.owner.released or is_inspector(account.user):
            continue
        for grant in grants:
            name = database_of(grant.scope)
            if name in owned and (account, name) not in found:
                consent = consented({grant}, (), owned, user.owner)
                for sentence in (*consent.refused, *consent.withdrawn):
                    found[account, name] = sentence
    return dict(sorted(found.items()))


def without(tenant: Tenant, late: Collection[str], server: Server) -> Tenant:
    """The tenant without privileges on databases that are not shared with it yet."""

    def kept(privileges: tuple[Privilege, ...]) -> tuple[Privilege, ...]:
        return tuple(privilege for privilege in privileges if server.stored(privilege.database) not in late)

    roles = tuple(replace(role, privileges=kept(role.privileges)) for role in tenant.roles)
    users = tuple(replace(user, privileges=kept(user.privileges)) for user in tenant.users)
    return replace(tenant, roles=roles, users=users)
