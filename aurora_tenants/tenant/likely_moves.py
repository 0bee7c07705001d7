"""What a plan takes apart and may have been meant to stay together: what looks like a move, without the word. Pure.

a database, a user or a role leaves one tenant and is made in another      moved_from
a user is dropped, and one of another name gets the same rights            renamed_from
a database is kept or dropped, and an empty one is made in its place       no word: MySQL cannot rename a database
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from aurora_tenants.errors import Problem
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.grants import Scope
from aurora_tenants.mysql.state import State
from aurora_tenants.tenant.plan import TenantPlan

CODE = "looks-like-a-move"
# By these changes a stack gives something up: it is gone afterwards, or belongs to nobody.
_GIVES_UP = frozenset(("drop", "release"))
# More names than this are only counted.
_MOST_NAMES = 5

# What a user may do, whatever it is called and wherever it comes from.
Rights = frozenset[tuple[Scope, str]]


class _Thing(NamedTuple):
    """A database, a user or a role of a tenant. is_dropped: nothing is left of it. rights: a user's."""

    kind: str
    name: str
    tenant: str
    is_dropped: bool = False
    rights: Rights = frozenset()

    @property
    def identity(self) -> tuple[str, str]:
        return self.kind, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def likely_moves(plans: Collection[TenantPlan]) -> tuple[Problem, ...]:
    """Dangers of code looks-like-a-move: each says what is lost, and which key of the file keeps it.

    What moves by a word of the file is none. plans: all of one plan.
    """
    left = [thing for plan in plans for thing in _left(plan)]
    if not left:
        return ()
    asked = {thing.identity: thing for plan in plans for thing in _asked(plan)}
    elsewhere = [(thing, asked[thing.identity]) for thing in left if thing.identity in asked]
    gone = [thing for thing in left if thing.identity not in asked]
    made = [thing for plan in plans for thing in _made(plan)]
    return (*_elsewhere(elsewhere), *_same_rights(gone, made), *_empty(gone, made))


def _left(plan: TenantPlan) -> Iterator[_Thing]:
    """What the tenant has, and has no more once the plan is applied."""
    changes = {change.subject: change.action == "drop" for change in plan.changes if change.action in _GIVES_UP}
    if not changes:
        return
    for about, is_dropped in sorted(changes.items()):
        noun, _, name = about.partition(" ")
        if noun == "database" and name not in plan.desired.databases:
            yield _Thing("database", name, plan.name, is_dropped)
    kept = {account.user for account in plan.desired.users} | {move.old for move in plan.moves}
    found: dict[str, _Thing] = {}
    for account, user in sorted(plan.live.users.items()):
        about = subject(account)
        if about in changes and account.user not in kept:
            kind, rights = "role" if user.is_role else "user", _rights(plan.live, account.user)
            found[account.user] = _Thing(kind, account.user, plan.name, changes[about], rights)
    yield from found.values()


def _asked(plan: TenantPlan) -> Iterator[_Thing]:
    """What the file has for the tenant, but for what comes by a word."""
    moved = {(move.kind, move.name) for move in plan.moves}
    things = [_Thing("database", name, plan.name) for name in sorted(plan.desired.databases)]
    for account, user in sorted(plan.desired.users.items()):
        kind = "role" if user.is_role else "user"
        things.append(_Thing(kind, account.user, plan.name, rights=_rights(plan.desired, account.user)))
    yield from (thing for thing in dict.fromkeys(things) if thing.identity not in moved)


def _made(plan: TenantPlan) -> Iterator[_Thing]:
    """Of these, what is not there yet."""
    there = {account.user for account in plan.live.users}
    for thing in _asked(plan):
        if thing.name not in (plan.live.databases if thing.kind == "database" else there):
            yield thing


def _rights(state: State, name: str) -> Rights:
    return frozenset((grant.scope, grant.privilege) for grant in state.grants if grant.account.user == name)


