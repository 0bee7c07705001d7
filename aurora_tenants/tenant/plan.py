"""What happens to one tenant: the file's tenant against its stack and against what MySQL holds of it. Pure.

                 desired (the file)   deployed (CloudFormation)   live (MySQL)        action
new tenant       there                no stack                    nothing             create
changed file     another digest       stack                       as it was           update, origin "file"
drift            same digest          stack                       differs             update, origin "drift"
failed create    there                ROLLBACK_COMPLETE           perhaps a part      replace
gone tenant      not there            stack                       owned by the stack  delete
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from aurora_tenants.model import Cluster, Configuration, Tenant
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.grants import Grant, by_account
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.resource import changes_by_resource, changes_of_all
from aurora_tenants.mysql.state import Database, Live, Server, State
from aurora_tenants.naming import DIGEST, REVISION, SERVER, stack_name, tenant_tags
from aurora_tenants.revision import FIRST, all_counted_up, counted_up
from aurora_tenants.stack import Deployed, Stack, StackPlan, Template
from aurora_tenants.tenant.adopted import with_countdown
from aurora_tenants.tenant.afterwards import state_after
from aurora_tenants.tenant.consent import Agreed, LeftBehind, agreed, is_as_held, shared_by_then, without
from aurora_tenants.tenant.desired import NEW, Desired, read_desired
from aurora_tenants.tenant.missing import now_there, without_waiting
from aurora_tenants.tenant.moves import Move, first_names, gifts, imports, offered, offers, planned_moves, renames
from aurora_tenants.tenant.removals import Removals, removals
from aurora_tenants.tenant.secrets import (
    LiveSecret,
    SecretDrift,
    Secrets,
    asks_provider,
    before_move,
    drifted,
    is_gone,
)
from aurora_tenants.tenant.template import template


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """What happens to one tenant: to its stack, and what its functions will run in MySQL because of that.

    live, desired: what MySQL holds of it, and will hold afterwards. refusals: a sentence for each thing of the file
    that is not the tenant's to take; not_shared: for each database of another's on which nothing can be granted.
    secrets: what differs of its secrets. moves: what comes from another tenant or goes there, or has another name now.
    waits: grants that the file asks for on what is not there yet; no part of `desired`.
    """

    name: str
    stack: StackPlan
    changes: tuple[Change, ...] = ()
    live: State = field(default_factory=State)
    desired: State = field(default_factory=State)
    refusals: tuple[str, ...] = ()
    not_shared: tuple[str, ...] = ()
    secrets: tuple[SecretDrift, ...] = ()
    moves: tuple[Move, ...] = ()
    waits: tuple[Grant, ...] = ()


def plan_tenants(
    configuration: Configuration,
    live: Live,
    deployed: Deployed,
    *,
    only: Collection[str] = (),
    secrets: Secrets | None = None,
) -> tuple[TenantPlan, ...]:
    """A plan for each tenant of the file, and for each that is deployed and no longer in it; with `only`, of these.

    secrets: None where they were not read.
    """
    cluster, before = configuration.cluster, live
    moves = planned_moves(configuration, deployed, live)
    live = offered(live, moves, cluster)
    found = LiveByStack(live.state)
    named = [tenant for tenant in configuration.tenants if not only or tenant.name in only]
    gone = deployed.tenants.keys() - {tenant.name for tenant in configuration.tenants}
    asked = [_ask(cluster, tenant, live.server, found, deployed, moves) for tenant in named]
    by_then = shared_by_then(live.state.databases, (each.desired.state for each in asked))
    losing = {stack for database in by_then.values() for stack in database.withdrawn_from}
    agreements = [_agree(each, live.state.databases, by_then, losing) for each in asked]
    waited_for = {stack for agreement in agreements for stack in agreement.late.values()}
    left = LeftBehind(live.state)
    plans = (
        *(
            _with_secrets(_plan_tenant(cluster, each, agreement, deployed, waited_for, left), each, secrets)
            for each, agreement in zip(asked, agreements, strict=True)
        ),
        *(
            _plan_removal(cluster, name, live.server, found, deployed)
            for name in sorted(gone)
            if not only or name in only
        ),
    )
    if not moves:
        return plans
    there = secrets.by_name if secrets else None
    return tuple(_moving(cluster, plan, moves, before, deployed, there) for plan in plans)


def _moving(
    cluster: Cluster,
    plan: TenantPlan,
    moves: Collection[Move],
    live: Live,
    deployed: Deployed,
    there: Mapping[str, LiveSecret] | None,
) -> TenantPlan:
    """The plan of a tenant with what it gives up and what it takes.

    there: the secrets that there are, by name; None where they were not read.
    """
    given = [move for move in moves if move.giver == plan.name and not move.has_left]
    taken = [move for move in moves if move.receiver == plan.name]
    if not given and not taken:
        return plan
    stack, deployed_stack = plan.stack, deployed.tenants.get(plan.name)
    resources = stack.template.resources if isinstance(stack.template, Template) else {}
    outputs = deployed_stack.outputs if deployed_stack and stack.action == "update" else {}
    givers = {stack_name(cluster, move.giver) for move in taken if not move.has_left}
    wanted = imports(taken, resources, outputs)
    coming = {it: (there or {})[name] for it, name in wanted.items() if name in (there or {})}
    user_of = {move.secret: move.name for move in taken}
    found = [drift for it in coming.values() for drift in before_move(user_of[it.name], it)]
    if there is not None:
        # It is made anew, and the provider gives the account its password beside the one before.
        found += [is_gone(user_of[name], name) for name in wanted.values() if name not in there]
    moving = replace(
        stack,
        gifts=gifts(given, cluster),
        imports={logical_id: secret.arn for logical_id, secret in coming.items()},
        givers=tuple(sorted(givers)),
    )
    changes = (*offers(live, given, cluster, deployed_stack.id if deployed_stack else ""), *plan.changes)
    moves = (*plan.moves, *given, *taken)
    return replace(plan, stack=moving, changes=changes, moves=moves, secrets=(*plan.secrets, *found))


class _Asked(NamedTuple):
    """What a tenant of the file asks for. before: what is left for it when a stack that failed is deleted first.

    owner: as whom the provider will ask; a stack that is made, or made again, has an id that no entry has. waits: what
    is no part of `desired` yet, because it is on something that is not there.
    """

    tenant: Tenant
    made: Template
    stack: Stack | None
    live: Live
    removed: Removals
    before: State
    desired: Desired
    owner: Owner
    first_names: Mapping[str, str]
    waits: tuple[Grant, ...] = ()

    def template(self, cluster: Cluster, tenant: Tenant) -> Template:
        """Of this tenant, or of a part of it."""
        return _template(cluster, tenant, self.stack, self.first_names)


def _template(cluster: Cluster, tenant: Tenant, stack: Stack | None, first: Mapping[str, str]) -> Template:
    return template(cluster, tenant, keeps_server=stack is not None and SERVER in stack.outputs, renamed=first)


def _ask(
    cluster: Cluster,
    tenant: Tenant,
    server: Server,
    found: LiveByStack,
    deployed: Deployed,
    moves: Collection[Move],
) -> _Asked:
    name, stack = stack_name(cluster, tenant.name), deployed.tenants.get(tenant.name)
    is_new = stack is None or not stack.was_begun or stack.is_only_to_delete
    first = first_names(tenant, {} if is_new or stack is None else stack.outputs, moves, cluster)
    made = _template(cluster, tenant, stack, first)
    live = Live(server, found.of(name, (entry.name for entry in tenant.users_and_roles)))
    removed, before, stack_id, failed_id = Removals(), live.state, NEW, ""
    if stack is not None and stack.was_begun and stack.is_only_to_delete:
        # Nothing is left of one that rolled back.
        removed = Removals() if stack.status == "ROLLBACK_COMPLETE" else removals(live, stack, kept=State())
        before = state_after(live.state, (), removed.changes)
        failed_id = stack.id if stack.status != "DELETE_FAILED" else ""
    elif stack is not None and stack.was_begun:
        stack_id = stack.id
    outputs = stack.outputs if stack else ()
    desired = read_desired(made.resources, name, Live(server, before), outputs, stack_id, failed_id)
    state, waits = without_waiting(desired.state, desired.may_wait, before, live.state)
    desired = desired._replace(state=state)
    return _Asked(tenant, made, stack, live, removed, before, desired, Owner(name, "", stack_id=stack_id), first, waits)


def _agree(
    asked: _Asked, live: Mapping[str, Database], by_then: Mapping[str, Database], losing: Collection[str]
) -> Agreed:
    """losing: the stacks from which any consent is withdrawn."""
    users = asked.before.users
    # What an account holds that is to be adopted is nobody's consent.
    owned = {account for account, user in users.items() if user.owner and user.owner.is_of(asked.owner)}
    held = [grant for grant in asked.before.grants if grant.account in owned]
    desired = asked.desired.state
    if asked.owner.stack not in losing and is_as_held(desired.grants, held):
        return Agreed(desired)
    return agreed(desired, held, live, by_then, asked.owner)


def _plan_tenant(
    cluster: Cluster,
    asked: _Asked,
    agreement: Agreed,
    deployed: Deployed,
    waited_for: Collection[str],
    left: LeftBehind,
) -> TenantPlan:
    """waited_for: the stacks whose consent any tenant waits for."""
    tenant, made, stack, live, desired = asked.tenant, asked.made, asked.stack, asked.live, agreement.state
    unplanned = untouched(cluster, tenant.name, deployed)
    new = replace(unplanned, action="create", template=made, parameters={REVISION: FIRST})
    if late := agreement.late:
        first = asked.template(cluster, without(tenant, late, live.server))
        is_giver = unplanned.name in waited_for
        new = replace(new, needs=tuple(sorted({*late.values()})), first=first if is_giver else None)
    if stack is None or not stack.was_begun:
        stack_plan, changes = new, changes_of_all(desired, live.state, server=live.server)
    elif stack.is_only_to_delete:
        drops = asked.removed.drops
        stack_plan = replace(new, action="replace", status=stack.status, drops=drops)
        changes = (*asked.removed.changes, *changes_of_all(desired, asked.before, server=live.server))
    else:
        stack_plan, changes = _updated(new, made, stack, live, desired)
        if stack_plan.origin == "drift":
            changes = tuple(now_there(change, asked.desired.may_wait) for change in changes)
    return TenantPlan(
        tenant.name,
        stack_plan,
        changes=(*left.revoked(desired, asked.owner), *with_countdown(changes, tenant, cluster.pause_schedule)),
        live=live.state,
        desired=desired,
        refusals=asked.desired.refusals,
        not_shared=agreement.refused,
        waits=asked.waits,
        moves=renames(tenant, asked.first_names, live.state, stack_plan.name),
    )


def _updated(
    new: StackPlan, made: Template, stack: Stack, live: Live, desired: State
) -> tuple[StackPlan, tuple[Change, ...]]:
    """A stack whose template or whose part of MySQL differs; the counters of what differs in MySQL go up."""
    is_other = stack.outputs.get(DIGEST) != made.digest
    removed = removals(live, stack, kept=desired) if is_other else Removals()
    by_resource = changes_by_resource(desired, live.state, server=live.server)
    changes = (*(change for _, found in by_resource for change in found), *removed.changes)
    revision = counted_up(stack.revision, (logical_id for logical_id, found in by_resource if found))
    # What somebody else wrote into the template may have changed anything; an update that has to go on needs something
    # to do, wherever it broke off.
    if stack.is_edited or stack.state.way == "go on":
        revision = all_counted_up(revision)
    stack_plan = replace(
        new,
        action="update" if is_other or changes or stack.is_edited or stack.state.has_to_end else "none",
        origin="file" if is_other else "drift",
        parameters={REVISION: revision},
        status=stack.status,
        is_edited=stack.is_edited,
        drops=removed.drops,
    )
    return stack_plan, changes


def _with_secrets(plan: TenantPlan, asked: _Asked, secrets: Secrets | None) -> TenantPlan:
    """The same with what differs of the secrets of a stack that stays."""
    stack = asked.stack
    if secrets is None or stack is None or not stack.was_begun or plan.stack.action not in ("none", "update"):
        return plan
    found = drifted(asked.made.resources, stack.outputs, secrets)
    asked_for = asks_provider(asked.made.resources, found, stack.outputs)
    if not found and not asked_for:
        return plan
    parameters = dict(plan.stack.parameters)
    parameters[REVISION] = counted_up(parameters[REVISION], asked_for)
    action = "update" if found else plan.stack.action
    return replace(plan, stack=replace(plan.stack, action=action, parameters=parameters), secrets=found)


def _plan_removal(cluster: Cluster, tenant: str, server: Server, found: LiveByStack, deployed: Deployed) -> TenantPlan:
    stack = deployed.tenants[tenant]
    live = Live(server, found.of(stack.name))
    owned = replace(live.state, databases=found.databases_of(stack.name))
    removed = removals(Live(server, owned), stack, kept=State())
    unplanned = untouched(cluster, tenant, deployed)
    stack_plan = replace(unplanned, action="delete", status=stack.status, drops=removed.drops)
    return TenantPlan(tenant, stack_plan, changes=removed.changes, live=live.state)


def untouched(cluster: Cluster, tenant: str, deployed: Deployed) -> StackPlan:
    """A tenant's stack, to which nothing happens yet."""
    name, tags = stack_name(cluster, tenant), tenant_tags(cluster, tenant)
    stack = deployed.tenants.get(tenant)
    stack_id = stack.id if stack else ""
    return StackPlan(name, tenant, f"tenant {tenant}", tags=tags, role_arn=deployed.role_arn, id=stack_id)


