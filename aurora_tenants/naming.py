"""What stacks, their tags, outputs and resources, secrets and schedule groups are called. Pure.

stack_name(cluster, "shop-dev")              shared-global-shop-dev
logical_id("Database", "shop-dev")           DatabaseShopDev
logical_id("Database", "shop_dev")           DatabaseShopDevB357C096: its letters alone could be another name's
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from aurora_tenants.model import Cluster, Tenant, TenantDatabase, TenantRole, TenantUser

CLUSTER_TAG = "aurora-tenants:cluster"
TENANT_TAG = "aurora-tenants:tenant"
PART_TAG = "aurora-tenants:part"
# Of a snapshot: whose databases were about to be dropped, and which.
TENANTS_TAG = "aurora-tenants:tenants"
DATABASES_TAG = "aurora-tenants:databases"
# Parts of names that are not a tenant's: no tenant may be called one of them.
PAUSE_SCHEDULE = "pause-schedule"
CLUSTER = "cluster"

# Of cfn/hosted-rotation.yml: the user whose secret shows that there is such a stack, the export of its function, and a
# tag of that secret with the subnets that its endpoint is in.
HOSTED_USER = "hosted_rotation"
HOSTED_EXPORT = "hosted-rotation-lambda"
ENDPOINT_TAG = "aurora-tenants:endpoint-subnets"

# A parameter of every stack: another value has each of its resources compared or made again.
REVISION = "Revision"
# Outputs of a tenant's stack. The first is the shared stack's, and of tenants that were deployed before it was theirs
# too: a database called `server` must not take its place.
SERVER = "DatabaseServer"
DIGEST = "Digest"
DROP_ON_REMOVE = "DropOnRemove"
ON_REMOVE_USERS = "OnRemoveUsers"  # user=lock,…: of users whose on_remove is said
RENAMED_USERS = "RenamedUsers"  # new=old,…: the resources of a renamed user keep the ids of its first name

# What a tenant's parameters import of the shared stack beside its cluster's ARN, after its name and a dash.
ADDRESS_EXPORTS = ("database-host", "database-port")

# What a stack's name can have: "StackName", CreateStack, CloudFormation API Reference.
LONGEST_STACK = 128
_FUNCTION = 64  # "FunctionName", CreateFunction, Lambda API Reference
_LOG_GROUP = 512  # "logGroupName", CreateLogGroup, CloudWatch Logs API Reference
_SCHEDULE = 64  # "Name", CreateSchedule and CreateScheduleGroup, EventBridge Scheduler API Reference
_SECRET = 512  # "Name", CreateSecret, Secrets Manager API Reference; the ARN's six characters are not counted
_OUTPUT = 255  # of an output; none is said for an export. "CloudFormation quotas", CloudFormation User Guide
_TAG = 256  # of a value. "Tag", CloudFormation API Reference


class Limit(NamedTuple):
    """A name that is made of others, and how many characters AWS lets it have. form: {stack} stands for cluster.stack.

    whose: the service that takes no more.
    """

    noun: str
    form: str
    longest: int
    whose: str

    def name(self, **parts: str) -> str:
        return self.form.format(**parts)

    @property
    def longest_stack(self) -> int:
        """How long cluster.stack can be. Only of names that are made of nothing else."""
        return self.longest - len(self.name(stack=""))


# Every name that cfn/shared.yml, the functions and this module make of cluster.stack alone.
OF_SHARED_STACK = (
    Limit("function", "{stack}-database-secret-rotation", _FUNCTION, "Lambda"),
    Limit("function", "{stack}-database-provider", _FUNCTION, "Lambda"),
    Limit("schedule group", "{stack}-pause-schedule", _SCHEDULE, "EventBridge Scheduler"),
    Limit("stack", "{stack}-pause-schedule", LONGEST_STACK, "CloudFormation"),
    Limit("stack", "{stack}-cluster", LONGEST_STACK, "CloudFormation"),
    Limit("tag's value", "{stack}", _TAG, "CloudFormation"),
    Limit("export", "{stack}-database-server", _OUTPUT, "CloudFormation"),
    Limit("export", "{stack}-database-host", _OUTPUT, "CloudFormation"),
    Limit("export", "{stack}-database-port", _OUTPUT, "CloudFormation"),
    Limit("export", "{stack}-database-service-token", _OUTPUT, "CloudFormation"),
    Limit("export", "{stack}-database-user-service-token", _OUTPUT, "CloudFormation"),
    Limit("export", "{stack}-database-secret-rotation-lambda", _OUTPUT, "CloudFormation"),
    Limit("secret", "/{stack}/database/aurora_tenants_inspector", _SECRET, "Secrets Manager"),
    Limit("secret", "/{stack}/database/rotation-test/" + "-" * (43 + 9), _SECRET, "Secrets Manager"),
    Limit("log group", "/aws/lambda/{stack}-database-secret-rotation", _LOG_GROUP, "CloudWatch Logs"),
    Limit("log group", "/aws/lambda/{stack}-database-provider", _LOG_GROUP, "CloudWatch Logs"),
)
# Of all of these, the name that leaves the least room: no shared stack can be called longer than it allows.
TIGHTEST = min(OF_SHARED_STACK, key=lambda limit: limit.longest_stack)
# Those that have more in them. tenant: with its stage. id: `logical_id`. schedule: schedule/template.py, base_name.
OF_MORE = (
    Limit("stack", "{stack}-{tenant}", LONGEST_STACK, "CloudFormation"),
    Limit("tag's value", "{tenant}", _TAG, "CloudFormation"),
    Limit("export", "{stack}-{tenant}-{id}", _OUTPUT, "CloudFormation"),
    Limit("logical id", "{id}", _OUTPUT, "CloudFormation"),
    Limit("secret", "/{stack}/database/{user}", _SECRET, "Secrets Manager"),
    Limit("schedule", "{schedule}", _SCHEDULE, "EventBridge Scheduler"),
)

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


def cluster_stack(stack: str) -> str:
    """The name of the stack of the cluster that was made with a shared stack. stack: the shared stack's name."""
    return f"{stack}-{CLUSTER}"


