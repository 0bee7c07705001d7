"""The difference between tenants.yaml and what MySQL and CloudFormation really hold. Pure.

                 desired (the file)   deployed (CloudFormation)   live (MySQL)        action
new tenant       there                no stack                    nothing             create
changed file     another digest       stack                       as it was           update, origin "file"
drift            same digest          stack                       differs             update, origin "drift"
failed create    there                ROLLBACK_COMPLETE           perhaps a part      replace
gone tenant      not there            stack                       owned by the stack  delete
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aurora_tenants.cost import Cost
from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.model import Cluster, Configuration, Deployed, Stack, Tenant
from aurora_tenants.mysql.grants import Grant, expand, normalise
from aurora_tenants.mysql.names import Account, is_reserved_database, is_reserved_user, unescaped
from aurora_tenants.mysql.owners import Owner, claim, record_owner
from aurora_tenants.mysql.state import (
    HIDDEN,
    Change,
    Database,
    Server,
    State,
    User,
    changes,
    drop_database,
    drop_user,
    subject,
)
from aurora_tenants.pause.plan import SchedulePlan
from aurora_tenants.template import (
    DIGEST,
    DROP_ON_REMOVE,
    MAX_TEMPLATE_BYTES,
    REVISION,
    digest_of,
    logical_id,
    secret_name,
    stack_name,
    tags,
    template,
)

Action = Literal["none", "create", "update", "replace", "delete"]

# The code of the notice that something should have been dropped and was not.
LEFT_OVER = "left-over"

# A create that failed leaves a stack that can only be deleted. ("Stack status codes", CloudFormation User Guide)
_ONLY_DELETE = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}


class Live(NamedTuple):
    """What MySQL holds, and what decides how its statements must be written."""

    server: Server
    state: State


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """What happens to one tenant. revision: the parameter that makes the provider look at MySQL again.

    origin: why there is something to do: the file changed, or MySQL drifted. drops: databases that would be dropped.
    """

    tenant: str
    stack: str
    action: Action
    origin: Literal["file", "drift"] = "file"
    changes: tuple[Change, ...] = ()
    template: str = ""
    revision: int = 1
    drops: tuple[str, ...] = ()
    status: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth knowing that nobody asked to change. code: stable, kebab-case."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do. problems: what stands in its way; with any, nothing is applied.

    deployed: how many tenants have a stack now; removals are weighed against it. role_arn: what CloudFormation is to
    work with. is_partial: it is about some tenants alone. woke_cluster: to see all this, a paused cluster was woken.
    schedule: the pause schedule's part, None where there is none and was none. cost: of the schedule of the file.
    """

    cluster: Cluster
    tenants: tuple[TenantPlan, ...]
    notices: tuple[Notice, ...] = ()
    problems: tuple[Problem, ...] = ()
    deployed: int = 0
    role_arn: str = ""
    is_partial: bool = False
    woke_cluster: bool = False
    schedule: SchedulePlan | None = None
    cost: Cost | None = None

    @property
    def todo(self) -> tuple[TenantPlan, ...]:
        """The tenants that something happens to."""
        return tuple(tenant for tenant in self.tenants if tenant.action != "none")

    @property
    def schedule_todo(self) -> SchedulePlan | None:
        """The pause schedule's part, if something happens to it."""
        return self.schedule if self.schedule and self.schedule.action != "none" else None

    @property
    def has_changes(self) -> bool:
        """Whether anything happens to anything."""
        return bool(self.todo or self.schedule_todo)


def make_plan(configuration: Configuration, live: Live, deployed: Deployed, *, only: Collection[str] = ()) -> Plan:
    """The whole difference; with `only`, that of these tenants alone. Raises InvalidUsage for one that is nowhere."""
    names = [tenant.name for tenant in configuration.tenants]
    _check_names(only, {*names, *deployed.tenants})
    plans: list[TenantPlan] = []
    problems: list[Problem] = []
    for tenant in configuration.tenants:
        if not only or tenant.name in only:
            made, wrong = _tenant(configuration.cluster, tenant, live, deployed.tenants.get(tenant.name))
            plans.append(made)
            problems += [*wrong, *_taken(configuration.cluster, made, deployed), *_master(tenant, deployed)]
    for name in sorted(deployed.tenants.keys() - set(names)):
        if not only or name in only:
            made, wrong = _gone(name, live, deployed.tenants[name])
            plans.append(made)
            problems += wrong
    in_scope = {plan.stack for plan in plans}
    left_over = (
        notice
        for stack, notice in _left_over(configuration, live, plans)
        if stack in in_scope or (not only and stack not in {each.name for each in deployed.tenants.values()})
    )
    notices = (*left_over, *(() if only else _notices(configuration, live, deployed)))
    role_arn = deployed.shared.role_arn if deployed.shared else ""
    return Plan(
        configuration.cluster, tuple(plans), notices, tuple(problems), len(deployed.tenants), role_arn, bool(only)
    )


