"""Change sets: made, read as what they would do, and thrown away. `stacks` executes them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from aurora_tenants.aws.clients import asking, code_of
from aurora_tenants.aws.operations import is_race, new_token, refused_race
from aurora_tenants.errors import AwsError, Problem, StackFailed
from aurora_tenants.preview import Change, Difference, Preview
from aurora_tenants.stack import Stack, StackPlan

# Before the first look at a change set that is being made, and at most between two.
_POLL_SECONDS = (0.5, 5.0)
_PREFIX = "aurora-tenants-"
# Between a change set's being made and its execution.
_LONGEST = timedelta(minutes=15)
_CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_NEVER_EXECUTED = ("AVAILABLE", "UNAVAILABLE", "OBSOLETE")
# The reason that an empty change set gives; matched nowhere else. ("Change sets", CloudFormation User Guide)
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_KNOWN = re.compile(r"\{\{changeSet:KNOWN_AFTER_APPLY\}\}")
_REPLACEMENT: Mapping[str, Literal["change", "replace", "may replace"]] = {
    "True": "replace",
    "Conditional": "may replace",
}


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that can be executed. has_made_stack: the empty stack that it is for was made with it.

    keeps_failed: what its execution has made stays if it fails, so that it can be gone on with.
    """

    stack: str
    stack_id: str
    name: str
    kind: Literal["CREATE", "UPDATE", "IMPORT"]
    has_made_stack: bool = False
    keeps_failed: bool = False


def is_by_others(description: Mapping[str, Any]) -> bool:
    """Whether a stack, as DescribeStacks tells it, was last updated by anything but a change set of this program.

    An update without a change set may leave the id of the last one, so its time counts as well.
    """
    updated = description.get("LastUpdatedTime")
    if updated is None:
        return False
    _, _, name = str(description.get("ChangeSetId", "")).partition(f":changeSet/{_PREFIX}")
    made = name.partition("/")[0]
    return not made.isdecimal() or updated > datetime.fromtimestamp(int(made) / 1e9, UTC) + _LONGEST


def is_left(summary: Mapping[str, Any], now: datetime) -> bool:
    """Whether a change set, as ListChangeSets tells it, is one of this program's that nobody executes any more.

    Who has made one executes it at once, if at all.
    """
    is_ours = summary["ChangeSetName"].removeprefix(_PREFIX).isdecimal()
    is_idle = summary["Status"] in ("CREATE_COMPLETE", "FAILED") and summary.get("ExecutionStatus") in _NEVER_EXECUTED
    return bool(is_ours and is_idle and summary["CreationTime"] < now - _LONGEST)


def make(
    cloudformation: Any,
    plan: StackPlan,
    before: Stack | None,
    *,
    keeps_failed: bool = False,
    reverts_drift: bool = False,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> ChangeSet | None:
    """Makes a change set and waits for it; None if there is nothing to change.

    Raises StackFailed, AwsError, StackBusy where the stack is no longer as it was before.

    Nothing of it is left then, nor after an interrupt. before: the stack as it is, None where there is none.
    keeps_failed: a creation that fails leaves what it made, so that it can be gone on with. So does whatever goes on.
    reverts_drift: what was changed or deleted by hand is set back and made again. ("Drift-aware change sets",
    CloudFormation User Guide)
    secrets: it imports these and does nothing else; ARNs by the logical ids that they have in the template.
    """
    kind: Literal["CREATE", "UPDATE", "IMPORT"] = "CREATE" if before is None or not before.was_begun else "UPDATE"
    if secrets:
        kind = "IMPORT"
    name = f"{_PREFIX}{time.time_ns()}"
    options = {
        **({"DeploymentMode": "REVERT_DRIFT"} if reverts_drift else {}),
        **({"ResourcesToImport": _imported(secrets)} if secrets else {}),
    }
    stack_id = _begun(cloudformation, plan, name, ChangeSetType=kind, **options)
    keeps = before.is_unfinished if before and kind == "UPDATE" else keeps_failed
    made = ChangeSet(plan.name, stack_id, name, kind, has_made_stack=before is None, keeps_failed=keeps)
    is_settled = is_wanted = False
    try:
        status, reason = _settled(cloudformation, made)
        is_settled = True
        is_wanted = _has_changes(made, status, reason)
    except AwsError as error:
        if code_of(error.__cause__) != "ChangeSetNotFound":
            raise
        raise refused_race(plan.name, error) from error.__cause__  # another one was executed, which drops the rest
    finally:
        if not is_settled:
            _await_settled(cloudformation, made)
        if not is_wanted:
            discard(cloudformation, made)
    return made if is_wanted else None


def _begun(cloudformation: Any, plan: StackPlan, name: str, **options: Any) -> str:
    """Has CloudFormation make a change set, whatever becomes of its answer; the ARN of the stack that it is for.

    A token lets CloudFormation know a repetition. ("CreateChangeSet", CloudFormation API Reference)
    """
    try:
        with asking(f"deploy stack {plan.name}"):
            answer = cloudformation.create_change_set(
                StackName=plan.name, ChangeSetName=name, ClientToken=name, **wanted(plan), **options
            )
    except AwsError as error:
        if not is_race(error.__cause__):
            raise
        try:
            with asking("read the change set"):
                answer = cloudformation.describe_change_set(StackName=plan.name, ChangeSetName=name)
        except AwsError as unknown:
            if code_of(unknown.__cause__) not in ("ChangeSetNotFound", "ValidationError"):
                raise
            raise refused_race(plan.name, error) from error.__cause__
    return str(answer["StackId"])


def wanted(plan: StackPlan) -> dict[str, Any]:
    """What a stack is to be, as CreateChangeSet and CreateStack take it."""
    return {
        "TemplateBody": plan.template_text(),
        "Parameters": [{"ParameterKey": key, "ParameterValue": text} for key, text in sorted(plan.parameters.items())],
        "Tags": [{"Key": key, "Value": text} for key, text in sorted(plan.tags.items())],
        "Capabilities": _CAPABILITIES,
        **({"RoleARN": plan.role_arn} if plan.role_arn else {}),
    }


def _imported(secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"ResourceType": "AWS::SecretsManager::Secret", "LogicalResourceId": name, "ResourceIdentifier": {"Id": arn}}
        for name, arn in sorted(secrets.items())
    ]


