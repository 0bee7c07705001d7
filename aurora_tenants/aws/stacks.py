"""CloudFormation stacks: reads them, deploys them by change set, deletes them, and finds out why something failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.aws import changesets, leftovers
from aurora_tenants.aws.changesets import ChangeSet, polls
from aurora_tenants.aws.clients import asking
from aurora_tenants.errors import AwsError, Problem, StackFailed
from aurora_tenants.model import Cluster
from aurora_tenants.naming import (
    CLUSTER_TAG,
    TENANT_TAG,
    cluster_stack,
    cluster_tags,
    pause_stack,
    pause_tags,
    stack_name,
)
from aurora_tenants.stack import Deployed, Shared, Stack, StackPlan


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a stack operation. resource: a logical id, or the stack's name for the stack itself."""

    stack: str
    resource: str
    type: str
    status: str
    reason: str


Tell = Callable[[Event], None]

# What may be left as it is when it cannot be rolled back, because the next update makes it as it should be.
_SKIPPED = ("Custom::", "AWS::SecretsManager::")
# Before what a custom resource's function has answered.
_ANSWERED = "Message returned: "
# What the provider tells of an error that it does not know, and AWS of rights that its role has lost.
_BROKEN = ("the provider failed with", "is not authorized to perform")


def read_deployed(cloudformation: Any, cluster: Cluster) -> Deployed:
    """The shared stack and every tenant's: one call for each page of DescribeStacks, however many tenants there are."""
    stacks = read_all(cloudformation)
    tenants = {
        stack.tags[TENANT_TAG]: stack
        for stack in stacks
        if stack.tags.get(CLUSTER_TAG) == cluster.stack
        and stack.name == stack_name(cluster, stack.tags.get(TENANT_TAG, ""))
    }
    shared = next((_shared(stack) for stack in stacks if stack.name == cluster.stack), None)
    paused = [stack for stack in stacks if stack.name == pause_stack(cluster) and _is_pause(cluster, stack)]
    made = [stack for stack in stacks if stack.name == cluster_stack(cluster.stack) and _is_made(cluster, stack)]
    ours = {stack.name for stack in (*tenants.values(), *paused)}
    others = frozenset(stack.name for stack in stacks if stack.was_begun) - ours
    waiting = (stack.name for stack in stacks if not stack.was_begun and stack.name.startswith(f"{cluster.stack}-"))
    return Deployed(
        shared,
        tenants,
        others,
        pause_schedule=paused[0] if paused else None,
        shared_stacks=shared_stacks(stacks),
        made=made[0] if made else None,
        waiting=tuple(sorted({*waiting} - {*(it.name for it in tenants.values()), cluster_stack(cluster.stack)})),
    )


def shared_stacks(stacks: Iterable[Stack]) -> tuple[str, ...]:
    """The names of those that are shared stacks."""
    return tuple(sorted(stack.name for stack in stacks if "ProviderVersion" in stack.outputs))


def read_all(cloudformation: Any) -> list[Stack]:
    """Every stack of the account and region."""
    with asking("read the stacks"):
        pages = cloudformation.get_paginator("describe_stacks").paginate()
        return [_stack(description) for page in pages for description in page["Stacks"]]


def importers(cloudformation: Any, export: str) -> list[str]:
    """The names of the stacks that import what a stack exports; none when nobody does."""
    try:
        with asking(f"read who imports {export}", if_denied="allow cloudformation:ListImports"):
            pages = cloudformation.get_paginator("list_imports").paginate(ExportName=export)
            return [name for page in pages for name in page["Imports"]]
    except AwsError as error:
        if "is not imported by any stack" in str(error.__cause__):
            return []
        raise


def _is_pause(cluster: Cluster, stack: Stack) -> bool:
    # A stack whose first change set was never executed is empty and may have no tags yet.
    return not stack.was_begun or pause_tags(cluster).items() <= stack.tags.items()


def _is_made(cluster: Cluster, stack: Stack) -> bool:
    return stack.was_begun and cluster_tags(cluster.stack).items() <= stack.tags.items()


def read_stack(cloudformation: Any, name: str) -> Stack | None:
    """One stack by name or id, None when there is none of that name."""
    try:
        with asking(f"read stack {name}"):
            return _stack(cloudformation.describe_stacks(StackName=name)["Stacks"][0])
    except AwsError as error:
        if isinstance(error.__cause__, ClientError) and "does not exist" in str(error.__cause__):
            return None
        raise


def _stack(description: Mapping[str, Any]) -> Stack:
    return Stack(
        name=description["StackName"],
        status=description["StackStatus"],
        reason=description.get("StackStatusReason", ""),
        tags={tag["Key"]: tag["Value"] for tag in description.get("Tags", [])},
        parameters={
            entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in description.get("Parameters", [])
        },
        outputs={entry["OutputKey"]: entry["OutputValue"] for entry in description.get("Outputs", [])},
        id=description.get("StackId", "").rpartition("/")[2],
        role_arn=description.get("RoleARN", ""),
        is_by_others=changesets.is_by_others(description),
    )


