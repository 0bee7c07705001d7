"""What happens to a stack, as text: the first line of each part of a plan. Colour repeats what a symbol says."""

from __future__ import annotations

from aurora_tenants.render.styled import Text
from aurora_tenants.stack import StackPlan

STYLES = {"+": "green", "~": "yellow", "-": "red"}
_SYMBOLS = {"create": "+", "update": "~", "replace": "~", "delete": "-"}
_TOTALS = {"create": "to create", "update": "to update", "replace": "to update", "delete": "to remove"}


def heading(plan: StackPlan, *, drifted: str, changed: str = "the file changed") -> Text:
    """`~ update tenant shop  (stack shared-shop: the file changed)`.

    drifted: what somebody else changed; empty when nothing was. changed: what a change of the file means.
    """
    sign = symbol(plan)
    text = Text(f"{sign} {plan.action} {plan.about}", f"bold {STYLES[sign]}")
    return text.append(f"  (stack {plan.name}: {_reason(plan, drifted, changed)})\n", "dim")


def _reason(plan: StackPlan, drifted: str, changed: str) -> str:
    if plan.action == "delete":
        return "no longer in the file"
    if plan.action == "create":
        return "new"
    if plan.action == "replace":
        failed = "deletion" if plan.status == "DELETE_FAILED" else "creation"
        return f"its {failed} failed, it is {plan.status}"
    if plan.origin == "drift":
        return f"drift: {drifted}" if drifted else f"it is {plan.status}"
    return changed


def symbol(plan: StackPlan) -> str:
    """Whether it is made, changed or removed, as one character."""
    return _SYMBOLS[plan.action]


def total(plan: StackPlan) -> str:
    """`to update`; empty when nothing happens to it."""
    return _TOTALS.get(plan.action, "")
