"""Every so many days, on some days of the week only, as days of the calendar: what a cron expression can say.

Nothing in it counts on from the last rotation, so between two rotations is what the calendar has there:

    days         rotated                             apart
    1 to 6       on so few of the days that no two are further apart
    7 to 27      on one of the days, every week      7 days
    28 to 59     … the first such day of a month     28 or 35
    60 to 89     … of every second month             56 or 63
    90 to 119    … of every third                    84 to 98
    120 to 179   … of every fourth                   119 or 126
    180 to 364   … of every sixth                    175 to 189
    from 365     … of January                        364 or 371

tests/rotations/test_calendar.py counts them in thirty years. Source: "Rotation schedules", AWS Secrets Manager
User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from aurora_tenants.schedule.week import DAYS

_WEEK = 7
_FIRST = "#1"
_STEP = re.compile(r"1/([2-6])")


class _Months(NamedTuple):
    """Months of a cron expression: from so many days on they are taken. most_apart: days from one to the next."""

    least: int
    field: str
    words: str
    most_apart: int
    a_year: int


_MONTHS = (
    _Months(365, "1", "January", 371, 1),
    _Months(180, "1/6", "every sixth month", 189, 2),
    _Months(120, "1/4", "every fourth month", 126, 3),
    _Months(90, "1/3", "every third month", 98, 4),
    _Months(60, "1/2", "every second month", 63, 6),
    _Months(28, "*", "every month", 35, 12),
)
_BY_FIELD = {months.field: months for months in _MONTHS}


class Days(NamedTuple):
    """Days of the calendar, as three fields of a cron expression."""

    day_of_month: str
    month: str
    day_of_week: str

    @property
    def is_known(self) -> bool:
        """Whether they are in the form that `days_for` writes; the others mean nothing where they are not."""
        if self.day_of_week.endswith(_FIRST):
            return self.day_of_month == "?" and self.month in _BY_FIELD and self._names <= {*DAYS}
        if self.day_of_month == "?":
            return self.month == "*" and self._names <= {*DAYS}
        has_step = self.day_of_month == "*" or _STEP.fullmatch(self.day_of_month) is not None
        return has_step and (self.month, self.day_of_week) == ("*", "?")

    @property
    def _names(self) -> set[str]:
        return set(self.day_of_week.removesuffix(_FIRST).split(","))

    @property
    def of_week(self) -> tuple[int, ...]:
        """The days of the week that they may be, 0 = Monday."""
        return tuple(day for day in range(_WEEK) if self.day_of_week == "?" or DAYS[day] in self._names)

    @property
    def most_apart(self) -> int:
        """From one of them it is at most so many days to the next."""
        if self.day_of_week.endswith(_FIRST):
            return _BY_FIELD[self.month].most_apart
        step = _STEP.fullmatch(self.day_of_month)
        return int(step[1]) if step else most_apart(self.of_week)

    @property
    def a_year(self) -> float:
        """How many of them there are in a year."""
        if self.day_of_week.endswith(_FIRST):
            return _BY_FIELD[self.month].a_year
        step = _STEP.fullmatch(self.day_of_month)
        return 365 / int(step[1]) if step else len(self.of_week) * 52

    def words(self) -> str:
        """`on the first SUN of every month`."""
        if self.day_of_week.endswith(_FIRST):
            return f"on the first {self.day_of_week.removesuffix(_FIRST)} of {_BY_FIELD[self.month].words}"
        if self.day_of_month == "?":
            return f"every {self.day_of_week}"
        step = _STEP.fullmatch(self.day_of_month)
        return f"every {step[1]} days of a month" if step else "every day"


def days_for(every: int, days: Sequence[int], pick: int = 0) -> Days | None:
    """The days for a rotation every so many days, on some days of the week; None where these are too far apart.

    every: 1 or more. days: 0 = Monday, in order, not empty. pick: which of the days is taken where one is enough.
    """
    one = DAYS[days[pick % len(days)]]
    if months := next((months for months in _MONTHS if every >= months.least), None):
        return Days("?", months.field, one + _FIRST)
    if every >= _WEEK:
        return Days("?", "*", one)
    if len(days) == _WEEK:
        return Days("*" if every == 1 else f"1/{every}", "*", "?")
    if most_apart(days) > every:
        return None
    return Days("?", "*", ",".join(DAYS[day] for day in _fewest(every, days)))


def most_apart(days: Sequence[int]) -> int:
    """The most days from one of these days of the week to the next: 3 for MON-FRI, 7 for one."""
    return max((after - before - 1) % _WEEK + 1 for before, after in zip(days, (*days[1:], days[0]), strict=True))


def _fewest(every: int, days: Sequence[int]) -> list[int]:
    """Those of the days that are left when each next one is as far from the one before as it may be."""
    kept = [days[0]]
    while kept[-1] + every < days[0] + _WEEK:
        kept.append(max(day for day in days if kept[-1] < day <= kept[-1] + every))
    return kept
