"""What becomes of the databases and accounts that a stack owns and no longer names: dropped, or kept. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeGuard

from aurora_tenants.mysql.changes import Change, drop_database, lock_user, removal, subject
from aurora_tenants.mysql.owners import Owner, forget_owner, record_owner, withdraw_all
from aurora_tenants.mysql.state import Live, State, User
from aurora_tenants.naming import DROP_ON_REMOVE, ON_REMOVE_USERS
from aurora_tenants.stack import Stack

LOCK = "on_remove is lock: nobody logs in to it any more, and sessions that are open stay open"


class Removals(NamedTuple):
    """What the provider runs, and the databases that it drops, as the file called them."""

    changes: tuple[Change, ...] = ()
    drops: tuple[str, ...] = ()


def removals(live: Live, stack: Stack, *, kept: State) -> Removals:
    """What the provider does with what the stack owns and `kept` does not hold.

    An account that is renamed, or dropped beside others of its user, is among the changes of that user already.
    """
    resources = {user.owner.identity for user in kept.users.values() if user.owner}
    of_users = dict(pair.split("=", 1) for pair in stack.outputs.get(ON_REMOVE_USERS, "").split(",") if "=" in pair)
    changes: list[Change] = []
    for account, user in sorted(live.state.users.items()):
        if account not in kept.users and _is_owned(user.owner, stack) and user.owner.identity not in resources:
            changes += _user(user, user.owner, of_users.get(account.user, ""))
    # By the name that the server stores; what is dropped is called as the file called it: --allow-drop takes that name.
    on_remove = {live.server.stored(name): name for name in stack.outputs.get(DROP_ON_REMOVE, "").split(",")}
    drops: list[str] = []
    # Those of the whole server: only the stack's own are worth sorting.
    owned = [(name, it) for name, it in live.state.databases.items() if it.owner and it.owner.stack == stack.name]
    for name, database in sorted(owned):
        if name not in kept.databases and _is_owned(database.owner, stack):
            changes += _database(name, database.owner, database.shared_with, on_remove)
            drops += [on_remove[name]] if name in on_remove and not database.owner.adopted else []
    return Removals(tuple(changes), tuple(drops))


def _user(user: User, owner: Owner, on_remove: str) -> Iterator[Change]:
    if on_remove not in ("lock", "keep"):
        yield from removal(user)
        return
    about, entry = subject(user.account), user.account.entry
    if on_remove == "lock":
        yield Change("alter", about, lock_user(user.account), LOCK)
    why = f"on_remove is {on_remove}, so it is kept"
    yield Change("release", about, record_owner("users", entry, owner._replace(released=True)), why)


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
