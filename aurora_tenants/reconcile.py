"""The loop: read, propose, refuse, deploy, verify. Values in and out; asking and telling is the operator's affair.

outcome = reconcile(Request(Path("tenants.yaml")), operator)
outcome.proposal.plan        what was to be done
outcome.problems             why not everything that the file says is so; empty when it is
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Protocol

from aurora_tenants import safety
from aurora_tenants.apply import Result, Step, apply
from aurora_tenants.aws.healing_secrets import healer
from aurora_tenants.aws.scaling import bring_to_hour
from aurora_tenants.aws.secrets import confirmed
from aurora_tenants.aws.usable import repair_command, with_repair
from aurora_tenants.errors import AuroraTenantsError, Breached, Problem, Refused
from aurora_tenants.fingerprint import Fingerprint, Place, fingerprint, with_plan
from aurora_tenants.in_groups import Halt, apply_in_groups
from aurora_tenants.inputs import Inputs, Reading, read_inputs, read_templates, read_world
from aurora_tenants.model import Configuration
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Plan, Proposal, is_about_schedule, make_plan, without_rotations_of_file
from aurora_tenants.rollout import PlannedGroup, before, group_number, members
from aurora_tenants.safety import Allowed
from aurora_tenants.schedule.cost import of_schedule
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.consent import without_consent
from aurora_tenants.tenant.ignored import ignored_breaches
from aurora_tenants.tenant.isolation import Breach, breaches, summed_up
from aurora_tenants.tenant.items import items_of_all
from aurora_tenants.tenant.notices import LEFT_OVER
from aurora_tenants.tenant.reasons import explain, unclear
from aurora_tenants.tenant.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. only: the tenants that it is about, all of them when empty. group: of the rollout, the one
    that it is about.

    acu_price: the user's own, instead of the known one. parallel: how many stacks may be in flight at once.
    located: called with account and region as soon as they are known, before anything else is asked of AWS.
    """

    file: Path
    region: str | None = None
    profile: str | None = None
    only: tuple[str, ...] = ()
    group: str | None = None
    reading: Reading = field(default_factory=Reading)
    allowed: Allowed = field(default_factory=Allowed)
    acu_price: Decimal | None = None
    parallel: int = 5
    located: Callable[[str, str], None] = lambda account, region: None

    def command(self, *, group: str | None) -> str:
        """The command line that applies the same, or a group of it."""
        file = [] if str(self.file) == "tenants.yaml" else ["--file", str(self.file)]
        tenants = [word for name in self.only for word in ("--tenant", name)] if not self.group else []
        return shlex.join(["aurora-tenants", "apply", *file, *tenants, *(["--group", group] if group else [])])


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went. results: of every stack. left: the proposal for what still differs, None when nothing does.

    halt: why groups of the rollout were left untouched. then: the command that goes on after a pause, or after a group
    that was applied alone; empty for none.
    """

    proposal: Proposal
    results: tuple[Result, ...] = ()
    left: Proposal | None = None
    problems: tuple[Problem, ...] = ()
    halt: Halt | None = None
    then: str = ""


class Operator(Protocol):
    """Whoever asked: is shown the proposal, asked before anything is changed, and told what happens meanwhile."""

    def show(self, proposal: Proposal) -> None: ...

    def confirm(self, proposal: Proposal) -> None:
        """Raises Refused for a no."""

    def watching(self, proposal: Proposal) -> AbstractContextManager[Callable[[Step], None]]:
        """Around the deployment; what it gives is called with every step, from the threads that work."""

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
    inputs = read(request)
    request = of_group(inputs, request)
    proposal = _propose_unmoved(inputs, request, require_unmoved) if require_unmoved else propose(inputs, request)
    operator.show(proposal)
    if proposal.refusals:
        raise Refused(*proposal.refusals)
    if not proposal.plan.stacks:
        return Outcome(proposal)
    operator.confirm(proposal)
    with operator.watching(proposal) as tell:
        outcome = deploy(inputs, proposal, request, tell, operator.goes_on)
    return outcome if outcome.problems else verify(inputs, outcome, request)


def preview(request: Request) -> Proposal:
    """What `reconcile` would do. Raises as it does."""
    inputs = read(request)
    return propose(inputs, of_group(inputs, request))


def preview_to_save(request: Request) -> tuple[Proposal, Fingerprint]:
    """As `preview`, with what it was made from. Raises as it does."""
    inputs = read(request)
    request = of_group(inputs, request)
    proposal = propose(inputs, request)
    return proposal, with_plan(fingerprint_of(inputs, request), proposal.plan)


def _propose_unmoved(inputs: Inputs, request: Request, require: Callable[[Fingerprint], None]) -> Proposal:
    now = fingerprint_of(inputs, request)
    require(now)
    proposal = propose(inputs, request)
    require(with_plan(now, proposal.plan))
    return proposal


def fingerprint_of(inputs: Inputs, request: Request) -> Fingerprint:
    """What was read, in digests; nothing more is read for it."""
    shared, configuration = inputs.shared, inputs.configuration
    place = Place(inputs.account, inputs.aws.region, shared.cluster_arn, configuration.cluster.stack)
    schedules = inputs.pause.entries if inputs.pause else ()
    return fingerprint(configuration, inputs.live, inputs.deployed, place, schedules, only=request.only)


def check_isolation(request: Request) -> tuple[Breach, ...]:
    """The breaches that ignore.users silences.

    Raises Breached with everybody else who can get into a database that is not theirs, or holds what no owner allows.
    """
    inputs = read(request, with_schedule=False, with_secrets=False)
    server, state = inputs.live
    found = breaches(inputs.configuration, state, server, master=inputs.deployed.master_user)
    told = {breach.identity for breach in found}
    held = {key: sentence for key, sentence in without_consent(state).items() if key not in told}
    if found or held:
        unshared = (safety.held_without_consent(account, name, text) for (account, name), text in held.items())
        raise Breached(*map(safety.breach_problem, summed_up(found, state, server)), *unshared)
    return ignored_breaches(inputs.configuration, state, server, inputs.deployed.master_user)


def read(request: Request, *, with_schedule: bool = True, with_secrets: bool = True) -> Inputs:
    """Everything that is compared; the pause schedule is left out where only some tenants are asked for.

    Raises InvalidFile, AwsError, DatabaseError.
    """
    return read_inputs(
        request.file,
        region=request.region,
        profile=request.profile,
        reading=request.reading,
        with_schedule=with_schedule and is_about_schedule(request.only),
        with_secrets=with_secrets,
        located=request.located,
        check=partial(_require_group, request.group),
    )


def _require_group(name: str | None, configuration: Configuration) -> None:
    if name is not None:
        group_number(configuration, name)


def of_group(inputs: Inputs, request: Request) -> Request:
    """The same, about what is of its group. Raises InvalidUsage for a tenant of another one."""
    if request.group is None:
        return request
    only = members(inputs.configuration, inputs.deployed.tenants, request.group, request.only)
    return replace(request, only=only)


def propose(inputs: Inputs, request: Request) -> Proposal:
    """The plan, and what there is to say of it. Raises Refused for a file that lost its tenants."""
    configuration, deployed, live = inputs.configuration, inputs.deployed, inputs.live
    if refused := safety.no_tenants(configuration, deployed, request.allowed):
        raise Refused(*refused)
    plan, secrets = _plan(inputs, request)
    if plan.rollout and request.group:
        plan = replace(plan, rollout=replace(plan.rollout, skipped=_skipped(inputs, request, request.group)))
    templates = read_templates(inputs.aws, (tenant.stack for tenant in unclear(plan.tenants)))
    plan = without_rotations_of_file(plan, templates, deployed, secrets)
    cost = None
    if inputs.pause and is_about_schedule(request.only):
        cost = of_schedule(configuration, inputs.aws.region, inputs.pause.cluster, acu_price=request.acu_price)
    lines = explain(plan.tenants, configuration, live, deployed, templates)
    return Proposal(
        plan,
        live,
        lines=lines,
        items=items_of_all(plan.tenants, lines, configuration, live, deployed, templates),
        dangers=safety.dangers(plan),
        refusals=(*plan.problems, *safety.not_deployable(deployed), *safety.not_allowed(plan, request.allowed)),
        cost=cost,
        woke_cluster=inputs.woke,
        account=inputs.account,
        region=inputs.aws.region,
    )


def _plan(inputs: Inputs, request: Request) -> tuple[Plan, Secrets | None]:
    """The plan, and the secrets as they are: what seems to differ is looked at once more, since lists may be old."""
    secrets = inputs.secrets
    make = partial(make_plan, inputs.configuration, inputs.live, inputs.deployed, pause=inputs.pause, only=request.only)
    plan = make(secrets=secrets)
    doubtful = {drift.secret for tenant in plan.tenants for drift in tenant.secrets}
    if not secrets or not doubtful:
        return plan, secrets
    secrets = confirmed(inputs.aws, inputs.configuration.cluster, secrets, doubtful)
    return make(secrets=secrets), secrets


def _skipped(inputs: Inputs, request: Request, group: str) -> tuple[PlannedGroup, ...]:
    """The groups before this one, with those of their tenants that something would happen to."""
    names = before(inputs.configuration, inputs.deployed.tenants, group)
    if not names:
        return ()
    plan, _ = _plan(inputs, replace(request, only=names, group=None))
    return plan.rollout.those({tenant.name for tenant in plan.changed}) if plan.rollout else ()


def deploy(
    inputs: Inputs,
    proposal: Proposal,
    request: Request,
    tell: Callable[[Step], None],
    goes_on: Callable[[PlannedGroup, bool], bool],
) -> Outcome:
    """Runs the plan's stacks; with the pause schedule's, the cluster comes to what the schedule says of this hour."""
    plan, cluster_arn = proposal.plan, inputs.shared.cluster_arn

    def after(stack: StackPlan) -> None:
        if plan.schedule and plan.schedule.schedule and stack is plan.schedule.stack:
            bring_to_hour(inputs.aws, plan.schedule.schedule, cluster_arn)

    healing = healer(inputs.aws, inputs.shared, plan.tenants)
    healing.before_moving(plan.stacks)
    apply_these = partial(
        apply,
        cloudformation=inputs.aws.cloudformation,
        parallel=request.parallel,
        allow_drop=request.allowed.drops,
        after=after,
        take=healing.take,
        deploy=healing.deploy,
    )
    results, halt = apply_in_groups(
        plan,
        apply_these,
        tell=tell,
        goes_on=goes_on,
        stop=threading.Event(),
        command=request.command(group=request.group),
    )
    problems = dict.fromkeys(problem for result in results for problem in result.problems)
    explained = (with_repair(problem, inputs.shared.stack) for problem in problems)
    return Outcome(proposal, results, problems=tuple(explained), halt=halt, then=_then(plan, request, halt))


def _then(plan: Plan, request: Request, halt: Halt | None) -> str:
    """The command that goes on where nothing has failed; empty where nothing is left to go on with."""
    if halt:
        return request.command(group=halt.next_group) if halt.why == "pauses" else ""
    following = plan.rollout.following if plan.rollout and request.group else ""
    return request.command(group=following) if following else ""


def verify(inputs: Inputs, outcome: Outcome, request: Request) -> Outcome:
    """Reads everything back: what was applied must be there, and a difference now is an error, not a later surprise."""
    if outcome.halt:
        request = replace(request, only=_touched(outcome), group=None)
        if not request.only:
            return outcome
    try:
        again = read_world(
            inputs.aws,
            inputs.configuration,
            request.reading,
            account=inputs.account,
            with_schedule=is_about_schedule(request.only),
        )
        there = {tenant.name for tenant in again.configuration.tenants} | again.deployed.tenants.keys()
        there.add(PAUSE_SCHEDULE)
        only = tuple(name for name in request.only if name in there)  # without those that were removed
        if request.only and not only:
            return outcome
        left = propose(again, replace(request, only=only))
    except AuroraTenantsError as error:
        problems = (Problem("not-read-back", "applied, but could not read back"), *error.problems)
        return replace(outcome, problems=problems)
    if lost := _lost(outcome.proposal.plan, left.plan):
        return replace(outcome, problems=lost)
    if left.plan.stacks or left.plan.problems:
        return replace(outcome, left=left, problems=(_not_converged(left.plan), *left.plan.problems))
    return outcome


def _touched(outcome: Outcome) -> tuple[str, ...]:
    """The tenants that something was done to."""
    return tuple(result.stack.part for result in outcome.results if result.ending in ("applied", "elsewhere"))


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
