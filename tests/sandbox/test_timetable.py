"""When schedules fire by themselves: with a real time that passes when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from aurora_sandbox.clock import Clock
from aurora_sandbox.scheduler.schedules import DEFAULT, Schedule, Schedules
from aurora_sandbox.scheduler.targets import Firing
from aurora_sandbox.scheduler.timetable import Timetable
from aurora_sandbox.secretsmanager.rotation import Rotated
from tests.endpoint import until

NOON, HOUR = datetime(2026, 3, 28, 12, tzinfo=UTC), timedelta(hours=1)


class Rotations:
    """Secrets that are due, each at its time; rotating them is only written down, with what the clock showed."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.at = clock, list[datetime]()
        self.rotated: list[tuple[datetime, datetime]] = []
        self.waits = 0  # how often each of them asks whether it may go on

    def due(self, until: datetime) -> datetime | None:
        return min((at for at in self.at if at <= until), default=None)

    def rotate_due(self, at: datetime, *, meanwhile: Callable[[], bool]) -> tuple[Rotated, ...]:
        self.at.remove(at)
        self.rotated.append((at, self.clock.now()))
        for _ in range(self.waits):
            meanwhile()
        return (Rotated(at, "app", "finishSecret"),)


class World:
    """Schedules whose firing is only written down, with what the clock showed at it; `broken` ones fail."""

    def __init__(self) -> None:
        self.real = NOON
        self.clock, self.schedules = Clock(lambda: self.real), Schedules()
        self.rotations = Rotations(self.clock)
        self.ready_at: datetime | None = None
        self.timetable = Timetable(
            self.clock, self.schedules, self.fire, self.rotations, ready_at=lambda: self.ready_at
        )
        self.fired: list[tuple[str, datetime, datetime]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def put(self, name: str, expression: str) -> None:
        settings = {"ScheduleExpression": expression, "Target": {"Arn": "target"}}
        self.schedules.put(DEFAULT, name, settings, now=self.clock.now())

    def fire(self, schedule: Schedule, at: datetime) -> Firing:
        self.fired.append((schedule.name, at, self.clock.now()))
        self.goes_on.wait(10)
        if schedule.name == "broken":
            raise KeyError("a mistake of ours")
        return Firing(at, schedule.name, "target")

    def passes(self, real: timedelta) -> None:
        """Real time passes, and the machine wakes from its sleep."""
        self.real += real
        with self.schedules.changed:
            self.schedules.changed.notify_all()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.goes_on.set()
    world.timetable.close()


def test_each_schedule_finds_the_clock_at_its_own_instant(world: World) -> None:
    world.put("two", "cron(0 14 * * ? *)")
    world.put("one", "cron(0 13 * * ? *)")
    world.timetable.move("+3h")
    assert world.fired == [("one", NOON + HOUR, NOON + HOUR), ("two", NOON + 2 * HOUR, NOON + 2 * HOUR)]
    assert world.clock.now() == NOON + 3 * HOUR


def test_what_is_due_at_the_moment_it_is_moved_to_fires_and_does_so_once(world: World) -> None:
    world.put("one", "cron(0 13 * * ? *)")
    world.timetable.move("+1h")
    world.timetable.move("+1h")
    assert [name for name, _, _ in world.fired] == ["one"]


def test_what_was_missed_while_the_machine_slept_fires_late_and_in_order(world: World) -> None:
    world.put("two", "cron(0 14 * * ? *)")
    world.put("one", "cron(0 13 * * ? *)")
    world.timetable.start()
    world.passes(8 * HOUR)
    until(lambda: len(world.fired) == 2)
    assert [(name, at) for name, at, _ in world.fired] == [("one", NOON + HOUR), ("two", NOON + 2 * HOUR)]


def test_nothing_fires_while_the_clock_is_being_moved_but_what_the_move_fires(world: World) -> None:
    world.put("one", "cron(0 13 * * ? *)")
    world.timetable.start()
    world.goes_on.clear()
    moving = threading.Thread(target=world.timetable.move, args=("+2h",))
    moving.start()
    until(lambda: bool(world.fired))
    world.put("late", "cron(30 12 * * ? *)")  # made at 13:00, so it is for tomorrow
    world.goes_on.set()
    moving.join(10)
    assert [name for name, _, _ in world.fired] == ["one"]


def test_a_bug_in_one_firing_is_told_and_the_rest_goes_on(world: World) -> None:
    world.put("broken", "cron(0 13 * * ? *)")
    world.put("sound", "cron(0 14 * * ? *)")
    broken, sound = world.timetable.move("+3h")
    assert broken.error == "The sandbox failed, this is a bug in it: KeyError: 'a mistake of ours'"
    assert sound.error == ""


def test_a_move_ends_when_the_sandbox_does(world: World) -> None:
    world.put("often", "rate(1 minute)")
    world.goes_on.clear()
    moving = threading.Thread(target=world.timetable.move, args=("+1000d",))
    moving.start()
    until(lambda: bool(world.fired))
    world.timetable.close()
    world.goes_on.set()
    moving.join(10)
    assert not moving.is_alive()
    assert len(world.fired) == 1


def test_rotations_happen_among_schedules_and_after_those_of_the_same_time(world: World) -> None:
    world.put("one", "cron(0 13 * * ? *)")
    world.put("three", "cron(0 15 * * ? *)")
    world.rotations.at = [NOON + 2 * HOUR, NOON + HOUR]
    happened = world.timetable.move("+4h")
    assert [(each.at - NOON) // HOUR for each in happened] == [1, 1, 2, 3]
    assert [isinstance(each, Rotated) for each in happened] == [False, True, True, False]
    assert world.rotations.rotated == [(NOON + HOUR, NOON + HOUR), (NOON + 2 * HOUR, NOON + 2 * HOUR)]


def test_a_move_does_not_wait_for_a_cluster_that_wakes_up(world: World) -> None:
    world.rotations.at, world.rotations.waits = [NOON + HOUR], 1
    world.ready_at = NOON + HOUR + timedelta(seconds=15)
    world.timetable.move("+1h")
    assert world.clock.now() == world.ready_at


def test_time_that_nobody_moves_is_waited_out(world: World) -> None:
    world.rotations.at, world.rotations.waits = [NOON + HOUR], 1
    world.ready_at = NOON + 2 * HOUR
    world.timetable.start()
    world.passes(HOUR)
    until(lambda: bool(world.rotations.rotated))
    assert world.clock.now() == NOON + HOUR
