"""What is shown while stacks are in flight: how far it is, and never more than the terminal has room for."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from aurora_tenants.apply import Pace, Result, Step
from aurora_tenants.aws.stacks import Event
from aurora_tenants.errors import Problem
from aurora_tenants.render.progress import Board, Progress, busy_sentence, duration
from aurora_tenants.render.stream import Stream
from aurora_tenants.stack import StackPlan

LONG = "a reason that goes on and on " * 10


def stack(number: int) -> StackPlan:
    return StackPlan(f"shared-t{number:03}", f"t{number:03}", f"tenant t{number:03}", action="update")


def doing(number: int) -> Step:
    return Step(stack(number), Event(f"shared-t{number:03}", "UserT", "Custom::User", "UPDATE_FAILED", LONG))


def ended(number: int, ending: str = "applied") -> Step:
    problems = (Problem("a", "why"),) if ending in ("failed", "not started", "stopped") else ()
    return Step(stack(number), result=Result(stack(number), problems, ending))


def plain(*steps: Step | Pace, total: int) -> list[str]:
    """The lines that these steps print where there is no terminal."""
    out = io.StringIO()
    with Progress(Stream(out), total) as progress:
        for step in steps:
            progress.tell(step)
    return re.sub(r"\d+\.\d s", "N s", out.getvalue()).splitlines()


@pytest.mark.parametrize(("in_flight", "rows", "last"), [(5, 6, "  t004  "), (50, 22, "  and 30 more")])
def test_the_table_is_never_higher_than_the_terminal_nor_wider(in_flight: int, rows: int, last: str):
    console = Console(file=io.StringIO(), width=80, height=24)
    progress = Progress(Stream(console.file, console), 200)
    for number in range(in_flight):
        progress.board.take(doing(number))
    lines = ["".join(part.text for part in line) for line in console.render_lines(progress._table(), pad=False)]
    assert (len(lines), max(map(len, lines)) <= 80) == (rows, True)
    assert lines[0] == f"0 of 200 done, {in_flight} in flight, {200 - in_flight} to come; 0 s"
    assert lines[-1].startswith(last)


def test_the_counts_say_everything_that_is_not_done():
    now = [0.0]
    board = Board(9, clock=lambda: now[0])
    for step in (doing(1), Step(stack(2), waits="for somebody"), ended(3), ended(4, "elsewhere"), ended(5, "failed")):
        board.take(step)
    for step in (ended(6, "not started"), ended(7, "stopped")):
        board.take(step)
    now[0] = 245.0
    said = "2 of 9 done, 1 failed, 1 not started, 1 stopped, 1 in flight, 1 waiting, 2 to come; 4 min 05 s"
    assert (board.counts(), dict(board.in_flight)["t002"]) == (said, "for somebody")


def test_a_few_stacks_have_a_line_when_they_start_and_many_only_when_they_end():
    steps = (
        doing(1),
        ended(1),
        ended(2, "elsewhere"),
        ended(3, "failed"),
        ended(4, "not started"),
        ended(5, "stopped"),
    )
    ends = [
        "[1/%d] t001: updated in N s",
        "[2/%d] t002: already done by another apply, after N s",
        "[3/%d] t003: failed after N s: why",
        "[4/%d] t004: not started: why",
    ]
    assert plain(*steps, total=20) == ["t001: started", *(line % 20 for line in ends)]
    assert plain(*steps, total=21) == [line % 21 for line in ends]


def test_throttling_is_told_once_and_not_with_every_change():
    told = "AWS throttles: 12 of the last 60 calls; 9 stacks at once from now on."
    assert plain(Pace(12, 60, 9), Pace(13, 60, 8), total=1) == [told]


def test_a_wait_names_a_few_and_counts_the_rest():
    busy = {f"s{number}": "UPDATE_IN_PROGRESS" for number in range(7)}
    said = busy_sentence(busy, 180.0)
    assert said.startswith("Waiting up to 180 s until operations have ended: s0 (UPDATE_IN_PROGRESS), s1 (")
    assert said.endswith(", s4 (UPDATE_IN_PROGRESS) and 2 more stacks.")


def test_a_duration_is_as_long_as_it_has_to_be():
    assert [duration(each) for each in (12.9, 245, 3840)] == ["12 s", "4 min 05 s", "1 h 04 min"]
