"""How the tenants of a cluster are, and the cluster itself, as values.

What nobody knows is None, and never 0: what MySQL alone knows while it is not read, and logins that nobody counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from aurora_tenants.errors import Problem
from aurora_tenants.model import Capacity
from aurora_tenants.mysql.state import Contents
from aurora_tenants.schedule.cost import SECRET, Price
from aurora_tenants.schedule.view import View
from aurora_tenants.status import state_of

# What a plan would say of a tenant, in a word; unknown while MySQL is not read.
Difference = Literal["in sync", "changes", "drift", "not deployed", "to make again", "to remove", "busy", "unknown"]
# How the state of a stack is to be taken.
Word = Literal["ok", "busy", "failed", "none"]
Trouble = Literal["", "gone", "deleted", "off", "stuck", "overdue"]


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """A user's secret. trouble: what is wrong with it or with its rotation, since when where that is known.

    gone: there is none of the name. deleted: it waits for its deletion. off: it is not rotated, and the file says it
    should be. stuck: a rotation goes on for more than a day. overdue: it is due for more than a day.
    accessed: the day that somebody last read its value, which every rotation and every statement of the Data API does.
    """

    name: str
    period: str = ""
    rotated: datetime | None = None
    next_rotation: datetime | None = None
    accessed: datetime | None = None
    trouble: Trouble = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class UserStatus:
    """A user at all of its hosts. is_there: in MySQL. connections: now. logins: since the server's start.

    secret: None for a user that has none, as with IAM.
    """

    name: str
    is_there: bool | None = None
    connections: int | None = None
    logins: int | None = None
    secret: SecretStatus | None = None


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """is_there: in MySQL. contents: InnoDB's estimates, which may be a day old."""

    name: str
    is_there: bool | None = None
    contents: Contents | None = None


@dataclass(frozen=True, slots=True)
class TenantStatus:
    """status: of its stack, as CloudFormation calls it; empty where there is none. statements: how many a plan has for
    it, None where that is not known.
    """

    name: str
    stack: str
    status: str
    difference: Difference
    statements: int | None
    databases: tuple[DatabaseStatus, ...]
    users: tuple[UserStatus, ...]

    @property
    def word(self) -> Word:
        return word_of(self.status)

    @property
    def connections(self) -> int | None:
        """Of all its users, now."""
        return _sum(user.connections for user in self.users)

    @property
    def tables(self) -> int | None:
        return _sum(database.contents and database.contents.tables for database in self._there)

    @property
    def bytes(self) -> int | None:
        return _sum(database.contents and database.contents.bytes for database in self._there)

    @property
    def _there(self) -> Iterator[DatabaseStatus]:
        """Those of which it is not known that they are not there."""
        return (database for database in self.databases if database.is_there is not False)

    @property
    def secrets(self) -> tuple[SecretStatus, ...]:
        return tuple(user.secret for user in self.users if user.secret)

    @property
    def monthly(self) -> Decimal:
        """US dollars a month for what it alone has: its secrets. Those that wait for their deletion cost nothing.

        Source: "Delete an AWS Secrets Manager secret", AWS Secrets Manager User Guide.
        """
        return SECRET * sum(secret.trouble not in ("gone", "deleted") for secret in self.secrets)

    @property
    def rotation(self) -> SecretStatus | None:
        """The secret that is in the most trouble, or is rotated next; None where none is rotated."""
        troubled = [secret for secret in self.secrets if secret.trouble]
        if troubled:
            return min(troubled, key=lambda secret: _TROUBLES.index(secret.trouble))
        planned = [(secret.next_rotation, secret) for secret in self.secrets if secret.next_rotation]
        return min(planned, key=lambda each: each[0])[1] if planned else None


# The worst first.
_TROUBLES: tuple[Trouble, ...] = ("gone", "deleted", "stuck", "overdue", "off")


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The cluster. acu: measured within the last minutes, 0 while it is paused; None where it was not.

    scaling: None where it is not Serverless v2. connections: of all users together, now; most_connections: how many it
    takes. started: when the server did, which counts logins from then on if counts_logins. sees_users: whether the
    inspector may count them by user; the last four None where MySQL was not read.
    """

    identifier: str
    engine_version: str
    scaling: Capacity | None
    acu: float | None
    connections: int | None = None
    most_connections: int | None = None
    started: datetime | None = None
    counts_logins: bool | None = None
    sees_users: bool | None = None

    @property
    def is_paused(self) -> bool | None:
        """None where nobody knows. One whose minimum is not 0 never pauses."""
        if self.scaling is None or self.scaling.min_acu:
            return False
        return None if self.acu is None else self.acu == 0


@dataclass(frozen=True, slots=True)
class SharedStatus:
    """The shared stack. version: of its functions; needed: by this program."""

    name: str
    status: str
    version: int | None
    needed: int

    @property
    def is_too_old(self) -> bool:
        return self.version is None or self.version < self.needed


@dataclass(frozen=True, slots=True)
class Bill:
    """A month in US dollars. capacity: the least that the cluster's capacity costs, None where that is not known.

    price: of an ACU-hour, None where the region's is not known. secrets: how many, the master's among them.
    """

    capacity: Decimal | None
    price: Price | None
    secrets: int

    @property
    def secrets_amount(self) -> Decimal:
        return self.secrets * SECRET

    @property
    def together(self) -> Decimal | None:
        return None if self.capacity is None else self.capacity + self.secrets_amount

    @property
    def share(self) -> Decimal | None:
        """What part of it the secrets are, from 0 to 1."""
        return self.secrets_amount / self.together if self.together else None


@dataclass(frozen=True, slots=True)
class Overview:
    """All that there is to show. at: when it was read, by AWS's clock. mysql_at: when MySQL was, None where it was not.

    not_read: why not. schedule: of the pause schedule; None where there is none, in the file or deployed. problems:
    what went wrong, so that something is not known.
    """

    account: str
    region: str
    at: datetime
    cluster: ClusterStatus
    shared: SharedStatus
    schedule: View | None
    bill: Bill
    tenants: tuple[TenantStatus, ...]
    mysql_at: datetime | None = None
    not_read: str = ""
    woke_cluster: bool = False
    is_partial: bool = False
    problems: tuple[Problem, ...] = ()


def word_of(status: str) -> Word:
    """How the state of a stack is to be taken. status: as CloudFormation calls it; empty where there is no stack."""
    way = state_of(status).way if status else "create"
    words: dict[str, Word] = {"update": "ok", "wait": "busy", "create": "none"}
    return words.get(way, "failed")


def _sum(numbers: Iterable[int | None]) -> int | None:
    """None where one of them is not known."""
    found = list(numbers)
    known = [number for number in found if number is not None]
    return sum(known) if len(known) == len(found) else None
