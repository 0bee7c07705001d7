"""Runs what is planned for stacks: as many at once as are allowed, removals last; never MySQL itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol

from aurora_tenants.aws import stacks
from aurora_tenants.aws.handover import hand_over
from aurora_tenants.aws.importing import import_secrets
from aurora_tenants.aws.operations import StackBusy, Stopped
from aurora_tenants.aws.poller import poller_of
from aurora_tenants.aws.rate import Rate
from aurora_tenants.errors import AuroraTenantsError, AwsError, Problem
from aurora_tenants.lanes import Lanes
from aurora_tenants.lanes import Pace as Pace
from aurora_tenants.naming import DIGEST, REVISION
from aurora_tenants.revision import is_reached
from aurora_tenants.stack import Stack, StackPlan, Template
from aurora_tenants.status import state_of
from aurora_tenants.tenant.template import allowing_drops

# How often a stack is begun with that somebody else changes at the same time, and the pause, longer each time.
_ATTEMPTS, _AGAIN_SECONDS = 6, 1.0
# What an operation ends with that did what it should.
_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


class Deploy(Protocol):
    """Deploys a stack as `stacks.deploy` does."""

    def __call__(self, cloudformation: Any, plan: StackPlan, *, tell: stacks.Tell) -> bool: ...


# How a stack ended. elsewhere: another apply has brought it to where it should be. not started: what it needs has
# failed, or a group before its own, or the run pauses before it. stopped: there was no time or no will to begin it.
Ending = Literal["applied", "elsewhere", "failed", "not started", "stopped"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one stack ended. problems: empty when all went well. seconds: from its first operation to its end."""

    stack: StackPlan
    problems: tuple[Problem, ...] = ()
    ending: Ending = "applied"
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """What is happening to a stack now: an event of it, what it waits for in a sentence, or its end with a result.

    With none of these, it takes its place among those in flight: its first event is seen seconds later.
    """

    stack: StackPlan
    event: stacks.Event | None = None
    result: Result | None = None
    waits: str = ""


def apply(
    plans: Collection[StackPlan],
    cloudformation: Any,
    *,
    parallel: int,
    allow_drop: Collection[str],
    tell: Callable[[Step | Pace], None],
    after: Callable[[StackPlan], None] = lambda plan: None,
    take: Callable[[StackPlan], None] = lambda plan: None,
    deploy: Deploy = stacks.deploy,
    stop: threading.Event | None = None,
    rate: Rate | None = None,
    wait_seconds: float = 180.0,
) -> tuple[Result, ...]:
    """Runs every plan, removals after everything else; one failure stops no other. Results come in the given order.

    What moves from one stack to another leaves the first one before anything else happens. A plan that needs what
    others share comes after them. None is run when what it needs has failed.

    parallel: how many stacks are in flight at once. after: the last step of a stack; raises AwsError when it fails.
    take: what is done before secrets become a stack's; deploy: what brings a stack to its template. All four are called
    from the threads that work. stop: once it is set, nothing more begins, and what is in flight is followed to its end.
    rate: how fast CloudFormation is asked; while it throttles for long, fewer stacks are in flight. wait_seconds: how
    long a stack is waited for that somebody else is at.
    """
    stop = poller_of(cloudformation).stop = stop or threading.Event()
    lanes = Lanes(parallel, tell=tell)
    work = _Work(cloudformation, tell, after, lanes, stop, wait_seconds)
    bring = partial(run, cloudformation=cloudformation, allow_drop=allow_drop, take=take, deploy=deploy)
    results: dict[str, Result] = {}
    removals = [plan for plan in plans if plan.action == "delete"]
    others = [plan for plan in plans if plan.action != "delete"]
    late = [plan for plan in others if plan.needs]
    first = [
        replace(plan, template=plan.first) if plan.needs else plan for plan in others if plan.first or not plan.needs
    ]

    def tell_result(result: Result, *, is_last: bool) -> None:
        if is_last or not result.stack.needs or result.problems:  # there is another round for a late plan
            tell(Step(result.stack, result=result))

    # A stack that waits for somebody else has a thread, and no place among those that are in flight.
    pool = ThreadPoolExecutor(max_workers=2 * parallel, thread_name_prefix="stack")
    with pool, rate.watched(lanes.observe) if rate else nullcontext():
        try:
            give = partial(hand_over, cloudformation)
            giving = [pool.submit(work.brought, plan, give, is_whole=False) for plan in plans if plan.gifts]
            for given in (future.result() for future in as_completed(giving)):
                if given.problems:
                    results[given.stack.name] = given
            for group in (first, late, removals):
                todo = [_next(plan, results) for plan in group]
                ready = [plan for plan in todo if isinstance(plan, StackPlan)]
                for result in (plan for plan in todo if isinstance(plan, Result)):
                    results[result.stack.name] = result
                    tell(Step(result.stack, result=result))
                told = partial(tell_result, is_last=group is not first)
                futures = [pool.submit(work.brought, plan, bring, told=told) for plan in ready]
                for future in as_completed(futures):
                    result = future.result()
                    results[result.stack.name] = result
        except BaseException:
            # Interrupted: what is in flight comes to its end, nothing else begins.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(replace(results[plan.name], stack=plan) for plan in plans)


