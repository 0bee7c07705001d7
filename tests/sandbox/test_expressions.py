"""When schedules fire: cron, rate and at, in zones whose clocks are put forward and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aurora_sandbox.scheduler.expressions import parse

START = datetime(2026, 1, 1, tzinfo=UTC)


def times(text: str, zone: str, after: str, number: int = 3) -> list[str]:
    """The next times in UTC."""
    expression, moment, found = parse(text, zone, anchor=START), datetime.fromisoformat(after), []
    for _ in range(number):
        following = expression.after(moment)
        if following is None:
            break
        found.append(f"{following:%m-%d %H:%M}")
        moment = following
    return found


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        # Clocks go forward on 29 March 2026, 02:00 to 03:00, and back on 25 October, 03:00 to 02:00.
        ("cron(0 7 * * ? *)", "Europe/Berlin", "2026-03-28T00:00Z", ["03-28 06:00", "03-29 05:00", "03-30 05:00"]),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T00:00Z", ["03-28 01:30", "03-30 00:30", "03-31 00:30"]),
        ("cron(0 3 * * ? *)", "Europe/Berlin", "2026-03-28T00:00Z", ["03-28 02:00", "03-29 01:00", "03-30 01:00"]),
        ("cron(0 7 * * ? *)", "Europe/Berlin", "2026-10-24T00:00Z", ["10-24 05:00", "10-25 06:00", "10-26 06:00"]),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T00:00Z", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        # On 8 March 2026, 02:00 to 03:00, and back on 1 November, 02:00 to 01:00.
        ("cron(30 2 * * ? *)", "America/New_York", "2026-03-07T00:00Z", ["03-07 07:30", "03-09 06:30", "03-10 06:30"]),
        ("cron(30 1 * * ? *)", "America/New_York", "2026-10-31T00:00Z", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
        ("cron(0 0-2 1 11 ? 2026)", "America/New_York", "2026-11-01T04:30Z", ["11-01 05:00", "11-01 07:00"]),
        # Clocks go back at midnight, from the first day to the one before.
        ("cron(30 23 * * ? *)", "America/Havana", "2026-10-31T12:00Z", ["11-01 03:30", "11-02 04:30", "11-03 04:30"]),
        ("cron(30 0 * * ? *)", "America/Havana", "2026-10-31T12:00Z", ["11-01 04:30", "11-02 05:30", "11-03 05:30"]),
    ],
)  # fmt: skip
def test_a_time_that_clocks_skip_does_not_fire_and_one_that_comes_twice_fires_once(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    assert times(text, zone, after) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cron(0 7 ? * MON-FRI *)", ["01-01 07:00", "01-02 07:00", "01-05 07:00"]),
        ("cron(0 7 ? * 1,SAT *)", ["01-03 07:00", "01-04 07:00", "01-10 07:00"]),
        ("cron(0/25 0,12 ? * * *)", ["01-01 00:00", "01-01 00:25", "01-01 00:50"]),
        ("cron(5 4 10-12/2 FEB,4 ? 2026)", ["02-10 04:05", "02-12 04:05", "04-10 04:05"]),
        ("cron(0 0 29 2 ?)", ["02-29 00:00", "02-29 00:00", "02-29 00:00"]),
        ("cron(0 0 30 2 ? *)", []),
        ("cron(0 7 L * ? *)", ["01-31 07:00", "02-28 07:00", "03-31 07:00"]),
        ("cron(0 7 1,L 2,3 ? *)", ["02-01 07:00", "02-28 07:00", "03-01 07:00"]),
        ("cron(0 7 ? * L *)", ["01-03 07:00", "01-10 07:00", "01-17 07:00"]),
        ("cron(0 7 ? * 1L *)", ["01-25 07:00", "02-22 07:00", "03-29 07:00"]),
        ("cron(0 7 ? * TUE#2 *)", ["01-13 07:00", "02-10 07:00", "03-10 07:00"]),
        ("cron(0 7 ? * SUN#5,FRIL *)", ["01-30 07:00", "02-27 07:00", "03-27 07:00"]),
        ("cron(0 0 1 1 ? 2025)", []),
        ("rate(36 hours)", ["01-01 00:00", "01-02 12:00", "01-04 00:00"]),
        ("rate(1 days)", ["01-01 00:00", "01-02 00:00", "01-03 00:00"]),
        ("at(2026-07-01T12:00:00)", ["07-01 12:00"]),
        ("at(2025-07-01T12:00:00)", []),
    ],
)
def test_expressions_fire_at_the_times_they_name(text: str, expected: list[str]) -> None:
    assert times(text, "UTC", "2025-12-31T23:59Z") == expected


def test_a_rate_passes_over_changes_of_the_clock() -> None:
    assert times("rate(1 day)", "Europe/Berlin", "2026-03-28T00:00Z") == ["03-29 00:00", "03-30 00:00", "03-31 00:00"]


def test_a_time_that_clocks_skip_never_comes() -> None:
    assert times("at(2026-03-29T02:30:00)", "Europe/Berlin", "2026-01-01T00:00Z") == []
    assert times("at(2026-10-25T02:30:00)", "Europe/Berlin", "2026-01-01T00:00Z") == ["10-25 00:30"]


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 7 * * * *)",
        "cron(0 7 ? * ? *)",
        "cron(0 7 * * ?",
        "cron(0 7)",
        "cron(60 7 ? * * *)",
        "cron(0 24 ? * * *)",
        "cron(0/0 7 ? * * *)",
        "cron(0 7 ? * FRI-MON *)",
        "cron(0 7 ? * LUN *)",
        "cron(0 7 ? * 0 *)",
        "cron(0 7 15W * ? *)",
        "cron(0 7 ? * 3#6 *)",
        "cron(0 7 ? * LL *)",
        "cron(0 7 ? * MON-FRI#2 *)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "rate(-1 days)",
        "at(2026-13-01T00:00:00)",
        "at(2026-01-01)",
        "every day",
        "",
    ],
)
def test_an_expression_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Invalid Schedule Expression "):
        parse(text, "UTC", anchor=START)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "", "/etc/localtime"])
def test_a_time_zone_that_there_is_not_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match=r"^Invalid ScheduleExpressionTimezone "):
        parse("rate(1 day)", zone, anchor=START)
