"""boto3 clients of the sandbox's own, to moto or to a sandbox, which the user's AWS configuration does not reach."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from aurora_tenants.sandbox.environment import KEY

# A profile must neither be needed nor used: an AWS_PROFILE that does not exist would stop every client.
_NOBODYS_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Clients:
    """boto3 clients by service name, each made when first asked for and kept; safe in several threads.

    iam_changed is called after every call that may have changed a role or a policy.
    """

    def __init__(self, endpoint_url: str, *, region: str) -> None:
        self.iam_changed: Callable[[], None] = lambda: None
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
        client = self._session.client(service, endpoint_url=self._endpoint_url, config=config)
        if service == "iam":
            client.meta.events.register("after-call.iam", self._after_iam)
        return client

    def _after_iam(self, model: Any, **_: Any) -> None:
        if not model.name.startswith(("Get", "List")):
            self.iam_changed()
