"""The one HTTP endpoint of the sandbox: finds out which AWS service a request is for and who answers it.

    /_sandbox/…                              the sandbox's own endpoints (control.py)
    signed for a service of ours             parsed, checked, answered here (wire/, iam.py)
    anything else                            passed on to moto as it is, and its answer passed back

Listens on 127.0.0.1 alone, and answers nobody whom gate.py refuses. What a service does is no business of this module.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel

from aurora_sandbox import documented, wire
from aurora_sandbox.clients import ITSELF
from aurora_sandbox.faults import SPARED, By, Faults, Struck
from aurora_sandbox.gate import OWN, Signature, signature
from aurora_sandbox.iam import Guard
from aurora_sandbox.wire import Answer, Broken, Caller, Request, Service, ServiceError

log = logging.getLogger(__name__)

# moto says these of a connection of its own, which there is not.
_HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
_DRAINED_BYTES = 16 << 20


class Front:
    """Finds who answers a request, and gives the answer.

    services: ours, by the name requests are signed for. moto: answers all others. own: answers /_sandbox/…
    iam_changed is called after every request to moto that may have changed a role or a policy, rules_changed after
    every one to EventBridge. assumed: is given what STS answers to everybody who is not a function.
    `calls` counts what our services were asked, {("rds-data", "ExecuteStatement"): 12}, and `checked` the answers that
    were compared with AWS's model of the operation.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        *,
        region: str,
        moto: Callable[[Request], Answer],
        own: Callable[[Request], Answer],
        guard: Guard,
        faults: Faults,
        iam_changed: Callable[[], None],
        assumed: Callable[[bytes], None],
        rules_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.checked: Counter[tuple[str, str]] = Counter()
        self._services, self._region, self._moto = services, region, moto
        self._own, self._guard, self._faults = own, guard, faults
        self._iam_changed, self._assumed, self._rules_changed = iam_changed, assumed, rules_changed

    def respond(self, request: Request) -> Answer:
        """The answer to a request that was let in; never raises for what it holds."""
        if request.path.startswith(OWN):
            return self._own(request)
        signed = signature(request)
        if signed is None:
            return self._forward(request)
        by: By = "function" if self._guard.is_function(signed.access_key) else "user"
        if ITSELF in request.headers.get("user-agent", ""):
            by = "itself"
        service = self._services.get(signed.service)
        if service is not None and _is_ours(service, request):
            return self._served(service, request, signed, by)
        if not self._faults.are_on():
            return self._passed_on(request, signed, by)
        struck = self._faults.strike(signed.service, _name(signed.service, request), by=by)
        if isinstance(struck.instead, ServiceError):
            return wire.refusal(wire.service_model(signed.service), struck.instead)
        if struck.instead:
            raise struck.instead
        return _ended(self._passed_on(request, signed, by), struck)

    def _passed_on(self, request: Request, signed: Signature, by: By) -> Answer:
        """The answer to a call to one of moto's services."""
        if by == "function":
            refusal = self._refusal_of_function(request, signed)
            if refusal is not None:
                return refusal
        answer = self._forward(request)
        if signed.service == "iam" and not _action(request).startswith(("Get", "List")):
            self._iam_changed()
        if signed.service == "events":
            self._rules_changed()
        if signed.service == "sts" and by != "function":
            self._assumed(answer.body)
        return answer

    def _served(self, service: Service, request: Request, signed: Signature, by: By) -> Answer:
        """One of our services' answer."""
        model, struck = wire.spoken(service.name, request), SPARED
        try:
            operation, parameters = wire.parse(model, request)
            _refuse_documented(operation, parameters)
            self._refuse_other_regions(signed)
            self.calls[service.name, operation.name] += 1
            struck = self._faults.strike(service.name, operation.name, by=by)
            if struck.instead:
                raise struck.instead
            self._guard.check(service.name, operation.name, parameters, signed.access_key)
            result = service.handle(operation.name, parameters, Caller(signed.access_key))
            self._check_answer(operation, result)
            answer = wire.answer(operation, result)
        except Broken as broken:
            if broken.status is None:
                raise
            return Answer(broken.status, {"Content-Type": "text/html"}, b"")
        except ServiceError as error:
            answer = wire.refusal(model, error)
        except wire.UnknownProtocol as protocol:
            message = f"The sandbox does not speak the protocol {protocol}."
            answer = wire.refusal(model, ServiceError("NotImplemented", message, status=501))
        except Exception as error:  # as in _respond, but in the service's own form
            log.exception("%s failed", service.name)
            message = f"The sandbox failed, this is a bug in it: {type(error).__name__}: {error}"
            answer = wire.refusal(model, ServiceError("InternalFailure", message, status=500))
        return _ended(answer, struck)

    def _check_answer(self, operation: OperationModel, result: Mapping[str, Any]) -> None:
        """Raises TypeError for an answer that AWS would not give, by its own model."""
        if wrong := "; ".join(wire.constraints.misfits(operation.output_shape, result)):
            raise TypeError(f"{operation.name} answers what is not in AWS's model: {wrong}")
        self.checked[operation.service_model.service_name, operation.name] += 1

    def _refuse_other_regions(self, signed: Signature) -> None:
        if signed.region != self._region:
            raise ServiceError(
                "UnrecognizedClientException",
                f"The sandbox has one region, {self._region}; this request was signed for {signed.region}.",
            )

    def _refusal_of_function(self, request: Request, signed: Signature) -> Answer | None:
        """The refusal of a function's call to one of moto's services, None if its role allows the call.

        Which action a call is for is known where the body, a header or the bare path names it; every other call is
        refused, rather than let pass unchecked.
        """
        message = f"The sandbox cannot tell what a role must allow for this call to {signed.service}, so it refuses it."
        try:
            model = wire.service_model(signed.service)
        except UnknownServiceError:
            return Answer(403, {"Content-Type": "text/plain"}, message.encode())
        try:
            operation, parameters = _asked(model, request)
        except (ServiceError, wire.UnknownProtocol):
            return wire.refusal(model, ServiceError("AccessDeniedException", message, status=403))
        try:
            self._guard.check(signed.service, operation, parameters, signed.access_key)
        except ServiceError as error:
            return wire.refusal(model, error)
        return None

    def _forward(self, request: Request) -> Answer:
        """moto's answer."""
        answer = self._moto(request)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return Answer(answer.status, headers, answer.body)


