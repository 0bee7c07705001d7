"""Who can get into a database of a tenant without belonging there, whoever let them in. Pure.

A state is judged as it stands: the live one, or the one that a plan would leave behind. So what a plan mends is not
told, and what it would open is.

    judged(configuration, state, server, master="admin").breaches
    Breach(Account("report"), "shop", tenant="shop", tenants=(), access=…)

    summed_up(breaches, state, server)
    Summary(Account("report"), ("shop",), …, how="SELECT on `shop`.*", fix="REVOKE SELECT ON `shop`.* FROM …")
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from aurora_tenants.model import Configuration, Ignore
from aurora_tenants.mysql.access import Access, reach
from aurora_tenants.mysql.bounds import Bound, bounds
from aurora_tenants.mysql.grants import (
    GRANT_OPTION,
    MEMBER,
    PRIVILEGES,
    Grant,
    Scope,
    role_scope,
    row_scope,
    statements,
)
from aurora_tenants.mysql.matching import Databases, rank
from aurora_tenants.mysql.names import Account, identifier, is_reserved_user
from aurora_tenants.mysql.state import Live, Server, State
from aurora_tenants.tenant.belonging import Belonging, stack_of
from aurora_tenants.tenant.inspector import is_inspector


class Breach(NamedTuple):
    """An account can get into a database of a tenant that it does not belong to and that is not shared with its own.

    tenants: those the account belongs to; empty for one of nobody's.
    """

    account: Account
    database: str
    tenant: str
    tenants: tuple[str, ...]
    access: Access

    @property
    def identity(self) -> tuple[Account, str]:
        """Who gets in where, however that is."""
        return self.account, self.database


class Summary(NamedTuple):
    """What one account can get into in one and the same way: SELECT on *.* opens every database at once.

    owners: the tenants whose databases these are. belongs_to: the tenants that the account belongs to. how: the grants
    that let it in, in words. fix: what closes it.
    """

    account: Account
    databases: tuple[str, ...]
    owners: tuple[str, ...]
    belongs_to: tuple[str, ...]
    how: str
    fix: str


class Isolation(NamedTuple):
    """Who can get in where without belonging there, once a plan is applied: those who can already, and those who cannot
    yet."""

    breaches: tuple[Summary, ...] = ()
    opened: tuple[Summary, ...] = ()


def compared(
    configuration: Configuration,
    live: Live,
    afterwards: State,
    found: Iterable[Breach],
    *,
    master: str,
    only: Collection[str] = (),
) -> Isolation:
    """The breaches that a plan leaves and those that it makes; with `only`, of what these tenants have or get into.

    found: the breaches afterwards.
    """
    server = live.server
    found = [it for it in found if not only or it.tenant in only or not set(it.tenants).isdisjoint(only)]
    is_same = not found or afterwards is live.state
    before = found if is_same else breaches(configuration, _shared_as(afterwards, live.state), server, master=master)
    known = {breach.identity for breach in before}
    stay = [breach for breach in found if breach.identity in known]
    new = [breach for breach in found if breach.identity not in known]
    summaries = summed_up(stay, afterwards, server)
    return Isolation(tuple(_withdrawn(it, live.state) for it in summaries), summed_up(new, afterwards, server))


def _withdrawn(summary: Summary, live: State) -> Summary:
    """The same, saying so where it was shared until now: then the next deployment of that stack ends it."""
    stack = stack_of(live, summary.account) if summary.account in live.users else ""
    known = [live.databases[name] for name in summary.databases if name in live.databases]
    if not stack or not all(stack in database.shared_with | database.withdrawn_from for database in known):
        return summary
    noun = "it is" if len(summary.databases) == 1 else "they are"
    fix = f"deploy stack {stack} again: {noun} not shared with it any more, so that this is revoked; or {summary.fix}"
    return summary._replace(fix=fix)


def _shared_as(afterwards: State, live: State) -> State:
    """The live state as if its databases were shared already as they will be: who loses consent gets no new access."""
    databases = {
        name: database._replace(shared_with=afterwards.databases[name].shared_with)
        if name in afterwards.databases
        else database
        for name, database in live.databases.items()
    }
    return replace(live, databases=databases)


class Judged(NamedTuple):
    """The breaches of a state, and those that are not reported, because ignore.users names the account."""

    breaches: tuple[Breach, ...]
    ignored: tuple[Breach, ...]


def breaches(configuration: Configuration, state: State, server: Server, *, master: str = "") -> tuple[Breach, ...]:
    """Those that are reported, as `judged` has them."""
    return judged(configuration, state, server, master=master).breaches


def judged(configuration: Configuration, state: State, server: Server, *, master: str = "") -> Judged:
    """Every breach, sorted by account and database.

    Not counted: the cluster's master user, users that the server or RDS keeps for itself, and accounts that nobody can
    log in to (a role counts through its members). A user of a tenant is never ignored, also when a glob names it, and
    neither are the anonymous user and the inspector.
    """
    belonging = Belonging.of(configuration, state, server)
    reported, ignored = list[Breach](), list[Breach]()
    for access in reach(state, server, suspects(belonging, state, server, master=master)):
        owner = belonging.databases.get(access.database)
        if owner and not belonging.is_at_home(access.account, (access.database,), state):
            own = belonging.accounts.get(access.account, frozenset())
            is_silent = not own and is_ignored(access.account.user, configuration.ignore)
            breach = Breach(access.account, access.database, owner.tenant, tuple(sorted(own)), access)
            (ignored if is_silent else reported).append(breach)
    return Judged(tuple(reported), tuple(ignored))


def suspects(belonging: Belonging, state: State, server: Server, *, master: str) -> dict[Account, Bound]:
    """The accounts that a breach may be of, with what they get into at the most.

    Who gets in nowhere else at the most needs no closer look: that is almost everybody, and a look takes long.
    """
    return {
        account: bound
        for account, bound in bounds(state, server).items()
        if not belonging.is_at_home(account, bound.databases, state)
        and not _is_exempt(account, belonging, state, master)
    }


def is_ignored(name: str, ignore: Ignore) -> bool:
    """Whether the globs keep an account from being reported; the anonymous user and the inspector always are."""
    return bool(name) and not is_inspector(name) and ignore.names_user(name)


def summed_up(found: Iterable[Breach], state: State, server: Server) -> tuple[Summary, ...]:
    """The breaches, one entry for each account and way in, with what there is to say of them."""
    together: dict[tuple[object, ...], list[Breach]] = defaultdict(list)
    for breach in found:
        access = breach.access
        alone = breach.database if any(_is_alias(grant, breach.database, server) for grant in access.grants) else ""
        together[breach.account, access.via, access.hidden, alone].append(breach)
    return tuple(
        Summary(
            group[0].account,
            tuple(breach.database for breach in group),
            tuple(sorted({breach.tenant for breach in group})),
            group[0].tenants,
            way_in(group[0].access),
            fix(group[0].access, state, server),
        )
        for group in together.values()
    )


def orphans(state: State, server: Server) -> tuple[Grant, ...]:
    """Grants on databases that do not exist, of any account; they wake up when the name returns."""
    databases = Databases(state.databases, server)

    def is_orphan(scope: Scope) -> bool:
        if scope.level == "DATABASE":
            return not databases.matches(scope.database)
        return bool(scope.database) and scope.level != "ROLE" and not databases.named(scope.database)

    return tuple(sorted(grant for grant in state.grants if is_orphan(grant.scope)))


def patterns(state: State, server: Server) -> tuple[Grant, ...]:
    """Grants on databases by a pattern, of any account: what they open changes with every database that is made."""
    if server.partial_revokes:
        return ()
    return tuple(
        sorted(grant for grant in state.grants if grant.scope.level == "DATABASE" and rank(grant.scope.database) < 128)
    )


def _is_exempt(account: Account, belonging: Belonging, state: State, master: str) -> bool:
    name = account.user
    if state.users[account].options.is_locked:
        return True
    if account in belonging.accounts or not name:
        return False
    if is_inspector(name):
        return False  # what it should have opens nothing
    return (bool(master) and name == master) or is_reserved_user(name)


def way_in(access: Access) -> str:
    """How an account gets in, in words: "SELECT on `shop`.* through role reader"."""
    grouped: dict[tuple[Scope, Account, Account | None], list[Grant]] = defaultdict(list)
    for grant, role in access.via:
        if grant.privilege != GRANT_OPTION:
            grouped[row_scope(grant.scope), grant.account, role].append(grant)
    return ", and ".join(
        f"{_privileges(scope, grants)} on {place(scope)}{_whose(access.account, holder, role)}"
        for (scope, holder, role), grants in grouped.items()
    )


def _privileges(scope: Scope, grants: Iterable[Grant]) -> str:
    names = {
        grant.privilege + (f" ({identifier(grant.scope.column)})" if grant.scope.column else "") for grant in grants
    }
    return "ALL PRIVILEGES" if names == PRIVILEGES[scope.level] else ", ".join(sorted(names))


def place(scope: Scope) -> str:
    """What it is on, in words of MySQL: "`shop`.*", "role reader"."""
    if scope.level in ("GLOBAL", "DYNAMIC"):
        return "*.*"
    if scope.level == "ROLE":
        return f"role {_short(scope.role)}"
    kind = f"{scope.level.lower()} " if scope.level in ("PROCEDURE", "FUNCTION") else ""
    return f"{kind}{identifier(scope.database)}.{identifier(scope.name) if scope.name else '*'}"


def _whose(account: Account, holder: Account, role: Account | None) -> str:
    if role is not None and holder == account:
        return "" if holder == role else " as long as any role is active"
    if role is not None:
        own = "" if holder == role else f" of {_short(holder)}"
        return f"{own} through role {_short(role)}"
    if holder == account:
        return ""
    return f" of {_short(holder) if holder.user else 'the anonymous user'}, which applies to its clients too"


def _short(account: Account) -> str:
    return account.user if account.host == "%" else f"{account.user}@{account.host}"


def fix(access: Access, state: State, server: Server) -> str:
    """What closes it, in the order it is to be done: a role is taken from the account, and keeps what it has."""
    return "; ".join(dict.fromkeys(_steps(access, state, server)))


def _steps(access: Access, state: State, server: Server) -> Iterator[str]:
    revoked: set[Grant] = set()
    for grant, role in (*access.via, *access.hidden):
        if _is_alias(grant, access.database, server):
            yield (
                f"rename database {access.database} or {grant.scope.database}: to a session in which a role is active,"
                " MySQL takes the two for the same"
            )
        elif grant.account != access.account and role is None and _is_managed(grant.account, state):
            yield (
                f"drop user {_short(access.account)}, or rename it: what lets it in are the rights of user"
                f" {_short(grant.account)}, which is a tenant's and keeps them"
            )
        elif role is None or grant.account == access.account:
            revoked.add(grant)
        else:
            if role in server.mandatory_roles:
                yield f"take the role {_short(role)} out of mandatory_roles"
            revoked |= state.grants & {Grant(access.account, role_scope(role), MEMBER)}
    yield from (sql for sql, _ in statements((), revoked))


def _is_managed(account: Account, state: State) -> bool:
    user = state.users.get(account)
    return user is not None and user.owner is not None and not user.owner.released


def _is_alias(grant: Grant, database: str, server: Server) -> bool:
    """Whether the grant names the database exactly but for the case (see Databases.matches)."""
    spelled = server.stored(grant.scope.database)
    return (
        server.partial_revokes
        and grant.scope.level == "DATABASE"
        and spelled != database
        and spelled.lower() == database.lower()
    )
