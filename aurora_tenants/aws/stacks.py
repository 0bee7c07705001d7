"""CloudFormation stacks: reads them, deploys them by change set, and deletes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.aws import changesets, leftovers
from aurora_tenants.aws.changesets import ChangeSet
from aurora_tenants.aws.clients import asking
from aurora_tenants.aws.operations import Event as Event
from aurora_tenants.aws.operations import StackBusy, Stopped, beginning, follow, new_token
from aurora_tenants.aws.operations import Tell as Tell
from aurora_tenants.aws.poller import poller_of
from aurora_tenants.errors import AwsError, Problem, StackFailed
from aurora_tenants.model import Cluster
from aurora_tenants.naming import (
    ADDRESS_EXPORTS,
    CLUSTER_TAG,
    TENANT_TAG,
    cluster_stack,
    cluster_tags,
    pause_stack,
    pause_tags,
    stack_name,
)
from aurora_tenants.stack import Deployed, Shared, Stack, StackPlan, busy
from aurora_tenants.status import state_of

# What may be left as it is when it cannot be rolled back, because the next update makes it as it should be.
_SKIPPED = ("Custom::", "AWS::SecretsManager::")
# Between two looks at a stack that somebody else is at, and at whether the run was stopped.
_STOP_SECONDS = 2.0


def read_deployed(cloudformation: Any, cluster: Cluster) -> Deployed:
    """The shared stack and every tenant's: one call for each page of DescribeStacks, however many tenants there are."""
    stacks = read_all(cloudformation)
    tenants = {
        stack.tags[TENANT_TAG]: stack
        for stack in stacks
        if stack.tags.get(CLUSTER_TAG) == cluster.stack
        and stack.name == stack_name(cluster, stack.tags.get(TENANT_TAG, ""))
    }
    shared = next((shared_of(stack) for stack in stacks if stack.name == cluster.stack), None)
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
    described = _described(cloudformation, name)
    return _stack(described) if described else None


def _described(cloudformation: Any, name: str) -> Mapping[str, Any] | None:
    try:
        with asking(f"read stack {name}"):
            found: Mapping[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            return found
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
        exports=frozenset(entry["ExportName"] for entry in description.get("Outputs", []) if "ExportName" in entry),
        id=description.get("StackId", "").rpartition("/")[2],
        role_arn=description.get("RoleARN", ""),
        is_by_others=changesets.is_by_others(description),
    )


