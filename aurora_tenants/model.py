"""What tenants.yaml says, as values.

A `Tenant` here is always one deployable thing: `stages` of the file are already expanded. Nothing in this module
reads, writes or decides.

    Tenant("shop-dev", databases=(TenantDatabase("shop-dev"),), users=(TenantUser("shop-dev", (Privilege(...),)),))
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from aurora_tenants.errors import Location
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options

OnRemove = Literal["retain", "drop"]
UserOnRemove = Literal["drop", "lock", "keep"]
WhenMissing = Literal["fail", "skip"]
Auth = Literal["password", "iam"]
Outputs = Literal["stack", "ssm"]

# The database of a privilege that is on the whole server.
WHOLE_SERVER = "*"
# What rotates a user's password, where it is not the ARN of a function.
OWN, HOSTED = "own", "hosted"


@dataclass(frozen=True, slots=True)
class Privilege:
    """One entry of the `privileges` of a user or a role.

    permissions: upper-case names of MySQL privileges, `ALL` among them. database: `*` for the whole server. table: `*`
    for the whole database. columns: empty unless the privilege is on columns of one table. procedure, function: None
    unless it is on one routine. when_missing: whether a table, column or routine that is not there fails the tenant, or
    is waited for. where: the entry's place in the file.
    """

    permissions: tuple[str, ...]
    database: str
    table: str = "*"
    columns: tuple[str, ...] = ()
    grant_option: bool = False
    procedure: str | None = None
    function: str | None = None
    when_missing: WhenMissing = "fail"
    where: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role that a user is granted. admin_option: whether the user may grant it to others."""

    name: str
    admin_option: bool = False
    where: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TenantDatabase:
    """A database a tenant owns. charset, collation: None leaves the server's default.

    moved_from: the tenant, with its stage, that it comes from with everything in it; None for no other.
    """

    name: str
    charset: str | None = None
    collation: str | None = None
    on_remove: OnRemove = "retain"
    adopt: bool = False
    shared_with: tuple[str, ...] = ()
    moved_from: str | None = None
    where: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TenantRole:
    """A role a tenant owns, at host `%`, for its own users. comment: None leaves what it has.

    moved_from: as a database's.
    """

    name: str
    privileges: tuple[Privilege, ...] = ()
    comment: str | None = None
    adopt: bool = False
    moved_from: str | None = None
    where: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RotateWindow:
    """A time of the day on some days of the week in which passwords are rotated, by the clock of a zone.

    days, start, end: as a Window's.
    """

    days: tuple[int, ...]
    start: int
    end: int
    timezone: str


@dataclass(frozen=True, slots=True)
class TenantUser:
    """A user a tenant owns: one account per host, all alike.

    rotate_after_days: 0 means its password is never rotated. rotate_window: `any` for any time; None where the file
    does not say. rotation: what rotates it, `own` for the shared stack's function, `hosted` for that of
    cfn/hosted-rotation.yml, or the ARN of another. auth: `iam` means it has no password. default_roles: those that are
    active in every session, all of its roles for None. on_remove: what becomes of it when it leaves the file; for None
    it is dropped if its stack has made it, and kept if it was adopted. moved_from: as a database's. renamed_from: the
    name that it has had in this tenant before.
    """

    name: str
    privileges: tuple[Privilege, ...] = ()
    adopt: bool = False
    rotate_after_days: int = 30
    rotate_window: RotateWindow | Literal["any"] | None = None
    rotation: str = OWN
    hosts: tuple[str, ...] = ("%",)
    options: Options = field(default_factory=Options)
    auth: Auth = "password"
    roles: tuple[RoleGrant, ...] = ()
    default_roles: tuple[str, ...] | None = None
    on_remove: UserOnRemove | None = None
    moved_from: str | None = None
    renamed_from: str | None = None
    where: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    """One service, or one stage of it: one CloudFormation stack.

    outputs: where a service finds what it is told: in the stack's outputs alone, or in parameters of Systems Manager
    too.
    """

    name: str
    databases: tuple[TenantDatabase, ...] = ()
    users: tuple[TenantUser, ...] = ()
    roles: tuple[TenantRole, ...] = ()
    outputs: Outputs = "stack"

    @property
    def users_and_roles(self) -> tuple[TenantUser | TenantRole, ...]:
        """Whoever holds privileges; to MySQL a role is a user as well."""
        return (*self.users, *self.roles)


def accounts_of(tenant: Tenant) -> Iterator[Account]:
    """The accounts that a tenant asks for: one for each host of each user, and its roles."""
    for user in tenant.users:
        for host in user.hosts:
            yield Account(user.name, host)
    for role in tenant.roles:
        yield Account(role.name)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How far the cluster scales, and when it pauses: ServerlessV2ScalingConfiguration.

    min_acu, max_acu: Aurora capacity units, in halves. pause_after_seconds: only of effect where min_acu is 0.
    """

    min_acu: float
    max_acu: float
    pause_after_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the day on some days of the week at which the cluster is awake.

    days: those it begins on, 0 = Monday to 6 = Sunday. start, end: minutes after midnight, 0 to 1440; an end that is
    not after the start is on the next day.
    """

    days: tuple[int, ...]
    start: int
    end: int
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class PauseSchedule:
    """When the cluster is awake, in the local time of a zone, and how far it scales then and at all other times."""

    timezone: str
    awake: tuple[Window, ...]
    asleep: Capacity


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the tenants live: the name of the shared stack, and its region (None: the AWS configuration's).

    account: the number of the AWS account, 12 digits; None for whichever the credentials are of. snapshot_before_drop:
    a snapshot of the cluster is made before a database with something in it is dropped.
    """

    stack: str
    region: str | None = None
    pause_schedule: PauseSchedule | None = None
    account: str | None = None
    account_where: Location | None = field(default=None, compare=False)
    snapshot_before_drop: bool = False


@dataclass(frozen=True, slots=True)
class Ignore:
    """Globs of accounts and databases that belong to others and are never reported."""

    users: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()

    def names_user(self, name: str) -> bool:
        """Whether one of the globs is about a user of this name."""
        return any(fnmatch.fnmatchcase(name, glob) for glob in self.users)

    def names_database(self, name: str) -> bool:
        """Whether one of the globs is about a database of this name."""
        return any(fnmatch.fnmatchcase(name, glob) for glob in self.databases)


@dataclass(frozen=True, slots=True)
class Group:
    """Tenants that are deployed before those of the next group. tenants: globs of their names, with their stages.

    pauses: somebody has to say that it goes on after it.
    """

    name: str
    tenants: tuple[str, ...]
    pauses: bool = False

    def takes(self, tenant: str) -> bool:
        """Whether one of the globs is about a tenant of this name."""
        return any(fnmatch.fnmatchcase(tenant, glob) for glob in self.tenants)


@dataclass(frozen=True, slots=True)
class Rollout:
    """In which order tenants are deployed: group by group; a tenant is of the first group that takes it.

    stop_after: so many failed tenants after which nothing more is begun, in the middle of a group too; None for never.
    """

    groups: tuple[Group, ...]
    stop_after: int | None = None

    def group_of(self, tenant: str) -> Group:
        """The group of a tenant of this name. A valid file has one for each of its own; any other is of the last."""
        return next((group for group in self.groups if group.takes(tenant)), self.groups[-1])


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of tenants.yaml. tenants: in the file's order, stages expanded. rollout: None for all at once."""

    cluster: Cluster
    tenants: tuple[Tenant, ...]
    ignore: Ignore = field(default_factory=Ignore)
    rollout: Rollout | None = None
