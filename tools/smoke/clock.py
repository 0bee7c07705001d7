"""Waiting: on AWS it takes the time it takes, in the sandbox the clock is moved.

clock.pass_time(120)     what goes by the cluster's time happens: schedules fire, an idle cluster pauses, one wakes
clock.pause(5)           between two looks at what is under way: stacks, rotations
clock.seconds()          for differences: how long something took
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Of an account."""

    def pass_time(self, seconds: float) -> None: ...

    def pause(self, seconds: float) -> None: ...

    def seconds(self) -> float: ...

    def now(self) -> datetime: ...


class RealClock:
    """AWS's time is ours."""

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def seconds(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)


class SandboxClock:
    """Of a sandbox, whose clock `move` puts forward by "+120s"; what goes by real time there is over in an instant."""

    def __init__(self, move: Callable[[str], object], *, ahead_seconds: float = 0.0, scale: float = 100.0) -> None:
        self._move, self._ahead, self._scale = move, ahead_seconds, scale

    def pass_time(self, seconds: float) -> None:
        self._move(f"+{seconds:.0f}s")
        self._ahead += round(seconds)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds / self._scale)

    def seconds(self) -> float:
        return time.monotonic() + self._ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead)


def until(look: Callable[[], T | None], wait: Callable[[float], None], *, every: float, at_most: float) -> T | None:
    """What `look` gives, as soon as it gives something; None after so many seconds. wait: a clock's, for `every`."""
    waited = 0.0
    while not (found := look()) and waited < at_most:
        wait(every)
        waited += every
    return found or None
