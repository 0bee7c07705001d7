"""The accounts of one resource, a user's or a role: brought about, taken back when that fails, given up in the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.ownership import ATTEMPTS, DONE_MEANWHILE, claimed, is_mine, put_back
from aurora_tenants.lambdas.password import give_password, is_told_by_login, takes
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.lambdas.statement import run
from aurora_tenants.mysql.changes import NOWHERE, Change, changes, drop_user, moves, subject, title
from aurora_tenants.mysql.live import Execute, read_owners, read_users
from aurora_tenants.mysql.names import Account, account_of, is_aws_role, key
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import Owner, forget_owner, record_owner
from aurora_tenants.mysql.resource import changes_of_one, check_kind, is_new_to
from aurora_tenants.mysql.state import Server, State, User


class Asked(NamedTuple):
    """What a resource asks for. wanted: the accounts of one name and their grants, without owners.

    secret: None where there is no password. is_there: the resource has been this user, or this role, all the time.
    """

    wanted: State
    server: Server
    secret: Secret | None
    is_there: bool

    @property
    def name(self) -> str:
        return next(iter(self.wanted.users)).user

    @property
    def password(self) -> str:
        """Empty where there is none."""
        return self.secret.password if self.secret else ""


class _Found(NamedTuple):
    """What there is of this name: accounts, their grants; and every entry in the table of owners, by account."""

    live: State
    entries: Mapping[Account, Owner]


def bring_about(request: Request, asked: Asked) -> str:
    """Makes or adopts the accounts and brings everything about them about; what was refused and only reported.

    Raises ValueError or DatabaseError with a sentence; a new account is not half made then, and an old one as it was.
    """
    found = origin = _find(request.execute, asked.name)
    _check_roles(request.execute, asked, found)
    for attempts in range(ATTEMPTS, 0, -1):
        try:
            return _attempt(request, asked, found)
        except DatabaseError as error:
            if error.number not in DONE_MEANWHILE or attempts == 1:
                _take_back(request, asked, origin)
                raise
        except ValueError:
            if found is not origin:  # somebody else was faster, and there is what the first attempt has done
                _take_back(request, asked, origin)
            raise
        found = _find(request.execute, asked.name)
    raise AssertionError


def _attempt(request: Request, asked: Asked, found: _Found) -> str:
    execute, secret = request.execute, asked.password
    desired = _claimed(request, asked, found)
    # Before anything is written down: what no statement can hold raises here.
    todo = changes_of_one(desired, found.live, server=asked.server, password=secret)
    written = set()
    for account, user in desired.users.items():
        if user.owner and account not in found.entries and account not in found.live.users:
            execute(record_owner("users", account.entry, user.owner, "INSERT"))
            written.add(record_owner("users", account.entry, user.owner))
    refused = _run(request, (change for change in todo if change.statement not in written), secret)
    _give_passwords(request, asked, desired, found)
    _give_up_others(execute, desired, found)
    return refused


def give_up(execute: Execute, entry: str, owner: Owner) -> None:
    """Drops an account that its resource made, and lets go of one that it adopted."""
    if owner.adopted:
        execute(record_owner("users", entry, owner._replace(released=True)))
    else:
        execute(drop_user(account_of(entry)))
        execute(forget_owner("users", entry))


def _find(execute: Execute, name: str) -> _Found:
    users, grants = read_users(execute, name, has_owners=True)
    entries = {account_of(entry): owner for entry, owner in read_owners(execute, "users").items()}
    return _Found(State(users=users, grants=grants), entries)


def _check_roles(execute: Execute, asked: Asked, found: _Found) -> None:
    """Raises ValueError for what no user may be granted as a role: to MySQL the master user would be one as well.

    A role has to be some stack's, so that it holds nothing that no tenant may; one that the user has had all the time
    stays, also without its entry, for the way back of a rollback must not be refused.
    """
    roles = _roles(asked.wanted)
    if not roles:
        return
    held = _roles(found.live) if asked.is_there else set()
    where = f"User IN ({', '.join(key(role.user) for role in sorted(roles))})"
    rows = execute(f"SELECT User, Host, account_locked FROM mysql.user WHERE {where}")  # noqa: S608 - hexadecimal
    locked = {Account(str(user), str(host)): is_locked == "Y" for user, host, is_locked in rows}
    for role in sorted(roles):
        if role not in locked:
            why = "this version of Aurora does not have it" if is_aws_role(role.user) else "it has to be made first"
            raise ValueError(f"there is no role {role.user} to grant: {why}")
        if not locked[role]:
            raise ValueError(f"{role.user} cannot be granted: it is a user, and a user is granted roles only")
        owner = found.entries.get(role)
        if (owner is None or owner.released) and role not in held and not is_aws_role(role.user):
            raise ValueError(f"role {role.user} cannot be granted: it belongs to nobody; roles that a stack made can")


def _roles(state: State) -> set[Account]:
    """The roles that are granted to somebody."""
    scopes = (grant.scope for grant in state.grants if grant.scope.level == "ROLE")
    return {Account(scope.name, scope.database) for scope in scopes}


def _claimed(request: Request, asked: Asked, found: _Found) -> State:
    """The desired state with its owners. Raises ValueError when an account is not this resource's to take."""
    of_name = [owner for account, owner in found.entries.items() if account.user == asked.name]
    known_secrets = [owner.secret for owner in of_name if is_mine(owner, request.owner)]
    # A user keeps the secret it was made from, also when it uses IAM now: the id of its resource may be that secret's.
    secret = asked.secret.name if asked.secret else max(known_secrets, default="")
    mine = request.owner._replace(secret=secret)
    # An account at a host that is new to the user may be anybody's, even if the user has been this resource all along.
    is_there = asked.is_there and not known_secrets
    users: dict[Account, User] = {}
    for account, user in asked.wanted.users.items():
        before, known = found.entries.get(account), found.live.users.get(account)
        if known:
            check_kind(user, known, is_same_resource=before is not None and before.identity == mine.identity)
        adopt = request.may_adopt(before, is_there=is_there)
        owner = claimed(title(user), before, mine, adopt=adopt, exists=known is not None)
        users[account] = user._replace(owner=owner)
    # An account that gets another host stays what it was.
    for new, old in moves(State(users=users), found.live).items():
        owner = claimed(subject(old), found.entries[old], mine, adopt=False, exists=True)
        users[new] = users[new]._replace(owner=owner)
    return State(users=users, grants=asked.wanted.grants)


