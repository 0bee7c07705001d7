"""The loop: read, propose, refuse, deploy, verify. Values in and out; asking and telling is the operator's affair.

outcome = reconcile(Request(Path("tenants.yaml")), operator)
outcome.proposal.plan        what was to be done
outcome.problems             why not everything that the file says is so; empty when it is

What is in the middle of an operation is waited for beside the rest, read again when that has ended, and proposed anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from aurora_tenants.apply import Pace, Result, Step, apply
from aurora_tenants.aws import leftovers, snapshots
from aurora_tenants.aws.healing_secrets import healer
from aurora_tenants.aws.resting import await_rest
from aurora_tenants.aws.scaling import bring_to_hour
from aurora_tenants.aws.usable import repair_command, with_repair
from aurora_tenants.errors import AuroraTenantsError, Problem, Refused
from aurora_tenants.fingerprint import Fingerprint
from aurora_tenants.in_groups import Halt, apply_in_groups, left_to_verify
from aurora_tenants.inputs import Inputs, read_world
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Plan, Proposal, is_about_schedule
from aurora_tenants.propose import Request, of_group, propose, propose_unmoved, read
from aurora_tenants.rollout import PlannedGroup
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.busy import Waiting, left_busy, not_reviewed
from aurora_tenants.tenant.drops import Drop
from aurora_tenants.tenant.notices import LEFT_OVER


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went. results: of every stack. left: the proposal for what still differs, None when nothing does.

    waiting: what somebody else's operation was under way on to the end. later: the proposals for what had to wait, in
    their order. is_interrupted: whoever asked has ended it before its end. halt: why groups of the rollout were left.
    """

    proposal: Proposal
    results: tuple[Result, ...] = ()
    left: Proposal | None = None
    problems: tuple[Problem, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    later: tuple[Proposal, ...] = ()
    is_interrupted: bool = False
    halt: Halt | None = None

    def and_then(self, after: Outcome) -> Outcome:
        """Both together, where the other one came after this."""
        return Outcome(
            self.proposal,
            (*self.results, *after.results),
            after.left or self.left,
            (*self.problems, *after.problems),
            after.waiting,
            (*self.later, after.proposal, *after.later),
            self.is_interrupted or after.is_interrupted,
            after.halt,
        )

    def with_problems(self, *problems: Problem) -> Outcome:
        """The same with these besides."""
        return replace(self, problems=(*self.problems, *problems))


class Operator(Protocol):
    """Whoever asked: is shown the proposal, asked before anything is changed, and told what happens meanwhile."""

    def show(self, proposal: Proposal) -> None: ...

    def confirm(self, proposal: Proposal) -> None:
        """Raises Refused for a no."""

    def watching(self, proposal: Proposal) -> AbstractContextManager[Callable[[Step | Pace], None]]:
        """Around the deployment; what it gives is called with every step, from the threads that work."""

    def waiting(self, those: Sequence[Waiting]) -> AbstractContextManager[Callable[[Mapping[str, str]], None]]:
        """Around a wait for these; what it gives is called with the status of the stacks that are still busy."""

    def goes_on(self, group: PlannedGroup, had_changes: bool) -> bool:
        """Asked, while it watches, after a group that pauses. had_changes: something was deployed in it just now."""


def reconcile(
    request: Request, operator: Operator, require_unmoved: Callable[[Fingerprint], None] | None = None
) -> Outcome:
    """Brings CloudFormation, and MySQL through it, to what the file says.

    require_unmoved: raises Refused unless everything is as when a plan was saved; it is told what the inputs are before
    a plan is made of them, and again with what is planned.
    Raises InvalidFile, InvalidUsage, AwsError, DatabaseError, Refused; nothing was changed then.
    """
    until = time.monotonic() + request.reading.wait_seconds
    request = replace(request, reading=replace(request.reading, awaits_shared=True))
    inputs = read(request)
    request = of_group(inputs, request)
    proposal = propose_unmoved(inputs, request, require_unmoved) if require_unmoved else propose(inputs, request)
    outcome = _applied(inputs, proposal, request, operator)
    if outcome.waiting and require_unmoved:
        return outcome.with_problems(*map(not_reviewed, outcome.waiting))
    goes_on = _goes_on(outcome)
    while goes_on:
        outcome, goes_on = _after_a_wait(inputs, outcome, request, operator, until)
    return outcome.with_problems(*_left_busy(outcome))


def _applied(inputs: Inputs, proposal: Proposal, request: Request, operator: Operator) -> Outcome:
    """What became of a proposal once it was shown and agreed to. Raises Refused, and whatever deploying does."""
    operator.show(proposal)
    if proposal.refusals:
        raise Refused(*proposal.refusals)
    if not proposal.plan.stacks:
        _clean(inputs, proposal.plan, request)
        return Outcome(proposal, waiting=proposal.plan.waiting)
    operator.confirm(proposal)
    _clean(inputs, proposal.plan, request)
    if not proposal.plan.rollout:  # in groups, each that drops something has its own
        _save(inputs, proposal.plan.saved_first, request, request.stop)
    with operator.watching(proposal) as tell:
        outcome = deploy(inputs, proposal, request, tell, operator.goes_on)
    if request.stop.is_set():
        return replace(outcome, is_interrupted=True)
    return outcome if outcome.problems else verify(inputs, outcome, request)


def _after_a_wait(
    inputs: Inputs, outcome: Outcome, request: Request, operator: Operator, until: float
) -> tuple[Outcome, bool]:
    """Waits until all have come to rest that others wait for, or the time is over; then applies what can be planned.

    The bool: whether there is more to wait for. A failure takes nothing back of what was applied before.
    """
    is_last = time.monotonic() >= until
    awaited = {name for each in outcome.waiting for name in each.awaits}
    try:
        with operator.waiting(outcome.waiting) as tell:
            busy = await_rest(inputs.aws.cloudformation, awaited, until=until, stop=request.stop, tell=tell)
        outcome = replace(outcome, waiting=tuple(each.now(busy) for each in outcome.waiting))
        if request.stop.is_set():
            return replace(outcome, is_interrupted=True), False
        outcome = _with_rested(inputs, outcome, request, operator)
    except AuroraTenantsError as error:
        return replace(outcome.with_problems(*error.problems), is_interrupted=request.stop.is_set()), False
    except KeyboardInterrupt:
        return replace(outcome, is_interrupted=True), False
    return outcome, _goes_on(outcome) and not is_last


def _goes_on(outcome: Outcome) -> bool:
    is_over = outcome.is_interrupted or outcome.halt or _is_held_back(outcome)
    return bool(outcome.waiting) and not is_over


def _is_held_back(outcome: Outcome) -> bool:
    """Whether groups still wait after one that has failed or pauses, and that had to wait itself."""
    if not any(each.is_held_back for each in outcome.waiting):
        return False
    rollout = outcome.later[-1].plan.rollout if outcome.later else None
    return bool(outcome.problems) or bool(rollout and any(group.pauses for group in rollout.groups))


def _with_rested(inputs: Inputs, before: Outcome, request: Request, operator: Operator) -> Outcome:
    """What became of those that have come to rest, read and planned again. Raises as `reconcile`."""
    resting = [each.name for each in before.waiting if not each.awaits]
    if not resting:
        return before
    still = tuple(each for each in before.waiting if each.awaits)
    again = _read_again(inputs, request, with_schedule=PAUSE_SCHEDULE in resting)
    only = _still_there(again, resting)
    if not only:
        return replace(before, waiting=still)  # they were removed
    those = replace(request, only=only)
    after = _applied(again, propose(again, those), those, operator)
    return before.and_then(replace(after, waiting=(*still, *after.waiting)))


def _left_busy(outcome: Outcome) -> Iterator[Problem]:
    applied = {result.stack.part for result in outcome.results if result.ending in ("applied", "elsewhere")}
    return (left_busy(each, is_applied=each.name in applied) for each in outcome.waiting)


def _save(inputs: Inputs, drops: Sequence[Drop], request: Request, stop: threading.Event) -> None:
    """Makes a snapshot of the cluster if these are any. Raises AwsError unless it is available in time."""
    if drops:
        place = inputs.aws, inputs.configuration.cluster, inputs.shared.cluster_arn
        seconds, tell = request.snapshot_seconds, request.told
        snapshots.make(*place, drops, wait_seconds=seconds, tell=tell, stop=stop)


def _clean(inputs: Inputs, plan: Plan, request: Request) -> None:
    """Deletes what earlier runs have left at stacks that nothing happens to; of the others nothing is left then."""
    stacks = [tenant.stack for tenant in plan.tenants] + ([plan.schedule.stack] if plan.schedule else [])
    unchanged = [stack.name for stack in stacks if not stack.is_changed]
    deployed = replace(inputs.deployed, waiting=()) if request.only else inputs.deployed
    leftovers.clean(inputs.aws.cloudformation, plan.cluster, deployed, unchanged, tell=request.told)


def deploy(
    inputs: Inputs,
    proposal: Proposal,
    request: Request,
    tell: Callable[[Step | Pace], None],
    goes_on: Callable[[PlannedGroup, bool], bool],
) -> Outcome:
    """Runs the plan's stacks; with the pause schedule's, the cluster comes to what the schedule says of this hour."""
    plan, cluster_arn = proposal.plan, inputs.shared.cluster_arn

    def after(stack: StackPlan) -> None:
        if plan.schedule and plan.schedule.schedule and stack is plan.schedule.stack:
            bring_to_hour(inputs.aws, plan.schedule.schedule, cluster_arn)

    healing = healer(inputs.aws, inputs.shared, plan.tenants)

    def apply_these(
        plans: Sequence[StackPlan], *, tell: Callable[[Step | Pace], None], stop: threading.Event
    ) -> tuple[Result, ...]:
        try:
            if plan.rollout and not stop.is_set():  # without a rollout, one was made before anything began
                parts = {stack.part for stack in plans}
                _save(inputs, [drop for drop in plan.saved_first if drop.tenant in parts], request, stop)
            if not stop.is_set():  # nothing of these begins then
                healing.before_moving(plans)
        except AuroraTenantsError as error:
            if not plan.rollout:
                raise
            # Groups before may be done.
            results = tuple(Result(stack, error.problems, "not started") for stack in plans)
            for result in results:
                tell(Step(result.stack, result=result))
            return results
        return apply(
            plans,
            inputs.aws.cloudformation,
            parallel=request.parallel,
            allow_drop=request.allowed.drops,
            tell=tell,
            after=after,
            take=healing.take,
            deploy=healing.deploy,
            stop=stop,
            rate=inputs.aws.rate,
            wait_seconds=request.reading.wait_seconds,
        )

    results, halt = apply_in_groups(plan, apply_these, tell=tell, goes_on=goes_on, stop=request.stop)
    problems = dict.fromkeys(problem for result in results for problem in result.problems)
    if halt and halt.problem:  # which has no result where all that was left waits
        problems[halt.problem] = None
    explained = (with_repair(problem, inputs.shared.stack) for problem in problems)
    waiting = tuple(each for each in plan.waiting if not halt or each.name not in halt.names)
    return Outcome(proposal, results, problems=tuple(explained), waiting=waiting, halt=halt)


def verify(inputs: Inputs, outcome: Outcome, request: Request) -> Outcome:
    """Reads everything back: what was applied must be there, and a difference now is an error, not a later surprise."""
    if outcome.halt or outcome.waiting:  # what is left is another run's affair, or a later pass's
        request = replace(request, only=left_to_verify(outcome.proposal.plan, outcome.waiting, outcome.halt))
        if not request.only:
            return outcome
    try:
        again = _read_again(inputs, request, with_schedule=is_about_schedule(request.only))
        only = _still_there(again, request.only)  # without those that were removed
        if request.only and not only:
            return outcome
        left = propose(again, replace(request, only=only))
    except AuroraTenantsError as error:
        problems = (Problem("not-read-back", "applied, but could not read back"), *error.problems)
        return replace(outcome, problems=problems)
    except KeyboardInterrupt:
        problem = Problem("not-read-back", "applied, and not read back: interrupted", fix="run: aurora-tenants plan")
        return replace(outcome, problems=(problem,), is_interrupted=True)
    outcome = replace(outcome, waiting=(*outcome.waiting, *left.plan.waiting))
    if lost := _lost(outcome.proposal.plan, left.plan):
        return replace(outcome, problems=lost)
    if left.plan.stacks or left.plan.problems:
        return replace(outcome, left=left, problems=(_not_converged(left.plan), *left.plan.problems))
    return outcome


def _read_again(inputs: Inputs, request: Request, *, with_schedule: bool) -> Inputs:
    return read_world(
        inputs.aws, inputs.configuration, request.reading, account=inputs.account, with_schedule=with_schedule
    )


def _still_there(inputs: Inputs, names: Collection[str]) -> tuple[str, ...]:
    """Those of these that the file has, or CloudFormation."""
    there = {tenant.name for tenant in inputs.configuration.tenants} | inputs.deployed.tenants.keys()
    return tuple(name for name in names if name in there or name == PAUSE_SCHEDULE)


def _lost(before: Plan, after: Plan) -> tuple[Problem, ...]:
    """What a stack should have dropped and did not, and names no more: no later apply would."""
    left_over = (notice for notice in after.notices if notice.code == LEFT_OVER and notice not in before.notices)
    return tuple(Problem(notice.code, notice.text) for notice in left_over)


def _not_converged(left: Plan) -> Problem:
    where = "MySQL" if left.changed or not left.stacks else "CloudFormation"
    what = f"applied, but {where} still differs: {', '.join(stack.part for stack in left.stacks)}"
    why = "somebody else changes it at the same time, or has changed the code of the shared stack's functions"
    fix = f"run: aurora-tenants plan; if it stays so, {repair_command(left.cluster.stack)}"
    return Problem("not-converged", what, why, fix)
