"""What AWS's services tell EventBridge: the events of CloudFormation and of rotations, in the form that AWS documents.

Sources: "CloudFormation events detail reference", CloudFormation User Guide, which needs no trail of CloudTrail;
"AWS CloudTrail entries for Secrets Manager", Secrets Manager User Guide, which does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aurora_sandbox.cloudformation.stack import Event
from aurora_sandbox.events.bus import Bus

_STACK = "AWS::CloudFormation::Stack"


def announce(bus: Bus, event: Event) -> None:
    """A stack or a resource has another status."""
    status = {"status": event.status, "status-reason": event.reason or ""}
    detail: dict[str, Any] = {"stack-id": event.stack_id, "status-details": status}
    if event.token:
        detail["client-request-token"] = event.token
    if event.type == _STACK and event.physical_id == event.stack_id:
        bus.put("aws.cloudformation", "CloudFormation Stack Status Change", detail, (event.stack_id,))
        return
    resource = {
        "logical-resource-id": event.logical_id,
        "physical-resource-id": event.physical_id or "",
        "resource-type": event.type,
    }
    kind = "CloudFormation Resource Status Change"
    bus.put("aws.cloudformation", kind, detail | resource, (event.stack_id,))


class Steps:
    """The rotation function, called for steps, with the event of a rotation that fails.

    A run that begins with testSecret is a test of the function, whose events are called otherwise.
    """

    def __init__(self, bus: Bus, invoke: Callable[[str, Mapping[str, str]], object]) -> None:
        self._bus, self._invoke = bus, invoke
        self._begun: set[str] = set()  # tokens of rotations

    def __call__(self, function_arn: str, event: Mapping[str, str]) -> object:
        """The function's answer. Raises what `invoke` raises."""
        token, step = event["ClientRequestToken"], event["Step"]
        if step == "createSecret":
            self._begun.add(token)
        try:
            return self._invoke(function_arn, event)
        except Exception:
            name = "RotationFailed" if token in self._begun else "TestRotationFailed"
            self._bus.put_by_trail("secretsmanager", name, {"SecretId": event["SecretId"]})
            raise
