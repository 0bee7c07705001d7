"""The accounts of one resource, a user's or a role: made as wanted, restored if that fails, given up in the end."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.ownership import NOT_THERE, Tries, is_mine, put_back, take, until_heard
from aurora_tenants.lambdas.password import (
    accepts_login,
    give_password,
    has_password,
    login_is_conclusive,
    retains,
    second_password,
)
from aurora_tenants.lambdas.permission import (
    Existing,
    Wanted,
    check_definers,
    check_name_of,
    check_renames,
    check_roles,
    with_consent,
)
from aurora_tenants.lambdas.reading import Reading, entries_in, existing_of, taken
from aurora_tenants.lambdas.request import Request, Secret, secret_name, with_user
from aurora_tenants.lambdas.statement import run
from aurora_tenants.lambdas.waiting import grant_the_rest
from aurora_tenants.mysql.changes import Change, changes, drop_user, moves, subject, title
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.live import Execute, together
from aurora_tenants.mysql.names import NOWHERE, Account, account_of, is_nowhere
from aurora_tenants.mysql.one import definers_query, of_resource
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import Owner, forget_owner, let_go, record_owner
from aurora_tenants.mysql.resource import changes_of_one, check_kind, is_new_to
from aurora_tenants.mysql.state import State, User

# For the statements that come after a REVOKE, each of which takes at most 45 s, and for the answer.
_RESERVE_SECONDS = 60.0


class _Before(NamedTuple):
    """What there was before the first attempt. sent: the adopted accounts that have been sent a password since, each
    with the digest of its second password before that; None where the one it had was not to be retained.
    """

    live: State
    entries: Mapping[Account, Owner]
    recorded: Mapping[Account, Owner]
    sent: dict[Account, str | None]


def converge(request: Request, wanted: Wanted, reading: Reading) -> str:
    """Creates or adopts the accounts and makes them as wanted. Returns what was refused and is only reported.

    reading: what has been read of them. Raises ValueError or DatabaseError with a sentence; then no new account
    remains, and an old one is as it was.
    """
    existing = first = existing_of(request, wanted, reading)
    before = _Before(*first[:3], {})
    check_renames(request, wanted, existing)
    check_name_of(request, wanted, existing)
    check_roles(request, wanted, existing)
    wanted, withdrawn = with_consent(request, wanted, existing)
    tries = Tries()
    while True:
        try:
            refused = _attempt(request, wanted, existing, before, is_first=existing is first)
            return "; ".join((*withdrawn, *refused))
        except DatabaseError as error:
            if not tries.allow(error):
                until_heard(lambda: _restore(request, wanted, before))
                raise
        except (ValueError, BotoCoreError, ClientError) as error:
            # Somebody else was faster, and the first attempt has left something behind; or the secret was not changed.
            if existing is not first or not isinstance(error, ValueError):
                until_heard(lambda: _restore(request, wanted, before))
            raise
        existing = existing_of(request, wanted)


def _attempt(
    request: Request, wanted: Wanted, existing: Existing, before: _Before, *, is_first: bool
) -> tuple[str, ...]:
    execute = request.execute
    desired = _with_owners(request, wanted, existing)
    # Before anything is recorded: this raises ValueError for a value that no statement can hold.
    todo = changes_of_one(desired, existing.live, server=wanted.server, password=wanted.password)
    recorded = dict[Account, str]()
    for account, user in desired.users.items():
        if user.owner and account not in existing.entries and account not in existing.live.users:
            execute(record_owner("users", account.entry, user.owner, "INSERT"))
            recorded[account] = record_owner("users", account.entry, user.owner)
    if new := [it for it in desired.users if it not in before.entries and it not in before.live.users]:
        try:  # two that begin at the same time see each other here, if not before
            asked = of_resource(sorted(wanted.names), request.owner, ""), definers_query(it.entry for it in new)
            rows, definers = together(execute, asked)
            entries = taken(request, wanted, entries_in(rows))
            check_name_of(request, wanted, existing._replace(entries=entries), is_recorded=True)
            check_definers(request, wanted, definers)
        except ValueError:
            for account in recorded:
                execute(forget_owner("users", account.entry))
            raise
    todo = tuple(change for change in todo if change.statement not in recorded.values())
    were_there = (it for it in desired.users if it in before.live.users)
    may_stop = all((entry := before.entries.get(it)) and entry.is_of(request.owner) for it in were_there)
    run_all = partial(_run, request, wanted=desired, is_first=is_first, may_stop=may_stop, waits=wanted.waits)
    # Between a RENAME and this, whoever reads the secret cannot log in.
    renamed = max((at for at, change in enumerate(todo, 1) if _gives_name(change)), default=0)
    refused = run_all(todo[:renamed])
    if wanted.secret and wanted.secret.user != wanted.name:
        wanted = wanted._replace(secret=with_user(wanted.secret, wanted.name))
    refused += run_all(todo[renamed:])
    _give_passwords(request, wanted, desired, existing, before)
    _give_up_others(execute, wanted.names, desired, existing)
    return refused


def _gives_name(change: Change) -> bool:
    """Whether an account is renamed that clients may use already."""
    return change.action == "rename" and NOWHERE not in change.statement


def give_up(execute: Execute, entry: str, owner: Owner, *, may_drop: bool = True, giver: str = "") -> None:
    """Drops an account that its resource created, and releases one that it adopted, or that it may not drop.

    giver: the stack that it came from, and that is to offer it again; empty for none.
    """
    if owner.adopted or giver or not may_drop:
        execute(record_owner("users", entry, let_go(owner, giver)))
    else:
        execute(drop_user(account_of(entry)))
        execute(forget_owner("users", entry))


def _with_owners(request: Request, wanted: Wanted, existing: Existing) -> State:
    """The desired state with its owners. Raises ValueError when this resource may not have one of the accounts."""
    of_name = [owner for account, owner in existing.entries.items() if account.user in wanted.names]
    known_secrets = [owner.secret for owner in of_name if is_mine(owner, request.owner)]
    # A user keeps the secret it was created from, also when it uses IAM now: its physical id may be that secret's ARN.
    secret = wanted.secret.name if wanted.secret else max(known_secrets, default="")
    mine = request.owner._replace(secret=secret)
    # An account at a host that is new to the user may be anybody's, even if the resource has been this user before.
    is_same = wanted.is_same and not known_secrets
    users: dict[Account, User] = {}
    for account, user in wanted.state.users.items():
        entry, known = existing.entries.get(account), existing.live.users.get(account)
        if known:
            check_kind(user, known, is_same_resource=entry is not None and entry.identity == mine.identity)
        # The inspector of an earlier stack of this name is its own; one that is nobody's is somebody's.
        adopt = (wanted.is_inspector and entry is not None) or request.may_adopt(entry, is_same=is_same)
        exists, moved_from = known is not None, request.moved_from
        owner = take(title(user), entry, mine, adopt=adopt, exists=exists, moved_from=moved_from)
        # The inspector holds nothing of anybody's, so its stack drops it, whoever made it.
        users[account] = user._replace(owner=owner._replace(adopted=owner.adopted and not wanted.is_inspector))
    # An account that only gets another host or another name keeps its owner.
    for new, old in moves(State(users=users), existing.live).items():
        owner = take(subject(old), existing.entries[old], mine, adopt=False, exists=True)
        users[new] = users[new]._replace(owner=owner)
    return State(users=users, grants=wanted.state.grants)


def _run(
    request: Request,
    todo: Sequence[Change],
    wanted: State,
    *,
    is_first: bool = False,
    may_stop: bool = True,
    waits: AbstractSet[Grant] = frozenset(),
) -> tuple[str, ...]:
    """Runs the changes. Returns a sentence for each that was not done and fails nothing.

    That is a GRANT that the server refuses, with OnRefusal "report", or that only helps a REVOKE, or that `waits` for
    what it is on (lambdas/waiting.py); a REVOKE of what MySQL says is not there when it has been read twice; and what
    there is no time for: somebody who may pass on rights can give any number of them. may_stop: False where an account
    is adopted, which nobody is to have with more rights than are asked for.
    """
    refused, left = list[str](), 0
    for change in todo:
        if change.action == "revoke" and may_stop and request.ends - time.monotonic() < _RESERVE_SECONDS:
            left += 1
            continue
        try:
            run(request.execute, change.statement)
        except DatabaseError as error:
            is_stuck = change.action == "revoke" and error.number in NOT_THERE and not is_first
            may_fail = request.reports_refusals or wanted.grants.isdisjoint(change.grants)
            is_refusal = change.action == "grant" and may_fail and error.is_of_mysql
            is_told = is_stuck or is_refusal
            refused += [str(error)] if is_told else grant_the_rest(request.execute, change, waits, error)
    if left:
        name = next(iter(wanted.users)).user
        refused.append(f"the time was up before {left} REVOKEs of user {name}; deploy again to go on")
    return tuple(refused)


def _give_passwords(request: Request, wanted: Wanted, desired: State, existing: Existing, before: _Before) -> None:
    """Sets the secret's password for existing accounts, unless a login shows that they have it.

    Where a login shows nothing, it is set if the account is new to the resource or to the secret, if it has lost its
    password, if the secret was made again, and in a Create, which may come twice. One that has expired is always set.
    """
    if wanted.secret is None:
        return
    kept = [(user, known) for user, known in _kept(desired, existing.live) if _keeps_plugin(user, known)]
    if not kept:
        return
    is_conclusive = not _others(request, desired, existing) and login_is_conclusive(desired.users.values())
    is_denied = is_conclusive and not _can_login(request, wanted.secret)
    renamed = moves(desired, before.live)
    is_create = request.event.get("RequestType") == "Create" and not request.moved_from
    is_again = request.has_made_again(wanted.secret)
    # A secret that the template names without its ARN looks like that forever.
    is_just_made = is_create or (is_again and secret_name(request.text("SecretId")) != "")
    for user, known in kept:
        owner_before = before.entries.get(renamed.get(user.account, user.account))
        is_new_here = is_new_to(user.owner, owner_before)
        is_new = is_just_made or known.has_no_password or is_new_here
        if is_denied or known.is_expired or (is_new and not (is_conclusive and len(desired.users) == 1)):
            user, was_nobodys = _with_plugin_of(known, user), owner_before is None
            if is_again and not is_new_here:
                # Services have the one before. Retained twice, it would be replaced with the secret's own.
                if has_password(request.execute, user, wanted.secret.password):
                    continue
                retain = not known.has_no_password
            else:
                retain = retains(request.execute, user, known, before.sent, was_nobodys=was_nobodys)
            give_password(request.execute, user, wanted.secret.password, retain=retain)


def _with_plugin_of(known: User, user: User) -> User:
    return user._replace(options=user.options._replace(plugin=known.options.plugin))


def _kept(desired: State, live: State) -> Iterator[tuple[User, User]]:
    """The desired accounts that exist already, perhaps at another host, each with what it is now."""
    renamed = moves(desired, live)
    for account, user in desired.users.items():
        if known := live.users.get(renamed.get(account, account)):
            yield user, known


def _keeps_plugin(user: User, known: User) -> bool:
    """Whether an account keeps its plugin; a change of it has set the secret's password."""
    plugin = known.options.plugin
    return plugin in PASSWORD_PLUGINS and user.options.plugin in (None, plugin)


