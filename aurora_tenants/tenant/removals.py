"""What becomes of the databases and accounts that a stack owns and no longer names: dropped, or kept. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeGuard

from aurora_tenants.mysql.changes import Change, drop_database, removal
from aurora_tenants.mysql.owners import Owner, forget_owner, record_owner, withdraw_all
from aurora_tenants.mysql.state import Live, State
from aurora_tenants.naming import DROP_ON_REMOVE
from aurora_tenants.stack import Stack


class Removals(NamedTuple):
    """What the provider runs, and the databases that it drops, as the file called them."""

    changes: tuple[Change, ...] = ()
    drops: tuple[str, ...] = ()


def removals(live: Live, stack: Stack, *, kept: State) -> Removals:
    """What the provider does with what the stack owns and `kept` does not hold.

    An account that is renamed, or dropped beside others of its user, is among the changes of that user already.
    """
    resources = {user.owner.identity for user in kept.users.values() if user.owner}
    changes: list[Change] = []
    for account, user in sorted(live.state.users.items()):
        if account not in kept.users and _is_owned(user.owner, stack) and user.owner.identity not in resources:
            changes += removal(user)
    # By the name that the server stores; what is dropped is called as the file called it: --allow-drop takes that name.
    on_remove = {live.server.stored(name): name for name in stack.outputs.get(DROP_ON_REMOVE, "").split(",")}
    drops: list[str] = []
    for name, database in sorted(live.state.databases.items()):
        if name not in kept.databases and _is_owned(database.owner, stack):
            changes += _database(name, database.owner, database.shared_with, on_remove)
            drops += [on_remove[name]] if name in on_remove and not database.owner.adopted else []
    return Removals(tuple(changes), tuple(drops))


def _database(name: str, owner: Owner, shared: Collection[str], on_remove: Mapping[str, str]) -> Iterator[Change]:
    about = f"database {name}"
    if shared:
        yield Change("withdraw", about, withdraw_all(name), "it is shared with nobody any more")
    if name in on_remove and not owner.adopted:
        yield Change("drop", about, drop_database(name))
        yield Change("record", about, forget_owner("databases", name))
    else:
        why = "it was adopted, so it is kept" if owner.adopted else "on_remove is retain, so it is kept"
        yield Change("release", about, record_owner("databases", name, owner._replace(released=True)), why)


def _is_owned(owner: Owner | None, stack: Stack) -> TypeGuard[Owner]:
    return owner is not None and owner.stack == stack.name and not owner.released
