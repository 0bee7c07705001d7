"""Users that were adopted: how long their old password works, and what they keep when they leave the file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil

from aurora_tenants.errors import Notice
from aurora_tenants.model import Cluster, PauseSchedule, Tenant, TenantUser
from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.names import Account, unescaped
from aurora_tenants.mysql.resource import UNTIL_ROTATION
from aurora_tenants.mysql.state import State, User
from aurora_tenants.rotations.choice import rules_of
from aurora_tenants.tenant.removals import LOCK
from aurora_tenants.tenant.secrets import Secrets

_DAY_SECONDS = 86_400


def with_countdown(changes: Iterable[Change], tenant: Tenant, schedule: PauseSchedule | None) -> tuple[Change, ...]:
    """The changes, with the days where an old password goes on working until the first rotation.

    schedule: of the cluster.
    """
    users = {subject(Account(user.name, host)): user for user in tenant.users for host in user.hosts}
    return tuple(
        change._replace(why=f"{change.why}, {_countdown(users[change.subject], schedule)}")
        if change.why.endswith(UNTIL_ROTATION) and change.subject in users
        else change
        for change in changes
    )


def _countdown(user: TenantUser, schedule: PauseSchedule | None) -> str:
    if not user.rotate_after_days:
        return "which rotate_after_days: 0 never begins"
    return rules_of(user, schedule).first()


def old_passwords(users: Iterable[User], secrets: Secrets) -> Iterator[Notice]:
    """Users whose password of before their adoption works beside the secret's, and for how long still."""
    for user in sorted(users, key=lambda it: it.account):
        owner = user.owner
        secret = secrets.by_name.get(owner.secret) if owner and owner.adopted and not owner.released else None
        if secret and secret.rotates and secret.next_rotation and secret.rotated is None and not secret.is_deleted:
            days = max(0, ceil((secret.next_rotation - secrets.now).total_seconds() / _DAY_SECONDS))
            when = "today" if not days else "in a day" if days == 1 else f"in {days:,} days"
            text = f"{subject(user.account)} was adopted, and the password that it had before works until the first"
            yield Notice("old-password", f"{text} rotation, {when}")


def kept_access(
    changes: Iterable[Change],
    users: Mapping[Account, User],
    held: Mapping[Account, Iterable[Grant]],
    live: State,
    cluster: Cluster,
) -> list[Notice]:
    """What users keep that are let go of and can still log in.

    users: those that the changes are about. held: what each account holds of all that is live.
    """
    todo = list(changes)
    released = {change.subject for change in todo if change.action == "release"}
    if not released:
        return []
    locked = {change.subject for change in todo if change.why == LOCK}
    gone = {change.subject for change in todo if change.action == "drop"}
    kept = [
        account
        for account, user in sorted(users.items())
        if subject(account) in released - locked and not user.is_role and not user.options.is_locked
    ]
    return [
        Notice(
            "kept-access",
            f"{subject(account)} leaves the file and is kept, with the password that it has"
            f"{_rights(_databases(account, held, gone), live, cluster)}; to lock it, put it back into the file with"
            " on_remove: lock, apply, and take it out again",
        )
        for account in kept
    ]


def _databases(account: Account, held: Mapping[Account, Iterable[Grant]], gone: set[str]) -> list[str]:
    """The databases on which an account holds something, by itself or by a role that stays; `*.*` for all."""
    names, todo, seen = set[str](), [account], set[Account]()
    while todo:
        holder = todo.pop()
        seen.add(holder)
        for grant in held.get(holder, ()):
            scope = grant.scope
            if scope.level == "ROLE":
                if scope.role not in seen and subject(scope.role) not in gone:
                    todo.append(scope.role)
            elif scope.database:
                names.add(unescaped(scope.database) if scope.level == "DATABASE" else scope.database)
            elif scope.level == "GLOBAL":
                names.add("*.*")
    return sorted(name for name in names if f"database {name}" not in gone)


def _rights(databases: Iterable[str], live: State, cluster: Cluster) -> str:
    """`, and its rights on database shop of tenant shop, database old of nobody`; empty for none."""
    places = []
    for name in databases:
        database = live.databases.get(name)
        owner = database.owner if database and database.owner and not database.owner.released else None
        of = f"tenant {owner.stack.removeprefix(f'{cluster.stack}-')}" if owner else "nobody"
        places.append(name if name == "*.*" else f"database {name} of {of}")
    return f" and its rights on {', '.join(places)}" if places else " and no rights"
