"""How fast CloudFormation is asked: by a clock and a chance of the test's own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from aurora_tenants.aws.rate import Load, Rate, is_repeatable


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def rate_by(clock: Clock, attempts: int | None = None) -> Rate:
    return Rate(attempts, now=clock, sleep=clock.sleep, chance=lambda: 1.0)


def asked(rate: Rate, clock: Clock, *, seconds: float, is_throttled: Callable[[], bool]) -> tuple[int, int]:
    """How many calls went out in so many seconds, and how many of them were answered, when all wait for their turn."""
    until, made, answered = clock.now + seconds, 0, 0
    while clock.now < until:
        rate.take_turn()
        made += 1
        throttled = is_throttled()
        answered += not throttled
        rate.answered(is_throttled=throttled)
    return made, answered


def limit(clock: Clock, per_second: int) -> Callable[[], bool]:
    """AWS, which lets so many calls pass in any second."""
    passed: list[float] = []

    def is_throttled() -> bool:
        passed[:] = [at for at in passed if clock.now - at < 1.0]
        if len(passed) >= per_second:
            return True
        passed.append(clock.now)
        return False

    return is_throttled


def test_a_limit_is_found_and_used_up():
    clock = Clock()
    rate = rate_by(clock)
    asked(rate, clock, seconds=20, is_throttled=limit(clock, 5))
    made, answered = asked(rate, clock, seconds=100, is_throttled=limit(clock, 5))
    assert answered >= 0.9 * 5 * 100
    assert made <= 1.4 * 5 * 100


def test_calls_that_are_throttled_at_random_slow_down_nothing():
    clock, chance = Clock(), random.Random(13)
    rate = rate_by(clock)
    asked(rate, clock, seconds=100, is_throttled=lambda: chance.random() < 0.2)
    assert rate.per_second > 15


def test_half_of_all_calls_at_random_slow_down_for_as_long_as_it_takes_to_see_that_it_is_not_the_rate():
    clock, chance = Clock(), random.Random(13)
    rate = rate_by(clock)
    made, answered = asked(rate, clock, seconds=200, is_throttled=lambda: chance.random() < 0.5)
    assert made / 200 > 8
    assert answered > 0.4 * made


def test_however_much_is_throttled_some_calls_go_out():
    clock, chance = Clock(), random.Random(13)
    rate = rate_by(clock)
    _, answered = asked(rate, clock, seconds=100, is_throttled=lambda: chance.random() < 0.9)
    assert rate.per_second == 3
    assert answered > 20


def test_after_a_throttling_that_has_ended_it_is_as_fast_as_before():
    clock = Clock()
    rate = rate_by(clock)
    asked(rate, clock, seconds=60, is_throttled=limit(clock, 4))
    assert rate.per_second < 8
    asked(rate, clock, seconds=120, is_throttled=lambda: False)
    assert rate.per_second >= 25


def test_whoever_watches_is_told_of_the_last_ten_seconds():
    clock, told = Clock(), list[Load]()
    rate = rate_by(clock)
    with rate.watched(told.append):
        rate.answered(is_throttled=True)
        clock.now += 6
        rate.answered(is_throttled=False)
        clock.now += 6
        rate.answered(is_throttled=False)
    rate.answered(is_throttled=True)
    assert told == [(1, 1), (1, 2), (0, 2)]


@pytest.mark.parametrize(
    ("code", "status", "attempts", "is_repeatable", "seconds"),
    [
        ("Throttling", 400, 1, False, 0.5),
        ("Throttling", 400, 4, False, 4.0),
        ("ThrottlingException", 400, 60, False, 4.0),
        ("Throttling", 400, 120, False, None),
        ("", None, 9, True, 4.0),
        ("", None, 1, True, 0.5),
        ("", None, 1, False, None),
        ("", None, 10, True, None),
        ("InternalFailure", 500, 2, True, 1.0),
        ("ServiceUnavailable", 503, 2, False, None),
        ("ExpiredToken", 403, 1, True, None),
        ("AccessDenied", 403, 1, True, None),
        ("ValidationError", 400, 1, True, None),
        ("", 200, 1, True, None),
    ],
)
def test_what_is_asked_again_and_when(
    code: str, status: int | None, attempts: int, is_repeatable: bool, seconds: float | None
):
    rate = rate_by(Clock())
    pause = rate.pause(code=code, status=status, attempts=attempts, is_repeatable=is_repeatable)
    assert pause == seconds


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("DescribeStackEvents", {}, True),
        ("ListStacks", {}, True),
        ("GetTemplate", {}, True),
        ("DeleteChangeSet", {}, True),
        ("CreateStack", {"ClientRequestToken": "a"}, True),
        ("CreateStack", {}, False),
        ("CreateChangeSet", {"ClientToken": "a"}, True),
        ("DeleteStack", {}, False),
    ],
)
def test_only_what_does_the_same_twice_is_repeated_without_an_answer(
    operation: str, request_: dict[str, str], expected: bool
):
    assert is_repeatable(operation, request_) is expected


def test_whoever_would_not_wait_is_given_an_answer_soon():
    rate = rate_by(Clock(), attempts=3)
    pauses = [rate.pause(code="Throttling", status=400, attempts=made, is_repeatable=True) for made in (1, 2, 3)]
    assert pauses == [0.5, 1.0, None]
