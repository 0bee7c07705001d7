"""What stands in the way of a plan: each a problem, said before anything is changed. Pure."""

from __future__ import annotations

from aurora_tenants.errors import Problem
from aurora_tenants.model import Cluster, Deployed, Stack, Tenant
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.grants import MEMBER
from aurora_tenants.mysql.names import Account, unescaped
from aurora_tenants.mysql.options import IAM_PLUGIN
from aurora_tenants.mysql.state import State
from aurora_tenants.template import MAX_TEMPLATE_BYTES, tags


def refusal(tenant: str, sentence: str) -> Problem:
    """A thing that is not the tenant's to take. sentence: what `desired.claimed` says of it."""
    code, why = "exists-already", "what another owner made is never changed unless that is asked for"
    if "adopt: true" in sentence:
        fix = "add `adopt: true` to it in tenants.yaml, or choose another name"
    elif "cannot be made" in sentence:
        why, fix = "to MySQL a role is a user as well, and neither becomes the other", "choose another name"
    else:
        code, fix = "owned-by-another-stack", "remove it there first, or choose another name"
    return Problem(code, sentence, why, fix, context=f"tenant {tenant}")


def busy(stack: Stack, context: str) -> list[Problem]:
    """An operation that has to end first. context: whose stack it is, "tenant shop"."""
    if not stack.is_busy:
        return []
    what = f"stack {stack.name} is in the middle of an operation: {stack.status}"
    return [Problem("stack-busy", what, context=context, fix="wait until it has ended, then try again")]


def master(tenant: Tenant, deployed: Deployed) -> list[Problem]:
    """The cluster's master user, which no tenant may have, as a user or as a role, adopt or not."""
    master = deployed.shared.master_user if deployed.shared else ""
    what, why = f"user {master} is the cluster's master user", "the provider works with it; it cannot be a tenant's"
    return [
        Problem("master-user", what, why, "choose another name", context=f"tenant {tenant.name}")
        for name in (*(user.name for user in tenant.users), *(role.name for role in tenant.roles))
        if name == master
    ]


def taken(cluster: Cluster, tenant: str, stack: str, deployed: Deployed) -> list[Problem]:
    """A stack of somebody else's: an update to the tenant's template would delete all that is in it."""
    if stack not in deployed.others:
        return []
    expected = " and ".join(f"{name}={value}" for name, value in tags(cluster, tenant).items())
    return [
        Problem(
            "stack-not-ours",
            f"there is a stack {stack} that is not tenant {tenant}'s",
            f"it has not the tags {expected}",
            "rename the tenant, or deploy that stack under another name",
            context=f"tenant {tenant}",
        )
    ]


def too_long(tenant: str, desired: State) -> list[Problem]:
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


def undeployable(tenant: Tenant, text: str) -> list[Problem]:
    """What CloudFormation would say of the template, said before it is asked."""
    if not (tenant.databases or tenant.users or tenant.roles):
        what = f"tenant {tenant.name} has neither a database nor a user"
        why = "CloudFormation takes no stack without resources"
        return [Problem("empty-tenant", what, why, "give it one, or take the tenant out of the file")]
    size = len(text.encode())
    if size <= MAX_TEMPLATE_BYTES:
        return []
    what = f"the template of tenant {tenant.name} has {size:,} bytes"
    why = f"CloudFormation takes no more than {MAX_TEMPLATE_BYTES:,}"
    return [Problem("tenant-too-large", what, why, "spread its databases and users over several tenants")]


def unknown_roles(tenant: str, desired: State, live: State) -> list[Problem]:
    """Roles of the server itself that are granted and not there: which there are depends on its version."""
    granted = {
        Account(grant.scope.name, grant.scope.database)
        for grant in desired.grants
        if grant.scope.level == "ROLE" and grant.privilege == MEMBER
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


def no_password(tenant: str, desired: State, live: State) -> list[Problem]:
    """Users to adopt that log in without a password: with one of the secret's they would not get in any more."""
    return [
        Problem(
            "no-password-to-keep",
            f"{subject(account)} has no password and cannot be adopted",
            "the password of a user that is adopted goes on working beside the secret's, and it has none that could",
            f"give it one, with which its clients log in: ALTER USER {account} IDENTIFIED BY ...",
            context=f"tenant {tenant}",
        )
        for account, user in sorted(desired.users.items())
        if not user.is_role
        and user.options.plugin != IAM_PLUGIN
        and account in live.users
        and live.users[account].owner is None
        and live.users[account].has_no_password
    ]
