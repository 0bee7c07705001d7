"""The options of an account (TLS, limits, password rules, lock, comment), and the clauses that set them.

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

# Of a subject, an issuer, a cipher or a comment; what is longer in MySQL is read in part, so that it differs.
LONGEST_TEXT = 1024

_LIMITS = ("max_queries_per_hour", "max_updates_per_hour", "max_connections_per_hour", "max_user_connections")
_CURRENT = {None: " DEFAULT", True: "", False: " OPTIONAL"}

Kind = Literal["NONE", "SSL", "X509", "SPECIFIED"]


class Require(NamedTuple):
    """What MySQL requires of a connection. subject, issuer, cipher: with SPECIFIED; empty for any."""

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
    """The clauses of CREATE USER and ALTER USER for all options that differ; each begins with a blank.

    Without plugin and comment: the first is set with a password, the second in a statement of its own.
    """
    changed = {option for option in Options._fields if getattr(desired, option) != getattr(live, option)}
    limits = "".join(f" {limit.upper()} {getattr(desired, limit)}" for limit in _LIMITS if limit in changed)
    text = f" REQUIRE {_required(desired.require)}" if "require" in changed else ""
    text += f" WITH{limits}" if limits else ""
    expire = desired.expire_after_days
    rules = {
        "expire_after_days": f"PASSWORD EXPIRE {'NEVER' if expire == 0 else _days(expire)}",
        "history": f"PASSWORD HISTORY {'DEFAULT' if desired.history is None else desired.history}",
        "reuse_after_days": f"PASSWORD REUSE {_days(desired.reuse_after_days, default='INTERVAL DEFAULT')}",
        "require_current": f"PASSWORD REQUIRE CURRENT{_CURRENT[desired.require_current]}",
        "is_locked": f"ACCOUNT {'LOCK' if desired.is_locked else 'UNLOCK'}",
    }
    return text + "".join(f" {clause}" for option, clause in rules.items() if option in changed)


def _required(require: Require) -> str:
    if require.kind != "SPECIFIED":
        return require.kind
    parts = (("SUBJECT", require.subject), ("ISSUER", require.issuer), ("CIPHER", require.cipher))
    return " AND ".join(f"{word} {literal(value)}" for word, value in parts if value)


def _days(days: int | None, default: str = "DEFAULT") -> str:
    return default if days is None else f"INTERVAL {days} DAY"
