"""Custom::DatabaseUser: a user with the password of its secret, or with IAM's tokens and none.

A user keeps its id when it changes between the two: the ARN of the secret it was made from, or `iam:` and its name.
"""

from __future__ import annotations

import os

from aurora_tenants.lambdas.accounts import Asked, bring_about, give_up
from aurora_tenants.lambdas.ownership import is_mine, make_owners, make_views
from aurora_tenants.lambdas.request import Outcome, Request, Secret
from aurora_tenants.mysql.live import read_owners, read_server
from aurora_tenants.mysql.names import account_of, is_reserved_user
from aurora_tenants.mysql.owners import OWNERS, Owner
from aurora_tenants.mysql.properties import checked, is_iam, wanted_user

# No secret's ARN begins like this, and no user's or role's name holds a colon.
_IAM = "iam:"


def serve_user(request: Request) -> Outcome:
    secret = None if is_iam(request.properties) else request.secret(_secret_id(request))
    name, execute = secret.user if secret else request.text("UserName"), request.execute
    is_inspector = _is_inspector(name, request.owner)
    checked(name, "a user", 32, is_reserved_user if not is_inspector else lambda _: False)
    if execute("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS master")[0][0] == name:
        raise ValueError(f"user {name} is the cluster's master user and cannot be a tenant's")
    make_owners(execute)
    if is_inspector:
        make_views(execute)
    server = read_server(execute)
    wanted = wanted_user(request.properties, name, server, may_reach_all=is_inspector)
    is_there = _is_there(request, name, secret)
    refused = bring_about(request, Asked(wanted, server, secret, is_there))
    physical_id = request.id if is_there else secret.arn if secret else _IAM + name
    return Outcome(physical_id, {"Username": name, "Refused": refused[:1000] or "none"})


def delete_accounts(request: Request, physical_id: str) -> None:
    """Gives up a user's accounts, or a role; needs no secret, which may be gone by now: the entries say whose they are.

    physical_id: a secret's ARN, `iam:` and a user's name, or `role:` and a role's.
    """
    make_owners(request.execute)
    _, _, name = physical_id.partition(":")
    secret = _secret_name(physical_id)
    for entry, known in read_owners(request.execute, "users").items():
        is_meant = known.secret == secret if secret else account_of(entry).user == name
        if is_meant and is_mine(known, request.owner):
            give_up(request.execute, entry, known)


def _secret_id(request: Request) -> str:
    if secret_id := request.text("SecretId"):
        return secret_id
    raise ValueError("SecretId is missing: the secret with the user's name and password, which only Auth: iam has not")


def _is_inspector(name: str, owner: Owner) -> bool:
    """Whether this is the shared stack's own user, the only one that may be given rights outside of databases."""
    return (
        name == f"{OWNERS}_inspector" and f"{owner.stack}-database-provider" == os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    )


def _is_there(request: Request, name: str, secret: Secret | None) -> bool:
    """Whether the resource has been this user so far; another id would have the user deleted as replaced.

    A secret counts by its name: one that was made again has another ARN. Raises ValueError for a secret whose user
    was changed while the resource bears the name of the one before: a rollback would not know which of them to delete.
    """
    if not request.id.startswith(_IAM):
        of_id = _secret_name(request.id)
        if secret:
            return of_id == secret.name
        return of_id != "" and any(
            account_of(entry).user == name and known.secret == of_id and is_mine(known, request.owner)
            for entry, known in read_owners(request.execute, "users").items()
        )
    before = request.id.removeprefix(_IAM)
    if secret and before != name:
        for entry, known in read_owners(request.execute, "users").items():
            if account_of(entry).user == before and known.secret == secret.name and is_mine(known, request.owner):
                raise ValueError(f"secret {secret.name} is user {before}'s: user {name} needs a secret of its own")
    return before == name


def _secret_name(arn: str) -> str:
    """The name in a secret's ARN, without the six characters that Secrets Manager adds; empty for another id."""
    return arn.partition(":secret:")[2][:-7]