def _check_names(only: Iterable[str], known: Collection[str]) -> None:
    for name in only:
        if name not in known:
            raise InvalidUsage(unknown_tenant(name, known))


def unknown_tenant(name: str, known: Collection[str]) -> Problem:
    """That there is no such tenant, with the nearest one that there is."""
    near = difflib.get_close_matches(name, known, 1)
    fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)[:10]) or 'none'}"
    return Problem("unknown-tenant", f"there is no tenant {name}", fix=fix)


def desired_state(
    cluster: Cluster, tenant: Tenant, live: Live, deployed: Collection[str] = ()
) -> tuple[State, list[str]]:
    """What MySQL should hold for a tenant, and a sentence for each thing that is not the tenant's to take.

    deployed: the outputs of the tenant's stack. What is among them is the stack's, even if its entry was lost.
    """
    stack, refusals = stack_name(cluster, tenant.name), list[str]()

    def owned(what: str, owner: Owner, known: Database | User | None, *, adopt: bool, output: str) -> Owner:
        if known is None:
            return owner
        try:
            return claim(what, known.owner, owner, adopt=adopt or (known.owner is None and output in deployed))
        except ValueError as error:
            refusals.append(str(error))
            return owner

    databases = {}
    for database in tenant.databases:
        output, known = logical_id("Database", database.name), live.state.databases.get(database.name)
        owner = owned(f"database {database.name}", Owner(stack, output), known, adopt=database.adopt, output=output)
        databases[database.name] = Database(database.name, database.charset, database.collation, owner)
    users: dict[Account, User] = {}
    grants: set[Grant] = set()
    for user in tenant.users:
        account = Account(user.name)
        owner = Owner(stack, logical_id("User", user.name), secret_name(cluster, user.name))
        output, of_live = logical_id("Secret", user.name), live.state.users.get(account)
        users[account] = User(account, owned(f"user {user.name}", owner, of_live, adopt=user.adopt, output=output))
        for privilege in user.privileges:
            grants |= expand(
                account,
                privilege.permissions,
                database=privilege.database,
                table=privilege.table,
                columns=privilege.columns,
                grant_option=privilege.grant_option,
                partial_revokes=live.server.partial_revokes,
            )
    return State(databases, users, normalise(grants)), refusals


def _tenant(cluster: Cluster, tenant: Tenant, live: Live, stack: Stack | None) -> tuple[TenantPlan, list[Problem]]:
    name, text = stack_name(cluster, tenant.name), template(cluster, tenant)
    desired, refusals = desired_state(cluster, tenant, live, stack.outputs if stack else ())
    problems = [_refusal(tenant.name, sentence) for sentence in refusals]
    problems += _too_long(tenant.name, desired)
    problems += _undeployable(tenant, text)
    difference = (*changes(desired, live.state, server=live.server), *_adopted_passwords(desired, live))
    if stack is None or stack.status == "REVIEW_IN_PROGRESS":
        return TenantPlan(tenant.name, name, "create", "file", difference, text), problems
    problems += _busy(tenant.name, stack)
    if stack.status in _ONLY_DELETE:
        drops: tuple[str, ...] = ()
        if stack.status != "ROLLBACK_COMPLETE":  # of which nothing is left
            removals, drops = _removals(live, stack, kept=State())
            difference = (*removals, *changes(desired, _after(live.state, removals), server=live.server))
        plan = TenantPlan(tenant.name, name, "replace", "file", difference, text, drops=drops, status=stack.status)
        return plan, problems
    changed = stack.outputs.get(DIGEST) != digest_of(text)
    drops = ()
    if changed:
        removals, drops = _removals(live, stack, kept=desired)
        difference = (*difference, *removals)
    revision = stack.parameters.get(REVISION, "")
    plan = TenantPlan(
        tenant.name,
        name,
        "update" if changed or difference or stack.status == "UPDATE_ROLLBACK_FAILED" else "none",
        "file" if changed else "drift",
        difference,
        text,
        (int(revision) if revision.isdecimal() else 0) + bool(difference),
        drops,
        stack.status,
    )
    return plan, problems


