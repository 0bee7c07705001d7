"""boto3 clients of the sandbox's own, to moto or to a sandbox, which the user's AWS configuration does not reach."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from aurora_sandbox.environment import KEY
from aurora_sandbox.wire import ServiceError

# A profile must neither be needed nor used: an AWS_PROFILE that does not exist would stop every client.
_NOBODYS_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Clients:
    """boto3 clients by service name, each made when first asked for and kept; safe in several threads.

    iam_changed is called after every call that may have changed a role or a policy. elsewhere holds the endpoints of
    the services that are not at endpoint_url.
    """

    def __init__(self, endpoint_url: str, *, region: str) -> None:
        self.iam_changed: Callable[[], None] = lambda: None
        self.elsewhere: dict[str, str] = {}
        self._endpoint_url = endpoint_url
        self._session = boto3.Session(
            aws_access_key_id=KEY,
            aws_secret_access_key=KEY,
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
        config = Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=50)
        endpoint_url = self.elsewhere.get(service, self._endpoint_url)
        client = self._session.client(service, endpoint_url=endpoint_url, config=config)
        if service == "iam":
            client.meta.events.register("after-call.iam", self._after_iam)
        return client

    def _after_iam(self, model: Any, **_: Any) -> None:
        if not model.name.startswith(("Get", "List")):
            self.iam_changed()


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
