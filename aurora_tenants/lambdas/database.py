"""Custom::Database: makes a database, or adopts it; drops it only when everything allows that."""

from __future__ import annotations

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.ownership import ATTEMPTS, DONE_MEANWHILE, claimed, is_mine, make_owners, owner_of, put_back
from aurora_tenants.lambdas.request import Outcome, Request, checked
from aurora_tenants.mysql.live import count_objects, read_databases, read_server
from aurora_tenants.mysql.names import is_reserved_database
from aurora_tenants.mysql.owners import forget_owner, record_owner
from aurora_tenants.mysql.state import Database, State, changes, drop_database


def serve_database(request: Request, attempts: int = ATTEMPTS) -> Outcome:
    name = checked(request.text("Name"), "a database", 64, is_reserved_database)
    execute = request.execute
    make_owners(execute)
    live, before = read_databases(execute, name, has_owners=True), owner_of(execute, "databases", name)
    what, adopt = f"database {name}", request.may_adopt(before, is_there=request.id == name)
    owner = claimed(what, before, request.owner, adopt=adopt, exists=name in live)
    if name in live and before and before.released and not owner.adopted and request.text("AllowDrop") == name:
        raise ValueError(f"AllowDrop names {what}, which was there before: a rollback now would drop it")
    charset, collation = request.text("Charset") or None, request.text("Collation") or None
    desired = State(databases={name: Database(name, charset, collation, owner)})
    # Before anything is written down: a character set that no statement can hold raises here.
    todo = changes(desired, State(databases=live), server=read_server(execute))
    try:
        if not before and name not in live:
            execute(record_owner("databases", name, owner, "INSERT"))
        for change in todo:
            execute(change.statement)
    except DatabaseError as error:
        if error.number in DONE_MEANWHILE and attempts > 1:
            return serve_database(request, attempts - 1)
        # It cannot be as desired, so the entry made first is not true.
        put_back(execute, "databases", name, before)
        raise
    return Outcome(name, {"Server": request.cluster_arn, "Name": name})


def delete_database(request: Request, name: str) -> None:
    """Drops it when the stack made it, OnRemove says so, and it is empty or named in AllowDrop; else lets go of it."""
    execute = request.execute
    make_owners(execute)
    owner = owner_of(execute, "databases", name)
    if owner is None or not is_mine(owner, request.owner):
        return
    if name not in read_databases(execute, name, has_owners=False):
        # Dropped by hand. The next of that name must not be taken for this stack's.
        execute(forget_owner("databases", name))
        return
    may_drop = request.text("OnRemove") == "drop" and not owner.adopted
    if may_drop and (request.text("AllowDrop") == name or not count_objects(execute, name)):
        execute(drop_database(name))
        execute(forget_owner("databases", name))
    else:
        execute(record_owner("databases", name, owner._replace(released=True)))
