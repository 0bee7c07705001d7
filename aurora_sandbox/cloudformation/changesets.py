"""Change sets: an operation prepared, looked at, executed or thrown away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aurora_sandbox.cloudformation import answers, imports
from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.drift import Drift, detect
from aurora_sandbox.cloudformation.engine import Engine
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.intrinsics import Unresolvable
from aurora_sandbox.cloudformation.preview import Preview
from aurora_sandbox.cloudformation.refusals import invalid, refuse_failed
from aurora_sandbox.cloudformation.region import Region, StackFailed
from aurora_sandbox.cloudformation.requests import check_name, check_role, on_failure_of, requested
from aurora_sandbox.cloudformation.stack import REVIEW, SETTLED, UPDATABLE, Change, ChangeSet, Resource, Stack
from aurora_sandbox.cloudformation.template import Template
from aurora_sandbox.cloudformation.tokens import refuse_other
from aurora_sandbox.cloudformation.types import ResourceFailed
from aurora_sandbox.wire import ServiceError

# The AWS CLI compares this sentence to tell "nothing to do" from a failure.
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
Parameters = Mapping[str, Any]


class ChangeSets:
    """The operations on change sets. Every method is called with `region.changed` held."""

    def __init__(self, region: Region, handlers: Handlers, engine: Engine, may_assume: Callable[[str], bool]) -> None:
        self._may_assume = may_assume
        self._region = region
        self._handlers = handlers
        self._engine = engine

    def create(self, request: Parameters) -> dict[str, Any]:
        name = request["ChangeSetName"]
        stack = self._region.find(request["StackName"])
        kind = request.get("ChangeSetType") or "UPDATE"
        if kind != "CREATE" and request.get("OnStackFailure") == "DELETE":
            raise invalid("OnStackFailure DELETE is only valid when ChangeSetType is CREATE.")
        if kind != "UPDATE" and request.get("DeploymentMode"):
            raise invalid(f"the sandbox does not imitate drift-aware change sets of type {kind}")
        if kind != "IMPORT" and request.get("ResourcesToImport"):
            raise invalid(f"the sandbox does not imitate imports by change sets of type {kind}")
        if kind == "CREATE":
            stack, wanted = self._for_creation(request, stack)
        else:
            stack, wanted = self._for_update(request, stack)
        # The name of an executed one is free again: issue 9 of elias5000/clouds-aws.
        there = next(
            (item for item in stack.change_sets.values() if item.name == name and not _is_executed(item)), None
        )
        if there is not None:
            refuse_other(there, request)
            return {"Id": there.id, "StackId": stack.id}
        change_set = self._prepared(request, stack, wanted, kind)
        stack.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def describe(self, request: Parameters) -> dict[str, Any]:
        stack, change_set = self._find(request)
        return answers.change_set(
            stack, change_set, request.get("NextToken"), has_values=bool(request.get("IncludePropertyValues"))
        )

    def list(self, request: Parameters) -> dict[str, Any]:
        stack = self._stack(request["StackName"])
        listed = [item for item in stack.change_sets.values() if not _is_executed(item)]
        return answers.page(
            "Summaries", listed, lambda item: answers.change_set_summary(stack, item), request.get("NextToken")
        )

    def delete(self, request: Parameters) -> dict[str, Any]:
        try:
            stack, change_set = self._find(request)
        except ServiceError as exc:
            if exc.code == "ChangeSetNotFound":
                return {}
            raise
        del stack.change_sets[change_set.id]
        return {}

    def execute(self, request: Parameters) -> dict[str, Any]:
        stack, change_set = self._find(request)
        if change_set.execution != "AVAILABLE":
            status = change_set.status if change_set.status == "FAILED" else change_set.execution
            raise ServiceError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{status}]",
            )
        if stack.status not in (SETTLED if change_set.to_import else UPDATABLE | {REVIEW}):
            words = f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            raise ServiceError("InvalidChangeSetStatus", words) if stack.is_busy else invalid(words)
        failure = on_failure_of(change_set, request)
        refuse_failed(stack.status, is_created_for_good=stack.is_created_for_good, rolls_back=failure != "DO_NOTHING")
        check_role(change_set.role_arn or stack.role_arn, self._may_assume)
        # A settled change set is only remembered by its ARN; the others no longer fit the stack.
        stack.change_sets = {change_set.id: replace(change_set, execution="EXECUTE_COMPLETE")}
        stack.change_set_id = change_set.id
        stack.on_failure = failure
        stack.deletes_new_on_rollback = bool(request.get("RetainExceptOnCreate"))
        stack.role_arn = change_set.role_arn or stack.role_arn
        stack.notification_arns = change_set.notification_arns
        self._region.begin(stack, request.get("ClientRequestToken"))
        stack.updated = datetime.now(UTC)
        if change_set.type == "CREATE":
            # AWS is known to refuse this of CreateStack; the sandbox is no kinder to a change set.
            stack.is_created_for_good = change_set.on_failure == "DO_NOTHING"
            stack.deployment = change_set.deployment
            self._engine.create(stack)
        elif change_set.type == "IMPORT":
            self._engine.take_in(stack, change_set.deployment, change_set.to_import)
        else:
            self._engine.update(stack, change_set.deployment, change_set.drift)
        return {}

    def template(self, request: Parameters) -> Template:
        """The template of a change set."""
        return self._find(request)[1].deployment.template

    def _for_creation(self, request: Parameters, stack: Stack | None) -> tuple[Stack, Deployment]:
        """A CREATE change set makes its stack, which waits in REVIEW_IN_PROGRESS."""
        name = request["StackName"]
        if stack is not None and stack.status != REVIEW:
            raise invalid(
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{request['ChangeSetName']}]."
            )
        check_name(stack.name if stack else name)
        stack_id = stack.id if stack else self._region.new_id("stack", name)
        name = stack.name if stack else name
        wanted = requested(
            request, region=self._region, handlers=self._handlers, name=name, stack_id=stack_id, live=None
        )
        if stack is None:
            stack = self._region.add(name, stack_id, wanted)
            self._region.set_status(stack, REVIEW, "User Initiated")
        return stack, wanted

    def _for_update(self, request: Parameters, stack: Stack | None) -> tuple[Stack, Deployment]:
        if stack is None or stack.is_deleted:
            raise invalid(f"Stack [{request['StackName']}] does not exist")
        if request.get("ChangeSetType") == "IMPORT":
            imports.check_stack(stack)
        elif stack.status not in UPDATABLE:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        wanted = requested(
            request, region=self._region, handlers=self._handlers, name=stack.name, stack_id=stack.id, live=stack
        )
        return stack, wanted

    def _prepared(self, request: Parameters, stack: Stack, wanted: Deployment, kind: str) -> ChangeSet:
        changes: tuple[Change, ...] = ()
        reason: str | None = None
        drift: Drift | None = None
        to_import: Mapping[str, Resource] = {}
        try:
            drift = detect(stack, self._handlers) if request.get("DeploymentMode") else None
            preview = Preview(self._region, stack, wanted, drift)
            changes = preview.changes()
            if kind == "IMPORT":
                to_import = imports.checked(request, stack, wanted, changes)
                changes = imports.changes(to_import)
                reason = imports.obstacle(to_import, stack, self._region, self._handlers)
            elif kind == "UPDATE" and not preview.has_changes():
                reason = NO_CHANGES
        except (StackFailed, Unresolvable, ResourceFailed) as exc:
            reason = str(exc)
        return ChangeSet(
            id=self._region.new_id("changeSet", request["ChangeSetName"]),
            name=request["ChangeSetName"],
            type=kind,
            description=request.get("Description"),
            created=datetime.now(UTC),
            status="FAILED" if reason else "CREATE_COMPLETE",
            reason=reason or (imports.REVIEW if kind == "IMPORT" else None),
            execution="UNAVAILABLE" if reason else "AVAILABLE",
            deployment=wanted,
            changes=() if reason else changes,
            on_failure=request.get("OnStackFailure"),
            role_arn=request.get("RoleARN"),
            notification_arns=tuple(request.get("NotificationARNs") or ()),
            drift=drift,
            to_import={name: item.physical_id or "" for name, item in to_import.items()},
            request=request,
        )

    def _stack(self, name: str) -> Stack:
        stack = self._region.find(name)
        if stack is None:
            raise invalid(f"Stack [{name}] does not exist")
        return stack

    def _find(self, request: Parameters) -> tuple[Stack, ChangeSet]:
        """By ARN, or by name and stack name."""
        wanted = request["ChangeSetName"]
        stacks = [self._stack(request["StackName"])] if request.get("StackName") else self._region.stacks()
        if not wanted.startswith("arn:") and not request.get("StackName"):
            raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
        for stack in stacks:
            for item in reversed(stack.change_sets.values()):
                if wanted in (item.id, item.name):
                    return stack, item
        raise ServiceError("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist", status=404)


def _is_executed(item: ChangeSet) -> bool:
    return item.execution == "EXECUTE_COMPLETE"
