"""Custom::Database: makes a database, or adopts it; drops it only when everything allows that.

Its id is its name as the template has it, also where the server stores names in lower case.
"""

from __future__ import annotations

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.ownership import ATTEMPTS, DONE_MEANWHILE, claimed, is_mine, make_owners, owner_of, put_back
from aurora_tenants.lambdas.request import Outcome, Request
from aurora_tenants.lambdas.statement import run
from aurora_tenants.mysql.changes import changes, drop_database
from aurora_tenants.mysql.live import count_objects, read_databases, read_server
from aurora_tenants.mysql.owners import forget_owner, record_owner
from aurora_tenants.mysql.properties import wanted_database
from aurora_tenants.mysql.state import State


def serve_database(request: Request, attempts: int = ATTEMPTS) -> Outcome:
    execute = request.execute
    server = read_server(execute)
    wanted = wanted_database(request.properties, server)
    name, is_there = wanted.name, server.stored(request.id) == wanted.name
    make_owners(execute)
    live, before = read_databases(execute, name, has_owners=True), owner_of(execute, "databases", name)
    what, adopt = f"database {name}", request.may_adopt(before, is_there=is_there)
    owner = claimed(what, before, request.owner, adopt=adopt, exists=name in live)
    may_be_dropped = server.stored(request.text("AllowDrop")) == name
    if name in live and before and before.released and not owner.adopted and may_be_dropped:
        raise ValueError(f"AllowDrop names {what}, which was there before: a rollback now would drop it")
    desired = State(databases={name: wanted._replace(owner=owner)})
    # Before anything is written down: a character set that no statement can hold raises here.
    todo = [change.statement for change in changes(desired, State(databases=live), server=server)]
    try:
        if not before and name not in live:
            execute(record_owner("databases", name, owner, "INSERT"))
            todo.remove(record_owner("databases", name, owner))
        for statement in todo:
            run(execute, statement)
    except DatabaseError as error:
        if error.number in DONE_MEANWHILE and attempts > 1:
            return serve_database(request, attempts - 1)
        # It cannot be as desired, so the entry made first is not true.
        put_back(execute, "databases", name, before)
        raise
    return Outcome(request.id if is_there else request.text("Name"), {"Server": request.cluster_arn, "Name": name})


def delete_database(request: Request, physical_id: str) -> None:
    """Drops it when the stack made it, OnRemove says so, and it is empty or named in AllowDrop; else lets go of it."""
    execute = request.execute
    server = read_server(execute)
    name = server.stored(physical_id)
    make_owners(execute)
    owner = owner_of(execute, "databases", name)
    if owner is None or not is_mine(owner, request.owner):
        return
    if name not in read_databases(execute, name, has_owners=False):
        # Dropped by hand. The next of that name must not be taken for this stack's.
        execute(forget_owner("databases", name))
        return
    may_drop = request.text("OnRemove") == "drop" and not owner.adopted
    allowed = server.stored(request.text("AllowDrop")) == name
    if may_drop and (allowed or not count_objects(execute, name)):
        execute(drop_database(name))
        execute(forget_owner("databases", name))
    else:
        execute(record_owner("databases", name, owner._replace(released=True)))
