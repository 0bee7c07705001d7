"""When a pause schedule fires, what holds at an instant, and how many hours that makes a month.

Most of it is compared with an oracle that knows nothing of the module's circle of changes: it paints the windows onto
the minutes of a week and walks through time minute by minute.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_tenants.config import pause
from aurora_tenants.model import Capacity, PauseSchedule, Window
from aurora_tenants.schedule import week, zones
from aurora_tenants.schedule.week import Rule, Span

MINUTE, WEEK = timedelta(minutes=1), 7 * 1440
AWAKE, BUSY, ASLEEP = Capacity(0.5, 4), Capacity(2, 16), Capacity(0, 2)
# Spring and autumn of both halves of the world, half an hour, two hours, midnight itself, and one that has none.
ZONES = [
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll"),
    *("Africa/Cairo", "America/Santiago", "Africa/Casablanca", "Asia/Kolkata"),
]
SCHEDULES = {
    "office hours": ["MON-FRI 07:00-17:00"],
    "every night": ["MON-SUN 22:00-06:00"],
    "over the week's end": ["SUN 20:00-04:00", "WED 12:00-12:01"],
    "a short one in every hour the clocks change": ["SUN 00:15-00:45", "SUN 01:15-01:45", "SUN 02:15-02:45"],
    "begins in the skipped hour": ["SUN 02:30-05:00", "SUN 00:30-01:00"],
    "ends in the skipped hour": ["SAT 22:00-02:30", "THU 22:00-00:30"],
    "begins and ends where the clocks change": ["SUN 01:00-02:00", "SUN 03:00-04:00 2-16"],
    "a minute short of a day": ["MON,WED 12:00-11:59"],
    "neighbours": ["MON-FRI 07:00-12:00", "MON-FRI 12:00-13:00 2-16", "MON-FRI 13:00-17:00"],
    "neighbours at midnight": ["MON-SUN 00:00-12:00", "MON-SUN 12:00-24:00 2-16"],
    "from midnight to midnight": ["SAT-SUN 00:00-24:00", "FRI 00:00-24:00 2-16"],
}


def scheduled(windows: list[str], zone: str = "Europe/Berlin") -> PauseSchedule:
    return pause.from_options(zone, windows)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# The oracle


@dataclass(frozen=True)
class Walk:
    """Every minute from a month before a year until a week after it: the local minute of the week.

    SECOND where that comes for the second time. first, end: the position of the year's first minute and behind its
    last.
    """

    begin: datetime
    minutes: list[int]
    first: int
    end: int


SECOND = -1


@cache
def walk(zone: str, year: int) -> Walk:
    info, minutes, years = ZoneInfo(zone), [], []
    begin, end = datetime(year - 1, 12, 1, tzinfo=UTC), datetime(year + 1, 1, 8, tzinfo=UTC)
    for passed in range(int((end - begin) / MINUTE)):
        local = (begin + passed * MINUTE).astimezone(info)
        minutes.append(SECOND if local.fold else local.weekday() * 1440 + local.hour * 60 + local.minute)
        years.append(local.year)
    return Walk(begin, minutes, years.index(year), years.index(year + 1))


@dataclass(frozen=True)
class Painted:
    """A week, one capacity for each of its minutes."""

    minutes: tuple[Capacity, ...]

    @classmethod
    def of(cls, planned: PauseSchedule) -> Painted:
        minutes = [planned.asleep] * WEEK
        for window in planned.awake:
            for weekday in window.days:
                at, minute = weekday * 1440 + window.start, window.start
                while True:
                    minutes[at % WEEK] = window.capacity
                    at, minute = at + 1, (minute + 1) % 1440
                    if minute == window.end % 1440:
                        break
        return cls(tuple(minutes))

    def fires_at(self, minute: int) -> bool:
        return self.minutes[minute] != self.minutes[minute - 1]

    def firings(self, walked: Walk) -> list[tuple[int, Capacity]]:
        """Positions in the walk. A local time that is skipped never comes; one that is repeated fires once."""
        firing = {minute: self.minutes[minute] for minute in range(WEEK) if self.fires_at(minute)}
        return [(at, firing[minute]) for at, minute in enumerate(walked.minutes) if minute in firing]

    def held(self, walked: Walk) -> Counter[Capacity]:
        """How many minutes of the year each capacity holds, after what fired."""
        found = Counter[Capacity]()
        fired = self.firings(walked)
        for (at, capacity), (following, _) in pairwise(fired):
            found[capacity] += max(min(following, walked.end) - max(at, walked.first), 0)
        return found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("windows", SCHEDULES.values(), ids=SCHEDULES)
def test_a_year_of_transitions_is_what_a_walk_through_all_its_minutes_finds(windows: list[str], zone: str):
    planned = scheduled(windows, zone)
    walked = walk(zone, 2027)
    expected = [(walked.begin + at * MINUTE, capacity) for at, capacity in Painted.of(planned).firings(walked)]
    found = week.next_transitions(planned, walked.begin - MINUTE, count=len(expected))
    assert [(transition.at, transition.capacity) for transition in found] == expected
    assert all(transition.local.astimezone(UTC) == transition.at for transition in found)
    assert {transition.local.tzinfo for transition in found} == {ZoneInfo(zone)}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("windows", SCHEDULES.values(), ids=SCHEDULES)
def test_hours_are_what_a_walk_through_all_minutes_of_the_year_counts(windows: list[str], zone: str):
    """Of the year's minutes those of its calendar's odd day are exchanged for a seventh of a week."""
    planned = scheduled(windows, zone)
    painted = Painted.of(planned)
    year = {capacity: float(minutes) for capacity, minutes in painted.held(walk(zone, 2027)).items()}
    odd_day = date(2027, 12, 31).weekday()  # 365 days are 52 weeks and this day once more
    for capacity, minutes in Counter(painted.minutes).items():
        year[capacity] += minutes / 7
    for capacity, minutes in Counter(painted.minutes[odd_day * 1440 : (odd_day + 1) * 1440]).items():
        year[capacity] -= minutes
    hours = week.hours(planned, 2027)
    total = sum(year.values())
    assert hours.by_capacity == pytest.approx({capacity: 730 * minutes / total for capacity, minutes in year.items()})
    assert sum(hours.by_capacity.values()) == pytest.approx(730)
    assert hours.awake == pytest.approx(730 - hours.by_capacity[ASLEEP] if ASLEEP in hours.by_capacity else 730)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("windows", SCHEDULES.values(), ids=SCHEDULES)
def test_what_should_hold_around_a_clock_change_follows_the_furthest_the_clock_has_been(windows: list[str], zone: str):
    planned = scheduled(windows, zone)
    painted, info = Painted.of(planned), ZoneInfo(zone)
    for at in zones.changes(info, utc("2026-12-31"), utc("2028-01-01")) or (utc("2027-06-01"),):
        furthest = datetime.min
        for passed in range(-300, 300):
            instant = at + passed * MINUTE
            furthest = max(furthest, instant.astimezone(info).replace(tzinfo=None))
            minute = furthest.weekday() * 1440 + furthest.hour * 60 + furthest.minute
            assert week.capacity_at(planned, instant) == painted.minutes[minute], instant


@st.composite
def plans(draw: st.DrawFn) -> PauseSchedule:
    """Any windows that do not overlap: the week is cut into pieces, some of which are windows."""
    random_ = random.Random(draw(st.integers(0, 2**32)))
    cuts = sorted(random_.sample(range(0, WEEK, draw(st.sampled_from([1, 15, 30]))), k=draw(st.integers(2, 12))))
    windows = []
    for start, end in zip(cuts, [*cuts[1:], cuts[0] + WEEK], strict=True):
        capacity = random_.choice([AWAKE, BUSY, None])
        if capacity and end - start < 1440:
            windows.append(Window((start // 1440,), start % 1440, end % 1440, capacity))
    windows = windows or [Window((0,), 420, 1020, AWAKE)]
    return PauseSchedule(draw(st.sampled_from(ZONES)), tuple(windows), ASLEEP)


@settings(max_examples=50, deadline=None)
@given(plans())
def test_any_schedule_fires_around_clock_changes_as_a_walk_through_the_minutes_does(planned: PauseSchedule):
    painted, info = Painted.of(planned), ZoneInfo(planned.timezone)
    for at in zones.changes(info, utc("2026-12-31"), utc("2028-01-01")) or (utc("2027-06-01"),):
        expected = []
        for passed in range(-600, 600):
            local = (at + passed * MINUTE).astimezone(info)
            minute = local.weekday() * 1440 + local.hour * 60 + local.minute
            if not local.fold and painted.fires_at(minute):
                expected.append((at + passed * MINUTE, painted.minutes[minute]))
        found = week.next_transitions(planned, at - 601 * MINUTE, count=len(expected) + 1)
        within = [(transition.at, transition.capacity) for transition in found if transition.at < at + 600 * MINUTE]
        assert within == expected


@settings(max_examples=50, deadline=None)
@given(plans())
def test_the_days_of_any_schedule_are_its_windows_and_the_rules_their_bounds(planned: PauseSchedule):
    painted = Painted.of(planned)
    shown = [
        span.capacity
        for weekday in range(7)
        for span in week.day(planned, weekday)
        for _ in range(span.end - span.start)
    ]
    assert tuple(shown) == painted.minutes
    sent = {(day * 1440 + rule.minute): rule.capacity for rule in week.rules(planned) for day in rule.days}
    assert sent == {at: painted.minutes[at] for at in range(WEEK) if painted.fires_at(at)}
    assert [rule.is_awake for rule in week.rules(planned)] == [rule.capacity != ASLEEP for rule in week.rules(planned)]


# Rules


def expressions(*windows: str) -> list[tuple[str, Capacity]]:
    return [(rule.expression, rule.capacity) for rule in week.rules(scheduled(list(windows)))]


def test_office_hours_are_two_schedules():
    weekdays = (0, 1, 2, 3, 4)
    assert week.rules(scheduled(["MON-FRI 07:00-17:00"])) == (
        Rule(weekdays, 420, AWAKE, True),
        Rule(weekdays, 1020, ASLEEP, False),
    )
    assert expressions("MON-FRI 07:00-17:00") == [
        ("cron(0 7 ? * MON-FRI *)", AWAKE),
        ("cron(0 17 ? * MON-FRI *)", ASLEEP),
    ]


@pytest.mark.parametrize(
    ("days", "cron"),
    [
        ("MON-SUN", "*"),
        ("MON", "MON"),
        ("SUN", "SUN"),
        ("SAT-SUN", "SAT,SUN"),
        ("FRI-MON", "MON,FRI-SAT,SUN"),
        ("TUE-SUN", "TUE-SAT,SUN"),
        ("MON,WED,FRI", "MON,WED,FRI"),
        ("MON-TUE,THU", "MON-TUE,THU"),
    ],
)
def test_a_range_of_days_never_leads_over_the_end_of_cron_s_week(days: str, cron: str):
    """Cron's week begins on Sunday: SAT-SUN would be 7-1."""
    assert expressions(f"{days} 07:05-08:00")[0] == (f"cron(5 7 ? * {cron} *)", AWAKE)


