"""A user name belongs to one stack, whatever its hosts: the provider and a plan ask here. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.names import Account, is_nowhere
from aurora_tenants.mysql.owners import Owner


def check_name(
    wanted: Collection[Account],
    known: Mapping[Account, Owner | None],
    mine: Owner,
    may_adopt: Callable[[Owner | None], bool],
    *,
    is_recorded: bool = False,
) -> None:
    """Raises ValueError when a new account would have the name of a user that is not all this stack's.

    MySQL looks for what a client may do by the name of its user and by its host, so that rows of another account of
    this name may apply to it, too. wanted: the accounts of one name, which are somebody's own question (owners.claim).
    known: every account there is or that has an entry, with who owns it; of those that come along from another stack
    that is this one already (owners.received). A name that is offered to a stack is that stack's, and nobody else's.
    is_recorded: what is new has an entry by now.
    """
    if not is_recorded and all((entry := known.get(account)) and entry.is_of(mine) for account in wanted):
        return  # also where somebody else has one by now: a rollback must not be refused what there was before
    names = {account.user for account in wanted}
    for account, entry in sorted(known.items(), key=lambda item: item[0]):
        is_other = account.user in names and account not in wanted and bool(entry or not is_nowhere(account.host))
        if not is_other or (entry and entry.is_of(mine) and not entry.giver):
            continue
        if entry and (entry.giver or not entry.released) and entry.stack != mine.stack:
            raise ValueError(f"{subject(account)} belongs to {entry}, and a name to one stack; choose another name")
        if not may_adopt(entry):
            whose = f"was made by {entry}" if entry else "belongs to nobody"
            why = "what it may do would apply to this user, too; drop it, or set adopt: true"
            raise ValueError(f"there is a {subject(account)} already, which {whose}: {why}")
