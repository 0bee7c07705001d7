"""What others left behind: worth knowing, and never touched. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from aurora_tenants.errors import Notice
from aurora_tenants.model import Cluster, Configuration, Ignore, accounts_of
from aurora_tenants.mysql.changes import subject, title
from aurora_tenants.mysql.grants import Grant, by_account, is_revocable
from aurora_tenants.mysql.names import Account, is_reserved_database, is_reserved_user
from aurora_tenants.mysql.state import Live, State, User
from aurora_tenants.naming import HOSTED_USER, pause_stack, secret_name, stack_name
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.adopted import kept_access
from aurora_tenants.tenant.afterwards import renamed
from aurora_tenants.tenant.connections import connection_notices
from aurora_tenants.tenant.inspector import excess, is_inspector
from aurora_tenants.tenant.isolation import orphans, patterns, place
from aurora_tenants.tenant.missing import waiting_notices
from aurora_tenants.tenant.plan import TenantPlan

# The code of the notice that something should have been dropped and was not.
LEFT_OVER = "left-over"
# Who holds one of these on the whole server can make itself whatever access it likes: by another's password, by a role,
# by what runs as somebody else, or by passing a right of its own on.
_SELF_SERVICE = frozenset(
    ("CREATE USER", "SUPER", "GRANT OPTION", "ROLE_ADMIN", "SET_USER_ID", "SET_ANY_DEFINER", "SYSTEM_USER")
)
# What Secrets Manager's rotation for two alternating users calls the second one.
_CLONE = "_clone"


def notices(
    configuration: Configuration,
    plans: Collection[TenantPlan],
    live: Live,
    deployed: Deployed,
    *,
    is_partial: bool,
) -> Iterator[Notice]:
    """What these plans do not touch and should be known: what a stack failed to drop, and what belongs to nobody.

    is_partial: the plans are of some tenants alone, so nothing is told of others.
    """
    stacks, held = {plan.stack.name for plan in plans}, by_account(live.state.grants)
    deployed_stacks = {stack.name for stack in deployed.tenants.values()}
    cluster, tenants = configuration.cluster, configuration.tenants
    in_file = {account: stack_name(cluster, tenant.name) for tenant in tenants for account in accounts_of(tenant)}
    for stack, notice in _left_over(configuration, in_file, plans, live, deployed_stacks):
        if stack in stacks or (not is_partial and stack not in deployed_stacks):
            yield notice
    for plan in plans:
        yield from _left_empty(plan, {live.server.stored(it.name) for it in plan.moves if it.kind == "database"})
        yield from waiting_notices(plan.waits, plan.desired, live.state)
        yield from kept_access(plan.changes, plan.live.users, held, live.state, cluster)
    yield from _unseen(configuration.cluster.stack, live.state)
    if not is_partial:
        yield from _inspectors(configuration.cluster.stack, held)
        yield from connection_notices(tenants, live.server)
        yield from _irrevocable(live.state, configuration.cluster.stack)
        yield from _waiting(cluster, deployed)
        yield from _databases(configuration, live)
        yield from _accounts(configuration.ignore, in_file, live, held, deployed.master_user)


def _unseen(shared: str, state: State) -> Iterator[Notice]:
    """That nobody has looked for what the file names, and how that comes back."""
    if state.unseen:
        what = "whether the tables, columns and routines are there that new privileges are on could not be seen"
        fix = f"MySQL refuses what is missing; to see it, run: aurora-tenants shared repair --stack {shared}"
        yield Notice("unseen-objects", f"{what}, because the shared stack lacks the function that looks; {fix}")


def _waiting(cluster: Cluster, deployed: Deployed) -> Iterator[Notice]:
    """Stacks that wait for a change set, apart from the pause schedule's where the file has one: that is made then."""
    for name in deployed.waiting:
        if not (name == pause_stack(cluster) and cluster.pause_schedule):
            what = f"stack {name} waits for a change set that nobody has executed, and there is nothing in it"
            fix = "apply deletes it, if an earlier apply made it and that is more than 15 minutes ago"
            yield Notice("waiting-stack", f"{what}; {fix}")


def _inspectors(shared: str, held: Mapping[Account, Iterable[Grant]]) -> Iterator[Notice]:
    """The users that plans read with, where somebody gave them more rights than that takes. held: by everybody."""
    found = by_account(excess(it for account, grants in held.items() if is_inspector(account.user) for it in grants))
    for account, grants in sorted(found.items()):
        rights = ", ".join(dict.fromkeys(f"{grant.privilege} on {place(grant.scope)}" for grant in sorted(grants)))
        text = f"{subject(account)} has rights that no plan needs: {rights}"
        yield Notice("inspector-rights", f"{text}; run: aurora-tenants shared repair --stack {shared}")


