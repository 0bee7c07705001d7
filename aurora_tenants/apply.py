"""Runs what is planned for stacks: as many at once as are allowed, removals last; never MySQL itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol

from aurora_tenants.aws import stacks
from aurora_tenants.aws.handover import hand_over
from aurora_tenants.aws.importing import import_secrets
from aurora_tenants.errors import AuroraTenantsError, AwsError, Problem
from aurora_tenants.stack import StackPlan
from aurora_tenants.status import state_of
from aurora_tenants.tenant.template import allowing_drops


class Deploy(Protocol):
    """Deploys a stack as `stacks.deploy` does."""

    def __call__(self, cloudformation: Any, plan: StackPlan, *, tell: stacks.Tell) -> bool: ...


# How a stack ended. elsewhere: another apply has brought it to where it should be. not started: what it needs has
# failed. stopped: there was no time or no will to begin it.
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
    """What is happening to a stack now: an event of it, what it waits for in a sentence, or its end with a result."""

    stack: StackPlan
    event: stacks.Event | None = None
    result: Result | None = None
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """AWS throttles: so many of CloudFormation's calls of the last ten seconds, and so many stacks are in flight at
    most from now on."""

    throttled: int
    calls: int
    parallel: int


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
) -> tuple[Result, ...]:
    """Runs every plan, removals after everything else; one failure stops no other. Results come in the given order.

    What moves from one stack to another leaves the first one before anything else happens. A plan that needs what
    others share comes after them. None is run when what it needs has failed.

    parallel: how many stacks are in flight at once. after: the last step of a stack; raises AwsError when it fails.
    take: what is done before secrets become a stack's; deploy: what brings a stack to its template. All four are called
    from the threads that work. stop: once it is set, nothing more begins, and what is in flight is followed to its end.
    """
    stop = stop or threading.Event()
    results: dict[str, Result] = {}
    removals = [plan for plan in plans if plan.action == "delete"]
    others = [plan for plan in plans if plan.action != "delete"]
    late = [plan for plan in others if plan.needs]
    first = [
        replace(plan, template=plan.first) if plan.needs else plan for plan in others if plan.first or not plan.needs
    ]

    def run_and_tell(plan: StackPlan, *, is_last: bool) -> Result:
        """In the thread that worked, so before anything is told of the stack that it goes on with."""
        if stop.is_set():
            return _stopped(plan)
        result = _result(plan, cloudformation, allow_drop, tell, after, partial(run, take=take, deploy=deploy))
        if is_last or not plan.needs or result.problems:  # there is another round for a late plan
            tell(Step(plan, result=result))
        return result

    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="stack") as pool:
        try:
            giving = [pool.submit(_handed_over, plan, cloudformation, tell) for plan in plans if plan.gifts]
            for failed in (future.result() for future in as_completed(giving)):
                if failed:
                    results[failed.stack.name] = failed
            for group in (first, late, removals):
                todo = [_next(plan, results) for plan in group]
                ready = [plan for plan in todo if isinstance(plan, StackPlan)]
                for result in (plan for plan in todo if isinstance(plan, Result)):
                    results[result.stack.name] = result
                    tell(Step(result.stack, result=result))
                futures = [pool.submit(run_and_tell, plan, is_last=group is not first) for plan in ready]
                for future in as_completed(futures):
                    result = future.result()
                    results[result.stack.name] = result
        except BaseException:
            # Interrupted: what is in flight comes to its end, nothing else begins.
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
    """Brings one stack to its plan. Raises StackFailed, AwsError."""
    _allow_drops(plan, cloudformation, set(allow_drop), tell)
    if plan.action in ("delete", "replace"):
        stacks.delete(cloudformation, plan.name, tell=tell, role_arn=plan.role_arn)
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


def _handed_over(plan: StackPlan, cloudformation: Any, tell: Callable[[Step], None]) -> Result | None:
    """Has a stack let go of what moves to others. Returns how that failed, and None if it did not."""
    try:
        hand_over(cloudformation, plan, tell=lambda event: tell(Step(plan, event)))
    except AuroraTenantsError as error:
        return Result(plan, _of_plan(error, plan), "failed")
    return None


def _stopped(plan: StackPlan) -> Result:
    what = f"{plan.about} was not deployed: the run was stopped before"
    return Result(plan, (Problem("stopped", what, context=plan.about, fix="apply again"),), "stopped")


def _of_plan(error: AuroraTenantsError, plan: StackPlan) -> tuple[Problem, ...]:
    return tuple(replace(problem, context=problem.context or plan.about) for problem in error.problems)


def _result(
    plan: StackPlan,
    cloudformation: Any,
    allow_drop: Collection[str],
    tell: Callable[[Step], None],
    after: Callable[[StackPlan], None],
    run: Callable[..., None],
) -> Result:
    began = time.monotonic()
    try:
        run(plan, cloudformation, tell=lambda event: tell(Step(plan, event)), allow_drop=allow_drop)
        after(plan)
    except AuroraTenantsError as error:
        return Result(plan, _of_plan(error, plan), "failed", time.monotonic() - began)
    return Result(plan, seconds=time.monotonic() - began)


def _allow_drops(plan: StackPlan, cloudformation: Any, allow_drop: Collection[str], tell: stacks.Tell) -> None:
    """Writes the permission to drop into the stack first: a Delete event carries the properties deployed last.

    A stack whose deletion failed takes no update; the permission was written before its deletion began.
    """
    allowed = set(plan.drops).intersection(allow_drop)
    if not allowed or (plan.status and not state_of(plan.status).takes_update):
        return
    deployed = stacks.read_template(cloudformation, plan.name)
    try:
        template = allowing_drops(deployed, allowed)
    except (LookupError, TypeError, AttributeError) as error:
        what = f"the template of stack {plan.name} cannot be changed to let databases be dropped"
        why, fix = "it is not one of this program's", "leave --allow-drop out, and drop them by hand"
        raise AwsError(Problem("foreign-template", what, why, fix)) from error
    # Another revision would make every custom resource of a tenant that is to go converge once more.
    before = stacks.read_stack(cloudformation, plan.name)
    parameters = before.parameters if before else {}
    allowing = replace(plan, template=template, parameters=parameters)
    stacks.deploy(cloudformation, allowing, tell=tell)
