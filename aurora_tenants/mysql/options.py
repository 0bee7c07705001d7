"""What an account is like apart from its name, its password and its grants; and the clauses that say so.

    Options(require=Require("SSL"), max_user_connections=20)      REQUIRE SSL WITH MAX_USER_CONNECTIONS 20

Clauses name only what differs, so an account is altered in place and keeps everything else.
Source: "CREATE USER Statement", MySQL 8.4 Reference Manual.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from aurora_tenants.mysql.names import literal

IAM_PLUGIN = "AWSAuthenticationPlugin"
# Plugins that take a password, which is what a secret holds.
PASSWORD_PLUGINS = ("caching_sha2_password", "mysql_native_password", "sha256_password")

Kind = Literal["NONE", "SSL", "X509", "SPECIFIED"]


class Require(NamedTuple):
    """What a connection must have. subject, issuer, cipher: of a client's certificate, for SPECIFIED; empty for any."""

    kind: Kind = "NONE"
    subject: str = ""
    issuer: str = ""
    cipher: str = ""


class Options(NamedTuple):
    """Every default is MySQL's own. Limits: 0 for none. Password rules: None for the server's default.

    expire_after_days: 0 for never. plugin, comment: None leaves an account's as it is, and gives a new one the
    server's plugin and no comment.
    """

    require: Require = Require()
    max_queries_per_hour: int = 0
    max_updates_per_hour: int = 0
    max_connections_per_hour: int = 0
    max_user_connections: int = 0
    is_locked: bool = False
    expire_after_days: int | None = None
    history: int | None = None
    reuse_after_days: int | None = None
    require_current: bool | None = None
    plugin: str | None = None
    comment: str | None = None


def clauses(desired: Options, live: Options) -> str:
    """What stands behind the account in CREATE USER and ALTER USER, for all that differs; begins with a blank.

    Without plugin and comment: the first comes with a password, the second in a statement of its own.
    """
    limits = "".join(
        f" {option.upper()} {getattr(desired, option)}"
        for option in (
            "max_queries_per_hour",
            "max_updates_per_hour",
            "max_connections_per_hour",
            "max_user_connections",
        )
        if getattr(desired, option) != getattr(live, option)
    )
    text = f" REQUIRE {_required(desired.require)}" if desired.require != live.require else ""
    text += f" WITH{limits}" if limits else ""
    if desired.expire_after_days != live.expire_after_days:
        text += f" PASSWORD EXPIRE {_days(desired.expire_after_days) if desired.expire_after_days != 0 else 'NEVER'}"
    if desired.history != live.history:
        text += f" PASSWORD HISTORY {'DEFAULT' if desired.history is None else desired.history}"
    if desired.reuse_after_days != live.reuse_after_days:
        days = _days(desired.reuse_after_days)
        text += f" PASSWORD REUSE {'INTERVAL DEFAULT' if days == 'DEFAULT' else days}"
    if desired.require_current != live.require_current:
        text += " PASSWORD REQUIRE CURRENT"
        text += {None: " DEFAULT", True: "", False: " OPTIONAL"}[desired.require_current]
    if desired.is_locked != live.is_locked:
        text += f" ACCOUNT {'LOCK' if desired.is_locked else 'UNLOCK'}"
    return text


def _required(require: Require) -> str:
    if require.kind != "SPECIFIED":
        return require.kind
    parts = (("SUBJECT", require.subject), ("ISSUER", require.issuer), ("CIPHER", require.cipher))
    return " AND ".join(f"{word} {literal(value)}" for word, value in parts if value)


def _days(days: int | None) -> str:
    return "DEFAULT" if days is None else f"INTERVAL {days} DAY"
