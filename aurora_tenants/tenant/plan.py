"""What happens to one tenant: the file's tenant against its stack and against what MySQL holds of it. Pure.

                 desired (the file)   deployed (CloudFormation)   live (MySQL)        action
new tenant       there                no stack                    nothing             create
changed file     another digest       stack                       as it was           update, origin "file"
drift            same digest          stack                       differs             update, origin "drift"
failed create    there                ROLLBACK_COMPLETE           perhaps a part      replace
gone tenant      not there            stack                       owned by the stack  delete
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from aurora_tenants.model import Cluster, Configuration, Tenant
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.grants import by_account
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.resource import changes_of_all
from aurora_tenants.mysql.state import Live, Server, State
from aurora_tenants.naming import DIGEST, REVISION, SERVER, stack_name, tenant_tags
from aurora_tenants.stack import Deployed, Stack, StackPlan, Template
from aurora_tenants.tenant.afterwards import state_after
from aurora_tenants.tenant.desired import read_desired
from aurora_tenants.tenant.removals import Removals, removals
from aurora_tenants.tenant.template import template


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """What happens to one tenant: to its stack, and what its functions will run in MySQL because of that.

    live, desired: what MySQL holds of it, and will hold afterwards. refusals: a sentence for each thing of the file
    that is not the tenant's to take.
    """

    name: str
    stack: StackPlan
    changes: tuple[Change, ...] = ()
    live: State = field(default_factory=State)
    desired: State = field(default_factory=State)
    refusals: tuple[str, ...] = ()


def plan_tenants(
    configuration: Configuration, live: Live, deployed: Deployed, *, only: Collection[str] = ()
) -> tuple[TenantPlan, ...]:
    """A plan for each tenant of the file, and for each that is deployed and no longer in it; with `only`, of these."""
    cluster, found = configuration.cluster, LiveByStack(live.state)
    named = [tenant for tenant in configuration.tenants if not only or tenant.name in only]
    gone = deployed.tenants.keys() - {tenant.name for tenant in configuration.tenants}
    return (
        *(_plan_tenant(cluster, tenant, live.server, found, deployed) for tenant in named),
        *(
            _plan_removal(cluster, name, live.server, found, deployed)
            for name in sorted(gone)
            if not only or name in only
        ),
    )


def _plan_tenant(
    cluster: Cluster, tenant: Tenant, server: Server, found: LiveByStack, deployed: Deployed
) -> TenantPlan:
    name, stack = stack_name(cluster, tenant.name), deployed.tenants.get(tenant.name)
    made = template(cluster, tenant, keeps_server=stack is not None and SERVER in stack.outputs)
    live = Live(server, found.of(name, (entry.name for entry in tenant.users_and_roles)))
    asked = read_desired(made.resources, name, live, stack.outputs if stack else ())
    unplanned = untouched(cluster, tenant.name, deployed)
    new = replace(unplanned, action="create", template=made, parameters={REVISION: "1"})
    if stack is None or not stack.was_begun:
        stack_plan, changes = new, changes_of_all(asked.state, live.state, server=server)
    elif stack.is_only_to_delete:
        stack_plan, changes = _replaced(new, stack, live, asked.state)
    else:
        stack_plan, changes = _updated(new, made, stack, live, asked.state)
    return TenantPlan(
        tenant.name, stack_plan, changes=changes, live=live.state, desired=asked.state, refusals=asked.refusals
    )


def _replaced(new: StackPlan, stack: Stack, live: Live, desired: State) -> tuple[StackPlan, tuple[Change, ...]]:
    """A stack that can only be deleted, and what has to be made again then. Nothing is left of one that rolled back."""
    removed = Removals() if stack.status == "ROLLBACK_COMPLETE" else removals(live, stack, kept=State())
    left = state_after(live.state, (), removed.changes)
    changes = (*removed.changes, *changes_of_all(desired, left, server=live.server))
    return replace(new, action="replace", status=stack.status, drops=removed.drops), changes


def _updated(
    new: StackPlan, made: Template, stack: Stack, live: Live, desired: State
) -> tuple[StackPlan, tuple[Change, ...]]:
    """A stack whose template or whose part of MySQL differs; another revision has MySQL compared again."""
    is_other = stack.outputs.get(DIGEST) != made.digest
    removed = removals(live, stack, kept=desired) if is_other else Removals()
    changes = (*changes_of_all(desired, live.state, server=live.server), *removed.changes)
    stack_plan = replace(
        new,
        action="update" if is_other or changes or stack.status == "UPDATE_ROLLBACK_FAILED" else "none",
        origin="file" if is_other else "drift",
        parameters={REVISION: str(stack.revision(0) + bool(changes))},
        status=stack.status,
        drops=removed.drops,
    )
    return stack_plan, changes


def _plan_removal(cluster: Cluster, tenant: str, server: Server, found: LiveByStack, deployed: Deployed) -> TenantPlan:
    stack = deployed.tenants[tenant]
    live = Live(server, found.of(stack.name))
    removed = removals(live, stack, kept=State())
    unplanned = untouched(cluster, tenant, deployed)
    stack_plan = replace(unplanned, action="delete", status=stack.status, drops=removed.drops)
    return TenantPlan(tenant, stack_plan, changes=removed.changes, live=live.state)


def untouched(cluster: Cluster, tenant: str, deployed: Deployed) -> StackPlan:
    """A tenant's stack, to which nothing happens yet."""
    tags = tenant_tags(cluster, tenant)
    return StackPlan(stack_name(cluster, tenant), tenant, f"tenant {tenant}", tags=tags, role_arn=deployed.role_arn)


class LiveByStack:
    """What one stack's plan needs to see of live, found without a look at everything for each of them."""

    def __init__(self, live: State) -> None:
        self._live, self._grants = live, by_account(live.grants)
        self._of_name: dict[str, list[Account]] = {}
        self._of_stack: dict[str, list[Account]] = {}
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
        return State(self._live.databases, users, frozenset(grants))
