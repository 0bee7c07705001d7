"""Custom::Database: creates or adopts a database, and drops it only when everything allows that.

Its physical id is the name in the template, even where the server stores names in lower case.
"""

from __future__ import annotations

from typing import NamedTuple

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.ownership import NOT_THERE, Seen, Tries, is_mine, look, put_back, take, until_heard
from aurora_tenants.lambdas.request import Request, Resource
from aurora_tenants.lambdas.statement import run
from aurora_tenants.mysql.changes import changes, drop_database
from aurora_tenants.mysql.consent import leftovers
from aurora_tenants.mysql.grants import revocable, statements
from aurora_tenants.mysql.live import (
    SCHEMATA,
    SHARES,
    Execute,
    Query,
    databases_from,
    owners_of,
    owners_query,
    read_grants_on,
    read_owners,
    shares_of,
)
from aurora_tenants.mysql.one import read_contents
from aurora_tenants.mysql.owners import Owner, forget_owner, let_go, record_owner, withdraw_all
from aurora_tenants.mysql.properties import wanted_database
from aurora_tenants.mysql.state import Database, Server, State

# While rights are revoked, whoever may pass them on can still do so.
_LOOKS = 3


def serve_database(request: Request) -> Resource:
    execute, name = request.execute, request.text("Name")
    seen = look(execute, *_queries(name))
    server = seen.server
    wanted = wanted_database(request.properties, server)
    existing = first = _existing(wanted.name, seen)
    tries = Tries()
    while True:
        try:
            _converge(request, server, wanted, existing)
            break
        except DatabaseError as error:
            if not tries.allow(error):
                # The database is not as desired, so the entry that was recorded first is wrong.
                until_heard(lambda: put_back(execute, "databases", wanted.name, first.owner))
                raise
        existing = _existing(wanted.name, look(execute, *_queries(name)))
    is_same = server.stored(request.id) == wanted.name
    return Resource(
        request.id if is_same else request.text("Name"), {"Server": request.cluster_arn, "Name": wanted.name}
    )


class _Existing(NamedTuple):
    """What there is of one database; its entry and its shares outlive it. live: empty where it is not there."""

    live: dict[str, Database]
    owner: Owner | None
    shared_with: frozenset[str]


def _queries(name: str) -> list[Query]:
    """What there is of a database, however the server stores its name."""
    return [query.of(name, name.lower()) for query in (SCHEMATA, owners_query("databases"), SHARES)]


def _existing(name: str, seen: Seen) -> _Existing:
    """seen: with the rows of _queries."""
    schemata, entries, shared = seen.found
    owners, shares = owners_of(entries), shares_of(shared)
    live = databases_from((row for row in schemata if row[0] == name), owners, shares)
    return _Existing(live, owners.get(name), shares.get(name, (frozenset[str](),))[0])


def _converge(request: Request, server: Server, wanted: Database, existing: _Existing) -> None:
    """Creates or adopts the database, makes it as wanted, and records with whom it is shared."""
    execute, name, known = request.execute, wanted.name, existing.owner
    owner = _take(request, server, name, known, exists=name in existing.live)
    desired = State(databases={name: wanted._replace(owner=owner)})
    # Before anything is recorded: this raises ValueError for a character set that no statement can hold.
    todo = [change.statement for change in changes(desired, State(databases=existing.live), server=server)]
    if name not in existing.live or not (known and known.is_of(request.owner)):
        _revoke_leftovers(request, wanted)
    if not known and name not in existing.live:
        execute(record_owner("databases", name, owner, "INSERT"))
        todo.remove(record_owner("databases", name, owner))
    if name not in existing.live and existing.shared_with:
        execute(withdraw_all(name))
    for statement in todo:
        run(execute, statement)


def _revoke_leftovers(request: Request, wanted: Database) -> None:
    """Takes from accounts of other stacks what they hold on the name, before anything of this stack's is there."""
    execute = request.execute
    for _ in range(_LOOKS):
        if not (grants := read_grants_on(execute, wanted.name)):
            return
        owners = read_owners(execute, "users", *{grant.account.entry for grant in grants})
        found = leftovers(wanted.name, grants, owners, wanted.shared_with, request.owner, request.moved_from)
        for statement in statements((), revocable(found, ())):
            try:
                run(execute, statement.sql)
            except DatabaseError as error:
                if error.number not in NOT_THERE:
                    raise
        if not found:
            return


def _take(request: Request, server: Server, name: str, known: Owner | None, *, exists: bool) -> Owner:
    """The owner to record. Raises ValueError when this resource may not have the database."""
    what, mine, is_same = f"database {name}", request.owner, server.stored(request.id) == name
    adopt = request.may_adopt(known, is_same=is_same)
    if exists and known and _is_left_empty(request.execute, name, known, mine):
        known = known._replace(stack_id=mine.stack_id)
    owner = take(what, known, mine, adopt=adopt, exists=exists, moved_from=request.moved_from)
    is_taken = exists and known is not None and known.released and not is_same
    if is_taken and not owner.adopted and _allows_drop(request, server, name):
        raise ValueError(
            f"AllowDrop must not name {what} in the deployment that takes it back: a rollback would drop it"
        )
    return owner


def _is_left_empty(execute: Execute, name: str, known: Owner, mine: Owner) -> bool:
    """Whether an earlier stack of this name made and released it, and there is nothing in it that could be anybody's.

    That is how a stack that is made again after its creation failed finds its databases.
    """
    is_earlier = known.stack == mine.stack and not known.is_of(mine)
    return known.released and not known.adopted and is_earlier and not read_contents(execute, name).objects


def _allows_drop(request: Request, server: Server, name: str) -> bool:
    return server.stored(request.text("AllowDrop")) == name


def delete_database(request: Request, physical_id: str) -> None:
    """Drops it if the stack created it, OnRemove is drop, and it is empty or named in AllowDrop; else releases it.

    What came from another stack is offered by that again where the deployment that took it is rolled back.
    """
    execute = request.execute
    seen = look(execute, owners_query("databases").of(physical_id, physical_id.lower()))
    server = seen.server
    name = server.stored(physical_id)
    owner = owners_of(seen.found[0]).get(name)
    if owner is None or not is_mine(owner, request.owner):
        return
    contents, giver = read_contents(execute, name), request.given_back_to
    if contents.shares and not giver:  # whoever has it next has shared it with nobody
        execute(withdraw_all(name))
    may_drop = request.text("OnRemove") == "drop" and not owner.adopted and not giver
    if not contents.is_there:
        # Dropped by hand. The next database of that name must not be taken for this stack's.
        execute(forget_owner("databases", name))
    elif may_drop and (_allows_drop(request, server, name) or not contents.objects):
        execute(drop_database(name))
        execute(forget_owner("databases", name))
    else:
        execute(record_owner("databases", name, let_go(owner, giver)))
