"""Who is let in: decided by a request's first line and headers, before its body is read and before anything answers it.

    Host must be this machine, and there must be no Origin      or it may come from a web page
    /_sandbox/cfn-response/<token>, by PUT                      the token is the credential
    /_sandbox/…                                                 HTTP's scheme Basic, with the owner's key
    anything else                                               signed with the owner's key, or a function's, or with
                                                                that of a role which the owner has assumed

Gate(key, port=40123, is_function=…, sessions=…).refusal(request)     None, or the answer that refuses it

A stranger learns nothing but that: no name, no list, no model is looked up for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from aurora_sandbox.keys import AccessKey, Sessions
from aurora_sandbox.wire import Answer, Request

OWN = "/_sandbox/"
CFN_RESPONSE = f"{OWN}cfn-response/"
MAX_RESPONSE_BYTES = 1 << 20  # far more than CloudFormation takes, which says so itself

# Each part has an end and the header a beginning: a stranger's is looked at in a time that its length does not decide.
_SCOPE = r"(?P<access_key>[^/,\s]{1,128})/\d{8}/(?P<region>[^/]{1,128})/(?P<service>[^/]{1,128})/aws4_request"
_IN_HEADER, _IN_QUERY = re.compile(rf"AWS4-HMAC-SHA256\s+Credential={_SCOPE}"), re.compile(_SCOPE)

_WRONG_KEY = "The security token included in the request is invalid."
_NO_KEY = "Request is missing Authentication Token"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request's SigV4 signature says about it; that it is right is not verified."""

    access_key: str
    region: str
    service: str


def signature(request: Request) -> Signature | None:
    """The signature in a request's header Authorization, or in the query of a presigned URL; None if it has none."""
    found = _IN_HEADER.match(request.headers.get("authorization", ""))
    found = found or _IN_QUERY.fullmatch(_in_query(request, "X-Amz-Credential"))
    return Signature(**found.groupdict()) if found else None


def _in_query(request: Request, name: str) -> str:
    return parse_qs(request.target.partition("?")[2]).get(name, [""])[0]


class Gate:
    """Lets the owner and the functions of one sandbox in. port: where it listens."""

    def __init__(self, owner: AccessKey, *, port: int, is_function: Callable[[str], bool], sessions: Sessions) -> None:
        self._owner, self._is_function, self._sessions = owner, is_function, sessions
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    def refusal(self, request: Request) -> Answer | None:
        """The answer to a request that is not let in; its body is not looked at."""
        if request.headers.get("host", "").lower() not in self._hosts or "origin" in request.headers:
            return _own(403, "only programs on this machine may ask this")
        if request.method == "PUT" and request.path.startswith(CFN_RESPONSE):
            return _too_long(request)
        if request.path.startswith(OWN):
            if self._owner.is_basic(request.headers.get("authorization", "")):
                return None
            return _own(403, "only the sandbox's owner may ask this; `aurora-tenants sandbox env` tells the key")
        signed = signature(request)
        return None if signed and self._knows(signed.access_key, request) else _unknown(request, signed)

    def _knows(self, key_id: str, request: Request) -> bool:
        token = request.headers.get("x-amz-security-token") or _in_query(request, "X-Amz-Security-Token")
        return self._owner.has_id(key_id) or self._is_function(key_id) or self._sessions.has(key_id, token)


def _too_long(request: Request) -> Answer | None:
    is_short = int(request.headers.get("content-length", 0)) <= MAX_RESPONSE_BYTES
    return None if is_short else _own(413, "that is no answer to CloudFormation")


def _own(status: int, why: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps({"error": why}).encode() + b"\n")


def _unknown(request: Request, signed: Signature | None) -> Answer:
    """AWS's refusal of a key that it does not know, or of none, in the form that the service's clients read.

    The form follows from the request's headers. Source: "Common Errors" in each service's API reference; "Error
    responses", Amazon S3 API Reference; "Error codes", Amazon EC2 API Reference.
    """
    service = signed.service if signed else ""
    if "x-amz-target" in request.headers:
        code = "UnrecognizedClientException" if signed else "MissingAuthenticationTokenException"
        return _json(code, {"__type": code})
    if service == "ec2":
        said = "AWS was not able to validate the provided access credentials"
        return _xml(401, "<Response><Errors>{}</Errors><RequestID/></Response>", "AuthFailure", said)
    if service == "s3":
        said = "The AWS Access Key Id you provided does not exist in our records."
        return _xml(403, "{}", "InvalidAccessKeyId", said)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        code = "InvalidClientTokenId" if signed else "MissingAuthenticationToken"
        whole = "<ErrorResponse>{}<RequestId/></ErrorResponse>"
        return _xml(403, whole, code, _WRONG_KEY if signed else _NO_KEY)
    return _json("UnrecognizedClientException" if signed else "MissingAuthenticationTokenException", {})


def _json(code: str, more: dict[str, str]) -> Answer:
    said = _NO_KEY if code.startswith("Missing") else _WRONG_KEY
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return Answer(403, headers, json.dumps({"message": said, **more}).encode())


def _xml(status: int, whole: str, code: str, said: str) -> Answer:
    body = whole.format(f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{said}</Message></Error>")
    return Answer(status, {"Content-Type": "text/xml"}, body.encode())
