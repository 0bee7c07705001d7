"""Effective access: which account can get into which database, and by which grants.

    reach(state, server)
    Access(Account("report"), "shop", via=(Way(Grant(Account("reader"), …, "SELECT"), role=Account("reader")),))

Getting in means being able to do something there. Seeing the name (SHOW DATABASES), being able to USE it or holding
GRANT OPTION alone is no way in. What counts, seen on MySQL 9.7 (tests/mysql/test_access.py, test_isolation_matrix.py):

session               databases' rows                                        tables', columns' and routines' rows
without active role   of the account, of accounts of the same user name      the same, without the anonymous user's
                      whose host also matches, of the anonymous user;
                      the first that matches, by host, database, user
with an active role   of the account and its active roles: those of the      of the account and its active roles
                      exact name together, or else the first pattern

Privileges on `*.*` are the account's and its active roles', without what a partial revoke takes away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.mysql.bounds import ON_DATABASES, Bound, databases_of
from aurora_tenants.mysql.grants import GRANT_OPTION, MEMBER, Grant
from aurora_tenants.mysql.matching import Databases, covers, has_wildcard, host_rank, is_tested, overlaps, rank
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Server, State

_ByName = dict[str, list[Grant]]
_HeldRow = tuple[Account, str, list[Grant]]  # whose row of mysql.db it is, its spelling, what it grants


class Way(NamedTuple):
    """A grant that lets an account in. role: which of its own roles it has to activate first, if any.

    The grant may be another account's: that of a role, of a role's role, of an account of the same user name at
    another host, or of the anonymous user.
    """

    grant: Grant
    role: Account | None = None


class Access(NamedTuple):
    """An account can get into a database. via: every grant that lets it in, with some choice of active roles.

    hidden: grants that match too, but do not apply while there is a more specific row; they do as soon as it is gone.
    """

    account: Account
    database: str
    via: tuple[Way, ...]
    hidden: tuple[Way, ...] = ()

    @property
    def grants(self) -> frozenset[Grant]:
        """All grants that have to be revoked before the account cannot get in any more."""
        return frozenset(way.grant for way in (*self.via, *self.hidden))


def reach(state: State, server: Server, of: Mapping[Account, Bound] | None = None) -> tuple[Access, ...]:
    """Every account with every database it can get into, sorted; roles and locked accounts as if they could log in.

    of: accounts, of those that there are, with their bounds: only they are looked at.
    What is not known (the hosts of clients, the exact rules of versions before 9) counts as access.
    """
    if of is not None and not of:
        return ()
    holders = None if of is None else {holder for bound in of.values() for holder in bound.holders}
    world = _World.of(state, server, holders)
    accounts = state.users if of is None else of
    return tuple(access for account in sorted(accounts) for access in world.access(account))


@dataclass(frozen=True, slots=True)
class _Held:
    """What an account holds itself. named: the grants on tables, columns and routines, by database."""

    on_server: list[Grant] = field(default_factory=list)
    rows: _ByName = field(default_factory=lambda: defaultdict(list))
    named: _ByName = field(default_factory=lambda: defaultdict(list))
    roles: set[Account] = field(default_factory=set)


_NOTHING = _Held()


class _Ways:
    """The ways of one account into databases, as they are collected."""

    def __init__(self) -> None:
        self.via: dict[str, dict[Way, None]] = defaultdict(dict)
        self.hidden: dict[str, dict[Way, None]] = defaultdict(dict)

    def add(self, database: str, grants: Iterable[Grant], role: Account | None, *, hidden: bool = False) -> None:
        ways = (self.hidden if hidden else self.via)[database]
        ways.update(dict.fromkeys(Way(grant, role) for grant in grants))


@dataclass(frozen=True, slots=True)
class _World:
    """The grants of a server, arranged to answer who can get in; with `holders`, what counts of these accounts'."""

    state: State
    server: Server
    databases: Databases
    held: Mapping[Account, _Held]
    by_user: Mapping[str, Sequence[Account]]

    @classmethod
    def of(cls, state: State, server: Server, holders: Collection[Account] | None = None) -> _World:
        held: dict[Account, _Held] = defaultdict(_Held)
        for grant in state.grants:
            account, scope, privilege = grant
            if holders is not None and account not in holders:
                continue
            if scope.level == "GLOBAL":
                if privilege in ON_DATABASES:
                    held[account].on_server.append(grant)
            elif scope.level == "DATABASE":
                held[account].rows[scope.database].append(grant)
            elif scope.level == "ROLE":
                if privilege == MEMBER:
                    held[account].roles.add(scope.role)
            elif scope.level != "DYNAMIC":
                held[account].named[scope.database].append(grant)
        by_user: dict[str, list[Account]] = defaultdict(list)
        # Rows that a dropped account left behind count, too.
        for account in sorted({*held, *state.users} if holders is None else holders):
            by_user[account.user].append(account)
        return cls(state, server, databases_of(state, server), dict(held), dict(by_user))

    def access(self, account: Account) -> Iterator[Access]:
        ways = _Ways()
        self._add_without_role(account, ways)
        for role in sorted(self._roles(account)):
            self._add_with_role(account, role, ways)
        for database, open_ways in sorted(ways.via.items()):
            if any(way.grant.privilege != GRANT_OPTION for way in open_ways):
                alone = {way.grant for way in open_ways if way.role is None}
                via = [way for way in open_ways if way.role is None or way.grant not in alone]
                open_now = {way.grant for way in via}
                hidden = [way for way in ways.hidden.get(database, ()) if way.grant not in open_now]
                yield Access(account, database, tuple(sorted(via, key=_order)), tuple(sorted(hidden, key=_order)))

    def _roles(self, account: Account) -> set[Account]:
        """The roles that the account may activate: those that are granted to it, and the mandatory ones."""
        granted = self.held.get(account, _NOTHING).roles
        return {role for role in (*granted, *self.server.mandatory_roles) if role in self.state.users}

    def _add_without_role(self, account: Account, ways: _Ways) -> None:
        self._add_global([account], None, ways)
        matching: dict[str, list[_HeldRow]] = defaultdict(list)
        for holder in (account, *self._also_applied(account)):
            held = self.held.get(holder, _NOTHING)
            for spelling, grants in held.rows.items():
                for database in self.databases.matches(spelling):
                    matching[database].append((holder, spelling, grants))
            if holder.user == account.user:
                self._add_objects(held, None, ways)
        for database, rows in matching.items():
            self._add_first(account, database, rows, ways)

    def _add_first(self, account: Account, database: str, rows: list[_HeldRow], ways: _Ways) -> None:
        """The first matching row wins; a row of another host wins only where that host matches the client."""
        ranked: dict[tuple[object, ...], list[_HeldRow]] = defaultdict(list)
        for holder, spelling, grants in rows:
            ranked[host_rank(holder.host), rank(spelling), bool(holder.user)].append((holder, spelling, grants))
        decided = False
        for _, group in sorted(ranked.items(), reverse=True):
            for _, _, grants in group:
                ways.add(database, grants, None, hidden=decided)
            decided = decided or any(covers(holder.host, account.host) for holder, _, _ in group)

    def _also_applied(self, account: Account) -> Iterator[Account]:
        """Accounts whose rows apply to the account's sessions too, because their host matches the client as well.

        Without those that MySQL prefers when it chooses the account of a login: their clients get that account itself.
        """
        own_rank = (host_rank(account.host), bool(account.user))
        for user in {account.user, ""}:
            for other in self.by_user.get(user, ()):
                if other == account or not overlaps(account.host, other.host):
                    continue
                if other in self.state.users and (host_rank(other.host), bool(other.user)) > own_rank:
                    continue
                yield other

    def _add_with_role(self, account: Account, role: Account, ways: _Ways) -> None:
        """A session with this one role active: several roles open no more than each of them alone does.

        The anonymous user can activate a mandatory role, but gets nothing by it (test_anonymous_user_and_roles).
        """
        holders = [account, *sorted(self._closure(role) - {account})] if account.user else [account]
        self._add_global(holders, role, ways)
        for holder in holders:
            self._add_objects(self.held.get(holder, _NOTHING), role, ways)
        exact, patterns = self._rows_with_role(holders)
        for database, grants in exact.items():
            ways.add(database, grants, role)
        is_known = is_tested(self.server)
        restrictions = [self._restrictions(holder) for holder in holders] if is_known else []
        for database, by_spelling in patterns.items():
            # The first pattern in byte order counts, without what the partial revoke of any active role removes.
            revoked = frozenset[str]().union(*(restricted.get(database, ()) for restricted in restrictions))
            for position, spelling in enumerate(sorted(by_spelling, key=str.encode)):
                grants = [grant for grant in by_spelling[spelling] if grant.privilege not in revoked]
                ways.add(database, grants, role, hidden=database in exact or (is_known and position > 0))

    def _rows_with_role(self, holders: Sequence[Account]) -> tuple[_ByName, Mapping[str, _ByName]]:
        """The grants that match by database: those without wildcards, and those with any by their spelling."""
        exact: _ByName = defaultdict(list)
        patterns: dict[str, _ByName] = defaultdict(lambda: defaultdict(list))
        for holder in holders:
            for spelling, grants in self.held.get(holder, _NOTHING).rows.items():
                for database in self.databases.matches(spelling, with_role=True):
                    (patterns[database][spelling] if has_wildcard(spelling) else exact[database]).extend(grants)
        return exact, patterns

    def _closure(self, role: Account) -> set[Account]:
        """The role, its roles, and so on."""
        known, todo = {role}, [role]
        while todo:
            more = self.held.get(todo.pop(), _NOTHING).roles - known
            known |= more
            todo += more
        return known

    def _add_objects(self, held: _Held, role: Account | None, ways: _Ways) -> None:
        for name, grants in held.named.items():
            for database in self.databases.named(name):
                ways.add(database, grants, role)

    def _add_global(self, holders: Sequence[Account], role: Account | None, ways: _Ways) -> None:
        """Privileges on `*.*`, without those that a partial revoke of their holder removes."""
        for holder in holders:
            grants = tuple(self.held.get(holder, _NOTHING).on_server)
            if not grants:
                continue
            restrictions = self._restrictions(holder)
            for database in self.databases.names:
                revoked = restrictions.get(database, frozenset())
                left = [grant for grant in grants if grant.privilege not in revoked] if revoked else grants
                if left:
                    ways.add(database, left, role)

    def _restrictions(self, holder: Account) -> Mapping[str, frozenset[str]]:
        user = self.state.users.get(holder)
        return {self.server.stored(name): privileges for name, privileges in (user.restrictions if user else ())}


def _order(way: Way) -> tuple[Grant, Account]:
    return way.grant, way.role or Account("", "")
