"""Which roles a user may be granted, and which of them are active from the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aurora_tenants.config.declared import DeclaredTenant, Placed
from aurora_tenants.config.names import placeholders
from aurora_tenants.config.ownership import Owned, by_name
from aurora_tenants.config.reading import text, texts
from aurora_tenants.config.wording import Fault, PlacedFault, at, did_you_mean, repeated, shown
from aurora_tenants.errors import Problem
from aurora_tenants.model import TenantUser
from aurora_tenants.mysql.names import is_aws_role, is_reserved_user

# To guess what was meant: new versions of Aurora bring more. ("Role-based privilege model", Amazon Aurora User Guide)
AURORA_ROLES = (
    *("AWS_BEDROCK_ACCESS", "AWS_COMPREHEND_ACCESS", "AWS_LAMBDA_ACCESS", "AWS_LOAD_S3_ACCESS"),
    *("AWS_SAGEMAKER_ACCESS", "AWS_SELECT_S3_ACCESS"),
)
_WORDS = ("ALL", "NONE")


def problems(tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every role that a user cannot be granted, and every default role that it does not have."""
    declared = by_name([(tenant, role) for tenant in tenants for role in tenant.roles])
    for tenant in tenants:
        for user in tenant.users:
            for path, fault in (*_granted(tenant, user, declared), *_defaults(tenant, user)):
                yield tenant.problem(path, fault)


def _granted(tenant: DeclaredTenant, user: Placed[TenantUser], declared: Mapping[str, Owned]) -> Iterator[PlacedFault]:
    own = {role.value.name for role in tenant.roles}
    granted = [((*role.path, "role") if role.body else role.path, role.value.name) for role in user.roles]
    for path, name in granted:
        unknown = list(placeholders(tenant, name))
        yield from at(path, unknown)
        if not unknown and name and name not in own and not is_aws_role(name):
            yield path, _undeclared(tenant, name, declared)
    yield from repeated("role", granted)


def _undeclared(tenant: DeclaredTenant, name: str, declared: Mapping[str, Owned]) -> Fault:
    """Why a tenant's user cannot be granted this role, which is not its tenant's."""
    if name in declared:
        owner, role = declared[name]
        what = f"role {shown(name)} belongs to tenant {shown(owner.value.name)}"
        place = tenant.document.key(role.path)
        why = f"it is declared at {place}, and a role can be granted to users of its own tenant only"
        fix = f"declare a role of tenant {shown(tenant.value.name)} with the same privileges"
        return "role-of-another-tenant", what, why, fix
    what = f"role {shown(name)} is not declared"
    if name in {user.value.name for user in tenant.users}:
        why = "it is a user, and a user is granted roles only"
        return "unknown-role", what, why, "declare a role, and give it the privileges that are meant"
    if is_reserved_user(name):
        why = "MySQL, RDS or aurora-tenants keeps a role of this name for itself"
        return "unknown-role", what, why, did_you_mean(name, AURORA_ROLES, "take it out")
    why = f"users are granted the roles of tenant {shown(tenant.value.name)} and Aurora's own, AWS_..._ACCESS"
    known = {*(role.value.name for role in tenant.roles), *AURORA_ROLES}
    return "unknown-role", what, why, did_you_mean(name, known, f"declare it: roles: {{{shown(name)}: {{}}}}")


def _defaults(tenant: DeclaredTenant, user: Placed[TenantUser]) -> Iterator[PlacedFault]:
    word, path = text(user.body, "default_roles"), (*user.path, "default_roles")
    if word and word.upper() not in _WORDS:
        fix = f"write [{shown(word)}], ALL or NONE"
        yield path, ("wrong-value", f"default_roles is {shown(word)}", "it is ALL, NONE or a list of roles", fix)
    granted = {role.value.name for role in user.roles}
    defaults = [(place, tenant.filled(written)) for place, written in texts(user.body, "default_roles", user.path)]
    for place, name in defaults:
        if name and name not in granted:
            what = f"default role {shown(name)} is not one of the user's roles"
            why = "MySQL activates roles that are granted only (error 3530)"
            fix = did_you_mean(name, granted, f"add {shown(name)} to roles, or take it out")
            yield place, ("default-role-not-granted", what, why, fix)
    yield from repeated("default role", defaults)
