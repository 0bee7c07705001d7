"""The resource types the sandbox has: each called with everything a `Request` needs, each failing in one way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from aurora_sandbox.cloudformation.dynamic import ResolveSecret, revealed
from aurora_sandbox.cloudformation.pacing import Pacing
from aurora_sandbox.cloudformation.properties import complaints, refusal
from aurora_sandbox.cloudformation.schemas import schema
from aurora_sandbox.cloudformation.stack import Resource, Stack
from aurora_sandbox.cloudformation.types import (
    Importable,
    Outcome,
    Readable,
    Releasable,
    Request,
    ResourceFailed,
    ResourceType,
    is_custom,
)
from aurora_sandbox.documented import refused
from aurora_sandbox.wire import ServiceError

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Handlers:
    """Makes, changes and deletes single resources. Every method raises ResourceFailed and nothing else."""

    def __init__(
        self,
        resources: Mapping[str, ResourceType],
        custom: ResourceType,
        resolve_secret: ResolveSecret,
        pacing: Pacing,
    ) -> None:
        self._resources = resources
        self._custom = custom
        self._resolve_secret = resolve_secret
        self._pacing = pacing

    def knows(self, type_name: str) -> bool:
        return is_custom(type_name) or type_name in self._resources

    def create(self, stack: Stack, wanted: Resource) -> Resource:
        """The resource as it was made."""

        def work() -> Outcome:
            request = self._request(stack, wanted, self._revealed(wanted))
            check(request)
            return self._type_of(wanted).create(request)

        with self._pacing.step(stack):
            return _made(wanted, _translated(wanted, work))

    def update(self, stack: Stack, current: Resource, wanted: Resource) -> Resource:
        """The resource as it is now, which has another physical id if it was replaced."""

        def work() -> Outcome:
            request = self._request(stack, wanted, self._revealed(wanted))
            check(request)
            old = self._revealed_if_possible(current)
            return self._type_of(wanted).update(replace(request, old_properties=old, physical_id=current.physical_id))

        with self._pacing.step(stack):
            return _made(wanted, _translated(wanted, work))

    def delete(self, stack: Stack, resource: Resource) -> None:
        def work() -> None:
            # Dynamic references stay text: a secret that is gone must not keep a resource from going too.
            request = self._request(stack, resource, resource.properties)
            self._type_of(resource).delete(replace(request, physical_id=resource.physical_id))

        with self._pacing.step(stack):
            _translated(resource, work)

    def live(self, stack: Stack, resource: Resource) -> Mapping[str, Any] | None:
        """Its properties as they really are, as far as they can be read; None if it is not there any more."""
        kind = self._type_of(resource)
        if not isinstance(kind, Readable):
            return resource.properties
        request = replace(self._request(stack, resource, resource.properties), physical_id=resource.physical_id)
        read = _translated(resource, lambda: kind.read(request))
        if read is None:
            return None
        differing = {name: value for name, value in read.items() if name in resource.properties}
        return {**resource.properties, **differing}

    def found(self, stack: Stack, resource: Resource) -> Resource | None:
        """The resource with what it is, if its physical id is that of one. Raises LookupError for a type of which the
        sandbox imports nothing.
        """
        kind = self._type_of(resource)
        if not isinstance(kind, Importable):
            raise LookupError(resource.type)
        request = replace(self._request(stack, resource, resource.properties), physical_id=resource.physical_id)
        outcome = _translated(resource, lambda: kind.found(request))
        return None if outcome is None else _made(resource, outcome)

    def release(self, stack: Stack, resource: Resource) -> None:
        """The stack lets it go, as it is."""
        kind = self._type_of(resource)
        if isinstance(kind, Releasable):
            request = replace(self._request(stack, resource, resource.properties), physical_id=resource.physical_id)
            _translated(resource, lambda: kind.release(request))

    def _type_of(self, resource: Resource) -> ResourceType:
        return self._custom if is_custom(resource.type) else self._resources[resource.type]

    def _request(self, stack: Stack, resource: Resource, properties: Mapping[str, Any]) -> Request:
        return Request(
            type=resource.type,
            logical_id=resource.logical_id,
            stack_name=stack.name,
            stack_id=stack.id,
            properties=properties,
            capabilities=stack.deployment.capabilities,
            tags={
                **resource.tags,
                "aws:cloudformation:stack-name": stack.name,
                "aws:cloudformation:stack-id": stack.id,
                "aws:cloudformation:logical-id": resource.logical_id,
            },
        )

    def _revealed(self, resource: Resource) -> Mapping[str, Any]:
        """Custom resources get the reference, not the secret, as in AWS."""
        if is_custom(resource.type):
            return resource.properties
        properties: Mapping[str, Any] = revealed(dict(resource.properties), self._resolve_secret)
        return properties

    def _revealed_if_possible(self, resource: Resource) -> Mapping[str, Any]:
        """Old properties are only compared with new ones, so a secret that is gone may stay a reference."""
        try:
            return self._revealed(resource)
        except (ServiceError, ResourceFailed):
            return resource.properties


def check(request: Request) -> None:
    """Raises ResourceFailed for properties that AWS does not take, before anything is made."""
    if is_custom(request.type):
        return
    rules = schema(request.stack_id.split(":")[3], request.type)
    wrong = complaints(rules.raw, request.properties)
    if not any("expected type" in each for each in wrong) and (words := refused(request.type, request.properties)):
        raise ResourceFailed(words)
    if wrong:
        raise ResourceFailed(refusal(request.logical_id, wrong))


def _made(wanted: Resource, outcome: Outcome) -> Resource:
    return replace(wanted, physical_id=outcome.physical_id, attributes=dict(outcome.attributes))


def _translated(resource: Resource, work: Callable[[], Result]) -> Result:
    try:
        return work()
    except ResourceFailed:
        raise
    except ServiceError as exc:
        raise ResourceFailed(exc.message) from exc
    except Exception as exc:
        log.exception("%s %s: its resource type is broken", resource.type, resource.logical_id)
        raise ResourceFailed(f"Internal Failure: {type(exc).__name__}: {exc}") from exc