def _shared(stack: Stack) -> Shared:
    outputs = stack.outputs
    version = outputs.get("ProviderVersion", "")
    return Shared(
        stack=stack.name,
        cluster_arn=outputs.get("DatabaseServer", ""),
        inspector_secret=outputs.get("InspectorSecret", ""),
        version=int(version) if version.isdecimal() else None,
        inspector_problem=outputs.get("InspectorProblem", "none").removeprefix("none"),
        master_user=outputs.get("MasterUser", ""),
        role_arn=outputs.get("CloudFormationRole", ""),
        status=stack.status,
        pause_role_arn=outputs.get("PauseScheduleRole", ""),
        pause_dead_letters=outputs.get("PauseScheduleDeadLetters", ""),
        rotation_function=outputs.get("DatabaseSecretRotationLambda", ""),
    )


def read_template(cloudformation: Any, name: str) -> Mapping[str, Any]:
    """A stack's template as it was deployed; empty for one that is not JSON, and so not from this program."""
    with asking(f"read the template of stack {name}"):
        body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    # boto3 parses JSON, and returns anything else as text.
    return body if isinstance(body, Mapping) else {}


def read_template_text(cloudformation: Any, name: str) -> str:
    """A stack's template in the words in which it was deployed; empty for one that is JSON, which boto3 parses."""
    with asking(f"read the template of stack {name}"):
        body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    return body if isinstance(body, str) else ""


def deploy(cloudformation: Any, plan: StackPlan, *, tell: Tell) -> bool:
    """Deploys a stack's template and waits for the end. False when there was nothing to change.

    Raises StackFailed with the first cause when the operation fails or is rolled back.
    """
    name = plan.name
    before = read_stack(cloudformation, name)
    if before is None:
        _finish(cloudformation, _create(cloudformation, plan), "CREATE_COMPLETE", "", tell)
        return True
    if before.state.way == "roll back":
        continue_rollback(cloudformation, name, tell, role_arn=plan.role_arn)
    made = leftovers.with_room(cloudformation, name, partial(changesets.make, cloudformation, plan, before))
    if made is None:
        return False
    with leftovers.discarding(cloudformation, made):
        execute(cloudformation, made, tell=tell)
    return True


def _create(cloudformation: Any, plan: StackPlan) -> str:
    """Begins to create a stack, and gives its id. It has its tags at once, which the policy for CI goes by.

    A token lets botocore ask again when an answer was lost. ("CreateStack", CloudFormation API Reference)
    """
    allow = "deploy the shared stack again, whose ApplyPolicy then allows it, and attach that policy"
    token = f"aurora-tenants-{time.time_ns()}"
    with asking(f"deploy stack {plan.name}", if_denied=allow):
        answer = cloudformation.create_stack(StackName=plan.name, ClientRequestToken=token, **changesets.wanted(plan))
    return str(answer["StackId"])


def execute(cloudformation: Any, made: ChangeSet, *, tell: Tell) -> None:
    """Executes a change set and waits for the end. Raises StackFailed with the first cause."""
    since = _last_event(cloudformation, made.stack_id)
    # Not by OnStackFailure of the change set: a stack that was created to do nothing on failure takes no update then.
    options = {"DisableRollback": True} if made.keeps_failed else {}
    with asking(f"deploy stack {made.stack}"):
        cloudformation.execute_change_set(StackName=made.stack_id, ChangeSetName=made.name, **options)
    _finish(cloudformation, made.stack_id, f"{made.kind}_COMPLETE", since, tell)


def delete(cloudformation: Any, name: str, *, tell: Tell, role_arn: str = "") -> None:
    """Deletes a stack and waits until it is gone. Raises StackFailed with the first cause.

    role_arn: what CloudFormation works with; empty for what it worked with last.
    """
    stack = read_stack(cloudformation, name)
    if stack is None:
        return
    with asking(f"delete stack {name}"):
        stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        since = _last_event(cloudformation, stack_id)
        cloudformation.delete_stack(StackName=stack_id, **_in_role(role_arn))
    _finish(cloudformation, stack_id, "DELETE_COMPLETE", since, tell)


def _in_role(role_arn: str) -> dict[str, str]:
    return {"RoleARN": role_arn} if role_arn else {}


