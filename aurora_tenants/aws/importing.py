"""Secrets that another stack has let go of become a stack's, as they are: by a change set of type IMPORT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aurora_tenants.aws import changesets, stacks
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.naming import REVISION
from aurora_tenants.revision import all_counted_up
from aurora_tenants.stack import Stack, StackPlan, Template
from aurora_tenants.tenant.handover import before_taking, taking


def import_secrets(cloudformation: Any, plan: StackPlan, *, tell: stacks.Tell) -> None:
    """Makes the secrets of `plan.imports` the stack's, and waits; its deployment to `plan.template` comes after that.

    A stack that is not there is made first, of what needs none of them. Secrets that it has already are left out, so
    that this can be called again after an interrupt. Raises StackFailed with the first cause, AwsError for a refusal.
    """
    wanted = plan.template.body if isinstance(plan.template, Template) else {}
    try:
        stack = _prepared(cloudformation, plan, wanted, tell)
        deployed = stacks.read_template(cloudformation, plan.name)
        missing = {name: arn for name, arn in plan.imports.items() if name not in deployed["Resources"]}
        template = taking(deployed, wanted, missing)
    except (LookupError, TypeError, AttributeError) as error:
        what = f"the template of stack {plan.name} cannot be changed to take in secrets"
        fix = f"delete stack {plan.name}, which keeps databases, and apply again"
        raise AwsError(Problem("foreign-template", what, "it is not one of this program's", fix)) from error
    if not missing:
        return
    # Neither parameters nor tags may change with an import.
    importing = replace(plan, template=template, parameters=stack.parameters, tags=stack.tags)
    made = changesets.make(cloudformation, importing, stack, secrets=missing)
    if made is not None:
        stacks.execute(cloudformation, made, tell=tell)


def _prepared(cloudformation: Any, plan: StackPlan, wanted: Mapping[str, Any], tell: stacks.Tell) -> Stack:
    """The stack, in a state in which it can take something in, and with the role that it is to have."""
    stack = stacks.read_stack(cloudformation, plan.name)
    if stack:
        stacks.require_idle(stack)
    if stack is None or not stack.was_begun:
        first = before_taking(wanted, plan.imports)
        stacks.deploy(cloudformation, replace(plan, template=first), tell=tell)
    elif stack.state.has_to_end or plan.role_arn not in ("", stack.role_arn):
        again = Template(stacks.read_template(cloudformation, plan.name), "")
        parameters = {**stack.parameters, REVISION: all_counted_up(stack.revision)}
        stacks.deploy(cloudformation, replace(plan, template=again, parameters=parameters), tell=tell)
    else:
        return stack
    made = stacks.read_stack(cloudformation, plan.name)
    if made is None:
        raise AwsError(Problem("stack-failed", f"stack {plan.name} is gone", context=plan.about, fix="apply again"))
    return made