def _elsewhere(found: Iterable[tuple[_Thing, _Thing]]) -> Iterator[Problem]:
    """What leaves one tenant and has its name in another."""
    pairs = sorted(found, key=lambda pair: (pair[0].tenant, pair[1].tenant))
    for (giver, receiver), group in groupby(pairs, key=lambda pair: (pair[0].tenant, pair[1].tenant)):
        things = [old for old, _ in group]
        verb = "leaves" if len(things) == 1 else "leave"
        what = f"{_listed(things)} {verb} tenant {giver}, and tenant {receiver} asks for the same"
        why = "each stack is on its own: the one lets go, and the other may only make what is not there"
        lost = " A user gets a new password." if any(thing.kind == "user" for thing in things) else ""
        place = f"on it in tenant {receiver}" if len(things) == 1 else f"on tenant {receiver}, or on each of them"
        fix = f"if that is a move: moved_from: {giver} {place}"
        yield Problem(CODE, what, f"{why}.{lost}" if lost else why, fix, context=f"tenant {receiver}")


def _same_rights(left: Iterable[_Thing], made: Iterable[_Thing]) -> Iterator[Problem]:
    """Users that go, and as many or more that come with the very same rights."""
    of_rights: dict[Rights, list[_Thing]] = {}
    for old in left:
        if old.kind == "user" and old.rights:
            of_rights.setdefault(old.rights, []).append(old)
    for new in made:
        before = of_rights.get(new.rights, []) if new.kind == "user" else []
        if not before:
            continue
        # Of several, one of the same tenant is the likeliest, and no other new one is said to be the same.
        old = next((each for each in before if each.tenant == new.tenant), before[0])
        before.remove(old)
        gone = "dropped" if old.is_dropped else "left behind"
        what = f"user {old.name} is {gone}, and user {new.name} is made with the same rights"
        why = "it gets a new password, and whoever logs in with the old name and secret is shut out"
        if not old.is_dropped:
            why = "it gets a new password and a new secret, and the old user keeps its rights"
        fix = f"if it is the same user: renamed_from: {old.name}"
        if old.tenant != new.tenant:
            fix = f"if it is the same user: keep the name {old.name}, with moved_from: {old.tenant}; after that apply,"
            fix += f" give it its new name with renamed_from: {old.name}"
        yield Problem(CODE, what, why, fix, context=f"tenant {new.tenant}")


def _empty(left: Iterable[_Thing], made: Iterable[_Thing]) -> Iterator[Problem]:
    """Databases that are made beside one that goes, in the same tenant or under a name that differs by a stage."""
    before = [thing for thing in left if thing.kind == "database"]
    for new in made:
        olds = [old for old in before if new.kind == "database" and _is_akin(old, new)]
        if not olds:
            continue
        old = olds[0]
        gone = "dropped" if all(each.is_dropped for each in olds) else "left behind"
        verb = "is" if len(olds) == 1 else "are"
        what = f"database {new.name} is made empty, while {_listed(olds)} {verb} {gone}"
        why = "nothing that is in it goes along, and MySQL cannot rename a database"
        fix = f"if it is to be the same: keep the name {old.name} in the file"
        if old.tenant != new.tenant:
            fix += f", with moved_from: {old.tenant}"
        yield Problem(CODE, what, why, fix, context=f"tenant {new.tenant}")


def _is_akin(old: _Thing, new: _Thing) -> bool:
    """Of one tenant, or of two that may be stages of one service, under names that differ as theirs do."""
    if old.tenant == new.tenant:
        return True
    are_stages = not _services(old.tenant).isdisjoint(_services(new.tenant))
    shorter, longer = sorted((old.name, new.name), key=len)
    is_staged = any(longer.startswith(f"{shorter}{mark}") for mark in "-_")
    return are_stages and (is_staged or old.name.replace(old.tenant, new.tenant) == new.name)


def _services(tenant: str) -> set[str]:
    """The services that a tenant may be of: shop-dev is one of its own, or a stage of shop."""
    return {tenant, tenant.rpartition("-")[0] or tenant}


def _listed(things: Collection[_Thing]) -> str:
    names = [str(thing) for thing in things]
    return ", ".join(names) if len(names) <= _MOST_NAMES else f"{', '.join(names[:_MOST_NAMES])}, … ({len(names):,})"
