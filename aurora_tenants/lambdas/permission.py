"""What a resource may ask for: a name, roles, databases, and an account as which nothing runs yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aurora_tenants.lambdas.ownership import is_mine
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.consent import consented
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.hashing import Hashes
from aurora_tenants.mysql.live import Row, rows_of
from aurora_tenants.mysql.names import Account, account_of, is_aws_role
from aurora_tenants.mysql.one import definers_query
from aurora_tenants.mysql.one_name import check_name
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Server, State


class Wanted(NamedTuple):
    """What a resource asks for. state: the accounts of one name and their grants, without owners.

    secret: None where there is no password. is_same: the resource has been this user, or this role, before.
    is_inspector: it is the shared stack's own user, which no other stack can have. waits: see properties.may_wait.
    old_names: those that the accounts of this resource may still have, and are not to have any more.
    """

    state: State
    server: Server
    secret: Secret | None = None
    is_same: bool = False
    is_inspector: bool = False
    waits: frozenset[Grant] = frozenset()
    old_names: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return next(iter(self.state.users)).user

    @property
    def names(self) -> frozenset[str]:
        return self.old_names | {self.name}

    @property
    def password(self) -> Hashes:
        """Empty where there is none."""
        return self.secret.password if self.secret else {}


class Existing(NamedTuple):
    """The accounts of one user and their grants; and the entries of those, of this resource's and of its roles.

    recorded: the entries as they are; in `entries` and `live` those that this resource may take are its own already.
    roles: whether each account that may be a role is locked. owned: databases that the grants are on.
    """

    live: State
    entries: Mapping[Account, Owner]
    recorded: Mapping[Account, Owner]
    roles: Mapping[Account, bool]
    owned: Mapping[str, Database]


def check_name_of(request: Request, wanted: Wanted, existing: Existing, *, is_recorded: bool = False) -> None:
    """Raises ValueError when the name is another stack's: see mysql/one_name.py."""
    known = {account: existing.entries.get(account) for account in existing.entries.keys() | existing.live.users.keys()}

    def may_adopt(entry: Owner | None) -> bool:
        return (wanted.is_inspector and entry is not None) or request.may_adopt(entry, is_same=False)

    check_name(wanted.state.users.keys(), known, request.owner, may_adopt, is_recorded=is_recorded)


def check_renames(request: Request, wanted: Wanted, existing: Existing) -> None:
    """Raises ValueError where accounts of this resource cannot get the name that is wanted."""
    mine = {account for account, owner in existing.entries.items() if is_mine(owner, request.owner)}
    old = [account for account in existing.live.users if account.user in wanted.old_names and account in mine]
    for account in existing.live.users if old else ():
        if account.user == wanted.name and account not in mine:
            raise ValueError(f"{subject(old[0])} cannot be renamed: there is a {subject(account)} already")
    if leaving := [account for account in old if account.user == request.text("RenamedFrom")]:
        for definer, objects in rows_of(request.execute, definers_query(it.entry for it in leaving)):
            what = f"{objects} views, routines, triggers or events run as it, and would run no more"
            raise ValueError(
                f"{subject(account_of(str(definer)))} cannot be renamed: {what}; give these another definer first"
            )


def check_definers(request: Request, wanted: Wanted, definers: Iterable[Row]) -> None:
    """Raises ValueError where a view or a routine runs as an account that is not there yet.

    It would run with that account's rights from then on, and is whoever's that had an account of this name.
    definers: of such accounts.
    """
    if wanted.is_inspector or request.may_adopt(None, is_same=False):
        return
    for definer, objects in definers:
        what = f"{objects} views, routines, triggers or events run as user {definer}, who is not there"
        raise ValueError(f"{what}: they would have this user's rights; drop them, or set adopt: true")


def with_consent(request: Request, wanted: Wanted, existing: Existing) -> tuple[Wanted, tuple[str, ...]]:
    """What is wanted without what its stack may not have any more, and a sentence for each of that.

    Raises ValueError for what it never could have: see mysql/consent.py.
    """
    if wanted.is_inspector:
        return wanted, ()
    mine, state = request.owner, wanted.state
    # What an account holds that is to be adopted, or comes from another stack, is nobody's consent.
    its = (it for it in existing.live.grants if (entry := existing.recorded.get(it.account)) and entry.is_of(mine))
    held = [it._replace(account=it.account._replace(user=wanted.name)) for it in its]
    consent = consented(state.grants, held, existing.owned, mine)
    if consent.refused:
        raise ValueError("; ".join(consent.refused))
    return wanted._replace(state=State(users=state.users, grants=consent.grants)), consent.withdrawn


def check_roles(request: Request, wanted: Wanted, existing: Existing) -> None:
    """Raises ValueError for what may not be granted as a role: to MySQL any user is one, even the master user.

    A role has to belong to the same stack: another's may open what is not shared with this one. One that the user has
    had before may stay, because a rollback must not be refused.
    """
    roles = roles_in(wanted.state)
    held = roles_in(existing.live) if wanted.is_same else set()
    for role in sorted(roles):
        if role not in existing.roles:
            why = "this version of Aurora does not have it" if is_aws_role(role.user) else "create it first"
            raise ValueError(f"there is no role {role.user} to grant: {why}")
        if not existing.roles[role]:
            raise ValueError(f"{role.user} cannot be granted as a role: it is a user")
        if role in held or is_aws_role(role.user):
            continue
        owner = existing.entries.get(role)
        if owner is None or owner.released:
            raise ValueError(f"role {role.user} cannot be granted: it belongs to nobody, and must belong to a stack")
        if not owner.is_of(request.owner):
            raise ValueError(f"role {role.user} cannot be granted: it belongs to {owner}, and only there it is granted")


def roles_in(state: State) -> set[Account]:
    """The roles that are granted to anybody."""
    return {grant.scope.role for grant in state.grants if grant.scope.level == "ROLE"}
