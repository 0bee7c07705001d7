"""Small real resource types kept in memory, a Lambda that is a Python function, a boto3 client on top of it all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from aurora_sandbox.cloudformation.custom import CustomResources
from aurora_sandbox.cloudformation.service import CloudFormation
from aurora_sandbox.cloudformation.stack import Stack
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.wire import Caller, ServiceError, constraints
from tests.compared import fits

DEADLINE_SECONDS = 10
TOKEN = "arn:aws:lambda:eu-west-1:123456789012:function:provider"
Event = Mapping[str, Any]


class Memory:
    """A resource type whose resources live in a dictionary, by physical id.

    name_property: names a resource; a second one of the same name is refused, as AWS does.
    fails: ("create", logical id) -> reason. held: ("create", logical id) -> what the call waits for.
    """

    def __init__(self, name_property: str) -> None:
        self.name_property = name_property
        self.live: dict[str, Mapping[str, Any]] = {}
        self.requests: list[tuple[str, Request]] = []
        self.fails: dict[tuple[str, str], str] = {}
        self.held: dict[tuple[str, str], threading.Event] = {}
        self.begun: dict[tuple[str, str], threading.Event] = {}
        self._lock = threading.Lock()

    def hold(self, verb: str, logical_id: str) -> threading.Event:
        """The next such call waits until the event is set; `begun` says when it does."""
        self.begun[verb, logical_id] = threading.Event()
        self.held[verb, logical_id] = threading.Event()
        return self.held[verb, logical_id]

    def create(self, request: Request) -> Outcome:
        self._called("create", request)
        with self._lock:
            name = request.properties.get(self.name_property) or f"{request.logical_id}-{len(self.requests)}"
            if name in self.live:
                raise ResourceFailed(f"{name} already exists")
            self.live[name] = request.properties
        return self._outcome(name)

    def update(self, request: Request) -> Outcome:
        self._called("update", request)
        assert request.physical_id is not None
        with self._lock:
            self.live[request.physical_id] = request.properties
        return self._outcome(request.physical_id)

    def delete(self, request: Request) -> None:
        self._called("delete", request)
        assert request.physical_id is not None
        with self._lock:
            del self.live[request.physical_id]

    def read(self, request: Request) -> Mapping[str, Any] | None:
        return self.live.get(request.physical_id or "")

    def found(self, request: Request) -> Outcome | None:
        return self._outcome(request.physical_id or "") if request.physical_id in self.live else None

    def calls(self) -> list[tuple[str, str]]:
        return [(verb, request.logical_id) for verb, request in self.requests]

    def _called(self, verb: str, request: Request) -> None:
        key = (verb, request.logical_id)
        with self._lock:
            self.requests.append((verb, request))
        if key in self.held:
            self.begun[key].set()
            assert self.held[key].wait(DEADLINE_SECONDS)
        if key in self.fails:
            raise ResourceFailed(self.fails[key])

    def _outcome(self, name: str) -> Outcome:
        return Outcome(name, {"Arn": f"arn:aws:sqs:eu-west-1:123456789012:{name}", "Nested": {"Name": name}})


def answer(event: Event, status: str = "SUCCESS", **members: Any) -> dict[str, Any]:
    """A proper response object; members replace or add to what every response needs."""
    proper = {key: event[key] for key in ("RequestId", "StackId", "LogicalResourceId")}
    return {**proper, "Status": status, **members}


def named(event: Event) -> dict[str, Any] | None:
    """The usual provider: the resource's id is its name, whatever it is asked to do."""
    name = event.get("PhysicalResourceId") if event["RequestType"] == "Delete" else event["ResourceProperties"]["Name"]
    return answer(event, PhysicalResourceId=name, Data={"Server": f"server-of-{name}"})


class Lambda:
    """A function that answers through CustomResources.respond; code returns the body, or None to stay silent."""

    def __init__(self) -> None:
        self.code: Callable[[Event], Mapping[str, Any] | bytes | None] = named
        self.events: list[Event] = []
        self.was_invoked = threading.Event()
        self.custom: CustomResources | None = None

    def invoke_async(self, arn: str, event: dict[str, Any]) -> None:
        if arn not in (TOKEN, f"{TOKEN}2"):
            raise LookupError(arn)
        self.events.append(json.loads(json.dumps(event)))
        self.was_invoked.set()
        threading.Thread(target=self._run, args=(event,), daemon=True).start()

    def received(self) -> list[tuple[str, str, str | None]]:
        """Request type, logical id and physical id of every event so far."""
        return [(e["RequestType"], e["LogicalResourceId"], e.get("PhysicalResourceId")) for e in self.events]

    def put(self, event: Event, body: Mapping[str, Any] | bytes) -> None:
        """What an HTTP PUT of the body to the event's ResponseURL does."""
        assert self.custom is not None
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.custom.respond(event["ResponseURL"].rsplit("/", 1)[-1], raw)

    def _run(self, event: Event) -> None:
        body = self.code(event)
        if body is not None:
            self.put(event, body)


