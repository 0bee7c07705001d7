"""How many stacks are in flight at once: as many as were asked for, and fewer while AWS throttles for long.

lanes = Lanes(15, tell=tell)
with rate.watched(lanes.observe):   lets it go by how much is throttled
with lanes.place(stop):             a stack takes a place, and gives it back at its end or to wait for somebody else
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aurora_tenants.aws.rate import Load

_TOLD_SECONDS = 10.0
# Of the calls of ten seconds: more than this is too much for so many lanes, if it lasts, less than that leaves room for
# more. At first it is the rate that gives way, for which it needs some time.
_MUCH, _LITTLE = 1 / 3, 1 / 10
_LASTS_SECONDS = 20.0
_FEWEST_CALLS = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """AWS throttles: so many of CloudFormation's calls of the last ten seconds, and so many stacks are in flight at
    most from now on."""

    throttled: int
    calls: int
    parallel: int


class Lanes:
    """Safe in any number of threads. most: places there are at most. tell: is called every ten seconds while AWS
    throttles, from whatever thread was."""

    def __init__(self, most: int, *, tell: Callable[[Pace], None], now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._tell, self._now = most, tell, now
        self._changed = threading.Condition()
        self._taken, self._places = 0, most
        self._since = now()  # neither too much nor too little was throttled, or so many places there are
        self._kind = ""
        self._told = -_TOLD_SECONDS

    @property
    def places(self) -> int:
        """How many there are now."""
        return self._places

    @contextmanager
    def place(self, stop: threading.Event) -> Iterator[None]:
        """Waits for a free place; not any longer once it is to stop, when nothing begins anyway."""
        with self._changed:
            while self._taken >= self._places and not stop.is_set():
                self._changed.wait(0.5)
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def observe(self, load: Load) -> None:
        """What is known after every call."""
        with self._changed:
            now = self._now()
            self._adapt(load, now)
            if not load.throttled or now - self._told < _TOLD_SECONDS:
                return
            self._told = now
            places = self._places
        self._tell(Pace(load.throttled, load.calls, places))

    def _adapt(self, load: Load, now: float) -> None:
        kind = (
            "much" if load.throttled > _MUCH * load.calls else "little" if load.throttled < _LITTLE * load.calls else ""
        )
        if kind != self._kind or load.calls < _FEWEST_CALLS:
            self._kind, self._since = kind, now
        if not kind or now - self._since < _LASTS_SECONDS:
            return
        more = self._places + max(1, self._places // 3)
        self._places = max(min(3, self._most), self._places * 2 // 3) if kind == "much" else min(self._most, more)
        self._since = now
        self._changed.notify_all()