def shared_of(stack: Stack) -> Shared:
    """What a shared stack says of itself."""
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
        exports_address={f"{stack.name}-{export}" for export in ADDRESS_EXPORTS} <= stack.exports,
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

    What the plan says of a stack at rest is not read again: CloudFormation refuses what does not fit any more. Raises
    StackFailed with the first cause when the operation fails or is rolled back, StackBusy where somebody else is or was
    at the stack.
    """
    before = None if plan.is_new else _as_planned(plan) or read_stack(cloudformation, plan.name)
    if before is None:
        _create(cloudformation, plan, tell)
        return True
    require_idle(before)
    if plan.action == "create" and before.was_begun and not is_of(plan, before):
        what = f"stack {plan.name} was made by somebody else since the plan, and is not {plan.about}'s"
        fix = "delete or rename it, or give the tenant another name"
        raise AwsError(Problem("foreign-stack", what, context=plan.about, fix=fix))
    if before.state.way == "roll back":
        continue_rollback(cloudformation, plan.name, tell, role_arn=plan.role_arn)
    made = leftovers.with_room(cloudformation, plan.name, partial(changesets.make, cloudformation, plan, before))
    if made is None:
        return False
    with leftovers.discarding(cloudformation, made):
        execute(cloudformation, made, tell=tell)
    return True


def _as_planned(plan: StackPlan) -> Stack | None:
    is_at_rest = plan.action == "update" and state_of(plan.status).way == "update"
    return Stack(plan.name, plan.status, id=plan.id) if is_at_rest else None


def is_of(plan: StackPlan, stack: Stack) -> bool:
    """Whether a stack is what a plan is about, whoever has made it, by its tags."""
    return plan.tags.items() <= stack.tags.items()


def require_idle(stack: Stack) -> None:
    """Raises StackBusy for a stack that an operation is under way for."""
    if stack.is_busy:
        raise StackBusy(*busy(stack, ""))


def _create(cloudformation: Any, plan: StackPlan, tell: Tell) -> None:
    """Creates a stack. It has its tags at once, which the policy for CI goes by."""
    allow = "deploy the shared stack again, whose ApplyPolicy then allows it, and attach that policy"
    token, stack_id = new_token(), ""
    with beginning(cloudformation, plan.name, token, f"deploy stack {plan.name}", if_denied=allow):
        wanted = changesets.wanted(plan)
        stack_id = cloudformation.create_stack(StackName=plan.name, ClientRequestToken=token, **wanted)["StackId"]
    follow(cloudformation, stack_id or stack_id_of(cloudformation, plan.name), token, "CREATE_COMPLETE", tell)


def stack_id_of(cloudformation: Any, name: str) -> str:
    """The ARN of a stack. Raises AwsError where there is none of that name."""
    with asking(f"read stack {name}"):
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"])


def execute(cloudformation: Any, made: ChangeSet, *, tell: Tell) -> None:
    """Executes a change set and waits for the end. Raises StackFailed with the first cause.

    One that is not executed, because somebody else was faster or the run was stopped, is deleted.
    """
    token = new_token()
    # Not by OnStackFailure of the change set: a stack that was created to do nothing on failure takes no update then.
    options = {"DisableRollback": True} if made.keeps_failed else {}
    try:
        with beginning(cloudformation, made.stack_id, token, f"deploy stack {made.stack}"):
            cloudformation.execute_change_set(
                StackName=made.stack_id, ChangeSetName=made.name, ClientRequestToken=token, **options
            )
    except (StackBusy, Stopped):
        changesets.discard(cloudformation, made)
        raise
    follow(cloudformation, made.stack_id, token, f"{made.kind}_COMPLETE", tell)


def delete(
    cloudformation: Any,
    name: str,
    *,
    tell: Tell,
    role_arn: str = "",
    still: Callable[[Stack], bool] = lambda stack: True,
) -> None:
    """Deletes a stack and waits until it is gone. Raises StackFailed with the first cause.

    role_arn: what CloudFormation works with; empty for what it worked with last. still: whether a stack, as it is now,
    is the one to delete.
    """
    described = _described(cloudformation, name)
    if described is None:
        return
    stack, stack_id = _stack(described), str(described["StackId"])
    require_idle(stack)
    if not still(stack):
        return
    # By its id: of the same name, somebody else may have made another meanwhile.
    token = new_token()
    with beginning(cloudformation, stack_id, token, f"delete stack {name}"):
        cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token, **_in_role(role_arn))
    follow(cloudformation, stack_id, token, "DELETE_COMPLETE", tell)


def _in_role(role_arn: str) -> dict[str, str]:
    return {"RoleARN": role_arn} if role_arn else {}


def continue_rollback(
    cloudformation: Any, name: str, tell: Tell, skip: Sequence[str] = (), *, role_arn: str = ""
) -> None:
    """Ends a rollback that failed. Raises StackFailed if only a person can. role_arn: as in `delete`."""
    stack_id, token = stack_id_of(cloudformation, name), new_token()
    with beginning(cloudformation, stack_id, token, f"continue the rollback of stack {name}"):
        cloudformation.continue_update_rollback(
            StackName=stack_id, ResourcesToSkip=[*skip], ClientRequestToken=token, **_in_role(role_arn)
        )
    try:
        follow(cloudformation, stack_id, token, "UPDATE_ROLLBACK_COMPLETE", tell)
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


def await_idle(
    cloudformation: Any, name: str, *, seconds: float, waits: Callable[[Stack], None], stop: threading.Event
) -> Stack | None:
    """A stack once nobody is at it any more, None when there is none; as it is, after so many seconds or a stop.

    waits: called with the stack whenever another operation is waited for.
    """
    stack, until, told = read_stack(cloudformation, name), time.monotonic() + seconds, ""
    while stack and stack.is_busy:
        if stack.status != told:
            told = stack.status
            waits(stack)
        with poller_of(cloudformation).watching(stack.id) as watched:
            while not watched.wait(at_most=_STOP_SECONDS):
                if stop.is_set() or time.monotonic() > until:
                    return stack
        if stop.is_set() or time.monotonic() > until:
            return stack
        stack = read_stack(cloudformation, name)
    return stack
