"""When the sandbox's Secrets Manager rotates by the rules of a file: within its hours, and as often as is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from aurora_sandbox.secretsmanager.windows import Window, windows_of
from aurora_tenants.model import Capacity, PauseSchedule, RotateWindow, TenantUser
from aurora_tenants.model import Window as Awake
from aurora_tenants.rotations.choice import rules_of
from aurora_tenants.rotations.rules import Rules
from aurora_tenants.schedule.week import capacity_at

FROM = datetime(2027, 1, 15, 12, tzinfo=UTC)
EVERY = tuple(range(7))


def turns(rules: Rules, count: int) -> list[Window]:
    """The next windows, each after a rotation in the one before."""
    found: list[Window] = []
    windows = windows_of(rules.properties())
    assert windows is not None
    for _ in range(count):
        window = windows.after(found[-1].closes - timedelta(seconds=1) if found else FROM)
        assert window is not None
        found.append(window)
    return found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("every", [1, 3, 7, 30, 60, 90, 120, 180, 365])
def test_a_window_of_the_file_is_kept_to(every: int, zone: str):
    days = (6,) if every >= 7 else EVERY
    asked = RotateWindow(days, 22 * 60, 2 * 60, zone)
    rules = rules_of(TenantUser("shop", rotate_after_days=every, rotate_window=asked), None)
    found = turns(rules, 12)
    for window in found:
        for instant in (window.opens, window.closes - timedelta(seconds=1)):
            local = instant.astimezone(ZoneInfo(zone))
            assert local.hour >= 22 or local.hour < 2
            assert (local - timedelta(hours=2)).weekday() in days
    assert max((after.opens - before.opens).days for before, after in pairwise(found)) <= rules.most_days <= every + 9


@pytest.mark.parametrize("every", [3, 7, 30, 90])
def test_with_a_pause_schedule_the_cluster_is_awake_all_the_time(every: int):
    awake, asleep = Capacity(0.5, 4), Capacity(0, 2)
    schedule = PauseSchedule("Europe/Berlin", (Awake((0, 1, 2, 3, 4), 420, 1020, awake),), asleep)
    for window in turns(rules_of(TenantUser("shop", rotate_after_days=every), schedule), 30):
        for minute in range(0, round((window.closes - window.opens).total_seconds() / 60), 10):
            assert capacity_at(schedule, window.opens + timedelta(minutes=minute)) == awake
