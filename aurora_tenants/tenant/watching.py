"""Who can read the statements that others are running: PROCESS on the whole server, held or through a role. Pure.

A statement shows what is in it: values of other tenants' rows, and a password where a statement has one
(test_process_shows_the_values_in_others_statements).
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from aurora_tenants.mysql.grants import MEMBER
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Server, State

_PROCESS = "PROCESS"


class Watcher(NamedTuple):
    """An account that can read others' statements. role: the one it has to activate for it, None without any."""

    account: Account
    role: Account | None = None


def watchers(state: State, server: Server) -> dict[Account, Watcher]:
    """Every account that can log in and can read what others are running."""
    holders = {
        account for account, scope, privilege in state.grants if privilege == _PROCESS and scope.level == "GLOBAL"
    }
    if not holders:
        return {}
    roles: dict[Account, set[Account]] = defaultdict(set)
    for account, scope, privilege in state.grants:
        if privilege == MEMBER and scope.level == "ROLE":
            roles[account].add(scope.role)
    found = {}
    for account, user in state.users.items():
        if user.options.is_locked:
            continue
        if account in holders:
            found[account] = Watcher(account)
            continue
        own = {*roles.get(account, ()), *server.mandatory_roles}
        role = next((role for role in sorted(own) if _closure(role, roles) & holders), None)
        if role is not None:
            found[account] = Watcher(account, role)
    return found


def new_watchers(before: State, after: State, server: Server) -> tuple[Watcher, ...]:
    """Those who can read others' statements after a plan, and cannot yet."""
    found = watchers(after, server)
    known = watchers(before, server) if found else {}
    return tuple(watcher for account, watcher in sorted(found.items()) if account not in known)


def _closure(role: Account, roles: dict[Account, set[Account]]) -> set[Account]:
    """The role, its roles, and so on."""
    known, todo = {role}, [role]
    while todo:
        more = roles.get(todo.pop(), set()) - known
        known |= more
        todo += more
    return known
