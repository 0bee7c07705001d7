"""The difference between tenants.yaml and what MySQL and CloudFormation really hold. Pure.

                 desired (the file)   deployed (CloudFormation)   live (MySQL)        action
new tenant       there                no stack                    nothing             create
changed file     another digest       stack                       as it was           update, origin "file"
drift            same digest          stack                       differs             update, origin "drift"
failed create    there                ROLLBACK_COMPLETE           perhaps a part      replace
gone tenant      not there            stack                       owned by the stack  delete
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from aurora_tenants import obstacles
from aurora_tenants.cost import Cost
from aurora_tenants.desired import Resources, claimed, resources_of, wanted
from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.explain import Line, Reliance, explained, places_of, reliances_on
from aurora_tenants.isolation import Summary, breaches, summed_up
from aurora_tenants.model import Cluster, Configuration, Deployed, Stack, Tenant
from aurora_tenants.mysql.changes import Change, drop_database, removal, subject
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import forget_owner, record_owner
from aurora_tenants.mysql.resource import changes_of_all
from aurora_tenants.mysql.state import Server, State
from aurora_tenants.notices import Notice, left_over, named_by_stacks, of_others
from aurora_tenants.outcome import outcome, renamed
from aurora_tenants.pause.plan import SchedulePlan
from aurora_tenants.template import DIGEST, DROP_ON_REMOVE, REVISION, digest_of, stack_name, template

Action = Literal["none", "create", "update", "replace", "delete"]


class Live(NamedTuple):
    """What MySQL holds, and what decides how its statements must be written."""

    server: Server
    state: State


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """What happens to one tenant. revision: the parameter that makes the provider look at MySQL again.

    origin: why there is something to do: the file changed, or MySQL drifted. drops: databases that would be dropped.
    desired: what MySQL holds for the tenant afterwards.
    """

    tenant: str
    stack: str
    action: Action
    origin: Literal["file", "drift"] = "file"
    lines: tuple[Line, ...] = ()
    template: str = ""
    revision: int = 1
    drops: tuple[str, ...] = ()
    status: str = ""
    desired: State = field(default_factory=State)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The lines without their reasons."""
        return tuple(line.change for line in self.lines)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do. problems: what stands in its way; with any, nothing is applied.

    breaches: who can get into a database that is not theirs and still could once the plan is applied; opened: who only
    then could. deployed: how many tenants have a stack now; removals are weighed against it. role_arn: what
    CloudFormation is to work with. is_partial: it is about some tenants alone. woke_cluster: to see all this, a
    paused cluster was woken. schedule: the pause schedule's part, None where there is none and was none. cost: of the
    schedule of the file.
    """

    cluster: Cluster
    tenants: tuple[TenantPlan, ...]
    notices: tuple[Notice, ...] = ()
    problems: tuple[Problem, ...] = ()
    deployed: int = 0
    role_arn: str = ""
    is_partial: bool = False
    breaches: tuple[Summary, ...] = ()
    opened: tuple[Summary, ...] = ()
    woke_cluster: bool = False
    schedule: SchedulePlan | None = None
    cost: Cost | None = None

    @property
    def todo(self) -> tuple[TenantPlan, ...]:
        """The tenants that something happens to."""
        return tuple(tenant for tenant in self.tenants if tenant.action != "none")

    @property
    def schedule_todo(self) -> SchedulePlan | None:
        """The pause schedule's part, if something happens to it."""
        return self.schedule if self.schedule and self.schedule.action != "none" else None

    @property
    def has_changes(self) -> bool:
        """Whether anything happens to anything."""
        return bool(self.todo or self.schedule_todo)


def make_plan(configuration: Configuration, live: Live, deployed: Deployed, *, only: Collection[str] = ()) -> Plan:
    """The whole difference; with `only`, that of these tenants alone. Raises InvalidUsage for one that is nowhere."""
    names = [tenant.name for tenant in configuration.tenants]
    _check_names(only, {*names, *deployed.tenants})
    plans: list[TenantPlan] = []
    problems: list[Problem] = []
    reliances, parts = reliances_on(live.state), _Parts(live.state)
    for tenant in configuration.tenants:
        if not only or tenant.name in only:
            made, wrong = _tenant(configuration.cluster, tenant, live, parts, deployed, reliances)
            plans.append(made)
            problems += [*wrong, *obstacles.taken(configuration.cluster, tenant.name, made.stack, deployed)]
            problems += obstacles.master(tenant, deployed)
    for name in sorted(deployed.tenants.keys() - set(names)):
        if not only or name in only:
            stack = deployed.tenants[name]
            plans.append(_gone(name, live._replace(state=parts.of(stack.name)), stack, reliances))
            problems += obstacles.busy(stack, f"tenant {name}")
    role_arn = deployed.shared.role_arn if deployed.shared else ""
    open_now, opened = _breaches(configuration, live, deployed, plans, only)
    return Plan(
        configuration.cluster,
        tuple(plans),
        tuple(_notices(configuration, live, deployed, plans, is_partial=bool(only))),
        tuple(problems),
        len(deployed.tenants),
        role_arn,
        bool(only),
        open_now,
        opened,
    )


