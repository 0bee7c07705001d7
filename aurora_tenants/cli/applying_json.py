"""What `apply` says to a program: each step as a line of JSON on stderr, and one result on stdout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aurora_tenants.apply import Step
from aurora_tenants.cli.applying import Operator, exit_code, left_names
from aurora_tenants.errors import AuroraTenantsError, Problem
from aurora_tenants.render.apply_json import apply_data, busy_event, interrupted_event, plan_event, step_events
from aurora_tenants.render.output import EventOutput
from aurora_tenants.render.problems import problem_data

if TYPE_CHECKING:
    from aurora_tenants.apply import Pace
    from aurora_tenants.plan import Proposal
    from aurora_tenants.propose import Request
    from aurora_tenants.reconcile import Outcome
    from aurora_tenants.render.output import Output
    from aurora_tenants.render.progress import Progress


class JsonOperator(Operator):
    """The same for a program."""

    def __init__(self, out: EventOutput, request: Request, *, yes: bool, saved: Path | None = None) -> None:
        self._events = out
        super().__init__(out, request, yes=yes, saved=saved)

    def end(self, outcome: Outcome) -> int:
        """Prints the result; the exit code."""
        left, again = left_names(outcome), self.then(outcome)
        self.out.json(
            apply_data(
                outcome.proposal,
                outcome.results,
                outcome.waiting,
                outcome.problems,
                outcome=_word(outcome),
                seconds=time.monotonic() - self.began,
                left=left,
                again=again,
            )
        )
        return exit_code(outcome)

    def fail(self, error: AuroraTenantsError) -> int:
        """Prints why; the exit code."""
        self._fail(error.problems)
        return error.exit_code

    def _fail(self, problems: Iterable[Problem]) -> None:
        self.out.json({"version": 1, "problems": [problem_data(problem) for problem in problems]})

    def _show(self, proposal: Proposal) -> None:
        self._events.event(plan_event(proposal))

    @contextmanager
    def _told(self, progress: Progress) -> Iterator[Callable[[Step | Pace], None]]:
        board = progress.board
        self._boards = (*self._boards, board)

        def tell(step: Step | Pace) -> None:
            is_first = isinstance(step, Step) and board.take(step)
            for event in step_events(step, is_first=is_first):
                self._events.event(event)

        yield tell

    def _tell_busy(self, busy: Mapping[str, str]) -> None:
        self._events.event(busy_event(busy))

    def _tell_interrupted(self, text: str, *, is_followed: bool) -> None:
        flying = list(self._boards[-1].in_flight) if self._boards else []
        self._events.event(interrupted_event(flying, text, is_followed=is_followed))

    def _tell_abandoned(self, text: str) -> None:
        self._tell_interrupted(text, is_followed=False)
        self._tell_broken_off(text)

    def _tell_broken_off(self, text: str) -> None:
        self._fail([Problem("interrupted", text)])


def operator(out: Output, request: Request, *, yes: bool, saved: Path | None) -> Operator:
    """The one that tells things as this output does."""
    if isinstance(out, EventOutput):
        return JsonOperator(out, request, yes=yes, saved=saved)
    return Operator(out, request, yes=yes, saved=saved)


def _word(outcome: Outcome) -> str:
    if outcome.is_interrupted:
        return "interrupted"
    if outcome.problems:
        return "failed"
    if outcome.halt:
        return "paused"
    return "applied" if outcome.results else "unchanged"
