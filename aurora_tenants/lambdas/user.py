"""Custom::DatabaseUser: a user that logs in with the password in its secret, or with IAM tokens.

Its physical id is the ARN of the secret it was created from, or `iam:` and its name. It keeps that id when it changes
between the two.
"""

from __future__ import annotations

import re

from aurora_tenants.lambdas.accounts import converge, give_up
from aurora_tenants.lambdas.ownership import is_mine, make_owners, make_views
from aurora_tenants.lambdas.permission import Wanted
from aurora_tenants.lambdas.request import Request, Resource, Secret, is_shared_stack
from aurora_tenants.mysql.changes import lock_user
from aurora_tenants.mysql.inspector import inspector_properties
from aurora_tenants.mysql.live import function_exists, read_owners, read_server
from aurora_tenants.mysql.names import account_of, is_reserved_user
from aurora_tenants.mysql.objects import OBJECTS
from aurora_tenants.mysql.owners import OWNERS, Owner
from aurora_tenants.mysql.properties import checked, is_iam, may_wait, on_remove, wanted_user

# No secret's ARN begins like this, and no name of a user or a role contains a colon.
_IAM = "iam:"


def serve_user(request: Request) -> Resource:
    secret = None if is_iam(request.properties) else request.secret(_secret_id(request))
    name = secret.user if secret else request.text("UserName")
    execute, is_inspector = request.execute, _is_inspector(name, request.owner)
    checked(name, "a user", 32, is_reserved_user if not is_inspector else lambda _: False)
    if make_owners(execute) == name:
        raise ValueError(f"user {name} is the cluster's master user and cannot be a tenant's")
    if is_inspector:
        secret = secret or request.secret(_secret_id(request))
        make_views(execute)
    server = read_server(execute)
    asked = request.properties
    if is_inspector:
        asked = inspector_properties(can_look=function_exists(execute, OBJECTS))
    wanted = wanted_user(asked, name, server, may_reach_all=is_inspector)
    is_same = _is_same_user(request, name, secret)
    waits = may_wait(asked, wanted, server)
    refused = converge(request, Wanted(wanted, server, secret, is_same, is_inspector, waits))
    physical_id = request.id if is_same else secret.arn if secret else _IAM + name
    return Resource(physical_id, {"Username": name, "Refused": refused[:1000] or "none"})


def delete_accounts(request: Request, physical_id: str) -> None:
    """Gives up a user's accounts, or a role. Goes by the tables of owners, because the secret may be gone by now.

    physical_id: a secret's ARN, `iam:` and a user's name, or `role:` and a role's.
    """
    execute, how = request.execute, _on_remove(request)
    make_owners(execute)
    _, _, name = physical_id.partition(":")
    secret = _secret_name(physical_id)
    for entry, known in read_owners(execute, "users").items():
        is_of_id = known.secret == secret if secret else account_of(entry).user == name
        if not (is_of_id and is_mine(known, request.owner)):
            continue
        if how == "lock":
            execute(lock_user(account_of(entry)))
        give_up(execute, entry, known, may_drop=how in ("", "drop"))


def _on_remove(request: Request) -> str:
    """What its properties say of a user's end, or what loses least: nothing in them may keep a stack from its end."""
    if request.event["ResourceType"] != "Custom::DatabaseUser":
        return ""
    try:
        return on_remove(request.properties)
    except ValueError:
        return "keep"


def _secret_id(request: Request) -> str:
    if secret_id := request.text("SecretId"):
        return secret_id
    what = "it names the secret with the user's name and password; only a user with Auth: iam has none"
    raise ValueError(f"SecretId is missing: {what}")


def _is_inspector(name: str, owner: Owner) -> bool:
    """Whether this is the shared stack's own user, the only one that may have privileges outside tenants' databases."""
    is_named_so = re.fullmatch(rf"{OWNERS}_inspector(_[0-9a-f]{{6}})?", name) is not None
    return is_named_so and is_shared_stack(owner.stack)


def _is_same_user(request: Request, name: str, secret: Secret | None) -> bool:
    """Whether the resource has been this user before; with another physical id CloudFormation would delete the user.

    A secret counts by its name: one that was created again has another ARN. Raises ValueError for a secret whose user
    was changed while the physical id names the old one: a rollback would not know which of them to delete.
    """
    if not request.id.startswith(_IAM):
        secret_of_id = _secret_name(request.id)
        return secret_of_id == secret.name if secret else secret_of_id != "" and _owns(request, name, secret_of_id)
    before = request.id.removeprefix(_IAM)
    if secret and before != name and _owns(request, before, secret.name):
        raise ValueError(f"secret {secret.name} belongs to user {before}: user {name} needs a secret of its own")
    return before == name


def _owns(request: Request, user: str, secret: str) -> bool:
    """Whether this resource owns an account of that user that was created from that secret."""
    return any(
        account_of(entry).user == user and known.secret == secret and is_mine(known, request.owner)
        for entry, known in read_owners(request.execute, "users").items()
    )


def _secret_name(arn: str) -> str:
    """The name in a secret's ARN, without the six characters that Secrets Manager adds; empty for another id."""
    return arn.partition(":secret:")[2][:-7]
