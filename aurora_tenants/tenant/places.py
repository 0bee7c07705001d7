"""Where in the file a tenant asks for what. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aurora_tenants.errors import Location
from aurora_tenants.model import Tenant, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.grants import ADMIN_OPTION, MEMBER, Grant, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Server
from aurora_tenants.tenant.missing import granted
from aurora_tenants.tenant.plan import TenantPlan

Places = Mapping[str | Grant, Location]


def places_of(tenant: Tenant, plan: TenantPlan, server: Server) -> Places:
    """Where in the file a tenant's things stand: by the subject of a change, and by grant."""
    of_grants: dict[Grant, Location] = {}
    entries = {entry.name: entry for entry in tenant.users_and_roles}
    for account, user in plan.desired.users.items():
        if user.owner:
            of_grants |= _places_of_grants(entries[account.user], account, server)
    return places_of_objects(tenant, plan, server) | of_grants


def places_of_objects(tenant: Tenant, plan: TenantPlan, server: Server) -> dict[str, Location]:
    """Where a tenant's databases, users and roles stand, by the subjects of changes to them."""
    places = {
        f"database {server.stored(database.name)}": database.where for database in tenant.databases if database.where
    }
    entries = {entry.name: entry for entry in tenant.users_and_roles}
    for account in plan.desired.users:
        if where := entries[account.user].where:
            places[subject(account)] = where
    return places


def _places_of_grants(entry: TenantUser | TenantRole, account: Account, server: Server) -> dict[Grant, Location]:
    """Where each grant of one account is asked for; the first of several places is the one that is shown."""
    places: dict[Grant, Location] = {}
    for role in reversed(entry.roles) if isinstance(entry, TenantUser) else ():
        if role.where:
            scope = role_scope(Account(role.name))
            places |= {Grant(account, scope, option): role.where for option in (MEMBER, ADMIN_OPTION)}
    for privilege in reversed(entry.privileges):
        if privilege.where:
            places |= dict.fromkeys(granted(account, privilege, server), privilege.where)
    return places


def places_of_change(change: Change, places: Places) -> Iterator[Location]:
    """Where the file asks for what is granted; for everything else, where it tells of the user or the database."""
    found = [place for grant in change.grants if (place := places.get(grant))] if change.action == "grant" else []
    if found:
        # Mostly, all of them are one: then the very same value.
        yield from sorted({*{id(place): place for place in found}.values()})
    elif change.subject in places:
        yield places[change.subject]
