"""What has to happen to a resource: decided from what it is and what it shall be, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.intrinsics import Scope, Unresolvable, references, resolve, stringified
from aurora_sandbox.cloudformation.schemas import Schema, differs
from aurora_sandbox.cloudformation.stack import Resource
from aurora_sandbox.cloudformation.template import Declaration
from aurora_sandbox.cloudformation.types import ResourceFailed, is_custom

Action = Literal["create", "keep", "update", "replace"]
_ABSENT = object()


def wanted(declaration: Declaration, deployment: Deployment, scope: Scope, rules: Schema | None) -> Resource:
    """The resource as the deployment wants it. Raises Unresolvable.

    rules: None for a custom resource, whose properties are all text and which has no tags.
    """
    return Resource(
        logical_id=declaration.logical_id,
        type=declaration.type,
        properties=typed(resolve(dict(declaration.properties), scope), rules),
        dependencies=deployment.dependencies[declaration.logical_id],
        tags=deployment.tags if rules and rules.has_tags else {},
        deletion_policy=declaration.deletion_policy,
        update_replace_policy=declaration.update_replace_policy,
        metadata=declaration.metadata,
        secrets=secret(declaration, deployment),
    )


def secret(declaration: Declaration, deployment: Deployment) -> frozenset[str]:
    """Names of the properties that a NoEcho parameter is in, whose values no answer tells."""
    hidden = {name for name, parameter in deployment.template.parameters.items() if parameter.is_secret}
    return frozenset(
        name
        for name, value in declaration.properties.items()
        if any(found.name in hidden for found in references(value))
    )


def typed(properties: Mapping[str, Any], rules: Schema | None) -> dict[str, Any]:
    """The properties as the resource type receives them."""
    text: dict[str, Any] = stringified(properties)
    return text if rules is None else rules.coerced(properties)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the properties that differ, in order; 5 and "5" do not."""
    names = sorted(before.keys() | after.keys())
    return tuple(name for name in names if _text(before, name) != _text(after, name))


def replaces(rules: Schema, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether AWS cannot get from one to the other without a new physical resource."""
    old, new = stringified(dict(before)), stringified(dict(after))
    return any(differs(path, old, new) for path in rules.create_only)


def action(current: Resource | None, target: Resource, rules: Schema | None) -> Action:
    """What to do. Raises ResourceFailed for changes that CloudFormation does not make.

    What failed in a stack that was not rolled back is tried again: created anew, or updated even without a difference.
    """
    if current is None or current.status in ("CREATE_FAILED", "DELETE_COMPLETE"):
        return "create"
    names = changed(current.properties, target.properties)
    if not names and current.tags == target.tags:
        return "update" if current.status == "UPDATE_FAILED" else "keep"
    if rules is None:
        if "ServiceToken" in names:
            raise ResourceFailed("Modifying service token is not allowed.")
        return "update"
    if not replaces(rules, current.properties, target.properties):
        return "update"
    if rules.identifiers and all(name in target.properties and name not in names for name in rules.identifiers):
        raise ResourceFailed(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {current.physical_id} and update the stack again."
        )
    return "replace"


def attribute(resource: Resource, name: str, stack_id: str) -> Any:
    """What Fn::GetAtt gives for a resource that exists. Raises Unresolvable with AWS's words."""
    found: Any = resource.attributes.get(name, _ABSENT)
    if found is _ABSENT:
        found = resource.attributes
        for part in name.split("."):
            found = found.get(part, _ABSENT) if isinstance(found, Mapping) else _ABSENT
    if found is not _ABSENT:
        return found
    if is_custom(resource.type):
        raise Unresolvable(
            f"CustomResource attribute error: Vendor response doesn't contain {name} attribute "
            f"in object {stack_id}|{resource.logical_id}"
        )
    raise Unresolvable(
        f"Template error: resource {resource.logical_id} does not support attribute type {name} in Fn::GetAtt"
    )


def _text(properties: Mapping[str, Any], name: str) -> Any:
    return stringified(properties[name]) if name in properties else _ABSENT