def _is_ours(service: Service, request: Request) -> bool:
    """Whether a service of ours answers this request: of STS, IAM and CloudWatch Logs some only."""
    return service.only is None or _name(service.name, request) in service.only


def _ended(answer: Answer, struck: Struck) -> Answer:
    """The answer of a call that was served, as it reaches whoever called. Raises Broken if it does not."""
    if struck is SPARED:
        return answer
    if struck.late_seconds:
        time.sleep(struck.late_seconds)
    if struck.ending == "dropped":
        raise Broken(None)
    return replace(answer, is_torn=struck.ending == "torn")


def _name(service: str, request: Request) -> str:
    """The operation that a request to one of moto's services asks for; empty where its protocol is none of ours."""
    if action := _action(request):
        return action
    try:
        operation, _ = wire.read(wire.service_model(service), request)
    except (ServiceError, UnknownServiceError, wire.UnknownProtocol):
        return ""
    return str(operation.name)


def _action(request: Request) -> str:
    """The operation that a form names, once; empty for any other request."""
    named = [value for name, value in wire.query.fields(request) if name == "Action"]
    return named[0] if len(named) == 1 else ""


def _asked(model: ServiceModel, request: Request) -> tuple[str, dict[str, Any]]:
    """The operation and its parameters, which of EC2's nobody reads: no policy here names one of its resources.

    Raises as wire.parse does.
    """
    if model.service_name == "ec2" and (action := _action(request)):
        return action, {}
    operation, parameters = wire.parse(model, request)
    return operation.name, parameters


def _refuse_documented(operation: OperationModel, parameters: Mapping[str, Any]) -> None:
    """Raises ServiceError for what AWS refuses by its documentation alone."""
    model = operation.service_model
    if rule := documented.broken_by(f"{model.service_name}:{operation.name}", parameters):
        usual = "ValidationError" if model.metadata["protocol"] == "query" else "ValidationException"
        raise ServiceError(rule.code or usual, rule.broken(parameters) or "")


class Listener:
    """An HTTP/1.1 server on a free port of 127.0.0.1, known by its `url` before it serves; a thread a connection."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def serve(
        self,
        respond: Callable[[Request], Answer],
        *,
        refusal: Callable[[Request], Answer | None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Starts to answer in the background, until `close`; before, clients wait.

        refusal: answers a request, of which the body is not read yet, that is not let in. now: the time that answers
        say they are of, in seconds since 1970.
        """
        self._server.respond, self._server.refusal, self._server.now = respond, refusal, now
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="listener", daemon=True).start()

    def close(self) -> None:
        if hasattr(self._server, "respond"):  # shutdown waits for serve_forever, for ever if it was never called
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # fifty stacks at once, with their functions' workers
    respond: Callable[[Request], Answer]
    refusal: Callable[[Request], Answer | None]
    now: Callable[[], float]

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("a request from %s could not be answered", client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and body leave in one piece
    server: _Server

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # the client went away, as a killed worker does

    def _respond(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,18}", length):  # Python makes no number of more than 4,300 digits
            self.send_error(400, "Content-Length is not a number of bytes")
            return
        bare = Request(self.command, self.path, headers, b"")
        answer = self.server.refusal(bare)
        if answer is not None:
            self._drain(int(length))
        else:
            try:
                answer = self._answer(bare, self.rfile.read(int(length)))
            except Broken:
                self.close_connection = True
                return
        self._send(answer)

    def _answer(self, bare: Request, body: bytes) -> Answer:
        try:
            return self.server.respond(Request(bare.method, bare.target, bare.headers, body))
        except Broken:
            raise
        except Exception as error:  # a bug of ours: the caller gets an answer, and the log a traceback
            log.exception("%s %s failed", bare.method, bare.path)
            return Answer(500, {"Content-Type": "text/plain"}, f"{type(error).__name__}: {error}".encode())

    def _drain(self, length: int) -> None:
        """Lets a body that nobody wants pass: a client that is still sending would not see the answer."""
        left = min(length, _DRAINED_BYTES)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)
        self.close_connection = self.close_connection or length > _DRAINED_BYTES

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if answer.is_torn else answer.body)
        self.close_connection = self.close_connection or answer.is_torn

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_TRACE = _respond

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The value of the header Date."""
        return super().date_time_string(self.server.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests are counted, not logged."""
