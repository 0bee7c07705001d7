"""The custom resource protocol: an event to a Lambda function, an answer by PUT to the event's ResponseURL.

The function is invoked asynchronously, so its return value and its crashes mean nothing; only the answer does, and
silence ends with ServiceTimeout. Source: "Custom resource request objects" and "… response objects", CloudFormation
Template Reference.
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.documented.checks import MAX_ANSWER_BYTES, MAX_PHYSICAL_ID_BYTES, MAX_SERVICE_TIMEOUT_SECONDS
from aurora_sandbox.gate import CFN_RESPONSE

log = logging.getLogger(__name__)
DEFAULT_TIMEOUT_SECONDS = 3600

Answer = Mapping[str, Any]


class CustomResources:
    """The resource type of every Custom:: resource.

    invoke_async: takes a function's ARN and an event and returns at once; LookupError for a function that is not there.
    response_base_url: where PUT requests reach `respond`.
    time_scale: how many times faster than in AWS a ServiceTimeout passes.
    """

    def __init__(
        self,
        *,
        invoke_async: Callable[[str, dict[str, Any]], None],
        response_base_url: str,
        time_scale: float = 1.0,
    ) -> None:
        self._invoke_async = invoke_async
        self._response_base_url = response_base_url
        self._time_scale = time_scale
        self._lock = threading.Lock()
        self._awaited: dict[str, queue.SimpleQueue[bytes | None]] = {}

    def create(self, request: Request) -> Outcome:
        _check(request)
        try:
            return _outcome(self._ask("Create", request))
        except ResourceFailed as exc:
            # Rollback sends Delete even for a resource that never had an id: CloudFormation makes one up.
            made_up = f"{request.stack_name}-{request.logical_id}-{secrets.token_hex(6).upper()}"
            raise ResourceFailed(exc.reason, exc.physical_id or made_up) from exc

    def update(self, request: Request) -> Outcome:
        _check(request)
        return _outcome(self._ask("Update", request))

    def delete(self, request: Request) -> None:
        self._ask("Delete", request)

    def respond(self, token: str, body: bytes) -> None:
        """Delivers an answer. The first one counts; one that nobody waits for any more is lost, as in AWS."""
        with self._lock:
            awaited = self._awaited.pop(token, None)
        if awaited is None:
            log.debug("an answer to a custom resource request that is not waited for: %d bytes", len(body))
            return
        awaited.put(body)

    def close(self) -> None:
        """Everything that waits for an answer fails now."""
        with self._lock:
            waiting, self._awaited = self._awaited, {}
        for awaited in waiting.values():
            awaited.put(None)

    def _ask(self, request_type: str, request: Request) -> Answer:
        token, answers = secrets.token_urlsafe(24), queue.SimpleQueue[bytes | None]()
        event = self._event(request_type, request, token)
        with self._lock:
            self._awaited[token] = answers
        try:
            self._invoke_async(event["ServiceToken"], event)
            body = answers.get(timeout=_service_timeout(request) / self._time_scale)
        except LookupError as exc:
            raise ResourceFailed(f"Function not found: {event['ServiceToken']}") from exc
        except queue.Empty:
            # Worded as CloudFormation does; a crashed function looks just the same.
            raise ResourceFailed(
                "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
                f"requestId [{event['RequestId']}]. If you are using the Python cfn-response module, you may need to "
                "update your Lambda function code so that CloudFormation can attach the updated version."
            ) from None
        finally:
            with self._lock:
                self._awaited.pop(token, None)
        if body is None:
            raise ResourceFailed("the sandbox is stopping")
        return _checked(body, event)

    def _event(self, request_type: str, request: Request, token: str) -> dict[str, Any]:
        event = {
            "RequestType": request_type,
            "ServiceToken": request.properties["ServiceToken"],
            "ResponseURL": f"{self._response_base_url}{CFN_RESPONSE}{token}",
            "StackId": request.stack_id,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": request.logical_id,
            "ResourceType": request.type,
            "ResourceProperties": dict(request.properties),
        }
        if request.physical_id is not None:
            event["PhysicalResourceId"] = request.physical_id
        if request.old_properties is not None:
            event["OldResourceProperties"] = dict(request.old_properties)
        return event


def _check(request: Request) -> None:
    """Raises ResourceFailed, without an id, for a request that cannot be sent at all."""
    token = request.properties.get("ServiceToken")
    if not isinstance(token, str) or not token.startswith("arn:"):
        raise ResourceFailed("Invalid ServiceToken: a custom resource needs the ARN of a Lambda function.")
    if not 1 <= _service_timeout(request) <= MAX_SERVICE_TIMEOUT_SECONDS:
        raise ResourceFailed("Invalid ServiceTimeout: it must be a whole number of seconds from 1 to 3600.")


def _service_timeout(request: Request) -> int:
    """In seconds, 0 if it is not a number."""
    text = str(request.properties.get("ServiceTimeout", DEFAULT_TIMEOUT_SECONDS))
    return int(text) if text.isdecimal() else 0


def _checked(body: bytes, event: Mapping[str, Any]) -> Answer:
    """The answer of a function that succeeded. Raises ResourceFailed, with the answer's physical id if it has one."""
    if len(body) > MAX_ANSWER_BYTES:
        raise ResourceFailed("Response object is too long.")
    try:
        answer = json.loads(body)
    except ValueError as exc:
        raise ResourceFailed("Response is not valid JSON.") from exc
    if not isinstance(answer, dict) or answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise ResourceFailed("Invalid Status: it must be SUCCESS or FAILED.")
    for key in ("RequestId", "StackId", "LogicalResourceId"):
        if answer.get(key) != event[key]:
            raise ResourceFailed(f"Invalid {key}: the response must repeat that of the request.")
    physical_id = answer.get("PhysicalResourceId")
    if answer["Status"] == "FAILED":
        raise ResourceFailed(
            "Received response status [FAILED] from custom resource. "
            f"Message returned: {answer.get('Reason', '')} (RequestId: {event['RequestId']})",
            physical_id if _is_id(physical_id) else None,
        )
    if event["RequestType"] != "Delete" and not _is_id(physical_id):
        raise ResourceFailed("Invalid PhysicalResourceId")
    return answer


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.encode()) <= MAX_PHYSICAL_ID_BYTES


def _outcome(answer: Answer) -> Outcome:
    return Outcome(answer["PhysicalResourceId"], answer.get("Data") or {})
