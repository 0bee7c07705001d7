"""The function behind Custom::Database and Custom::DatabaseUser: the only part of the product that writes to MySQL.

It converges: it reads what is there, takes the same difference that `plan` shows, and runs it. So any event may come
twice, late, or after a half-done one before it. What it may change is what its resource owns (mysql/owners.py).

event      Custom::Database                          Custom::DatabaseUser
Create     create, or adopt what exists              create, or adopt what exists
Update     the same; another name is another id      the same; another secret is another id
Delete     keep and let go, drop only when allowed   drop what it owns, let go of what it adopted

Ids are the database's name and the secret's id. A failed Create answers with an id that neither can have, so that the
Delete which CloudFormation sends after it finds nothing.
"""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.answer import DeadlineReached, deadline, send
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.grants import Grant, expand, normalise
from aurora_tenants.mysql.live import (
    Execute,
    count_objects,
    owners_exist,
    read_databases,
    read_server,
    read_user_owners,
    read_users,
)
from aurora_tenants.mysql.names import Account, is_reserved_database, is_reserved_user
from aurora_tenants.mysql.owners import (
    OWNERS,
    Owner,
    claim,
    create_owners,
    forget_owner,
    record_owner,
    release_user,
)
from aurora_tenants.mysql.state import (
    Database,
    Server,
    State,
    User,
    alter_attribute,
    changes,
    drop_database,
    drop_user,
    set_password,
)

# Counted up whenever the command line needs something that an older provider does not do.
VERSION = 1

_NAME = re.compile(r"[A-Za-z0-9_$-]+\Z")
# No database and no secret has a colon in its name, and every secret's ARN begins with "arn:".
_NOTHING = "nothing:"


class Outcome(NamedTuple):
    """What CloudFormation is told of a resource that is there."""

    physical_id: str
    data: dict[str, str]


