"""What schedules there are, and which of them is due: EventBridge Scheduler's state, without its API.

    schedules.put("default", "wake", {...}, now=…)         a Schedule that may fire from now on
    schedules.due(until)                                   the earliest that is to fire by then, with its time
    schedules.fired(schedule, at)                          from there on it waits for its next time

Times are the sandbox's (clock.py). What a schedule does when it fires is in targets.py, when anybody asks in
timetable.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aurora_sandbox.clock import utc
from aurora_sandbox.scheduler.expressions import Expression, Once, parse

DEFAULT = "default"
_INSTANT = timedelta(microseconds=1)


@dataclass
class Group:
    """A schedule group and its tags; made is None for the one that is always there."""

    name: str
    made: datetime | None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Schedule:
    """A schedule as it was asked for (settings, without its name and group), and when it fires next."""

    group: str
    name: str
    settings: dict[str, Any]
    made: datetime
    changed: datetime
    next: datetime | None = field(init=False)

    def __post_init__(self) -> None:
        start = self._date("StartDate")
        self.expression: Expression = parse(
            self.settings["ScheduleExpression"],
            self.settings.get("ScheduleExpressionTimezone", "UTC"),
            anchor=start or self.changed,
        )
        self.seek(self.changed - _INSTANT)

    @property
    def target(self) -> dict[str, Any]:
        target: dict[str, Any] = self.settings["Target"]
        return target

    @property
    def state(self) -> str:
        """ENABLED or DISABLED."""
        return str(self.settings.get("State", "ENABLED"))

    def seek(self, after: datetime) -> None:
        """Waits for the next time after this one. The dates bind recurring schedules only, and are inclusive."""
        start, end = self._date("StartDate"), self._date("EndDate")
        if isinstance(self.expression, Once):
            start = end = None
        found = self.expression.after(max(after, start - _INSTANT) if start else after)
        self.next = None if found is None or (end and found > end) else found

    def _date(self, name: str) -> datetime | None:
        date: datetime | None = self.settings.get(name)
        return date and utc(date)


class Schedules:
    """Every schedule and group; safe to use from several threads. `changed` is notified when any of them is."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._groups: dict[str, Group] = {DEFAULT: Group(DEFAULT, None)}
        self._schedules: dict[tuple[str, str], Schedule] = {}

    def groups(self) -> list[Group]:
        with self.changed:
            return sorted(self._groups.values(), key=lambda group: group.name)

    def all(self) -> list[Schedule]:
        """By group and name."""
        with self.changed:
            return [schedule for _, schedule in sorted(self._schedules.items())]

    def group(self, name: str) -> Group | None:
        return self._groups.get(name)

    def get(self, group: str, name: str) -> Schedule | None:
        return self._schedules.get((group, name))

    def put(self, group: str, name: str, settings: dict[str, Any], *, now: datetime) -> Schedule:
        """A new schedule, or one in another's place. Raises ValueError in AWS's words for a bad expression or zone."""
        with self.changed:
            old = self._schedules.get((group, name))
            schedule = Schedule(group, name, settings, made=old.made if old else now, changed=now)
            self._schedules[group, name] = schedule
            self.changed.notify_all()
            return schedule

    def remove(self, group: str, name: str) -> None:
        with self.changed:
            self._schedules.pop((group, name), None)

    def put_group(self, group: Group) -> None:
        with self.changed:
            self._groups[group.name] = group

    def remove_group(self, name: str) -> None:
        """With all that is in it."""
        with self.changed:
            self._groups.pop(name, None)
            self._schedules = {key: schedule for key, schedule in self._schedules.items() if key[0] != name}

    def due(self, until: datetime) -> tuple[Schedule, datetime] | None:
        """The enabled schedule that fires first, if it does until then; by name where several fire at once."""
        with self.changed:
            return self._first(until)

    def wait(self, now: Callable[[], datetime], *, at_most: float, unless: Callable[[], bool]) -> None:
        """Returns when something changed, when a schedule may be due, or after so many seconds."""
        with self.changed:
            if unless():
                return
            first = self._first(now() + timedelta(seconds=at_most))
            self.changed.wait(max(0.0, (first[1] - now()).total_seconds()) if first else at_most)

    def fired(self, schedule: Schedule, at: datetime) -> None:
        """Makes it wait for its next time; one that has none goes, if it is to be deleted after completion."""
        with self.changed:
            schedule.seek(at)
            is_over = schedule.next is None and schedule.settings.get("ActionAfterCompletion") == "DELETE"
            if is_over and self._schedules.get((schedule.group, schedule.name)) is schedule:
                del self._schedules[schedule.group, schedule.name]

    def _first(self, until: datetime) -> tuple[Schedule, datetime] | None:
        due = [
            (schedule.next, key)
            for key, schedule in self._schedules.items()
            if schedule.next is not None and schedule.next <= until and schedule.state == "ENABLED"
        ]
        if not due:
            return None
        at, key = min(due)
        return self._schedules[key], at
