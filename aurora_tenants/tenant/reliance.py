"""What stops working when an account is dropped or loses a right: what runs as it, and members of a role. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.grants import MEMBER
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import State


class Reliance(NamedTuple):
    """What relies on an account: views, routines, triggers and events that run as it, and members of it as a role."""

    objects: int = 0
    members: tuple[str, ...] = ()


def reliances_on(live: State) -> dict[str, Reliance]:
    """Whatever relies on an account, by the subject of changes to it; without those that nothing relies on."""
    members: dict[Account, list[str]] = {}
    for grant in live.grants:
        if grant.scope.level == "ROLE" and grant.privilege == MEMBER:
            members.setdefault(grant.scope.role, []).append(subject(grant.account))
    return {
        subject(account): Reliance(user.objects, tuple(sorted(members.get(account, ()))))
        for account, user in live.users.items()
        if user.objects or account in members
    }


# What becomes of one thing, and of several, that run as an account which is dropped or loses a right.
_OF_OBJECTS = {
    "drop": ("loses its definer and fails", "lose their definer and fail"),
    "revoke": ("runs with its rights", "run with its rights"),
}


def relied_on(change: Change, reliances: Mapping[str, Reliance]) -> str:
    """What else stops working with a change, in a sentence; empty when nothing does."""
    found = reliances.get(change.subject)
    if found is None or change.action not in _OF_OBJECTS:
        return ""
    parts = []
    if found.objects:
        is_many = found.objects > 1
        things = ("view, routine, trigger or event", "views, routines, triggers or events")[is_many]
        parts.append(f"{found.objects:,} {things} {_OF_OBJECTS[change.action][is_many]}")
    if found.members:
        more = ", …" if len(found.members) > 5 else ""
        parts.append(f"it is a role of {', '.join(found.members[:5])}{more}, who lose it too")
    return "; ".join(parts)
