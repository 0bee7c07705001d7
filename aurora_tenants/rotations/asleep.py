"""The hours in which a cluster with a pause schedule is awake, in UTC, and the rotations that would wake it.

    MON-FRI 07:00-17:00 Europe/Berlin, 0.5-4 ACU    the hours from 06:00 to 15:00 UTC of these days: of all the year

Awake is what the schedule keeps from pausing: a window whose minimum is 0 ACU does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from aurora_tenants.model import PauseSchedule
from aurora_tenants.rotations.rules import Rules
from aurora_tenants.rotations.utc import UtcHours, offsets_of
from aurora_tenants.schedule.week import day

_DAY, _WEEK_MINUTES = 24, 7 * 24 * 60


def pauses(schedule: PauseSchedule | None) -> bool:
    """Whether a cluster pauses on this schedule, and is asleep when it does not say that it is awake."""
    return schedule is not None and schedule.asleep.min_acu == 0


def wakes(rules: Rules, schedule: PauseSchedule | None) -> bool:
    """Whether a rotation by these rules may come when the cluster is paused."""
    if schedule is None or not pauses(schedule):
        return False
    hours = rules.hours_of_week()
    return hours is None or not hours <= _awake(schedule)


@lru_cache(100)
def windows(schedule: PauseSchedule) -> tuple[UtcHours, ...]:
    """The longest time of each day in which the cluster is awake at every time of the year, the longest ones first.

    Days with the same hours are in one of them.
    """
    awake = _awake(schedule)
    days: dict[tuple[int, int], list[int]] = {}
    for weekday in range(7):
        if runs := _runs(hour for hour in range(_DAY) if weekday * _DAY + hour in awake):
            days.setdefault(max(runs, key=lambda run: (run[1], -run[0])), []).append(weekday)
    found = (UtcHours(tuple(on), hour, hours) for (hour, hours), on in days.items())
    return tuple(sorted(found, key=lambda it: (-it.hours, it.days)))


@lru_cache(100)
def _awake(schedule: PauseSchedule) -> frozenset[int]:
    """The hours of the week, 0 = Monday 00:00 UTC, all of whose minutes are awake wherever the zone's clock is."""
    minutes = {
        weekday * _DAY * 60 + minute
        for weekday in range(7)
        for span in day(schedule, weekday)
        if span.capacity.min_acu > 0
        for minute in range(span.start, span.end)
    }
    return frozenset(
        hour
        for hour in range(7 * _DAY)
        if all(
            (hour * 60 + minute + offset) % _WEEK_MINUTES in minutes
            for offset in offsets_of(schedule.timezone)
            for minute in range(60)
        )
    )


def _runs(hours: Iterable[int]) -> list[tuple[int, int]]:
    """Hours in order as (first, how many)."""
    runs: list[tuple[int, int]] = []
    for hour in hours:
        if runs and hour == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((hour, 1))
    return runs