def test_a_window_over_midnight_ends_on_the_next_day():
    assert expressions("SUN 22:00-02:00") == [("cron(0 2 ? * MON *)", ASLEEP), ("cron(0 22 ? * SUN *)", AWAKE)]
    assert expressions("MON-FRI 22:00-24:00") == [
        ("cron(0 22 ? * MON-FRI *)", AWAKE),
        ("cron(0 0 ? * TUE-SAT *)", ASLEEP),
    ]
    assert expressions("MON-FRI 22:00-00:00") == expressions("MON-FRI 22:00-24:00")


def test_a_window_that_ends_where_another_begins_makes_no_sleep_in_between():
    assert expressions("MON-FRI 07:00-12:00", "MON-FRI 12:00-17:00 2-16") == [
        ("cron(0 7 ? * MON-FRI *)", AWAKE),
        ("cron(0 12 ? * MON-FRI *)", BUSY),
        ("cron(0 17 ? * MON-FRI *)", ASLEEP),
    ]
    assert expressions("SUN 20:00-24:00", "MON 00:00-06:00") == expressions("SUN 20:00-06:00")


def test_a_week_in_which_nothing_changes_still_has_a_rule_and_no_transition():
    always = scheduled(["MON-SUN 00:00-12:00", "MON-SUN 12:00-24:00"])
    now = utc("2026-11-23T12:00")
    assert week.rules(always) == (Rule((0,), 0, AWAKE, True),)
    assert week.rules(always)[0].expression == "cron(0 0 ? * MON *)"
    assert week.next_transitions(always, now) == ()
    assert week.clock_changes(always, now) == ()
    assert week.capacity_at(always, now) == AWAKE
    assert week.hours(always, 2026) == week.Hours(730.0, {AWAKE: 730.0})
    assert week.day(always, 6) == (Span(0, 1440, AWAKE, True),)