@dataclass
class Sandbox:
    """Everything a test needs. secrets: what {{resolve:secretsmanager:id:SecretString:key}} finds under "id:key"."""

    cloudformation: CloudFormation
    queues: Memory
    parameters: Memory
    roles: Memory
    function: Lambda
    secrets: dict[str, str]
    aws: Any = field(init=False)

    def __post_init__(self) -> None:
        self.aws = client(self.cloudformation)

    def create(self, name: str, template: Mapping[str, Any], **more: Any) -> str:
        """The status that a new stack settles on."""
        self.begin(name, template, **more)
        return self.settled(name)

    def update(self, name: str, template: Mapping[str, Any], **more: Any) -> str:
        self.aws.update_stack(StackName=name, TemplateBody=json.dumps(template), **more)
        return self.settled(name)

    def delete(self, name: str, **more: Any) -> str:
        self.aws.delete_stack(StackName=name, **more)
        return self.settled(name)

    def settled(self, name: str) -> str:
        return self.cloudformation.wait(name, DEADLINE_SECONDS)

    def until(self, name: str, condition: Callable[[Stack], bool]) -> None:
        """Returns when the condition holds for the stack of this name; it may still be at work."""
        self.cloudformation.region.wait(name, condition, deadline_seconds=DEADLINE_SECONDS)

    def begin(self, name: str, template: Mapping[str, Any], **more: Any) -> None:
        """A new stack, at work."""
        self.aws.create_stack(StackName=name, TemplateBody=json.dumps(template), **more)

    def stack(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.aws.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def outputs(self, name: str) -> dict[str, str]:
        return {item["OutputKey"]: item["OutputValue"] for item in self.stack(name)["Outputs"]}

    def resources(self, name: str) -> dict[str, str]:
        found = self.aws.describe_stack_resources(StackName=name)["StackResources"]
        return {item["LogicalResourceId"]: item["ResourceStatus"] for item in found}

    def told(self, name: str) -> list[tuple[str, str]]:
        """Logical id and status of every event, oldest first."""
        return [(item["LogicalResourceId"], item["ResourceStatus"]) for item in self.events(name)]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Oldest first."""
        pages = self.aws.get_paginator("describe_stack_events").paginate(StackName=name)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def reason(self, name: str, logical_id: str, status: str) -> str:
        """The reason that came with the first event of this status."""
        found = (e for e in self.events(name) if (e["LogicalResourceId"], e["ResourceStatus"]) == (logical_id, status))
        return str(next(e["ResourceStatusReason"] for e in found if "ResourceStatusReason" in e))


def sandbox(
    *, rollback_style: Any = "update", time_scale: float = 1.0, may_assume: Callable[[str], bool] = lambda _: True
) -> Sandbox:
    function = Lambda()
    custom = CustomResources(
        invoke_async=function.invoke_async, response_base_url="http://127.0.0.1:1", time_scale=time_scale
    )
    function.custom = custom
    queues, parameters, roles = Memory("QueueName"), Memory("Name"), Memory("RoleName")
    secrets: dict[str, str] = {}

    def resolve_secret(secret_id: str, json_key: str, stage: str, version: str) -> str:
        try:
            return secrets[f"{secret_id}:{json_key}"]
        except KeyError:
            raise ServiceError("ResourceNotFoundException", f"Secrets Manager can't find {secret_id}") from None

    service = CloudFormation(
        resources={"AWS::SQS::Queue": queues, "AWS::SSM::Parameter": parameters, "AWS::IAM::Role": roles},
        custom=custom,
        account="123456789012",
        region="eu-west-1",
        resolve_secret=resolve_secret,
        may_assume=may_assume,
        rollback_style=rollback_style,
        time_scale=time_scale,
    )
    return Sandbox(service, queues, parameters, roles, function, secrets)


@dataclass(frozen=True)
class _Answered:
    status_code: int


def client(service: CloudFormation) -> Any:
    """A real boto3 client whose requests reach the service without HTTP, and whose answers must fit AWS's model."""
    found = boto3.client(
        "cloudformation", region_name="eu-west-1", aws_access_key_id="AKIATEST", aws_secret_access_key="secret"
    )

    def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = params

    def call(model: Any, context: dict[str, Any], **_: Any) -> tuple[_Answered, dict[str, Any]]:
        try:
            if error := constraints.refusal(model, context["asked"], code="ValidationError"):
                raise error
            result = service.handle(model.name, dict(context["asked"]), Caller("AKIATEST"))
        except ServiceError as exc:
            return _Answered(exc.status), {"Error": {"Code": exc.code, "Message": exc.message}, "ResponseMetadata": {}}
        fits("cloudformation", model.name, result)
        return _Answered(200), {**result, "ResponseMetadata": {"HTTPStatusCode": 200}}

    found.meta.events.register("before-parameter-build.cloudformation", keep)
    found.meta.events.register("before-call.cloudformation", call)
    return found


def queue(name: Any = None, **more: Any) -> dict[str, Any]:
    """A queue; needs, policies and the like go beside its properties by their capital letter, as in a template."""
    attributes = {key: more.pop(key) for key in list(more) if key in _ATTRIBUTES}
    properties = {**({"QueueName": name} if name else {}), **more}
    return {"Type": "AWS::SQS::Queue", "Properties": properties, **attributes}


def database(name: str, **more: Any) -> dict[str, Any]:
    """A custom resource of that name."""
    attributes = {key: more.pop(key) for key in list(more) if key in _ATTRIBUTES}
    return {"Type": "Custom::Database", "Properties": {"ServiceToken": TOKEN, "Name": name, **more}, **attributes}


def template(resources: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    return {"Resources": dict(resources), **sections}


_ATTRIBUTES = ("DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Condition", "Metadata")