def _left_empty(plan: TenantPlan, coming: Collection[str]) -> Iterator[Notice]:
    """Databases that a stack is to take back which is made again: a plan cannot see whether anything is in them.

    coming: those that it takes from another stack, with all that is in them.
    """
    if plan.stack.action != "replace":
        return
    for name, database in sorted(plan.desired.databases.items()):
        if name in coming:
            continue
        known = plan.live.databases.get(name)
        if known and known.owner and known.owner.released and database.owner and not database.owner.adopted:
            what = f"database {name} was made and kept by the creation of stack {plan.stack.name}, which failed"
            fix = "the stack takes it back if it is empty; if there is something in it by now, set adopt: true"
            yield Notice("left-by-failed-creation", f"{what}; {fix}")


def _irrevocable(state: State, shared: str) -> Iterator[Notice]:
    """Grants on routines that MySQL stored under a garbled name, and the way out."""
    on_routines = (grant for grant in state.grants if grant.scope.level in ("PROCEDURE", "FUNCTION"))
    found = by_account(grant for grant in on_routines if not is_revocable(grant))
    for account, grants in sorted(found.items()):
        user = state.users.get(account)
        places = ", ".join(dict.fromkeys(place(grant.scope) for grant in sorted(grants)))
        fix = f"DROP USER {account}"
        if is_inspector(account.user):
            fix += f", and run: aurora-tenants shared repair --stack {shared}"
        elif user and user.owner:
            fix += ", and let the next apply make it again"
        if user and user.objects:
            fix += (
                f"; {user.objects:,} views, routines, triggers or events run as it, so give these another definer first"
            )
        what = f"{title(user) if user else subject(account)} holds rights on {places}, which MySQL cannot revoke"
        yield Notice("grant-not-revocable", f"{what}: the name is not ASCII; to end them, {fix}")


def _databases(configuration: Configuration, live: Live) -> Iterator[Notice]:
    """Databases that no stack owns and no file names."""
    named = {live.server.stored(database.name) for tenant in configuration.tenants for database in tenant.databases}
    for name, database in sorted(live.state.databases.items()):
        if name in named or is_reserved_database(name) or configuration.ignore.names_database(name):
            continue
        if database.owner is None:
            yield Notice("unmanaged-database", f"database {name} belongs to nobody and is not in the file")
        elif database.owner.released:
            yield Notice("kept-database", f"database {name} was kept when stack {database.owner.stack} let go of it")


def _accounts(
    ignore: Ignore,
    in_file: Collection[Account],
    live: Live,
    held: Mapping[Account, Collection[Grant]],
    master: str,
) -> Iterator[Notice]:
    """Accounts that no file names, and what those that no stack owns may do. held: by everybody."""
    server, state = live
    users = [
        user
        for account, user in sorted(state.users.items())
        if account not in in_file and not _is_exempt(account, master, ignore)
    ]
    names = {account.user for account in in_file} if users else set[str]()
    free = [user for user in users if user.owner is None or user.owner.released]
    theirs = [grant for user in free for grant in held.get(user.account, ())]
    orphaned, by_pattern = by_account(orphans(state, server, theirs)), by_account(patterns(state, server, theirs))
    for user in users:
        yield from _account(user, names)
        if user.owner is None or user.owner.released:
            yield from _self_service(user, held.get(user.account, ()))
            yield from _grants(title(user), orphaned.get(user.account, ()), by_pattern.get(user.account, ()))


def _account(user: User, named: Collection[str]) -> Iterator[Notice]:
    about, kind = title(user), "role" if user.is_role else "user"
    name, may_log_in = user.account.user, not user.options.is_locked
    if user.has_no_password and may_log_in:
        yield Notice("no-password", f"{about} has no password: whoever knows its name may log in")
    if not name:
        text = "is anonymous: whoever logs in with an unknown name gets its rights"
        yield Notice("anonymous-user", f"user ''@{user.account.host} {text}")
    elif user.owner is None and name.removesuffix(_CLONE) in named and name.endswith(_CLONE):
        text = "was made by a rotation that alternates between two users; nothing rotates it any more"
        yield Notice("clone-user", f"{about} {text}")
    elif user.owner is None and name in named:
        text = "belongs to nobody, and a client at its host logs in to it instead of the one in the file"
        yield Notice("unmanaged-user", f"{about} {text}")
    elif user.owner is None:
        yield Notice(f"unmanaged-{kind}", f"{about} belongs to nobody and is not in the file")
    elif user.owner.released:
        yield Notice(f"kept-{kind}", f"{about} was kept when stack {user.owner.stack} let go of it")


