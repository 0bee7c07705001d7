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

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas.answer import DeadlineReached, deadline, send
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.grants import Grant, expand, normalise
from aurora_tenants.mysql.live import (
    Execute,
    count_objects,
    owners_exist,
    read_databases,
    read_owners,
    read_server,
    read_users,
)
from aurora_tenants.mysql.names import Account, account_of, is_reserved_database, is_reserved_user, key
from aurora_tenants.mysql.owners import OWNERS, Kind, Owner, claim, create_owners, forget_owner, record_owner
from aurora_tenants.mysql.state import (
    Database,
    Server,
    State,
    User,
    changes,
    drop_database,
    drop_user,
    set_password,
)

# Counted up whenever the command line needs something that an older provider does not do.
VERSION = 1

_NAME = re.compile(r"[A-Za-z0-9_$-]+\Z")
_PATIENT = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 8})
# A database exists (1007), a user exists (1396), an entry exists (1062), a right is gone (1141, 1147): another event
# was faster, perhaps this one come twice. What is there is read again then, a few times.
_DONE_MEANWHILE = (1007, 1396, 1062, 1141, 1147)
_ATTEMPTS = 3
_PRIVILEGE = frozenset({"Permission", "Database", "Table", "Columns", "GrantOption"})
# No database and no secret has a colon in its name, and every secret's ARN begins with "arn:".
_NOTHING = "nothing:"


class Outcome(NamedTuple):
    """What CloudFormation is told of a resource that is there."""

    physical_id: str
    data: dict[str, str]


class Secret(NamedTuple):
    """A user's secret. name: without the six characters that end its ARN."""

    arn: str
    name: str
    user: str
    password: str


class Request(NamedTuple):
    """An event and what it takes to serve it. login: gives an `execute` for the secret of a user."""

    event: Mapping[str, Any]
    execute: Execute
    login: Callable[[str], Execute]
    secret: Callable[[str], Secret]
    cluster_arn: str

    @property
    def properties(self) -> Mapping[str, Any]:
        properties: Mapping[str, Any] = self.event["ResourceProperties"]
        return properties

    @property
    def owner(self) -> Owner:
        """This resource of this stack; a stack keeps its name when it is deleted and made again."""
        _, name, stack_id = self.event["StackId"].split("/")
        return Owner(name, self.event["LogicalResourceId"], stack_id=stack_id)

    @property
    def id(self) -> str:
        """What the resource is now; empty before it is created."""
        return str(self.event.get("PhysicalResourceId", ""))

    def text(self, name: str) -> str:
        """A property as text: CloudFormation sends every scalar as a string, and what is no scalar cannot be right."""
        return str(self.properties.get(name) or "")

    def may_adopt(self, known: Owner | None, *, is_there: bool) -> bool:
        """Whether something may be taken over. is_there: it is what the resource has been all the time.

        An Update may be the way back of a rollback: refused what lost its owner, or what another resource of the
        stack took over meanwhile, the stack would be stuck.
        """
        is_siblings = bool(self.id) and known is not None and known.stack == self.owner.stack
        return is_there or is_siblings or self.text("Adopt").lower() == "true"


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
    secrets = boto3.client("secretsmanager", config=_PATIENT)

    def login(secret_arn: str) -> Execute:
        return DataApi(client, cluster_arn, secret_arn, wait_seconds=seconds).execute

    def secret(secret_id: str) -> Secret:
        answer = secrets.get_secret_value(SecretId=secret_id)
        return Secret(answer["ARN"], answer["Name"], *_credentials(secret_id, answer.get("SecretString", "")))

    return Request(event, login(os.environ["MASTER_SECRET_ARN"]), login, secret, cluster_arn)


def _credentials(secret_id: str, text: str) -> tuple[str, str]:
    try:
        about = json.loads(text)
        name, password = about["username"], about["password"]
    except (ValueError, KeyError, TypeError):
        name = password = None
    if not (isinstance(name, str) and isinstance(password, str) and password):
        raise ValueError(f"secret {secret_id} is not JSON with a username and a password")
    if any(character == "\\" or character < " " for character in password):
        raise ValueError(f"the password in secret {secret_id} holds a backslash or a control character; exclude them")
    return name, password


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


def _database(request: Request, attempts: int = _ATTEMPTS) -> Outcome:
    name = _checked(request.text("Name"), "a database", 64, is_reserved_database)
    execute = request.execute
    _make_owners(execute)
    live, before = read_databases(execute, name, has_owners=True), _owner(execute, "databases", name)
    what, adopt = f"database {name}", request.may_adopt(before, is_there=request.id == name)
    owner = _claimed(what, before, request.owner, adopt=adopt, exists=name in live)
    if name in live and before and before.released and not owner.adopted and request.text("AllowDrop") == name:
        raise ValueError(f"AllowDrop names {what}, which was there before: a rollback now would drop it")
    charset, collation = request.text("Charset") or None, request.text("Collation") or None
    desired = State(databases={name: Database(name, charset, collation, owner)})
    # Before anything is written down: a character set that no statement can hold raises here.
    todo = changes(desired, State(databases=live), server=read_server(execute))
    try:
        if not before and name not in live:
            execute(record_owner("databases", name, owner, "INSERT"))
        for change in todo:
            execute(change.statement)
    except DatabaseError as error:
        if error.number in _DONE_MEANWHILE and attempts > 1:
            return _database(request, attempts - 1)
        # It cannot be as desired, so the entry made first is not true.
        _put_back(execute, "databases", name, before)
        raise
    return Outcome(name, {"Server": request.cluster_arn, "Name": name})