def test_a_day_is_shown_from_midnight_to_midnight():
    planned = scheduled(["SUN 22:00-02:00", "MON 07:00-12:00 2-16"])
    assert week.day(planned, 0) == (
        Span(0, 120, AWAKE, True),
        Span(120, 420, ASLEEP, False),
        Span(420, 720, BUSY, True),
        Span(720, 1440, ASLEEP, False),
    )
    assert week.day(planned, 2) == (Span(0, 1440, ASLEEP, False),)
    assert week.day(scheduled(["MON-TUE 00:00-24:00"]), 1) == (Span(0, 1440, AWAKE, True),)


# Clocks


def changes(windows: list[str], zone: str, after: str = "2026-11-23") -> list[week.ClockChange]:
    return list(week.clock_changes(scheduled(windows, zone), utc(after)))


def test_office_hours_are_moved_by_both_clock_changes_and_none_is_skipped():
    hour, two = timedelta(hours=1), timedelta(hours=2)
    assert changes(["MON-FRI 07:00-17:00"], "Europe/Berlin") == [
        week.ClockChange(utc("2027-03-28T01:00"), hour, two, (), ()),
        week.ClockChange(utc("2027-10-31T01:00"), two, hour, (), ()),
    ]


def test_a_zone_whose_clocks_never_change_has_no_changes():
    assert changes(["MON-FRI 07:00-17:00"], "Asia/Kolkata") == []


