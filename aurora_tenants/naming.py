"""What stacks, their tags, outputs and resources, secrets and schedule groups are called. Pure.

stack_name(cluster, "shop-dev")              shared-global-shop-dev
logical_id("Database", "shop-dev")           DatabaseShopDev
logical_id("Database", "shop_dev")           DatabaseShopDevB357C096: its letters alone could be another name's
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aurora_tenants.model import Cluster, Tenant, TenantDatabase, TenantRole, TenantUser

CLUSTER_TAG = "aurora-tenants:cluster"
TENANT_TAG = "aurora-tenants:tenant"
PART_TAG = "aurora-tenants:part"
# The pause schedule's part of names; no tenant may be called that.
PAUSE_SCHEDULE = "pause-schedule"

# A parameter of every stack: another value has each of its resources compared or made again.
REVISION = "Revision"
# Outputs of a tenant's stack. A database called `server` must not take the place of the first.
SERVER = "DatabaseServer"
DIGEST = "Digest"
DROP_ON_REMOVE = "DropOnRemove"

# Names that can be read back from their logical id, so that no two of them share one. The id of every other name ends
# in part of its hash, and so does the id of a name that looks as if it did.
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z][a-z0-9]*)*\Z")
_HASHED = re.compile(r"[0-9A-F]{8}\Z")


def stack_name(cluster: Cluster, tenant: str) -> str:
    """The name of a tenant's stack."""
    return f"{cluster.stack}-{tenant}"


def tenant_tags(cluster: Cluster, tenant: str) -> dict[str, str]:
    """The tags by which a stack is known to be a tenant's."""
    return {CLUSTER_TAG: cluster.stack, TENANT_TAG: tenant}


def pause_stack(cluster: Cluster) -> str:
    """The name of the pause schedule's stack."""
    return stack_name(cluster, PAUSE_SCHEDULE)


def pause_tags(cluster: Cluster) -> dict[str, str]:
    """The tags by which a stack is known to be a pause schedule's."""
    return {CLUSTER_TAG: cluster.stack, PART_TAG: PAUSE_SCHEDULE}


def schedule_group(cluster: Cluster) -> str:
    """The name of the group that the schedules are in; the shared stack makes it."""
    return f"{cluster.stack}-{PAUSE_SCHEDULE}"


def secret_name(cluster: Cluster, user: str) -> str:
    """The name of a user's secret; the shared stack's functions may read this prefix and no other."""
    return f"/{cluster.stack}/database/{user}"


def logical_id(kind: str, name: str) -> str:
    """A readable id of letters and digits, stable for a name and never the same for two names of one kind."""
    readable = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    if not _PLAIN.match(name) or _HASHED.search(readable) or f"{kind}{readable}" == SERVER:
        readable += hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    return f"{kind}{readable}"


class LogicalIds(NamedTuple):
    """The logical ids of a tenant's resources, by the names of databases, roles and users."""

    databases: Mapping[str, str]
    roles: Mapping[str, str]
    users: Mapping[str, str]
    secrets: Mapping[str, str]
    attachments: Mapping[str, str]
    rotations: Mapping[str, str]

    @classmethod
    def of(cls, tenant: Tenant) -> LogicalIds:
        return cls(
            _ids("Database", tenant.databases),
            _ids("Role", tenant.roles),
            *(_ids(kind, tenant.users) for kind in ("User", "Secret", "Attachment", "Rotation")),
        )


def _ids(kind: str, things: Iterable[TenantDatabase | TenantRole | TenantUser]) -> dict[str, str]:
    return {thing.name: logical_id(kind, thing.name) for thing in things}
