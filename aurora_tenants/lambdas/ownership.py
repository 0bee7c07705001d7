"""How a resource uses the tables of owners: creates them, takes things over, and recognizes its own."""

from __future__ import annotations

from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.accounts import create_views, show_definers
from aurora_tenants.mysql.live import Execute, owners_exist
from aurora_tenants.mysql.owners import Kind, Owner, claim, create_owners, forget_owner, record_owner

# A database exists (1007), a user exists or does not (1396, 1410), an entry exists (1062), a grant is gone (1141, 1147,
# 1403), a role is gone (3523) or not granted (3530): another event was faster, perhaps this one, sent twice. Then
# everything is read again, a few times.
DONE_MEANWHILE = (1007, 1396, 1410, 1062, 1141, 1147, 1403, 3523, 3530)
ATTEMPTS = 3


def make_owners(execute: Execute) -> None:
    """Creates the tables of owners and the views beside them, unless they exist."""
    if not owners_exist(execute):
        for statement in create_owners():
            execute(statement)
        make_views(execute)


def make_views(execute: Execute) -> None:
    """Creates the views of MySQL's own tables, or replaces them: a new provider may bring new ones."""
    for statement in create_views():
        execute(statement)
    for statement in show_definers():
        try:
            execute(statement)
        except DatabaseError as error:
            # Without it the inspector counts fewer objects, and everything else works.
            if not error.number:
                raise


def take(what: str, known: Owner | None, owner: Owner, *, adopt: bool, exists: bool) -> Owner:
    """The owner to record, once `owner` takes something that may not exist yet, or not any more.

    known: its owner now, None for nobody. Raises ValueError when this resource may not have it.
    """
    if not exists and known is None:
        return owner
    taken = claim(what, known, owner, adopt=adopt or not exists)
    return taken._replace(adopted=taken.adopted and exists, stack_id=owner.stack_id)


def put_back(execute: Execute, kind: Kind, name: str, before: Owner | None) -> None:
    execute(record_owner(kind, name, before) if before else forget_owner(kind, name))


def is_mine(owner: Owner, mine: Owner) -> bool:
    """Whether this very stack owns it: a Delete may arrive late, when there is a new stack of the same name."""
    return owner.identity == mine.identity and not owner.released and owner.stack_id in ("", mine.stack_id)
