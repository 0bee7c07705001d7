"""The sandbox's clock: real time until it is moved, and never back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aurora_sandbox.clock import Clock, destination

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Real:
    """Real time, that passes when the test says so."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def test_it_shows_real_time_until_it_is_moved_and_goes_on_from_there() -> None:
    real = Real()
    clock = Clock(real)
    assert (clock.now(), clock.ahead) == (NOON, timedelta())
    clock.move(NOON + 10 * HOUR)
    real.now += HOUR
    assert (clock.now(), clock.ahead) == (NOON + 11 * HOUR, 10 * HOUR)


def test_it_never_goes_back() -> None:
    real = Real()
    clock = Clock(real)
    clock.move(NOON + HOUR)
    clock.move(NOON)
    assert clock.now() == NOON + HOUR
    real.now -= HOUR  # somebody sets the machine's clock
    assert clock.now() == NOON + HOUR


def test_it_knows_what_it_showed_at_a_moment_of_real_time() -> None:
    real = Real()
    clock = Clock(real)
    real.now += HOUR
    clock.move(NOON + 5 * HOUR)
    clock.move(NOON + 9 * HOUR)
    real.now += HOUR
    assert [clock.at(NOON + hours * HOUR) for hours in (0, 1, 2)] == [NOON, NOON + 9 * HOUR, NOON + 10 * HOUR]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+10h", NOON + 10 * HOUR),
        ("+1w2d3h4m5s", NOON + timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
        ("+90m", NOON + timedelta(minutes=90)),
        ("2026-03-29T00:00Z", datetime(2026, 3, 29, tzinfo=UTC)),
        ("2026-03-29T00:00+02:00", datetime(2026, 3, 28, 22, tzinfo=UTC)),
    ],
)
def test_a_move_is_a_duration_or_a_time_with_its_offset(text: str, expected: datetime) -> None:
    assert destination(text, NOON) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+", "a duration is numbers of"),
        ("+10", "a duration is numbers of"),
        ("+1h1d", "a duration is numbers of"),
        ("+999999w", "after the year 9999"),
        ("-1h", "neither a duration like"),
        ("tomorrow", "neither a duration like"),
        ("", "neither a duration like"),
        ("2026-03-29T00:00", "needs its offset from UTC: 2026-03-29T00:00Z"),
    ],
)
def test_what_is_neither_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        destination(text, NOON)
