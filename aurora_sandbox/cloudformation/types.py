"""What a resource type of the sandbox is: three functions from a request to an outcome.

CloudFormation decides *what* has to happen to a resource and in which order; a `ResourceType` makes it happen. It never
sees templates, only finished properties:

    Request(type="AWS::SQS::Queue", logical_id="Mail", properties={"QueueName": "mail"}, …)
    ->  Outcome("https://…/mail", {"Arn": "arn:aws:sqs:…:mail"})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to do to one resource.

    properties: resolved, in the types of the provider schema (custom resources: every scalar is a string).
    old_properties: only on update. physical_id: only on update and delete.
    tags: the stack's tags and aws:cloudformation:stack-name, -stack-id and -logical-id.
    capabilities: what the caller has granted.
    """

    type: str
    logical_id: str
    stack_name: str
    stack_id: str
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any] | None = None
    physical_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a resource is after its creation or update.

    physical_id: another one than before, on update, means that the resource was replaced.
    attributes: what Fn::GetAtt gives; "A.B" is looked up as a key first, then as B inside A.
    """

    physical_id: str
    attributes: Mapping[str, Any]


class ResourceFailed(Exception):
    """A resource could not be created, updated or deleted; reason is what the stack's events say.

    physical_id: what there is nevertheless, and has to be deleted should the operation be rolled back.
    """

    def __init__(self, reason: str, physical_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.physical_id = physical_id


class ResourceType(Protocol):
    """One type of resource. Every method may be called from several threads at once and raises ResourceFailed."""

    def create(self, request: Request) -> Outcome: ...

    def update(self, request: Request) -> Outcome: ...

    def delete(self, request: Request) -> None: ...


@runtime_checkable
class Readable(Protocol):
    """A type whose resources CloudFormation can read, so that it sees their drift."""

    def read(self, request: Request) -> Mapping[str, Any] | None:
        """The properties that can be read, as they are now; None if there is no such resource any more."""


@runtime_checkable
class Importable(Protocol):
    """A type whose resources CloudFormation can take into a stack that did not make them."""

    def found(self, request: Request) -> Outcome | None:
        """The resource of this physical id as it is; None if there is none."""


@runtime_checkable
class Releasable(Protocol):
    """A type that has to be told of a resource that its stack lets go and does not delete."""

    def release(self, request: Request) -> None: ...


def is_custom(type_name: str) -> bool:
    """Whether resources of this type are made by a Lambda function of the user."""
    return type_name.startswith("Custom::") or type_name == "AWS::CloudFormation::CustomResource"
