"""Custom::DatabaseUser: a user that logs in with the password in its secret, or with IAM tokens.

Its physical id is the ARN of the secret it was created from, or `iam:` and its name. It keeps that id when it changes
between the two, and when it gets another name (UserName and RenamedFrom).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from aurora_tenants.lambdas.accounts import converge, give_up
from aurora_tenants.lambdas.ownership import is_mine, look, make_views
from aurora_tenants.lambdas.permission import Wanted
from aurora_tenants.lambdas.reading import read_asked
from aurora_tenants.lambdas.request import Request, Resource, Secret, is_shared_stack, secret_name, with_user
from aurora_tenants.mysql.changes import lock_user
from aurora_tenants.mysql.inspector import FUNCTIONS, inspector_properties
from aurora_tenants.mysql.live import function_exists, owners_of
from aurora_tenants.mysql.names import Account, account_of, is_reserved_user
from aurora_tenants.mysql.one import of_resource
from aurora_tenants.mysql.owners import OWNERS, Owner
from aurora_tenants.mysql.properties import checked, is_iam, may_wait, on_remove, text, wanted_user

# No secret's ARN begins like this, and no name of a user or a role contains a colon.
_IAM = "iam:"


def serve_user(request: Request) -> Resource:
    secret = None if is_iam(request.properties) else request.secret(_secret_id(request))
    execute, reading = request.execute, read_asked(request, _names_of(request, secret.user if secret else ""))
    owned = _owned(request, reading.recorded)
    if secret and request.id and not request.text("UserName"):
        secret = _with_its_name(secret, owned)
    name, old_names = _names(request, secret)
    is_inspector = _is_inspector(name, request.owner)
    checked(name, "a user", 32, is_reserved_user if not is_inspector else lambda _: False)
    if name == reading.master:
        raise ValueError(f"user {name} is the cluster's master user and cannot be a tenant's")
    _check_secret(name, old_names, secret, owned)
    if is_inspector:
        secret = secret or request.secret(_secret_id(request))
        make_views(execute)
    server, asked = reading.server, request.properties
    if is_inspector:
        asked = inspector_properties([name for name in FUNCTIONS if function_exists(execute, name)])
    wanted = wanted_user(asked, name, server, may_reach_all=is_inspector)
    is_same, waits = _is_same_user(request, name, old_names | {name}, secret, owned), may_wait(asked, wanted, server)
    refused = converge(request, Wanted(wanted, server, secret, is_same, is_inspector, waits, old_names), reading)
    physical_id = request.id if is_same else secret.arn if secret else _IAM + name
    return Resource(physical_id, {"Username": name, "Refused": refused[:1000] or "none"})


def delete_accounts(request: Request, physical_id: str) -> None:
    """Gives up a user's accounts, or a role. Goes by the tables of owners, because the secret may be gone by now.

    physical_id: a secret's ARN, `iam:` and a user's name, or `role:` and a role's.
    """
    execute, giver, how = request.execute, request.given_back_to, _on_remove(request)
    for entry, known in entries_of(request, physical_id).items():
        if not is_mine(known, request.owner):
            continue
        if how == "lock" and not giver:
            execute(lock_user(account_of(entry)))
        give_up(execute, entry, known, may_drop=how in ("", "drop"), giver=giver)


def _on_remove(request: Request) -> str:
    """What its properties say of a user's end, or what loses least: nothing in them may keep a stack from its end."""
    if request.event["ResourceType"] != "Custom::DatabaseUser":
        return ""
    try:
        return on_remove(request.properties)
    except ValueError:
        return "keep"


def entries_of(request: Request, physical_id: str) -> dict[str, Owner]:
    """The entries of the accounts that a physical id (see delete_accounts) stands for, whosever they are.

    Creates the tables of owners, unless they exist.
    """
    _, _, name = physical_id.partition(":")
    names, secret = {name}, secret_name(physical_id)
    if physical_id.startswith(_IAM):
        names |= {request.text("UserName"), request.text("RenamedFrom")}
    (rows,) = look(request.execute, of_resource(sorted(names), request.owner, secret)).found
    return {
        entry: known
        for entry, known in owners_of(rows).items()
        if (known.secret == secret if secret else account_of(entry).user in names)
    }


