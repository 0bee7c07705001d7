"""AWS Lambda's API, as far as it tells and changes which code a function runs; and where that code comes from.

api.handle("GetFunctionConfiguration", {"FunctionName": "provider"}, caller)["CodeSha256"]
from_bucket(s3, {"S3Bucket": "builds", "S3Key": "provider.zip"}, region="eu-west-1")
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from aurora_sandbox.functions import Function, Functions
from aurora_sandbox.wire import Caller, ServiceError


class Lambda:
    """Service "lambda". s3: gives a boto3 client."""

    name = "lambda"

    def __init__(self, functions: Functions, *, s3: Callable[[], Any], region: str) -> None:
        self._functions, self._s3, self._region = functions, s3, region

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """The answer to one request. Raises ServiceError with AWS's code."""
        if operation not in ("GetFunctionConfiguration", "UpdateFunctionCode"):
            raise ServiceError("NotImplemented", f"The sandbox does not imitate {operation}.", status=501)
        function = self._functions.get(parameters["FunctionName"])
        if function is None:
            said = f"Function not found: {parameters['FunctionName']}"
            raise ServiceError("ResourceNotFoundException", said, status=404)
        if operation == "UpdateFunctionCode":
            code = parameters.get("ZipFile") or from_bucket(self._s3(), parameters, region=self._region)
            function = replace(function, code=unzippable(code))
            self._functions.put(function)
        return _facts(function)


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


def _facts(function: Function) -> dict[str, Any]:
    return {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Role": function.role_arn,
        "Handler": function.handler,
        "CodeSize": len(function.code),
        "CodeSha256": function.code_sha256,
        "Timeout": function.timeout_seconds,
        "Version": "$LATEST",
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Environment": {"Variables": dict(function.environment)},
    }
