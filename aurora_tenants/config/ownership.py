"""Who owns what: each thing has one owner, which may share it. Every problem here names both places."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from aurora_tenants.config.declared import DeclaredTenant, Placed
from aurora_tenants.config.reading import texts
from aurora_tenants.config.wording import Fault, did_you_mean, shown
from aurora_tenants.errors import Problem
from aurora_tenants.model import WHOLE_SERVER

Owned = tuple[DeclaredTenant, Placed[Any]]
"""A database, a user or a role, and the tenant that declares it."""


def problems(tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every name that is declared twice, and every privilege on a database that the tenant may not use."""
    databases = [(tenant, database) for tenant in tenants for database in tenant.databases]
    users = [(tenant, user) for tenant in tenants for user in tenant.users]
    roles = [(tenant, role) for tenant in tenants for role in tenant.roles]
    yield from _tenants_twice(tenants)
    yield from _declared_twice("database", databases, identity=str.lower)
    yield from _declared_twice("user", users, identity=str)
    yield from _declared_twice("role", roles, identity=str)
    yield from _roles_that_are_users(roles, by_name(users))
    yield from _shared_with_nobody(tenants)
    yield from _privileges(tenants, by_name(databases))


def by_name(members: list[Owned]) -> dict[str, Owned]:
    """The first member of each name."""
    return {member.value.name: (tenant, member) for tenant, member in reversed(members)}


def _tenants_twice(tenants: Iterable[DeclaredTenant]) -> Iterator[Problem]:
    first: dict[str, DeclaredTenant] = {}
    for tenant in tenants:
        name = tenant.value.name
        other = first.setdefault(name, tenant)
        if other is not tenant:
            why = f"{_origin(tenant)} has the same name as {_origin(other)} at {tenant.document.key(other.path)}"
            what, fix = f"there are two tenants {shown(name)}", "rename one of them or its stage"
            yield tenant.problem(tenant.path, ("duplicate-tenant", what, why, fix), at_key=True)


def _origin(tenant: DeclaredTenant) -> str:
    entry = f"tenant {shown(tenant.path[-1])}"
    return entry if tenant.stage is None else f"stage {shown(tenant.stage)} of {entry}"


def _declared_twice(noun: str, members: list[Owned], *, identity: Callable[[str], str]) -> Iterator[Problem]:
    first: dict[str, Owned] = {}
    for tenant, member in members:
        other_tenant, other = first.setdefault(identity(member.value.name), (tenant, member))
        # Reported otherwise: two stages of an entry as name-without-stage, two tenants of a name as duplicate-tenant.
        is_other_entry = other_tenant.path != tenant.path
        if other.path == member.path or (is_other_entry and other_tenant.value.name == tenant.value.name):
            continue
        name, owner, place = shown(member.value.name), shown(tenant.value.name), tenant.document.key(other.path)
        if other.value.name != member.value.name:
            what = f"the databases {name} and {shown(other.value.name)} differ only in upper and lower case"
            why = f"the other is at {place}; a server with lower_case_table_names set takes them as one"
            fault = "names-differ-by-case", what, why, "rename one of them"
        else:
            owners = " and ".join(dict.fromkeys(f"tenant {each}" for each in (shown(other_tenant.value.name), owner)))
            what = f"{noun} {name} is declared twice, by {owners}"
            why = f"it is already declared at {place}, and a {noun} belongs to one tenant"
            share = f", and add {owner} to its shared_with there" if noun == "database" and is_other_entry else ""
            fault = f"duplicate-{noun}", what, why, f"remove it here{share}"
        yield tenant.problem(member.path, fault, at_key=True)


def _roles_that_are_users(roles: list[Owned], users: Mapping[str, Owned]) -> Iterator[Problem]:
    for tenant, role in roles:
        if role.value.name in users:
            owner, user = users[role.value.name]
            name = shown(role.value.name)
            what = f"{name} is a role here and a user of tenant {shown(owner.value.name)}"
            why = f"the user is declared at {tenant.document.key(user.path)}, and to MySQL a role is a user as well"
            fault = "role-is-user", what, why, f"rename one of them, for example {name}-role"
            yield tenant.problem(role.path, fault, at_key=True)


def _shared_with_nobody(tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    names = {tenant.value.name for tenant in tenants} | {str(tenant.path[-1]) for tenant in tenants}
    for tenant in tenants:
        for database in tenant.databases:
            for path, written in texts(database.body, "shared_with", database.path):
                other = tenant.filled(written)
                if other in names or not other or "{" in other:
                    continue
                why = "a database can be shared with tenants of this file only"
                fix = did_you_mean(other, names, "remove it, or declare the tenant")
                yield tenant.problem(path, ("unknown-tenant", f"there is no tenant {shown(other)}", why, fix))


def _privileges(tenants: Iterable[DeclaredTenant], owners: Mapping[str, Owned]) -> Iterator[Problem]:
    for tenant in tenants:
        own = {database.value.name for database in tenant.databases}
        for grantee in tenant.grantees:
            for privilege in grantee.privileges:
                name = privilege.value.database
                if name in own or not name or "{" in name or name == WHOLE_SERVER:
                    continue
                path = (*privilege.path, "database")
                if name not in owners:
                    yield tenant.problem(path, _unknown_database(name, owners))
                elif tenant.value.name not in owners[name][1].value.shared_with:
                    yield tenant.problem(path, _database_of_another(tenant, *owners[name]))


def _unknown_database(name: str, known: Collection[str]) -> Fault:
    why = "privileges can be granted on databases of this file only"
    fix = did_you_mean(name, known, f"declare it: databases: {{{shown(name)}: {{}}}}")
    if "*" in name or "%" in name:
        why, fix = f"{why}, one by one and never by a pattern", "write the name of one database"
    return "unknown-database", f"database {shown(name)} is not declared", why, fix


def _database_of_another(tenant: DeclaredTenant, owner: DeclaredTenant, database: Placed[Any]) -> Fault:
    name = shown(tenant.value.name)
    what = f"database {shown(database.value.name)} belongs to tenant {shown(owner.value.name)}"
    why = f"it is declared at {tenant.document.key(database.path)}, where it is not shared with {name}"
    fix = f"add {name} to its shared_with there, or remove this privilege"
    return "database-of-another-tenant", what, why, fix
