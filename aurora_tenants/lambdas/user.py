"""Custom::DatabaseUser: makes a user with the password of its secret, or adopts it, and brings its privileges about."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas.ownership import ATTEMPTS, DONE_MEANWHILE, claimed, is_mine, make_owners, owner_of, put_back
from aurora_tenants.lambdas.request import Outcome, Request, checked
from aurora_tenants.mysql.grants import Grant, expand, normalise
from aurora_tenants.mysql.live import Execute, read_owners, read_server, read_users
from aurora_tenants.mysql.names import Account, account_of, is_reserved_database, is_reserved_user, key
from aurora_tenants.mysql.owners import OWNERS, Owner, forget_owner, record_owner
from aurora_tenants.mysql.state import Server, State, User, changes, drop_user, set_password

_PRIVILEGE = frozenset({"Permission", "Database", "Table", "Columns", "GrantOption"})


def serve_user(request: Request, attempts: int = ATTEMPTS) -> Outcome:
    secret = request.secret(request.text("SecretId"))
    name, execute, account = secret.user, request.execute, Account(secret.user)
    is_inspector = _is_inspector(name, request.owner)
    checked(name, "a user", 32, is_reserved_user if not is_inspector else lambda _: False)
    if execute("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS master")[0][0] == name:
        raise ValueError(f"user {name} is the cluster's master user and cannot be a tenant's")
    make_owners(execute)
    users, grants = read_users(execute, name, has_owners=True)
    server, before, exists = read_server(execute), owner_of(execute, "users", account.entry), account in users
    # By its name: a secret that was made again has another ARN, and another id would have the user deleted as replaced.
    is_there = _secret_name(request.id) == secret.name
    adopt = request.may_adopt(before, is_there=is_there)
    owner = claimed(f"user {name}", before, request.owner._replace(secret=secret.name), adopt=adopt, exists=exists)
    privileges = _privileges(request, account, server, may_reach_all=is_inspector)
    desired, live = State(users={account: User(account, owner)}, grants=privileges), State(users=users, grants=grants)
    try:
        if not before and not exists:
            execute(record_owner("users", account.entry, owner, "INSERT"))
        refused = _run(request, desired, live, server, secret.password)
        if exists and not _can_login(request.login(secret.arn)):
            _set_password(execute, account, server, secret.password, owner, is_first=before is None)
    except DatabaseError as error:
        if error.number in DONE_MEANWHILE and attempts > 1:
            return serve_user(request, attempts - 1)
        _take_back(execute, live, account, before, server)
        raise
    _drop_others(execute, owner, account)
    return Outcome(request.id if is_there else secret.arn, {"Username": name, "Refused": refused[:1000] or "none"})


def _set_password(
    execute: Execute, account: Account, server: Server, password: str, owner: Owner, *, is_first: bool
) -> None:
    """Sets the password; the one that an adopted user came with goes on beside it. is_first: it is adopted just now.

    Retained a second time, the password of an adoption that failed would take the place of the one it came with.
    """
    retain = False
    if owner.adopted:
        what = "plugin, User_attributes->'$.additional_password' IS NOT NULL AS has_second"
        where = f"User = {key(account.user)} AND Host = {key(account.host)}"
        plugin, has_second = execute(f"SELECT {what} FROM mysql.user WHERE {where}")[0]  # noqa: S608 - hexadecimal
        # Another plugin than the account's own would end the old password.
        retain, server = is_first or not has_second, server._replace(plugin=str(plugin))
    _statement(execute, set_password(account, server, password, retain=retain), password)


def _is_inspector(name: str, owner: Owner) -> bool:
    """Whether this is the shared stack's own user, the only one that may be given rights outside of databases."""
    return (
        name == f"{OWNERS}_inspector" and f"{owner.stack}-database-provider" == os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    )