def _adopted_passwords(desired: State, live: Live) -> Iterable[Change]:
    """What the provider does for a user that is adopted: the secret's password, and for a while its own beside it."""
    why = "unless that works already; the password it has now goes on working until the first rotation"
    for account, user in sorted(desired.users.items()):
        known = live.state.users.get(account)
        if known and known.owner is None and user.owner and user.owner.adopted:
            sql = f"ALTER USER {account} IDENTIFIED BY '{HIDDEN}' RETAIN CURRENT PASSWORD"
            yield Change("alter", subject(account), sql, why)


def _after(live: State, removals: Collection[Change]) -> State:
    """What is left when these are dropped."""
    gone = {change.subject for change in removals if change.action == "drop"}
    users = {account: user for account, user in live.users.items() if subject(account) not in gone}
    databases = {name: database for name, database in live.databases.items() if f"database {name}" not in gone}
    return State(databases, users, frozenset(grant for grant in live.grants if grant.account in users))


def _gone(tenant: str, live: Live, stack: Stack) -> tuple[TenantPlan, list[Problem]]:
    removals, drops = _removals(live, stack, kept=State())
    plan = TenantPlan(tenant, stack.name, "delete", "file", removals, drops=drops, status=stack.status)
    return plan, _busy(tenant, stack)


def _removals(live: Live, stack: Stack, *, kept: State) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """What the provider does with what the stack owns and no longer names, and the databases that it drops."""
    on_remove = set(stack.outputs.get(DROP_ON_REMOVE, "").split(","))
    removals, drops = [], []
    for account, user in sorted(live.state.users.items()):
        owner = user.owner
        if owner is None or owner.stack != stack.name or owner.released or account in kept.users:
            continue
        if owner.adopted:
            sql = record_owner("users", account.entry, owner._replace(released=True))
            removals.append(Change("release", subject(account), sql, "it was adopted, so it is kept"))
        else:
            removals.append(Change("drop", subject(account), drop_user(account)))
    for name, database in sorted(live.state.databases.items()):
        owner = database.owner
        if owner is None or owner.stack != stack.name or owner.released or name in kept.databases:
            continue
        if name in on_remove and not owner.adopted:
            drops.append(name)
            removals.append(Change("drop", f"database {name}", drop_database(name)))
        else:
            why = "it was adopted, so it is kept" if owner.adopted else "on_remove is retain, so it is kept"
            sql = record_owner("databases", name, owner._replace(released=True))
            removals.append(Change("release", f"database {name}", sql, why))
    return tuple(removals), tuple(drops)


def _refusal(tenant: str, sentence: str) -> Problem:
    adopt = "adopt: true" in sentence
    return Problem(
        "exists-already" if adopt else "owned-by-another-stack",
        sentence,
        context=f"tenant {tenant}",
        why="what another owner made is never changed unless that is asked for",
        fix="add `adopt: true` to it in tenants.yaml, or choose another name"
        if adopt
        else "remove it there first, or choose another name",
    )


def _busy(tenant: str, stack: Stack) -> list[Problem]:
    # REVIEW_IN_PROGRESS is no operation: it waits for a change set to be executed, for ever if nobody does.
    if stack.status == "REVIEW_IN_PROGRESS" or not stack.status.endswith("_IN_PROGRESS"):
        return []
    what = f"stack {stack.name} is in the middle of an operation: {stack.status}"
    return [Problem("stack-busy", what, context=f"tenant {tenant}", fix="wait until it has ended, then try again")]


def _master(tenant: Tenant, deployed: Deployed) -> list[Problem]:
    """The cluster's master user, which no tenant may have, adopt or not."""
    master = deployed.shared.master_user if deployed.shared else ""
    what, why = f"user {master} is the cluster's master user", "the provider works with it; it cannot be a tenant's"
    return [
        Problem("master-user", what, why, "choose another name", context=f"tenant {tenant.name}")
        for user in tenant.users
        if user.name == master
    ]


def _taken(cluster: Cluster, plan: TenantPlan, deployed: Deployed) -> list[Problem]:
    """A stack of somebody else's: an update to the tenant's template would delete all that is in it."""
    if plan.stack not in deployed.others:
        return []
    expected = " and ".join(f"{name}={value}" for name, value in tags(cluster, plan.tenant).items())
    return [
        Problem(
            "stack-not-ours",
            f"there is a stack {plan.stack} that is not tenant {plan.tenant}'s",
            f"it has not the tags {expected}",
            "rename the tenant, or deploy that stack under another name",
            context=f"tenant {plan.tenant}",
        )
    ]


