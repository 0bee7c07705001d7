"""Fires schedules when their time comes: by itself in real time, and at once when the clock is moved past it.

    timetable.move("+10h")      every schedule that falls in between, in order, each with the clock at its own instant

Two things never fire at once: what is due while the clock is being moved belongs to the move.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from aurora_sandbox.clock import Clock, destination
from aurora_sandbox.scheduler.schedules import Schedule, Schedules
from aurora_sandbox.scheduler.targets import Firing

log = logging.getLogger(__name__)

LONGEST_MOVE = timedelta(days=3 * 366)
_LOOK_SECONDS = 30.0  # how long it trusts the machine's clock not to jump, as it does after a sleep


class Timetable:
    """Of one sandbox."""

    def __init__(self, clock: Clock, schedules: Schedules, fire: Callable[[Schedule, datetime], Firing]) -> None:
        self._clock, self._schedules, self._fire = clock, schedules, fire
        self._turn = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="timetable", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def move(self, to: str) -> tuple[Firing, ...]:
        """Moves the clock and says what fired on the way. Raises ValueError with what is wrong, and moves nothing."""
        with self._turn:
            now = self._clock.now()
            target = destination(to, now)
            if target < now:
                raise ValueError(f"the clock only moves forward, and it shows {now:%Y-%m-%dT%H:%MZ} already")
            if target - now > LONGEST_MOVE:
                raise ValueError(f"the clock moves by {LONGEST_MOVE.days} days at most at once")
            fired = self._until(target)
            self._clock.move(target)
        with self._schedules.changed:
            self._schedules.changed.notify_all()
        return fired

    def close(self) -> None:
        with self._schedules.changed:
            self._closing = True
            self._schedules.changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            with self._turn:
                self._until(self._clock.now())
            self._schedules.wait(self._clock.now, at_most=_LOOK_SECONDS, unless=lambda: self._closing)

    def _until(self, target: datetime) -> tuple[Firing, ...]:
        fired = []
        while not self._closing and (due := self._schedules.due(target)):
            schedule, at = due
            self._clock.move(at)
            self._schedules.fired(schedule, at)
            fired.append(self._firing(schedule, at))
        return tuple(fired)

    def _firing(self, schedule: Schedule, at: datetime) -> Firing:
        try:
            return self._fire(schedule, at)
        except Exception as error:  # a bug of ours must neither end the thread nor stop the clock halfway
            log.exception("%s/%s failed", schedule.group, schedule.name)
            message = f"The sandbox failed, this is a bug in it: {type(error).__name__}: {error}"
            return Firing(at, f"{schedule.group}/{schedule.name}", schedule.target["Arn"], message)