def _others(request: Request, desired: State, existing: Existing) -> set[Account]:
    """The accounts of this name that this resource does not own, or will not own any more."""
    mine = {
        account for account, owner in existing.entries.items() if is_mine(owner, request.owner) and not owner.adopted
    }
    return existing.live.users.keys() - desired.users.keys() - mine - {*moves(desired, existing.live).values()}


def _can_login(request: Request, secret: Secret) -> bool:
    try:
        return accepts_login(request.login(secret.arn))
    except DatabaseError as error:
        if not error.is_of_mysql:
            raise
        return True  # MySQL has said nothing about the password


def _restore(request: Request, wanted: Wanted, before: _Before) -> None:
    """Makes the accounts that existed before as they were, and drops new ones.

    Accounts are changed only after they have this resource's entry: whatever has another's, another resource changed.
    """
    execute, mine = request.execute, request.owner
    now = existing_of(request, wanted)
    touched = {account for account, owner in now.entries.items() if owner.identity == mine.identity}
    old = {
        account: user
        for account, user in before.live.users.items()
        if (account in wanted.state.users or (user.owner and is_mine(user.owner, mine)))
        and (account in touched or account not in now.live.users)
    }
    # New accounts first, so that only renamed ones are left to be renamed back.
    owned = State(users={account: user._replace(owner=mine) for account, user in wanted.state.users.items()})
    for account in touched & now.live.users.keys() - before.live.users.keys() - moves(owned, before.live).keys():
        execute(drop_user(account))
        execute(forget_owner("users", account.entry))
    live = existing_of(request, wanted).live
    users = _without_password(old, live) if wanted.secret is None else old
    grants = frozenset(grant for grant in before.live.grants if grant.account in users)
    todo = changes(State(users=users, grants=grants), live, server=wanted.server, password=wanted.password)
    _run(request, todo, State(users=wanted.state.users, grants=grants))
    if wanted.secret and wanted.secret.user != wanted.name:
        with_user(wanted.secret, wanted.secret.user)
    for account in {*touched & wanted.state.users.keys(), *old}:
        entry, second = before.recorded.get(account), before.sent.get(account)
        if entry is None and second is not None and second != second_password(execute, account):
            # Its second password is the one it came with: whoever adopts it next must not retain another.
            entry = mine._replace(adopted=True, released=True)
        put_back(execute, "users", account.entry, entry)


def _without_password(old: Mapping[Account, User], live: State) -> dict[Account, User]:
    """The accounts that can be restored without a password: those that still exist, with the plugin they have now.

    Any other would come back without one. The Update with which CloudFormation rolls back has the secret again.
    """
    return {user.account: _with_plugin_of(known, user) for user, known in _kept(State(users=old), live)}


def _give_up_others(execute: Execute, names: Collection[str], desired: State, existing: Existing) -> None:
    """Gives up accounts of other names that this resource made from the same secret, before the name in it was changed.

    Also removes entries of accounts that somebody dropped by hand, at hosts that the user should not have any more, and
    temporary accounts that were left over when an event came twice. names: those that it has, and had.
    """
    owner = max(user.owner for user in desired.users.values() if user.owner)
    others = {account: known for account, known in existing.entries.items() if account not in desired.users}
    for account, known in others.items():
        if not is_mine(known, owner):
            continue
        if account.user in names:
            if account not in existing.live.users:
                execute(forget_owner("users", account.entry))
        elif known.secret and known.secret == owner.secret:
            give_up(execute, account.entry, known)
    for account in sorted(existing.live.users.keys() - existing.entries.keys()):
        if is_nowhere(account.host):
            execute(drop_user(account))