def _privileges(request: Request, account: Account, server: Server, *, may_reach_all: bool) -> frozenset[Grant]:
    grants: set[Grant] = set()
    for entry in request.properties.get("Privileges") or []:
        # An empty Table or a misspelt Columns would otherwise mean every table, every column.
        if not isinstance(entry, Mapping) or not entry.keys() <= _PRIVILEGE or not all(entry.values()):
            raise ValueError(f"Privileges is a list whose entries hold {', '.join(sorted(_PRIVILEGE))}, none empty")
        database = str(entry.get("Database", ""))
        if not may_reach_all:
            checked(database, "a database", 64, is_reserved_database)
        permissions = entry.get("Permission", "")
        grants |= expand(
            account,
            [permissions] if isinstance(permissions, str) else map(str, permissions),
            database=database,
            table=str(entry.get("Table", "*")),
            columns=[str(column) for column in entry.get("Columns", ())],
            grant_option=str(entry.get("GrantOption", "")).lower() == "true",
            partial_revokes=server.partial_revokes,
        )
    return normalise(grants)


def _take_back(execute: Execute, live: State, account: Account, before: Owner | None, server: Server) -> None:
    """Leaves a user that was there before as it was, which an adoption that fails must, and no new one half made."""
    if account in live.users:
        users, grants = read_users(execute, account.user, has_owners=True)
        was = State(users={account: User(account)}, grants=live.grants)
        for change in changes(was, State(users=users, grants=grants), server=server):
            execute(change.statement)
    else:
        execute(drop_user(account))
    put_back(execute, "users", account.entry, before)


def _run(request: Request, desired: State, live: State, server: Server, password: str) -> str:
    """Runs the difference. With OnRefusal "report", the grants that the server refused come back as a sentence."""
    refused = []
    for change in changes(desired, live, server=server, password=password):
        try:
            _statement(request.execute, change.statement, password)
        except DatabaseError as error:
            if change.action != "grant" or request.properties.get("OnRefusal") != "report":
                raise
            refused.append(str(error))
    return "; ".join(refused)


def _statement(execute: Execute, statement: str, password: str) -> None:
    """Runs a statement that may hold a password. A syntax error (1064) quotes the statement, as far as it likes."""
    try:
        execute(statement)
    except DatabaseError as error:
        if error.number != 1064 and password not in str(error):
            raise
        text = f"MySQL refused a statement that holds a password ({error.number})"
        raise DatabaseError(Problem("database-refused", text), number=error.number, code=error.code) from None


def _can_login(execute: Execute) -> bool:
    """Whether MySQL takes the secret's password: every answer but "Access denied" (1045) says that it does."""
    try:
        execute("SELECT 1 AS one")
    except DatabaseError as error:
        if error.number == 1045 or "Access denied for user" in str(error):
            return False
        if not error.number:
            raise
    return True


def _drop_others(execute: Execute, owner: Owner, account: Account) -> None:
    """Drops what this resource made under other names from the same secret, when the user name in it was changed."""
    for entry, known in read_owners(execute, "users").items():
        if entry != account.entry and is_mine(known, owner) and known.secret == owner.secret:
            _drop_or_release(execute, entry, known)


def delete_user(request: Request, secret_id: str) -> None:
    """Needs no secret, which may be gone by now: the entries say whose the users are."""
    make_owners(request.execute)
    for entry, known in read_owners(request.execute, "users").items():
        if is_mine(known, request.owner) and known.secret == _secret_name(secret_id):
            _drop_or_release(request.execute, entry, known)


def _drop_or_release(execute: Execute, entry: str, owner: Owner) -> None:
    if owner.adopted:
        execute(record_owner("users", entry, owner._replace(released=True)))
    else:
        execute(drop_user(account_of(entry)))
        execute(forget_owner("users", entry))


def _secret_name(arn: str) -> str:
    """The name in a secret's ARN, without the six characters that Secrets Manager adds."""
    return arn.partition(":secret:")[2][:-7]
