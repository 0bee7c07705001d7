"""Stacks, their resources, events and change sets: what CloudFormation remembers.

Everything but `Stack` is a value. A `Stack` is changed by `Region` alone, under its lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.wire import Kept

OnFailure = Literal["ROLLBACK", "DO_NOTHING", "DELETE"]

# From these a stack can be updated. Source: "Stack status codes", AWS CloudFormation User Guide.
SETTLED = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
UPDATABLE = SETTLED | {"UPDATE_FAILED", "CREATE_FAILED"}
REVIEW = "REVIEW_IN_PROGRESS"
# Of a resource that its stack does not have any more, or never had.
GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a stack's history; logical_id is the stack's name for the stack itself."""

    id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str | None
    type: str
    status: str
    reason: str | None
    time: datetime
    token: str | None


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack as it is, or as an operation wants it.

    properties: resolved, but for {{resolve:…}}, which is never stored in the clear.
    secrets: names of those properties that a NoEcho parameter is in; no answer tells their values.
    dependencies: logical ids it needed when it was made; it is deleted before them.
    """

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    dependencies: frozenset[str]
    tags: Mapping[str, str]
    deletion_policy: str
    update_replace_policy: str
    metadata: Any
    status: str = ""
    reason: str | None = None
    time: datetime | None = None
    physical_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A resource that an operation leaves behind: to be deleted, or kept outside the stack."""

    resource: Resource
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Undo:
    """How to take back what an update did to one resource.

    forget: it is new, and goes. update: bring it back in place. restore: its old physical resource is still there.
    attempted: what the update wanted, with the physical id that goes with it (None if nothing was made).
    """

    how: Literal["forget", "update", "restore"]
    previous: Resource | None
    attempted: Resource


@dataclass(frozen=True, slots=True)
class StackOutput:
    """An output as the stack shows it."""

    name: str
    value: str
    description: str | None
    export_name: str | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One reason why a resource changes. evaluation: Static if the new value is known beforehand, else Dynamic.

    before, after: a property's values as text; None where it has none. deployed: what CloudFormation had set it
    to, if it has been changed since.
    """

    attribute: str
    name: str | None
    recreation: str
    evaluation: str
    source: str
    cause: str | None
    before: str | None = None
    after: str | None = None
    deployed: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set announces for one resource; replacement is None but for Modify.

    drift: what a drift-aware change set found: IN_SYNC, MODIFIED, DELETED, UNSUPPORTED for custom resources.
    """

    action: Literal["Add", "Modify", "Remove", "Import"]
    logical_id: str
    type: str
    physical_id: str | None = None
    replacement: str | None = None
    policy_action: str | None = None
    details: tuple[Detail, ...] = ()
    drift: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """An operation that was prepared and can be looked at. on_failure: None if that was not said.

    drift: what a drift-aware one found when it was made (drift.Drift); None for any other.
    to_import: the physical ids of what it takes into the stack, by logical id.
    request: what CreateChangeSet was asked.
    """

    id: str
    name: str
    type: str
    description: str | None
    created: datetime
    status: str
    reason: str | None
    execution: str
    deployment: Deployment
    changes: tuple[Change, ...]
    on_failure: OnFailure | None
    role_arn: str | None
    notification_arns: tuple[str, ...]
    drift: Mapping[str, Mapping[str, Any] | None] | None = None
    to_import: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Stack:
    """A stack, alive or deleted.

    stable: what it was when it last settled, which a rollback leads back to; None if it never did.
    undo: how to get there, once updates have failed that were not rolled back.
    leftovers: what is still to be deleted once the stack has settled. unfinished: what a rollback has still to undo.
    is_created_for_good: the option to do nothing on failure was given for its creation, and not DisableRollback.
    shown: what DescribeStacks has shown of it last.
    """

    id: str
    name: str
    created: datetime
    deployment: Deployment
    status: str = ""
    reason: str | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    stable: Deployment | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    leftovers: list[Leftover] = field(default_factory=list)
    undo: dict[str, Undo] = field(default_factory=dict)
    unfinished: dict[str, Undo] = field(default_factory=dict)
    outputs: tuple[StackOutput, ...] = ()
    imports: frozenset[str] = frozenset()
    events: list[Event] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    change_set_id: str | None = None
    on_failure: OnFailure = "ROLLBACK"
    is_created_for_good: bool = False
    timeout_seconds: float | None = None
    deletes_new_on_rollback: bool = False
    role_arn: str | None = None
    notification_arns: tuple[str, ...] = ()
    is_protected: bool = False
    token: str | None = None
    shown: Kept | None = None

    @property
    def is_deleted(self) -> bool:
        return self.status == "DELETE_COMPLETE"

    @property
    def is_busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != REVIEW
