"""What is there already and becomes a stack's: what a change set of type IMPORT may ask for.

Source: "Import AWS resources into a CloudFormation stack", AWS CloudFormation User Guide. The sentences are those that
AWS gave to others: tests/test_cfn_import_change_set.py of ministackorg/ministack, where no other source is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.refusals import invalid
from aurora_sandbox.cloudformation.region import Region
from aurora_sandbox.cloudformation.rollout import not_found
from aurora_sandbox.cloudformation.schemas import schema
from aurora_sandbox.cloudformation.stack import GONE, SETTLED, Change, Resource, Stack
from aurora_sandbox.cloudformation.stack import REVIEW as IN_REVIEW
from aurora_sandbox.cloudformation.types import is_custom

# The reason that a change set has which can be executed.
REVIEW = (
    "Verify that resources and their properties defined in the template match the intended configuration of the "
    "resource import to avoid unexpected changes."
)
Request = Mapping[str, Any]


def check_stack(stack: Stack) -> None:
    """Raises for a stack that nothing can be imported into, as it is."""
    if stack.status == IN_REVIEW:
        raise invalid("the sandbox does not imitate an import into a stack that is not there yet")
    if stack.status not in SETTLED:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def checked(request: Request, stack: Stack, wanted: Deployment, found: Sequence[Change]) -> dict[str, Resource]:
    """What is to be imported, by logical id. Raises ValidationError where AWS refuses the change set at once.

    found: what the template would change in the stack, where what is to be imported is an Add.
    """
    entries: Sequence[Mapping[str, Any]] = request.get("ResourcesToImport") or ()
    if not entries:
        raise invalid("Must Provide at least one resource to import")
    _refuse_other_parts(request, stack, wanted)
    _refuse_entries(entries, stack, wanted)
    names = [entry["LogicalResourceId"] for entry in entries]
    _refuse_other_changes(names, found)
    if bare := [name for name in names if not wanted.resources[name].has_deletion_policy]:
        raise invalid(
            f"The following resources to import {_listed(bare)} must have DeletionPolicy attribute specified in the "
            "template."
        )
    return {entry["LogicalResourceId"]: _sought(entry, wanted) for entry in entries}


def changes(to_import: Mapping[str, Resource]) -> tuple[Change, ...]:
    """What the change set announces."""
    return tuple(Change("Import", name, item.type, item.physical_id) for name, item in sorted(to_import.items()))


def obstacle(to_import: Mapping[str, Resource], stack: Stack, region: Region, handlers: Handlers) -> str | None:
    """Why the change set fails that AWS has accepted: what is not there, or another stack's."""
    for item in to_import.values():
        try:
            if handlers.found(stack, item) is None:
                return not_found(item)
        except LookupError:
            raise invalid(f"the sandbox does not imitate the import of {item.type}") from None
        for other in region.stacks():
            if any(_is_same(item, known) for known in other.resources.values()):
                return f"{item.physical_id} already exists in stack {other.id}"
    return None


def _refuse_other_parts(request: Request, stack: Stack, wanted: Deployment) -> None:
    """Source of the sentence, with RoleArn and Tags in one: issue 6 of awslabs/aws-security-assessment-solution has it
    for outputs, others had it of a stack's role and its tags.
    """
    role = request.get("RoleARN")
    parts = {
        "Outputs": wanted.template.outputs != stack.deployment.template.outputs,
        "RoleArn": bool(role) and role != stack.role_arn,
        "Tags": wanted.tags != stack.deployment.tags,
    }
    if other := [name for name, is_other in parts.items() if is_other]:
        raise invalid(f"As part of the import operation, you cannot modify or add {_listed(other)}")


def _refuse_entries(entries: Sequence[Mapping[str, Any]], stack: Stack, wanted: Deployment) -> None:
    counted = Counter(entry["LogicalResourceId"] for entry in entries)
    if max(counted.values()) > 1:
        raise invalid("Every resource to import must have unique LogicalResourceId")
    if missing := [name for name in counted if name not in wanted.resources]:
        raise invalid(
            f"The logical resource ids {_listed(missing)} provided in ResourceToImport do not exist in the template."
        )
    for entry in entries:
        name, kind = entry["LogicalResourceId"], entry["ResourceType"]
        if is_custom(kind):  # the sentence: issue 16 of pbudzon/aws-maintenance
            raise invalid(f"The following resource types are not supported for resource import: {kind}")
        expected = schema(stack.id.split(":")[3], kind).identifiers
        if sorted(entry["ResourceIdentifier"]) != sorted(expected):
            raise invalid(f"Invalid resource identifier for resource type {kind}. Expected {_listed(expected)}")
        if kind != (declared := wanted.resources[name].type):
            raise invalid(
                f"Resource type of [{name}] passed in ResourceToImport does not match with resource type defined in "
                f"the template. Resource type in ResourceToImport: {kind}; Resource type in Template: {declared}."
            )


def _refuse_other_changes(names: Sequence[str], found: Iterable[Change]) -> None:
    actions = {change.logical_id: change.action for change in found}
    added = [name for name, action in actions.items() if action == "Add"]
    if not added:
        raise invalid("The template should contain at least one new resource to import.")
    if in_stack := [name for name in names if name not in added]:
        raise invalid(
            f"Resources {_listed(in_stack)} passed in ResourceToImport are already in a stack and cannot be imported."
        )
    if unlisted := [name for name in added if name not in names]:
        raise invalid(f"Resources {_listed(unlisted)} is missing from ResourceToImport list")
    if modified := [name for name, action in actions.items() if action != "Add"]:
        raise invalid(
            f"You have modified resources {_listed(modified)} in your template that are not being imported. Update, "
            "create or delete operations cannot be executed during import operations."
        )


def _sought(entry: Mapping[str, Any], wanted: Deployment) -> Resource:
    declared = wanted.resources[entry["LogicalResourceId"]]
    return Resource(
        logical_id=declared.logical_id,
        type=declared.type,
        properties={},
        dependencies=frozenset(),
        tags={},
        deletion_policy=declared.deletion_policy,
        update_replace_policy=declared.update_replace_policy,
        metadata=declared.metadata,
        physical_id="|".join(entry["ResourceIdentifier"].values()),
    )


def _is_same(wanted: Resource, known: Resource) -> bool:
    is_there = known.status not in GONE
    return is_there and (known.type, known.physical_id) == (wanted.type, wanted.physical_id)


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"
