"""Hours of a zone's clock in UTC: within what was asked for all the year, or off by what is said."""

from __future__ import annotations

from datetime import UTC as CLOCK
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aurora_tenants.model import RotateWindow
from aurora_tenants.rotations.utc import Off, UtcHours, in_utc, off_in_words, offsets_of

SUN = (6,)
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati"]
ZONES += ["Pacific/Pago_Pago", "Australia/Lord_Howe", "Australia/Adelaide", "Africa/Casablanca", "UTC"]


def window(start: int, end: int, zone: str, days: tuple[int, ...] = SUN) -> RotateWindow:
    """start, end: hours."""
    return RotateWindow(days, start * 60, end * 60, zone)


@pytest.mark.parametrize(
    ("asked", "hours"),
    [
        (window(2, 5, "UTC"), UtcHours(SUN, 2, 3)),
        (window(22, 2, "UTC"), UtcHours(SUN, 22, 2)),
        (window(23, 2, "UTC"), UtcHours((0,), 0, 2)),
        (window(2, 5, "Europe/Berlin"), UtcHours(SUN, 1, 2)),
        (window(0, 3, "Europe/Berlin"), UtcHours((5,), 23, 1)),
        (window(0, 24, "Europe/Berlin"), UtcHours(SUN, 0, 22)),
        (window(20, 23, "America/New_York"), UtcHours((0,), 1, 2)),
        (window(1, 4, "Asia/Tokyo"), UtcHours((5,), 16, 3)),
        (window(2, 5, "Asia/Kolkata"), UtcHours((5,), 21, 2)),
    ],
)
def test_a_window_is_within_its_hours_all_the_year(asked: RotateWindow, hours: UtcHours):
    assert in_utc(asked) == (hours, ())
    assert off_in_words(asked) == ""


@pytest.mark.parametrize("zone", ZONES)
def test_no_hour_of_it_is_outside_whatever_the_clock_does(zone: str):
    """Every hour of two years that the window has in UTC, by the zone's own clock."""
    clock = ZoneInfo(zone)
    for start, end in ((0, 24), (2, 5), (21, 3), (22, 1)):
        asked = window(start, end, zone, (1, 5))
        found = in_utc(asked)
        assert found is not None
        hours, off = found
        assert not off
        for day in range(730):
            begin = datetime(2027, 1, 1, hours.hour, tzinfo=CLOCK) + timedelta(days=day)
            if begin.weekday() in hours.days:
                end_of_it = begin + timedelta(hours=hours.hours, seconds=-1)
                assert end_of_it.date() == begin.date()
                for instant in (begin, end_of_it):
                    local = instant.astimezone(clock)
                    passed = (local.weekday() * 24 + local.hour) - start
                    length = (end - start) % 24 or 24
                    assert min((passed - each * 24) % 168 for each in (1, 5)) < length


def test_what_is_too_short_for_both_is_off_in_some_months():
    asked = window(2, 3, "Europe/Berlin")
    assert in_utc(asked) == (UtcHours(SUN, 0, 1), (Off(-60, "from November to March"),))
    assert off_in_words(asked) == (
        "the window SUN 02:00-03:00 Europe/Berlin is an hour earlier from November to March:"
        " Secrets Manager's schedules are in UTC, whose clock stays"
    )
    assert "from April to August" in off_in_words(window(2, 3, "America/Santiago"))
    assert "in part of the year" in off_in_words(window(2, 3, "Africa/Casablanca"))
    assert "30 minutes" in off_in_words(window(2, 3, "Australia/Lord_Howe"))


def test_no_full_hour_is_none():
    assert in_utc(RotateWindow(SUN, 135, 180, "UTC")) is None
    assert in_utc(window(2, 3, "Asia/Kolkata")) is None


def test_utc_needs_no_time_zone_data():
    assert offsets_of("UTC") == (0,)
    assert offsets_of("Europe/Berlin") == (120, 60)
