"""Applies a plan group by group: after a failure, or a pause that nobody ends, the groups that follow stay untouched.

results, halt = apply_in_groups(plan, apply_these, tell=tell, goes_on=operator.goes_on, stop=stop)
halt.untouched    the tenants to which nothing was done, by group; None instead of a halt when all groups were deployed
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from aurora_tenants.apply import Pace, Result, Step
from aurora_tenants.errors import Problem
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Plan
from aurora_tenants.rollout import PlannedGroup
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.busy import Waiting

# More names than this are only counted.
_MOST_NAMES = 5
# How long it may take until a wait for one of two events notices the other.
_NOTICED_SECONDS = 0.2


class Apply(Protocol):
    """Applies these stacks as `apply.apply` does."""

    def __call__(
        self, plans: Sequence[StackPlan], *, tell: Callable[[Step | Pace], None], stop: threading.Event
    ) -> tuple[Result, ...]: ...


# Asked after a group that pauses: whether it goes on. had_changes: something was deployed in it just now.
GoesOn = Callable[[PlannedGroup, bool], bool]


@dataclass(frozen=True, slots=True)
class Halt:
    """Why the run has ended before its last group did.

    group: in or after which. why: a failure in it, or its pause. untouched: groups with those of their tenants, and the
    pause schedule, that something was to happen to and nothing has happened to. problem: what is said of a failure.
    """

    group: str
    why: Literal["failed", "pauses"]
    untouched: tuple[PlannedGroup, ...]
    problem: Problem | None = None

    @property
    def said(self) -> str:
        """`group canary failed: 12 tenants of group rest were not touched`."""
        return f"group {self.group} {self.why}: {_untouched(self.untouched)}"

    @property
    def names(self) -> frozenset[str]:
        """Of all that was left untouched."""
        return frozenset(name for group in self.untouched for name in group.tenants)

    @property
    def next_group(self) -> str:
        """The group with which it goes on."""
        return self.untouched[0].name


def apply_in_groups(
    plan: Plan,
    apply: Apply,
    *,
    tell: Callable[[Step | Pace], None],
    goes_on: GoesOn,
    stop: threading.Event,
) -> tuple[tuple[Result, ...], Halt | None]:
    """The results of all stacks, in the plan's order. Without a rollout all at once, and a failure stops nothing.

    A stack that nothing was done to has the ending "not started": with a problem, the same for all of them, after a
    failure, and with none after a pause. goes_on: is asked between groups only, in the thread that calls.
    """
    if not plan.rollout:
        return apply(plan.stacks, tell=tell, stop=stop), None
    rollout, results, halt = plan.rollout, dict[str, Result](), None
    counted = _Counted(tell, stop, rollout.stop_after)
    group_of = rollout.by_part((*(stack.part for stack in plan.stacks), *(each.name for each in plan.waiting)))
    for number, group in enumerate(rollout.groups):
        stacks = tuple(stack for stack in plan.stacks if group_of[stack.part] is group)
        if stacks:
            results |= {result.stack.name: result for result in apply(stacks, tell=counted.tell, stop=counted)}
        if stop.is_set():
            continue  # with what says of each that the run was stopped before
        later = _left(group_of, rollout.groups[number + 1 :])
        if any(results[stack.name].ending in ("failed", "not started") for stack in stacks):
            halt = _failed(group, [results[stack.name] for stack in stacks], later, counted)
            break
        is_whole = not {each.name for each in plan.waiting}.intersection(group.tenants)
        if group.pauses and later and is_whole and not goes_on(group, bool(stacks)) and not stop.is_set():
            halt = Halt(group.name, "pauses", later)
            break
    problems = (halt.problem,) if halt and halt.problem else ()
    for stack in plan.stacks:
        if halt and (stack.name not in results or results[stack.name].ending == "stopped"):
            results[stack.name] = Result(stack, problems, "not started")
    return tuple(results[stack.name] for stack in plan.stacks), halt


def left_to_verify(plan: Plan, waiting: Collection[Waiting], halt: Halt | None) -> tuple[str, ...]:
    """What of a plan is to be as the file says now: neither left untouched nor waiting."""
    names = [*(tenant.name for tenant in plan.tenants), *([PAUSE_SCHEDULE] if plan.schedule else [])]
    others = {each.name for each in waiting} | (halt.names if halt else set())
    return tuple(name for name in names if name not in others)


class _Counted(threading.Event):
    """The stop of a run with `stop_after`: set by the run's own, and once so many tenants have failed."""

    def __init__(self, tell: Callable[[Step | Pace], None], stop: threading.Event, limit: int | None) -> None:
        super().__init__()
        self.limit, self._tell, self._stop, self._failed = limit, tell, stop, set[str]()

    @property
    def is_over(self) -> bool:
        """Whether so many have failed."""
        return super().is_set()

    def tell(self, step: Step | Pace) -> None:
        """Counts what has failed before anybody hears of it, so before its thread goes on with another stack."""
        ending = step.result.ending if isinstance(step, Step) and step.result else None
        if ending == "failed" and isinstance(step, Step):
            self._failed.add(step.stack.name)
            if self.limit and len(self._failed) >= self.limit:
                self.set()
        if ending != "stopped" or not self.is_over:  # of those it is told together
            self._tell(step)

    def is_set(self) -> bool:
        return super().is_set() or self._stop.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        ends = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _NOTICED_SECONDS if ends is None else min(_NOTICED_SECONDS, ends - time.monotonic())
            if left <= 0:
                break
            super().wait(left)
        return self.is_set()


def _left(group_of: Mapping[str, PlannedGroup], groups: Sequence[PlannedGroup]) -> tuple[PlannedGroup, ...]:
    """Groups of which something is to be deployed, or waits, with that alone. group_of: of all such things."""
    left = (group._replace(tenants=tuple(it for it, of in group_of.items() if of is group)) for group in groups)
    return tuple(group for group in left if group.tenants)


def _failed(
    group: PlannedGroup, results: Sequence[Result], later: tuple[PlannedGroup, ...], counted: _Counted
) -> Halt | None:
    """What a failure in a group keeps from being touched; None if that is nothing."""
    unbegun = tuple(result.stack.part for result in results if result.ending == "stopped")
    untouched = (*([group._replace(tenants=unbegun)] if unbegun else []), *later)
    if not untouched:
        return None
    halt = Halt(group.name, "failed", untouched)
    failed = [result.stack.part for result in results if result.ending in ("failed", "not started")]
    why = f"failed: {_listed(failed)}{f'; stop_after is {counted.limit}' if counted.is_over else ''}"
    return replace(halt, problem=Problem("group-failed", halt.said, why, "mend that, and apply again"))


def _untouched(groups: Sequence[PlannedGroup]) -> str:
    """`12 tenants of group rest and the pause schedule were not touched`."""
    tenants = sum(name != PAUSE_SCHEDULE for group in groups for name in group.tenants)
    named = " and ".join(f"group {group.name}" for group in groups if {*group.tenants} - {PAUSE_SCHEDULE})
    has_schedule = any(PAUSE_SCHEDULE in group.tenants for group in groups)
    parts = [f"{tenants:,} tenant{'' if tenants == 1 else 's'} of {named}"] if tenants else []
    parts += ["the pause schedule"] if has_schedule else []
    return f"{' and '.join(parts)} {'was' if tenants + has_schedule == 1 else 'were'} not touched"


def _listed(names: Sequence[str]) -> str:
    more = f", … ({len(names):,})" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
