"""All stacks of one account and region, under one lock: the only place where a stack is changed.

`changed` is that lock and tells everybody who waits that something happened. It is never held while a resource is made.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.stack import Event, Resource, Stack, StackOutput
from aurora_sandbox.wire import ServiceError

MAX_STACKS = 2_000  # AWS's own default ("CloudFormation quotas", CloudFormation User Guide)


@dataclass(frozen=True, slots=True)
class Export:
    """A value that a stack offers to the others of its account and region."""

    name: str
    value: str
    stack_id: str


class StackFailed(Exception):
    """The stack as a whole cannot get where it was sent; the reason is what its event says."""


class Region:
    """The memory of CloudFormation in one account and region. announce: is told of every event."""

    def __init__(self, *, account: str, region: str, announce: Callable[[Event], None] = lambda event: None) -> None:
        self.account, self._announce = account, announce
        self.name = region
        self.changed = threading.Condition(threading.RLock())
        self._stacks: dict[str, Stack] = {}
        self._newest: dict[str, Stack] = {}
        self._exports: dict[str, Export] = {}
        self._begun: dict[str, Stack] = {}

    # Finding

    def stacks(self, *, with_deleted: bool = False) -> list[Stack]:
        """Newest first."""
        with self.changed:
            return [stack for stack in reversed(self._stacks.values()) if with_deleted or not stack.is_deleted]

    def find(self, name_or_id: str) -> Stack | None:
        """A live stack by name, any stack by id."""
        with self.changed:
            by_name = self._newest.get(name_or_id)
            return self._stacks.get(name_or_id) if by_name is None or by_name.is_deleted else by_name

    def wait(self, name_or_id: str, condition: Callable[[Stack], bool], *, deadline_seconds: float) -> Stack:
        """The stack, once the condition holds; the newest of this name, even if it is deleted meanwhile.

        Raises LookupError if there never was one, TimeoutError if it is not so in time.
        """
        end = time.monotonic() + deadline_seconds
        with self.changed:
            stack = self._newest.get(name_or_id) or self._stacks.get(name_or_id)
            if stack is None:
                raise LookupError(f"there is no stack {name_or_id}")
            while not condition(stack):
                if not self.changed.wait(end - time.monotonic()):
                    raise TimeoutError(f"stack {name_or_id} is still {stack.status} after {deadline_seconds} s")
            return stack

    # Naming

    def new_id(self, kind: str, name: str) -> str:
        """A fresh ARN; kind: stack or changeSet."""
        return f"arn:aws:cloudformation:{self.name}:{self.account}:{kind}/{name}/{uuid.uuid4()}"

    def facts(self, stack_name: str, stack_id: str, notification_arns: Sequence[str]) -> dict[str, Any]:
        """The pseudo parameters of a stack."""
        return {
            "AWS::AccountId": self.account,
            "AWS::NotificationARNs": list(notification_arns),
            "AWS::Partition": "aws",
            "AWS::Region": self.name,
            "AWS::StackId": stack_id,
            "AWS::StackName": stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    # Changing

    def begin(self, stack: Stack, token: str | None) -> None:
        """An operation begins on the stack; its events carry this token, to the last one of a rollback or a cleanup."""
        stack.token = token
        if token:
            self._begun[token] = stack

    def begun_with(self, token: str) -> Stack | None:
        """The stack on which an operation began with this token."""
        return self._begun.get(token)

    def add(self, name: str, stack_id: str, deployment: Deployment) -> Stack:
        """Raises ServiceError when there are as many as AWS lets an account have."""
        with self.changed:
            if len(self.stacks()) >= MAX_STACKS:
                raise ServiceError("LimitExceededException", "Limit for stack has been exceeded")
            stack = Stack(id=stack_id, name=name, created=datetime.now(UTC), deployment=deployment)
            self._stacks[stack_id] = self._newest[name] = stack
            return stack

    def set_status(self, stack: Stack, status: str, reason: str | None = None) -> None:
        """The stack is in this state from now on, and its events say so."""
        with self.changed:
            stack.status = status
            stack.reason = reason
            if stack.is_deleted:
                stack.deleted = datetime.now(UTC)
            self._note(stack, stack.name, stack.id, "AWS::CloudFormation::Stack", status, reason)

    def put(self, stack: Stack, resource: Resource, status: str, reason: str | None = None) -> Resource:
        """The resource is now the stack's resource of its logical id, in this state; its events say so."""
        with self.changed:
            now = replace(resource, status=status, reason=reason, time=datetime.now(UTC))
            stack.resources[resource.logical_id] = now
            self.note(stack, resource, status, reason)
            return now

    def note(self, stack: Stack, resource: Resource, status: str, reason: str | None = None) -> None:
        """An event for a resource that need not be the stack's current one."""
        self._note(stack, resource.logical_id, resource.physical_id, resource.type, status, reason)

    def _note(
        self, stack: Stack, logical_id: str, physical_id: str | None, type_name: str, status: str, reason: str | None
    ) -> None:
        with self.changed:
            event = Event(
                id=str(uuid.uuid4()),
                stack_id=stack.id,
                stack_name=stack.name,
                logical_id=logical_id,
                physical_id=physical_id,
                type=type_name,
                status=status,
                reason=reason,
                time=datetime.now(UTC),
                token=stack.token,
            )
            stack.events.append(event)
            self._announce(event)
            self.changed.notify_all()

    # Exports

    def exports(self) -> list[Export]:
        with self.changed:
            return [self._exports[name] for name in sorted(self._exports)]

    def importers(self, export_name: str, *, but: Stack | None = None) -> list[str]:
        """Names of the stacks that read an export."""
        with self.changed:
            return sorted(item.name for item in self.stacks() if item is not but and export_name in item.imports)

    def claim(self, stack: Stack, names: frozenset[str]) -> Mapping[str, str]:
        """The values of these exports, which cannot change any more. Raises StackFailed for one that is not there."""
        with self.changed:
            for name in sorted(names):
                if name not in self._exports:
                    raise StackFailed(f"No export named {name} found.")
            stack.imports |= names
            return {name: self._exports[name].value for name in names}

    def publish(self, stack: Stack, outputs: tuple[StackOutput, ...]) -> None:
        """The stack's outputs are these. Raises StackFailed if an export is taken, or in use and would change or go."""
        with self.changed:
            wanted = {item.export_name: item.value for item in outputs if item.export_name}
            for name in wanted:
                owner = self._exports.get(name)
                if owner and owner.stack_id != stack.id:
                    other = self._stacks[owner.stack_id].name
                    raise StackFailed(f"Export with name {name} is already exported by stack {other}.")
            for export in self._exports_of(stack):
                if wanted.get(export.name) != export.value:
                    self._refuse_in_use(stack, export.name, "updated" if export.name in wanted else "deleted")
            for export in self._exports_of(stack):
                del self._exports[export.name]
            self._exports.update({name: Export(name, value, stack.id) for name, value in wanted.items()})
            stack.outputs = outputs

    def withdraw(self, stack: Stack) -> None:
        """The stack offers nothing any more. Raises StackFailed if an export is in use."""
        with self.changed:
            for export in self._exports_of(stack):
                self._refuse_in_use(stack, export.name, "deleted")
            for export in self._exports_of(stack):
                del self._exports[export.name]

    def _exports_of(self, stack: Stack) -> list[Export]:
        return [export for export in self.exports() if export.stack_id == stack.id]

    def _refuse_in_use(self, stack: Stack, name: str, verb: str) -> None:
        users = self.importers(name, but=stack)
        if users:
            raise StackFailed(f"Export {name} cannot be {verb} as it is in use by {' and '.join(users)}")
