"""Rotation windows: what RotationRules stand for. Pure.

    windows_of({"ScheduleExpression": "cron(0 2 ? * SUN *)", "Duration": "3h"}).after(instant)   a Sunday, 2:00 to 5:00
    windows_of({"AutomaticallyAfterDays": 30}).after(rotated)                                    all of a day, in UTC

A window opens on the hour, in UTC. Without a Duration one of a schedule in days closes with its day, one of a schedule
in hours after an hour. AWS does not say when a window opens for rate(5 hours), which does not divide a day: here each
is counted from the midnight before the rotation that it follows.
Sources: RotationRulesType, Secrets Manager API Reference; "Rotation schedules", Secrets Manager User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from aurora_sandbox.scheduler.expressions import Cron, cron
from aurora_sandbox.wire import ServiceError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEAST, MOST = 4 * HOUR, 999 * DAY  # between two rotations
_YEAR = 366 * DAY
_RATE = re.compile(r"rate\(([1-9]\d{0,5}) (hour|day)s?\)")
_DURATION = re.compile(r"([1-9]|1\d|2[0-4])h")
_SOME_DAY = datetime(2001, 1, 1, tzinfo=UTC)
TOGETHER = "You cannot specify both rotation frequency and schedule expression together."


@dataclass(frozen=True, slots=True)
class Window:
    """From when on a secret may be rotated, and from when on no more."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of some rules. every: a time from one to the next, or what fires when one opens. length: None where
    the end of the day closes it.
    """

    every: timedelta | Cron
    length: timedelta | None

    def after(self, instant: datetime) -> Window | None:
        """The one that opens next after a rotation at this instant, or after rotation was turned on at it."""
        opens = self._opens(instant)
        if opens is None:
            return None
        return Window(opens, opens + self.length if self.length else _midnight(opens) + DAY)

    def _opens(self, instant: datetime) -> datetime | None:
        if isinstance(self.every, Cron):
            return self.every.after(instant)
        midnight = _midnight(instant)
        if self.every % DAY:
            return midnight + ((instant - midnight) // self.every + 1) * self.every
        return midnight + self.every


def windows_of(rules: Mapping[str, Any]) -> Windows | None:
    """The windows of RotationRules; None for rules without a schedule.

    Raises InvalidParameterException for what AWS refuses; of its words only those of `TOGETHER` are known.
    """
    return _windows(rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression"), rules.get("Duration"))


@lru_cache(maxsize=64)
def _windows(days: int | None, expression: str | None, duration: str | None) -> Windows | None:
    if days is not None and expression is not None:
        raise _invalid(TOGETHER)
    if days is not None and not 1 <= days <= 1000:
        raise _invalid("The AutomaticallyAfterDays value must be between 1 and 1000 days (inclusive).")
    if duration is not None and not _DURATION.fullmatch(duration):
        raise _invalid(f"Invalid Duration {duration}. A rotation window is of 1 to 24 hours, for example 3h.")
    length = timedelta(hours=int(duration[:-1])) if duration else None
    if days is not None:
        return Windows(days * DAY, length)
    if expression is None:
        return None
    if expression.startswith("cron(") and expression.endswith(")"):
        return _of_cron(expression, length)
    return _of_rate(expression, length)


def _of_rate(expression: str, length: timedelta | None) -> Windows:
    found = _RATE.fullmatch(expression)
    every = timedelta(**{f"{found[2]}s": int(found[1])}) if found else timedelta()
    if not LEAST <= every <= MOST:
        why = "Use cron(…), or rate(…) of at least 4 hours and at most 999 days."
        raise _invalid(f"Invalid schedule expression: {expression}. {why}")
    if not every % DAY:
        return Windows(every, length)
    if length and length > every:
        raise _invalid("The rotation window must not extend into the next rotation window.")
    return Windows(every, length or HOUR)


def _of_cron(expression: str, length: timedelta | None) -> Windows:
    fields = expression[5:-1].split()
    if len(fields) != 6 or fields[0] != "0" or fields[5] != "*":
        why = "It has six fields, of which the first, the minutes, must be 0, and the last, the year, must be *."
        raise _invalid(f"Invalid schedule expression: {expression}. {why}")
    try:
        every = cron(expression[5:-1], UTC)
    except ValueError as error:
        raise _invalid(f"Invalid schedule expression: {expression}. {error}") from error
    first = replace(every, years=frozenset({_SOME_DAY.year, _SOME_DAY.year + 1})).after(_SOME_DAY)
    if first is None or first - _SOME_DAY > _YEAR:
        raise _invalid(f"Invalid schedule expression: {expression}. Rotations must not be more than a year apart.")
    apart = [(later - hour) * HOUR for hour, later in zip(every.hours, every.hours[1:], strict=False)]
    if _follows_itself(every):
        apart.append((24 + every.hours[0] - every.hours[-1]) * HOUR)
    if min(apart, default=DAY) < LEAST:
        raise _invalid(f"Invalid schedule expression: {expression}. Rotations must be at least 4 hours apart.")
    if length and length > min(apart, default=DAY):
        raise _invalid("The rotation window must not extend into the next rotation window.")
    if length and every.hours[-1] * HOUR + length > DAY:
        raise _invalid("The rotation window must not extend into the next UTC day.")
    return Windows(every, length or (HOUR if len(every.hours) > 1 else None))


def _follows_itself(every: Cron) -> bool:
    """Whether it comes on two days in a row, at some time of a year."""
    day, end = _SOME_DAY, _SOME_DAY + _YEAR
    while day < end:
        following = every.after(day)
        if following is None:
            return False
        if every.days.has((_midnight(following) + DAY).date()):
            return True
        day = _midnight(following) + DAY
    return False


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)
