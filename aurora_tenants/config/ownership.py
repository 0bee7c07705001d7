"""Who owns what: one tenant each, and whom an owner lets in. Every problem here names both places."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aurora_tenants.config.declared import DeclaredTenant, described
from aurora_tenants.config.reading import texts
from aurora_tenants.config.wording import KeyPath, did_you_mean, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import WHOLE_SERVER


@dataclass(frozen=True, slots=True)
class _Claim:
    """One tenant's claim of the name of a database, a user or a role. shared_with: the tenants it lets in."""

    name: str
    tenant: str
    path: KeyPath
    shared_with: tuple[str, ...] = ()


def problems(document: Document, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every name that two claim, and everything that reaches for what another tenant owns."""
    databases = [
        _Claim(database.value.name, tenant.value.name, database.path, database.value.shared_with)
        for tenant in tenants
        for database in tenant.databases
    ]
    users = [_Claim(user.value.name, tenant.value.name, user.path) for tenant in tenants for user in tenant.users]
    roles = [_Claim(role.value.name, tenant.value.name, role.path) for tenant in tenants for role in tenant.roles]
    yield from _tenants_twice(document, tenants)
    yield from _claimed_twice(document, "database", databases, identity=str.lower)
    yield from _claimed_twice(document, "user", users, identity=str)
    yield from _claimed_twice(document, "role", roles, identity=str)
    yield from _roles_that_are_users(document, roles, {claim.name: claim for claim in reversed(users)})
    yield from _shared_with_nobody(document, tenants)
    yield from _grants(document, tenants, {claim.name: claim for claim in reversed(databases)})


def _tenants_twice(document: Document, tenants: Iterable[DeclaredTenant]) -> Iterator[Problem]:
    first: dict[str, DeclaredTenant] = {}
    for tenant in tenants:
        name = tenant.value.name
        other = first.setdefault(name, tenant)
        if other is not tenant:
            why = f"{_origin(tenant)} has the name of {_origin(other)} at {document.key(other.path)}"
            what, fix = f"there are two tenants {shown(name)}", "rename one of them or its stage"
            yield Problem("duplicate-tenant", what, why, fix, document.key(tenant.path), f"tenant {shown(name)}")


def _origin(tenant: DeclaredTenant) -> str:
    entry = f"tenant {shown(tenant.path[-1])}"
    return entry if tenant.stage is None else f"stage {shown(tenant.stage)} of {entry}"


def _claimed_twice(
    document: Document, noun: str, claims: Iterable[_Claim], *, identity: Callable[[str], str]
) -> Iterator[Problem]:
    first: dict[str, _Claim] = {}
    for claim in claims:
        other = first.setdefault(identity(claim.name), claim)
        # Another stage of the same entry is told of as a name without {stage}, another tenant of the same name as that.
        is_other_entry = other.path[:2] != claim.path[:2]
        if other.path == claim.path or (is_other_entry and other.tenant == claim.tenant):
            continue
        where, place = document.key(claim.path), document.key(other.path)
        context = f"tenant {shown(claim.tenant)}, {noun} {shown(claim.name)}"
        if other.name != claim.name:
            what = f"the databases {shown(claim.name)} and {shown(other.name)} differ only in upper and lower case"
            why = f"the other is at {place}; with lower_case_table_names they would be one database"
            yield Problem("names-differ-by-case", what, why, "rename one of them", where, context)
        else:
            owners = " and ".join(dict.fromkeys(f"tenant {shown(owner)}" for owner in (other.tenant, claim.tenant)))
            what = f"{noun} {shown(claim.name)} is declared twice, by {owners}"
            why = f"it is declared at {place} already, and a {noun} belongs to one tenant"
            fix = "take it out here"
            if noun == "database" and is_other_entry:
                fix += f", and add {shown(claim.tenant)} to its shared_with there"
            yield Problem(f"duplicate-{noun}", what, why, fix, where, context)


def _roles_that_are_users(
    document: Document, roles: Iterable[_Claim], users: Mapping[str, _Claim]
) -> Iterator[Problem]:
    for role in roles:
        user = users.get(role.name)
        if user:
            what = f"{shown(role.name)} is a role here and a user of tenant {shown(user.tenant)}"
            why = f"the user is declared at {document.key(user.path)}, and to MySQL a role is a user as well"
            context = f"tenant {shown(role.tenant)}, role {shown(role.name)}"
            fix = f"rename one of them, for example {shown(role.name)}-role"
            yield Problem("role-is-user", what, why, fix, document.key(role.path), context)


def _shared_with_nobody(document: Document, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    names = {tenant.value.name for tenant in tenants} | {str(tenant.path[-1]) for tenant in tenants}
    for tenant in tenants:
        for database in tenant.databases:
            for path, text in texts(database.body, "shared_with", database.path):
                other = tenant.filled(text)
                if other in names or not other or "{" in other:
                    continue
                why = "a database can be shared with tenants of this file only"
                fix = did_you_mean(other, names, "take it out, or declare the tenant")
                what = f"there is no tenant {shown(other)}"
                yield Problem("unknown-tenant", what, why, fix, document.value(path), described(tenant, database))


def _grants(document: Document, tenants: Iterable[DeclaredTenant], owners: dict[str, _Claim]) -> Iterator[Problem]:
    for tenant in tenants:
        own = {database.value.name for database in tenant.databases}
        for grantee in tenant.grantees:
            for privilege in grantee.privileges:
                name = privilege.value.database
                if name in own or not name or "{" in name or name == WHOLE_SERVER:
                    continue
                where = document.value((*privilege.path, "database"))
                context = described(tenant, grantee, privilege.path)
                owner = owners.get(name)
                if owner is None:
                    yield _unknown_database(name, owners, where, context)
                elif tenant.value.name not in owner.shared_with:
                    yield _database_of_another(tenant.value.name, owner, document.key(owner.path), where, context)


def _unknown_database(name: str, known: Collection[str], where: Location, context: str) -> Problem:
    why = "privileges are granted on databases of this file only"
    if "*" in name or "%" in name:
        why += ", and a name is that one database, never a pattern"
        return Problem("unknown-database", f"database {shown(name)} is not declared", why, "name it", where, context)
    fix = did_you_mean(name, known, f"declare it: databases: {{{shown(name)}: {{}}}}")
    return Problem("unknown-database", f"database {shown(name)} is not declared", why, fix, where, context)


def _database_of_another(tenant: str, owner: _Claim, place: Location, where: Location, context: str) -> Problem:
    what = f"database {shown(owner.name)} belongs to tenant {shown(owner.tenant)}"
    why = f"it is declared at {place}, where it is not shared with {shown(tenant)}"
    fix = f"add {shown(tenant)} to its shared_with there, or take this privilege out"
    return Problem("database-of-another-tenant", what, why, fix, where, context)
