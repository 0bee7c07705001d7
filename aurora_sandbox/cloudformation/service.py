"""CloudFormation's API. One method per operation; the tables at the top say which there are.

    CloudFormation(resources={…}, custom=CustomResources(…), …).handle("CreateStack", {"StackName": "shop", …}, caller)

What an operation asks for is decided and refused here, at once; what it does goes on in the engine's threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aurora_sandbox.cloudformation import answers, template
from aurora_sandbox.cloudformation.changesets import ChangeSets
from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.dynamic import ResolveSecret
from aurora_sandbox.cloudformation.engine import Engine
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.intrinsics import Unresolvable
from aurora_sandbox.cloudformation.pacing import Pacing
from aurora_sandbox.cloudformation.preview import Preview
from aurora_sandbox.cloudformation.refusals import invalid, no_stack, not_imitated, refuse_failed
from aurora_sandbox.cloudformation.region import MAX_STACKS, Region, StackFailed
from aurora_sandbox.cloudformation.requests import (
    UNDERSTOOD,
    check,
    check_name,
    check_role,
    on_failure,
    requested,
)
from aurora_sandbox.cloudformation.rollout import RollbackStyle
from aurora_sandbox.cloudformation.stack import UPDATABLE, Event, Stack
from aurora_sandbox.cloudformation.tokens import Tokens
from aurora_sandbox.cloudformation.types import ResourceType
from aurora_sandbox.wire import Caller, ServiceError

Parameters = Mapping[str, Any]


class CloudFormation:
    """Stacks and change sets, in memory.

    rollback_style: how a replaced custom resource is rolled back, for which sources differ: by an Update to the old
    properties, or by going back to the old physical resource. Both then delete the new one.
    time_scale: how many times faster than in AWS TimeoutInMinutes passes.
    resolve_secret: secret id, JSON key, stage and version (the last three may be empty) to the value.
    may_assume: whether CloudFormation may act in the role of this ARN.
    stack_seconds: how long a stack's operation takes at least that begins now. announce: is told of every event.
    Attribute region: everything that is remembered, for those who want to wait for more than a stack's end.
    """

    name = "cloudformation"
    only = None

    def __init__(
        self,
        *,
        resources: Mapping[str, ResourceType],
        custom: ResourceType,
        account: str,
        region: str,
        resolve_secret: ResolveSecret,
        may_assume: Callable[[str], bool] = lambda role_arn: True,
        rollback_style: RollbackStyle = "update",
        time_scale: float = 1.0,
        stack_seconds: Callable[[], float] = lambda: 0.0,
        announce: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.region = Region(account=account, region=region, announce=announce)
        self.rollback_style: RollbackStyle = rollback_style
        pacing = Pacing(stack_seconds)
        self._handlers = Handlers(resources, custom, resolve_secret, pacing)
        self._engine = Engine(self.region, self._handlers, pacing, style=rollback_style)
        self._may_assume = may_assume
        self._change_sets = ChangeSets(self.region, self._handlers, self._engine, may_assume)
        self._time_scale = time_scale
        self._tokens = Tokens(self.region)
        self._is_closed = False
        self._operations = {
            "CreateStack": self._create_stack,
            "UpdateStack": self._update_stack,
            "DeleteStack": self._delete_stack,
            "ContinueUpdateRollback": self._continue_update_rollback,
            "CancelUpdateStack": self._cancel_update_stack,
            "RollbackStack": self._rollback_stack,
            "UpdateTerminationProtection": self._update_termination_protection,
            "CreateChangeSet": self._change_sets.create,
            "DescribeChangeSet": self._change_sets.describe,
            "ExecuteChangeSet": self._change_sets.execute,
            "DeleteChangeSet": self._change_sets.delete,
            "ListChangeSets": self._change_sets.list,
            "DescribeStacks": self._describe_stacks,
            "ListStacks": self._list_stacks,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeStackResource": self._describe_stack_resource,
            "DescribeStackResources": self._describe_stack_resources,
            "ListStackResources": self._list_stack_resources,
            "GetTemplate": self._get_template,
            "GetTemplateSummary": self._get_template_summary,
            "ValidateTemplate": self._validate_template,
            "ListExports": self._list_exports,
            "ListImports": self._list_imports,
            "DescribeAccountLimits": self._describe_account_limits,
        }

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """The answer to one call. Raises ServiceError with AWS's code and text."""
        check(operation, parameters)
        with self.region.changed:
            if self._is_closed:
                raise ServiceError("ServiceUnavailable", "the sandbox is stopping", status=503)
            if "RoleARN" in UNDERSTOOD[operation]:
                stack = self.region.find(parameters["StackName"])
                check_role(parameters.get("RoleARN") or (stack.role_arn if stack else None), self._may_assume)
            if (before := self._tokens.answered(operation, parameters)) is not None:
                return before
            answer = self._operations[operation](parameters)
            self._tokens.remember(operation, parameters, answer)
            return answer

    def wait(self, stack_name: str, deadline_seconds: float) -> str:
        """The status the stack settles on. Raises LookupError for an unknown stack, TimeoutError after the deadline."""
        settled = self.region.wait(stack_name, lambda stack: not stack.is_busy, deadline_seconds=deadline_seconds)
        return settled.status

    def close(self, *, deadline_seconds: float = 5.0) -> None:
        """Accepts nothing any more, and gives running operations this long to end."""
        with self.region.changed:
            self._is_closed = True
        self._engine.close(deadline_seconds=deadline_seconds)

    # Changing stacks

    def _create_stack(self, request: Parameters) -> dict[str, Any]:
        name = request["StackName"]
        check_name(name)
        if self.region.find(name) is not None:
            raise ServiceError("AlreadyExistsException", f"Stack [{name}] already exists")
        stack_id = self.region.new_id("stack", name)
        failure = on_failure(request)
        wanted = self._requested(request, name, stack_id, None)
        stack = self.region.add(name, stack_id, wanted)
        stack.on_failure, stack.is_created_for_good = failure, request.get("OnFailure") == "DO_NOTHING"
        stack.is_protected = bool(request.get("EnableTerminationProtection"))
        stack.deletes_new_on_rollback = bool(request.get("RetainExceptOnCreate"))
        if request.get("TimeoutInMinutes"):
            stack.timeout_seconds = request["TimeoutInMinutes"] * 60 / self._time_scale
        self._begin(stack, request)
        self._engine.create(stack)
        return {"StackId": stack.id}

    def _update_stack(self, request: Parameters) -> dict[str, Any]:
        name = request["StackName"]
        stack = self.region.find(name)
        if stack is None or stack.is_deleted:
            raise invalid(f"Stack [{name}] does not exist")
        if stack.status not in UPDATABLE:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        wanted = self._requested(request, stack.name, stack.id, stack)
        failure = on_failure(request)
        refuse_failed(stack.status, is_created_for_good=stack.is_created_for_good, rolls_back=failure == "ROLLBACK")
        if not self._has_changes(stack, wanted):
            raise invalid("No updates are to be performed.")
        stack.on_failure = failure
        stack.timeout_seconds = None
        stack.updated = datetime.now(UTC)
        stack.change_set_id = None  # a guess: AWS does not say whether it goes on to show the last one
        # Change sets were computed against what the stack was; they can be looked at, but not executed any more.
        stack.change_sets = {key: replace(item, execution="OBSOLETE") for key, item in stack.change_sets.items()}
        stack.deletes_new_on_rollback = bool(request.get("RetainExceptOnCreate"))
        self._begin(stack, request)
        self._engine.update(stack, wanted)
        return {"StackId": stack.id}

    def _delete_stack(self, request: Parameters) -> dict[str, Any]:
        stack = self.region.find(request["StackName"])
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return {}
        if stack.is_protected:
            raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.is_busy:
            raise invalid(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
        retain = request.get("RetainResources") or ()
        if retain and stack.status != "DELETE_FAILED":
            raise invalid(f"Invalid operation on stack [{stack.id}]. RetainResources needs a stack in DELETE_FAILED")
        unknown = sorted(set(retain) - stack.resources.keys())
        if unknown:
            raise invalid(f"Stack [{stack.name}] has no resources [{', '.join(unknown)}] to retain")
        self._begin(stack, request)
        self._engine.delete(stack, retain=retain)
        return {}

    def _continue_update_rollback(self, request: Parameters) -> dict[str, Any]:
        stack = self._found(request)
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not continue an update rollback.")
        skipping = request.get("ResourcesToSkip") or ()
        failed = {name for name in stack.unfinished if stack.resources[name].status == "UPDATE_FAILED"}
        wrong = sorted(set(skipping) - failed)
        if wrong:
            raise invalid(f"ResourcesToSkip must have failed to roll back, these have not: [{', '.join(wrong)}]")
        self._begin(stack, request)
        self._engine.resume_rollback(stack, skipping=skipping)
        return {}

    def _cancel_update_stack(self, request: Parameters) -> dict[str, Any]:
        stack = self._found(request)
        if stack.status == "UPDATE_IN_PROGRESS" and stack.stable is None:
            raise not_imitated("CancelUpdateStack of a stack that was never complete")
        is_under_way = stack.status == "UPDATE_IN_PROGRESS"
        if not (is_under_way and self._engine.call_off(stack, lambda: self._begin(stack, request))):
            # AWS's sentence as pull request 5046 of aws/copilot-cli compares it.
            raise invalid("CancelUpdateStack cannot be called from current stack status")
        return {}

    def _rollback_stack(self, request: Parameters) -> dict[str, Any]:
        stack = self._found(request)
        if stack.status not in ("CREATE_FAILED", "UPDATE_FAILED"):
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        stack.deletes_new_on_rollback = bool(request.get("RetainExceptOnCreate"))
        self._begin(stack, request)
        self._engine.roll_back(stack)
        return {"StackId": stack.id}

    def _update_termination_protection(self, request: Parameters) -> dict[str, Any]:
        stack = self._found(request)
        stack.is_protected = bool(request["EnableTerminationProtection"])
        return {"StackId": stack.id}

    # Describing stacks

    def _describe_stacks(self, request: Parameters) -> dict[str, Any]:
        stacks = [self._found(request)] if request.get("StackName") else self.region.stacks()
        return answers.page("Stacks", stacks, answers.stack, request.get("NextToken"))

    def _list_stacks(self, request: Parameters) -> dict[str, Any]:
        wanted = request.get("StackStatusFilter")
        stacks = [item for item in self.region.stacks(with_deleted=True) if not wanted or item.status in wanted]
        return answers.page("StackSummaries", stacks, answers.stack_summary, request.get("NextToken"))

    def _describe_stack_events(self, request: Parameters) -> dict[str, Any]:
        stack = self.region.find(request["StackName"])
        if stack is None:
            raise invalid(f"Stack [{request['StackName']}] does not exist")
        return answers.page("StackEvents", stack.events[::-1], answers.event, request.get("NextToken"))

    def _describe_stack_resource(self, request: Parameters) -> dict[str, Any]:
        stack, name = self._found(request), request["LogicalResourceId"]
        if name not in stack.resources:
            raise invalid(f"Resource {name} does not exist for stack {stack.name}")
        return {"StackResourceDetail": answers.resource_detail(stack, stack.resources[name])}

    def _describe_stack_resources(self, request: Parameters) -> dict[str, Any]:
        physical_id, logical_id = request.get("PhysicalResourceId"), request.get("LogicalResourceId")
        stack = self._found(request) if request.get("StackName") else self._owner(physical_id)
        found = [item for name, item in sorted(stack.resources.items()) if logical_id in (None, name)]
        return {"StackResources": [answers.resource(stack, item) for item in found]}

    def _list_stack_resources(self, request: Parameters) -> dict[str, Any]:
        resources = [item for _, item in sorted(self._found(request).resources.items())]
        return answers.page("StackResourceSummaries", resources, answers.resource_summary, request.get("NextToken"))

    def _get_template(self, request: Parameters) -> dict[str, Any]:
        if request.get("ChangeSetName"):
            found = self._change_sets.template(request)
        else:
            found = self._found(request).deployment.template
        body = found.processed if request.get("TemplateStage") == "Processed" else None
        return {"TemplateBody": body or found.body, "StagesAvailable": ["Original", "Processed"]}

    def _get_template_summary(self, request: Parameters) -> dict[str, Any]:
        if request.get("StackName"):
            return answers.template_summary(self._found(request).deployment.template)
        return answers.template_summary(template.parse(request.get("TemplateBody") or ""))

    def _validate_template(self, request: Parameters) -> dict[str, Any]:
        return answers.validation(template.parse(request.get("TemplateBody") or ""))

    def _list_exports(self, request: Parameters) -> dict[str, Any]:
        return answers.page(
            "Exports",
            self.region.exports(),
            lambda item: {"ExportingStackId": item.stack_id, "Name": item.name, "Value": item.value},
            request.get("NextToken"),
        )

    def _list_imports(self, request: Parameters) -> dict[str, Any]:
        importers = self.region.importers(request["ExportName"])
        if not importers:
            raise invalid(f"Export '{request['ExportName']}' is not imported by any stack.")
        return {"Imports": importers}

    def _describe_account_limits(self, request: Parameters) -> dict[str, Any]:
        return {"AccountLimits": [{"Name": "StackLimit", "Value": MAX_STACKS}]}

    def _begin(self, stack: Stack, request: Parameters) -> None:
        """What sticks to the stack from an operation's request. A role can be replaced but not taken off, as in AWS."""
        self.region.begin(stack, request.get("ClientRequestToken"))
        stack.role_arn = request.get("RoleARN") or stack.role_arn
        if "NotificationARNs" in request:
            stack.notification_arns = tuple(request["NotificationARNs"])

    # Finding

    def _found(self, request: Parameters) -> Stack:
        stack = self.region.find(request["StackName"])
        if stack is None:
            raise no_stack(request["StackName"])
        return stack

    def _owner(self, physical_id: str | None) -> Stack:
        for stack in self.region.stacks():
            if any(item.physical_id == physical_id for item in stack.resources.values()):
                return stack
        raise invalid(f"Stack for {physical_id} does not exist")

    def _requested(self, request: Parameters, name: str, stack_id: str, live: Stack | None) -> Deployment:
        return requested(request, region=self.region, handlers=self._handlers, name=name, stack_id=stack_id, live=live)

    def _has_changes(self, stack: Stack, wanted: Deployment) -> bool:
        try:
            return Preview(self.region, stack, wanted).has_changes()
        except StackFailed:
            # An export that is missing fails the operation, which then rolls back, rather than the request.
            return True
        except Unresolvable as exc:
            raise invalid(str(exc)) from exc