@pytest.mark.parametrize(
    ("zone", "day", "instant", "until"),
    [
        ("Europe/Berlin", "2027-03-28", "2027-03-28T01:00", "2027-04-03T20:00"),
        ("America/New_York", "2027-03-14", "2027-03-14T07:00", "2027-03-21T02:00"),
        ("Australia/Lord_Howe", "2027-10-03", "2027-10-02T15:30", "2027-10-09T11:00"),
    ],
)
def test_a_skipped_end_leaves_the_cluster_awake_until_the_next_transition(
    zone: str, day: str, instant: str, until: str
):
    at = "02:15"
    spring = next(change for change in changes([f"SAT 22:00-{at}"], zone) if change.after > change.before)
    assert spring.at == utc(instant)
    local = datetime.fromisoformat(f"{day}T{at}")
    assert spring.skipped == (week.Skipped(local, ASLEEP, False, AWAKE, utc(until)),)


@pytest.mark.parametrize(
    ("zone", "instant", "first"),
    [
        ("Europe/Berlin", "2027-10-31T01:00", "2027-10-31T00:45"),
        ("America/New_York", "2027-11-07T06:00", "2027-11-07T05:45"),
        ("Australia/Lord_Howe", "2027-04-03T15:00", "2027-04-03T14:45"),
    ],
)
def test_what_autumn_repeats_fires_the_first_time(zone: str, instant: str, first: str):
    at = {"Europe/Berlin": "02:45", "America/New_York": "01:45", "Australia/Lord_Howe": "01:45"}[zone]
    autumn = next(change for change in changes([f"SAT 22:00-{at}"], zone) if change.after < change.before)
    assert autumn.at == utc(instant)
    assert [(each.at, each.capacity) for each in autumn.repeated] == [(utc(first), ASLEEP)]
    planned = scheduled([f"SAT 22:00-{at}"], zone)
    assert [each.at for each in week.next_transitions(planned, utc(first) - MINUTE, count=1)] == [utc(first)]
    following = week.next_transitions(planned, utc(first), count=1)[0]
    assert following.capacity == AWAKE
    assert week.capacity_at(planned, utc(first) + 30 * MINUTE) == ASLEEP


