"""The sandbox's clock: real time, until somebody moves it forward.

The cluster's pausing, the schedules, the dates of secrets and the header Date of answers go by it; everything else
(CloudFormation, functions, deadlines) stays in real time, which nobody can move. It never goes back.

    clock.now()                   2026-03-28 12:00:00 UTC
    clock.move(10 hours later)    2026-03-28 22:00:00 UTC, and it goes on from there
    clock.at(real time)           what it showed at a moment of real time
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"\+(?=.)" + "".join(rf"(?:(?P<{name}>\d{{1,6}}){unit})?" for unit, name in _UNITS.items()))


class Clock:
    """Safe to use from several threads."""

    def __init__(self, real: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._real = real
        self._lock = threading.Lock()
        self._last = real()
        self._moves: list[tuple[datetime, timedelta]] = []  # when, in real time, it was put ahead by how much in all

    def now(self) -> datetime:
        """Its time in UTC."""
        with self._lock:
            return self._now()

    def seconds(self) -> float:
        """The same in seconds since 1970."""
        return self.now().timestamp()

    def real(self) -> datetime:
        """Real time."""
        return self._real()

    @property
    def ahead(self) -> timedelta:
        """How far it is ahead of real time."""
        with self._lock:
            return self._ahead()

    def move(self, to: datetime) -> None:
        """Shows this time from now on, unless it is past it already."""
        with self._lock:
            if to > self._now():
                real = self._real()
                self._moves.append((real, to - real))

    def at(self, real: datetime) -> datetime:
        """What it showed at a moment of real time; at that of a move, what it showed after it."""
        with self._lock:
            before = bisect_right(self._moves, real, key=lambda move: move[0])
            return real + (self._moves[before - 1][1] if before else timedelta())

    def _ahead(self) -> timedelta:
        return self._moves[-1][1] if self._moves else timedelta()

    def _now(self) -> datetime:
        # The machine's own clock may be set back while we run.
        self._last = max(self._last, self._real() + self._ahead())
        return self._last


def destination(text: str, now: datetime) -> datetime:
    """The time that "+10h", "+1d12h" or "2026-03-29T00:00Z" stands for. Raises ValueError with what is wrong."""
    if text.startswith("+"):
        found = _DURATION.fullmatch(text)
        if found is None:
            raise ValueError("a duration is numbers of weeks, days, hours, minutes and seconds: +10h, +1d12h, +90m")
        parts = {name: int(number) for name, number in found.groupdict().items() if number}
        try:
            return now + timedelta(**parts)
        except OverflowError:
            raise ValueError("this is after the year 9999") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("it is neither a duration like +10h nor a time like 2026-03-29T00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"the time needs its offset from UTC: {text}Z, or {text}+01:00")
    return moment.astimezone(UTC)


def utc(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken to be UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def shown(moment: datetime) -> str:
    """2026-03-29T00:00:00Z"""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
