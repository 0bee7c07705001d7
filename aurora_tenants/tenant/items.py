"""The lines of a plan as people read them: one for each object, old and new. Pure.

    ~ user app  shop.*: SELECT → ALL (wider)
    + user shop-dev  ALL on shop-dev.*; secret, rotates every 30 days
    - database shop-old  DROPPED with everything in it

What differs in MySQL comes from the plan's two states, what CloudFormation alone knows from the template that is
deployed, and why from the lines of reasons.py, each of which belongs to one object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aurora_tenants.errors import Location
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.state import Live
from aurora_tenants.naming import stack_name
from aurora_tenants.stack import Deployed, StackPlan, Template
from aurora_tenants.status import STATES, State, state_of
from aurora_tenants.tenant.objects import Key, Objects
from aurora_tenants.tenant.parameters import parameter_differences
from aurora_tenants.tenant.places import places_of_objects
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import Line
from aurora_tenants.tenant.rights import Part
from aurora_tenants.tenant.settings import Changed, Resources, changed

Sign = Literal["+", "~", "-"]
NEWER = "a newer version of this program writes its template in another form; nothing changes by that"
EDITED = "its template was changed by hand: it is written again"
SILENT = "written or taken out, where what it is about is here already; nothing changes by that"
UNREAD = "its template is another than the file's, and what is deployed could not be read"


@dataclass(frozen=True, slots=True)
class Item:
    """What happens to one object: a database, a role, a user with its secret, or the stack itself.

    parts: the differences. lines: the statements in MySQL that belong to it. origins: file, drift, spelling, program;
    none where the stack itself is the reason. where: the places in the file. loses_data: it drops a database.
    """

    sign: Sign
    kind: str
    name: str
    parts: tuple[Part, ...] = ()
    lines: tuple[Line, ...] = ()
    origins: tuple[str, ...] = ()
    where: tuple[Location, ...] = ()
    loses_data: bool = False

    @property
    def weakens(self) -> bool:
        """Whether less stands in somebody's way afterwards."""
        return any(part.mark for part in self.parts)

    @property
    def is_record(self) -> bool:
        """Whether it is about nothing but what this program writes down for itself."""
        return all(part.is_record for part in self.parts)

    @property
    def relied_on(self) -> tuple[str, ...]:
        """What else stops working, a sentence each."""
        return tuple(dict.fromkeys(line.relied_on for line in self.lines if line.relied_on))


def items_of_all(
    plans: Iterable[TenantPlan],
    lines: Mapping[str, tuple[Line, ...]],
    configuration: Configuration,
    live: Live,
    deployed: Deployed,
    templates: Mapping[str, Mapping[str, Any]],
) -> dict[str, tuple[Item, ...]]:
    """The items of each tenant that something happens to, those that weaken or lose something first.

    lines, templates: by tenant, as `reasons.explain` gives and takes them.
    """
    tenants = {tenant.name: tenant for tenant in configuration.tenants}
    names = {*tenants, *deployed.tenants}
    tenant_of = {stack_name(configuration.cluster, tenant): tenant for tenant in names}
    found = {}
    for plan in plans:
        if plan.stack.is_changed:
            before = _resources(templates.get(plan.name))
            objects = Objects(plan, lines.get(plan.name, ()), live, before, tenant_of)
            tenant = tenants.get(plan.name)
            places = places_of_objects(tenant, plan, live.server) if tenant else {}
            items = [_item(objects, key, places) for key in objects.all()]
            items += _of_parameters(plan, before)
            items = [*_of_stack(plan, before, items), *(item for item in items if item.parts)]
            found[plan.name] = tuple(sorted(items, key=lambda item: not (item.loses_data or item.weakens)))
    return found


def _resources(template: Mapping[str, Any] | None) -> Resources | None:
    """The resources of a template that this program wrote; None for none, or somebody else's."""
    resources = template.get("Resources") if template else None
    is_known = isinstance(resources, Mapping) and all(
        isinstance(it, Mapping) and isinstance(it.get("Properties", {}), Mapping) and "Type" in it
        for it in resources.values()
    )
    return resources if is_known else None


