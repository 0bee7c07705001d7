"""Faults by name, switched on for a while: which calls, stack operations or events of functions meet one, how often.

    faults.set(Fault("drop-after", service="cloudformation", operation="CreateChangeSet", nth=1))
    faults.set(Fault("throttle", service="cloudformation", rate=0.2, seed=7))
    faults.strike("cloudformation", "CreateChangeSet", by="user")    what happens to this call; it is counted

A call is counted by every fault that is for it, in the order they were set, until one refuses it. Which of them meet
the fault is decided by counting (nth, every, times), by drawing (rate), or, for a limit, by the clock (per_second).
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from aurora_sandbox import unserved
from aurora_sandbox.wire import Broken, ServiceError

# itself: the sandbox, where a service of AWS's calls another for a stack; nothing happens to that.
By = Literal["user", "function", "itself"]
# call: a request to a service. cluster: a call for which a cluster is awake. stack: an operation on one. event: of a
# function.
Of = Literal["call", "cluster", "stack", "event"]


class Kind(NamedTuple):
    """What a fault of a name is for. only: its one service and operation. seconds: how long it takes, by default."""

    of: Of
    only: tuple[str, str] | None = None
    seconds: float | None = None


KINDS: dict[str, Kind] = {
    "throttle": Kind("call"),
    "limit": Kind("call"),
    "5xx": Kind("call"),
    "slow": Kind("call", seconds=5.0),
    "drop-before": Kind("call"),
    "drop-after": Kind("call"),
    "drop-in-body": Kind("call"),
    "expired-credentials": Kind("call"),
    "oversize": Kind("call", only=("rds-data", "ExecuteStatement")),
    "paused-cluster": Kind("cluster", seconds=15.0),
    "early": Kind("cluster"),
    "slow-stacks": Kind("stack", seconds=20.0),
    "crash-before": Kind("event"),
    "crash-after": Kind("event"),
    "hang": Kind("event"),
    "answer-twice": Kind("event"),
    "called-twice": Kind("event"),
    "called-late": Kind("event", seconds=10.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and what it is for: calls to one service and operation, or to all; by users, by functions, or both.

    nth: the first that meets it, counted from now on; alone, unless it is `every` so many from then on.
    rate: the share of them that does, drawn from `seed`. times: it happens so often at most. per_second: what a limit
    lets pass. seconds: how long a slow one takes at least, or what is late or asleep. status: of a 5xx. answer: the one
    early answer that is given. function: the name of one, or what stands after a hyphen in it, "provider".
    """

    name: str
    service: str | None = None
    operation: str | None = None
    by: By | None = None
    nth: int | None = None
    every: int | None = None
    rate: float | None = None
    seed: int | None = None
    times: int | None = None
    per_second: int | None = None
    seconds: float | None = None
    status: int = 503
    answer: str | None = None
    function: str | None = None

    @property
    def place(self) -> tuple[str | None, ...]:
        """What no two faults share: a fault takes the place of the one that was there."""
        return self.name, self.service, self.operation, self.by, self.function

    def is_for(self, service: str, operation: str, by: By) -> bool:
        asked = ((self.service, service), (self.operation, operation), (self.by, by))
        return all(wanted in (None, given) for wanted, given in asked)

    def is_of(self, function: str) -> bool:
        """Whether it is for the events of this function."""
        return self.function in (None, function) or function.endswith(f"-{self.function}")

    def comes(self, count: int) -> bool:
        """Whether the `count`th, from 1, is one of those that meet it."""
        if self.nth is None and self.every is None:
            return True
        first = self.every if self.nth is None else self.nth
        if count == first or not self.every or not first:
            return count == first
        return count > first and (count - first) % self.every == 0


class Struck(NamedTuple):
    """What happens to one call. instead: it is not served. late_seconds: its answer comes so much later."""

    instead: ServiceError | Broken | None = None
    late_seconds: float = 0.0
    ending: Literal["whole", "dropped", "torn"] = "whole"


SPARED = Struck()


class Told(NamedTuple):
    """A fault that is on, how many calls were counted for it, and how many met it."""

    fault: Fault
    counted: int
    happened: int

    def document(self) -> dict[str, Any]:
        """In JSON's types, without what is not set."""
        said = {name: value for name, value in asdict(self.fault).items() if value is not None}
        if self.fault.name != "5xx":
            del said["status"]
        return {**said, "counted": self.counted, "happened": self.happened}


