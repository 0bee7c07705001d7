"""moto in this process: the AWS services that the sandbox does not imitate itself.

    with running() as ask:
        ask(Request("POST", "/", {…}, b"Action=ListRoles"))

It has no port: whoever could call one would get past the front, and so past the sandbox's key, because moto takes every
request. So its WSGI application is called as a function, by the front and by the sandbox's own clients.

moto is imported on first use. Its backends belong to the process: two sandboxes in one share their roles, VPCs and so
on, and `running` empties them at its end.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import Any, NamedTuple

from aurora_sandbox import ACCOUNT, wire
from aurora_sandbox.wire import Answer, Request

log = logging.getLogger(__name__)


class Key(NamedTuple):
    """A KMS key. state: Enabled, Disabled, PendingDeletion. is_of_aws: AWS manages it. policy: JSON, may be empty."""

    arn: str
    state: str
    is_of_aws: bool
    policy: str


Ask = Callable[[Request], Answer]

_AWS_POLICY = "arn:aws:iam::aws:policy/"
_RESET = Request("POST", "/moto-api/reset", {"host": "127.0.0.1"}, b"")


@contextmanager
def running() -> Iterator[Ask]:
    """What answers a request as moto would; empty again afterwards."""
    _application()
    try:
        yield ask
    finally:
        reset()


def reset() -> None:
    """Takes everything out of moto."""
    _called(_environ(_RESET))


def ask(request: Request) -> Answer:
    """moto's answer. What AWS does not have, such as moto's own pages, is not there."""
    environ = _environ(request)
    if environ["PATH_INFO"].startswith("/moto-api"):
        return Answer(404, {"Content-Type": "text/plain"}, b"not found\n")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        for name, value in wire.query.fields(request):
            if name.startswith("PolicyArn") and value.startswith(_AWS_POLICY):
                _know_policy(value)
    try:
        return _called(environ)
    except Exception as error:  # a bug of moto's, which a server of it would have answered like this
        log.exception("moto failed")
        return Answer(500, {"Content-Type": "text/plain"}, f"moto failed: {type(error).__name__}: {error}".encode())


def key(key_id: str, region: str) -> Key | None:
    """A key by its id, ARN, alias or alias's ARN. By its API moto would apply a policy without looking for whom."""
    from moto.kms.models import kms_backends

    backend = kms_backends[ACCOUNT][region]
    alias = backend.get_alias_name(key_id)
    found = backend.get_key_id_from_alias(alias) if alias.startswith("alias/") else backend.get_key_id(key_id)
    known = backend.keys.get(found) if found else None
    if known is None:
        return None
    return Key(known.arn, known.key_state, known.key_manager == "AWS", known.policy or "")


def _know_managers() -> None:
    """Lets moto say of the keys that it makes for alias/aws/… that AWS manages them."""
    from moto.kms.models import KmsBackend

    make = KmsBackend._generate_default_keys

    def generated(backend: Any, alias_name: str) -> str | None:
        key_id: str | None = make(backend, alias_name)
        if key_id:
            backend.keys[key_id].key_manager = "AWS"
        return key_id

    KmsBackend._generate_default_keys = generated  # type: ignore[method-assign, assignment]


def _know_policy(arn: str) -> None:
    """Gives moto a policy of AWS's own, if AWS has it. moto would read all 1,600 at IAM's first call, for a second."""
    from moto.iam.models import AWSManagedPolicy, iam_backends

    name, known = arn.rpartition("/")[2], iam_backends[ACCOUNT]["aws"].managed_policies
    if arn not in known and name in _aws_policies():
        policy = AWSManagedPolicy.from_data(name, ACCOUNT, "aws", _aws_policies()[name])
        known[policy.arn] = policy


@cache
def _aws_policies() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies: dict[str, Any] = json.loads(aws_managed_policies_data)
    return policies


def _called(environ: dict[str, Any]) -> Answer:
    from werkzeug.test import run_wsgi_app

    pieces, status, headers = run_wsgi_app(_application(), environ, buffered=True)
    return Answer(int(status.partition(" ")[0]), dict(headers), b"".join(pieces))


@cache
def _application() -> Any:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    _know_managers()
    return DomainDispatcherApplication(create_backend_app)


def _environ(request: Request) -> dict[str, Any]:
    """The request as moto's own HTTP server would hand it on, made by that server's class: it alone knows how."""
    handler = _handler()
    handler.command, handler.path, handler.request_version = request.method, request.target, "HTTP/1.1"
    handler.headers, handler.rfile = Message(), BytesIO(request.body)
    for name, value in request.headers.items():
        if name != "transfer-encoding":  # the body is whole
            handler.headers[name] = value
    environ: dict[str, Any] = handler.make_environ()
    return environ | {"CONTENT_LENGTH": str(len(request.body)), "wsgi.input_terminated": True}


def _handler() -> Any:
    from moto.moto_server import werkzeug_app
    from werkzeug.serving import WSGIRequestHandler

    kind = getattr(werkzeug_app, "MotoRequestHandler", WSGIRequestHandler)  # older versions of moto have none
    handler = kind.__new__(kind)  # without its __init__, which would answer a connection at once
    handler.client_address, handler.connection = ("127.0.0.1", 0), None
    handler.server = SimpleNamespace(
        ssl_context=None, multithread=True, multiprocess=False, server_address=("127.0.0.1", 80)
    )
    return handler