def _run(request: Request, todo: Iterable[Change], password: str) -> str:
    """Runs the changes. With OnRefusal "report", the grants that the server refused come back as a sentence."""
    refused = []
    for change in todo:
        try:
            run(request.execute, change.statement, password)
        except DatabaseError as error:
            if change.action != "grant" or request.text("OnRefusal") != "report":
                raise
            refused.append(str(error))
    return "; ".join(refused)


def _give_passwords(request: Request, asked: Asked, desired: State, found: _Found) -> None:
    """Existing accounts keep their password unless a login with the secret's fails, or cannot be tried.

    Then it is set when the account is new to the resource or to the secret, or lost its password, and in a Create,
    which may come twice.
    """
    if asked.secret is None:
        return
    kept = [(user, known) for user, known in _there_before(desired, found.live) if _keeps_plugin(user, known)]
    if not kept:
        return
    is_told = not _others(request, desired, found) and is_told_by_login(desired.users.values())
    is_denied = is_told and not _can_login(request, asked.secret)
    is_create = request.event.get("RequestType") == "Create"
    for user, known in kept:
        is_new = is_create or known.has_no_password or is_new_to(user.owner, found.entries.get(known.account))
        if is_denied or (is_new and not (is_told and len(desired.users) == 1)):
            as_it_is = user._replace(options=user.options._replace(plugin=known.options.plugin))
            _give_password(request.execute, as_it_is, known, asked.secret.password)


def _there_before(desired: State, live: State) -> Iterator[tuple[User, User]]:
    """The desired accounts that are there already, perhaps at another host, each with what it is now."""
    renamed = moves(desired, live)
    for account, user in desired.users.items():
        if known := live.users.get(renamed.get(account, account)):
            yield user, known


def _keeps_plugin(user: User, known: User) -> bool:
    """Whether an account goes on with the plugin it has; another one came with the secret's password."""
    plugin = known.options.plugin
    return plugin in PASSWORD_PLUGINS and user.options.plugin in (None, plugin)


