"""Tenants whose entries in the tables of owners are gone, and what brings those back. Pure.

What is deployed of a tenant says what it has. When its stack is deployed again as it is, the provider records all of
that anew, as adopted: nobody knows any more what was there before the tenant, so nothing of it is ever dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from aurora_tenants.model import Cluster
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.resource import changes_of_all
from aurora_tenants.mysql.state import Live, State
from aurora_tenants.naming import DIGEST, REVISION
from aurora_tenants.revision import all_counted_up
from aurora_tenants.stack import Deployed, Template
from aurora_tenants.tenant.desired import Resources, read_desired, state_of
from aurora_tenants.tenant.plan import LiveByStack, TenantPlan, untouched

Templates = Mapping[str, Mapping[str, Any]]


class Lost(NamedTuple):
    """The tenants that have lost entries, each with the plan to deploy its stack again as it is.

    unclear: a sentence for each tenant of which that cannot be said.
    """

    plans: tuple[TenantPlan, ...] = ()
    unclear: tuple[str, ...] = ()


def lost_entries(cluster: Cluster, templates: Templates, live: Live, deployed: Deployed) -> Lost:
    """What MySQL has of the deployed tenants, and belongs to nobody there. templates: what is deployed, by tenant."""
    found = LiveByStack(live.state)
    plans: list[TenantPlan] = []
    unclear: list[str] = []
    for tenant, stack in sorted(deployed.tenants.items()):
        if not stack.was_begun or stack.is_only_to_delete:
            continue  # it has nothing, or apply makes it again
        try:
            resources: Resources = templates[tenant]["Resources"]
            names = {account.user for account in state_of(resources, stack.name, live.server).users}
            part = Live(live.server, found.of(stack.name, names))
            asked = read_desired(resources, stack.name, part, stack.outputs, stack.id)
        except (ValueError, LookupError, TypeError, AttributeError):
            unclear.append(f"stack {stack.name} has another template than this program's: its entries cannot be told")
            continue
        if not _lacks_entries(asked.state, part.state):
            continue
        if asked.refusals or stack.is_busy:
            why = "; ".join(asked.refusals) or f"it is {stack.status}"
            unclear.append(f"the entries of tenant {tenant} are not brought back: {why}")
            continue
        changes = changes_of_all(asked.state, part.state, server=live.server)
        again = replace(
            untouched(cluster, tenant, deployed),
            action="update",
            origin="drift",
            template=Template(templates[tenant], stack.outputs.get(DIGEST, "")),
            parameters={**stack.parameters, REVISION: all_counted_up(stack.revision)},
            status=stack.status,
        )
        plans.append(TenantPlan(tenant, again, changes=changes, live=part.state, desired=asked.state))
    return Lost(tuple(plans), tuple(unclear))


def without_entries(stacks: Collection[str], live: State) -> tuple[str, ...]:
    """Those of these stacks of which MySQL knows nothing."""
    return tuple(sorted({*stacks} - {owner.stack for owner in _owners(live) if owner}))


def _lacks_entries(desired: State, live: State) -> bool:
    """Whether something that is in the template, and in MySQL, belongs to nobody there."""
    databases = {name: live.databases[name] for name in desired.databases if name in live.databases}
    users = {account: live.users[account] for account in desired.users if account in live.users}
    return None in _owners(State(databases, users))


def _owners(state: State) -> set[Owner | None]:
    return {database.owner for database in state.databases.values()} | {user.owner for user in state.users.values()}