def test_a_time_on_the_edge_of_the_skipped_hour_is_not_skipped():
    spring = changes(["SUN 03:00-05:00"], "Europe/Berlin")[0]
    assert spring.skipped == ()
    spring = changes(["SUN 02:00-05:00"], "Europe/Berlin")[0]
    assert [each.local for each in spring.skipped] == [datetime(2027, 3, 28, 2, 0)]
    assert spring.skipped[0].until == utc("2027-03-28T03:00")


def test_a_transition_at_the_end_of_the_skipped_hour_fires_and_ends_what_stayed():
    spring = changes(["SUN 02:30-03:00", "SUN 03:00-05:00 2-16"], "Europe/Berlin")[0]
    assert spring.skipped == (week.Skipped(datetime(2027, 3, 28, 2, 30), AWAKE, True, ASLEEP, utc("2027-03-28T01:00")),)


def test_a_transition_is_after_the_instant_asked_for_and_in_both_times():
    planned = scheduled(["MON-FRI 07:00-17:00"])
    first, second, third = week.next_transitions(planned, utc("2026-11-27T06:00"))
    assert [each.at for each in (first, second, third)] == [
        utc("2026-11-27T16:00"),
        utc("2026-11-30T06:00"),
        utc("2026-11-30T16:00"),
    ]
    assert first.local.isoformat() == "2026-11-27T17:00:00+01:00"


def test_a_skipped_end_costs_a_week_awake():
    usual = week.hours(scheduled(["SAT 22:00-03:30"]), 2027).awake
    skipped = week.hours(scheduled(["SAT 22:00-02:30"]), 2027).awake
    nominal = 4.5 / 168 * 730
    assert usual == pytest.approx(5.5 / 168 * 730)
    # In spring it stays awake from one Saturday's 22:00 until the Sunday after the next: 171.5 hours instead of 9.
    assert skipped == pytest.approx(nominal + (171.5 - 9) / 12)


def test_office_hours_are_217_hours_a_month_in_every_year_and_zone():
    for zone in ZONES:
        for year in (2026, 2027, 2028):
            assert week.hours(scheduled(["MON-FRI 07:00-17:00"], zone), year).awake == pytest.approx(3650 * 5 / 84)


def test_the_instants_of_clock_changes_are_those_of_the_world():
    berlin = zones.changes(ZoneInfo("Europe/Berlin"), utc("2026-01-01"), utc("2027-01-01"))
    assert berlin == (utc("2026-03-29T01:00"), utc("2026-10-25T01:00"))
    at = berlin[0]
    assert zones.changes(ZoneInfo("Europe/Berlin"), at - timedelta(seconds=1), at) == (at,)
    assert zones.changes(ZoneInfo("Europe/Berlin"), at, at + timedelta(days=1)) == ()
    assert zones.changes(ZoneInfo("Europe/Berlin"), at - timedelta(hours=2), at - timedelta(seconds=1)) == ()


# Engine versions


@pytest.mark.parametrize(
    ("version", "lacks"),
    [
        ("8.0.mysql_aurora.3.07.1", True),
        ("8.0.mysql_aurora.3.08.0", False),
        ("8.0.mysql_aurora.3.10.0", False),
        ("5.7.mysql_aurora.2.11.5", True),
        ("8.4.mysql_aurora.8.4.7", False),
        ("8.0.mysql_aurora.4.01.0", False),
        ("8.0.40", False),
        ("", False),
    ],
)
def test_versions_before_3_08_lack_auto_pause(version: str, lacks: bool):
    assert week.lacks_auto_pause(version) is lacks
