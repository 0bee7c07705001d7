"""What stands in the way of a plan: each a problem, said before anything is changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aurora_tenants.errors import Problem
from aurora_tenants.model import Cluster, Configuration, Tenant
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.grants import MEMBER
from aurora_tenants.mysql.names import unescaped
from aurora_tenants.mysql.options import IAM_PLUGIN
from aurora_tenants.mysql.state import State
from aurora_tenants.naming import REVISION, tenant_tags
from aurora_tenants.stack import MAX_TEMPLATE_BYTES, Deployed, StackPlan, Template, stuck
from aurora_tenants.tenant.missing import missing_objects
from aurora_tenants.tenant.moves import definers_of_renamed, names_in_use, stranded
from aurora_tenants.tenant.plan import TenantPlan


def obstacles(
    configuration: Configuration, plans: Iterable[TenantPlan], live: State, deployed: Deployed
) -> Iterator[Problem]:
    """Everything that stands in the way of these plans. live: all that MySQL holds."""
    tenants, plans = {tenant.name: tenant for tenant in configuration.tenants}, tuple(plans)
    yield from stranded({plan.name: plan.moves for plan in plans}, deployed)
    about = {plan.stack.about for plan in plans}
    yield from (problem for problem in names_in_use(configuration, live, deployed) if problem.context in about)
    for plan in plans:
        tenant = tenants.get(plan.name)
        # What it owns looks like somebody else's then.
        if tenant and plan.stack.name not in deployed.others:
            yield from _in_the_file(tenant, plan, live)
        if tenant and (stack := deployed.tenants.get(plan.name)):
            yield from stuck(stack, plan.stack.about)
        if tenant:
            yield from _taken(configuration.cluster, plan.stack, deployed)
            yield from _master(tenant, deployed)
            yield from _no_address(tenant, plan.stack, deployed)


def _in_the_file(tenant: Tenant, plan: TenantPlan, live: State) -> Iterator[Problem]:
    for sentence in plan.refusals:
        yield _refusal(tenant.name, sentence)
    for sentence in plan.not_shared:
        yield _not_shared(tenant.name, sentence)
    yield from _too_long(tenant.name, plan.desired)
    yield from _unknown_roles(tenant.name, plan.desired, live)
    yield from missing_objects(tenant.name, plan.changes, plan.desired, live)
    yield from _definers(tenant, plan.desired, live)
    yield from definers_of_renamed(plan.moves, live)
    yield from _undeployable(tenant, plan.stack)
    if not plan.refusals:
        yield from _no_password(tenant.name, plan.desired, plan.live)


def _refusal(tenant: str, sentence: str) -> Problem:
    """A thing that is not the tenant's to take. sentence: what tenant/desired.py says of it."""
    code, why = "exists-already", "what another owner made is never changed unless that is asked for"
    if "adopt: true" in sentence:
        fix = "add `adopt: true` to it in tenants.yaml, or choose another name"
    elif "cannot be created" in sentence:
        why, fix = "to MySQL a role is a user as well, and neither becomes the other", "choose another name"
    elif ", which offers it to stack " in sentence:
        code, fix = "owned-by-another-stack", "put it into the tenant that it is offered to, apply, and move it then"
    else:
        code, fix = "owned-by-another-stack", "remove it there first, or choose another name"
    return Problem(code, sentence, why, fix, context=f"tenant {tenant}")


def _not_shared(tenant: str, sentence: str) -> Problem:
    """A database of another's that nobody shares with the tenant, now or in this run. sentence: mysql/consent.py's."""
    why = "only the stack that a database belongs to can share it"
    fix = (
        "apply the tenant that owns it first, or both together, with shared_with in tenants.yaml; a template written by"
        " hand needs SharedWith"
    )
    return Problem("not-shared-yet", sentence, why, fix, context=f"tenant {tenant}")


def _master(tenant: Tenant, deployed: Deployed) -> list[Problem]:
    """The cluster's master user, which no tenant may have, as a user or as a role, adopt or not."""
    master = deployed.master_user
    what, why = f"user {master} is the cluster's master user", "the provider works with it; it cannot be a tenant's"
    return [
        Problem("master-user", what, why, "choose another name", context=f"tenant {tenant.name}")
        for entry in tenant.users_and_roles
        if entry.name == master
    ]


