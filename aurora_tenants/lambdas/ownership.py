"""Taking and letting go: what a resource does with the entries in the tables of owners."""

from __future__ import annotations

from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.accounts import create_views, show_definers
from aurora_tenants.mysql.live import Execute, owners_exist, read_owners
from aurora_tenants.mysql.owners import Kind, Owner, claim, create_owners, forget_owner, record_owner

# A database exists (1007), a user exists or does not (1396, 1410), an entry exists (1062), a right is gone (1141, 1147,
# 1403), a role is gone (3523) or not granted (3530): another event was faster, perhaps this one come twice. What is
# there is read again then, a few times.
DONE_MEANWHILE = (1007, 1396, 1410, 1062, 1141, 1147, 1403, 3523, 3530)
ATTEMPTS = 3


def make_owners(execute: Execute) -> None:
    """Makes the tables of owners and the views beside them, unless they are there."""
    if not owners_exist(execute):
        for statement in create_owners():
            execute(statement)
        make_views(execute)


def make_views(execute: Execute) -> None:
    """Makes the views of what is in MySQL's own tables, or makes them again: a new provider brings new ones."""
    for statement in create_views():
        execute(statement)
    for statement in show_definers():
        try:
            execute(statement)
        except DatabaseError as error:
            # Without it the inspector counts fewer objects, and everything else works.
            if not error.number:
                raise


def owner_of(execute: Execute, kind: Kind, name: str) -> Owner | None:
    """Whose entry there is, also for what is not there: one that was dropped by hand, or that is being made."""
    return read_owners(execute, kind, name).get(name)


def claimed(what: str, before: Owner | None, owner: Owner, *, adopt: bool, exists: bool) -> Owner:
    """The owner from now on. Raises ValueError when it is not this resource's to take."""
    if not exists and before is None:
        return owner
    claimed = claim(what, before, owner, adopt=adopt or not exists)
    return claimed._replace(adopted=claimed.adopted and exists, stack_id=owner.stack_id)


def put_back(execute: Execute, kind: Kind, name: str, before: Owner | None) -> None:
    execute(record_owner(kind, name, before) if before else forget_owner(kind, name))


def is_mine(owner: Owner, mine: Owner) -> bool:
    """Whether this very stack owns it: a Delete may arrive late, when a stack of the same name was made again."""
    return owner.identity == mine.identity and not owner.released and owner.stack_id in ("", mine.stack_id)