def continue_rollback(
    cloudformation: Any, name: str, tell: Tell, skip: Sequence[str] = (), *, role_arn: str = ""
) -> None:
    """Ends a rollback that failed. Raises StackFailed if only a person can. role_arn: as in `delete`."""
    with asking(f"continue the rollback of stack {name}"):
        stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        since = _last_event(cloudformation, stack_id)
        cloudformation.continue_update_rollback(StackName=stack_id, ResourcesToSkip=[*skip], **_in_role(role_arn))
    try:
        _finish(cloudformation, stack_id, "UPDATE_ROLLBACK_COMPLETE", since, tell)
    except StackFailed:
        # What cannot be rolled back, such as a grant on a table that is gone, or whatever needs a secret that is gone,
        # is skipped and left to the next update.
        with asking(f"read the resources of stack {name}"):
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
            failed = [
                entry["LogicalResourceId"]
                for page in pages
                for entry in page["StackResourceSummaries"]
                if entry["ResourceStatus"] == "UPDATE_FAILED" and entry["ResourceType"].startswith(_SKIPPED)
            ]
        if not {*failed} - {*skip}:
            raise
        continue_rollback(cloudformation, name, tell, (*skip, *failed), role_arn=role_arn)


def _finish(cloudformation: Any, stack_id: str, wanted: str, since: str, tell: Tell) -> None:
    """Follows an operation to its end and reports each event once. Raises StackFailed if it ends other than wanted."""
    try:
        _follow(cloudformation, stack_id, wanted, since, tell)
    except AwsError as error:
        # The operation continues, whether or not anybody can follow it.
        error.nothing_was_changed = False
        raise


def _follow(cloudformation: Any, stack_id: str, wanted: str, since: str, tell: Tell) -> None:
    seen: set[str] = set()
    failures: list[Event] = []
    for _ in polls():
        with asking("read the stack"):
            description = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        for event_id, event in _events(cloudformation, stack_id, since):
            if event_id not in seen:
                seen.add(event_id)
                tell(event)
                if event.status.endswith("_FAILED") and "cancelled" not in event.reason:
                    failures.append(event)
        status = description["StackStatus"]
        # Until there is an event of this operation, the status may still be that of the last one.
        if not seen or status.endswith("_IN_PROGRESS"):
            continue
        if status != wanted:
            raise StackFailed(_root_cause(description["StackName"], status, failures))
        return


def _root_cause(name: str, status: str, failures: list[Event]) -> Problem:
    """The first resource that failed, in its own words; later failures follow from it."""
    cause = next((event for event in failures if event.resource != name), failures[0] if failures else None)
    ended = {
        "UPDATE_ROLLBACK_COMPLETE": "was rolled back to what it was",
        "IMPORT_ROLLBACK_COMPLETE": "was rolled back to what it was",
        "ROLLBACK_COMPLETE": "was rolled back; the next apply creates it again",
        "CREATE_FAILED": "ended as CREATE_FAILED, with what it has made; the next deployment goes on",
        "UPDATE_FAILED": "ended as UPDATE_FAILED, with what it has made; the next deployment goes on",
    }.get(status, f"ended as {status}")
    if cause is None:
        return Problem("stack-failed", f"stack {name} {ended}", context=name)
    code = "function-failed" if _is_of_function(cause) else "stack-failed"
    return Problem(code, f"{cause.resource}: {words(cause)}", why=f"stack {name} {ended}", context=f"stack {name}")


def _is_of_function(cause: Event) -> bool:
    """Whether one of the shared stack's functions is gone or broken: it did not answer, or did not know what to say."""
    is_custom = cause.type.startswith("Custom::")
    if is_custom:
        return _ANSWERED not in cause.reason or any(text in cause.reason for text in _BROKEN)
    return cause.type == "AWS::SecretsManager::RotationSchedule" and "ambda" in cause.reason


def words(failure: Event) -> str:
    """Why a resource failed, without what CloudFormation puts before a custom resource's sentence, and after it."""
    return " ".join(failure.reason.split(_ANSWERED, 1)[-1].split(" (RequestId: ")[0].split())


def first_failure(cloudformation: Any, name: str) -> Event | None:
    """The resource at which the last operation on a stack failed first, None where no event tells it."""
    first = None
    for _, event in reversed([*_events(cloudformation, name, "")]):
        if event.type == "AWS::CloudFormation::Stack":
            if event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "REVIEW_IN_PROGRESS"):
                break
        elif event.status.endswith("_FAILED") and "cancelled" not in event.reason:
            first = event
    return first


def _events(cloudformation: Any, stack_id: str, since: str) -> Iterator[tuple[str, Event]]:
    """The events after the one with id `since`, oldest first."""
    newer: list[tuple[str, Event]] = []
    with asking("read the stack's events"):
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for entry in page["StackEvents"]:
                if entry["EventId"] == since:
                    return reversed(newer)
                event = Event(
                    entry["StackName"],
                    entry["LogicalResourceId"],
                    entry["ResourceType"],
                    entry["ResourceStatus"],
                    entry.get("ResourceStatusReason", ""),
                )
                newer.append((entry["EventId"], event))
    return reversed(newer)


def _last_event(cloudformation: Any, stack_id: str) -> str:
    with asking("read the stack's events"):
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return str(events[0]["EventId"]) if events else ""
