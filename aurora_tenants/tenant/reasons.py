"""Why a line of a plan is there: who asked for it, where in the file, and by which rule. Pure.

origin      the line is there because
file        the file asks for something else than what was deployed last
drift       MySQL was changed since: what was deployed last would need the same line
spelling    a database is granted under a spelling that means something else on this server
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from aurora_tenants.errors import Location
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.changes import Change, subject, title
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.names import unescaped
from aurora_tenants.mysql.resource import changes_of_all
from aurora_tenants.mysql.state import Live, Server, State
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.desired import read_desired
from aurora_tenants.tenant.places import places_of, places_of_change
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reliance import reliances_on, relied_on

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


def unclear(plans: Iterable[TenantPlan]) -> list[TenantPlan]:
    """The plans that only the template that is deployed explains: what the file asks for anew, and what is drift."""
    return [plan for plan in plans if plan.stack.action == "update" and plan.stack.origin == "file"]


def explain(
    plans: Iterable[TenantPlan],
    configuration: Configuration,
    live: Live,
    deployed: Deployed,
    templates: Mapping[str, Mapping[str, Any]],
) -> dict[str, tuple[Line, ...]]:
    """The changes of each plan with their reasons, by tenant; plans without changes are not among them.

    templates: by tenant, what is deployed for those that are `unclear`. Where one is missing, or is somebody else's,
    the file is taken to ask for everything.
    """
    tenants = {tenant.name: tenant for tenant in configuration.tenants}
    reliances = reliances_on(live.state)
    lines: dict[str, tuple[Line, ...]] = {}
    for plan in plans:
        if plan.changes:
            origins = _Origins(plan, _before(plan, live.server, deployed, templates), live.server)
            tenant = tenants.get(plan.name)
            places = places_of(tenant, plan, live.server) if tenant else {}
            titles = _titles(plan)
            lines[plan.name] = tuple(
                Line(
                    change,
                    about=titles.get(change.subject, change.subject),
                    origins=origins.of(change),
                    where=tuple(places_of_change(change, places)),
                    relied_on=relied_on(change, reliances),
                )
                for change in plan.changes
            )
    return lines


def _before(
    plan: TenantPlan, server: Server, deployed: Deployed, templates: Mapping[str, Mapping[str, Any]]
) -> State | None:
    """What was deployed last asks for; None where nothing is deployed."""
    if plan.stack.action != "update":
        return None
    if plan.stack.origin == "drift":
        return plan.desired
    try:
        resources, stack = templates[plan.name]["Resources"], deployed.tenants[plan.name]
        return read_desired(resources, stack.name, Live(server, plan.live), stack.outputs, stack.id).state
    except (ValueError, LookupError, TypeError, AttributeError):
        return State()  # none was read, or somebody else wrote it


def _titles(plan: TenantPlan) -> dict[str, str]:
    """What roles are called, which the subject of a change calls users."""
    users = (*plan.live.users.values(), *plan.desired.users.values())
    return {subject(user.account): title(user) for user in users if user.is_role}


class _Origins:
    """Tells the changes that the file asks for from those that what was deployed last would need as well."""

    def __init__(self, plan: TenantPlan, before: State | None, server: Server) -> None:
        drift = changes_of_all(before, plan.live, server=server) if before else ()
        self._statements = {change.statement for change in drift}
        self._subjects = {(change.action, change.subject) for change in drift}
        self._grants = {(change.action, grant) for change in drift for grant in change.grants}
        self._live, self._desired = plan.live.grants, plan.desired.grants
        self._spelled: dict[str, set[Grant]] = {}

    def of(self, change: Change) -> tuple[Origin, ...]:
        if self._is_spelling(change):
            return ("spelling",)
        if change.statement in self._statements:
            return ("drift",)
        if change.grants:
            drifted = sum((change.action, grant) in self._grants for grant in change.grants)
            return ("drift",) if drifted == len(change.grants) else ("file", "drift") if drifted else ("file",)
        is_both = change.action in ("alter", "set") and (change.action, change.subject) in self._subjects
        return ("file", "drift") if is_both else ("file",)

    def _is_spelling(self, change: Change) -> bool:
        """Whether the same grants on databases are only spelled in another way."""
        is_grant = change.action == "grant"
        others = self._live if is_grant else self._desired
        if not change.grants or not others or not (change.why or is_grant):
            return False
        moved = [grant for grant in change.grants if grant not in others]
        if not moved or not _is_database(moved):
            return False
        if change.action not in self._spelled:
            self._spelled[change.action] = _unspelled(others)
        return _unspelled(moved) <= self._spelled[change.action]


def _is_database(grants: Iterable[Grant]) -> bool:
    return all(grant.scope.level == "DATABASE" for grant in grants)


def _unspelled(grants: Iterable[Grant]) -> set[Grant]:
    """Grants on databases as if no name were escaped."""
    return {
        grant._replace(scope=grant.scope._replace(database=unescaped(grant.scope.database)))
        for grant in grants
        if grant.scope.level == "DATABASE"
    }


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
    if change.action == "grant" and change.why:
        return "what waits with when_missing: skip is granted by the first apply after it is there"
    if change.action == "grant" and "drift" in line.origins:
        return "what the file asks for is granted again after somebody revoked it"
    if change.action == "revoke" and "drift" in line.origins:
        return "what the file does not mention of a managed user is revoked"
    if change.action == "record" and change.statement.startswith("DELETE "):
        return "the record of who owned it is deleted once it is gone or has another name"
    return _RULES[change.action]


_RULES = {
    "record": "who owns what is recorded in MySQL before the thing itself is created",
    "create": "what MySQL lacks is created; nothing that exists is taken over without adopt: true",
    "alter": "what differs is altered in place: nothing is dropped and created again",
    "offer": "what moves is given up in MySQL first, to one stack alone, so that nothing is dropped in between",
    "share": "users of another stack are granted something here only once that is recorded in MySQL",
    "withdraw": "that nothing is shared any more is recorded first; the other stack's deployment revokes the rights",
    "rename": "an account is renamed rather than created again: it keeps its password, its rights and its roles",
    "grant": "rights are granted before any is revoked, so that a right that is kept is never missing",
    "set": "a role does nothing until it is active: default roles are set once they are granted",
    "revoke": "what the file does not ask for, or no longer, is revoked, after all that is new to that user or role",
    "drop": "a user that its stack created is dropped with it; a database only with on_remove: drop and --allow-drop",
    "release": "what was adopted, or is to be retained, is kept and belongs to nobody from then on",
}