def _has_changes(made: ChangeSet, status: str, reason: str) -> bool:
    """Whether one that was made, or given up, is worth its execution. Raises StackFailed if it cannot be made."""
    if status == "CREATE_COMPLETE":
        return True
    if any(text in reason for text in _NO_CHANGES):
        return False
    what = f"stack {made.stack} cannot be deployed: {reason}"
    raise StackFailed(Problem("stack-failed", what, context=made.stack))


def _settled(cloudformation: Any, made: ChangeSet) -> tuple[str, str]:
    """Its status and the reason, once CloudFormation has made it or given up."""
    for _ in polls():
        with asking("read the change set"):
            answer = cloudformation.describe_change_set(StackName=made.stack_id, ChangeSetName=made.name)
        if answer["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return answer["Status"], answer.get("StatusReason", "")
    raise AssertionError("polling only ends with an answer")


def _await_settled(cloudformation: Any, made: ChangeSet) -> None:
    """What is still being made cannot be deleted."""
    with suppress(AwsError):  # another one is on its way, or the deletion meets the same
        _settled(cloudformation, made)


def discard(cloudformation: Any, made: ChangeSet) -> None:
    """Deletes a change set, with the empty stack that was made with it.

    A stack that somebody else has deployed in the meantime is left alone.
    """
    try:
        with asking("delete the change set"):
            cloudformation.delete_change_set(StackName=made.stack_id, ChangeSetName=made.name)
    except AwsError as error:
        if code_of(error.__cause__) == "ChangeSetNotFound":  # another of the stack was executed, which drops the rest
            return
        raise
    if not made.has_made_stack or _status(cloudformation, made) != "REVIEW_IN_PROGRESS":
        return
    with asking(f"delete the empty stack {made.stack}"):
        cloudformation.delete_stack(StackName=made.stack_id, ClientRequestToken=new_token())
    for _ in polls():
        if _status(cloudformation, made) == "DELETE_COMPLETE":
            return


def _status(cloudformation: Any, made: ChangeSet) -> str:
    with asking(f"read stack {made.stack}"):
        return str(cloudformation.describe_stacks(StackName=made.stack_id)["Stacks"][0]["StackStatus"])


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
        "delete"
        if action == "Remove"
        else "create"
        if action in ("Add", "Import") or change.get("ResourceDriftStatus") == "DELETED"
        else _REPLACEMENT.get(change.get("Replacement", ""), "change"),
        tuple(sorted(differences, key=lambda difference: difference.name)),
        change.get("PolicyAction", ""),
    )


def polls() -> Iterator[None]:
    """Endless, after growing pauses: CloudFormation ends every operation itself, even one of a custom resource."""
    pause, longest = _POLL_SECONDS
    while True:
        time.sleep(pause)
        yield
        pause = min(pause * 1.6, longest)
