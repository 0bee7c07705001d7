"""How many connections the users of a file may take, beside what the server has. Pure.

MySQL counts the connections of each account by itself, so a user with two hosts may have its limit twice
(tests/mysql/test_connections.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aurora_tenants.errors import Notice
from aurora_tenants.model import Tenant, TenantUser
from aurora_tenants.mysql.state import Server

# More names than this are only counted.
_MOST_NAMES = 5


def connection_notices(tenants: Iterable[Tenant], server: Server) -> Iterator[Notice]:
    """That users have no limit, and that all limits together are more than the server takes; nothing where that is not
    known. Without locked users, who cannot connect."""
    most = server.max_connections
    if not most:
        return
    users = [user for tenant in tenants for user in tenant.users if not user.options.is_locked]
    without = [user.name for user in users if not _limit(user, server)]
    if without:
        noun, each = ("user has", "it") if len(without) == 1 else ("users have", "each of them")
        text = f"{len(without):,} {noun} no limit of connections ({listed(without)}): {each} can take all {most:,}"
        fix = "set max_user_connections in the file, for all of them under defaults"
        yield Notice("no-connection-limit", f"{text} of the server, and then nobody else gets in; {fix}")
    together = sum(_limit(user, server) * len(user.hosts) for user in users)
    if together > most:
        text = f"the users' limits are {together:,} connections together, and the server takes {most:,}"
        effect = "when all are used at once, others are refused (1040), and so are plan and apply"
        fix = "if that can happen, lower max_user_connections or raise the cluster's maximum capacity"
        yield Notice("connection-limits", f"{text} (max_connections): {effect}; {fix}")


def _limit(user: TenantUser, server: Server) -> int:
    """How many connections each of the user's accounts may have at once; 0 for as many as the server takes."""
    return user.options.max_user_connections or server.max_user_connections


def listed(names: list[str]) -> str:
    """The first of the names, with an ellipsis for the rest."""
    return ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
