"""On which databases a stack's users and roles may be granted anything: on its own, and on those shared with it. Pure.

The owner says with whom it shares (`SharedWith` of a Custom::Database), and both the provider and a plan ask here.

consented({Grant(billing, Scope("DATABASE", "shop"), "SELECT")}, held, databases, Owner("shared-global-billing", "U"))
Consent(grants={}, refused=("nothing can be granted on database shop: it belongs to stack shared-global-shop, …",))
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from aurora_tenants.mysql.grants import Grant, Scope, as_stored, is_revocable
from aurora_tenants.mysql.names import unescaped
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database


class Consent(NamedTuple):
    """grants: what may be held. refused: a sentence for each database on which nothing new may be granted.

    withdrawn: a sentence for each database that was shared and is not any more; what is held on it is to be revoked.
    """

    grants: frozenset[Grant]
    refused: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


def database_of(scope: Scope) -> str:
    """The database that a tenant's grant is on; empty for the whole server and for a role."""
    if scope.level == "ROLE":
        return ""
    return unescaped(scope.database) if scope.level == "DATABASE" else scope.database


def databases_of(grants: Iterable[Grant]) -> set[str]:
    """The databases that grants are on."""
    return {database_of(grant.scope) for grant in grants} - {""}


def consented(
    wanted: Collection[Grant], held: Collection[Grant], databases: Mapping[str, Database], mine: Owner
) -> Consent:
    """What a resource may hold of what it asks for. held: what its accounts hold. databases: those that are there.

    What is held already stays unless it was withdrawn: it may be older than the rule, and a rollback that is refused
    what there was before leaves its stack stuck.
    """
    stored = as_stored(wanted, held)
    stays = stored & frozenset(held)
    refused, withdrawn, kept = list[str](), list[str](), set[Grant]()
    by_database: dict[str, set[Grant]] = {}
    for grant in stored:
        by_database.setdefault(database_of(grant.scope), set()).add(grant)
    for name, grants in sorted(by_database.items()):
        database = databases.get(name)
        if not name or _may_use(database, mine):
            kept |= grants
        elif database and mine.stack in database.withdrawn_from:
            withdrawn.append(f"database {name} is not shared with stack {mine.stack} any more: {_whose(database)}")
        else:
            kept |= grants & stays
            if not grants <= stays:
                refused.append(f"nothing can be granted on database {name}: {_why_not(database, mine)}")
    return Consent(frozenset(kept), tuple(refused), tuple(withdrawn))


def leftovers(
    database: str,
    grants: Iterable[Grant],
    owners: Mapping[str, Owner],
    shared_with: Collection[str],
    mine: Owner,
    moved_from: str = "",
) -> frozenset[Grant]:
    """What accounts of other stacks hold on a database that is made, or taken over, and is not shared with them.

    MySQL keeps grants when their database is dropped. owners: of accounts, by `user@host`. moved_from: the stack that
    the database comes from; the accounts that it offers as well come along. Whatever else is offered is the giver's.
    """

    def is_theirs(grant: Grant) -> bool:
        owner = owners.get(grant.account.entry)
        if owner is None or owner.is_of(mine):
            return False
        comes_along = bool(owner.giver) and (owner.giver, owner.stack) == (moved_from, mine.stack)
        return not comes_along and (owner.giver or owner.stack) not in shared_with

    on_it = (grant for grant in grants if database_of(grant.scope) == database)
    return frozenset(grant for grant in on_it if is_revocable(grant) and is_theirs(grant))


def _may_use(database: Database | None, mine: Owner) -> bool:
    if database is None or database.owner is None:
        return False
    owner = database.owner  # until what is offered is taken, it is used as before
    return owner.is_of(mine) or (mine.stack in database.shared_with and (bool(owner.giver) or not owner.released))


def _why_not(database: Database | None, mine: Owner) -> str:
    owner = database.owner if database else None
    if owner and owner.giver:
        return f"it belongs to {owner}"
    if owner is None or owner.released:
        return (
            "it belongs to nobody; a stack has to create it before, or take it over with Adopt: true"
            " (adopt: true in tenants.yaml)"
        )
    if owner.stack == mine.stack:
        return f"it belongs to an earlier stack {owner.stack}; take it over with Adopt: true first"
    return f"it belongs to stack {owner.stack}, which does not share it with stack {mine.stack} (SharedWith)"


def _whose(database: Database) -> str:
    return f"it belongs to stack {database.owner.stack}" if database.owner else "it belongs to nobody"
