"""The clocks of time zones: which there are, how far they are from UTC, and when they are put forward or back.

The zones are the machine's (`/usr/share/zoneinfo`) or the package tzdata's; a machine may have neither.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

# Of the machine, not of the world: EventBridge Scheduler knows neither.
_NOT_ZONES = frozenset({"localtime", "Factory"})
_ONE_DAY, _ONE_SECOND = timedelta(days=1), timedelta(seconds=1)


@cache
def zones() -> frozenset[str]:
    """The names of all zones, such as Europe/Berlin. Empty on a machine that has no time zone data."""
    return frozenset(available_timezones()) - _NOT_ZONES


def distance(zone: ZoneInfo, instant: datetime) -> timedelta:
    """How far a zone's clock is ahead of UTC at an instant."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def changes(zone: ZoneInfo, after: datetime, until: datetime) -> tuple[datetime, ...]:
    """Every instant (UTC) after one and until another at which the zone's clock is put forward or back.

    One that is put back to where it was within 24 hours is not found; there is none.
    """
    found = []
    low, end = (instant.astimezone(UTC).replace(microsecond=0) for instant in (after, until))
    while low < end:
        high = min(low + _ONE_DAY, end)
        if distance(zone, low) != distance(zone, high):
            found.append(_change(zone, low, high))
        low = high
    return tuple(found)


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The first second after low at which the clock is no longer low's. low, high: whole seconds, of two clocks."""
    before = distance(zone, low)
    while high - low > _ONE_SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if distance(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
