"""Effective access: which account can get into which database, and by which grants.

    reach(state, server)
    Access(Account("report"), "shop", via=(Way(Grant(Account("reader"), …, "SELECT"), role=Account("reader")),))

Getting in means to be able to do something there. To see the name (SHOW DATABASES), to be able to USE it or to hold
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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.mysql.grants import DATABASE_PRIVILEGES, GRANT_OPTION, MEMBER, Grant
from aurora_tenants.mysql.matching import Databases, covers, has_wildcard, host_rank, is_tried, overlaps, rank
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Server, State

# Their tables are the server's own and mostly open to everybody; grants say little of them.
_VIRTUAL = ("information_schema", "performance_schema")
_ON_DATABASES = frozenset(DATABASE_PRIVILEGES)


class Way(NamedTuple):
    """A grant that lets an account in. role: the one of its own roles that it has to activate first, if any.

    The grant may be another account's: that of a role, of a role's role, of an account of the same user name at
    another host, or of the anonymous user.
    """

    grant: Grant
    role: Account | None = None


class Access(NamedTuple):
    """An account can get into a database. via: every grant that lets it in, under one choice of active roles or other.

    hidden: grants that match too, but that a more specific row keeps from applying; they do as soon as that one goes.
    """

    account: Account
    database: str
    via: tuple[Way, ...]
    hidden: tuple[Way, ...] = ()

    @property
    def grants(self) -> frozenset[Grant]:
        """All that has to go until the account cannot get in any more."""
        return frozenset(way.grant for way in (*self.via, *self.hidden))


def reach(state: State, server: Server) -> tuple[Access, ...]:
    """Every account with every database it can get into, sorted; roles and locked accounts as if they could log in.

    What is not known (the hosts of clients, the fine print of versions before 9) counts as access.
    """
    world = _World.of(state, server)
    return tuple(access for account in sorted(state.users) for access in world.access(account))


class _Row(NamedTuple):
    """A row of mysql.db."""

    spelling: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """What an account holds itself. named: the grants on tables, columns and routines, by database."""

    on_server: list[Grant] = field(default_factory=list)
    rows: dict[str, list[Grant]] = field(default_factory=lambda: defaultdict(list))
    named: dict[str, list[Grant]] = field(default_factory=lambda: defaultdict(list))
    roles: set[Account] = field(default_factory=set)


_NOTHING = _Held()


class _Found:
    """The ways into the databases of one account, as they are found."""

    def __init__(self) -> None:
        self.via: dict[str, dict[Way, None]] = defaultdict(dict)
        self.hidden: dict[str, dict[Way, None]] = defaultdict(dict)

    def add(self, database: str, grants: Iterable[Grant], role: Account | None, *, hidden: bool = False) -> None:
        ways = (self.hidden if hidden else self.via)[database]
        ways.update(dict.fromkeys(Way(grant, role) for grant in grants))


@dataclass(frozen=True, slots=True)
class _World:
    """The grants of a server, arranged for the question who can get in."""

    state: State
    server: Server
    databases: Databases
    held: Mapping[Account, _Held]
    by_user: Mapping[str, Sequence[Account]]

    @classmethod
    def of(cls, state: State, server: Server) -> _World:
        held: dict[Account, _Held] = defaultdict(_Held)
        for grant in state.grants:
            account, scope, privilege = grant
            if scope.level == "GLOBAL":
                if privilege in _ON_DATABASES:
                    held[account].on_server.append(grant)
            elif scope.level == "DATABASE":
                held[account].rows[scope.database].append(grant)
            elif scope.level == "ROLE":
                if privilege == MEMBER:
                    held[account].roles.add(Account(scope.name, scope.database))
            elif scope.level != "DYNAMIC":
                held[account].named[scope.database].append(grant)
        by_user: dict[str, list[Account]] = defaultdict(list)
        for account in sorted({*held, *state.users}):  # an account that is gone may have left rows behind; they count
            by_user[account.user].append(account)
        names = [name for name in state.databases if name.lower() not in _VIRTUAL]
        return cls(state, server, Databases(names, server), dict(held), dict(by_user))

    def access(self, account: Account) -> Iterator[Access]:
        found = _Found()
        self._without_role(account, found)
        for role in sorted(self._roles(account)):
            self._with_role(account, role, found)
        for database, ways in sorted(found.via.items()):
            if any(way.grant.privilege != GRANT_OPTION for way in ways):
                alone = {way.grant for way in ways if way.role is None}
                via = [way for way in ways if way.role is None or way.grant not in alone]
                open_now = {way.grant for way in via}
                hidden = [way for way in found.hidden.get(database, ()) if way.grant not in open_now]
                yield Access(account, database, tuple(sorted(via, key=_order)), tuple(sorted(hidden, key=_order)))

    def _roles(self, account: Account) -> set[Account]:
        """The roles that the account may activate: those it was granted itself, and the mandatory ones."""
        granted = self.held.get(account, _NOTHING).roles
        return {role for role in (*granted, *self.server.mandatory_roles) if role in self.state.users}

    def _without_role(self, account: Account, found: _Found) -> None:
        self._everywhere([account], None, found)
        matching: dict[str, list[tuple[Account, _Row]]] = defaultdict(list)
        for holder in (account, *self._also_applied(account)):
            held = self.held.get(holder, _NOTHING)
            for spelling, grants in held.rows.items():
                for database in self.databases.matches(spelling):
                    matching[database].append((holder, _Row(spelling, tuple(grants))))
            if holder.user == account.user:
                self._objects(held, None, found)
        for database, rows in matching.items():
            self._first(account, database, rows, found)

    def _first(self, account: Account, database: str, rows: list[tuple[Account, _Row]], found: _Found) -> None:
        """The first matching row wins; one of another host wins only where that host matches the client."""
        ranked: dict[tuple[object, ...], list[tuple[Account, _Row]]] = defaultdict(list)
        for holder, row in rows:
            ranked[host_rank(holder.host), rank(row.spelling), bool(holder.user)].append((holder, row))
        decided = False
        for _, group in sorted(ranked.items(), reverse=True):
            for _, row in group:
                found.add(database, row.grants, None, hidden=decided)
            decided = decided or any(covers(holder.host, account.host) for holder, _ in group)

    def _also_applied(self, account: Account) -> Iterator[Account]:
        """Accounts whose rows apply to the account's sessions too, because their host matches the client as well.

        None that comes first when MySQL looks for the account of a login: its clients get that account itself.
        """
        own_rank = (host_rank(account.host), bool(account.user))
        for user in {account.user, ""}:
            for other in self.by_user.get(user, ()):
                if other == account or not overlaps(account.host, other.host):
                    continue
                if other in self.state.users and (host_rank(other.host), bool(other.user)) > own_rank:
                    continue
                yield other

    def _with_role(self, account: Account, role: Account, found: _Found) -> None:
        """A session with this one role: with more of them no more rows apply than with one or the other alone.

        The anonymous user can activate a mandatory role, but has nothing of it (test_anonymous_user_and_roles).
        """
        holders = [account, *sorted(self._closure(role) - {account})] if account.user else [account]
        self._everywhere(holders, role, found)
        exact: dict[str, list[_Row]] = defaultdict(list)
        patterns: dict[str, dict[str, list[Grant]]] = defaultdict(lambda: defaultdict(list))
        for holder in holders:
            held = self.held.get(holder, _NOTHING)
            self._objects(held, role, found)
            for spelling, grants in held.rows.items():
                for database in self.databases.matches(spelling, with_role=True):
                    if has_wildcard(spelling):
                        patterns[database][spelling] += grants
                    else:
                        exact[database].append(_Row(spelling, tuple(grants)))
        for database, rows in exact.items():
            for row in rows:
                found.add(database, row.grants, role)
        for database, by_spelling in patterns.items():
            self._first_pattern(database, by_spelling, role, holders, found, decided=database in exact)

    def _first_pattern(
        self,
        database: str,
        by_spelling: Mapping[str, list[Grant]],
        role: Account,
        holders: Sequence[Account],
        found: _Found,
        *,
        decided: bool,
    ) -> None:
        """The first pattern, byte by byte, and of it only what no active role's partial revoke takes away."""
        revoked: frozenset[str] = frozenset()
        if is_tried(self.server):
            revoked = frozenset().union(*(self._restrictions(holder).get(database, ()) for holder in holders))
        for spelling in sorted(by_spelling, key=str.encode):
            grants = [grant for grant in by_spelling[spelling] if grant.privilege not in revoked]
            found.add(database, grants, role, hidden=decided)
            decided = decided or is_tried(self.server)

    def _closure(self, role: Account) -> set[Account]:
        """The role, its roles, and so on."""
        known, todo = {role}, [role]
        while todo:
            more = self.held.get(todo.pop(), _NOTHING).roles - known
            known |= more
            todo += more
        return known

    def _objects(self, held: _Held, role: Account | None, found: _Found) -> None:
        for name, grants in held.named.items():
            for database in self.databases.named(name):
                found.add(database, grants, role)

    def _everywhere(self, holders: Sequence[Account], role: Account | None, found: _Found) -> None:
        """Privileges on `*.*`, each where no restriction of its holder takes it away."""
        for holder in holders:
            grants = tuple(self.held.get(holder, _NOTHING).on_server)
            if not grants:
                continue
            restrictions = self._restrictions(holder)
            for database in self.databases.names:
                revoked = restrictions.get(database, frozenset())
                left = [grant for grant in grants if grant.privilege not in revoked] if revoked else grants
                if left:
                    found.add(database, left, role)

    def _restrictions(self, holder: Account) -> Mapping[str, frozenset[str]]:
        user = self.state.users.get(holder)
        return {self.server.stored(name): privileges for name, privileges in (user.restrictions if user else ())}


def _order(way: Way) -> tuple[Grant, Account]:
    return way.grant, way.role or Account("", "")