def _names_of(request: Request, in_secret: str) -> set[str]:
    """Every name that has to do with the user. in_secret: that in its secret; empty for none."""
    every = (request.properties, request.event.get("OldResourceProperties", {}))
    said = {text(it, name) for it in every for name in ("UserName", "RenamedFrom")}
    return {in_secret, request.id.removeprefix(_IAM), *said} - {""}


def _names(request: Request, secret: Secret | None) -> tuple[str, frozenset[str]]:
    """The user's name, and those that its accounts may have had until now.

    The way back from another name says nothing of it but in what the properties were.
    """
    before = request.event.get("OldResourceProperties", {})
    left, back = text(before, "UserName"), text(before, "RenamedFrom")
    name, in_secret = request.text("UserName"), secret.user if secret else ""
    if secret and not name:
        name = back if back and left == in_secret else in_secret
    old = {request.text("RenamedFrom"), left if back == name else ""} - {name, ""}
    return name, frozenset(old)


def _check_secret(name: str, old_names: frozenset[str], secret: Secret | None, owned: Mapping[str, str]) -> None:
    """Raises ValueError where the name is none that the secret is for: a secret is no claim on another name."""
    names = old_names | {name}
    if secret and secret.user not in names and names.isdisjoint(owned):
        why = f"secret {secret.name} is of user {secret.user}"
        raise ValueError(f"{why}: UserName {name} needs RenamedFrom: {secret.user}, or a secret of its own")


def _secret_id(request: Request) -> str:
    if secret_id := request.text("SecretId"):
        return secret_id
    what = "it names the secret with the user's name and password; only a user with Auth: iam has none"
    raise ValueError(f"SecretId is missing: {what}")


def _is_inspector(name: str, owner: Owner) -> bool:
    """Whether this is the shared stack's own user, the only one that may have privileges outside tenants' databases."""
    is_named_so = re.fullmatch(rf"{OWNERS}_inspector(_[0-9a-f]{{6}})?", name) is not None
    return is_named_so and is_shared_stack(owner.stack)


def _is_same_user(
    request: Request, name: str, names: frozenset[str], secret: Secret | None, owned: Mapping[str, str]
) -> bool:
    """Whether the resource has been this user before; with another physical id CloudFormation would delete the user.

    names: that it is to have and may have had. owned: see _owned. A secret counts by its name: one that was created
    again has another ARN. Raises ValueError for a secret whose user was changed while the physical id names the old
    one: a rollback would not know which of them to delete.
    """
    if not request.id.startswith(_IAM):
        secret_of_id = secret_name(request.id)
        if secret:
            return secret_of_id == secret.name
        return secret_of_id != "" and any(owned.get(it) == secret_of_id for it in names)
    before = request.id.removeprefix(_IAM)
    if before in names:
        return True
    if secret and owned.get(before) == secret.name:
        raise ValueError(f"secret {secret.name} belongs to user {before}: user {name} needs a secret of its own")
    # It has had another name since, and keeps its id; one that has both is on its way to another id.
    return before not in owned and not names.isdisjoint(owned)


def _owned(request: Request, recorded: Mapping[Account, Owner]) -> dict[str, str]:
    """The names of users that this resource owns accounts of, each with the secret that they were created from."""
    return {account.user: known.secret for account, known in recorded.items() if is_mine(known, request.owner)}


def _with_its_name(secret: Secret, owned: Mapping[str, str]) -> Secret:
    """The secret with the name of the user that was created from it, which somebody may have changed by hand.

    A user of another name would be made in its place otherwise, and its services could not log in any more.
    """
    users = {user for user, its in owned.items() if its == secret.name}
    return secret if secret.user in users or len(users) != 1 else with_user(secret, *users)
