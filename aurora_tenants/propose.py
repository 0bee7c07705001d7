"""What would be done: everything that is compared is read, and a plan made of it; nothing is changed.

inputs = read(request)
propose(inputs, request).plan       what there is to do, and what there is to say of it
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from aurora_tenants import safety
from aurora_tenants.aws.secrets import confirmed
from aurora_tenants.errors import Breached, Refused
from aurora_tenants.fingerprint import Fingerprint, Place, fingerprint, with_plan
from aurora_tenants.inputs import Inputs, Reading, read_inputs, read_templates
from aurora_tenants.plan import Plan, Proposal, is_about_schedule, make_plan, without_rotations_of_file
from aurora_tenants.rollout import PlannedGroup, before, members, require_group
from aurora_tenants.safety import Allowed
from aurora_tenants.schedule.cost import of_schedule
from aurora_tenants.tenant.consent import without_consent
from aurora_tenants.tenant.isolation import Breach, judged, summed_up
from aurora_tenants.tenant.items import items_of_all
from aurora_tenants.tenant.reasons import explain, unclear
from aurora_tenants.tenant.rotation_notices import hosted_secret
from aurora_tenants.tenant.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. only: the tenants that it is about, all of them when empty. group: of the rollout, the one
    that it is about.

    acu_price: the user's own, instead of the known one. parallel: how many stacks may be in flight at once. account:
    the number of the one that has to answer, which `located` sees to; None for the file's, or whichever does.
    located: called with account and region as soon as they are known, before anything else of AWS is told. stop: once
    it is set, nothing more begins, and nothing more is waited for but what is in flight.
    snapshot_seconds: how long a snapshot may take that is made before a drop. told: called with a sentence for each
    thing that is done beside the stacks.
    """

    file: Path
    region: str | None = None
    profile: str | None = None
    only: tuple[str, ...] = ()
    group: str | None = None
    reading: Reading = field(default_factory=Reading)
    allowed: Allowed = field(default_factory=Allowed)
    acu_price: Decimal | None = None
    parallel: int = 15
    account: str | None = None
    located: Callable[[str, str], None] = lambda account, region: None
    stop: threading.Event = field(default_factory=threading.Event)
    snapshot_seconds: float = 3600.0
    told: Callable[[str], None] = lambda _: None


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


def propose_unmoved(inputs: Inputs, request: Request, require: Callable[[Fingerprint], None]) -> Proposal:
    """As `propose`. require: raises Refused unless everything is as when a plan was saved."""
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
    found, ignored = judged(inputs.configuration, state, server, master=inputs.deployed.master_user)
    told = {breach.identity for breach in found}
    held = {key: sentence for key, sentence in without_consent(state).items() if key not in told}
    if found or held:
        unshared = (safety.held_without_consent(account, name, text) for (account, name), text in held.items())
        raise Breached(*map(safety.breach_problem, summed_up(found, state, server)), *unshared)
    return ignored


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
        check=partial(require_group, name=request.group),
        expected=request.account,
    )


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
    plan, secrets = compare(inputs, request.only)
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


def compare(inputs: Inputs, only: Collection[str] = (), *, most_looks: float = math.inf) -> tuple[Plan, Secrets | None]:
    """The plan, and the secrets as they are: what seems to differ is looked at once more, since lists may be old.

    only: as `Request.only`. most_looks: where more secrets than this seem to differ, they are taken as they are listed.
    """
    secrets = inputs.secrets
    make = partial(make_plan, inputs.configuration, inputs.live, inputs.deployed, pause=inputs.pause, only=only)
    plan = make(secrets=secrets)
    doubtful = {drift.secret for tenant in plan.tenants for drift in tenant.secrets}
    if secrets and not secrets.hosted:
        doubtful |= {hosted_secret(inputs.configuration, only)} - {""}
    if not secrets or not doubtful or len(doubtful) > most_looks:
        return plan, secrets
    secrets = confirmed(inputs.aws, inputs.configuration.cluster, secrets, doubtful)
    return make(secrets=secrets), secrets


def _skipped(inputs: Inputs, request: Request, group: str) -> tuple[PlannedGroup, ...]:
    """The groups before this one, with those of their tenants that something would happen to, or may."""
    names = before(inputs.configuration, inputs.deployed.tenants, group)
    if not names:
        return ()
    plan, _ = compare(inputs, names)
    differ = {tenant.name for tenant in plan.changed} | {each.name for each in plan.waiting}
    return plan.rollout.those(differ) if plan.rollout else ()
