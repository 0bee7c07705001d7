"""Change sets: made, and read as what they would do. `stacks` executes them, or throws them away."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aurora_tenants.aws.clients import asking
from aurora_tenants.errors import Problem, StackFailed
from aurora_tenants.preview import Change, Difference, Preview
from aurora_tenants.stack import StackPlan

_POLL_SECONDS = (0.2, 5.0)
_CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
# The reason that an empty change set gives; matched nowhere else. ("Change sets", CloudFormation User Guide)
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_KNOWN = re.compile(r"\{\{changeSet:KNOWN_AFTER_APPLY\}\}")
_REPLACEMENT: Mapping[str, Literal["change", "replace", "may replace"]] = {
    "True": "replace",
    "Conditional": "may replace",
}


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that can be executed. kind: CREATE made an empty stack for it."""

    stack: str
    stack_id: str
    name: str
    kind: Literal["CREATE", "UPDATE"]


def make(
    cloudformation: Any, plan: StackPlan, kind: Literal["CREATE", "UPDATE"], *, keeps_failed: bool = False
) -> ChangeSet | None:
    """Makes a change set and waits for it; None if there is nothing to change. Raises StackFailed, AwsError.

    keeps_failed: a creation that fails leaves what it made, so that it can be gone on with.
    """
    name = f"aurora-tenants-{time.time_ns()}"
    with asking(f"deploy stack {plan.name}"):
        stack_id = cloudformation.create_change_set(
            StackName=plan.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=plan.template_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": text} for key, text in sorted(plan.parameters.items())],
            Tags=[{"Key": key, "Value": text} for key, text in sorted(plan.tags.items())],
            Capabilities=_CAPABILITIES,
            **({"RoleARN": plan.role_arn} if plan.role_arn else {}),
            **({"OnStackFailure": "DO_NOTHING"} if keeps_failed and kind == "CREATE" else {}),
        )["StackId"]
    made = ChangeSet(plan.name, stack_id, name, kind)
    return made if _has_changes(cloudformation, made) else None


def _has_changes(cloudformation: Any, made: ChangeSet) -> bool:
    """Waits until it is created, and deletes an empty one. Raises StackFailed if it cannot be created."""
    for _ in polls():
        with asking("read the change set"):
            answer = cloudformation.describe_change_set(StackName=made.stack_id, ChangeSetName=made.name)
        status, reason = answer["Status"], answer.get("StatusReason", "")
        if status == "CREATE_COMPLETE":
            return True
        if status == "FAILED":
            with asking("delete the change set"):
                cloudformation.delete_change_set(StackName=made.stack_id, ChangeSetName=made.name)
            if any(text in reason for text in _NO_CHANGES):
                return False
            what = f"stack {made.stack} cannot be deployed: {reason}"
            raise StackFailed(Problem("stack-failed", what, context=made.stack))
    raise AssertionError("polling only ends with an answer")


def read(cloudformation: Any, made: ChangeSet) -> Preview:
    """What it would do, with the values of properties where CloudFormation tells them."""
    changes: list[Change] = []
    token: dict[str, str] = {}
    while True:
        with asking("read the change set"):
            answer = cloudformation.describe_change_set(
                StackName=made.stack_id, ChangeSetName=made.name, IncludePropertyValues=True, **token
            )
        changes += [_change(entry["ResourceChange"]) for entry in answer.get("Changes", ())]
        if "NextToken" not in answer:
            return Preview(made.stack, made.kind == "CREATE", tuple(changes))
        token = {"NextToken": answer["NextToken"]}


def _change(change: Mapping[str, Any]) -> Change:
    details = (detail["Target"] for detail in change.get("Details", ()))
    differences = {
        Difference(
            detail.get("Name") or detail["Attribute"],
            detail.get("BeforeValue", ""),
            _KNOWN.sub("(known when it is deployed)", detail.get("AfterValue", "")),
            detail.get("RequiresRecreation", "Never"),
        )
        for detail in details
    }
    action = change["Action"]
    return Change(
        change["LogicalResourceId"],
        change["ResourceType"],
        "create"
        if action in ("Add", "Import")
        else "delete"
        if action == "Remove"
        else _REPLACEMENT.get(change.get("Replacement", ""), "change"),
        tuple(sorted(differences, key=lambda difference: difference.name)),
        change.get("PolicyAction", ""),
    )


def polls() -> Iterator[None]:
    """Endless, with growing pauses: CloudFormation ends every operation itself, even one of a custom resource."""
    pause, longest = _POLL_SECONDS
    while True:
        yield
        time.sleep(pause)
        pause = min(pause * 1.25, longest)