class Request(NamedTuple):
    """An event and what it takes to serve it. login: gives an `execute` for the secret of a user."""

    event: Mapping[str, Any]
    execute: Execute
    login: Callable[[str], Execute]
    secret: Callable[[str], tuple[str, str]]
    cluster_arn: str

    @property
    def properties(self) -> Mapping[str, Any]:
        properties: Mapping[str, Any] = self.event["ResourceProperties"]
        return properties

    @property
    def owner(self) -> Owner:
        """This resource of this stack; a stack keeps its name when it is deleted and made again."""
        return Owner(self.event["StackId"].split("/")[1], self.event["LogicalResourceId"])

    def flag(self, name: str) -> bool:
        """A property that is true; CloudFormation sends every scalar as a string."""
        return str(self.properties.get(name, "")).lower() == "true"


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Serves one event and answers it, whatever happens. Logs neither the event, which holds a signed URL, nor SQL."""
    kind, logical_id = event["RequestType"], event["LogicalResourceId"]
    print(f"{kind} {event['ResourceType']} {logical_id} of {event['StackId']}")  # noqa: T201 - the function's log
    physical_id = event.get("PhysicalResourceId") or f"{_NOTHING}{event['RequestId']}"
    try:
        with deadline(context) as seconds:
            outcome = _serve(_request(event, seconds), physical_id)
    except (Exception, DeadlineReached) as error:
        # Where it happened, without the message: what an unknown exception says might hold anything.
        print("".join(traceback.format_tb(error.__traceback__)))  # noqa: T201
        send(event, "FAILED", physical_id, reason=_sentence(error))
    else:
        send(event, "SUCCESS", outcome.physical_id, data=outcome.data)


def _sentence(error: BaseException) -> str:
    if isinstance(error, DatabaseError | ClientError | BotoCoreError | DeadlineReached | ValueError):
        return str(error)
    return f"the provider failed with {type(error).__name__}; its log says where"


def _request(event: Mapping[str, Any], seconds: float) -> Request:
    """The event with logins that wait for a paused cluster as long as the function lives."""
    # Only DataApi repeats a statement: it knows which may be. A statement of the Data API takes at most 45 s.
    once = Config(connect_timeout=5, read_timeout=50, retries={"total_max_attempts": 1, "mode": "standard"})
    cluster_arn, client = os.environ["CLUSTER_ARN"], boto3.client("rds-data", config=once)
    secrets = boto3.client("secretsmanager", config=Config(connect_timeout=5, read_timeout=10))

    def login(secret_arn: str) -> Execute:
        return DataApi(client, cluster_arn, secret_arn, wait_seconds=seconds).execute

    def secret(secret_id: str) -> tuple[str, str]:
        return _credentials(secret_id, secrets.get_secret_value(SecretId=secret_id)["SecretString"])

    return Request(event, login(os.environ["MASTER_SECRET_ARN"]), login, secret, cluster_arn)


def _credentials(secret_id: str, text: str) -> tuple[str, str]:
    try:
        about = json.loads(text)
        return str(about["username"]), str(about["password"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"secret {secret_id} is not JSON with a username and a password") from None


def _serve(request: Request, physical_id: str) -> Outcome:
    kind = request.event["ResourceType"]
    if request.event["RequestType"] == "Delete":
        if not physical_id.startswith(_NOTHING):
            (_delete_database if kind == "Custom::Database" else _delete_user)(request, physical_id)
        return Outcome(physical_id, {})
    if kind == "Custom::Database":
        return _database(request)
    if kind == "Custom::DatabaseUser":
        return _user(request)
    raise ValueError(f"this function serves Custom::Database and Custom::DatabaseUser, not {kind}")


def _database(request: Request) -> Outcome:
    name = _checked(request.properties.get("Name"), "a database", 64, is_reserved_database)
    live = _databases(request.execute, name)
    owner = request.owner
    if name in live:
        owner = claim(f"database {name}", live[name].owner, owner, adopt=request.flag("Adopt"))
    charset, collation = request.properties.get("Charset"), request.properties.get("Collation")
    desired = State(databases={name: Database(name, charset, collation, owner)})
    server = read_server(request.execute)
    for change in changes(desired, State(databases=live), server=server):
        try:
            request.execute(change.statement)
        except DatabaseError:
            # Somebody else made it in between, or it cannot be made: either way the entry made first is not true.
            if change.action == "create":
                request.execute(forget_owner(name))
            raise
    return Outcome(name, {"Server": request.cluster_arn, "Name": name})


def _databases(execute: Execute, name: str) -> dict[str, Database]:
    """The database of this name, if it is there, with its owner."""
    _make_owners(execute)
    return read_databases(execute, name, has_owners=True)


def _make_owners(execute: Execute) -> None:
    if not owners_exist(execute):
        for statement in create_owners():
            execute(statement)


def _delete_database(request: Request, name: str) -> None:
    """Drops it when the stack made it, OnRemove says so, and it is empty or named in AllowDrop; else lets go of it."""
    known = _databases(request.execute, name).get(name)
    if known is None or not _is_mine(known.owner, request.owner):
        return
    owner = request.owner._replace(adopted=known.owner.adopted if known.owner else False)
    may_drop = request.properties.get("OnRemove") == "drop" and not owner.adopted
    if may_drop and (request.properties.get("AllowDrop") == name or not count_objects(request.execute, name)):
        request.execute(drop_database(name))
        request.execute(forget_owner(name))
    else:
        request.execute(record_owner(name, owner._replace(released=True)))


def _is_mine(owner: Owner | None, mine: Owner) -> bool:
    return owner is not None and (owner.stack, owner.resource) == (mine.stack, mine.resource) and not owner.released


def _user(request: Request) -> Outcome:
    secret_id = str(request.properties.get("SecretId") or "")
    name, password = request.secret(secret_id)
    is_inspector = _is_inspector(name, request.owner)
    _checked(name, "a user", 32, is_reserved_user if not is_inspector else lambda _: False)
    execute, account = request.execute, Account(name)
    if execute("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS master")[0][0] == name:
        raise ValueError(f"user {name} is the cluster's master user and cannot be a tenant's")
    _make_owners(execute)
    users, grants = read_users(execute, name, has_owners=True)
    server, owner = read_server(execute), request.owner._replace(secret=_secret_name(secret_id))
    known = users.get(account)
    if known:
        owner = claim(f"user {name}", known.owner, owner, adopt=request.flag("Adopt"))
    desired = State(
        users={account: User(account, owner)},
        grants=_privileges(request, account, server, may_reach_all=is_inspector),
    )
    live = State(users=users, grants=grants)
    refused = _converge_user(request, desired, live, server, password)
    if known and not _can_login(request.login(secret_id)):
        _statement(execute, set_password(account, server, password, retain=known.owner is None), password)
    _drop_others(execute, owner, account)
    return Outcome(secret_id, {"Username": name, "Refused": refused or "none"})


def _is_inspector(name: str, owner: Owner) -> bool:
    """Whether this is the shared stack's own user, the only one that may be given rights outside of databases."""
    return (
        name == f"{OWNERS}_inspector" and f"{owner.stack}-database-provider" == os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    )


