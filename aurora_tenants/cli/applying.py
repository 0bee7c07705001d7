"""What `apply` says and asks as text for people, and what an interrupt says; applying_json has it for programs."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from aurora_tenants.cli.interrupts import INTERRUPTED, Interrupts
from aurora_tenants.cli.options import DEFAULT_FILE, IN_FLIGHT, ask
from aurora_tenants.errors import AuroraTenantsError, Exit, Problem
from aurora_tenants.render.progress import Board, Progress, busy_sentence
from aurora_tenants.render.text import count, printable

if TYPE_CHECKING:
    from aurora_tenants.apply import Pace, Result, Step
    from aurora_tenants.plan import Plan, Proposal
    from aurora_tenants.propose import Request
    from aurora_tenants.reconcile import Outcome
    from aurora_tenants.render.output import Output
    from aurora_tenants.rollout import PlannedGroup
    from aurora_tenants.tenant.busy import Waiting

# Of more than these the command to go on with names none.
_MOST_NAMES = 20
# What an interrupt for the second time may take to say so.
_LAST_SECONDS = 2.0


class Operator:
    """The person at the terminal, or nobody in CI.

    request: what was asked for. yes: nobody is asked. saved: where the plan that is applied was saved, if it was.
    interrupts: the signals of this run. has_begun: something may have been changed.
    """

    def __init__(self, out: Output, request: Request, *, yes: bool, saved: Path | None = None) -> None:
        self.out, self.request, self.yes, self.saved = out, request, yes, saved
        self.has_begun = False
        self.began = time.monotonic()
        self.interrupts = Interrupts(self._interrupted, self._abandon)
        self._proposals: tuple[Proposal, ...] = ()
        self._boards: tuple[Board, ...] = ()
        self._progress: Progress | None = None

    # What `reconcile` asks of an operator

    def show(self, proposal: Proposal) -> None:
        """The plan, and flags that allow nothing of it."""
        from aurora_tenants import safety

        self._show(proposal)
        for sentence in safety.unused(proposal.plan, self.request.allowed):
            self.out.tell(sentence)

    def confirm(self, proposal: Proposal) -> None:
        """Raises Refused for a no. From a yes on, something may be changed, and every signal is an interrupt."""
        ask(self.out, f"Apply to {_what(proposal.plan)}?", yes=self.yes)
        self.has_begun = True
        self.interrupts.begin()

    @contextmanager
    def watching(self, proposal: Proposal) -> Iterator[Callable[[Step | Pace], None]]:
        """From here on nothing that cannot be told stops anything, and the first interrupt only sets `stop`."""
        self.out.endure()
        self._proposals = (*self._proposals, proposal)
        with self.interrupts.followed(), self._told(Progress(self.out.err, len(proposal.plan.stacks))) as tell:
            yield tell

    @contextmanager
    def waiting(self, those: Sequence[Waiting]) -> Iterator[Callable[[Mapping[str, str]], None]]:
        """A line at first, and one whenever some have come to rest."""
        told: set[str] = set()

        def tell(busy: Mapping[str, str]) -> None:
            if busy.keys() != told:
                told.clear()
                told.update(busy)
                self._tell_busy(busy)

        with self.interrupts.followed():
            yield tell

    def goes_on(self, group: PlannedGroup, had_changes: bool) -> bool:
        """Whoever has just said yes to a plan in which nothing happens to the group is not asked again; nor is whoever
        has reviewed one before it was saved. Where nobody can be asked, nobody has said yes."""
        if not had_changes and (self.saved or not self.yes):
            return True
        if self.yes or not sys.stdin.isatty():
            return False
        try:
            with self._progress.aside() if self._progress else nullcontext(), self.interrupts.raised():
                self.out.tell(f"Group {group.name} is deployed. Go on with the next one? Type yes to go on.")
                return sys.stdin.readline().strip() == "yes"
        except KeyboardInterrupt:
            self.interrupts.stop.wait(_LAST_SECONDS)  # it is set in another thread
            return False

    # The end

    def end(self, outcome: Outcome) -> int:
        """Says what came of it; the exit code."""
        from aurora_tenants.render.plan import plan_text

        if outcome.left:
            self.out.tell(plan_text(outcome.left, file=str(self.request.file), width=self.out.width))
        self._tell_problems(problem for problem in outcome.problems if problem.code != "stopped")
        self._tell_end(outcome)
        return exit_code(outcome)

    def fail(self, error: AuroraTenantsError) -> int:
        """Says why nothing was begun, or could not go on; the exit code."""
        self._tell_problems(error.problems)
        if error.nothing_was_changed:
            self.out.tell("Nothing was changed.")
        return error.exit_code

    def break_off(self) -> int:
        """Says that whatever was interrupted did not come to an end of its own; the exit code."""
        after = IN_FLIGHT if self.has_begun else "Nothing was changed."
        self._tell_broken_off(f"Interrupted. {after}")
        return INTERRUPTED

    def again(self, names: Iterable[str]) -> str:
        """The command that goes on with these: tenants, or the pause schedule; empty for none of them."""
        names = list(dict.fromkeys(names))
        if not names:
            return ""
        return self._command(names) if len(names) <= _MOST_NAMES else self._same()

    def then(self, outcome: Outcome) -> str:
        """The command that goes on with what is left; empty for nothing."""
        if not outcome.halt:
            return self.again(left_names(outcome))
        return self._command((), outcome.halt.next_group) if outcome.halt.why == "pauses" else self._same()

    def _same(self) -> str:
        return self._command(self.request.only, self.request.group)

    def _command(self, names: Iterable[str], group: str | None = None) -> str:
        file = self.request.file
        words = ["aurora-tenants", "apply"]
        if self.saved:  # what has been applied of it has moved since
            words = ["aurora-tenants", "plan", "--out", str(self.saved)]
        words += [word for name in names for word in ("--tenant", name)]
        words += ["--group", group] if group else []
        words += ["--file", str(file)] if file != DEFAULT_FILE else []
        words += ["--region", self.request.region] if self.request.region else []
        words += ["--profile", self.request.profile] if self.request.profile else []
        return shlex.join(words)

    def _tell_problems(self, problems: Iterable[Problem]) -> None:
        from aurora_tenants.render.problems import problem_text

        for problem in problems:
            self.out.tell(problem_text(problem))

    def _tell_end(self, outcome: Outcome) -> None:
        results, again = outcome.results, self.then(outcome)
        if not outcome.problems and not outcome.is_interrupted:
            self._tell_done(outcome)
            return
        if outcome.is_interrupted and not results:
            self.out.tell("Interrupted. Nothing was changed.")
        elif results:
            self.out.tell(f"{'Interrupted. ' if outcome.is_interrupted else ''}{_summary(results)}.")
        told = {outcome.halt.problem} if outcome.halt else set()
        if outcome.is_interrupted and results and not outcome.problems:
            self.out.tell("It was not read back: aurora-tenants plan shows whether all of it is so.")
        for result in results:
            if result.ending in ("failed", "not started") and not told.intersection(result.problems):
                self.out.tell(f"  {printable(result.stack.part)}: {printable(result.problems[0].what)}")
        if again:
            what = "To go on" if outcome.is_interrupted else "For what is left, when the cause is gone"
            self.out.tell(f"{what}: {again}")

    def _tell_done(self, outcome: Outcome) -> None:
        from aurora_tenants.naming import PAUSE_SCHEDULE
        from aurora_tenants.render.schedule import deployed

        tenants = [result for result in outcome.results if result.stack.part != PAUSE_SCHEDULE]
        if done := sum(result.ending != "not started" for result in tenants):
            self.out.result(f"Applied: {done} of {len(tenants)} tenants. MySQL holds what the file says of them.")
        if halt := outcome.halt:
            self.out.result(f"{halt.said[0].upper()}{halt.said[1:]}. To go on: {self.then(outcome)}")
            return
        for plan in (proposal.plan for proposal in (outcome.proposal, *outcome.later)):
            if plan.schedule and plan.changes_schedule:
                self.out.result(deployed(plan.schedule))
        rollout = outcome.proposal.plan.rollout
        if self.request.group and rollout and rollout.following:
            self.out.result(f"The next group: {self._command((), rollout.following)}")

    # Interrupts, told from a thread of their own

    def _interrupted(self) -> None:
        if not self.interrupts.is_followed:
            return  # whatever it interrupts says so
        if not self._boards:
            text = "Interrupted: waiting no more."
        else:
            flying = len(self._boards[-1].in_flight)
            text = (
                f"Interrupted: nothing more begins, and {count(flying, 'stack')} in flight"
                f" {'is' if flying == 1 else 'are'} followed to the end. Once more, and they are not."
            )
        self._tell_interrupted(text, is_followed=True)

    def _abandon(self) -> None:
        """Ends the process at once, whatever its threads are at, and soon even if nothing can be told."""
        last = threading.Timer(_LAST_SECONDS, os._exit, (INTERRUPTED,))
        last.daemon = True
        last.start()
        if self._progress:
            self._progress.close()
        flying = list(self._boards[-1].in_flight) if self._boards else []
        done = {part for board in self._boards for part, result in board.results.items() if not result.problems}
        planned = (stack.part for proposal in self._proposals for stack in proposal.plan.stacks)
        waiting = (each.name for proposal in self._proposals for each in proposal.plan.waiting)
        still = f" Still in flight: {printable(', '.join(flying))}." if flying else ""
        again = self.again(part for part in (*planned, *waiting) if part not in done)
        text = f"Interrupted again: nothing is followed any more.{still} What CloudFormation has begun, it finishes."
        self._tell_abandoned(f"{text}{f' To go on: {again}' if again else ''}")
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except OSError:
                continue  # nobody reads it
        os._exit(INTERRUPTED)

    # How it is told

    def _show(self, proposal: Proposal) -> None:
        from aurora_tenants.render.plan import plan_text

        self.out.result(plan_text(proposal, file=str(self.request.file), width=self.out.width))

    @contextmanager
    def _told(self, progress: Progress) -> Iterator[Callable[[Step | Pace], None]]:
        self._boards, self._progress = (*self._boards, progress.board), progress
        with progress:
            yield progress.tell

    def _tell_busy(self, busy: Mapping[str, str]) -> None:
        self.out.tell(busy_sentence(busy, self.request.reading.wait_seconds))

    def _tell_interrupted(self, text: str, *, is_followed: bool) -> None:
        self.out.tell(text)

    def _tell_abandoned(self, text: str) -> None:
        self.out.tell(text)

    def _tell_broken_off(self, text: str) -> None:
        self.out.tell(text)


def left_names(outcome: Outcome) -> list[str]:
    """What is not as the file says: parts of the plan by their names, each once."""
    failed = [result.stack.part for result in outcome.results if result.ending not in ("applied", "elsewhere")]
    differs = [stack.part for stack in outcome.left.plan.stacks] if outcome.left else []
    return list(dict.fromkeys([*failed, *differs, *(each.name for each in outcome.waiting)]))


def exit_code(outcome: Outcome) -> int:
    """What the command exits with."""
    if outcome.is_interrupted:
        return INTERRUPTED
    return Exit.FAILED if outcome.problems else Exit.DONE


def _summary(results: Sequence[Result]) -> str:
    """`18 of 20 tenants applied, 1 failed, 1 not started`."""
    from aurora_tenants.naming import PAUSE_SCHEDULE

    noun = "stacks" if any(result.stack.part == PAUSE_SCHEDULE for result in results) else "tenants"
    endings = [result.ending for result in results]
    done = endings.count("applied") + endings.count("elsewhere")
    others = ("failed", "not started", "stopped")
    said = "".join(f", {endings.count(each):,} {each}" for each in others if each in endings)
    return f"{done:,} of {len(results):,} {noun} applied{said}"


def _what(plan: Plan) -> str:
    """What apply asks about: `2 tenants and the pause schedule`."""
    tenants = [count(len(plan.changed), "tenant")] if plan.changed else []
    return " and ".join([*tenants, *(["the pause schedule"] if plan.changes_schedule else [])])
