"""How many stacks are in flight while AWS throttles: by a clock of the test's own."""

from __future__ import annotations

import threading

from aurora_tenants.aws.rate import Load
from aurora_tenants.lanes import Lanes, Pace


class Clock:
    now = 500.0

    def __call__(self) -> float:
        return self.now


def lanes_by(clock: Clock, most: int = 15) -> tuple[Lanes, list[Pace]]:
    told: list[Pace] = []
    return Lanes(most, tell=told.append, now=clock), told


def test_throttling_is_told_at_once_and_then_every_ten_seconds():
    clock = Clock()
    lanes, told = lanes_by(clock)
    for _ in range(250):
        clock.now += 0.1
        lanes.observe(Load(2, 20))
    assert told == [Pace(2, 20, 15)] * 3


def test_a_run_that_is_not_throttled_says_nothing():
    clock = Clock()
    lanes, told = lanes_by(clock)
    for _ in range(250):
        clock.now += 0.1
        lanes.observe(Load(0, 20))
    assert (told, lanes.places) == ([], 15)


def test_fewer_stacks_are_in_flight_while_much_is_throttled_and_as_many_as_before_when_that_ends():
    clock = Clock()
    lanes, told = lanes_by(clock)
    for _ in range(600):
        clock.now += 0.1
        lanes.observe(Load(12, 20))
    assert [pace.parallel for pace in told] == [15, 15, 10, 10, 6, 6]
    for _ in range(600):
        clock.now += 0.1
        lanes.observe(Load(12, 20))
    assert lanes.places == 3
    for _ in range(2000):
        clock.now += 0.1
        lanes.observe(Load(0, 20))
    assert lanes.places == 15


def test_a_burst_that_is_throttled_costs_no_lane():
    """Its calls are among those of the last ten seconds for ten seconds, in which the rate has gone down."""
    clock = Clock()
    lanes, _ = lanes_by(clock)
    for at in range(300):
        clock.now += 0.1
        lanes.observe(Load(12, 20) if at < 150 else Load(3, 20))
    assert lanes.places == 15


def test_no_place_is_given_to_more_than_there_are():
    lanes, _ = lanes_by(Clock(), most=2)
    stop, in_flight, most, lock = threading.Event(), [0], [0], threading.Lock()

    def fly() -> None:
        with lanes.place(stop):
            with lock:
                in_flight[0] += 1
                most[0] = max(most[0], in_flight[0])
            barrier.wait(5)
            with lock:
                in_flight[0] -= 1

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=fly) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (most, in_flight) == ([2], [0])


def test_who_waits_for_a_place_does_so_no_longer_once_the_run_is_stopped():
    lanes, _ = lanes_by(Clock(), most=1)
    stop = threading.Event()
    with lanes.place(stop):
        stop.set()
        with lanes.place(stop):
            pass