def run(
    plan: StackPlan,
    cloudformation: Any,
    *,
    tell: stacks.Tell,
    allow_drop: Iterable[str] = (),
    take: Callable[[StackPlan], None] = lambda plan: None,
    deploy: Deploy = stacks.deploy,
) -> None:
    """Brings one stack to its plan. Raises StackFailed, AwsError, StackBusy where somebody else is at it, Stopped."""
    is_there = plan.action == "delete" or (plan.action == "replace" and _is_to_replace(plan, cloudformation))
    if plan.action != "replace" or is_there:
        _allow_drops(plan, cloudformation, set(allow_drop), tell)
    if is_there:
        still = _still_to_replace if plan.action == "replace" else partial(_is_planned, plan)
        stacks.delete(cloudformation, plan.name, tell=tell, role_arn=plan.role_arn, still=still)
    if plan.imports:
        take(plan)
        import_secrets(cloudformation, plan, tell=tell)
    if plan.is_changed and plan.template:
        deploy(cloudformation, plan, tell=tell)


def _next(plan: StackPlan, results: Mapping[str, Result]) -> StackPlan | Result:
    """What is left to do of a plan in its round, or the result of one that cannot go on."""
    before = results.get(plan.name)
    if before and before.problems:
        return before
    failed = [name for name in (*plan.givers, *plan.needs) if name in results and results[name].problems]
    if failed:
        gives = "gives up" if failed[0] in plan.givers else "shares"
        what = f"{plan.about} was not deployed: it needs what stack {failed[0]} {gives}, and that failed"
        fix = "mend that first, and apply again"
        return Result(plan, (Problem("not-started", what, context=plan.about, fix=fix),), "not started")
    # What was made in the first round is there now: it is neither made again nor deleted.
    return replace(plan, action="update", status="", drops=()) if before else plan


def _stopped(plan: StackPlan) -> Result:
    what = f"{plan.about} was not deployed: the run was stopped before"
    return Result(plan, (Problem("stopped", what, context=plan.about, fix="apply again"),), "stopped")