def _others(request: Request, desired: State, found: _Found) -> set[Account]:
    """The accounts of this name that are not this resource's, or not any more."""
    mine = {account for account, owner in found.entries.items() if is_mine(owner, request.owner) and not owner.adopted}
    return found.live.users.keys() - desired.users.keys() - mine - {*moves(desired, found.live).values()}


def _can_login(request: Request, secret: Secret) -> bool:
    try:
        return takes(request.login(secret.arn))
    except DatabaseError as error:
        if not error.number:
            raise
        return True  # no answer about the password


def _give_password(execute: Execute, user: User, known: User, password: str) -> None:
    """The password that an adopted account came with goes on beside the secret's.

    Retained a second time, the password of an adoption that failed would take the place of the one it came with. Who
    has none cannot be adopted (3878): it would not get in any more. Who lost it later gets the secret's alone.
    """
    retain = False
    if user.owner and user.owner.adopted:
        what = "User_attributes->'$.additional_password' IS NOT NULL AS has_second"
        where = f"User = {key(user.account.user)} AND Host = {key(user.account.host)}"
        has_second = execute(f"SELECT {what} FROM mysql.user WHERE {where}")[0][0]  # noqa: S608 - hexadecimal
        retain = known.owner is None or not (has_second or known.has_no_password)
    give_password(execute, user, password, retain=retain)


def _take_back(request: Request, asked: Asked, origin: _Found) -> None:
    """Leaves the accounts that were there before as they were, which an adoption that fails must, and no new one.

    An account is touched only once its entry is this resource's: whatever has another's was another's to change.
    """
    execute, mine = request.execute, request.owner
    now = _find(execute, asked.name)
    touched = {account for account, owner in now.entries.items() if owner.identity == mine.identity}
    old = {
        account: user
        for account, user in origin.live.users.items()
        if (account in asked.wanted.users or (user.owner and is_mine(user.owner, mine)))
        and (account in touched or account not in now.live.users)
    }
    # First what was made, so that what was renamed is all that can be renamed back.
    wanted = State(users={account: user._replace(owner=mine) for account, user in asked.wanted.users.items()})
    for account in touched & now.live.users.keys() - origin.live.users.keys() - moves(wanted, origin.live).keys():
        execute(drop_user(account))
        execute(forget_owner("users", account.entry))
    users, grants = read_users(execute, asked.name, has_owners=True)
    live = State(users=users, grants=grants)
    was = _without_password(State(users=old), live) if asked.secret is None else State(users=old)
    was = State(users=was.users, grants=frozenset(grant for grant in origin.live.grants if grant.account in was.users))
    for change in changes(was, live, server=asked.server, password=asked.password):
        run(execute, change.statement, asked.password)
    for account in {*touched & asked.wanted.users.keys(), *old}:
        put_back(execute, "users", account.entry, origin.entries.get(account))


def _without_password(was: State, now: State) -> State:
    """What can be put back where nobody knows a password: every account that is still there, with the plugin it has.

    Any other would come back without a password. The Update with which CloudFormation goes back has the secret again.
    """
    return State(
        users={
            user.account: user._replace(options=user.options._replace(plugin=still.options.plugin))
            for user, still in _there_before(was, now)
        }
    )


def _give_up_others(execute: Execute, desired: State, found: _Found) -> None:
    """Gives up what this resource made under other names from the same secret, when the user name in it was changed.

    And the entries of accounts at hosts that the user has no more, which somebody dropped by hand, and accounts at no
    host at all, which an event that came twice has left there before they got to theirs.
    """
    names = {account.user for account in desired.users}
    owner = max(user.owner for user in desired.users.values() if user.owner)
    others = {account: known for account, known in found.entries.items() if account not in desired.users}
    for account, known in others.items():
        if not is_mine(known, owner):
            continue
        if account.user in names:
            if account not in found.live.users:
                execute(forget_owner("users", account.entry))
        elif known.secret and known.secret == owner.secret:
            give_up(execute, account.entry, known)
    for account in sorted(found.live.users.keys() - found.entries.keys()):
        if account.host.endswith(NOWHERE):
            execute(drop_user(account))
