"""EventBridge Scheduler's schedule expressions: when does a schedule fire next?

    parse("cron(0 7 ? * MON-FRI *)", "Europe/Berlin", anchor=…).after(instant)   the next 07:00 of a working day, in UTC
    parse("rate(5 minutes)", "UTC", anchor=created).after(instant)               every five minutes from the anchor on
    parse("at(2026-03-29T02:30:00)", "Europe/Berlin", anchor=…).after(instant)   None: clocks skip 02:30 on that day
    cron("0 2 ? * SUN#1 *", UTC).after(instant)                                  the first Sunday of the next month

A local time that a zone skips in spring does not fire that day, one that comes twice in autumn fires at its first.
Source: "Schedule types in EventBridge Scheduler", EventBridge Scheduler User Guide. Pure; knows no schedule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_RATE = re.compile(r"rate\((\d{1,9}) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_NTH = re.compile(r"(?P<day>\w+?)(?:#(?P<nth>[1-5])|L)")
LAST = 0
_DAY = timedelta(days=1)
_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,4}))?")


class Expression(Protocol):
    """When a schedule fires."""

    def after(self, instant: datetime) -> datetime | None:
        """The first time after the instant, in UTC; None if there is none."""
        ...


def parse(text: str, timezone: str, *, anchor: datetime) -> Expression:
    """The expression in its time zone; anchor is when a rate begins. Raises ValueError in AWS's words."""
    zone = _zone(timezone)
    try:
        if found := _RATE.fullmatch(text):
            return Rate(anchor, timedelta(**{f"{found[2]}s": int(found[1])}))
        if found := _AT.fullmatch(text):
            return Once(datetime.fromisoformat(found[1]).replace(tzinfo=zone))
        if text.startswith("cron(") and text.endswith(")"):
            return cron(text[5:-1], zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"Invalid Schedule Expression {text}. {error}") from error
    raise ValueError(f"Invalid Schedule Expression {text}.")


@dataclass(frozen=True, slots=True)
class Rate:
    """At the anchor and at every interval after it, whatever clocks are changed meanwhile."""

    anchor: datetime
    every: timedelta

    def __post_init__(self) -> None:
        if not self.every:
            raise ValueError("A rate is at least one minute.")

    def after(self, instant: datetime) -> datetime | None:
        passed = max(-1, (instant - self.anchor) // self.every)
        return self.anchor + (passed + 1) * self.every


@dataclass(frozen=True, slots=True)
class Once:
    """At one local time."""

    wall: datetime

    def after(self, instant: datetime) -> datetime | None:
        found = _instant(self.wall)
        return found if found is not None and found > instant else None


@dataclass(frozen=True, slots=True)
class MonthDays:
    """Days by their number; with_last: the month's last one, too."""

    numbers: frozenset[int]
    with_last: bool

    def has(self, day: date) -> bool:
        return day.day in self.numbers or (self.with_last and (day + _DAY).month != day.month)


@dataclass(frozen=True, slots=True)
class WeekDays:
    """Weekdays (0 is Sunday): each, or the nth of its month; the nth of LAST is the last."""

    each: frozenset[int]
    nth: frozenset[tuple[int, int]]

    def has(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        is_last = (day + 7 * _DAY).month != day.month
        return (
            weekday in self.each
            or (weekday, (day.day + 6) // 7) in self.nth
            or (is_last and (weekday, LAST) in self.nth)
        )


@dataclass(frozen=True, slots=True)
class Cron:
    """At every local time whose parts are all in these; the days are those of the month or those of the week."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: MonthDays | WeekDays
    months: frozenset[int]
    years: frozenset[int]
    zone: tzinfo

    def after(self, instant: datetime) -> datetime | None:
        walls = (
            datetime.combine(day, time(hour, minute), self.zone)
            for day in self._dates(instant.astimezone(self.zone).date())
            for hour in self.hours
            for minute in self.minutes
        )
        found = (_instant(wall) for wall in walls)
        return next((moment for moment in found if moment is not None and moment > instant), None)

    def _dates(self, first: date) -> Iterator[date]:
        """The days on which it fires, from the first on."""
        day = max(first, date(min(self.years), 1, 1))
        while day.year <= max(self.years):
            if day.year in self.years and day.month in self.months and self.days.has(day):
                yield day
            day += timedelta(days=1)


def _instant(wall: datetime) -> datetime | None:
    """The first moment at which clocks show this local time, in UTC; None if they skip it."""
    moment = wall.astimezone(UTC)
    return moment if moment.astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None) else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:  # not found is a LookupError, a directory an OSError
        missing = "" if available_timezones() else " This machine has no time zones: install the package tzdata."
        raise ValueError(f"Invalid ScheduleExpressionTimezone {name}.{missing}") from error


def cron(text: str, zone: tzinfo) -> Cron:
    """What is in the brackets of cron(…). Day of month and day of week exclude each other: one of them is "?"."""
    fields = text.split()
    if len(fields) == 5:
        fields = [*fields, "*"]  # the year is optional
    if len(fields) != 6:
        raise ValueError("A cron expression has six fields.")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ValueError("One of day-of-month and day-of-week, and not both, is a question mark.")
    return Cron(
        minutes=tuple(sorted(_numbers(minutes, 0, 59))),
        hours=tuple(sorted(_numbers(hours, 0, 23))),
        days=_weekdays(weekdays) if days == "?" else _monthdays(days),
        months=_numbers(months, 1, 12, _MONTHS),
        years=_numbers(years, 1970, 2199),
        zone=zone,
    )


def _monthdays(field: str) -> MonthDays:
    parts = field.split(",")
    numbers = [part for part in parts if part != "L"]
    return MonthDays(_numbers(",".join(numbers), 1, 31) if numbers else frozenset(), "L" in parts)


def _weekdays(field: str) -> WeekDays:
    each: frozenset[int] = frozenset()
    nth = set()
    for part in field.split(","):
        if part == "L":
            each |= {6}  # the week's last day
        elif found := _NTH.fullmatch(part):
            (day,) = _numbers(found["day"], 1, 7, _DAYS)
            nth.add((day - 1, int(found["nth"] or LAST)))
        else:
            each |= {number - 1 for number in _numbers(part, 1, 7, _DAYS)}
    return WeekDays(each, frozenset(nth))


def _numbers(field: str, low: int, high: int, names: Sequence[str] = ()) -> frozenset[int]:
    """What a field takes in: "1,5-7,*/15". names stand for the numbers from low on."""
    return frozenset(number for part in field.split(",") for number in _range(part, low, high, names))


def _range(part: str, low: int, high: int, names: Sequence[str]) -> range:
    if re.search(r"W", re.sub(r"[A-Z]{3}", "", part)):
        raise ValueError("The sandbox does not imitate W in a cron expression.")
    found = _ITEM.fullmatch(part)
    if found is None:
        raise ValueError(f"{part} cannot be read.")
    first = low if found["all"] else _number(found["first"], low, names)
    last = _number(found["last"], low, names) if found["last"] else first
    if found["all"] or (found["step"] and not found["last"]):
        last = high
    step = int(found["step"] or 1)
    if not (low <= first <= last <= high and step):
        raise ValueError(f"{part} is not within {low}-{high}.")
    return range(first, last + 1, step)


def _number(text: str, low: int, names: Sequence[str]) -> int:
    if text in names:
        return names.index(text) + low
    if not text.isdecimal():
        raise ValueError(f"{text} cannot be read.")
    return int(text)