def _self_service(user: User, grants: Iterable[Grant]) -> Iterator[Notice]:
    """Rights that no tenant may have, because with them every other one can be had. grants: its own."""
    on_all = (grant.privilege for grant in grants if grant.scope.level in ("GLOBAL", "DYNAMIC"))
    held = sorted(_SELF_SERVICE.intersection(on_all))
    if held and not user.options.is_locked:
        text = f"{subject(user.account)} has {', '.join(held)} on *.*: it can get into every tenant's database"
        yield Notice("self-service", text)


def _grants(about: str, orphaned: Iterable[Grant], by_pattern: Iterable[Grant]) -> Iterator[Notice]:
    """Grants on databases that do not exist, and grants by pattern; a pattern may be both."""
    spellings = {grant.scope.database for grant in by_pattern}
    for name in sorted({grant.scope.database for grant in orphaned} - spellings):
        text = f"{about} has rights on database {name}, which does not exist: they take effect once it does"
        yield Notice("orphan-grant", text)
    for name in sorted(spellings):
        text = f"{about} has rights on every database that matches {name}, also on those to come"
        yield Notice("pattern-grant", text)


def _left_over(
    configuration: Configuration,
    in_file: Mapping[Account, str],
    plans: Collection[TenantPlan],
    live: Live,
    stacks: Collection[str],
) -> Iterable[tuple[str, Notice]]:
    """What belongs to a tenant's stack and is no resource of it any more, with the stack's name.

    Its Delete failed or was lost: CloudFormation forgets what it could not delete after an update, so no later apply
    drops it either. in_file: accounts, with the stack of each. stacks: those that there are.
    """
    cluster, ignore = configuration.cluster, configuration.ignore
    databases = {
        live.server.stored(database.name): stack_name(cluster, tenant.name)
        for tenant in configuration.tenants
        for database in tenant.databases
    }
    owned = [
        (subject(account), title(user), user.owner)
        for account, user in live.state.users.items()
        if user.owner
        and in_file.get(account) != user.owner.stack
        and not ignore.names_user(account.user)
        # The stack of cfn/hosted-rotation.yml has a user of its own, who may do nothing.
        and user.owner.secret != secret_name(cluster, HOSTED_USER)
    ]
    owned += [
        (f"database {name}", f"database {name}", database.owner)
        for name, database in live.state.databases.items()
        if database.owner and databases.get(name) != database.owner.stack and not ignore.names_database(name)
    ]
    handled = _handled(in_file, databases, plans, live) if owned else set[tuple[str, str]]()
    for name, about, owner in sorted(entry for entry in owned if not entry[2].released):
        if owner.stack.startswith(f"{cluster.stack}-") and (owner.stack, name) not in handled:
            text = f"{about} was made by stack {owner.stack}, which does not name it any more, and was not dropped"
            # CloudFormation leaves the secret too, because what depends on it is still there.
            secret = f"delete the secret {owner.secret} if it is still there, " if owner.secret else ""
            fix = f"to drop it, {secret}put it back into the file, apply, take it out, and apply again"
            if owner.stack not in stacks:
                # Put back, it would belong to a new stack of that name: that adopts it, and never drops it.
                what = f"{secret}drop it by hand" if secret else "drop it by hand"
                fix = f"that stack is gone: {what}, or keep it by putting it back into the file with adopt: true"
            yield owner.stack, Notice(LEFT_OVER, f"{text}; {fix}")


def _handled(
    in_file: Mapping[Account, str], databases: Mapping[str, str], plans: Collection[TenantPlan], live: Live
) -> set[tuple[str, str]]:
    """(stack, subject) of everything that the file names or the plans are about. in_file, databases: with the stack of
    each.
    """
    found = {(stack, subject(account)) for account, stack in in_file.items()}
    found |= {(stack, f"database {name}") for name, stack in databases.items()}
    found |= {(plan.stack.name, change.subject) for plan in plans for change in plan.changes}
    users = live.state.users
    moved = renamed(live.state, [plan.desired for plan in plans])
    return found | {(owner.stack, subject(account)) for account in moved if (owner := users[account].owner)}


def _is_exempt(account: Account, master: str, ignore: Ignore) -> bool:
    """Accounts of the server's own, and of those that the file tells not to report. Anonymous ones are nobody's."""
    name = account.user
    return bool(name) and (name == master or is_reserved_user(name) or ignore.names_user(name))
