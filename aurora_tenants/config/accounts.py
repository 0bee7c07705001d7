"""What a user's account may be like: how it logs in, what its connections must have, how long its password lives.

Every rule here keeps somebody from being locked out, or from believing in a protection that is none: MySQL itself
takes nearly all of this without a word (see tests/test_config_accounts.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from aurora_tenants.config import hosts
from aurora_tenants.config.declared import KINDS, PARTS, STAGE, DeclaredTenant, Placed
from aurora_tenants.config.names import placeholders
from aurora_tenants.config.reading import mapping, text, text_or_texts
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
from aurora_tenants.mysql.names import literal
from aurora_tenants.mysql.options import IAM_PLUGIN, PASSWORD_PLUGINS

# MySQL itself takes megabytes; this has to go into a template of 51,200 bytes, with everything else of the tenant.
LONGEST_TEXT = 1024
_ABOUT_PASSWORDS = (
    "plugin",
    "rotate_after_days",
    "password_expire_after_days",
    "password_history",
    "password_reuse_after_days",
    "password_require_current",
)
_CERTIFICATE = "/C=SE/O=Example/CN=client"


def problems(tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every option of a user or a role that cannot be, or that would not do what it says."""
    for tenant in tenants:
        yield from (tenant.problem(path, fault) for path, fault in _faults(tenant))


def _faults(tenant: DeclaredTenant) -> Iterator[PlacedFault]:
    for grantee in tenant.grantees:
        yield from at((*grantee.path, "comment"), _text(tenant, "comment", text(grantee.body, "comment") or ""))
    for user in tenant.users:
        yield from _hosts(tenant, user)
        yield from _require(tenant, user)
        for key, fault in (*_plugin(user), *_password(user), *_iam(user)):
            yield (*user.path, key), fault


def _hosts(tenant: DeclaredTenant, user: Placed[TenantUser]) -> Iterator[PlacedFault]:
    filled = [(path, tenant.filled(written)) for path, written in text_or_texts(user.body, "host", user.path)]
    for path, host in filled:
        if host:
            yield from at(path, list(placeholders(tenant, host)) or hosts.faults(host))
    yield from repeated("host", filled, identity=str.lower)


def _require(tenant: DeclaredTenant, user: Placed[TenantUser]) -> Iterator[PlacedFault]:
    body, path = user.body, (*user.path, "require")
    kind = text(body, "require")
    if kind and kind.upper() not in KINDS:
        fix = did_you_mean(kind, KINDS, f"write {listed([*KINDS], 'or')}, or a mapping with {listed(PARTS, 'or')}")
        yield path, ("unknown-requirement", f"require is {shown(kind)}", "MySQL has no such requirement", fix)
    for part in PARTS:
        value = text(mapping(body.get("require")), part)
        if value:
            yield from at((*path, part), _certificate(tenant, part, value))


def _certificate(tenant: DeclaredTenant, part: str, value: str) -> Iterator[Fault]:
    """What keeps a value from ever being that of a connection: MySQL compares it, letter by letter, with OpenSSL's."""
    faults = list(_text(tenant, part, value))
    yield from faults
    if faults:
        return
    if not value.isascii():
        why = "MySQL compares it with OpenSSL's one line, which writes every other character with a backslash"
        fix = "require a certificate whose names are of ASCII characters"
        yield "never-matches", f"{part} {shown(value)} holds other than ASCII characters", why, fix
    elif part == "cipher" and not value.replace("-", "").replace("_", "").isalnum():
        why = "it is compared with the one cipher of the connection, so a list or a pattern matches none"
        fix = "name one, such as TLS_AES_256_GCM_SHA384"
        yield "never-matches", f"cipher {shown(value)} is not the name of one cipher", why, fix
    elif part != "cipher" and not value.startswith("/"):
        why = f"MySQL compares it with OpenSSL's one line, which is like {_CERTIFICATE}"
        fix = "print it with: openssl x509 -noout -subject -issuer -nameopt compat -in client.pem"
        yield "never-matches", f"{part} {shown(value)} does not begin with /", why, fix


def _text(tenant: DeclaredTenant, key: str, value: str) -> Iterator[Fault]:
    """The faults of what becomes a literal in a statement."""
    yield from dynamic_reference(key, value)
    if STAGE in value:
        yield from (fault for fault in placeholders(tenant, value) if fault[0] == "no-stages")
    try:
        literal(value)
    except ValueError:
        wrong = next(character for character in value if character == "\\" or character < " ")
        why = "what a backslash means depends on the server's sql_mode" if wrong == "\\" else "it is one line of text"
        yield "invalid-text", f"{key} {shown(value)} holds {named_character(wrong)}", why, "take it out"
    yield from too_long(key, len(value), LONGEST_COMMENT if key == "comment" else LONGEST_TEXT, code="text-too-long")


def _plugin(user: Placed[TenantUser]) -> Iterator[tuple[str, Fault]]:
    plugin = text(user.body, "plugin")
    if not plugin or plugin.lower() in PASSWORD_PLUGINS:
        return
    why = f"passwords are checked by {listed(PASSWORD_PLUGINS, 'or')}"
    fix = did_you_mean(plugin, PASSWORD_PLUGINS, "take it out, which leaves it to the server")
    if plugin.lower() == IAM_PLUGIN.lower():
        fix = "write auth: iam instead, which also makes no secret"
    yield "plugin", ("unknown-plugin", f"plugin {shown(plugin)} cannot be set", why, fix)


def _password(user: Placed[TenantUser]) -> Iterator[tuple[str, Fault]]:
    days, rotated = user.value.options.expire_after_days, user.value.rotate_after_days
    if user.value.auth == "password" and days and 0 < days <= rotated:
        what = f"the password expires after {counted(days, 'day')}, before it is rotated"
        why = f"it is rotated after {counted(rotated, 'day')} (rotate_after_days); until then nobody could log in"
        yield "password_expire_after_days", ("expires-before-rotation", what, why, "let it live longer than that")


def _iam(user: Placed[TenantUser]) -> Iterator[tuple[str, Fault]]:
    if user.value.auth != "iam":
        return
    why = "with auth: iam the user has no password: it logs in with tokens that IAM signs"
    for key in _ABOUT_PASSWORDS:
        if user.body.get(key) is not None:
            yield key, ("not-with-iam", f"{key} is said of a user without a password", why, "take it out")
    if (text(user.body, "require") or "").upper() == "NONE":
        why = "IAM's tokens are sent as they are, and only TLS hides them; with auth: iam, REQUIRE SSL is implied"
        yield "require", ("not-with-iam", "require is NONE with auth: iam", why, "take it out, or write SSL")
