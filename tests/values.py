"""Plain values for the tests of the pure modules: a tenant, a server, and what both sides hold once it is applied."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from aurora_tenants.desired import resources_of, wanted
from aurora_tenants.model import Cluster, Configuration, Deployed, Privilege, Stack, Tenant, TenantDatabase, TenantUser
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.state import Server, State
from aurora_tenants.plan import Live, Plan, TenantPlan, make_plan
from aurora_tenants.template import DIGEST, DROP_ON_REMOVE, digest_of, stack_name, tags, template

CLUSTER = Cluster("shared")
SERVER = Server("8.0.42", True, "caching_sha2_password")
EMPTY = Live(SERVER, State())
NOTHING_DEPLOYED = Deployed(None, {})


def tenant(name: str, *, on_remove: str = "retain", adopt: bool = False) -> Tenant:
    """A tenant with a database and a user of its own name, who may do everything there."""
    user = TenantUser(name, (Privilege(("ALL",), name),), adopt=adopt)
    return Tenant(name, (TenantDatabase(name, on_remove=on_remove, adopt=adopt),), (user,))


SHOP = tenant("shop")


def live_after(*tenants: Tenant) -> Live:
    """What MySQL holds when exactly these tenants have been applied."""
    databases, users, grants = {}, {}, frozenset()
    for it in tenants:
        state = wanted(resources_of(template(CLUSTER, it)), stack_name(CLUSTER, it.name), SERVER)
        databases |= state.databases
        users |= state.users
        grants |= state.grants
    return Live(SERVER, State(databases, users, grants))


def stack_of(it: Tenant, *, status: str = "CREATE_COMPLETE", revision: str = "1") -> Stack:
    """The stack of a tenant as CloudFormation describes it."""
    dropped = [database.name for database in it.databases if database.on_remove == "drop"]
    outputs = {DIGEST: digest_of(template(CLUSTER, it))} | ({DROP_ON_REMOVE: ",".join(dropped)} if dropped else {})
    name = stack_name(CLUSTER, it.name)
    return Stack(name, status, tags=tags(CLUSTER, it.name), parameters={"Revision": revision}, outputs=outputs)


def deployed(*tenants: Tenant) -> Deployed:
    return Deployed(None, {it.name: stack_of(it) for it in tenants})


def with_stack(it: Tenant, **changed: str) -> Deployed:
    """Only this tenant is deployed, and its stack says this."""
    return Deployed(None, {it.name: stack_of(it, **changed)})


def planned(*tenants: Tenant, live: Live = EMPTY, deployed: Deployed = NOTHING_DEPLOYED, only: str = "") -> Plan:
    return make_plan(Configuration(CLUSTER, tenants), live, deployed, only=(only,) if only else ())


def without_user(live: Live, *names: str) -> Live:
    users = {account: user for account, user in live.state.users.items() if account.user not in names}
    grants = frozenset(grant for grant in live.state.grants if grant.account.user not in names)
    return live._replace(state=replace(live.state, users=users, grants=grants))


class Brief(NamedTuple):
    """What happens to a tenant, without the reasons of each line."""

    tenant: str
    stack: str
    action: str
    origin: str = "file"
    changes: tuple[Change, ...] = ()
    template: str = ""
    revision: int = 1
    drops: tuple[str, ...] = ()
    status: str = ""


def brief(it: TenantPlan) -> Brief:
    return Brief(it.tenant, it.stack, it.action, it.origin, bare(it), it.template, it.revision, it.drops, it.status)


def bare(it: TenantPlan) -> tuple[Change, ...]:
    """The changes as they are written, without the single grants of each."""
    return tuple(change._replace(grants=()) for change in it.changes)
