"""Plain values for the tests of the pure modules: a tenant, a server, and what both sides hold once it is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from aurora_tenants.model import Cluster, Configuration, Privilege, Tenant, TenantDatabase, TenantUser
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.state import Database, Live, Server, State, User
from aurora_tenants.naming import DIGEST, DROP_ON_REMOVE, REVISION, stack_name, tenant_tags
from aurora_tenants.plan import Plan, make_plan
from aurora_tenants.stack import Action, Deployed, Stack, StackPlan, Template
from aurora_tenants.tenant.desired import state_of
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import Line, explain
from aurora_tenants.tenant.template import template

CLUSTER = Cluster("shared")
SERVER = Server("8.0.42", True, "caching_sha2_password")
EMPTY = Live(SERVER, State())
NOTHING_DEPLOYED = Deployed(None, {})


def tenant(name: str, *, on_remove: str = "retain", adopt: bool = False) -> Tenant:
    """A tenant with a database and a user of its own name, who may do everything there."""
    user = TenantUser(name, (Privilege(("ALL",), name),), adopt=adopt)
    return Tenant(name, (TenantDatabase(name, on_remove=on_remove, adopt=adopt),), (user,))


SHOP = tenant("shop")
SHOP_STACK = "shared-shop"
# What the provider records of who owns what.
RECORD = "REPLACE INTO aurora_tenants.`databases` VALUES "
OF_USER = "REPLACE INTO aurora_tenants.`users` VALUES ('shop@%', 'shared-shop', 'UserShop', "


def live_with(*, databases: tuple[Database, ...] = (), users: tuple[User, ...] = ()) -> Live:
    """What MySQL holds when there is nothing but these, and no grant."""
    by_name = {database.name: database for database in databases}
    return Live(SERVER, State(by_name, {user.account: user for user in users}))


def live_after(*tenants: Tenant) -> Live:
    """What MySQL holds when exactly these tenants have been applied."""
    databases, users, grants = {}, {}, frozenset()
    for it in tenants:
        state = state_of(template(CLUSTER, it).resources, stack_name(CLUSTER, it.name), SERVER)
        databases |= state.databases
        users |= state.users
        grants |= state.grants
    return Live(SERVER, State(databases, users, grants))


def stack_of(it: Tenant, *, status: str = "CREATE_COMPLETE", revision: str = "1") -> Stack:
    """The stack of a tenant as CloudFormation describes it."""
    dropped = [database.name for database in it.databases if database.on_remove == "drop"]
    outputs = {DIGEST: template(CLUSTER, it).digest} | ({DROP_ON_REMOVE: ",".join(dropped)} if dropped else {})
    name = stack_name(CLUSTER, it.name)
    return Stack(name, status, tags=tenant_tags(CLUSTER, it.name), parameters={"Revision": revision}, outputs=outputs)


def deployed(*tenants: Tenant) -> Deployed:
    return Deployed(None, {it.name: stack_of(it) for it in tenants})


def with_stack(it: Tenant, **changed: str) -> Deployed:
    """Only this tenant is deployed, and its stack says this."""
    return Deployed(None, {it.name: stack_of(it, **changed)})


def planned(*tenants: Tenant, live: Live = EMPTY, deployed: Deployed = NOTHING_DEPLOYED, only: str = "") -> Plan:
    return make_plan(Configuration(CLUSTER, tenants), live, deployed, only=(only,) if only else ())


def lines_of(
    *tenants: Tenant,
    live: Live = EMPTY,
    deployed: Deployed = NOTHING_DEPLOYED,
    templates: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Line, ...]:
    """The changes of the only tenant that has any, with their reasons. templates: what is deployed, by tenant."""
    plans = planned(*tenants, live=live, deployed=deployed).tenants
    (lines,) = explain(plans, Configuration(CLUSTER, tenants), live, deployed, templates or {}).values()
    return lines


def without_user(live: Live, *names: str) -> Live:
    users = {account: user for account, user in live.state.users.items() if account.user not in names}
    grants = frozenset(grant for grant in live.state.grants if grant.account.user not in names)
    return live._replace(state=replace(live.state, users=users, grants=grants))


class Brief(NamedTuple):
    """What happens to a tenant, without the single grants of each change. revision: the highest of its counters."""

    tenant: str
    stack: str
    action: str
    origin: str = "file"
    changes: tuple[Change, ...] = ()
    template: Template | None = None
    revision: int = 1
    drops: tuple[str, ...] = ()
    status: str = ""


def brief(plan: TenantPlan) -> Brief:
    stack = plan.stack
    revision = max(map(int, stack.parameters.get(REVISION, "1").split(",")))
    what = (stack.name, stack.action, stack.origin, bare(plan), stack.template)
    return Brief(plan.name, *what, revision, stack.drops, stack.status)


def shop_plan(action: str, **rest: object) -> Brief:
    """What happens to the tenant SHOP, whose stack is to have its template."""
    return Brief("shop", SHOP_STACK, action, **({"template": template(CLUSTER, SHOP)} | rest))


def bare(plan: TenantPlan) -> tuple[Change, ...]:
    """The changes as they are written, without the single grants of each."""
    return tuple(change._replace(grants=()) for change in plan.changes)


def stack_plan(tenant: str, action: Action = "update", **rest: Any) -> StackPlan:
    """What happens to the stack of a tenant of this name."""
    return StackPlan(stack_name(CLUSTER, tenant), tenant, f"tenant {tenant}", action, **rest)
