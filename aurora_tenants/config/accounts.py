"""What a user's account may be like: how it logs in, what its connections need, how long its password lives, its roles.

Every rule here keeps somebody from being locked out, or from trusting a protection that does not work: MySQL itself
accepts nearly all of this without a warning (see tests/config/test_accounts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aurora_tenants.config import hosts
from aurora_tenants.config.declared import DeclaredTenant, Placed
from aurora_tenants.config.names import placeholders
from aurora_tenants.config.options import KINDS, PARTS
from aurora_tenants.config.ownership import Owned, by_name
from aurora_tenants.config.reading import STAGE, mapping, text, text_or_texts, texts
from aurora_tenants.config.wording import (
    Fault,
    PlacedFault,
    at,
    counted,
    did_you_mean,
    dynamic_reference,
    listed,
    named_character,
    repeated,
    shown,
    too_long,
)
from aurora_tenants.errors import Problem
from aurora_tenants.model import TenantUser
from aurora_tenants.mysql.accounts import LONGEST_COMMENT
from aurora_tenants.mysql.names import is_aws_role, is_reserved_user, literal
from aurora_tenants.mysql.options import IAM_PLUGIN, LONGEST_TEXT, PASSWORD_PLUGINS
from aurora_tenants.rotations.choice import rules_of

_ABOUT_PASSWORDS = (
    "plugin",
    "rotate_after_days",
    "rotate_window",
    "rotation",
    "rotation_lambda",
    "password_expire_after_days",
    "password_history",
    "password_reuse_after_days",
    "password_require_current",
)
_CERTIFICATE = "/C=SE/O=Example/CN=client"
# To guess what was meant: new versions of Aurora bring more. ("Role-based privilege model", Amazon Aurora User Guide)
_AURORA_ROLES = tuple(
    f"AWS_{service}_ACCESS" for service in ("BEDROCK", "COMPREHEND", "LAMBDA", "LOAD_S3", "SAGEMAKER", "SELECT_S3")
)


def problems(tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every option of a user or a role that cannot work or would not do what it says, and every role not to be had."""
    declared = by_name([(tenant, role) for tenant in tenants for role in tenant.roles])
    for tenant in tenants:
        yield from (tenant.problem(path, fault) for path, fault in _faults(tenant, declared))


def _faults(tenant: DeclaredTenant, declared: Mapping[str, Owned]) -> Iterator[PlacedFault]:
    for grantee in tenant.grantees:
        comment = text(grantee.body, "comment")
        if comment:
            yield from at((*grantee.path, "comment"), _text(tenant, "comment", comment))
    for user in tenant.users:
        yield from _hosts(tenant, user)
        yield from _require(tenant, user)
        for key, fault in (*_plugin(user), *_password(user), *_iam(user)):
            yield (*user.path, key), fault
        yield from _granted(tenant, user, declared)
        yield from _default_roles(tenant, user)


def _hosts(tenant: DeclaredTenant, user: Placed[TenantUser]) -> Iterator[PlacedFault]:
    filled = [(path, tenant.filled(written)) for path, written in text_or_texts(user.body, "host", user.path)]
    for path, host in filled:
        if host:
            yield from at(path, list(placeholders(tenant, host)) or hosts.faults(host))
    yield from repeated("host", filled, identity=str.lower)


def _require(tenant: DeclaredTenant, user: Placed[TenantUser]) -> Iterator[PlacedFault]:
    body, path = user.body, (*user.path, "require")
    if "require" not in body:
        return
    kind = text(body, "require")
    if kind and kind.upper() not in KINDS:
        fix = did_you_mean(kind, KINDS, f"write {listed([*KINDS], 'or')}, or a mapping with {listed(PARTS, 'or')}")
        yield path, ("unknown-requirement", f"require is {shown(kind)}", "MySQL has no such requirement", fix)
    for part in PARTS:
        value = text(mapping(body.get("require")), part)
        if value:
            yield from at((*path, part), _certificate(tenant, part, value))


def _certificate(tenant: DeclaredTenant, part: str, value: str) -> Iterator[Fault]:
    """Why a value would never match: MySQL compares it, letter by letter, with what OpenSSL says of the connection."""
    faults = list(_text(tenant, part, value))
    yield from faults
    if faults:
        return
    if not value.isascii():
        why = "MySQL compares it with OpenSSL's one-line form, in which such characters are escaped with a backslash"
        fix = "use a certificate whose names are ASCII"
        yield "never-matches", f"{part} {shown(value)} contains characters that are not ASCII", why, fix
    elif part == "cipher" and not value.replace("-", "").replace("_", "").isalnum():
        why = "MySQL compares it with the connection's one cipher, so a list or a pattern never matches"
        fix = "write one, such as TLS_AES_256_GCM_SHA384"
        yield "never-matches", f"cipher {shown(value)} is not the name of one cipher", why, fix
    elif part != "cipher" and not value.startswith("/"):
        why = f"MySQL compares it with OpenSSL's one-line form, which looks like {_CERTIFICATE}"
        fix = "to see it, run: openssl x509 -noout -subject -issuer -nameopt compat -in client.pem"
        yield "never-matches", f"{part} {shown(value)} does not begin with /", why, fix