def _breaches(
    configuration: Configuration, live: Live, deployed: Deployed, plans: Collection[TenantPlan], only: Collection[str]
) -> tuple[tuple[Summary, ...], tuple[Summary, ...]]:
    """Breaches that stay and breaches that are new, once these plans are applied; with `only`, of these tenants."""
    master = deployed.shared.master_user if deployed.shared else ""
    todo = [change for plan in plans for change in plan.changes]
    afterwards = outcome(live.state, [plan.desired for plan in plans], todo)
    found = [
        breach
        for breach in breaches(configuration, afterwards, live.server, master=master)
        if not only or breach.tenant in only or not set(breach.tenants).isdisjoint(only)
    ]
    there = breaches(configuration, live.state, live.server, master=master) if found and todo else found
    known = {breach[:2] for breach in there}
    stay = [breach for breach in found if breach[:2] in known]
    opened = [breach for breach in found if breach[:2] not in known]
    return summed_up(stay, afterwards, live.server), summed_up(opened, afterwards, live.server)


def _notices(
    configuration: Configuration, live: Live, deployed: Deployed, plans: Collection[TenantPlan], *, is_partial: bool
) -> Iterable[Notice]:
    handled = named_by_stacks(configuration, live.server)
    handled |= {(plan.stack, change.subject) for plan in plans for change in plan.changes}
    moved = renamed(live.state, [plan.desired for plan in plans])
    handled |= {(owner.stack, subject(account)) for account in moved if (owner := live.state.users[account].owner)}
    in_scope = {plan.stack for plan in plans}
    stacks = {stack.name for stack in deployed.tenants.values()}
    for stack, notice in left_over(configuration, live.state, handled):
        if stack in in_scope or (not is_partial and stack not in stacks):
            yield notice
    if not is_partial:
        yield from of_others(configuration, live.state, live.server, deployed)


def _check_names(only: Iterable[str], known: Collection[str]) -> None:
    for name in only:
        if name not in known:
            raise InvalidUsage(unknown_tenant(name, known))


def unknown_tenant(name: str, known: Collection[str]) -> Problem:
    """That there is no such tenant, with the nearest one that there is."""
    near = difflib.get_close_matches(name, known, 1)
    fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)[:10]) or 'none'}"
    return Problem("unknown-tenant", f"there is no tenant {name}", fix=fix)


class _Parts:
    """What one stack's plan needs to see of live, found without a look at everything for each of them."""

    def __init__(self, live: State) -> None:
        self._live = live
        self._users: dict[str, list[Account]] = {}
        self._grants: dict[Account, list[Grant]] = {}
        for account, user in live.users.items():
            self._users.setdefault(f"user {account.user}", []).append(account)
            if user.owner:
                self._users.setdefault(f"stack {user.owner.stack}", []).append(account)
        for grant in live.grants:
            self._grants.setdefault(grant.account, []).append(grant)

    def of(self, stack: str, users: Iterable[str] = ()) -> State:
        """All databases, the accounts of these user names, and those that the stack owns, with their grants."""
        keys = (f"stack {stack}", *(f"user {name}" for name in users))
        accounts = {account for key in keys for account in self._users.get(key, ())}
        grants = (grant for account in accounts for grant in self._grants.get(account, ()))
        return State(self._live.databases, {it: self._live.users[it] for it in accounts}, frozenset(grants))


