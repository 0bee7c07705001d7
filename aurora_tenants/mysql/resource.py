"""The changes of each resource of a stack, in the order in which the provider runs them. Pure.

CloudFormation asks the provider for one resource at a time: databases, then roles, then users. First the owners of new
accounts are recorded, then comes what can be undone. Another plugin ends an account's passwords, so existing accounts
are altered after their privileges are right; what is given up is dropped last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aurora_tenants.mysql.changes import Change, changes, moves, subject, title
from aurora_tenants.mysql.grants import Grant, by_account
from aurora_tenants.mysql.hashing import HIDDEN, Hashes
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import IAM_PLUGIN, PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import Owner, record_owner
from aurora_tenants.mysql.passwords import set_password
from aurora_tenants.mysql.state import Server, State, User
from aurora_tenants.mysql.unchanged import holds

UNTIL_ROTATION = "the one it has now keeps working until the first rotation"


def changes_of_all(desired: State, live: State, *, server: Server) -> tuple[Change, ...]:
    """What the provider runs for all resources of one stack, passwords included."""
    return tuple(it for _, found in changes_by_resource(desired, live, server=server) for it in found)


def changes_by_resource(desired: State, live: State, *, server: Server) -> list[tuple[str, tuple[Change, ...]]]:
    """The same for each resource that may have any, with its logical id, which is empty for what has no owner."""
    if holds(desired, live):
        return []
    differing = ((wanted, held) for wanted, held in _by_resource(desired, live) if not holds(wanted, held))
    return [(_logical_id(wanted), changes_and_passwords(wanted, held, server)) for wanted, held in differing]


def changes_and_passwords(desired: State, live: State, server: Server) -> tuple[Change, ...]:
    """What the provider runs for one resource, passwords included."""
    return (*changes_of_one(desired, live, server=server), *_passwords(desired, live, server))


def _logical_id(wanted: State) -> str:
    owners = [it.owner for it in wanted.databases.values()] + [it.owner for it in wanted.users.values()]
    return owners[0].resource if owners[0] else ""


def changes_of_one(desired: State, live: State, *, server: Server, password: Hashes = HIDDEN) -> tuple[Change, ...]:
    """What the provider runs for one resource."""
    todo = changes(desired, live, server=server, password=password)
    renamed = moves(desired, live)
    known = {subject(account) for account in desired.users if renamed.get(account, account) in live.users}
    given_up = {change.subject for change in todo if change.action in ("drop", "release")}
    new = (user for account, user in desired.users.items() if account not in live.users)
    first_records = {record_owner("users", user.account.entry, user.owner) for user in new if user.owner}

    def phase(change: Change) -> int:
        if change.statement in first_records:
            return -1
        return 2 if change.subject in given_up else int(change.action == "alter" and change.subject in known)

    return tuple(sorted(todo, key=phase))


def is_new_to(owner: Owner | None, before: Owner | None) -> bool:
    """Whether an account belonged to nobody, to another resource or to another secret until now."""
    if before is None or owner is None or (before.released and not before.giver):
        return True
    of_resource = before.giver or before.identity == owner.identity  # what is offered comes with its secret
    return not of_resource or before.secret != owner.secret


def check_kind(user: User, known: User, *, is_same_resource: bool) -> None:
    """Raises ValueError with a sentence where a role would replace a user, or a user a role.

    is_same_resource: whether the existing one is this very resource's, which may put it right.
    """
    if known.is_role != user.is_role and not is_same_resource:
        existing = "role" if known.is_role else "user"
        raise ValueError(f"{title(user)} cannot be created: there is a {existing} of this name")


def _by_resource(desired: State, live: State) -> Iterator[tuple[State, State]]:
    """For each resource what is desired, and the live state that the provider reads for it.

    An account without an owner counts as a resource of its own.
    """
    for name in sorted(desired.databases):
        yield State(databases={name: desired.databases[name]}), State(databases=live.databases)
    accounts: dict[tuple[str, str], list[Account]] = {}
    for account, user in sorted(desired.users.items(), key=lambda item: (not item[1].is_role, item[0])):
        accounts.setdefault(user.owner.identity if user.owner else account, []).append(account)
    wanted, held = by_account(desired.grants), by_account(live.grants)
    found: dict[object, set[Account]] = {}
    for account, user in live.users.items():
        for key in (account.user, user.owner.identity if user.owner else account.user):
            found.setdefault(key, set()).add(account)
    for identity, of_resource in accounts.items():
        names = {account.user for account in of_resource}
        there = set[Account]().union(*(found.get(key, ()) for key in (identity, *names)))
        yield _part(desired, of_resource, wanted), _part(live, there, held)


def _part(state: State, accounts: Iterable[Account], grants: Mapping[Account, Iterable[Grant]]) -> State:
    users = {account: state.users[account] for account in accounts}
    return State(users=users, grants=frozenset(grant for account in users for grant in grants.get(account, ())))


def _passwords(desired: State, live: State, server: Server) -> Iterator[Change]:
    """Setting the secret's password, for accounts that are new to the secret or have none that is of use."""
    renamed = moves(desired, live)
    for account, user in sorted(desired.users.items()):
        known = live.users.get(renamed.get(account, account))
        if known is None or user.is_role or user.options.plugin == IAM_PLUGIN:
            continue
        plugin = known.options.plugin or server.plugin
        if plugin not in PASSWORD_PLUGINS or user.options.plugin not in (None, plugin):
            continue  # the statement that changes the plugin sets the password
        if why := _password_why(user, known):
            retain = known.owner is None
            yield Change("alter", subject(account), set_password(account, plugin, HIDDEN, retain=retain), why)


def _password_why(user: User, known: User) -> str:
    """Why an existing account gets the secret's password; empty when it keeps the one it has."""
    if known.has_no_password and known.owner:
        return "it has no password: whoever knows its name can log in"
    if known.is_expired and known.owner:
        return "it was made to expire: nobody can do anything with it"
    if not user.owner or not user.owner.adopted or not is_new_to(user.owner, known.owner):
        return ""
    why = "only if it does not have this password already"
    return why if known.owner else f"{why}; {UNTIL_ROTATION}"
