"""Which days of the calendar stand for every so many days, and that no two of them are further apart than is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pytest

from aurora_tenants.rotations.calendar import Days, days_for, most_apart
from aurora_tenants.schedule.week import DAYS

SUN, MON_FRI, EVERY = (6,), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6)
_ONE_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("every", "days", "fields"),
    [
        (1, EVERY, "* * ?"),
        (3, EVERY, "1/3 * ?"),
        (3, MON_FRI, "? * MON,THU,FRI"),
        (4, (0, 3), "? * MON,THU"),
        (7, SUN, "? * SUN"),
        (27, (1, 4), "? * TUE"),
        (28, SUN, "? * SUN#1"),
        (30, MON_FRI, "? * MON#1"),
        (60, SUN, "? 1/2 SUN#1"),
        (90, SUN, "? 1/3 SUN#1"),
        (120, SUN, "? 1/4 SUN#1"),
        (180, SUN, "? 1/6 SUN#1"),
        (365, SUN, "? 1 SUN#1"),
        (1000, SUN, "? 1 SUN#1"),
    ],
)
def test_so_many_days_become_days_of_the_calendar(every: int, days: tuple[int, ...], fields: str):
    found = days_for(every, days)
    assert found is not None
    assert found == Days(*fields.split())
    assert found.is_known


@pytest.mark.parametrize(("every", "days"), [(6, SUN), (1, MON_FRI), (2, MON_FRI), (3, (0, 3))])
def test_days_that_are_too_far_apart_are_none(every: int, days: tuple[int, ...]):
    assert days_for(every, days) is None


def test_where_one_day_is_enough_it_is_picked():
    assert [days_for(30, MON_FRI, pick) for pick in (0, 4, 5)] == [
        Days("?", "*", f"{day}#1") for day in ("MON", "FRI", "MON")
    ]


def test_days_are_so_far_apart():
    assert [most_apart(days) for days in (SUN, MON_FRI, EVERY, (0, 3))] == [7, 3, 1, 4]


@cache
def calendar() -> tuple[date, ...]:
    """Of 28 years, after which it repeats itself until 2100, and of two more."""
    return tuple(date(2026, 1, 1) + n * _ONE_DAY for n in range(365 * 30 + 7))


def matching(days: Days) -> Iterator[date]:
    """The days that a cron expression with these fields has, as the user guide describes its signs."""
    every = re.fullmatch(r"(\d+)/(\d+)", days.month)
    months = {*range(int(every[1]), 13, int(every[2]))} if every else {*range(1, 13)}
    months = {1} if days.month == "1" else months
    step = re.fullmatch(r"1/(\d)", days.day_of_month)
    name, first, _ = days.day_of_week.partition("#1")
    for day in calendar():
        is_of_week = days.day_of_week == "?" or DAYS[day.weekday()] in name.split(",")
        is_of_month = not step or (day.day - 1) % int(step[1]) == 0
        if day.month in months and is_of_week and is_of_month and (not first or day.day <= 7):
            yield day


@pytest.mark.parametrize("every", [1, 4, 7, 28, 60, 90, 120, 180, 365])
def test_no_two_are_further_apart_than_is_said_and_some_are_so_far(every: int):
    days = days_for(every, EVERY)
    assert days is not None
    found = list(matching(days))
    gaps = [(after - before).days for before, after in pairwise(found)]
    assert max(gaps) == days.most_apart <= every + 9
    assert round(days.a_year) == round(len(found) / 30) or every < 28


def test_what_others_wrote_is_not_known():
    for fields in ("1 * ?", "? * SUN#2", "? 1/5 SUN#1", "? * SUNL", "L * ?", "? 1 SUN", "1/7 * ?", "? * 1"):
        assert not Days(*fields.split()).is_known


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("* * ?", "every day"),
        ("1/3 * ?", "every 3 days of a month"),
        ("? * MON,THU", "every MON,THU"),
        ("? * SUN#1", "on the first SUN of every month"),
        ("? 1/3 SUN#1", "on the first SUN of every third month"),
        ("? 1 SUN#1", "on the first SUN of January"),
    ],
)
def test_days_have_words(fields: str, words: str):
    assert Days(*fields.split()).words() == words