class LiveByStack:
    """What one stack's plan needs to see of live, found without a look at everything for each of them."""

    def __init__(self, live: State) -> None:
        self._live, self._grants = live, by_account(live.grants)
        self._of_name: dict[str, list[Account]] = {}
        self._of_stack: dict[str, list[Account]] = {}
        self._databases: dict[str, dict[str, Database]] = {}
        for name, database in live.databases.items():
            if database.owner:
                self._databases.setdefault(database.owner.stack, {})[name] = database
        for account, user in live.users.items():
            self._of_name.setdefault(account.user, []).append(account)
            if user.owner:
                self._of_stack.setdefault(user.owner.stack, []).append(account)

    def of(self, stack: str, names: Iterable[str] = ()) -> State:
        """All databases, the accounts of these names, and those that the stack owns, with their grants."""
        accounts = {account for name in names for account in self._of_name.get(name, ())}
        accounts.update(self._of_stack.get(stack, ()))
        grants = (grant for account in accounts for grant in self._grants.get(account, ()))
        users = {account: self._live.users[account] for account in accounts}
        return replace(self._live, users=users, grants=frozenset(grants), definers={})

    def databases_of(self, stack: str) -> Mapping[str, Database]:
        """The databases that a stack owns, or is offered."""
        return self._databases.get(stack, {})
