"""Who waits while an operation on a stack is under way, of this tenant's own or of one that it needs. Pure.

    waiting(plans, deployed)    (Waiting("shop", "shared-shop", "tenant shop", "UPDATE_IN_PROGRESS", …), …)
    it.now({})                  the same some time later, when nothing is busy: it awaits nothing, and can be planned

What is read of a tenant in the middle of an operation is neither what it was nor what it will be, so nothing is planned
for it until that has ended. A tenant that takes something from one that waits, gives it something or has something
shared by it waits as well, and so on along the line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from aurora_tenants.errors import Problem
from aurora_tenants.stack import Deployed, Stack, StackPlan
from aurora_tenants.tenant.plan import TenantPlan


@dataclass(frozen=True, slots=True)
class Waiting:
    """What nothing is planned for yet. name: the tenant's, or pause-schedule. about: as people say it: tenant shop.

    status: of its stack; empty where that is not busy itself. awaits: the stacks whose operations have to end first,
    its own among them where that is busy. is_removal: it is no longer in the file, and nobody is removing it yet.
    is_held_back: its turn comes after a group of the rollout that has somebody who waits.
    """

    name: str
    stack: str
    about: str
    status: str
    awaits: tuple[str, ...]
    is_removal: bool = False
    is_held_back: bool = False

    def now(self, busy: Mapping[str, str]) -> Waiting:
        """The same some time later. busy: the status of each stack that is busy then."""
        awaits = tuple(name for name in self.awaits if name in busy)
        return replace(self, status=busy.get(self.stack, ""), awaits=awaits)

    @property
    def sentence(self) -> str:
        """What it waits for: `stack shared-shop is in the middle of an operation: UPDATE_IN_PROGRESS`."""
        if self.status:
            return f"stack {self.stack} is in the middle of an operation: {self.status}"
        if not self.awaits:
            return "what it waited for has come to rest"
        noun, verb = ("stack", "is") if len(self.awaits) == 1 else ("stacks", "are")
        if self.is_held_back:
            return f"its group comes after {noun} {', '.join(self.awaits)}, which {verb} in the middle of an operation"
        return f"it needs {noun} {', '.join(self.awaits)}, which {verb} in the middle of an operation"


def waiting(plans: Collection[TenantPlan], deployed: Deployed) -> tuple[Waiting, ...]:
    """Those of these tenants that have to wait, in their order."""
    busy = {stack.name: stack.status for stack in deployed.tenants.values() if stack.is_busy}
    if not busy:
        return ()
    awaits = _awaited([plan.stack for plan in plans], busy)
    return tuple(
        Waiting(
            plan.name,
            plan.stack.name,
            plan.stack.about,
            busy.get(plan.stack.name, ""),
            tuple(sorted(awaits[plan.stack.name])),
            is_removal=plan.stack.action == "delete" and busy.get(plan.stack.name) != "DELETE_IN_PROGRESS",
        )
        for plan in plans
        if plan.stack.name in awaits
    )


def of_schedule(stack: Stack | None, name: str) -> tuple[Waiting, ...]:
    """The same of the pause schedule's stack, by the name of that part."""
    if stack is None or not stack.is_busy:
        return ()
    return (Waiting(name, stack.name, "the pause schedule", stack.status, (stack.name,)),)


def left_busy(each: Waiting, *, is_applied: bool) -> Problem:
    """That an apply has ended without it. is_applied: it was applied, and somebody else began something then."""
    state = each.sentence if each.awaits else f"{each.sentence}, and the run ended before it was planned"
    what = f"{each.about} was {'applied, and not read back' if is_applied else 'not applied'}: {state}"
    fix = "when that has ended, apply it again; a longer --wait waits longer"
    return Problem("stack-busy", what, "nothing is planned for it before", fix, context=each.about)


def not_reviewed(each: Waiting) -> Problem:
    """That a saved plan says nothing of it."""
    what = f"{each.about} was not applied: {each.sentence}"
    why = "it was when the plan was saved, too, so nobody has reviewed what there is to do for it"
    return Problem("stack-busy", what, why, "plan it again when that has ended", context=each.about)


def _awaited(plans: Collection[StackPlan], busy: Mapping[str, str]) -> dict[str, set[str]]:
    """The busy stacks that each stack waits for; stacks that wait for none are left out."""
    needed = {plan.name: {*plan.needs, *plan.givers, *plan.gifts.values()} for plan in plans if plan.is_changed}
    awaits = {plan.name: {plan.name} for plan in plans if plan.name in busy}
    is_growing = True
    while is_growing:
        is_growing = False
        for name, needs in needed.items():
            found = {each for need in needs for each in awaits.get(need, {need} & busy.keys())}
            if not found <= awaits.get(name, set()):
                awaits[name] = awaits.get(name, set()) | found
                is_growing = True
    return awaits
