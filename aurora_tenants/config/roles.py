"""Which roles a user may be granted, and which of them are active from the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aurora_tenants.config.declared import DeclaredRole, DeclaredTenant, DeclaredUser, described
from aurora_tenants.config.names import placeholders
from aurora_tenants.config.reading import text, texts
from aurora_tenants.config.wording import Fault, KeyPath, did_you_mean, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Problem
from aurora_tenants.mysql.names import is_aws_role, is_reserved_user

# To guess what was meant: new versions of Aurora bring more. ("Role-based privilege model", Amazon Aurora User Guide)
AURORA_ROLES = (
    *("AWS_BEDROCK_ACCESS", "AWS_COMPREHEND_ACCESS", "AWS_LAMBDA_ACCESS", "AWS_LOAD_S3_ACCESS"),
    *("AWS_SAGEMAKER_ACCESS", "AWS_SELECT_S3_ACCESS"),
)
_WORDS = ("ALL", "NONE")

Places = Mapping[str, tuple[DeclaredTenant, DeclaredRole]]


def problems(document: Document, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every role that a user cannot be granted, and every default role that it does not have."""
    declared = {role.value.name: (tenant, role) for tenant in reversed(tenants) for role in reversed(tenant.roles)}
    for tenant in tenants:
        for user in tenant.users:
            for path, fault in (*_granted(document, tenant, user, declared), *_defaults(tenant, user)):
                yield Problem(*fault, document.value(path), described(tenant, user))


def _granted(
    document: Document, tenant: DeclaredTenant, user: DeclaredUser, declared: Places
) -> Iterator[tuple[KeyPath, Fault]]:
    own, users = {role.value.name for role in tenant.roles}, {user.value.name for user in tenant.users}
    seen: set[str] = set()
    for grant in user.roles:
        name, path = grant.value.name, (*grant.path, "role") if grant.body else grant.path
        written = list(placeholders(tenant, name))
        yield from ((path, fault) for fault in written)
        if name in seen:
            yield path, ("duplicate-role", f"role {shown(name)} is granted twice", "", "take one of them out")
        seen.add(name)
        if not written and name and name not in own and not is_aws_role(name):
            yield path, _not_there(document, tenant, name, declared, is_user=name in users)


def _not_there(document: Document, tenant: DeclaredTenant, name: str, declared: Places, *, is_user: bool) -> Fault:
    """Why a tenant's user cannot be granted this role, which is not its tenant's."""
    if name in declared:
        owner, role = declared[name]
        what = f"role {shown(name)} belongs to tenant {shown(owner.value.name)}"
        why = f"it is declared at {document.key(role.path)}, and roles are granted to users of their own tenant only"
        fix = f"declare a role of tenant {shown(tenant.value.name)} with the same privileges"
        return "role-of-another-tenant", what, why, fix
    what = f"role {shown(name)} is not declared"
    if is_user:
        why = "it is a user, and a user is granted roles only"
        return "unknown-role", what, why, "declare a role, and give it the privileges that are meant"
    if is_reserved_user(name):
        why = "MySQL, RDS or aurora-tenants keeps a role of this name for itself"
        return "unknown-role", what, why, did_you_mean(name, AURORA_ROLES, "take it out")
    why = f"users are granted the roles of tenant {shown(tenant.value.name)} and Aurora's own, AWS_..._ACCESS"
    known = {*(role.value.name for role in tenant.roles), *AURORA_ROLES}
    return "unknown-role", what, why, did_you_mean(name, known, f"declare it: roles: {{{shown(name)}: {{}}}}")


def _defaults(tenant: DeclaredTenant, user: DeclaredUser) -> Iterator[tuple[KeyPath, Fault]]:
    word, path = text(user.body, "default_roles"), (*user.path, "default_roles")
    if word and word.upper() not in _WORDS:
        fix = f"write [{shown(word)}], ALL or NONE"
        yield path, ("wrong-value", f"default_roles is {shown(word)}", "it is ALL, NONE or a list of roles", fix)
    granted = {grant.value.name for grant in user.roles}
    seen: set[str] = set()
    for place, written in texts(user.body, "default_roles", user.path):
        name = tenant.filled(written)
        if name and name not in granted:
            what = f"default role {shown(name)} is not one of the user's roles"
            why = "MySQL activates roles that are granted only (error 3530)"
            fix = did_you_mean(name, granted, f"add {shown(name)} to roles, or take it out")
            yield place, ("default-role-not-granted", what, why, fix)
        if name in seen:
            yield place, ("duplicate-role", f"default role {shown(name)} is here twice", "", "take one of them out")
        seen.add(name)
