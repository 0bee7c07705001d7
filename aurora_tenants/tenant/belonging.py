"""Which tenant each database and each account belongs to: as the file and as MySQL say. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from aurora_tenants.model import Configuration, accounts_of
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Server, State
from aurora_tenants.naming import stack_name


class Owned(NamedTuple):
    """A database's tenant, all tenants whose users may get in, and the stacks outside the file whose users may."""

    tenant: str
    welcome: frozenset[str]
    stacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Belonging:
    """The tenant of each database that has any, and the tenants of each account that has any."""

    databases: dict[str, Owned]
    accounts: dict[Account, frozenset[str]]

    @classmethod
    def of(cls, configuration: Configuration, state: State, server: Server) -> Belonging:
        cluster = configuration.cluster
        in_file = {stack_name(cluster, tenant.name) for tenant in configuration.tenants}
        databases: dict[str, Owned] = {}
        accounts: dict[Account, frozenset[str]] = {}
        for tenant in configuration.tenants:
            own = frozenset((tenant.name,))
            for database in tenant.databases:
                databases[server.stored(database.name)] = Owned(tenant.name, own.union(database.shared_with))
            for account in accounts_of(tenant):
                accounts[account] = accounts.get(account, own) | own
        prefix = stack_name(cluster, "")
        for name, known in state.databases.items():
            tenant_name = _tenant(prefix, known.owner)
            # For tenants of the file the file decides; for other stacks, what the database's owner has recorded.
            recorded = known.shared_with - in_file
            if name in databases:
                databases[name] = databases[name]._replace(stacks=recorded) if recorded else databases[name]
            elif tenant_name:
                databases[name] = Owned(tenant_name, frozenset((tenant_name,)), recorded)
        for account, of_live in state.users.items():
            tenant_name = _tenant(prefix, of_live.owner)
            if tenant_name and tenant_name not in (known_names := accounts.get(account, frozenset())):
                accounts[account] = known_names | {tenant_name}
        return cls(databases, accounts)

    def is_at_home(self, account: Account, databases: Iterable[str], state: State) -> bool:
        """Whether the account may get into each of these databases: it is its own tenant's, shared with that, or
        nobody's."""
        own = self.accounts.get(account, frozenset())
        for database in databases:
            owner = self.databases.get(database)
            if owner and own.isdisjoint(owner.welcome) and stack_of(state, account) not in owner.stacks:
                return False
        return True


def _tenant(prefix: str, owner: Owner | None) -> str:
    """The tenant whose stack owns something; what the stack let go of is still the tenant's. Empty for nobody.

    prefix: of the names of the cluster's stacks.
    """
    return owner.stack.removeprefix(prefix) if owner and owner.stack.startswith(prefix) else ""


def stack_of(state: State, account: Account) -> str:
    """The stack that an account belongs to; empty for none."""
    owner = state.users[account].owner
    return owner.stack if owner and not owner.released else ""
