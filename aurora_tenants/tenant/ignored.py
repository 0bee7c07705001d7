"""What a plan does not report because the file says so: counted, so that a reviewer sees how much that is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from aurora_tenants.errors import Notice
from aurora_tenants.model import Configuration, accounts_of
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.names import Account, is_reserved_database, is_reserved_user
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Server, State
from aurora_tenants.naming import stack_name
from aurora_tenants.tenant.connections import listed
from aurora_tenants.tenant.isolation import Breach, is_ignored


def ignored(
    configuration: Configuration,
    state: State,
    server: Server,
    found: Iterable[Breach],
    *,
    master: str,
    only: Collection[str] = (),
) -> Iterator[Notice]:
    """How many accounts and databases `ignore` silences, and what these accounts can get into.

    found: the breaches that it silences. With `only`, what they can get into of these tenants alone.
    """
    found = [breach for breach in found if not only or breach.tenant in only]
    accounts = {breach.account for breach in found} if only else _accounts(configuration, state, master)
    if accounts:
        names = [subject(account).removeprefix("user ") for account in sorted(accounts)]
        text = f"{_are(len(names), 'account')} not reported, because ignore.users names {_them(names)}: {listed(names)}"
        yield Notice("ignored", f"{text}; {reached(found)}")
    databases = [] if only else sorted(_databases(configuration, state, server))
    if databases:
        text = f"{_are(len(databases), 'database')} not reported, because ignore.databases names {_them(databases)}"
        yield Notice("ignored", f"{text}: {listed(databases)}")


def reached(found: Sequence[Breach]) -> str:
    """What the accounts of these breaches can get into, as a clause."""
    databases = sorted({breach.database for breach in found})
    if not databases:
        return "none of them can get into a tenant's database"
    accounts, tenants = len({breach.account for breach in found}), len({breach.tenant for breach in found})
    of_tenants = f"{tenants:,} tenant{'' if tenants == 1 else 's'}"
    noun = "database" if len(databases) == 1 else "databases"
    return f"{accounts:,} of them can get into {len(databases):,} {noun} of {of_tenants}: {listed(databases)}"


def _accounts(configuration: Configuration, state: State, master: str) -> set[Account]:
    ignore = configuration.ignore
    if not ignore.users:
        return set()
    own = {account for tenant in configuration.tenants for account in accounts_of(tenant)}
    return {
        account
        for account in state.users
        if account not in own
        and account.user != master
        and not is_reserved_user(account.user)
        and is_ignored(account.user, ignore)
    }


def _databases(configuration: Configuration, state: State, server: Server) -> Iterator[str]:
    if not configuration.ignore.databases:
        return
    own = {server.stored(database.name) for tenant in configuration.tenants for database in tenant.databases}
    prefix = stack_name(configuration.cluster, "")

    def is_of_others(owner: Owner | None) -> bool:
        return owner is not None and not owner.released and not owner.stack.startswith(prefix)

    for name, database in state.databases.items():
        if name in own or is_reserved_database(name) or is_of_others(database.owner):
            continue
        if configuration.ignore.names_database(name):
            yield name


def _are(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number:,} {noun}s are"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
