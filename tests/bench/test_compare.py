"""What counts as slower: more than noise, whatever the machine's speed was."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.compare import Change, changes, differs, told
from bench.figures import APPLY, BARE, LATE_LEAN, LATE_PLAN, LEAN, PLAN, STATEMENTS, VERSION, Figure, Report, ratio

TURNS = 5


def report(*figures: Figure, machine: str = "one") -> Report:
    return Report("2026-11-28T06:00+00:00", "script/bench", {"CPU": machine, "commit": "abc"}, 20.0, figures)


def figure(name: str, seconds: float | Sequence[float], tenants: int | None = 10, **more: object) -> Figure:
    runs = (seconds,) * TURNS if isinstance(seconds, float) else tuple(seconds)
    return replace(Figure(name, tenants, runs, runs), **more)


def of_machine(speeds: Sequence[float], plan: float, calls: int = 11) -> Report:
    """A plan that takes so many times as long as lean, on a machine that is so fast in each turn."""
    runs = [speed * plan for speed in speeds]
    return report(figure(LEAN, speeds), figure(PLAN, runs, calls={STATEMENTS: calls}))


def test_a_slower_machine_makes_nothing_slower():
    assert changes(of_machine([0.1] * 5, 3.0), of_machine([0.1, 0.3, 0.2, 0.25, 0.3], 3.0)) == []


def test_what_takes_more_of_what_lean_takes_is_slower():
    found = changes(of_machine([0.1] * 5, 3.0), of_machine([0.2, 0.1, 0.3, 0.2, 0.1], 3.6))
    assert [(change.what, change.is_slower, round(change.more, 2)) for change in found] == [("plan at 10", True, 0.2)]


def test_what_takes_less_is_faster():
    (change,) = changes(of_machine([0.1] * 5, 3.0), of_machine([0.1] * 5, 1.5))
    assert not change.is_slower


def test_less_than_one_in_twenty_is_nothing():
    assert changes(of_machine([0.1] * 5, 3.0), of_machine([0.1] * 5, 3.14)) == []


def test_a_difference_within_the_spread_of_the_runs_is_noise():
    wide = [2.4, 2.7, 3.0, 3.3, 3.6]
    assert not differs(ratio(wide, [1.0] * 5), ratio([it + 0.6 for it in wide], [1.0] * 5))


def test_more_runs_tell_smaller_differences():
    wide = [2.4, 2.7, 3.0, 3.3, 3.6]
    assert differs(ratio(wide * 10, [1.0] * 50), ratio([it + 0.6 for it in wide * 10], [1.0] * 50))


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.1])
def test_hardly_any_two_runs_of_the_same_differ(noise: float):
    """A run of the bench compares some thirty figures."""
    chance = random.Random(14)

    def runs() -> list[float]:
        return [3.0 * chance.gauss(1.0, noise) for _ in range(TURNS)]

    alarms = sum(differs(ratio(runs(), [1.0] * TURNS), ratio(runs(), [1.0] * TURNS)) for _ in range(5000))
    assert alarms / 5000 < 0.03


@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_what_has_become_slower_by_a_quarter_is_seen(noise: float):
    chance = random.Random(14)

    def runs(value: float) -> list[float]:
        return [value * chance.gauss(1.0, noise) for _ in range(TURNS)]

    seen = sum(differs(ratio(runs(3.0), [1.0] * TURNS), ratio(runs(3.75), [1.0] * TURNS)) for _ in range(1000))
    assert seen / 1000 > 0.95


def test_one_statement_more_is_one_too_many():
    found = changes(of_machine([0.1] * 5, 3.0), of_machine([0.1] * 5, 3.0, calls=12))
    assert found == [Change(f"plan at 10: {STATEMENTS}", 11, 12, "calls")]
    assert found[0].is_slower


def test_calls_of_an_apply_are_not_compared():
    """They depend on how long stacks take."""
    old, new = (report(figure(APPLY, 1.0, calls={STATEMENTS: count})) for count in (30, 31))
    assert changes(old, new) == []


def test_where_round_trips_are_slow_the_wall_is_compared():
    def late(wall: float) -> Report:
        plan = replace(figure(LATE_PLAN, 0.1), wall=(wall,) * TURNS)
        return report(figure(LATE_LEAN, 0.3), plan)

    (change,) = changes(late(0.5), late(0.8))
    assert change.is_slower and change.what == "plan, late at 10"


def test_commands_without_tenants_are_compared_by_the_bare_interpreter():
    def start(seconds: float) -> Report:
        return report(figure(BARE, 0.01, None), figure(VERSION, seconds, None))

    (change,) = changes(start(0.02), start(0.1))
    assert change == Change("--version", 2.0, 10.0, "times bare interpreter")


def test_what_one_of_both_has_not_measured_is_left_out():
    assert changes(report(), of_machine([0.1] * 5, 3.0)) == []


def test_more_memory_is_told():
    old, new = (report(figure(LEAN, 0.1), figure(PLAN, 0.3, memory=memory)) for memory in (100.0, 120.0))
    assert changes(old, new) == [Change("plan at 10", 100.0, 120.0, "MiB")]


def test_the_text_says_by_how_much_and_that_the_machine_is_another():
    old, new = report(machine="one"), report(machine="two")
    found = [Change("plan at 10", 3.0, 3.6, "times lean"), Change("--version", 10.0, 2.0, "times bare interpreter")]
    assert told(found, old, new).splitlines() == [
        "slower: plan at 10: 3 → 3.6 times lean (+20%)",
        "faster: --version: 10 → 2 times bare interpreter (-80%)",
        "not the same: CPU: one → two",
    ]


def test_the_text_says_when_there_is_nothing():
    assert told([], report(), report()) == "Nothing has changed by more than noise."