def _text(tenant: DeclaredTenant, key: str, value: str) -> Iterator[Fault]:
    """The faults of a text that becomes a literal in a statement."""
    yield from dynamic_reference(key, value)
    if STAGE in value:
        yield from (fault for fault in placeholders(tenant, value) if fault[0] == "no-stages")
    try:
        literal(value)
    except ValueError:
        wrong = next(character for character in value if character == "\\" or character < " ")
        why = "its meaning depends on the server's sql_mode" if wrong == "\\" else "it must be one line of text"
        yield "invalid-text", f"{key} {shown(value)} contains {named_character(wrong)}", why, "remove it"
    yield from too_long(key, value, LONGEST_COMMENT if key == "comment" else LONGEST_TEXT, code="text-too-long")


def _plugin(user: Placed[TenantUser]) -> Iterator[tuple[str, Fault]]:
    plugin = text(user.body, "plugin")
    if not plugin or plugin.lower() in PASSWORD_PLUGINS:
        return
    why = f"the plugin of a user with a password is {listed(PASSWORD_PLUGINS, 'or')}"
    fix = did_you_mean(plugin, PASSWORD_PLUGINS, "remove it to use the server's default")
    if plugin.lower() == IAM_PLUGIN.lower():
        fix = "write auth: iam instead, which needs no secret either"
    yield "plugin", ("unknown-plugin", f"plugin {shown(plugin)} cannot be set", why, fix)


def _password(user: Placed[TenantUser]) -> Iterator[tuple[str, Fault]]:
    days, rotated = user.value.options.expire_after_days, user.value.rotate_after_days
    if user.value.auth == "password" and rotated and days:
        apart = int(rules_of(user.value, None).most_days)
        said = "rotate_window and rotate_after_days" if user.value.rotate_window else "rotate_after_days"
        rotated = max(rotated, apart)
        if days > rotated:
            return
        what = f"the password expires after {counted(days, 'day')}, before it is rotated"
        why = f"it is rotated after {counted(rotated, 'day')} ({said}), and until then nobody could log in"
        yield "password_expire_after_days", ("expires-before-rotation", what, why, f"write a number above {rotated}")


def _iam(user: Placed[TenantUser]) -> Iterator[tuple[str, Fault]]:
    if user.value.auth != "iam":
        return
    why = "with auth: iam the user has no password: it logs in with tokens that IAM signs"
    for key in _ABOUT_PASSWORDS:
        if user.body.get(key) is not None:
            yield key, ("not-with-iam", f"{key} is set for a user without a password", why, "remove it")
    if (text(user.body, "require") or "").upper() == "NONE":
        why = "IAM's tokens are sent in clear text and need TLS, so auth: iam implies REQUIRE SSL"
        yield "require", ("not-with-iam", "require is NONE with auth: iam", why, "remove it, or write SSL")


# The roles of a user


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
    """Why a user of the tenant cannot be granted this role, which the tenant does not declare."""
    if name in declared:
        owner, role = declared[name]
        what = f"role {shown(name)} belongs to tenant {shown(owner.value.name)}"
        place = tenant.document.key(role.path)
        why = f"it is declared at {place}, and a role can be granted to users of its own tenant only"
        fix = f"declare a role of tenant {shown(tenant.value.name)} with the same privileges"
        return "role-of-another-tenant", what, why, fix
    what = f"role {shown(name)} is not declared"
    if name in {user.value.name for user in tenant.users}:
        why = "it is a user, and only roles can be granted"
        return "unknown-role", what, why, "declare a role with these privileges, and grant that"
    if is_reserved_user(name):
        why = "the name belongs to MySQL, RDS or aurora-tenants"
        return "unknown-role", what, why, did_you_mean(name, _AURORA_ROLES, "remove it")
    why = f"a user can be granted the roles of tenant {shown(tenant.value.name)} and Aurora's own, AWS_..._ACCESS"
    known = {*(role.value.name for role in tenant.roles), *_AURORA_ROLES}
    return "unknown-role", what, why, did_you_mean(name, known, f"declare it: roles: {{{shown(name)}: {{}}}}")


def _default_roles(tenant: DeclaredTenant, user: Placed[TenantUser]) -> Iterator[PlacedFault]:
    if "default_roles" not in user.body:
        return
    word, path = text(user.body, "default_roles"), (*user.path, "default_roles")
    if word and word.upper() not in ("ALL", "NONE"):
        fix = f"write [{shown(word)}], ALL or NONE"
        yield path, ("wrong-value", f"default_roles is {shown(word)}", "it must be ALL, NONE or a list of roles", fix)
    granted = {role.value.name for role in user.roles}
    defaults = [(place, tenant.filled(written)) for place, written in texts(user.body, "default_roles", user.path)]
    for place, name in defaults:
        if name and name not in granted:
            what = f"default role {shown(name)} is not one of the user's roles"
            why = "MySQL activates only roles that are granted (error 3530)"
            fix = did_you_mean(name, granted, f"add {shown(name)} to roles, or remove it")
            yield place, ("default-role-not-granted", what, why, fix)
    yield from repeated("default role", defaults)