def _of_plan(error: AuroraTenantsError, plan: StackPlan) -> tuple[Problem, ...]:
    return tuple(replace(problem, context=problem.context or plan.about) for problem in error.problems)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all stacks of a run have in common."""

    cloudformation: Any
    tell: Callable[[Step | Pace], None]
    after: Callable[[StackPlan], None]
    lanes: Lanes
    stop: threading.Event
    wait_seconds: float

    def brought(
        self,
        plan: StackPlan,
        bring: Callable[..., Any],
        *,
        is_whole: bool = True,
        told: Callable[[Result], None] = lambda result: None,
    ) -> Result:
        """How a plan ended, whatever somebody else did to its stack meanwhile.

        bring: is called with the plan and `tell`. is_whole: False if that is not all there is to do with it. told: is
        called with the result before another stack takes its place.
        """
        with ExitStack() as places:
            result = self._result(plan, bring, places, is_whole=is_whole)
            told(result)
        return result

    def _result(self, plan: StackPlan, bring: Callable[..., Any], places: ExitStack, *, is_whole: bool) -> Result:
        began = time.monotonic()
        try:
            ending = self._brought(plan, bring, places)
            if is_whole:
                self.after(plan)
        except Stopped:
            return replace(_stopped(plan), seconds=time.monotonic() - began)
        except AuroraTenantsError as error:
            return Result(plan, _of_plan(error, plan), "failed", time.monotonic() - began)
        return Result(plan, ending=ending, seconds=time.monotonic() - began)

    def _brought(self, plan: StackPlan, bring: Callable[..., Any], places: ExitStack) -> Ending:
        """Keeps the place that it has at the end. Raises Stopped, and AuroraTenantsError for any other failure."""
        about, until = plan, 0.0

        def tell(event: stacks.Event) -> None:
            self.tell(Step(about, event))

        for attempt in range(_ATTEMPTS):
            if self.stop.is_set():
                raise Stopped(*_stopped(plan).problems)
            try:
                places.enter_context(self.lanes.place(self.stop))
                if not self.stop.is_set():
                    self.tell(Step(plan))
                bring(plan, tell=tell)
                return "applied"
            except StackBusy as error:
                refused = error
                places.close()
            until = until or time.monotonic() + self.wait_seconds
            stack = self._awaited(plan, until)
            if is_as_wanted(stack, plan):
                return "elsewhere"
            is_made_again = plan.action == "create" and stack is not None and stacks.is_of(plan, stack)
            if is_made_again and stack and stack.status == "ROLLBACK_COMPLETE":
                plan = replace(plan, action="replace")
            plan = replace(plan, status=stack.status if stack else "")
            self.stop.wait(attempt * _AGAIN_SECONDS)
        raise AwsError(*refused.problems) from refused

    def _awaited(self, plan: StackPlan, until: float) -> Stack | None:
        """The stack as somebody else has left it. Raises AwsError where they are at it for too long, Stopped."""

        def waits(stack: Stack) -> None:
            self.tell(Step(plan, waits=f"waits for {stack.status} of somebody else"))

        seconds = max(0.0, until - time.monotonic())
        stack = stacks.await_idle(self.cloudformation, plan.name, seconds=seconds, waits=waits, stop=self.stop)
        if stack and stack.is_busy:
            if self.stop.is_set():
                raise Stopped(*_stopped(plan).problems)
            what = f"stack {stack.name} is {stack.status}: {stack.state.said}, by somebody else"
            why = f"it was waited for {self.wait_seconds:.0f} s"
            raise AwsError(Problem("stack-busy", what, why, "apply again once that has ended, or with a longer --wait"))
        return stack


def is_as_wanted(stack: Stack | None, plan: StackPlan) -> bool:
    """Whether somebody else has brought a stack to a plan. A revision may be later: they met a difference, too."""
    if stack is None or not plan.template:
        return stack is None and plan.action == "delete"
    if plan.action == "delete" or stack.status not in _WELL or not isinstance(plan.template, Template):
        return False
    others = {key: text for key, text in plan.parameters.items() if key != REVISION}
    return (
        stack.outputs.get(DIGEST) == plan.template.digest
        and others.items() <= stack.parameters.items()
        and is_reached(stack.revision, plan.parameters.get(REVISION, ""))
        and plan.tags.items() <= stack.tags.items()
        and plan.role_arn in ("", stack.role_arn)
    )


def _is_to_replace(plan: StackPlan, cloudformation: Any) -> bool:
    stack = stacks.read_stack(cloudformation, plan.name)
    if stack:
        stacks.require_idle(stack)
    return stack is not None and _still_to_replace(stack)


def _still_to_replace(stack: Stack) -> bool:
    """Whether it is still as the plan met it, and not what somebody else has made in its place."""
    return stack.is_only_to_delete


def _is_planned(plan: StackPlan, stack: Stack) -> bool:
    """Whether it is the stack that the plan has seen, and not one that somebody else has made since."""
    return plan.id in ("", stack.id)


def _allow_drops(plan: StackPlan, cloudformation: Any, allow_drop: Collection[str], tell: stacks.Tell) -> None:
    """Writes the permission to drop into the stack first: a Delete event carries the properties deployed last.

    A stack whose deletion failed takes no update; the permission was written before its deletion began.
    """
    allowed = set(plan.drops).intersection(allow_drop)
    if not allowed or (plan.status and not state_of(plan.status).takes_update):
        return
    before = stacks.read_stack(cloudformation, plan.name)
    if before is None or not _is_planned(plan, before):
        return
    stacks.require_idle(before)
    deployed = stacks.read_template(cloudformation, plan.name)
    try:
        template = allowing_drops(deployed, allowed)
    except (LookupError, TypeError, AttributeError) as error:
        what = f"the template of stack {plan.name} cannot be changed to let databases be dropped"
        why, fix = "it is not one of this program's", "leave --allow-drop out, and drop them by hand"
        raise AwsError(Problem("foreign-template", what, why, fix)) from error
    # Another revision would make every custom resource of a tenant that is to go converge once more.
    allowing = replace(plan, template=template, parameters=before.parameters)
    stacks.deploy(cloudformation, allowing, tell=tell)
