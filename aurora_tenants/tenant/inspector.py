"""The user that plans read with: which of its rights it should not have. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from aurora_tenants.mysql.grants import Grant, Scope, is_revocable
from aurora_tenants.mysql.inspector import RIGHTS
from aurora_tenants.mysql.names import unescaped
from aurora_tenants.mysql.owners import OWNERS


def is_inspector(name: str) -> bool:
    """Whether a shared stack keeps a user of this name for itself; no tenant can have it."""
    return name.lower().startswith(OWNERS)


def excess(grants: Iterable[Grant]) -> list[Grant]:
    """Those of these grants that no inspector should have and that can be revoked."""
    return [
        grant for grant in grants if is_revocable(grant) and (grant.privilege, _unescaped(grant.scope)) not in RIGHTS
    ]


def _unescaped(scope: Scope) -> Scope:
    return scope._replace(database=unescaped(scope.database))
