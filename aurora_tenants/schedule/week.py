"""A pause schedule in time: what it sends and when, what holds at an instant, and how many hours that makes a month.

The week is a circle of 10,080 minutes in the zone's local time, from Monday 00:00. A window that ends where another
begins makes no sleep in between. Only values that `config` has accepted are given to this module; nothing here reads
the clock.

    MON-FRI 07:00-17:00     Rule((0, 1, 2, 3, 4), 420, Capacity(0.5, 4), True)     cron(0 7 ? * MON-FRI *)
                            Rule((0, 1, 2, 3, 4), 1020, Capacity(0, 2), False)     cron(0 17 ? * MON-FRI *)

EventBridge Scheduler does not fire at a local time that spring skips, and fires once, the first time, at one that
autumn repeats. Source: "Schedule types", EventBridge Scheduler User Guide, section "Daylight savings time".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import takewhile
from zoneinfo import ZoneInfo

from aurora_tenants.model import Capacity, PauseSchedule
from aurora_tenants.schedule import zones

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

HOURS_A_MONTH = 730
"""A twelfth of 8,760 hours, which AWS's own estimates take for a month."""

_DAY = 24 * 60
_WEEK = 7 * _DAY
_ONE_DAY, _ONE_SECOND = timedelta(days=1), timedelta(seconds=1)
_A_YEAR = timedelta(days=365)
_ENGINE = re.compile(r"mysql_aurora\.(\d+)\.(\d+)")
_FIRST_WITH_AUTO_PAUSE = (3, 8)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one day with one capacity. start, end: minutes after midnight, 0 to 1440."""

    start: int
    end: int
    capacity: Capacity
    is_awake: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What one AWS::Scheduler::Schedule sends. days: 0 = Monday. minute: after midnight, 0 to 1439, local time."""

    days: tuple[int, ...]
    minute: int
    capacity: Capacity
    is_awake: bool

    @property
    def expression(self) -> str:
        """As EventBridge Scheduler takes it: `cron(0 7 ? * MON-FRI *)`."""
        hour, minute = divmod(self.minute, 60)
        return f"cron({minute} {hour} ? * {_cron_days(self.days)} *)"


@dataclass(frozen=True, slots=True)
class Transition:
    """One time at which the schedule fires. at: in UTC. local: the same instant in the schedule's zone."""

    at: datetime
    local: datetime
    capacity: Capacity
    is_awake: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """A transition that does not fire because its local time does not exist on that day.

    local: that time, without a zone. capacity: what it would have sent. stays: what holds instead, until the next one.
    """

    local: datetime
    capacity: Capacity
    is_awake: bool
    stays: Capacity
    until: datetime