def cluster_tags(stack: str) -> dict[str, str]:
    """The tags by which a stack is known to be that cluster's."""
    return {CLUSTER_TAG: stack, PART_TAG: CLUSTER}


def schedule_group(cluster: Cluster) -> str:
    """The name of the group that the schedules are in; the shared stack makes it."""
    return f"{cluster.stack}-{PAUSE_SCHEDULE}"


def secret_name(cluster: Cluster, user: str) -> str:
    """The name of a user's secret; the shared stack's functions may read this prefix and no other."""
    return f"/{cluster.stack}/database/{user}"


def parameter_path(cluster: Cluster, tenant: str) -> str:
    """What the names of a tenant's parameters begin with; CloudFormation's role may write those of the stack alone."""
    return f"/{cluster.stack}/{tenant}/"


def logical_id(kind: str, name: str) -> str:
    """A readable id of letters and digits, stable for a name and never the same for two names of one kind."""
    readable, digest = _readable(name)
    return f"{kind}{readable}{digest if f'{kind}{readable}' == SERVER else ''}"


@lru_cache(10_000)
def _readable(name: str) -> tuple[str, str]:
    """A name without what no id can have, with a part of its hash where it needs one; and that part."""
    readable = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    digest = hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    return (readable if _PLAIN.match(name) and not _HASHED.search(readable) else readable + digest), digest


class LogicalIds(NamedTuple):
    """The logical ids of a tenant's resources, by the names of databases, roles and users."""

    databases: Mapping[str, str]
    roles: Mapping[str, str]
    users: Mapping[str, str]
    secrets: Mapping[str, str]
    attachments: Mapping[str, str]
    rotations: Mapping[str, str]

    @classmethod
    def of(cls, tenant: Tenant, renamed: Mapping[str, str] = MappingProxyType({})) -> LogicalIds:
        """renamed: the first names of users that were renamed since, by the names that they have now."""
        return cls(
            _ids("Database", tenant.databases),
            _ids("Role", tenant.roles),
            *(_ids(kind, tenant.users, renamed) for kind in ("User", "Secret", "Attachment", "Rotation")),
        )


def _ids(
    kind: str,
    things: Iterable[TenantDatabase | TenantRole | TenantUser],
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    return {thing.name: logical_id(kind, renamed.get(thing.name, thing.name)) for thing in things}


def renamed_users(outputs: Mapping[str, str]) -> dict[str, str]:
    """The first names of users that were renamed since, by the names that they have now. outputs: of their stack."""
    parts = (pair.partition("=") for pair in outputs.get(RENAMED_USERS, "").split(",") if pair)
    return {new: old for new, _, old in parts}
