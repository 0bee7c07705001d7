"""Hours of a zone's clock as hours of UTC, which Secrets Manager's schedules are in.

A zone's clock is put forward and back, and UTC's is not: what lies within the hours asked for at every time of the year
begins as late as in winter and ends as early as in summer.

    SUN 02:00-05:00 Europe/Berlin    SUN 01:00-03:00 UTC    02:00-04:00 in winter, 03:00-05:00 in summer
    SUN 02:00-03:00 Europe/Berlin    SUN 00:00-01:00 UTC    off: 01:00-02:00 in winter

A window begins at a full hour, has full hours, and ends with its day at the latest, all in UTC. Source: "Rotation
schedules", AWS Secrets Manager User Guide.
"""

from __future__ import annotations

from datetime import UTC as _UTC
from datetime import datetime
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aurora_tenants.model import RotateWindow
from aurora_tenants.schedule import zones
from aurora_tenants.schedule.week import day_names

UTC = "UTC"
"""The one zone that needs no time zone data."""

_HOUR, _DAY = 60, 24 * 60
# What clocks do in these years is taken for what they do: no file may mean something else a year later.
_FIRST, _LAST = 2026, 2032
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class UtcHours(NamedTuple):
    """A window of each week in UTC. days: 0 = Monday. hour: at which it begins. hours: its length."""

    days: tuple[int, ...]
    hour: int
    hours: int


class Off(NamedTuple):
    """That a window is not within the hours asked for in part of the year.

    minutes: how much later than asked it is by the zone's clock; negative for earlier. when: "from November to March".
    """

    minutes: int
    when: str


@lru_cache(1000)
def in_utc(window: RotateWindow) -> tuple[UtcHours, tuple[Off, ...]] | None:
    """The window, and where it is off; None where no whole hour of UTC lies within the hours asked for."""
    offsets = offsets_of(window.timezone)
    if found := _within(window, min(offsets), max(offsets)):
        return found, ()
    for usual in offsets:
        if found := _within(window, usual, usual):
            others = (each for each in offsets if each != usual)
            return found, tuple(Off(each - usual, _when(window.timezone, each)) for each in others)
    return None


def off_in_words(window: RotateWindow) -> str:
    """Where a window is not within the hours that it says, in a sentence; empty where it always is."""
    found = in_utc(window)
    if not found or not found[1]:
        return ""
    parts = []
    for off in found[1]:
        far = abs(off.minutes)
        length = f"{far} minutes" if far % _HOUR else "an hour" if far == _HOUR else f"{far // _HOUR} hours"
        parts.append(f"{length} {'later' if off.minutes > 0 else 'earlier'} {off.when}")
    name = f"{name_of(window)} {window.timezone}"
    return f"the window {name} is {' and '.join(parts)}: Secrets Manager's schedules are in UTC, whose clock stays"


def name_of(window: RotateWindow) -> str:
    """A window as the file says it, without its zone: `SUN 02:00-05:00`."""
    start, end = (f"{minute // _HOUR:02}:{minute % _HOUR:02}" for minute in (window.start, window.end))
    return f"{day_names(window.days)} {start}-{end}"


@cache
def offsets_of(zone: str) -> tuple[int, ...]:
    """How many minutes a zone's clock is ahead of UTC in the course of the years, what holds longest first."""
    if zone == UTC:
        return (0,)
    spans = dict[int, float]()
    for begin, end, offset in _spans(zone, datetime(_FIRST, 1, 1, tzinfo=_UTC), datetime(_LAST, 1, 1, tzinfo=_UTC)):
        spans[offset] = spans.get(offset, 0) + (end - begin).total_seconds()
    return tuple(sorted(spans, key=lambda offset: (-spans[offset], offset)))


def _spans(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, datetime, int]]:
    """The time between two instants, in parts in which the clock is not moved, each with its minutes ahead of UTC."""
    clock = ZoneInfo(zone)
    bounds = [first, *zones.changes(clock, first, last), last]
    # A change is the first second of what comes after it.
    return [(begin, end, round(zones.distance(clock, begin).total_seconds() / 60)) for begin, end in pairwise(bounds)]


def _within(window: RotateWindow, least: int, most: int) -> UtcHours | None:
    """The longest part of one day of UTC that is within the window's hours with clocks from `least` to `most` ahead."""
    end = window.end + _DAY * (window.end <= window.start)
    begin, stop = -((least - window.start) // _HOUR), (end - most) // _HOUR
    bounds = [begin, *(hour for hour in range(begin + 1, stop) if hour % 24 == 0), stop]
    parts = [(end - begin, begin) for begin, end in pairwise(bounds) if end > begin]
    if not parts:
        return None
    hours, begin = max(parts, key=lambda part: (part[0], -part[1]))
    shift, hour = divmod(begin, 24)
    return UtcHours(tuple(sorted((day + shift) % 7 for day in window.days)), hour, hours)


def _when(zone: str, offset: int) -> str:
    """The months in most of which a clock is so far ahead of UTC."""
    by_year = {_months(zone, offset, year) for year in (_FIRST, _LAST - 1)}
    (months, *others) = by_year
    starts = [month for month in range(12) if month in months and (month - 1) % 12 not in months]
    if others or len(starts) != 1:
        return "in part of the year"
    first, last = _MONTHS[starts[0]], _MONTHS[(starts[0] + len(months) - 1) % 12]
    return f"in {first}" if first == last else f"from {first} to {last}"


def _months(zone: str, offset: int, year: int) -> frozenset[int]:
    middles = (datetime(year, month, 15, tzinfo=_UTC) for month in range(1, 13))
    clock = ZoneInfo(zone)
    return frozenset(it.month - 1 for it in middles if zones.distance(clock, it).total_seconds() == offset * 60)
