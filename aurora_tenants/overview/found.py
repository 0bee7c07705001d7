"""What was read for an overview, and the ways in which it is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from aurora_tenants.errors import Problem
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.sessions import Sessions
from aurora_tenants.mysql.state import Live
from aurora_tenants.plan import Plan
from aurora_tenants.schedule.cost import Cost, Price
from aurora_tenants.schedule.plan import LiveCluster
from aurora_tenants.schedule.view import View
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.secrets import LiveSecret, Secrets


@dataclass(frozen=True)
class Found:
    """What was read. live, sessions, plan: None where MySQL was not. plan: of the tenants asked for."""

    account: str
    region: str
    configuration: Configuration
    shared: Shared
    needed: int
    deployed: Deployed
    secrets: Secrets
    cluster: LiveCluster
    acu: float | None
    schedule: View | None = None
    cost: Cost | None = None
    price: Price | None = None
    live: Live | None = None
    sessions: Sessions | None = None
    plan: Plan | None = None
    mysql_at: datetime | None = None
    not_read: str = ""
    woke_cluster: bool = False
    problems: tuple[Problem, ...] = ()

    @cached_property
    def plans(self) -> Mapping[str, TenantPlan]:
        return {tenant.name: tenant for tenant in self.plan.tenants} if self.plan else {}

    @cached_property
    def waits(self) -> frozenset[str]:
        """The tenants of which nothing is planned until an operation has ended."""
        return frozenset(each.name for each in self.plan.waiting) if self.plan else frozenset()

    @cached_property
    def by_arn(self) -> Mapping[str, LiveSecret]:
        return {secret.arn: secret for secret in self.secrets.by_name.values()}

    @cached_property
    def accounts(self) -> Mapping[str, tuple[Account, ...]]:
        """The accounts in MySQL by the user's name."""
        found: dict[str, tuple[Account, ...]] = {}
        for account in self.live.state.users if self.live else ():
            found[account.user] = (*found.get(account.user, ()), account)
        return found

    @cached_property
    def owned(self) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """The names of the databases and of the users that each stack owns, by the stack's name."""
        found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        state = self.live.state if self.live else None
        for name, database in state.databases.items() if state else ():
            if database.owner and not database.owner.released:
                found.setdefault(database.owner.stack, ({}, {}))[0][name] = None
        for account, user in state.users.items() if state else ():
            if user.owner and not user.owner.released and not user.is_role:
                found.setdefault(user.owner.stack, ({}, {}))[1][account.user] = None
        return {stack: (tuple(databases), tuple(users)) for stack, (databases, users) in found.items()}
