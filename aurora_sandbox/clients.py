"""boto3 clients of the sandbox's own, to moto or to a sandbox, which the user's AWS configuration does not reach.

Clients(url, region=region, key=key)                                     over HTTP
Clients(url, region=region, key=key, inside=ask, outside={"scheduler"})  all but one to a function in this process
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from aurora_sandbox.keys import AccessKey
from aurora_sandbox.wire import Answer, Request, ServiceError

ITSELF = "aurora-sandbox-itself"  # stands in the user agent of its own calls
# A profile must neither be needed nor used: an AWS_PROFILE that does not exist would stop every client.
_NOBODYS_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Clients:
    """boto3 clients by service name, each made when first asked for and kept; safe in several threads.

    inside: answers requests in place of endpoint_url, for all services but those in `outside`. iam_changed is called
    after every call that may have changed a role or a policy.
    """

    def __init__(
        self,
        endpoint_url: str,
        *,
        region: str,
        key: AccessKey,
        inside: Callable[[Request], Answer] | None = None,
        outside: Collection[str] = (),
    ) -> None:
        self.iam_changed: Callable[[], None] = lambda: None
        self._endpoint_url, self._inside, self._outside = endpoint_url, inside, outside
        self._session = boto3.Session(
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            region_name=region,
            botocore_session=botocore.session.Session(session_vars=_NOBODYS_CONFIGURATION),
        )
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new(service)
            return self._clients[service]

    def _new(self, service: str) -> Any:
        # One attempt: a refusal is final. No proxies: this never leaves the machine.
        config = Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=50, user_agent_extra=ITSELF)
        client = self._session.client(service, endpoint_url=self._endpoint_url, config=config)
        if self._inside and service not in self._outside:
            client.meta.events.register("before-send", self._answered_inside)
        if service == "iam":
            client.meta.events.register("after-call.iam", self._after_iam)
        return client

    def _answered_inside(self, request: Any, **_: Any) -> AWSResponse:
        """botocore sends nothing when a handler of "before-send" gives an answer."""
        assert self._inside is not None
        place = urlsplit(request.url)
        target = urlunsplit(("", "", place.path or "/", place.query, ""))
        headers = {name.lower(): _text(value) for name, value in request.headers.items()} | {"host": place.netloc}
        answer = self._inside(Request(request.method, target, headers, _bytes(request.body)))
        return AWSResponse(request.url, answer.status, HeadersDict(answer.headers), _Body(answer.body))

    def _after_iam(self, model: Any, **_: Any) -> None:
        if not model.name.startswith(("Get", "List")):
            self.iam_changed()


class _Body(BytesIO):
    """The body of an answer, as botocore reads one off a connection."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes:
    """A body as botocore leaves it: none, text, bytes, or something to read from."""
    if hasattr(body, "read"):
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def ask(client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """A client's answer to an operation by the name that AWS gives it. Raises ServiceError with the client's code."""
    methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    try:
        result: dict[str, Any] = getattr(client, methods[operation])(**parameters)
    except ClientError as error:
        refusal, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise ServiceError(refusal["Code"], refusal["Message"], status=status) from error
    except ResponseParserError as error:  # moto answers with a page of HTML to what it does not have
        raise ServiceError("NotImplemented", f"The sandbox does not imitate {operation}.", status=501) from error
    del result["ResponseMetadata"]
    return result
