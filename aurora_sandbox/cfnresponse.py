"""The `cfnresponse` module that Lambda puts beside inline code: a custom resource answers CloudFormation with it.

Put beside every index.py that comes from a template, so it stands alone.
Source of the names and the argument order: "cfn-response module", AWS CloudFormation User Guide.
"""

from __future__ import annotations

import json
from typing import Any

import urllib3

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event: dict[str, Any],
    context: Any,
    responseStatus: str,
    responseData: dict[str, Any] | None,
    physicalResourceId: str | None = None,
    noEcho: bool = False,
    reason: str | None = None,
) -> None:
    """Puts the answer to the event's ResponseURL. A failure to do so is printed, not raised, as AWS's module does."""
    body = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    try:
        answer = urllib3.PoolManager().request(
            "PUT", event["ResponseURL"], body=json.dumps(body).encode(), headers={"content-type": ""}
        )
        print("Status code:", answer.status)  # noqa: T201 - a handler's print is its log
    except urllib3.exceptions.HTTPError as error:
        print("send(..) failed executing http.request(..):", error)  # noqa: T201
