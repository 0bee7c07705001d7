"""Operations that take their time, as on AWS: a resource's events are as far apart as the operation is long.

The resources on an operation's longest way, one after the other, share its seconds, so that its events are spread over
them. Whoever waits is asleep: fifty stacks that take a minute cost nothing but that minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import NamedTuple

from aurora_sandbox.cloudformation.stack import Stack


class Pace(NamedTuple):
    """When an operation may end, of the monotonic clock, and how long each of its resources takes at least."""

    ends: float
    step_seconds: float


class Pacing:
    """The operations that are under way. seconds: how long at least one takes that begins now; 0: as it comes."""

    def __init__(self, seconds: Callable[[], float] = lambda: 0.0) -> None:
        self._seconds = seconds
        self._closing = threading.Event()
        self._paces: dict[str, Pace] = {}

    def begin(self, stack: Stack) -> None:
        """An operation on the stack begins."""
        self._paces.pop(stack.id, None)
        if seconds := self._seconds():
            step_seconds = seconds / _length(stack.deployment.dependencies)
            self._paces[stack.id] = Pace(time.monotonic() + seconds, step_seconds)

    @contextmanager
    def step(self, stack: Stack) -> Iterator[None]:
        """Ends when a resource's time is over; at once if its work fails."""
        begun, pace = time.monotonic(), self._paces.get(stack.id)
        yield
        if pace is not None:
            self._sleep_until(begun + pace.step_seconds)

    def finish(self, stack: Stack) -> None:
        """Returns when the operation may end."""
        if pace := self._paces.pop(stack.id, None):
            self._sleep_until(pace.ends)

    def close(self) -> None:
        """Nothing is waited for any more."""
        self._closing.set()

    def _sleep_until(self, end: float) -> None:
        self._closing.wait(max(0.0, end - time.monotonic()))


def _length(dependencies: Mapping[str, frozenset[str]]) -> int:
    """How many things come one after the other at most; 1 for none."""
    lengths: dict[str, int] = {}
    for name in TopologicalSorter(dependencies).static_order():
        lengths[name] = 1 + max((lengths[first] for first in dependencies.get(name, ())), default=0)
    return max(lengths.values(), default=1)