@dataclass(frozen=True, slots=True)
class ClockChange:
    """An instant (UTC) at which the zone's clock is put forward or back, and what that does to the schedule.

    before, after: the zone's distance from UTC. All transitions from then on are `before - after` later in UTC than
    those until then (spring: one hour earlier). skipped: do not fire that day. repeated: whose local time comes twice,
    and which fire the first time only.
    """

    at: datetime
    before: timedelta
    after: timedelta
    skipped: tuple[Skipped, ...]
    repeated: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of an average month of 730, not rounded. by_capacity: adds up to 730; awake: all that is not asleep."""

    awake: float
    by_capacity: Mapping[Capacity, float]


@dataclass(frozen=True, slots=True)
class _Change:
    """What holds from a minute of the week on."""

    at: int
    capacity: Capacity
    is_awake: bool


def day(schedule: PauseSchedule, weekday: int) -> tuple[Span, ...]:
    """One day of the week from 00:00 to 24:00, without a gap. weekday: 0 = Monday."""
    changes = _changes(schedule)
    begin = weekday * _DAY
    inside = [change for change in changes if begin < change.at < begin + _DAY]
    bounds = [begin, *(change.at for change in inside), begin + _DAY]
    held = [_held(changes, begin), *inside]
    return tuple(
        Span(start - begin, end - begin, change.capacity, change.is_awake)
        for start, end, change in zip(bounds, bounds[1:], held, strict=False)
    )


def rules(schedule: PauseSchedule) -> tuple[Rule, ...]:
    """What has to be scheduled: all changes of the week, those of equal time and capacity in one, by day and time.

    Never empty: a week in which nothing changes has one rule, on Monday at 00:00, that sends its capacity again.
    """
    days: dict[tuple[int, Capacity, bool], list[int]] = {}
    for change in _changes(schedule):
        days.setdefault((change.at % _DAY, change.capacity, change.is_awake), []).append(change.at // _DAY)
    found = [Rule(tuple(on), minute, capacity, is_awake) for (minute, capacity, is_awake), on in days.items()]
    return tuple(sorted(found, key=lambda rule: (rule.days[0], rule.minute)))


def capacity_at(schedule: PauseSchedule, instant: datetime) -> Capacity:
    """What should hold at an instant. instant: with a zone, any zone.

    A time skipped in spring counts as reached when the clock is put forward, though the scheduler does not fire for
    it. In the hour that autumn repeats, what its first pass has reached stays.
    """
    zone = ZoneInfo(schedule.timezone)
    local = instant.astimezone(zone)
    if not local.fold:
        return _held(_changes(schedule), _minute_of_week(local)).capacity
    put_back = zones.changes(zone, instant - _ONE_DAY, instant)[-1]
    last_before = (put_back - timedelta(minutes=1)).astimezone(zone)
    return _held(_changes(schedule), _minute_of_week(last_before)).capacity


def next_transitions(schedule: PauseSchedule, after: datetime, *, count: int = 3) -> tuple[Transition, ...]:
    """The next times after an instant at which the capacity changes. None for a week in which nothing changes."""
    found: list[Transition] = []
    if not _is_constant(schedule):
        for transition in _firings(schedule, after.astimezone(ZoneInfo(schedule.timezone)).date() - _ONE_DAY):
            if len(found) == count:
                break
            if transition.at > after:
                found.append(transition)
    return tuple(found)


def clock_changes(schedule: PauseSchedule, after: datetime) -> tuple[ClockChange, ...]:
    """Every change of the zone's clock in the year after an instant. None for a week in which nothing changes."""
    if _is_constant(schedule):
        return ()
    instants = zones.changes(ZoneInfo(schedule.timezone), after, after + _A_YEAR)
    return tuple(_clock_change(schedule, at) for at in instants)


def hours(schedule: PauseSchedule, year: int) -> Hours:
    """How long each capacity holds in an average month of a year, as the scheduler fires in it.

    The week's share of 730 hours, so that it does not depend on which weekday begins the year; with what the clock
    changes of that year add and take, skipped transitions among them.
    """
    by_week = [_minutes(schedule, weekday) for weekday in range(7)]
    first, end = date(year, 1, 1), date(year + 1, 1, 1)
    minutes = _fired_minutes(schedule, first, end)
    for ordinal in range(first.toordinal(), end.toordinal()):
        for capacity, planned in by_week[date.fromordinal(ordinal).weekday()].items():
            minutes[capacity] = minutes.get(capacity, Fraction(0)) - planned
    # What is left is the difference the clock changes make. A year of 8,760 hours has 365 sevenths of the week.
    for weekday in by_week:
        for capacity, planned in weekday.items():
            minutes[capacity] += Fraction(planned * 365, 7)
    total = sum(minutes.values())
    by_capacity = {capacity: float(HOURS_A_MONTH * share / total) for capacity, share in minutes.items()}
    awake = {change.capacity for change in _changes(schedule) if change.is_awake}
    return Hours(sum(by_capacity[capacity] for capacity in awake), by_capacity)


def lacks_auto_pause(engine_version: str) -> bool:
    """Whether an engine version of Aurora MySQL cannot scale to 0: those before 3.08.0.

    engine_version: RDS's, such as `8.0.mysql_aurora.3.10.0`. One of another form is not said to lack it.
    Source: "Scaling to Zero ACUs with automatic pause and resume", Aurora User Guide.
    """
    version = _ENGINE.search(engine_version)
    return version is not None and (int(version[1]), int(version[2])) < _FIRST_WITH_AUTO_PAUSE


def day_names(days: Sequence[int]) -> str:
    """Days as people write them: `MON-FRI`, `MON,WED,SAT-SUN`. days: in order."""
    names = []
    for run in _runs(days):
        names.append(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}")
    return ",".join(names)


def _cron_days(days: Sequence[int]) -> str:
    """Days as cron takes them. Its week begins on Sunday, so that a range must not lead to it."""
    if len(days) == len(DAYS):
        return "*"
    return ",".join(filter(None, [day_names([day for day in days if day < 6]), DAYS[6] if 6 in days else ""]))


