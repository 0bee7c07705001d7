"""What most AWS resource types have in common: their properties are the parameters of their service's operations.

    ApiType(boto, "scheduler", ("create_schedule", "update_schedule", "delete_schedule"), "Name", …)

turns AWS::Scheduler::Schedule into those three calls. What AWS refuses becomes a `ResourceFailed` with AWS's own
message.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import OperationModel

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.wire import constraints

Boto = Callable[[str], Any]
Properties = Mapping[str, Any]

SUFFIX_LENGTH = 12
# The parts of error codes by which services say that a thing is not there: NoSuchEntity, ResourceNotFoundException, …
_MISSING = ("NotFound", "NoSuchEntity", "NonExistent")


def call(client: Any, operation: str, **parameters: Any) -> dict[str, Any]:
    """The answer of one AWS operation; parameters that are None are left out. Raises ResourceFailed.

    What a handler of CloudFormation's asks for is checked as a caller's request is: moto is kinder than AWS.
    """
    api = client.meta.method_to_api_mapping[operation]
    refuse_unfit(client.meta.service_model.operation_model(api), _given(parameters))
    try:
        answer: dict[str, Any] = getattr(client, operation)(**_given(parameters))
    except ClientError as error:
        raise ResourceFailed(error.response["Error"]["Message"]) from error
    except ParamValidationError as error:
        raise ResourceFailed(str(error)) from error
    return answer


def refuse_unfit(operation: OperationModel, parameters: Properties) -> None:
    """Raises ResourceFailed for parameters that break a constraint of the operation's model."""
    if error := constraints.refusal(operation, parameters, code="ValidationException"):
        raise ResourceFailed(error.message)


def found(client: Any, operation: str, **parameters: Any) -> dict[str, Any] | None:
    """The same for a question; None about a thing that is not there."""
    try:
        return call(client, operation, **parameters)
    except ResourceFailed as failed:
        if not _is_missing(failed):
            raise
        return None


def discard(client: Any, operation: str, **parameters: Any) -> None:
    """The same for a deletion: a thing that is not there counts as deleted."""
    try:
        call(client, operation, **parameters)
    except ResourceFailed as failed:
        if not _is_missing(failed):
            raise


def _is_missing(failed: ResourceFailed) -> bool:
    error = failed.__cause__
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return any(part in code for part in _MISSING)


def accepted(client: Any, operation: str, properties: Properties) -> dict[str, Any]:
    """The properties that are also parameters of this operation."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    return {name: value for name, value in properties.items() if name in model.input_shape.members}


def generated_name(request: Request, *, max_length: int = 64) -> str:
    """The name CloudFormation gives: stack, logical id and a random end, cut in the middle where it is too long."""
    suffix = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(SUFFIX_LENGTH))
    room = max_length - SUFFIX_LENGTH - 2
    logical_id = request.logical_id[: max(room // 2, room - len(request.stack_name))]
    return f"{request.stack_name[: room - len(logical_id)]}-{logical_id}-{suffix}"


def arn(request: Request, service: str, resource: str) -> str:
    """An ARN in the account and region of the request's stack."""
    _, partition, _, region, account, _ = request.stack_id.split(":", 5)
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


def tags(request: Request) -> list[dict[str, str]]:
    """The stack's tags and the resource's own, which win. Without aws:cloudformation:*, which only AWS may set."""
    own = {tag["Key"]: tag["Value"] for tag in request.properties.get("Tags") or []}
    everything = {**request.tags, **own}
    return [{"Key": key, "Value": value} for key, value in everything.items() if not key.startswith("aws:")]


def no_more(client: Any, request: Request, name: str) -> None:
    """For types that one call describes completely."""


@dataclass(frozen=True, slots=True)
class ApiType:
    """A resource type made of three operations.

    verbs: the operations that create, update and delete; None in the middle where nothing can be updated.
    name: the property, and parameter, that names the resource. Without it the name is generated, cut at max_length.
    attributes: what Fn::GetAtt gives, from the request, the name and the answer of the last call.
    renamed: parameters by the property they come from, where the two differ. deletion: those of the third verb.
    settle: calls that complete the resource, safe to repeat. check: raises ResourceFailed before anything is made.
    reading: the operation that says whether it is there; None where nothing is known of its drift.
    """

    boto: Boto
    service: str
    verbs: tuple[str, str | None, str]
    name: str
    attributes: Callable[[Request, str, dict[str, Any]], dict[str, Any]]
    max_length: int = 64
    is_lower_case: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    deletion: Callable[[Request], dict[str, Any]] | None = None
    settle: Callable[[Any, Request, str], None] = no_more
    check: Callable[[Request], None] = lambda request: None
    reading: str | None = None

    def create(self, request: Request) -> Outcome:
        self.check(request)
        name = request.properties.get(self.name) or generated_name(request, max_length=self.max_length)
        name = name.lower() if self.is_lower_case else name
        answer = self._call(self.verbs[0], request, name)
        try:
            return self._settled(request, name, answer)
        except ResourceFailed as error:
            raise ResourceFailed(error.reason, name) from error  # it is there, so a rollback has to delete it

    def update(self, request: Request) -> Outcome:
        self.check(request)
        name = request.physical_id or ""
        answer = self._call(self.verbs[1], request, name) if self.verbs[1] else {}
        return self._settled(request, name, answer)

    def delete(self, request: Request) -> None:
        parameters = self.deletion(request) if self.deletion else {self.name: request.physical_id}
        discard(self.boto(self.service), self.verbs[2], **parameters)

    def read(self, request: Request) -> Properties | None:
        if self.reading is None:
            return {}
        return None if found(self.boto(self.service), self.reading, **{self.name: request.physical_id}) is None else {}

    def _call(self, operation: str, request: Request, name: str) -> dict[str, Any]:
        client = self.boto(self.service)
        properties = {self.renamed.get(key, key): value for key, value in request.properties.items()}
        everything = {**properties, self.name: name, "Tags": tags(request) or None}
        return call(client, operation, **accepted(client, operation, everything))

    def _settled(self, request: Request, name: str, answer: dict[str, Any]) -> Outcome:
        self.settle(self.boto(self.service), request, name)
        return Outcome(name, self.attributes(request, name, answer))


def _given(parameters: Properties) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}
