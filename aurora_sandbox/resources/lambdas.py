"""AWS::Lambda::Function, Permission and EventInvokeConfig, over the sandbox's own functions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.awslambda import from_bucket
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.functions import UNRESERVED, Function, Functions, inline
from aurora_sandbox.resources.api import Boto, Properties, arn, call, generated_name
from aurora_sandbox.wire import ServiceError

DEFAULT_TIMEOUT_SECONDS = 3
DEFAULT_MEMORY_MB = 128
PYTHON = re.compile(r"python3\.\d+")
NOT_ASSUMABLE = "The role defined for the function cannot be assumed by Lambda."


def lambda_types(boto: Boto, functions: Functions) -> dict[str, ResourceType]:
    """The types of this module by name."""
    return {
        "AWS::Lambda::Function": FunctionType(boto, functions),
        "AWS::Lambda::Permission": Permission(functions),
        "AWS::Lambda::EventInvokeConfig": EventInvokeConfig(functions),
    }


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function in Python, whose code stands in the template or in a bucket. VPC, layers and memory change nothing."""

    boto: Boto
    functions: Functions

    def create(self, request: Request) -> Outcome:
        name = request.properties.get("FunctionName") or generated_name(request)
        if self.functions.get(name):
            raise ResourceFailed(f"Function already exist: {name}")
        return self._put(request, name)

    def update(self, request: Request) -> Outcome:
        return self._put(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        self.functions.remove(request.physical_id or "")

    def read(self, request: Request) -> Properties | None:
        """Code cannot be read."""
        function = self.functions.get(request.physical_id or "")
        if function is None:
            return None
        return {
            "Handler": function.handler,
            "Role": function.role_arn,
            "Timeout": function.timeout_seconds,
            "Runtime": function.runtime,
            "MemorySize": function.memory_mb,
            "Environment": {"Variables": dict(function.environment)},
            **({} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}),
        }

    def _put(self, request: Request, name: str) -> Outcome:
        properties = request.properties
        self._check_role(properties["Role"])
        function = Function(
            name=name,
            arn=arn(request, "lambda", f"function:{name}"),
            code=self._code(request),
            handler=properties.get("Handler", ""),
            role_arn=properties["Role"],
            timeout_seconds=properties.get("Timeout", DEFAULT_TIMEOUT_SECONDS),
            runtime=properties.get("Runtime", ""),
            memory_mb=properties.get("MemorySize", DEFAULT_MEMORY_MB),
            environment=dict(properties.get("Environment", {}).get("Variables", {})),
            reserved=self._reserved(properties, name),
        )
        self.functions.put(function)
        return Outcome(name, {"Arn": function.arn})

    def _reserved(self, properties: Properties, name: str) -> int | None:
        """Lambda reserves nothing that would leave too little to all functions without a reservation."""
        if "ReservedConcurrentExecutions" not in properties:
            return None
        reserved = int(properties["ReservedConcurrentExecutions"])
        if not reserved:
            raise ResourceFailed("The sandbox does not imitate functions that serve no event at all.")
        if self.functions.unreserved(without=name) - reserved < UNRESERVED:
            raise ResourceFailed(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{UNRESERVED}]."
            )
        return reserved

    def _code(self, request: Request) -> bytes:
        """The zip. Raises ResourceFailed for code that the sandbox cannot run, or that is not where it should be."""
        runtime, place = request.properties.get("Runtime", ""), request.properties["Code"]
        if not PYTHON.fullmatch(runtime):
            raise ResourceFailed(
                f"The sandbox runs Lambda functions in Python only, not in {runtime or 'a container image'}."
            )
        if "ZipFile" in place:
            return inline(place["ZipFile"])
        try:
            return from_bucket(self.boto("s3"), place, region=request.stack_id.split(":")[3])
        except ServiceError as error:
            raise ResourceFailed(error.message) from error

    def _check_role(self, role_arn: str) -> None:
        """Lambda takes only a role that exists and trusts it."""
        try:
            role = call(self.boto("iam"), "get_role", RoleName=role_arn.rpartition("/")[2])["Role"]
        except ResourceFailed as error:
            raise ResourceFailed(NOT_ASSUMABLE) from error
        if '"lambda.amazonaws.com"' not in json.dumps(role["AssumeRolePolicyDocument"]):
            raise ResourceFailed(NOT_ASSUMABLE)


def _set(method: Any, name_or_arn: str, *arguments: Any, **details: Any) -> None:
    try:
        method(name_or_arn, *arguments, **details)
    except LookupError as error:
        raise ResourceFailed(str(error.args[0])) from error


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement in a function's policy: which principal may invoke it."""

    functions: Functions

    def create(self, request: Request) -> Outcome:
        statement_id = generated_name(request, max_length=100)
        properties = request.properties
        keys = {
            "StringEquals": {"AWS:SourceAccount": properties.get("SourceAccount")},
            "ArnLike": {"AWS:SourceArn": properties.get("SourceArn")},
        }
        conditions = {name: each for name, each in keys.items() if None not in each.values()}
        details = {"Action": properties["Action"], **({"Condition": conditions} if conditions else {})}
        _set(self.functions.permit, properties["FunctionName"], statement_id, properties["Principal"], **details)
        return Outcome(statement_id, {"Id": statement_id})

    def update(self, request: Request) -> Outcome:
        """Every property is create-only, so there is nothing to change."""
        return Outcome(request.physical_id or "", {"Id": request.physical_id})

    def delete(self, request: Request) -> None:
        if self.functions.get(request.properties["FunctionName"]):
            _set(self.functions.permit, request.properties["FunctionName"], request.physical_id, None)

    def read(self, request: Request) -> Properties | None:
        function = self.functions.get(request.properties["FunctionName"])
        there = dict(self.functions.statements(function.name)) if function else {}
        return {} if request.physical_id in there else None


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """How often a failed asynchronous event is repeated."""

    functions: Functions

    def create(self, request: Request) -> Outcome:
        name = request.properties["FunctionName"]
        _set(self.functions.set_retries, name, request.properties.get("MaximumRetryAttempts"))
        return Outcome(f"{name}|{request.properties['Qualifier']}", {})

    def update(self, request: Request) -> Outcome:
        return self.create(request)

    def delete(self, request: Request) -> None:
        if self.functions.get(request.properties["FunctionName"]):
            _set(self.functions.set_retries, request.properties["FunctionName"], None)

    def read(self, request: Request) -> Properties | None:
        return {} if self.functions.get(request.properties["FunctionName"]) else None
