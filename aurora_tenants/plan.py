"""The difference between tenants.yaml and what MySQL and CloudFormation really hold. Pure.

make_plan(configuration, live, deployed, pause=pause)
Plan(cluster, tenants=(TenantPlan("shop-dev", …), …), schedule=SchedulePlan(…), notices=…, problems=…, isolation=…)
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aurora_tenants.errors import InvalidUsage, Notice, Problem
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.mysql.state import Live
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.rollout import RolloutPlan, in_order, membership, plan_rollout
from aurora_tenants.rollout import obstacles as obstacles_of_groups
from aurora_tenants.schedule.cost import Cost
from aurora_tenants.schedule.plan import LivePause, SchedulePlan, plan_schedule
from aurora_tenants.stack import Deployed, Shared, StackPlan, failed_rollback
from aurora_tenants.tenant.adopted import old_passwords
from aurora_tenants.tenant.afterwards import state_after
from aurora_tenants.tenant.busy import Waiting, of_schedule, waiting
from aurora_tenants.tenant.drops import Drop, drops_of
from aurora_tenants.tenant.ignored import ignored
from aurora_tenants.tenant.isolation import Isolation, compared, judged
from aurora_tenants.tenant.items import Item
from aurora_tenants.tenant.notices import notices
from aurora_tenants.tenant.obstacles import obstacles
from aurora_tenants.tenant.plan import TenantPlan, plan_tenants
from aurora_tenants.tenant.reasons import Line
from aurora_tenants.tenant.rotation_notices import hosted_problems, rotation_notices
from aurora_tenants.tenant.secrets import Secrets, is_of_rotation, not_tried, without_of_file
from aurora_tenants.tenant.watching import Watcher, new_watchers


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do. problems: what stands in its way; with any, nothing is applied.

    schedule: the pause schedule's part, None where there is none and was none. isolation: who can get into a database
    that is not theirs. deployed_count: how many tenants have a stack now; removals are weighed against it. is_partial:
    it is about some tenants alone. watchers: who could read others' statements, and cannot yet. waiting: what nothing
    can be planned for until an operation has ended; it is in no other field. rollout: the groups in which it is done,
    in whose order the tenants are; None for all at once.
    """

    cluster: Cluster
    tenants: tuple[TenantPlan, ...]
    schedule: SchedulePlan | None = None
    notices: tuple[Notice, ...] = ()
    problems: tuple[Problem, ...] = ()
    isolation: Isolation = field(default_factory=Isolation)
    deployed_count: int = 0
    is_partial: bool = False
    watchers: tuple[Watcher, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    rollout: RolloutPlan | None = None

    @property
    def changed(self) -> tuple[TenantPlan, ...]:
        """The tenants that something happens to."""
        return tuple(tenant for tenant in self.tenants if tenant.stack.is_changed)

    @property
    def stacks(self) -> tuple[StackPlan, ...]:
        """The stacks that something happens to, the pause schedule's last."""
        stacks = [tenant.stack for tenant in self.tenants] + ([self.schedule.stack] if self.schedule else [])
        return tuple(stack for stack in stacks if stack.is_changed)

    @property
    def saved_first(self) -> tuple[Drop, ...]:
        """The databases because of which a snapshot of the cluster is made first; none where none is made."""
        drops = drops_of(self.tenants) if self.cluster.snapshot_before_drop else ()
        return tuple(drop for drop in drops if drop.loses_data)

    @property
    def changes_schedule(self) -> bool:
        """Whether anything happens to the pause schedule."""
        return self.schedule is not None and self.schedule.stack.is_changed


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done, and what was compared for it.

    lines: the changes of each tenant with their reasons, by tenant. items: the same by object, as people read it, with
    what CloudFormation alone knows. dangers: what somebody should look at twice.
    refusals: why it is not applied as it is. cost: of the schedule of the file. woke_cluster: to see all this, a paused
    cluster was woken. account, region: of AWS, where it was read.
    """

    plan: Plan
    live: Live
    lines: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    items: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    dangers: tuple[Problem, ...] = ()
    refusals: tuple[Problem, ...] = ()
    cost: Cost | None = None
    woke_cluster: bool = False
    account: str = ""
    region: str = ""


def make_plan(
    configuration: Configuration,
    live: Live,
    deployed: Deployed,
    *,
    pause: LivePause | None = None,
    only: Collection[str] = (),
    secrets: Secrets | None = None,
) -> Plan:
    """The whole difference; with `only`, that of these tenants alone. Raises InvalidUsage for one that is nowhere.

    only: may name the pause schedule, which no tenant can be called like. pause: what there is of it; None where there
    is none, in the file or deployed. secrets: of the users; None where they were not read.
    """
    check_names(only, configuration, deployed)
    tenants, rollout = _in_groups(
        configuration, deployed, plan_tenants(configuration, live, deployed, only=only, secrets=secrets), bool(only)
    )
    shared = deployed.shared
    with_schedule = shared and pause and is_about_schedule(only)
    busy = (
        *waiting(tenants, deployed),
        *(of_schedule(deployed.pause_schedule, PAUSE_SCHEDULE) if with_schedule else ()),
    )
    busy = _in_turn(rollout, tenants, busy)
    names = {each.name for each in busy}
    tenants = tuple(tenant for tenant in tenants if tenant.name not in names)
    schedule = None
    if shared and pause and with_schedule and PAUSE_SCHEDULE not in names:
        schedule = plan_schedule(configuration.cluster, shared, deployed, pause)
    if schedule and schedule.stack.is_changed and rollout and busy:  # it comes after the last group
        awaits = tuple(dict.fromkeys(name for each in busy for name in each.awaits))
        stack = schedule.stack
        busy, schedule = (*busy, Waiting(stack.part, stack.name, stack.about, "", awaits, is_held_back=True)), None
    changes = [change for tenant in tenants for change in tenant.changes]
    afterwards = state_after(live.state, [tenant.desired for tenant in tenants], changes) if changes else live.state
    found = judged(configuration, afterwards, live.server, master=deployed.master_user)
    return Plan(
        configuration.cluster,
        tenants,
        schedule=schedule,
        notices=(
            *(_failed(shared) if shared and shared.has_failed else ()),
            *notices(configuration, tenants, live, deployed, is_partial=bool(only)),
            *ignored(configuration, afterwards, live.server, found.ignored, master=deployed.master_user, only=only),
            *(_of_secrets(secrets, tenants) if secrets else ()),
            *rotation_notices(configuration, secrets, _region(shared), only),
            *(schedule.notices if schedule else ()),
        ),
        problems=(
            *obstacles(configuration, tenants, live.state, deployed),
            *obstacles_of_groups(rollout, [tenant.stack for tenant in tenants]),
            *hosted_problems(configuration, secrets, only),
            *(schedule.problems if schedule else ()),
        ),
        isolation=compared(configuration, live, afterwards, found.breaches, master=deployed.master_user, only=only),
        deployed_count=len(deployed.tenants),
        is_partial=bool(only),
        watchers=new_watchers(live.state, afterwards, live.server) if changes else (),
        waiting=busy,
        rollout=rollout,
    )


def _in_groups(
    configuration: Configuration, deployed: Deployed, tenants: Iterable[TenantPlan], is_partial: bool
) -> tuple[tuple[TenantPlan, ...], RolloutPlan | None]:
    """The tenants in the order in which they are deployed, and their groups."""
    by_part = {tenant.stack.part: tenant for tenant in tenants}
    of = membership(configuration, deployed.tenants)
    stacks = in_order(of, (tenant.stack for tenant in by_part.values()))
    rollout = plan_rollout(configuration, of, stacks, is_partial=is_partial)
    return tuple(by_part[stack.part] for stack in stacks), rollout


def _in_turn(
    rollout: RolloutPlan | None, tenants: Iterable[TenantPlan], busy: Collection[Waiting]
) -> tuple[Waiting, ...]:
    """The same with what would be deployed before its turn: a group comes after all who wait in those before it."""
    if not rollout:
        return tuple(busy)
    group_of = rollout.by_part((*(tenant.name for tenant in tenants), *(each.name for each in busy)))
    own, held, before, waiting = list[Waiting](), list[Waiting](), dict[str, None](), {each.name for each in busy}
    for group in rollout.groups:
        awaited = tuple(before)
        for each in busy:
            if group_of[each.name] is group:
                before |= dict.fromkeys(each.awaits)
                awaits = tuple(dict.fromkeys((*each.awaits, *awaited)))
                own.append(replace(each, awaits=awaits, is_held_back=bool(awaited)))
        for tenant in tenants if awaited else ():
            stack = tenant.stack
            if group_of[tenant.name] is group and tenant.name not in waiting and stack.is_changed:
                is_removal = stack.action == "delete"
                held.append(Waiting(tenant.name, stack.name, stack.about, "", awaited, is_removal, is_held_back=True))
    return (*own, *held)


def is_about_schedule(only: Collection[str]) -> bool:
    """Whether a plan of these is one of the pause schedule as well."""
    return not only or PAUSE_SCHEDULE in only


def without_rotations_of_file(
    plan: Plan, templates: Mapping[str, Mapping[str, Any]], deployed: Deployed, secrets: Secrets | None
) -> Plan:
    """The same without rotations that only differ because the file changed. templates: as `explain` has them."""

    def told(tenant: TenantPlan) -> TenantPlan:
        resources = templates.get(tenant.name, {}).get("Resources")
        if not secrets or not resources or not any(map(is_of_rotation, tenant.secrets)):
            return tenant
        outputs = deployed.tenants[tenant.name].outputs
        return replace(tenant, secrets=without_of_file(tenant.secrets, resources, outputs, secrets))

    return replace(plan, tenants=tuple(map(told, plan.tenants)))


def _region(shared: Shared | None) -> str:
    return shared.cluster_arn.split(":")[3] if shared and shared.cluster_arn.count(":") > 3 else ""


def _failed(shared: Shared) -> tuple[Notice, ...]:
    problem = failed_rollback(shared.stack)
    return (Notice(problem.code, f"{problem.what}; {problem.why}; {problem.fix}"),)


def _of_secrets(secrets: Secrets, tenants: Iterable[TenantPlan]) -> Iterator[Notice]:
    if sentence := not_tried(secrets):
        yield Notice("logins-not-tried", sentence)
    for tenant in tenants:
        kept = tenant.desired.users.keys()
        yield from old_passwords((user for it, user in tenant.live.users.items() if it in kept), secrets)


def check_names(only: Iterable[str], configuration: Configuration, deployed: Deployed) -> None:
    """Raises InvalidUsage for a tenant that is neither in the file nor deployed."""
    known = {*(tenant.name for tenant in configuration.tenants), *deployed.tenants}
    for name in only:
        if name not in known and name != PAUSE_SCHEDULE:
            raise InvalidUsage(unknown_tenant(name, known))


def unknown_tenant(name: str, known: Collection[str]) -> Problem:
    """That there is no such tenant, with the nearest one that there is."""
    near = difflib.get_close_matches(name, known, 1)
    fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)[:10]) or 'none'}"
    return Problem("unknown-tenant", f"there is no tenant {name}", fix=fix)
