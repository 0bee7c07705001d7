"""AWS Lambda's API for functions that a stack made: lists, describes, invokes and deletes them, and changes their code.

api.handle("Invoke", {"FunctionName": "provider", "Payload": b"{}"}, caller)["Payload"]
from_bucket(s3, {"S3Bucket": "builds", "S3Key": "provider.zip"}, region="eu-west-1")

Any other operation is refused with a sentence.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from aurora_sandbox.documented.checks import MAX_EVENT_BYTES, MAX_SYNCHRONOUS_BYTES
from aurora_sandbox.functions import CONCURRENT, Function, Functions
from aurora_sandbox.pool import FunctionError, FunctionTimeout, InvocationFailed
from aurora_sandbox.wire import Caller, ServiceError

LATEST = "$LATEST"
LOG_BYTES = 4096
_PAGE = 50

Parameters = dict[str, Any]


class Lambda:
    """Service "lambda". s3: gives a boto3 client."""

    name = "lambda"
    only = None

    def __init__(self, functions: Functions, *, s3: Callable[[], Any], region: str) -> None:
        self._functions, self._s3, self._region = functions, s3, region
        self._operations: dict[str, Callable[[Parameters], Parameters]] = {
            "DeleteFunction": self._delete,
            "GetAccountSettings": self._settings,
            "GetFunction": self._get,
            "GetFunctionConfiguration": lambda parameters: _facts(self._found(parameters)),
            "GetPolicy": self._policy,
            "Invoke": self._invoke,
            "ListFunctions": self._list,
            "UpdateFunctionCode": self._update_code,
        }

    def handle(self, operation: str, parameters: Parameters, caller: Caller) -> Parameters:
        """The answer to one request. Raises ServiceError with AWS's code."""
        if operation not in self._operations:
            raise ServiceError("NotImplemented", f"The sandbox does not imitate {operation}.", status=501)
        return self._operations[operation](parameters)

    def _found(self, parameters: Parameters) -> Function:
        """The function; of its versions there is the latest alone."""
        wanted, qualifier = parameters["FunctionName"], parameters.get("Qualifier", LATEST)
        function = self._functions.get(wanted)
        if function is None or qualifier != LATEST:
            named = wanted if qualifier == LATEST else f"{wanted}:{qualifier}"
            raise ServiceError("ResourceNotFoundException", f"Function not found: {named}", status=404)
        return function

    def _get(self, parameters: Parameters) -> Parameters:
        function = self._found(parameters)
        reserved = {"ReservedConcurrentExecutions": function.reserved}
        concurrency = {} if function.reserved is None else {"Concurrency": reserved}
        return {"Configuration": _facts(function), "Code": {"RepositoryType": "S3"}, **concurrency}

    def _settings(self, parameters: Parameters) -> Parameters:
        """The limits that AWS gives to an account at first. ("Lambda quotas", Lambda Developer Guide)"""
        functions = [function for name in self._functions.names() if (function := self._functions.get(name))]
        limits = {
            "TotalCodeSize": 75 << 30,
            "CodeSizeUnzipped": 250 << 20,
            "CodeSizeZipped": 50 << 20,
            "ConcurrentExecutions": CONCURRENT,
            "UnreservedConcurrentExecutions": self._functions.unreserved(),
        }
        usage = {"TotalCodeSize": sum(len(each.code) for each in functions), "FunctionCount": len(functions)}
        return {"AccountLimit": limits, "AccountUsage": usage}

    def _list(self, parameters: Parameters) -> Parameters:
        names, most = self._functions.names(), min(parameters.get("MaxItems", _PAGE), _PAGE)
        after = [name for name in names if name > parameters.get("Marker", "")]
        found = [function for name in after[:most] if (function := self._functions.get(name))]
        marker = {"NextMarker": after[most - 1]} if len(after) > most else {}
        return {"Functions": [_facts(function) for function in found], **marker}

    def _delete(self, parameters: Parameters) -> Parameters:
        self._functions.remove(self._found(parameters).name)
        return {"StatusCode": 204}

    def _policy(self, parameters: Parameters) -> Parameters:
        function = self._found(parameters)
        statements = [
            {"Sid": sid, "Effect": "Allow", "Resource": function.arn, **details}
            for sid, details in self._functions.statements(function.name)
        ]
        if not statements:
            message = "The resource you requested does not exist."
            raise ServiceError("ResourceNotFoundException", message, status=404)
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return {"Policy": json.dumps(policy), "RevisionId": function.revision}

    def _update_code(self, parameters: Parameters) -> Parameters:
        function = self._found(parameters)
        code = parameters.get("ZipFile") or from_bucket(self._s3(), parameters, region=self._region)
        function = replace(function, code=unzippable(code))
        if not parameters.get("DryRun"):
            self._functions.put(function)
        return _facts(function)

    # Invoking

    def _invoke(self, parameters: Parameters) -> Parameters:
        function, kind = self._found(parameters), parameters.get("InvocationType", "RequestResponse")
        event = _event(
            parameters.get("Payload") or b"{}", MAX_EVENT_BYTES if kind == "Event" else MAX_SYNCHRONOUS_BYTES
        )
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self._functions.invoke_async(function.name, event)
            return {"StatusCode": 202}
        before = len(self._functions.logs(function.name))
        answer = {"StatusCode": 200, "ExecutedVersion": LATEST, **self._ran(function, event)}
        if parameters.get("LogType") == "Tail":
            log = self._functions.logs(function.name)[before:].encode()[-LOG_BYTES:]
            answer["LogResult"] = base64.b64encode(log).decode()
        return answer

    def _ran(self, function: Function, event: Any) -> Parameters:
        try:
            result = self._functions.invoke(function.name, event)
        except InvocationFailed as error:
            return {"FunctionError": "Unhandled", "Payload": json.dumps(_failure(error)).encode()}
        return {"Payload": json.dumps(result).encode()}


