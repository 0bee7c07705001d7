"""The changes that each resource of a stack brings about, in the order in which the provider runs them. Pure.

CloudFormation asks the provider for one resource at a time: databases, then roles, then users. Who owns what is made is
written down before anything else, and what can be taken back is done first. Another plugin ends an account's passwords,
so accounts that are there are altered when their privileges are as they should be; what is given up is dropped last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aurora_tenants.mysql.changes import HIDDEN, Change, changes, moves, set_password, subject, title
from aurora_tenants.mysql.grants import Grant, by_account
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import IAM_PLUGIN, PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import Owner, record_owner
from aurora_tenants.mysql.state import Server, State, User


def changes_of_all(desired: State, live: State, *, server: Server) -> tuple[Change, ...]:
    """What the provider runs for everything that is desired of one stack, its passwords included."""
    return tuple(
        change
        for part, found in _of_each_resource(desired, live)
        for change in (*changes_of_one(part, found, server=server), *_passwords(part, found, server))
    )


def changes_of_one(desired: State, live: State, *, server: Server, password: str = HIDDEN) -> tuple[Change, ...]:
    """What the provider runs for the things of one resource."""
    todo = changes(desired, live, server=server, password=password)
    renamed = moves(desired, live)
    known = {subject(account) for account in desired.users if renamed.get(account, account) in live.users}
    given_up = {change.subject for change in todo if change.action in ("drop", "release")}
    new = (user for account, user in desired.users.items() if account not in live.users)
    claims = {record_owner("users", user.account.entry, user.owner) for user in new if user.owner}

    def phase(change: Change) -> int:
        if change.statement in claims:
            return -1
        return 2 if change.subject in given_up else int(change.action == "alter" and change.subject in known)

    return tuple(sorted(todo, key=phase))


def is_new_to(owner: Owner | None, before: Owner | None) -> bool:
    """Whether an account was nobody's, another resource's or another secret's until now."""
    return before is None or owner is None or before.released or _login(before) != _login(owner)


def _login(owner: Owner) -> tuple[str, ...]:
    return (*owner.identity, owner.secret)


def check_kind(user: User, known: User, *, is_same_resource: bool) -> None:
    """Raises ValueError with a sentence where a role would take the place of a user, or a user that of a role.

    is_same_resource: whether what is there is this very resource's, which may put it right.
    """
    if known.is_role != user.is_role and not is_same_resource:
        there = "role" if known.is_role else "user"
        raise ValueError(f"{title(user)} cannot be made: there is a {there} of this name")


def _of_each_resource(desired: State, live: State) -> Iterator[tuple[State, State]]:
    """The states by resource, live as the provider reads it; what has no owner is a resource of its own."""
    for name in sorted(desired.databases):
        yield State(databases={name: desired.databases[name]}), State(databases=live.databases)
    accounts: dict[tuple[str, str], list[Account]] = {}
    for account, user in sorted(desired.users.items(), key=lambda item: (not item[1].is_role, item[0])):
        accounts.setdefault(user.owner.identity if user.owner else account, []).append(account)
    wanted, held = by_account(desired.grants), by_account(live.grants)
    of_name: dict[str, list[Account]] = {}
    for account in live.users:
        of_name.setdefault(account.user, []).append(account)
    for of_one in accounts.values():
        there = [account for name in {it.user for it in of_one} for account in of_name.get(name, ())]
        yield _part(desired, of_one, wanted), _part(live, there, held)


def _part(state: State, accounts: Iterable[Account], grants: Mapping[Account, Iterable[Grant]]) -> State:
    users = {account: state.users[account] for account in accounts}
    return State(users=users, grants=frozenset(grant for account in users for grant in grants.get(account, ())))


def _passwords(desired: State, live: State, server: Server) -> Iterator[Change]:
    """The secret's password for accounts that are new to it, or that have none."""
    renamed = moves(desired, live)
    for account, user in sorted(desired.users.items()):
        known = live.users.get(renamed.get(account, account))
        if known is None or user.is_role or user.options.plugin == IAM_PLUGIN:
            continue
        plugin = known.options.plugin or server.plugin
        if plugin not in PASSWORD_PLUGINS or user.options.plugin not in (None, plugin):
            continue  # another plugin comes with the password
        if why := _password_why(user, known):
            retain = known.owner is None
            yield Change("alter", subject(account), set_password(account, plugin, HIDDEN, retain=retain), why)


def _password_why(user: User, known: User) -> str:
    """Why an account that is there gets the secret's password; empty when it keeps the one it has."""
    if known.has_no_password and known.owner:
        return "it has none: whoever knows its name may log in"
    if not user.owner or not user.owner.adopted or not is_new_to(user.owner, known.owner):
        return ""
    if known.owner:
        return "unless that works already"
    return "unless that works already; the password it has now goes on working until the first rotation"