def _no_address(tenant: Tenant, stack: StackPlan, deployed: Deployed) -> list[Problem]:
    """A shared stack from before, which does not export what the tenant's parameters are to say."""
    shared = deployed.shared
    if tenant.outputs != "ssm" or not shared or shared.exports_address or not stack.is_changed:
        return []
    what = f"stack {shared.stack} does not export where its cluster is"
    why = "with outputs: ssm, parameters of the tenant's stack say it"
    fix = f"run: aurora-tenants shared deploy --stack {shared.stack}"
    return [Problem("old-shared-stack", what, why, fix, context=stack.about)]


def _taken(cluster: Cluster, stack: StackPlan, deployed: Deployed) -> list[Problem]:
    """A stack of somebody else's: an update to the tenant's template would delete all that is in it."""
    if stack.name not in deployed.others:
        return []
    tags = tenant_tags(cluster, stack.part)
    expected = " and ".join(f"{name}={value}" for name, value in tags.items())
    given = " ".join(f"Key={name},Value={value}" for name, value in tags.items())
    return [
        Problem(
            "stack-not-ours",
            f"there is a stack {stack.name} that is not {stack.about}'s",
            f"it does not have the tags {expected}",
            "rename the tenant, or deploy that stack under another name; if it is the tenant's and somebody has taken"
            f" its tags away: aws cloudformation update-stack --stack-name {stack.name} --use-previous-template"
            f" --parameters ParameterKey={REVISION},UsePreviousValue=true --tags {given}",
            context=stack.about,
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


def _undeployable(tenant: Tenant, stack: StackPlan) -> list[Problem]:
    """What CloudFormation would say of the template, said before it is asked."""
    if not (tenant.databases or tenant.users or tenant.roles):
        what = f"tenant {tenant.name} has neither a database nor a user"
        why = "CloudFormation takes no stack without resources"
        return [Problem("empty-tenant", what, why, "give it one, or take the tenant out of the file")]
    if not isinstance(stack.template, Template) or not stack.is_changed or stack.template.fits():
        return []
    what = f"the template of tenant {tenant.name} has {stack.template.size_bytes():,} bytes"
    why = f"CloudFormation takes no more than {MAX_TEMPLATE_BYTES:,}"
    return [Problem("tenant-too-large", what, why, "spread its databases and users over several tenants")]


def _unknown_roles(tenant: str, desired: State, live: State) -> list[Problem]:
    """Roles of the server itself that are granted and not there: which there are depends on its version."""
    granted = {
        grant.scope.role for grant in desired.grants if grant.scope.level == "ROLE" and grant.privilege == MEMBER
    }
    return [
        Problem(
            "unknown-role",
            f"this server has no role {role.user}",
            "Aurora has its AWS_…_ACCESS roles since different versions",
            "take it out, or upgrade the cluster",
            context=f"tenant {tenant}",
        )
        for role in sorted(granted)
        if role not in desired.users and role not in live.users
    ]


def _definers(tenant: Tenant, desired: State, live: State) -> list[Problem]:
    """Accounts to be made as which somebody's views or routines would run from then on."""
    if not live.definers:
        return []
    adopts = {entry.name for entry in tenant.users_and_roles if entry.adopt}
    return [
        Problem(
            "definer-of-nobody",
            f"{live.definers[account]:,} views, routines, triggers or events run as {subject(account)}, not there yet",
            "they would have this user's rights, and are whoever's that had an account of this name",
            "look at them and drop them, or set adopt: true",
            context=f"tenant {tenant.name}",
        )
        for account in sorted(desired.users)
        if account in live.definers and account not in live.users and account.user not in adopts
    ]


def _no_password(tenant: str, desired: State, live: State) -> list[Problem]:
    """Users to adopt that log in without a password: with one of the secret's they would not get in any more."""
    found = [
        account
        for account, user in desired.users.items()
        if not user.is_role
        and user.options.plugin != IAM_PLUGIN
        and account in live.users
        and live.users[account].owner is None
        and live.users[account].has_no_password
    ]
    return [
        Problem(
            "no-password-to-keep",
            f"{subject(account)} has no password and cannot be adopted",
            "the password of a user that is adopted goes on working beside the secret's, and it has none that could",
            f"give it one, with which its clients log in: ALTER USER {account} IDENTIFIED BY ...",
            context=f"tenant {tenant}",
        )
        for account in sorted(found)
    ]
