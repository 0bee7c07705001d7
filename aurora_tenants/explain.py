"""Why a line of a plan is there: who asked for it, where in the file, and by which rule. Pure.

origin      the line is there because
file        the file asks for something else than what was deployed last
drift       MySQL was changed since: what was deployed last would need the same line
spelling    a database is granted under a spelling that means something else on this server
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from aurora_tenants.desired import Resources, said
from aurora_tenants.errors import Location
from aurora_tenants.model import Privilege, Tenant, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.grants import ADMIN_OPTION, MEMBER, Grant, role_scope
from aurora_tenants.mysql.names import Account, unescaped
from aurora_tenants.mysql.properties import wanted_role, wanted_user
from aurora_tenants.mysql.resource import changes_of_all
from aurora_tenants.mysql.state import Server, State

Origin = Literal["file", "drift", "spelling"]


class Line(NamedTuple):
    """A change and its reasons. where: the places in the file that ask for it; none for what the file is silent about.

    about: the change's subject as the file says it, "role reader" where MySQL knows users alone. relied_on: what else
    stops working, said in a sentence; empty when nothing does.
    """

    change: Change
    about: str
    origins: tuple[Origin, ...] = ("file",)
    where: tuple[Location, ...] = ()
    relied_on: str = ""


def explained(
    todo: Iterable[Change],
    *,
    desired: State,
    live: State,
    before: State | None,
    server: Server,
    places: Mapping[str | Grant, Location],
    reliances: Mapping[str, Reliance],
) -> tuple[Line, ...]:
    """The changes with their reasons. before: what was deployed last, None for nothing. places: see `places_of`."""
    drift = changes_of_all(before, live, server=server) if before else ()
    same = {change.statement for change in drift}
    by_hand = {
        action: {grant for change in drift if change.action == action for grant in change.grants}
        for action in ("grant", "revoke")
    }
    touched = {(change.action, change.subject) for change in drift}
    asked = _unspelled(desired.grants)
    held = _unspelled(live.grants)
    users = (*live.users.values(), *desired.users.values())
    roles = {subject(user.account): said(user) for user in users if user.is_role}

    def origins(change: Change) -> tuple[Origin, ...]:
        others = held if change.action == "grant" else asked
        moved = [grant for grant in change.grants if change.action == "revoke" or grant not in live.grants]
        if moved and (change.why or change.action == "grant") and _unspelled(moved) <= others and _is_database(moved):
            return ("spelling",)
        if change.statement in same:
            return ("drift",)
        if change.grants:
            drifted = by_hand[change.action].intersection(change.grants)
            return ("drift",) if len(drifted) == len(change.grants) else ("file", "drift") if drifted else ("file",)
        is_both = change.action in ("alter", "set") and (change.action, change.subject) in touched
        return ("file", "drift") if is_both else ("file",)

    return tuple(
        Line(
            change,
            roles.get(change.subject, change.subject),
            origins(change),
            tuple(_where(change, places)),
            _relied_on(change, reliances),
        )
        for change in todo
    )


def _is_database(grants: Iterable[Grant]) -> bool:
    return all(grant.scope.level == "DATABASE" for grant in grants)


def _unspelled(grants: Iterable[Grant]) -> set[Grant]:
    """Grants on databases as if no name were escaped."""
    return {
        grant._replace(scope=grant.scope._replace(database=unescaped(grant.scope.database)))
        for grant in grants
        if grant.scope.level == "DATABASE"
    }


def _where(change: Change, places: Mapping[str | Grant, Location]) -> Iterator[Location]:
    """Where the file asks for what is granted; for everything else, where it tells of the user or the database."""
    found = sorted({places[grant] for grant in change.grants if grant in places}) if change.action == "grant" else []
    if found:
        yield from found
    elif change.subject in places:
        yield places[change.subject]


def places_of(tenant: Tenant, desired: State, resources: Resources, server: Server) -> dict[str | Grant, Location]:
    """Where in the file a tenant's things stand: by the subject of a change, and by grant."""
    places: dict[str | Grant, Location] = {}
    for database in tenant.databases:
        if database.where:
            places[f"database {server.stored(database.name)}"] = database.where
    by_name: dict[str, TenantUser | TenantRole] = {user.name: user for user in tenant.users}
    by_name |= {role.name: role for role in tenant.roles}
    for account, user in desired.users.items():
        it = by_name[account.user]
        if it.where:
            places[subject(account)] = it.where
        if user.owner is None:
            continue
        properties = resources[user.owner.resource]["Properties"]
        for privilege_of, entry in zip(it.privileges, properties.get("Privileges", ()), strict=True):
            _place(places, privilege_of, _alone(it, account, {**properties, "Privileges": [entry]}, server))
        for role in it.roles if isinstance(it, TenantUser) else ():
            for privilege in (MEMBER, ADMIN_OPTION):
                if role.where:
                    places[Grant(account, role_scope(Account(role.name)), privilege)] = role.where
    return places


