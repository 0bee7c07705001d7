"""What happens when its time comes, schedules and rotations: by itself, and at once when the clock is moved past it.

    timetable.move("+10h")      all that falls in between, in order, each with the clock at its own instant

Of what is due at the same time schedules come first, and then all rotations at once. Nothing else happens at the same
time as another thing: what is due while the clock is being moved belongs to the move.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from aurora_sandbox.clock import Clock, destination
from aurora_sandbox.scheduler.schedules import Schedule, Schedules
from aurora_sandbox.scheduler.targets import Firing
from aurora_sandbox.secretsmanager.rotation import Rotated

log = logging.getLogger(__name__)

LONGEST_MOVE = timedelta(days=3 * 366)
_LOOK_SECONDS = 30.0  # how long it trusts the machine's clock not to jump, as it does after a sleep


class Rotating(Protocol):
    """What rotates secrets; see `aurora_sandbox.secretsmanager.rotation.Rotations`."""

    def due(self, until: datetime) -> datetime | None: ...

    def rotate_due(self, at: datetime, *, meanwhile: Callable[[], bool]) -> tuple[Rotated, ...]: ...


Happened = Firing | Rotated


class Timetable:
    """Of one sandbox. ready_at: when a cluster that is waking up will have, None if none is: time that is moved anyway
    is not waited out.
    """

    def __init__(
        self,
        clock: Clock,
        schedules: Schedules,
        fire: Callable[[Schedule, datetime], Firing],
        rotations: Rotating,
        *,
        ready_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._clock, self._schedules, self._fire, self._rotations = clock, schedules, fire, rotations
        self._ready_at = ready_at
        self._turn = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="timetable", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def move(self, to: str) -> tuple[Happened, ...]:
        """Moves the clock, and says what happened on the way. Raises ValueError with what is wrong, before it."""
        with self._turn:
            now = self._clock.now()
            target = destination(to, now)
            if target < now:
                raise ValueError(f"the clock only moves forward, and it shows {now:%Y-%m-%dT%H:%MZ} already")
            if target - now > LONGEST_MOVE:
                raise ValueError(f"the clock moves by {LONGEST_MOVE.days} days at most at once")
            happened = self._until(target, is_moved=True)
            self._clock.move(target)
        with self._schedules.changed:
            self._schedules.changed.notify_all()
        return happened

    def close(self) -> None:
        with self._schedules.changed:
            self._closing = True
            self._schedules.changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            with self._turn:
                self._until(self._clock.now(), is_moved=False)
            self._schedules.wait(self._clock.now, at_most=self._rest(), unless=lambda: self._closing)

    def _rest(self) -> float:
        """For how many seconds no rotation is due."""
        now = self._clock.now()
        due = self._rotations.due(now + timedelta(seconds=_LOOK_SECONDS))
        return max(0.0, (due - now).total_seconds()) if due else _LOOK_SECONDS

    def _until(self, target: datetime, *, is_moved: bool) -> tuple[Happened, ...]:
        happened: list[Happened] = []
        while not self._closing:
            due, rotation = self._schedules.due(target), self._rotations.due(target)
            if due and not (rotation and rotation < due[1]):
                schedule, at = due
                self._clock.move(at)
                self._schedules.fired(schedule, at)
                happened.append(self._firing(schedule, at))
            elif rotation:
                self._clock.move(rotation)
                meanwhile = self._goes_on if is_moved else lambda: not self._closing
                happened += self._rotations.rotate_due(rotation, meanwhile=meanwhile)
            else:
                break
        return tuple(happened)

    def _goes_on(self) -> bool:
        """While rotations run, in a move: whether they may. Nobody waits for a cluster that wakes up."""
        if ready := self._ready_at():
            self._clock.move(ready)
        return not self._closing

    def _firing(self, schedule: Schedule, at: datetime) -> Firing:
        try:
            return self._fire(schedule, at)
        except Exception as error:  # a bug of ours must neither end the thread nor stop the clock halfway
            log.exception("%s/%s failed", schedule.group, schedule.name)
            message = f"The sandbox failed, this is a bug in it: {type(error).__name__}: {error}"
            return Firing(at, f"{schedule.group}/{schedule.name}", schedule.target["Arn"], message)
