"""What a user's account needs and is limited to, as its entry says it.

{locked: true, require: SSL}    Options(require=Require("SSL"), is_locked=True, …)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aurora_tenants.config.reading import filled, flag, mapping, number, text
from aurora_tenants.model import Auth
from aurora_tenants.mysql.options import Kind, Options, Require

PARTS = ("subject", "issuer", "cipher")
KINDS: Mapping[str, Kind] = {"NONE": "NONE", "SSL": "SSL", "X509": "X509"}
"""What `require` of a user is: parts of a certificate, or one of the kinds."""
KEYS = frozenset(
    {
        "require",
        "max_queries_per_hour",
        "max_updates_per_hour",
        "max_connections_per_hour",
        "max_user_connections",
        "locked",
        "password_expire_after_days",
        "password_history",
        "password_reuse_after_days",
        "password_require_current",
        "plugin",
        "comment",
    }
)
"""Whatever of a user's entry its options come from."""


def declared(body: Mapping[str, Any], stage: str | None, *, auth: Auth, max_user_connections: int) -> Options:
    """The options of a user. max_user_connections: where it does not say so itself."""
    if body.keys().isdisjoint(KEYS):
        return _usual(max_user_connections, auth)
    return read(body, max_user_connections, auth, stage)


@lru_cache
def _usual(max_user_connections: int, auth: Auth) -> Options:
    """Those of a user that says nothing of them: nearly every one."""
    return read({}, max_user_connections, auth, None)


def read(body: Mapping[str, Any], max_user_connections: int, auth: Auth, stage: str | None) -> Options:
    """The same, whatever the user says."""
    plugin, comment = text(body, "plugin"), text(body, "comment")
    connections = number(body, "max_user_connections")
    return Options(
        require=_require(body, auth, stage),
        max_queries_per_hour=number(body, "max_queries_per_hour") or 0,
        max_updates_per_hour=number(body, "max_updates_per_hour") or 0,
        max_connections_per_hour=number(body, "max_connections_per_hour") or 0,
        max_user_connections=max_user_connections if connections is None else connections,
        is_locked=flag(body, "locked") is True,
        expire_after_days=number(body, "password_expire_after_days"),
        history=number(body, "password_history"),
        reuse_after_days=number(body, "password_reuse_after_days"),
        require_current=flag(body, "password_require_current"),
        plugin=plugin.lower() if plugin else None,
        comment=None if comment is None else filled(comment, stage),
    )


def _require(body: Mapping[str, Any], auth: Auth, stage: str | None) -> Require:
    """IAM's tokens are sent in clear text, so an account that takes them requires TLS at least."""
    parts = {part: text(mapping(body.get("require")), part) for part in PARTS}
    if any(parts.values()):
        return Require("SPECIFIED", **{part: filled(value, stage) for part, value in parts.items() if value})
    kind = KINDS.get((text(body, "require") or "").upper(), "NONE")
    return Require("SSL" if kind == "NONE" and auth == "iam" else kind)