def _owner(execute: Execute, kind: Kind, name: str) -> Owner | None:
    """Whose entry there is, also for what is not there: one that was dropped by hand, or that is being made."""
    return read_owners(execute, kind, name).get(name)


def _claimed(what: str, before: Owner | None, owner: Owner, *, adopt: bool, exists: bool) -> Owner:
    """The owner from now on. Raises ValueError when it is not this resource's to take."""
    if not exists and before is None:
        return owner
    claimed = claim(what, before, owner, adopt=adopt or not exists)
    return claimed._replace(adopted=claimed.adopted and exists, stack_id=owner.stack_id)


def _put_back(execute: Execute, kind: Kind, name: str, before: Owner | None) -> None:
    execute(record_owner(kind, name, before) if before else forget_owner(kind, name))


def _make_owners(execute: Execute) -> None:
    if not owners_exist(execute):
        for statement in create_owners():
            execute(statement)


def _delete_database(request: Request, name: str) -> None:
    """Drops it when the stack made it, OnRemove says so, and it is empty or named in AllowDrop; else lets go of it."""
    execute = request.execute
    _make_owners(execute)
    owner = _owner(execute, "databases", name)
    if owner is None or not _is_mine(owner, request.owner):
        return
    if name not in read_databases(execute, name, has_owners=False):
        # Dropped by hand. The next of that name must not be taken for this stack's.
        execute(forget_owner("databases", name))
        return
    may_drop = request.text("OnRemove") == "drop" and not owner.adopted
    if may_drop and (request.text("AllowDrop") == name or not count_objects(execute, name)):
        execute(drop_database(name))
        execute(forget_owner("databases", name))
    else:
        execute(record_owner("databases", name, owner._replace(released=True)))


def _is_mine(owner: Owner, mine: Owner) -> bool:
    """Whether this very stack owns it: a Delete may arrive late, when a stack of the same name was made again."""
    return owner[:2] == mine[:2] and not owner.released and owner.stack_id in ("", mine.stack_id)


def _user(request: Request, attempts: int = _ATTEMPTS) -> Outcome:
    secret = request.secret(request.text("SecretId"))
    name, execute, account = secret.user, request.execute, Account(secret.user)
    is_inspector = _is_inspector(name, request.owner)
    _checked(name, "a user", 32, is_reserved_user if not is_inspector else lambda _: False)
    if execute("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS master")[0][0] == name:
        raise ValueError(f"user {name} is the cluster's master user and cannot be a tenant's")
    _make_owners(execute)
    users, grants = read_users(execute, name, has_owners=True)
    server, before, exists = read_server(execute), _owner(execute, "users", account.entry), account in users
    # By its name: a secret that was made again has another ARN, and another id would have the user deleted as replaced.
    is_there = _secret_name(request.id) == secret.name
    adopt = request.may_adopt(before, is_there=is_there)
    owner = _claimed(f"user {name}", before, request.owner._replace(secret=secret.name), adopt=adopt, exists=exists)
    privileges = _privileges(request, account, server, may_reach_all=is_inspector)
    desired, live = State(users={account: User(account, owner)}, grants=privileges), State(users=users, grants=grants)
    try:
        if not before and not exists:
            execute(record_owner("users", account.entry, owner, "INSERT"))
        refused = _run(request, desired, live, server, secret.password)
        if exists and not _can_login(request.login(secret.arn)):
            _set_password(execute, account, server, secret.password, owner, is_first=before is None)
    except DatabaseError as error:
        if error.number in _DONE_MEANWHILE and attempts > 1:
            return _user(request, attempts - 1)
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
            _checked(database, "a database", 64, is_reserved_database)
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
    _put_back(execute, "users", account.entry, before)


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
        if entry != account.entry and _is_mine(known, owner) and known.secret == owner.secret:
            _drop_or_release(execute, entry, known)


def _delete_user(request: Request, secret_id: str) -> None:
    """Needs no secret, which may be gone by now: the entries say whose the users are."""
    _make_owners(request.execute)
    for entry, known in read_owners(request.execute, "users").items():
        if _is_mine(known, request.owner) and known.secret == _secret_name(secret_id):
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


def _checked(name: str, what: str, length: int, is_reserved: Callable[[str], bool]) -> str:
    """The name, when it can be one. Raises ValueError with a sentence."""
    if not _NAME.match(name) or len(name) > length:
        raise ValueError(f"{name!r} cannot be the name of {what}: use 1 to {length} of A-Z a-z 0-9 _ $ -")
    if is_reserved(name):
        raise ValueError(f"{name} cannot be the name of {what}: it is the server's own")
    return name