def _too_long(tenant: str, desired: State) -> list[Problem]:
    """Names that outgrow MySQL's 64 characters once they are escaped; which servers escape is known only here."""
    spelled = sorted({grant.scope.database for grant in desired.grants if len(grant.scope.database) > 64})
    return [
        Problem(
            "name-too-long",
            f"database {unescaped(name)} is too long to be granted: {len(name)} characters, and MySQL takes 64",
            "every _ in it is escaped in GRANT, because this server takes a bare one for a wildcard",
            "use a shorter name, or - instead of _",
            context=f"tenant {tenant}",
        )
        for name in spelled
    ]


def _undeployable(tenant: Tenant, text: str) -> list[Problem]:
    """What CloudFormation would say of the template, said before it is asked."""
    if not tenant.databases and not tenant.users:
        what = f"tenant {tenant.name} has neither a database nor a user"
        why = "CloudFormation takes no stack without resources"
        return [Problem("empty-tenant", what, why, "give it one, or take the tenant out of the file")]
    size = len(text.encode())
    if size <= MAX_TEMPLATE_BYTES:
        return []
    what = f"the template of tenant {tenant.name} has {size:,} bytes"
    why = f"CloudFormation takes no more than {MAX_TEMPLATE_BYTES:,}"
    return [Problem("tenant-too-large", what, why, "spread its databases and users over several tenants")]


def _notices(configuration: Configuration, live: Live, deployed: Deployed) -> Iterable[Notice]:
    """Databases and users that no stack owns and no file names; they are reported and never touched."""
    databases = {database.name for tenant in configuration.tenants for database in tenant.databases}
    users = {user.name for tenant in configuration.tenants for user in tenant.users}
    master = deployed.shared.master_user if deployed.shared else ""
    for name, database in sorted(live.state.databases.items()):
        if name in databases or is_reserved_database(name) or _matches(name, configuration.ignore.databases):
            continue
        if database.owner is None:
            yield Notice("unmanaged-database", f"database {name} belongs to nobody and is not in the file")
        elif database.owner.released:
            yield Notice("kept-database", f"database {name} was kept when stack {database.owner.stack} let go of it")
    for account, user in sorted(live.state.users.items()):
        name = account.user
        if name in users and account.host == "%":
            continue
        if name == master or is_reserved_user(name) or _matches(name, configuration.ignore.users):
            continue
        if user.owner is None:
            yield Notice("unmanaged-user", f"{subject(account)} belongs to nobody and is not in the file")
        elif user.owner.released:
            yield Notice("kept-user", f"{subject(account)} was kept when stack {user.owner.stack} let go of it")


def _left_over(configuration: Configuration, live: Live, plans: Iterable[TenantPlan]) -> Iterable[tuple[str, Notice]]:
    """What belongs to a tenant's stack and is no resource of it any more, with the stack's name.

    Its Delete failed or was lost: CloudFormation forgets what it could not delete after an update, so no later apply
    drops it either.
    """
    cluster = configuration.cluster
    handled = {(plan.stack, change.subject) for plan in plans for change in plan.changes}
    for tenant in configuration.tenants:
        names = [f"database {database.name}" for database in tenant.databases]
        names += [f"user {user.name}" for user in tenant.users]
        handled |= {(stack_name(cluster, tenant.name), name) for name in names}
    ignore = configuration.ignore
    owned = [
        *(
            (subject(account), user.owner)
            for account, user in live.state.users.items()
            if not _matches(account.user, ignore.users)
        ),
        *(
            (f"database {name}", database.owner)
            for name, database in live.state.databases.items()
            if not _matches(name, ignore.databases)
        ),
    ]
    for name, owner in sorted((name, owner) for name, owner in owned if owner and not owner.released):
        if owner.stack.startswith(f"{cluster.stack}-") and (owner.stack, name) not in handled:
            text = f"{name} was made by stack {owner.stack}, which does not name it any more, and was not dropped"
            # CloudFormation leaves the secret too, because what depends on it is still there.
            secret = f"delete the secret {owner.secret} if it is still there, " if owner.secret else ""
            fix = f"to drop it, {secret}put it back into the file, apply, take it out, and apply again"
            yield owner.stack, Notice(LEFT_OVER, f"{text}; {fix}")


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
