"""Where in the file a tenant asks for what. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aurora_tenants.errors import Location
from aurora_tenants.model import Tenant, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.grants import ADMIN_OPTION, MEMBER, Grant, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.properties import wanted_role, wanted_user
from aurora_tenants.mysql.state import Server
from aurora_tenants.stack import Template
from aurora_tenants.tenant.plan import TenantPlan

Places = Mapping[str | Grant, Location]


def places_of(tenant: Tenant, plan: TenantPlan, server: Server) -> Places:
    """Where in the file a tenant's things stand: by the subject of a change, and by grant."""
    places: dict[str | Grant, Location] = {}
    for database in tenant.databases:
        if database.where:
            places[f"database {server.stored(database.name)}"] = database.where
    resources = plan.stack.template.resources if isinstance(plan.stack.template, Template) else {}
    entries = {entry.name: entry for entry in tenant.users_and_roles}
    for account, user in plan.desired.users.items():
        entry = entries[account.user]
        if entry.where:
            places[subject(account)] = entry.where
        if user.owner:
            properties = resources[user.owner.resource]["Properties"]
            for grant, where in _places_of_grants(entry, account, properties, server):
                places.setdefault(grant, where)
    return places


def _places_of_grants(
    entry: TenantUser | TenantRole, account: Account, properties: Mapping[str, Any], server: Server
) -> Iterator[tuple[Grant, Location]]:
    """Where each grant of one account is asked for; the first of several places is the one that is shown."""
    for privilege, listed in zip(entry.privileges, properties.get("Privileges", ()), strict=True):
        if privilege.where:
            for grant in _granted_alone(entry, account, {**properties, "Privileges": [listed]}, server):
                yield grant, privilege.where
    for role in entry.roles if isinstance(entry, TenantUser) else ():
        if role.where:
            for option in (MEMBER, ADMIN_OPTION):
                yield Grant(account, role_scope(Account(role.name)), option), role.where


def _granted_alone(
    entry: TenantUser | TenantRole, account: Account, properties: Mapping[str, Any], server: Server
) -> Iterable[Grant]:
    """The grants of one account that a single entry of `privileges` asks for."""
    if isinstance(entry, TenantRole):
        return wanted_role(properties, server).grants
    without_roles = {name: value for name, value in properties.items() if name not in ("Roles", "DefaultRoles")}
    grants = wanted_user(without_roles, entry.name, server).grants
    return (grant for grant in grants if grant.account == account)


def places_of_change(change: Change, places: Places) -> Iterator[Location]:
    """Where the file asks for what is granted; for everything else, where it tells of the user or the database."""
    found = sorted({places[grant] for grant in change.grants if grant in places}) if change.action == "grant" else []
    if found:
        yield from found
    elif change.subject in places:
        yield places[change.subject]
