"""Hands databases, roles and users over from one stack to another: `apply` calls both halves, in this order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from aurora_tenants.aws import stacks
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.handover import giving, without_gifts


def hand_over(cloudformation: Any, plan: StackPlan, *, tell: stacks.Tell) -> None:
    """Has a stack offer what `plan.gifts` names, and let go of it. The stack stays, whatever becomes of it later.

    Raises AwsError, before anything is changed, where another stack imports an export of what goes; StackFailed.
    """
    stack, deployed = stacks.read_stack(cloudformation, plan.name), stacks.read_template(cloudformation, plan.name)
    if stack:
        stacks.require_idle(stack)
    parameters = stack.parameters if stack else {}
    try:
        gifts = {name: taker for name, taker in plan.gifts.items() if name in deployed["Resources"]}
        if not gifts:  # somebody else has handed them over since
            return
        steps = giving(deployed, gifts), without_gifts(deployed, gifts)
        exports = _exports(plan.name, deployed["Outputs"], steps[1].body["Outputs"].keys())
    except (LookupError, TypeError, AttributeError) as error:
        what = f"the template of stack {plan.name} cannot be changed to give anything up"
        why, fix = "it is not one of this program's, or has changed meanwhile", "run: aurora-tenants plan"
        raise AwsError(Problem("foreign-template", what, why, fix)) from error
    for export in exports:
        if importing := stacks.importers(cloudformation, export):
            what = f"{plan.about} cannot give up what {export} exports"
            why = f"{', '.join(sorted(importing))} {'imports' if len(importing) == 1 else 'import'} it"
            fix = "take Fn::ImportValue out there first: the receiver's stack will export it under its own name"
            raise AwsError(Problem("still-imported", what, why, fix))
    for template in steps:
        stacks.deploy(cloudformation, replace(plan, template=template, parameters=parameters), tell=tell)


def _exports(stack: str, outputs: Mapping[str, Mapping[str, Any]], left: Collection[str]) -> list[str]:
    """What other stacks may import of what is not left of these outputs."""
    return [f"{stack}-{name}" for name, output in sorted(outputs.items()) if name not in left and "Export" in output]
