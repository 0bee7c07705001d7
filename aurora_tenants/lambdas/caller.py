"""Whose events the provider serves: those of CloudFormation, of stacks in the function's own account and region.

Whoever may invoke the function can write any event, so this is no proof of who asks. It keeps stacks of other accounts
and regions, whose names may be the same, from what belongs to a stack here, and answers from going anywhere else.
Source of the URL's form: "Custom resource response objects" and "Setting up VPC endpoints for AWS CloudFormation", AWS
CloudFormation User Guide.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

_STACK = re.compile(
    r"arn:([a-z-]+):cloudformation:([a-z0-9-]+):(\d{12}):stack/[A-Za-z][A-Za-z0-9-]{0,127}/[0-9a-f-]{1,64}"
)
_RESOURCE = re.compile(r"(Create|Update|Delete) [A-Za-z0-9:_@-]{1,128} [A-Za-z0-9]{1,255}")


def check_url(event: Mapping[str, Any], function_arn: str) -> None:
    """Raises ValueError for a URL that is none of CloudFormation's: then there is nobody to answer."""
    url, region = str(event["ResponseURL"]), function_arn.split(":")[3]
    # S3's own names of the bucket, in three generations of them.
    bucket = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
    host = rf"{bucket}\.s3(?:[.-]{region})?\.amazonaws\.(?:com|com\.cn|eu)"
    # An endpoint is set where something else takes CloudFormation's place, for this function's own calls too.
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/") + "/"
    if not (re.match(rf"https://{host}/", url) or (len(endpoint) > 1 and url.startswith(endpoint))):
        raise ValueError("the event's ResponseURL is not of CloudFormation, so it is not answered")


def check_stack(event: Mapping[str, Any], function_arn: str) -> None:
    """Raises ValueError for a stack of another partition, region or account, and for what is no stack's resource."""
    _, partition, _, region, account, *_ = function_arn.split(":")
    stack = _STACK.fullmatch(str(event["StackId"]))
    resource = " ".join(str(event[name]) for name in ("RequestType", "ResourceType", "LogicalResourceId"))
    if not (stack and _RESOURCE.fullmatch(resource)):
        raise ValueError("the event's StackId and resource are not as CloudFormation's are")
    if stack.groups() != (partition, region, account):
        raise ValueError(f"this function serves stacks of account {account} in {region} only")
