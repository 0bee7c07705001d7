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

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aurora_tenants.model import Capacity, PauseSchedule

HOURS_A_MONTH = 730
"""A twelfth of 8,760 hours, which AWS's own estimates take for a month."""


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
        raise NotImplementedError


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


def day(schedule: PauseSchedule, weekday: int) -> tuple[Span, ...]:
    """One day of the week from 00:00 to 24:00, without a gap. weekday: 0 = Monday."""
    raise NotImplementedError


def rules(schedule: PauseSchedule) -> tuple[Rule, ...]:
    """What has to be scheduled: all changes of the week, those of equal time and capacity in one, by day and time.

    Never empty: a week in which nothing changes has one rule, on Monday at 00:00, that sends its capacity again.
    """
    raise NotImplementedError


def capacity_at(schedule: PauseSchedule, instant: datetime) -> Capacity:
    """What should hold at an instant. instant: with a zone, any zone.

    A time skipped in spring counts as reached when the clock is put forward, though the scheduler does not fire for
    it. In the hour that autumn repeats, what its first pass has reached stays.
    """
    raise NotImplementedError


def next_transitions(schedule: PauseSchedule, after: datetime, *, count: int = 3) -> tuple[Transition, ...]:
    """The next times after an instant at which the capacity changes. None for a week in which nothing changes."""
    raise NotImplementedError


def clock_changes(schedule: PauseSchedule, after: datetime) -> tuple[ClockChange, ...]:
    """Every change of the zone's clock in the year after an instant. None for a week in which nothing changes."""
    raise NotImplementedError


def hours(schedule: PauseSchedule, year: int) -> Hours:
    """How long each capacity holds in an average month of a year, as the scheduler fires in it.

    The week's share of 730 hours, so that it does not depend on which weekday begins the year; with what the clock
    changes of that year add and take, skipped transitions among them.
    """
    raise NotImplementedError


def lacks_auto_pause(engine_version: str) -> bool:
    """Whether an engine version of Aurora MySQL cannot scale to 0: those before 3.08.0.

    engine_version: RDS's, such as `8.0.mysql_aurora.3.10.0`. One of another form is not said to lack it.
    Source: "Scaling to Zero ACUs with automatic pause and resume", Aurora User Guide.
    """
    raise NotImplementedError