def _item(objects: Objects, key: Key, places: Mapping[str, Location]) -> Item:
    lines = objects.lines_of(key)
    parts = objects.parts_of(key)
    where = list(dict.fromkeys(place for line in lines for place in line.where))
    if not where and (subject := objects.subject_of(key)) in places:
        where = [places[subject]]
    return Item(
        objects.sign_of(key),
        key.kind,
        key.name,
        parts=tuple(parts),
        lines=lines,
        origins=objects.origins_of(key, parts),
        where=tuple(sorted(where)),
        loses_data=objects.loses_data(key),
    )


def _of_parameters(plan: TenantPlan, before: Resources | None) -> list[Item]:
    """What becomes of the parameters; nothing where it is not known what was there before."""
    stack = plan.stack
    if before is None and stack.action == "update":
        return []
    after = stack.template.resources if isinstance(stack.template, Template) else {}
    found = parameter_differences(after, {} if before is None else before)
    return [Item(found.sign, "path", found.path, found.parts, origins=("file",))] if found else []


def _of_stack(plan: TenantPlan, before: Resources | None, items: Sequence[Item]) -> list[Item]:
    """What is to be told of the stack itself: that it has failed, or that nothing else explains its update."""
    stack, parts, origins = plan.stack, list[Part](), tuple[str, ...]()
    if stack.action == "replace":
        failed = "deletion" if stack.status == "DELETE_FAILED" else "creation"
        parts.append(Part(f"its {failed} failed ({stack.status}): it is deleted and made again"))
    elif state := _failed(stack):
        parts.append(Part(f"{state.said} ({stack.status}): {_ways_out(stack)}"))
    if stack.action == "update" and stack.is_edited:
        parts.append(Part(EDITED))
        origins = ("drift",)
    if stack.action == "update" and stack.origin == "file":
        differs = _differs(stack, before)
        shown = [item for item in items if not item.is_record]
        if differs is None:
            parts += [] if shown or stack.is_edited else [Part(UNREAD)]
        elif not shown and not stack.is_edited and differs.words and not differs.form:
            parts.append(Part(f"{' and '.join(differs.words)}: {SILENT}"))
            origins = ("file",)
        elif not shown and not stack.is_edited:
            parts.append(Part(NEWER))
            origins = ("program",)
        parts += [
            Part(f"written in another form: {each}", is_record=True) for each in (differs.form if differs else ())
        ]
    return [Item("~", "stack", stack.name, tuple(parts), origins=origins)] if parts else []


def _differs(stack: StackPlan, before: Resources | None) -> Changed | None:
    if before is None or not isinstance(stack.template, Template):
        return None
    return changed(stack.template.resources, before)


def _failed(stack: StackPlan) -> State | None:
    """What its state means; None if nothing has failed, or something is under way, which is a problem of the plan."""
    state = STATES.get(stack.status)
    return state if state and state.said and state.way not in ("wait", "create") else None


def _ways_out(stack: StackPlan) -> str:
    if stack.action == "delete":
        return "it is deleted"
    return {
        "roll back": "undoing it is continued, then it is updated",
        "go on": "it is updated from where it is",
    }.get(state_of(stack.status).way, "nothing can be done here, as the problem says")


def reason(plan: TenantPlan, items: Iterable[Item]) -> str:
    """Why something happens to a tenant, in a few words."""
    if plan.stack.action in ("create", "replace", "delete"):
        return {"create": "new", "replace": "to be made again", "delete": "no longer in the file"}[plan.stack.action]
    origins = {origin for item in items for origin in item.origins if not item.is_record}
    origins = origins or {origin for item in items for origin in item.origins}
    said = [text for origin, text in _REASONS.items() if origin in origins]
    if not said:
        return "its stack has failed" if _failed(plan.stack) else _REASONS[plan.stack.origin]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


_REASONS = {
    "file": "the file changed",
    "drift": "something was changed by hand",
    "spelling": "MySQL takes a name for a pattern",
    "program": "this program has a newer version",
}