@dataclass
class _On:
    """A fault that is on."""

    fault: Fault
    chance: random.Random
    counted: int = 0
    happened: int = 0
    passed: deque[float] = field(default_factory=deque)  # when a limit let calls pass, in the last second

    def comes(self, now: float) -> bool:
        """Counts a call, and says whether it meets the fault."""
        self.counted += 1
        fault = self.fault
        is_met = fault.times is None or self.happened < fault.times
        is_met = fault.comes(self.counted) and is_met
        if fault.rate is not None:  # drawn for each, so that which ones meet it hangs on the seed alone
            is_met = self.chance.random() < fault.rate and is_met
        if fault.per_second is not None:
            is_met = not self._passes(now, fault.per_second) and is_met
        self.happened += is_met
        return is_met

    def _passes(self, now: float, per_second: int) -> bool:
        while self.passed and now - self.passed[0] >= 1.0:
            self.passed.popleft()
        if len(self.passed) >= per_second:
            return False
        self.passed.append(now)
        return True


class Faults:
    """The faults that are on. clock: seconds, for limits."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._on: dict[tuple[str | None, ...], _On] = {}

    def set(self, fault: Fault) -> Told:
        """The fault is on from now on, and has a seed if it has a rate."""
        if fault.rate is not None and fault.seed is None:
            fault = replace(fault, seed=random.SystemRandom().randrange(1_000_000))
        self.put(fault)
        return Told(fault, 0, 0)

    def put(self, fault: Fault, *, is_on: bool = True) -> None:
        """The fault is on from now on in its place, or what is in its place ends."""
        with self._lock:
            self._on.pop(fault.place, None)
            if is_on:
                self._on[fault.place] = _On(fault, random.Random(fault.seed))  # noqa: S311 not for secrets

    def clear(self, name: str | None = None) -> list[Told]:
        """Ends all faults of this name, or of any: those that were on."""
        with self._lock:
            ended = [on for on in self._on.values() if name in (None, on.fault.name)]
            for on in ended:
                del self._on[on.fault.place]
        return [_told(on) for on in ended]

    def all(self) -> list[Told]:
        with self._lock:
            return [_told(on) for on in self._on.values()]

    def are_on(self) -> bool:
        return bool(self._on)

    def strike(self, service: str, operation: str, *, by: By = "user") -> Struck:
        """Counts a call, and says what happens to it. operation: empty where nobody knows it."""
        if not self._on or by == "itself":
            return SPARED
        struck = SPARED
        with self._lock:
            for on in self._on.values():
                if (
                    KINDS[on.fault.name].of == "call"
                    and on.fault.is_for(service, operation, by)
                    and on.comes(self._clock())
                ):
                    struck = _with(struck, on.fault, service)
                    if struck.instead:
                        break
        return struck

    def check(self, service: str, operation: str, *, by: By = "user") -> None:
        """Counts a call that one of AWS's services makes to another. Raises ServiceError if it is refused."""
        if isinstance(instead := self.strike(service, operation, by=by).instead, ServiceError):
            raise instead

    def met(self, *names: str, function: str = "") -> list[Told]:
        """Counts what is no call for the faults of these names, and for those of a function: the ones it meets."""
        if not self._on:
            return []
        with self._lock:
            on = [on for on in self._on.values() if on.fault.name in names and on.fault.is_of(function)]
            return [_told(each) for each in on if each.comes(self._clock())]

    def stack_seconds(self) -> float:
        """How long a stack's operation takes at least that begins now."""
        return sum(told.fault.seconds or 0.0 for told in self.met("slow-stacks"))

    def event(self, function: str) -> dict[str, float]:
        """The faults that an event of this function meets, by their names, with their seconds."""
        names = [name for name, kind in KINDS.items() if kind.of == "event"]
        return {told.fault.name: told.fault.seconds or 0.0 for told in self.met(*names, function=function)}


def _told(on: _On) -> Told:
    return Told(on.fault, on.counted, on.happened)


def _with(struck: Struck, fault: Fault, service: str) -> Struck:
    """What happens to a call, and this besides."""
    match fault.name:
        case "throttle" | "limit":
            return struck._replace(instead=unserved.throttled(service))
        case "5xx":
            return struck._replace(instead=unserved.failed(service, fault.status))
        case "expired-credentials":
            return struck._replace(instead=unserved.expired(service))
        case "oversize":
            return struck._replace(instead=ServiceError("BadRequestException", "Database response exceeded size limit"))
        case "drop-before":
            return struck._replace(instead=Broken(None))
        case "drop-after":
            return struck._replace(ending="dropped")
        case "drop-in-body":
            return struck._replace(ending="torn" if struck.ending == "whole" else struck.ending)
        case "slow":
            return struck._replace(late_seconds=struck.late_seconds + (fault.seconds or 0.0))
    raise ValueError(f"nothing happens to a call by {fault.name}")
