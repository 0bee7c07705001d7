"""The sandbox's own endpoints, beside those of AWS: what runs here, faults to switch on, the way for Lambdas to answer.

    PUT  /_sandbox/cfn-response/<token>   a custom resource's answer; its ResponseURL leads here
    POST /_sandbox/pause                  {"seconds": 20, "as_v1": false}: the cluster pauses now, and takes so long to
                                          wake up; with as_v1 it says so in the words of Aurora Serverless v1, with
                                          every_calls it pauses again each time that it has served so many calls
    POST /_sandbox/cluster                {"seconds": 60}: so long a cluster is creating, stopping, starting or deleting
                                          from now on, and still, if it is now; 0, as at first, is at once
    GET  /_sandbox/faults                 what is on: {"faults": [{"name": "throttle", "counted": 9, "happened": 2, …}]}
    POST /_sandbox/faults                 {"set": {"name": "drop-after", "service": "cloudformation", "operation":
                                          "CreateChangeSet", "nth": 1}}: on from now on; all else that a fault has is in
                                          faults.py
                                          {"clear": {"name": "throttle"}}, {"clear": {}}
                                          {"stack": {"name": …, "status": "IMPORT_ROLLBACK_FAILED"}}: the stack is in
                                          this state from now on, whatever it did
    POST /_sandbox/answers                {"error_numbers": "none", "base64": true, "reversed_keys": true}: what answers
                                          of the Data API look like; what is left out is as documented
    GET  /_sandbox/clock                  the sandbox's time: {"now": "2026-03-28T12:00:00Z", "ahead_seconds": 0}
    POST /_sandbox/clock                  {"to": "+10h"} or {"to": "2026-03-29T00:00Z"}: moves it forward; the answer
                                          says besides which schedules "fired" on the way, and which secrets were
                                          "rotated": with the step that was reached, and the error, if it failed
    GET  /_sandbox/status                 what there is, as JSON
    GET  /_sandbox/logs/<function>        what a function printed
    POST /_sandbox/shutdown

All but the first are for the owner alone, which gate.py has seen to. The first has its token, of 192 random bits, valid
for one answer; what answers a request that nobody waits for is told nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aurora_sandbox.account import Account
from aurora_sandbox.clock import shown
from aurora_sandbox.faultform import fault_of
from aurora_sandbox.faults import KINDS, Fault, Told
from aurora_sandbox.gate import OWN
from aurora_sandbox.scheduler.targets import Firing
from aurora_sandbox.secretsmanager.rotation import Rotated
from aurora_sandbox.wire import Answer, Broken, Request, service_model


class Unusable(Exception):
    """A request that cannot be used, and why."""


class Control:
    """Answers requests under /_sandbox/. status: what `GET /_sandbox/status` says. stop: asks the sandbox to end."""

    def __init__(
        self,
        account: Account,
        *,
        status: Callable[[], Mapping[str, Any]],
        stop: Callable[[], None],
    ) -> None:
        self._account, self._status, self._stop = account, status, stop

    def answer(self, request: Request) -> Answer:
        """The answer: 400 to what cannot be used, 404 to an unknown name."""
        what, _, name = request.path.removeprefix(OWN).partition("/")
        try:
            return self._route(request, what, name)
        except Unusable as error:
            return _json(400, {"error": str(error)})
        except LookupError as error:
            return _json(404, {"error": str(error)})

    def _route(self, request: Request, what: str, name: str) -> Answer:
        match request.method, what:
            case "PUT", "cfn-response":
                return self._respond(request, name)
            case "POST", "pause":
                self._pause(_document(request))
            case "POST", "cluster":
                self._account.clusters.take(_seconds(_document(request)))
            case "GET", "faults":
                return _json(200, self._faults())
            case "POST", "faults":
                return _json(200, self._fault(_document(request)) | self._faults())
            case "POST", "answers":
                self._set_answers(_document(request))
            case "GET", "clock":
                return _json(200, self._time())
            case "POST", "clock":
                return _json(200, self._move(_document(request)) | self._time())
            case "GET", "status":
                return _json(200, self._status())
            case "GET", "logs":
                log = self._account.functions.logs(name)
                return Answer(200, {"Content-Type": "text/plain; charset=utf-8"}, log.encode())
            case "POST", "shutdown":
                self._stop()
            case _:
                raise LookupError(f"no {request.method} {request.path} here")
        return _json(200, {})

    def _pause(self, document: Mapping[str, Any]) -> None:
        seconds = document.get("seconds")
        if seconds is not None and not isinstance(seconds, int | float):
            raise Unusable("seconds must be a number")
        every_calls = document.get("every_calls", 0)
        if not isinstance(every_calls, int) or every_calls < 0:
            raise Unusable("every_calls must be a whole number")
        if not self._account.clusters.all():
            raise Unusable("there is no cluster yet")
        self._account.data.resuming_as_v1 = bool(document.get("as_v1"))
        every = every_calls + 1 if every_calls else None
        self._account.faults.put(
            Fault("paused-cluster", nth=every, every=every, seconds=seconds), is_on=every_calls > 0
        )
        self._pause_all(seconds)

    def _pause_all(self, seconds: float | None) -> None:
        for cluster in self._account.clusters.all():
            cluster.pause(seconds)

    def _respond(self, request: Request, token: str) -> Answer:
        """Takes a custom resource's answer. Raises Broken if its sender is not told so."""
        self._account.custom.respond(token, request.body)
        if self._account.functions.is_unconfirmed(f"{self._account.endpoint_url}{request.path}"):
            raise Broken(None)
        return Answer(200, {}, b"")

    def _set_answers(self, document: Mapping[str, Any]) -> None:
        try:
            self._account.data.answers.set(**document)
        except ValueError as error:
            raise Unusable(str(error)) from error
        except TypeError as error:
            raise Unusable("answers have error_numbers, base64 and reversed_keys, and nothing else") from error

    def _time(self) -> dict[str, Any]:
        clock = self._account.clock
        return {"now": shown(clock.now()), "ahead_seconds": round(clock.ahead.total_seconds())}

    def _move(self, document: Mapping[str, Any]) -> dict[str, Any]:
        try:
            happened = self._account.timetable.move(str(document.get("to", "")))
        except ValueError as error:
            raise Unusable(str(error)) from error
        told = [(each, {**asdict(each), "at": shown(each.at)}) for each in happened]
        return {
            "fired": [document for each, document in told if isinstance(each, Firing)],
            "rotated": [document for each, document in told if isinstance(each, Rotated)],
        }

    def _faults(self) -> dict[str, Any]:
        return {"faults": [told.document() for told in self._account.faults.all()]}

    def _fault(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What was done besides, where the answer says so."""
        done: dict[str, Any] = {}
        for word, fault in document.items():
            if not isinstance(fault, dict):
                raise Unusable(f"{word} is an object of JSON")
            try:
                done |= self._switch(word, fault) or {}
            except (KeyError, TypeError, ValueError) as error:
                raise Unusable(f"{word}: {type(error).__name__} {error}") from error
        return done

    def _switch(self, word: str, fault: Mapping[str, Any]) -> dict[str, Any] | None:
        faults = self._account.faults
        if word == "set":
            return {"set": self._set(_wanted(fault)).document()}
        if word == "clear":
            return {"cleared": [told.document() for told in faults.clear(_cleared(fault))]}
        if word != "stack":
            raise Unusable(f"a fault is set or cleared, and a stack put into a state; there is no {word}")
        self._put(fault["name"], fault["status"])
        return None

    def _set(self, fault: Fault) -> Told:
        names = self._account.functions.names()
        if fault.function and not any(fault.is_of(name) for name in names):
            raise Unusable(f"there is no function {fault.function}; there are {', '.join(names) or 'none'}")
        if fault.name == "paused-cluster" and not self._account.clusters.all():
            raise Unusable("there is no cluster yet")
        told = self._account.faults.set(fault)
        if fault.name == "paused-cluster" and fault.nth == 1:  # the first is now: nobody has to call for it
            self._account.faults.met("paused-cluster")
            self._pause_all(fault.seconds)
        return told

    def _put(self, name: str, status: str) -> None:
        region = self._account.cloudformation.region
        if status not in service_model("cloudformation").shape_for("StackStatus").enum:
            raise Unusable(f"CloudFormation has no state {status}")
        with region.changed:
            stack = region.find(name)
            if stack is None or stack.is_deleted:
                raise Unusable(f"there is no stack {name}")
            region.set_status(stack, status)


def _seconds(document: Mapping[str, Any]) -> float:
    seconds = document.get("seconds")
    if not isinstance(seconds, int | float) or seconds < 0:
        raise Unusable("seconds must be a number, and not less than 0")
    return seconds


def _wanted(document: Mapping[str, Any]) -> Fault:
    try:
        return fault_of(document)
    except ValueError as error:
        raise Unusable(str(error)) from error


def _cleared(document: Mapping[str, Any]) -> str | None:
    """The name of what is to end; None for everything."""
    name = document.get("name")
    if name is not None and name not in KINDS:
        raise Unusable(f"there is no fault {name}: {', '.join(KINDS)}")
    return name


def _document(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body or b"{}")
    except ValueError as error:
        raise Unusable(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unusable("the body is not a JSON object")
    return document


def _json(status: int, document: Mapping[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode() + b"\n")
