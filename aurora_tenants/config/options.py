"""What the file says of a user's account: its hosts, how it logs in, and its options. `accounts` judges them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aurora_tenants.config.reading import flag, mapping, number, text, text_or_texts
from aurora_tenants.model import Auth
from aurora_tenants.mysql.options import Kind, Options, Require

PARTS = ("subject", "issuer", "cipher")
KINDS: Mapping[str, Kind] = {"NONE": "NONE", "SSL": "SSL", "X509": "X509"}


def auth(body: Mapping[str, Any]) -> Auth:
    """How the user logs in."""
    return "iam" if body.get("auth") == "iam" else "password"


def hosts(body: Mapping[str, Any], filled: Callable[[str], str]) -> tuple[str, ...]:
    """Where the user logs in from. filled: puts the stage into a text."""
    return tuple(filled(host) for _, host in text_or_texts(body, "host")) or ("%",)


def options(body: Mapping[str, Any], filled: Callable[[str], str]) -> Options:
    """The options of a user's account. filled: puts the stage into a text."""
    plugin, comment = text(body, "plugin"), text(body, "comment")
    return Options(
        require=_require(body, filled),
        max_queries_per_hour=number(body, "max_queries_per_hour") or 0,
        max_updates_per_hour=number(body, "max_updates_per_hour") or 0,
        max_connections_per_hour=number(body, "max_connections_per_hour") or 0,
        max_user_connections=number(body, "max_user_connections") or 0,
        is_locked=flag(body, "locked") is True,
        expire_after_days=number(body, "password_expire_after_days"),
        history=number(body, "password_history"),
        reuse_after_days=number(body, "password_reuse_after_days"),
        require_current=flag(body, "password_require_current"),
        plugin=plugin.lower() if plugin else None,
        comment=None if comment is None else filled(comment),
    )


def _require(body: Mapping[str, Any], filled: Callable[[str], str]) -> Require:
    """IAM's tokens are sent as they are, so an account that takes them wants TLS unless it wants more."""
    parts = {part: text(mapping(body.get("require")), part) for part in PARTS}
    if any(parts.values()):
        return Require("SPECIFIED", **{part: filled(value) for part, value in parts.items() if value})
    kind = KINDS.get((text(body, "require") or "").upper(), "NONE")
    return Require("SSL" if kind == "NONE" and auth(body) == "iam" else kind)