def _runs(days: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _changes(schedule: PauseSchedule) -> tuple[_Change, ...]:
    """Where the week's capacity changes, in order; where nothing ever does, Monday 00:00. Never empty."""
    spans = sorted(
        (
            (weekday * _DAY + window.start, weekday * _DAY + window.end + _DAY * (window.end <= window.start), window)
            for window in schedule.awake
            for weekday in window.days
        ),
        key=lambda span: span[:2],
    )
    starts = {start for start, _, _ in spans}
    changes = [_Change(start, window.capacity, True) for start, _, window in spans]
    changes += [_Change(end % _WEEK, schedule.asleep, False) for _, end, _ in spans if end % _WEEK not in starts]
    changes.sort(key=lambda change: change.at)
    changing = tuple(change for at, change in enumerate(changes) if change.capacity != changes[at - 1].capacity)
    return changing or (_Change(0, changes[0].capacity, changes[0].is_awake),)


def _is_constant(schedule: PauseSchedule) -> bool:
    return len(_changes(schedule)) == 1


def _held(changes: Sequence[_Change], minute: int) -> _Change:
    """What holds at a minute of the week; before the week's first change, what its last one left."""
    return changes[bisect_right(changes, minute, key=lambda change: change.at) - 1]


def _minute_of_week(local: datetime) -> int:
    return local.weekday() * _DAY + local.hour * 60 + local.minute


def _minutes(schedule: PauseSchedule, weekday: int) -> dict[Capacity, int]:
    minutes: dict[Capacity, int] = {}
    for span in day(schedule, weekday):
        minutes[span.capacity] = minutes.get(span.capacity, 0) + span.end - span.start
    return minutes


def _fired_minutes(schedule: PauseSchedule, first: date, end: date) -> dict[Capacity, Fraction]:
    """How long each capacity holds from the beginning of one local day to that of another, as the scheduler fires."""
    zone = ZoneInfo(schedule.timezone)
    begin, stop = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, end))
    minutes: dict[Capacity, Fraction] = {}
    since, held = begin, schedule.asleep
    for transition in _firings(schedule, first - 15 * _ONE_DAY):
        if transition.at > begin:
            upto = min(transition.at, stop)
            minutes[held] = minutes.get(held, Fraction(0)) + Fraction(int((upto - since).total_seconds()), 60)
            since = upto
        held = transition.capacity
        if since == stop:
            break
    return minutes


def _firings(schedule: PauseSchedule, first: date) -> Iterator[Transition]:
    """Every time the scheduler fires from a local day on, without end, in order."""
    zone = ZoneInfo(schedule.timezone)
    changes = _changes(schedule)
    today = first
    while True:
        for change in changes:
            if change.at // _DAY == today.weekday():
                local = _local(today, change)
                at = local.replace(tzinfo=zone).astimezone(UTC)
                if at.astimezone(zone).replace(tzinfo=None) == local:
                    yield Transition(at, at.astimezone(zone), change.capacity, change.is_awake)
        today += _ONE_DAY


def _local(day: date, change: _Change) -> datetime:
    """The local time of a change on a day, without a zone."""
    return datetime.combine(day, time(*divmod(change.at % _DAY, 60)))


def _clock_change(schedule: PauseSchedule, at: datetime) -> ClockChange:
    zone = ZoneInfo(schedule.timezone)
    before, after = zones.distance(zone, at - _ONE_SECOND), zones.distance(zone, at)
    until, since = ((at + distance).replace(tzinfo=None) for distance in (before, after))
    skipped = tuple(_skipped(schedule, at, local, change) for local, change in _between(schedule, until, since))
    repeated = tuple(
        Transition(instant, instant.astimezone(zone), change.capacity, change.is_awake)
        for local, change in _between(schedule, since, until)
        for instant in [(local - before).replace(tzinfo=UTC)]
    )
    return ClockChange(at, before, after, skipped, repeated)


def _between(schedule: PauseSchedule, first: datetime, end: datetime) -> Iterator[tuple[datetime, _Change]]:
    """The changes of the week with their local times from one local time until before another."""
    for ordinal in range(first.toordinal(), end.toordinal() + 1):
        for change in _changes(schedule):
            local = _local(date.fromordinal(ordinal), change)
            if change.at // _DAY == local.weekday() and first <= local < end:
                yield local, change


def _skipped(schedule: PauseSchedule, at: datetime, local: datetime, change: _Change) -> Skipped:
    *_, last = takewhile(lambda firing: firing.at < at, _firings(schedule, local.date() - 15 * _ONE_DAY))
    following = next_transitions(schedule, at - _ONE_SECOND, count=1)[0]
    return Skipped(local, change.capacity, change.is_awake, last.capacity, following.at)