def _tenant(
    cluster: Cluster,
    tenant: Tenant,
    everything: Live,
    parts: _Parts,
    deployed: Deployed,
    reliances: Mapping[str, Reliance],
) -> tuple[TenantPlan, list[Problem]]:
    name, text, stack = stack_name(cluster, tenant.name), template(cluster, tenant), deployed.tenants.get(tenant.name)
    resources = resources_of(text)
    asked = wanted(resources, name, everything.server)
    live = everything._replace(state=parts.of(name, {account.user for account in asked.users}))
    desired, refusals = claimed(asked, live.state, resources, stack.outputs if stack else ())
    problems = [obstacles.refusal(tenant.name, sentence) for sentence in refusals]
    problems += obstacles.too_long(tenant.name, desired)
    problems += obstacles.unknown_roles(tenant.name, desired, everything.state)
    problems += obstacles.undeployable(tenant, text)
    problems += () if refusals else obstacles.no_password(tenant.name, desired, live.state)
    todo = changes_of_all(desired, live.state, server=live.server)

    def planned(action: Action, todo: Collection[Change], before: State | None, **more: Any) -> TenantPlan:
        lines = _explained(tenant, desired, resources, live, before, todo, reliances) if todo else ()
        return TenantPlan(tenant.name, name, action, lines=lines, template=text, desired=desired, **more)

    if stack is None or not stack.was_begun:
        return planned("create", todo, None), problems
    problems += obstacles.busy(stack, f"tenant {tenant.name}")
    if stack.is_only_to_delete:
        drops: tuple[str, ...] = ()
        if stack.status != "ROLLBACK_COMPLETE":  # of which nothing is left
            removals, drops = _removals(live, stack, kept=State())
            todo = (*removals, *changes_of_all(desired, outcome(live.state, (), removals), server=live.server))
        return planned("replace", todo, None, drops=drops, status=stack.status), problems
    changed, drops, before = stack.outputs.get(DIGEST) != digest_of(text), (), asked
    if changed:
        removals, drops = _removals(live, stack, kept=desired)
        todo = (*todo, *removals)
        before = _deployed_state(deployed.templates.get(tenant.name), stack, live)
    needs_update = changed or todo or stack.status == "UPDATE_ROLLBACK_FAILED"
    revision = stack.parameters.get(REVISION, "")
    plan = planned(
        "update" if needs_update else "none",
        todo,
        before,
        origin="file" if changed else "drift",
        revision=(int(revision) if revision.isdecimal() else 0) + bool(todo),
        drops=drops,
        status=stack.status,
    )
    return plan, problems


def _deployed_state(template: str | None, stack: Stack, live: Live) -> State:
    """What the template that is deployed asks for; only reasons are taken from it."""
    if template is None:
        return State()
    try:
        resources = resources_of(template)
        return claimed(wanted(resources, stack.name, live.server), live.state, resources, stack.outputs)[0]
    except (ValueError, LookupError, TypeError, AttributeError):
        return State()  # a template that somebody else wrote: everything is told as asked for by the file


def _explained(
    tenant: Tenant,
    desired: State,
    resources: Resources,
    live: Live,
    before: State | None,
    todo: Iterable[Change],
    reliances: Mapping[str, Reliance],
) -> tuple[Line, ...]:
    return explained(
        todo,
        desired=desired,
        live=live.state,
        before=before,
        server=live.server,
        places=places_of(tenant, desired, resources, live.server),
        reliances=reliances,
    )


def _gone(tenant: str, live: Live, stack: Stack, reliances: Mapping[str, Reliance]) -> TenantPlan:
    removals, drops = _removals(live, stack, kept=State())
    lines = explained(
        removals, desired=State(), live=live.state, before=None, server=live.server, places={}, reliances=reliances
    )
    return TenantPlan(tenant, stack.name, "delete", lines=lines, drops=drops, status=stack.status)


def _removals(live: Live, stack: Stack, *, kept: State) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """What the provider does with what the stack owns and no longer names, and the databases that it drops.

    An account that is renamed, or dropped beside others of its user, is among the changes of that user already.
    """
    # By the name that the server stores; what is dropped is called as the file called it, which leave goes by.
    on_remove = {live.server.stored(name): name for name in stack.outputs.get(DROP_ON_REMOVE, "").split(",")}
    removals: list[Change] = []
    drops: list[str] = []
    of_kept = {user.owner[:2] for user in kept.users.values() if user.owner}
    for account, user in sorted(live.state.users.items()):
        owner = user.owner
        if owner is None or owner.stack != stack.name or owner.released:
            continue
        if account not in kept.users and owner[:2] not in of_kept:
            removals += removal(user)
    for name, database in sorted(live.state.databases.items()):
        owner = database.owner
        if owner is None or owner.stack != stack.name or owner.released or name in kept.databases:
            continue
        if name in on_remove and not owner.adopted:
            drops.append(on_remove[name])
            removals.append(Change("drop", f"database {name}", drop_database(name)))
            removals.append(Change("record", f"database {name}", forget_owner("databases", name)))
        else:
            why = "it was adopted, so it is kept" if owner.adopted else "on_remove is retain, so it is kept"
            sql = record_owner("databases", name, owner._replace(released=True))
            removals.append(Change("release", f"database {name}", sql, why))
    return tuple(removals), tuple(drops)
