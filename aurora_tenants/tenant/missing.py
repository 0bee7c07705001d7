"""Tables, columns and routines that a file names: what is asked of MySQL, what waits, what would fail. Pure.

the object    when_missing    what happens
is there      fail or skip    granted
is not        fail            a problem of the plan: MySQL would refuse the GRANT
is not        skip            it waits: no part of what is desired, until the object is there
not known     fail            granted, or MySQL says why not
not known     skip            it waits, or the plan would never come to an end
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aurora_tenants.errors import Notice, Problem
from aurora_tenants.model import Configuration, Privilege, TenantUser
from aurora_tenants.mysql.changes import Change, moves, title
from aurora_tenants.mysql.grants import GRANT_OPTION, PRIVILEGES, Grant, Scope, expand
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.objects import Asked
from aurora_tenants.mysql.properties import folded
from aurora_tenants.mysql.state import Server, State, User
from aurora_tenants.naming import DROP_ON_REMOVE
from aurora_tenants.stack import Deployed

_WHY = {
    "TABLE": "MySQL grants nothing on a table that does not exist (1146)",
    "COLUMN": "MySQL grants nothing on a column that does not exist (1054)",
    "PROCEDURE": "MySQL grants nothing on a procedure that does not exist (1305)",
    "FUNCTION": "MySQL grants nothing on a function that does not exist (1305)",
}


class Waiting(NamedTuple):
    """A desired state without what waits, and the grants that do."""

    state: State
    grants: tuple[Grant, ...] = ()


def asked(configuration: Configuration, deployed: Deployed, server: Server) -> Asked:
    """What to look for: what privileges of the file are on, and how much is in databases that could be dropped."""
    grants = {
        grant
        for tenant in configuration.tenants
        for entry in tenant.users_and_roles
        for privilege in entry.privileges
        if privilege.table != "*" or privilege.procedure or privilege.function
        for host in (entry.hosts if isinstance(entry, TenantUser) else ("%",))
        for grant in granted(Account(entry.name, host), privilege, server)
    }
    kept = {server.stored(database.name) for tenant in configuration.tenants for database in tenant.databases}
    outputs = (stack.outputs.get(DROP_ON_REMOVE, "") for stack in deployed.tenants.values())
    droppable = {server.stored(name) for output in outputs for name in output.split(",") if name}
    return Asked(frozenset(grants), frozenset(droppable - kept))


def granted(account: Account, privilege: Privilege, server: Server) -> frozenset[Grant]:
    """The grants that one account is given by one entry of `privileges`."""
    return expand(
        account,
        privilege.permissions,
        database=server.stored(privilege.database),
        table=server.stored(privilege.table),
        columns=privilege.columns,
        procedure=privilege.procedure or "",
        function=privilege.function or "",
        grant_option=privilege.grant_option,
        partial_revokes=server.partial_revokes,
    )


def without_waiting(desired: State, may_wait: frozenset[Grant], before: State, live: State) -> Waiting:
    """The desired state without the grants that wait. may_wait: folded. before: what there is when it is made so.

    What an account holds already does not wait: MySQL keeps a grant whose table is dropped.
    """
    absent = live.missing | live.unseen
    if not may_wait or not absent:
        return Waiting(desired)
    renamed = {old: new for new, old in moves(desired, before).items()}
    held = folded(grant._replace(account=renamed.get(grant.account, grant.account)) for grant in before.grants)
    waiting = {
        grant
        for grant in desired.grants
        for it in folded([grant])
        if it in may_wait and it.scope in absent and it not in held
    }
    return Waiting(State(desired.databases, desired.users, desired.grants - waiting), tuple(sorted(waiting)))


def now_there(change: Change, may_wait: frozenset[Grant]) -> Change:
    """A GRANT that was deployed before, with the reason that it may have waited. may_wait: folded."""
    if change.action != "grant" or not folded(change.grants) <= may_wait:
        return change
    return change._replace(why="it has waited for this to be there, or somebody revoked it")


def missing_objects(tenant: str, changes: Iterable[Change], desired: State, live: State) -> Iterator[Problem]:
    """What is to be granted something on and is not there. changes: of the tenant."""
    if not live.missing:
        return
    todo = [grant for change in changes if change.action == "grant" for grant in folded(change.grants)]
    by_scope: dict[Scope, list[Grant]] = {}
    for grant in todo:
        table = Scope("TABLE", grant.scope.database, grant.scope.name)
        scope = table if grant.scope.level == "COLUMN" and table in live.missing else grant.scope
        if scope in live.missing:
            by_scope.setdefault(scope, []).append(grant)
    for scope, grants in sorted(by_scope.items()):
        receivers = ", ".join(dict.fromkeys(_receiver(desired, grant.account) for grant in sorted(grants)))
        what = f"{_called(scope)} does not exist, and {receivers} is to be granted {_privileges(scope, grants)} on it"
        why = _WHY[scope.level]
        if scope.database not in live.databases:
            why += "; its database does not exist yet"
        fix = "run the migration first, or set when_missing: skip, and the first apply after the migration grants it"
        code = "unknown-routine" if scope.level in ("PROCEDURE", "FUNCTION") else f"unknown-{scope.level.lower()}"
        yield Problem(code, what, why, fix, context=f"tenant {tenant}")


def waiting_notices(grants: Iterable[Grant], desired: State, live: State) -> Iterator[Notice]:
    """What waits, by account and by what it is on; of a column whose table is not there either, the table alone."""
    by_object: dict[tuple[Account, Scope], list[Grant]] = {}
    for grant in grants:
        table = Scope("TABLE", grant.scope.database, grant.scope.name)
        is_of_table = grant.scope.level == "COLUMN" and table in live.missing | live.unseen
        by_object.setdefault((grant.account, table if is_of_table else grant.scope), []).append(grant)
    for (account, scope), waiting in sorted(by_object.items()):
        text = f"{_receiver(desired, account)} waits for {_called(scope)} with {_privileges(scope, waiting)}"
        if scope in live.unseen:
            how = "whether it is there cannot be seen"
            yield Notice("waits", f"{text}; {how}: granted by the next deployment of the tenant if it is there then")
        else:
            yield Notice("waits", f"{text}; granted by the first apply after the migration")


def _called(scope: Scope) -> str:
    place = f"{scope.database}.{scope.name}"
    return f"column {place}.{scope.column}" if scope.level == "COLUMN" else f"{scope.level.lower()} {place}"


def _privileges(scope: Scope, grants: Iterable[Grant]) -> str:
    """What is granted: "SELECT, UPDATE (country)", "ALL"."""
    names = {
        grant.privilege if grant.scope.level == scope.level else f"{grant.privilege} ({grant.scope.column})"
        for grant in grants
    }
    if names - {GRANT_OPTION} == PRIVILEGES[scope.level]:
        names = {"ALL"} | (names & {GRANT_OPTION})
    return ", ".join(sorted(names))


def _receiver(desired: State, account: Account) -> str:
    return title(desired.users.get(account, User(account)))