def _alone(
    it: TenantUser | TenantRole, account: Account, properties: Mapping[str, object], server: Server
) -> Iterable[Grant]:
    """The grants of one account that a single entry of `privileges` asks for."""
    if isinstance(it, TenantRole):
        return wanted_role(properties, server).grants
    without_roles = {name: value for name, value in properties.items() if name not in ("Roles", "DefaultRoles")}
    grants = wanted_user(without_roles, it.name, server).grants
    return (grant for grant in grants if grant.account == account)


def _place(places: dict[str | Grant, Location], privilege: Privilege, grants: Iterable[Grant]) -> None:
    """The first entry that asks for a grant is the one that is shown."""
    if privilege.where:
        for grant in grants:
            places.setdefault(grant, privilege.where)


class Reliance(NamedTuple):
    """What relies on an account: views, routines, triggers and events that run as it, and members of it as a role."""

    objects: int = 0
    members: tuple[str, ...] = ()


def reliances_on(live: State) -> dict[str, Reliance]:
    """Whatever relies on an account, by the subject of changes to it; without those that nothing relies on."""
    members: dict[Account, list[str]] = {}
    for grant in live.grants:
        if grant.scope.level == "ROLE" and grant.privilege == MEMBER:
            members.setdefault(Account(grant.scope.name, grant.scope.database), []).append(subject(grant.account))
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


def _relied_on(change: Change, reliances: Mapping[str, Reliance]) -> str:
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


def rule(line: Line) -> str:
    """The rule behind a line, in a sentence."""
    is_dynamic = any(grant.scope.level == "DYNAMIC" for grant in line.change.grants)
    return _rule(line) + (_WITH_RELOAD if is_dynamic and line.change.action == "revoke" else "")


_WITH_RELOAD = (
    "; RELOAD, which no tenant may have, goes with it: a master that is restricted on schema mysql could not take a"
    " dynamic privilege away alone"
)


def _rule(line: Line) -> str:
    change = line.change
    if line.origins == ("spelling",):
        return (
            "a database in GRANT is a pattern unless the server has partial_revokes; the whole set is granted on the "
            "right spelling first, then the other one is revoked, because of two matching rows MySQL uses one"
        )
    if change.action == "grant" and "drift" in line.origins:
        return "what the file asks for is granted again when somebody took it away"
    if change.action == "revoke" and "drift" in line.origins:
        return "what the file does not mention of a managed user is revoked"
    if change.action == "record" and change.statement.startswith("DELETE "):
        return "who owned what is forgotten once the thing itself is gone, or has another name"
    return _RULES[change.action]


_RULES = {
    "record": "who owns what is written down in MySQL, before the thing itself is made",
    "create": "what the file names and MySQL has not is made; nothing that exists is taken over without adopt: true",
    "alter": "what differs is altered in place: nothing is dropped and made again",
    "rename": "an account is renamed rather than made again: it keeps its password, its rights and its roles",
    "grant": "rights are granted before any is revoked, so that a right which is kept never pauses",
    "set": "a role does nothing until it is active: default roles are set once they are granted",
    "revoke": "what the file does not ask for, or no longer, is revoked, after all that is new to that user or role",
    "drop": "a user that its stack made is dropped with it; a database only with on_remove: drop and leave by name",
    "release": "what was there before, or is to be retained, is kept and belongs to nobody from then on",
}
