"""What a plan does not report because the file says so: counted, so that a reviewer sees how much that is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from aurora_tenants.errors import Notice
from aurora_tenants.model import Configuration, Ignore, accounts_of
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.names import Account, is_reserved_database, is_reserved_user
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Server, State
from aurora_tenants.naming import stack_name
from aurora_tenants.tenant.connections import listed
from aurora_tenants.tenant.inspector import is_inspector
from aurora_tenants.tenant.isolation import Breach, breaches


def ignored(
    configuration: Configuration, state: State, server: Server, *, master: str, only: Collection[str] = ()
) -> Iterator[Notice]:
    """How many accounts and databases `ignore` silences, and what these accounts can get into.

    With `only`, what they can get into of these tenants alone.
    """
    found = [breach for breach in ignored_breaches(configuration, state, server, master) if _concerns(breach, only)]
    accounts = {breach.account for breach in found} if only else _accounts(configuration, state, master)
    if accounts:
        names = [subject(account).removeprefix("user ") for account in sorted(accounts)]
        text = f"{_are(len(names), 'account')} not reported, because ignore.users names {_them(names)}: {listed(names)}"
        yield Notice("ignored", f"{text}; {reached(found)}")
    databases = [] if only else sorted(_databases(configuration, state, server))
    if databases:
        text = f"{_are(len(databases), 'database')} not reported, because ignore.databases names {_them(databases)}"
        yield Notice("ignored", f"{text}: {listed(databases)}")


def ignored_breaches(configuration: Configuration, state: State, server: Server, master: str) -> tuple[Breach, ...]:
    """The breaches that are not reported, because ignore.users names the account."""
    ignore = configuration.ignore
    if not ignore.users:
        return ()
    everything = replace(configuration, ignore=Ignore(databases=ignore.databases))
    return tuple(
        breach
        for breach in breaches(everything, state, server, master=master)
        if not breach.tenants and _is_named(breach.account.user, ignore)
    )


def reached(found: Sequence[Breach]) -> str:
    """What the accounts of these breaches can get into, as a clause."""
    databases = sorted({breach.database for breach in found})
    if not databases:
        return "none of them can get into a tenant's database"
    accounts, tenants = len({breach.account for breach in found}), len({breach.tenant for breach in found})
    of_tenants = f"{tenants:,} tenant{'' if tenants == 1 else 's'}"
    noun = "database" if len(databases) == 1 else "databases"
    return f"{accounts:,} of them can get into {len(databases):,} {noun} of {of_tenants}: {listed(databases)}"


def _concerns(breach: Breach, only: Collection[str]) -> bool:
    return not only or breach.tenant in only


def _is_named(name: str, ignore: Ignore) -> bool:
    """Whether the globs keep an account from being reported; the anonymous user and the inspector always are."""
    return bool(name) and not is_inspector(name) and ignore.names_user(name)


def _accounts(configuration: Configuration, state: State, master: str) -> set[Account]:
    own = {account for tenant in configuration.tenants for account in accounts_of(tenant)}
    return {
        account
        for account in state.users
        if account not in own
        and account.user != master
        and not is_reserved_user(account.user)
        and _is_named(account.user, configuration.ignore)
    }


def _databases(configuration: Configuration, state: State, server: Server) -> Iterator[str]:
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
