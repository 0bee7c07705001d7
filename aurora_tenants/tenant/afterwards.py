"""The state of the server once a plan is applied. Pure."""

from __future__ import annotations

from collections.abc import Collection

from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import State


def state_after(live: State, desired: Collection[State], todo: Collection[Change]) -> State:
    """The live state with the desired things put in, and without what is dropped."""
    dropped = {change.subject for change in todo if change.action == "drop"}
    gone = {account for account in live.users if subject(account) in dropped} | renamed(live, desired)
    managed = {account for state in desired for account in state.users}
    databases = {name: database for name, database in live.databases.items() if f"database {name}" not in dropped}
    users = {account: user for account, user in live.users.items() if account not in gone}
    revoked = {grant for change in todo if change.action == "revoke" for grant in change.grants}
    grants = {
        grant
        for grant in live.grants
        if grant.account not in gone
        and grant.account not in managed
        and grant not in revoked
        and not (grant.scope.level == "ROLE" and grant.scope.role in gone)
    }
    for state in desired:
        databases |= state.databases
        users |= state.users
        grants |= state.grants
    return State(databases, users, frozenset(grants))


def renamed(live: State, desired: Collection[State]) -> set[Account]:
    """The names that accounts have today and give up: their owner keeps only those that are desired."""
    kept: dict[tuple[str, str], set[Account]] = {}
    for state in desired:
        for account, user in state.users.items():
            if user.owner:
                kept.setdefault(user.owner.identity, set()).add(account)
    return {
        account
        for account, user in live.users.items()
        if user.owner and not user.owner.released and account not in kept.get(user.owner.identity, {account})
    }