def _event(payload: bytes, most: int) -> Any:
    if len(payload) > most:
        message = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
        raise ServiceError("RequestEntityTooLargeException", message, status=413)
    try:
        return json.loads(payload)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise ServiceError("InvalidRequestContentException", message) from error


def _failure(error: InvocationFailed) -> Parameters:
    """What the caller of a function that gave no result receives."""
    if isinstance(error, FunctionError):
        return {"errorMessage": error.message, "errorType": error.type, "stackTrace": error.trace}
    kind = "Sandbox.Timedout" if isinstance(error, FunctionTimeout) else "Runtime.ExitError"  # Lambda's own words
    return {"errorMessage": str(error), "errorType": kind}


# Code


def from_bucket(s3: Any, place: Mapping[str, Any], *, region: str) -> bytes:
    """The zip at S3Bucket, S3Key and S3ObjectVersion. Raises ServiceError in the words in which Lambda says S3's."""
    version = {"VersionId": place["S3ObjectVersion"]} if "S3ObjectVersion" in place else {}
    try:
        where = s3.head_bucket(Bucket=place["S3Bucket"])["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"]
        if where != region:
            said = f"The bucket is in this region: {where}. Please use this region to retry the request"
            raise _refused("PermanentRedirect", said)
        answer = s3.get_object(Bucket=place["S3Bucket"], Key=place["S3Key"], **version)
    except ClientError as error:
        said = error.response["Error"]
        # HeadBucket's answer has no body that could say it.
        missing = ("NoSuchBucket", "The specified bucket does not exist")
        raise _refused(*(missing if said["Code"] == "404" else (said["Code"], said["Message"]))) from error
    return unzippable(answer["Body"].read())


def unzippable(code: bytes) -> bytes:
    if not zipfile.is_zipfile(BytesIO(code)):
        said = "Could not unzip uploaded file. Please check your file, then try to upload again."
        raise ServiceError("InvalidParameterValueException", said)
    return code


def _refused(code: str, message: str) -> ServiceError:
    said = f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    return ServiceError("InvalidParameterValueException", said)


def _facts(function: Function) -> Parameters:
    return {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Runtime": function.runtime,
        "Role": function.role_arn,
        "Handler": function.handler,
        "CodeSize": len(function.code),
        "CodeSha256": function.code_sha256,
        "Timeout": function.timeout_seconds,
        "MemorySize": function.memory_mb,
        "Version": LATEST,
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "RevisionId": function.revision,
        "Environment": {"Variables": dict(function.environment)},
    }
