"""What was changed behind CloudFormation's back: read when a drift-aware change set is made, set back by it.

Only properties that the template sets are compared. Those that cannot be read, such as a function's code, never differ,
and of custom resources nothing does.

Source: "Using drift-aware change sets" and "Detect unmanaged configuration changes", AWS CloudFormation User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aurora_sandbox.cloudformation.changes import changed
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.stack import GONE, Resource, Stack

# By logical id, of what differs alone: the properties as they really are, None for a resource that is not there.
Drift = Mapping[str, Mapping[str, Any] | None]


def detect(stack: Stack, handlers: Handlers) -> Drift:
    """Reads every resource of the stack."""
    found = {name: handlers.live(stack, item) for name, item in stack.resources.items() if item.status not in GONE}
    return {
        name: live for name, live in found.items() if live is None or changed(stack.resources[name].properties, live)
    }


def as_found(resource: Resource, drift: Drift) -> Resource | None:
    """The resource with the properties that it really has; None if it is not there."""
    if resource.logical_id not in drift:
        return resource
    live = drift[resource.logical_id]
    return None if live is None else replace(resource, properties=live)