def _privileges(request: Request, account: Account, server: Server, *, may_reach_all: bool) -> frozenset[Grant]:
    grants: set[Grant] = set()
    for entry in request.properties.get("Privileges") or []:
        database = str(entry.get("Database") or "")
        if not may_reach_all:
            _checked(database, "a database", 64, is_reserved_database)
        permissions = entry.get("Permission") or []
        grants |= expand(
            account,
            [permissions] if isinstance(permissions, str) else permissions,
            database=database,
            table=str(entry.get("Table") or "*"),
            columns=entry.get("Columns") or (),
            grant_option=str(entry.get("GrantOption", "")).lower() == "true",
            partial_revokes=server.partial_revokes,
        )
    return normalise(grants)


def _converge_user(request: Request, desired: State, live: State, server: Server, password: str) -> str:
    """Runs the difference. A user that was not there before is not left behind half made when a statement fails."""
    try:
        return _run(request, desired, live, server, password)
    except DatabaseError:
        for account in desired.users.keys() - live.users.keys():
            made, _ = read_users(request.execute, account.user, has_owners=True)
            if made.get(account) == desired.users[account]:
                request.execute(drop_user(account))
        raise


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
    """Runs a statement that may hold a password. MySQL quotes statements in its errors, so the answer is searched."""
    try:
        execute(statement)
    except DatabaseError as error:
        if password not in str(error):
            raise
        problem = error.problems[0]
        raise DatabaseError(
            type(problem)(problem.code, problem.what.replace(password, "***")), number=error.number, code=error.code
        ) from None


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
    """Drops what this resource made under another name from the same secret, when the secret's user name changed."""
    for other, known in read_user_owners(execute).items():
        if other != account and _is_mine(known, owner) and known.secret == owner.secret:
            _drop_or_release(execute, other, known)


def _delete_user(request: Request, secret_id: str) -> None:
    """Needs no secret, which may be gone by now: the accounts themselves say whose they are."""
    _make_owners(request.execute)
    for account, known in read_user_owners(request.execute).items():
        if _is_mine(known, request.owner) and known.secret == _secret_name(secret_id):
            _drop_or_release(request.execute, account, known)


def _drop_or_release(execute: Execute, account: Account, owner: Owner) -> None:
    execute(alter_attribute(account, release_user()) if owner.adopted else drop_user(account))


def _secret_name(secret_id: str) -> str:
    """The name in a secret's ARN, without the six characters that Secrets Manager adds; a name stays as it is."""
    return secret_id.split(":secret:")[1][:-7] if secret_id.startswith("arn:") else secret_id


def _checked(name: Any, what: str, length: int, is_reserved: Callable[[str], bool]) -> str:
    """The name, when it can be one. Raises ValueError with a sentence."""
    text = str(name or "")
    if not _NAME.match(text) or len(text) > length:
        raise ValueError(f"{text!r} cannot be the name of {what}: use 1 to {length} of A-Z a-z 0-9 _ $ -")
    if is_reserved(text):
        raise ValueError(f"{text} cannot be the name of {what}: it is the server's own")
    return text
