"""AWS::Lambda::Function, Permission and EventInvokeConfig, over the sandbox's own functions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.awslambda import from_bucket
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.functions import Function, Functions, inline
from aurora_sandbox.resources.api import Boto, Properties, arn, call, generated_name
from aurora_sandbox.wire import ServiceError

DEFAULT_TIMEOUT_SECONDS = 3
LONGEST_NAME = 64  # FunctionName, CreateFunction, AWS Lambda API Reference
PYTHON = re.compile(r"python3\.\d+")
NOT_ASSUMABLE = "The role defined for the function cannot be assumed by Lambda."
# What the runtime sets itself. Source: "Defined runtime environment variables", AWS Lambda Developer Guide.
RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_(TASK_ROOT|RUNTIME_DIR)|AWS_("
    r"REGION|DEFAULT_REGION|EXECUTION_ENV|LAMBDA_.*|ACCESS_KEY(_ID)?|SECRET_ACCESS_KEY|SESSION_TOKEN|XRAY_.*)"
)


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
        if len(name) > LONGEST_NAME:
            constraint = f"Member must have length less than or equal to {LONGEST_NAME}"
            what = f"Value '{name}' at 'functionName' failed to satisfy constraint: {constraint}"
            raise ResourceFailed(f"1 validation error detected: {what}")
        if self.functions.get(name):
            raise ResourceFailed(f"Function already exist: {name}")
        return self._put(request, name)

    def update(self, request: Request) -> Outcome:
        return self._put(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        self.functions.remove(request.physical_id or "")

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
            environment=_environment(properties),
        )
        self.functions.put(function)
        return Outcome(name, {"Arn": function.arn})

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


def _environment(properties: Properties) -> dict[str, str]:
    variables: dict[str, str] = dict(properties.get("Environment", {}).get("Variables", {}))
    if reserved := sorted(name for name in variables if RESERVED.fullmatch(name)):
        raise ResourceFailed(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    return variables


def _set(method: Any, name_or_arn: str, *arguments: Any) -> None:
    try:
        method(name_or_arn, *arguments)
    except LookupError as error:
        raise ResourceFailed(str(error.args[0])) from error


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement in a function's policy: which principal may invoke it."""

    functions: Functions

    def create(self, request: Request) -> Outcome:
        statement_id = generated_name(request, max_length=100)
        _set(self.functions.permit, request.properties["FunctionName"], statement_id, request.properties["Principal"])
        return Outcome(statement_id, {"Id": statement_id})

    def update(self, request: Request) -> Outcome:
        """Every property is create-only, so there is nothing to change."""
        return Outcome(request.physical_id or "", {"Id": request.physical_id})

    def delete(self, request: Request) -> None:
        if self.functions.get(request.properties["FunctionName"]):
            _set(self.functions.permit, request.properties["FunctionName"], request.physical_id, None)


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
