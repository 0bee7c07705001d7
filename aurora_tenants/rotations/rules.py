"""What Secrets Manager takes for when a secret is rotated: RotationRules, and what they mean in words.

    Rules(days=30)                                               every 30 days
    Rules(expression="cron(0 2 ? * SUN#1 *)", hours=3)           on the first SUN of every month, 02:00-05:00 UTC

Source: "AWS::SecretsManager::RotationSchedule RotationRules", CloudFormation Template Reference: either
AutomaticallyAfterDays or ScheduleExpression, and with the latter Duration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from aurora_tenants.rotations.calendar import Days
from aurora_tenants.rotations.utc import UtcHours

_RATE = re.compile(r"rate\((\d+) days?\)")
_CRON = re.compile(r"cron\(0 (\d{1,2}) (\S+) (\S+) (\S+) \*\)")
_HOURS = re.compile(r"(\d+)h?")
_DAY = 24


class Rules(NamedTuple):
    """When a secret is rotated. days: so many after the last time; 0 where an expression says it, and for never.

    expression: of Secrets Manager; empty for none. hours: how long its window is; 0 until the end of the day, in UTC.
    """

    days: int = 0
    expression: str = ""
    hours: int = 0

    def words(self) -> str:
        """In words; an expression of another form than `of_days_and_hours` writes, as it is."""
        if not self.expression:
            return {0: "never", 1: "every day"}.get(self.days, f"every {self.days:,} days")
        parts = self._parts()
        if parts is None or not self.hours:
            return self.expression + (f" for {self.hours} h" if self.hours else "")
        days, begin, end = parts
        return f"{days.words()}, {begin:02}:00-{end:02}:00 UTC"

    def properties(self) -> dict[str, Any]:
        """As AWS::SecretsManager::RotationSchedule has them."""
        if not self.expression:
            return {"AutomaticallyAfterDays": self.days}
        return {"ScheduleExpression": self.expression} | ({"Duration": f"{self.hours}h"} if self.hours else {})

    def first(self) -> str:
        """When the first rotation is: `in 30 days`, `within 35 days`. Not for what is not known."""
        days = int(self.most_days)
        length = "a day" if days == 1 else f"{days:,} days"
        return f"within {length}" if self.expression else f"in {length}"

    @property
    def most_days(self) -> float:
        """At most so many days are between two rotations; infinitely many for never, and where that is not known."""
        if not self.expression:
            return self.days or float("inf")
        parts = self._parts()
        return parts[0].most_apart if parts else float("inf")

    @property
    def a_year(self) -> float:
        """How many rotations there are in a year; infinitely many where that is not known."""
        if not self.expression:
            return 365 / self.days if self.days else 0
        parts = self._parts()
        return parts[0].a_year if parts else float("inf")

    def hours_of_week(self) -> frozenset[int] | None:
        """In which it may be rotated, 0 = Monday 00:00 UTC; None where that is any, or not known."""
        parts = self._parts()
        if parts is None:
            return None
        days, begin, end = parts
        return frozenset(day * _DAY + hour for day in days.of_week for hour in range(begin, end))

    def _parts(self) -> tuple[Days, int, int] | None:
        """The days, and the hours at which the window begins and ends."""
        form = _CRON.fullmatch(self.expression)
        days = Days(*form.groups()[1:]) if form else None
        if not form or not days or not days.is_known:
            return None
        begin = int(form[1])
        return days, begin, begin + self.hours if self.hours else _DAY


NEVER = Rules()


def of_days_and_hours(days: Days, hours: UtcHours) -> Rules:
    """The rules for a window on days of the calendar."""
    fields = " ".join((days.day_of_month, days.month, days.day_of_week))
    return Rules(expression=f"cron(0 {hours.hour} {fields} *)", hours=hours.hours)


def read(properties: Mapping[str, Any]) -> Rules:
    """RotationRules of a template, or as Secrets Manager tells them.

    It tells AutomaticallyAfterDays of an expression too, and may tell days as a rate. Raises ValueError, TypeError for
    what others wrote.
    """
    expression, duration = str(properties.get("ScheduleExpression", "")), str(properties.get("Duration", ""))
    rate = _RATE.fullmatch(expression)
    if rate and not duration:
        return Rules(days=int(rate[1]))
    if expression:
        hours = _HOURS.fullmatch(duration)
        return Rules(expression=expression, hours=int(hours[1]) if hours else 0)
    return Rules(days=int(properties.get("AutomaticallyAfterDays", 0)))
