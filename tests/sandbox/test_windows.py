"""Rotation windows: when AWS's documents let them open and close, and which rules AWS refuses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from aurora_sandbox.secretsmanager.windows import TOGETHER, windows_of
from aurora_sandbox.wire import ServiceError


def opening(rules: dict[str, Any], after: str, number: int = 2) -> list[str]:
    """From when to when the next windows are, in UTC."""
    windows, instant, found = windows_of(rules), datetime.fromisoformat(after), []
    assert windows is not None
    for _ in range(number):
        window = windows.after(instant)
        assert window is not None
        found.append(f"{window.opens:%m-%d %H:%M} to {window.closes:%m-%d %H:%M}")
        instant = window.opens
    return found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # Somebody's secret that was rotated at this time had a NextRotationDate of 2026-02-21T23:59:59Z.
        ("30", ["02-21 00:00 to 02-22 00:00", "03-23 00:00 to 03-24 00:00"]),
        ("1, 24h", ["01-23 00:00 to 01-24 00:00", "01-24 00:00 to 01-25 00:00"]),
        ("rate(10 days)", ["02-01 00:00 to 02-02 00:00", "02-11 00:00 to 02-12 00:00"]),
        ("rate(1 day), 3h", ["01-23 00:00 to 01-23 03:00", "01-24 00:00 to 01-24 03:00"]),
        ("rate(12 hours)", ["01-22 12:00 to 01-22 13:00", "01-23 00:00 to 01-23 01:00"]),
        ("rate(4 hours), 4h", ["01-22 08:00 to 01-22 12:00", "01-22 12:00 to 01-22 16:00"]),
        ("cron(0 16 1,15 * ? *), 2h", ["02-01 16:00 to 02-01 18:00", "02-15 16:00 to 02-15 18:00"]),
        ("cron(0 2 ? * SUN *), 3h", ["01-25 02:00 to 01-25 05:00", "02-01 02:00 to 02-01 05:00"]),
        ("cron(0 2 ? * SUN *)", ["01-25 02:00 to 01-26 00:00", "02-01 02:00 to 02-02 00:00"]),
        ("cron(0 4/12 * * ? *)", ["01-22 16:00 to 01-22 17:00", "01-23 04:00 to 01-23 05:00"]),
        ("cron(0 8 L * ? *)", ["01-31 08:00 to 02-01 00:00", "02-28 08:00 to 03-01 00:00"]),
        ("cron(0 10 ? 1/3 MON#1 *)", ["04-06 10:00 to 04-07 00:00", "07-06 10:00 to 07-07 00:00"]),
    ],
)
def test_a_window_opens_and_closes_as_its_rules_say(said: str, expected: list[str]) -> None:
    schedule, _, duration = said.partition(", ")
    rules: dict[str, Any] = {"Duration": duration} if duration else {}
    rules |= {"AutomaticallyAfterDays": int(schedule)} if schedule.isdigit() else {"ScheduleExpression": schedule}
    assert opening(rules, "2026-01-22T06:42:22Z") == expected


def test_rules_without_a_schedule_have_no_window() -> None:
    assert windows_of({}) is None
    assert windows_of({"Duration": "3h"}) is None


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"AutomaticallyAfterDays": 0}, "between 1 and 1000 days"),
        ({"AutomaticallyAfterDays": 1001}, "between 1 and 1000 days"),
        ({"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"}, TOGETHER),
        ({"AutomaticallyAfterDays": 1, "Duration": "0h"}, "1 to 24 hours"),
        ({"AutomaticallyAfterDays": 1, "Duration": "25h"}, "1 to 24 hours"),
        ({"ScheduleExpression": "rate(3 hours)"}, "at least 4 hours"),
        ({"ScheduleExpression": "rate(1000 days)"}, "at most 999 days"),
        ({"ScheduleExpression": "rate(240 minutes)"}, "Invalid schedule expression"),
        ({"ScheduleExpression": "rate(6 hours)", "Duration": "7h"}, "next rotation window"),
        ({"ScheduleExpression": "every day"}, "Invalid schedule expression"),
        ({"ScheduleExpression": "cron(0 2 ? * SUN)"}, "six fields"),
        ({"ScheduleExpression": "cron(30 2 ? * SUN *)"}, "must be 0"),
        ({"ScheduleExpression": "cron(0 2 ? * SUN 2027)"}, "must be *"),
        ({"ScheduleExpression": "cron(0 2 * * SUN *)"}, "question mark"),
        ({"ScheduleExpression": "cron(0 2 15W * ? *)"}, "Invalid schedule expression"),
        ({"ScheduleExpression": "cron(0 24 ? * SUN *)"}, "is not within 0-23"),
        ({"ScheduleExpression": "cron(0 2 30 2 ? *)"}, "more than a year apart"),
        ({"ScheduleExpression": "cron(0 2 29 2 ? *)"}, "more than a year apart"),
        ({"ScheduleExpression": "cron(0 0/2 * * ? *)"}, "at least 4 hours apart"),
        ({"ScheduleExpression": "cron(0 1,23 * * ? *)"}, "at least 4 hours apart"),
        ({"ScheduleExpression": "cron(0 22 ? * SUN *)", "Duration": "3h"}, "next UTC day"),
        ({"ScheduleExpression": "cron(0 0,6 * * ? *)", "Duration": "7h"}, "next rotation window"),
    ],
)
def test_rules_that_aws_refuses_are_refused(rules: dict[str, Any], why: str) -> None:
    with pytest.raises(ServiceError) as refused:
        windows_of(rules)
    assert refused.value.code == "InvalidParameterException"
    assert why in refused.value.message


def test_hours_at_both_ends_of_a_day_may_be_near_where_days_do_not_follow_each_other() -> None:
    rules = {"ScheduleExpression": "cron(0 0,23 ? * SUN *)"}
    assert opening(rules, "2026-01-22T06:42:22Z") == ["01-25 00:00 to 01-25 01:00", "01-25 23:00 to 01-26 00:00"]
