"""What the provider's tests need of a sandbox: stacks to deploy, MySQL to look at, resources as the article has them.

Every password here begins with `hush`, and every operation on a stack checks that none of them came out anywhere.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pymysql
import pytest
from botocore.exceptions import ClientError

from aurora_sandbox.iam_plugin import LIBRARY
from aurora_tenants.mysql.live import read_owners, read_users
from aurora_tenants.mysql.names import account_of
from aurora_tenants.mysql.options import IAM_PLUGIN, Options
from aurora_tenants.mysql.owners import Owner, record_owner, record_shares
from aurora_tenants.mysql.state import User
from tests.endpoint import Faulty, own
from tests.lambdas.process import Remote

SHARED = "shared-global"
PREFIX = f"/{SHARED}/database/"
PROVIDER = f"{SHARED}-database-provider"
DEADLINE_SECONDS = 60.0
# The stack that owns what no stack of a test does.
GIVEN = "given"

AS_DOCUMENTED, ODD = "as documented", "no numbers, base64"
# For a test that odd answers make no difference to, and for one that both kinds do.
ONCE = pytest.mark.parametrize("answers", [AS_DOCUMENTED], indirect=True)
BOTH = pytest.mark.parametrize("answers", [AS_DOCUMENTED, ODD], indirect=True)

Resources = Mapping[str, Mapping[str, Any]]
Row = tuple[Any, ...]
T = TypeVar("T")
_numbers = itertools.count(1)
# Of every sandbox that runs: how to post to its own endpoints.
STARTED: list[Callable[[str, dict[str, Any]], None]] = []


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation on a stack ended. failures: the reason of each resource that failed, by logical id."""

    status: str
    failures: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(slots=True)
class World(Faulty):
    """A sandbox with the shared stack in it."""

    sandbox: Remote
    cloudformation: Any
    secrets: Any
    _seen: dict[str, str] = field(default_factory=dict)
    _comes_twice: bool = False

    # Stacks

    def deploy(
        self, stack: str, resources: Resources, outputs: Mapping[str, Any] | None = None, *, consent: bool = True
    ) -> Ended:
        """Creates the stack, or brings it to these resources, and waits for the end, whatever it is.

        consent: whatever database of nobody's its users have privileges on is shared with it before.
        """
        self.begin(stack, resources, outputs, consent=consent)
        return self.ended(stack)

    def begin(
        self, stack: str, resources: Resources, outputs: Mapping[str, Any] | None = None, *, consent: bool = True
    ) -> None:
        """Like deploy, without waiting."""
        if consent:
            self.consent(stack, resources)
        body: dict[str, Any] = {"Resources": resources}
        if outputs:
            body["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
        exists = self.status(stack) is not None
        call = self.cloudformation.update_stack if exists else self.cloudformation.create_stack
        call(StackName=stack, TemplateBody=json.dumps(body))

    def consent(self, stack: str, resources: Resources) -> None:
        """Tests of users have databases that no stack made. What somebody owns is not touched."""
        every = [resource["Properties"] for resource in resources.values()]
        asked = [entry for properties in every for entry in properties.get("Privileges", ()) if isinstance(entry, dict)]
        named = {name for entry in asked if isinstance(name := entry.get("Database"), str)}
        for name in sorted(named - {str(properties.get("Name")) for properties in every}):
            owner = self.owner(name)
            if re.fullmatch(r"[\w$-]+", name) and (owner is None or owner[0] == GIVEN):
                self.sql(
                    record_owner("databases", name, Owner(GIVEN, "Database")),
                    record_shares(name, [stack], withdrawn=False),
                )

    def delete(self, stack: str) -> Ended:
        """Deletes the stack and waits for the end."""
        stack_id = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=stack)
        return self.ended(stack_id)

    def status(self, stack: str) -> str | None:
        try:
            return str(self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        except ClientError:
            return None

    def ended(self, stack: str) -> Ended:
        """Waits for the end of what is going on, and reads what was told of it.

        An event that comes twice has ended twice: nobody can tell a late twin of an older Update from a newer Update.
        """
        until(lambda: not str(self.status(stack)).endswith("_IN_PROGRESS"))
        if self._comes_twice:
            until(lambda: json.loads(own(self.sandbox.environment, "status"))["running"] == 0)
        about = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in about.get("Outputs", [])}
        events = self._events(about["StackId"])
        failures = {
            event["LogicalResourceId"]: sentence(event["ResourceStatusReason"])
            for event in events
            if event["ResourceStatus"].endswith("_FAILED") and event["ResourceType"].startswith("Custom::")
        }
        told = [event.get("ResourceStatusReason", "") for event in events]
        told += [event.get("ResourceProperties", "") for event in events if event["ResourceType"].startswith("Custom")]
        assert_silent(text := "\n".join([*told, json.dumps(outputs), self.log()]))
        assert " AS 0x" not in text, "the hash of a password"
        return Ended(about["StackStatus"], failures, outputs)

    def _events(self, stack_id: str) -> list[dict[str, Any]]:
        """What happened since the last time, newest first: the first failure of a resource is the one that stays."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        events, since = (event for page in pages for event in page["StackEvents"]), self._seen.get(stack_id)
        newer = list(itertools.takewhile(lambda event: event["EventId"] != since, events))
        if newer:
            self._seen[stack_id] = newer[0]["EventId"]
        return newer

    # What the provider meets

    def log(self) -> str:
        """Everything the provider has printed."""
        return own(self.sandbox.environment, f"logs/{PROVIDER}")

    def fault(self, kind: str | None) -> None:
        self._comes_twice = kind == "twice"
        self.events_meet(PROVIDER, kind)

    def pause(self, seconds: float, *, as_v1: bool = False) -> None:
        self.post("pause", {"seconds": seconds, "as_v1": as_v1})

    def throttle(self, service: str, calls: int) -> None:
        self.clear("throttle")
        if calls:
            self.meet("throttle", service=service, times=calls)

    def post(self, path: str, document: Mapping[str, Any]) -> None:
        own(self.sandbox.environment, path, document)

    def secret(self, user: str, password: str = "hush-0", *, name: str = "") -> str:
        """The ARN of a new secret with this login, made by hand."""
        text = json.dumps({"username": user, "password": password})
        return self.secret_of(name or f"{PREFIX}{user}", SecretString=text)

    def secret_of(self, name: str, **value: Any) -> str:
        return str(self.secrets.create_secret(Name=name, **value)["ARN"])

    def put(self, secret_id: str, user: str, password: str) -> None:
        """Another login in a secret that is there."""
        text = json.dumps({"username": user, "password": password})
        self.secrets.put_secret_value(SecretId=secret_id, SecretString=text)

    # MySQL

    def sql(self, *statements: str) -> list[Row]:
        """The rows of the last statement, as root."""
        with self.sandbox.mysql.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def make_database(self, name: str) -> None:
        """A database with a table and two rows, made by hand."""
        self.sql(f"CREATE DATABASE `{name}`")
        self.make_table(name)

    def make_table(self, name: str) -> None:
        self.sql(f"USE `{name}`", "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1), (2)")

    def rows(self, database: str) -> int | None:
        """How many rows are in the table that `make_database` makes; None without that table."""
        try:
            return int(self.sql(f"SELECT COUNT(*) FROM `{database}`.t")[0][0])
        except (pymysql.ProgrammingError, pymysql.OperationalError) as error:
            assert error.args[0] in (1049, 1146), error
            return None

    def has_database(self, name: str) -> bool:
        return self.sql(f"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'") != []

    def owner(self, database: str) -> Row | None:
        """(stack, resource, adopted, released) of a database, None without an entry."""
        columns = "stack, resource, adopted, released"
        rows = self.sql(f"SELECT {columns} FROM aurora_tenants.`databases` WHERE name = '{database}'")
        return rows[0] if rows else None

    def record(self, name: str, stack: str, resource: str) -> None:
        """The entry of a database, made by hand: what a provider that died then leaves behind."""
        self.sql(record_owner("databases", name, Owner(stack, resource)))

    def has_user(self, name: str) -> bool:
        return self.sql(f"SELECT User FROM mysql.user WHERE User = '{name}'") != []

    def user_owner(self, user: str) -> Row | None:
        """(stack, resource, secret, adopted, released) of a user, None without an entry."""
        columns = "stack, resource, secret, adopted, released"
        rows = self.sql(f"SELECT {columns} FROM aurora_tenants.users WHERE name = '{user}@%'")
        return rows[0] if rows else None

    def grants(self, user: str) -> set[str]:
        """SHOW GRANTS, without the line that every user has."""
        return {row[0] for row in self.sql(f"SHOW GRANTS FOR `{user}`")} - {f"GRANT USAGE ON *.* TO `{user}`@`%`"}

    def cluster_state(self) -> str:
        return str(json.loads(own(self.sandbox.environment, "status"))["cluster"]["state"])

    def hash(self, user: str) -> bytes:
        return bytes(self.sql(f"SELECT authentication_string FROM mysql.user WHERE User = '{user}'")[0][0], "latin-1")

    def takes(self, user: str, password: str, *, tls: bool = False) -> bool:
        """Whether MySQL itself lets this user in."""
        try:
            self.sandbox.mysql.connect(user, password.encode(), tls=tls).close()
        except pymysql.OperationalError as error:
            assert error.args[0] == 1045, error
            return False
        return True

    def accounts(self, name: str) -> dict[str, User]:
        """The accounts of a user or a role by host, without their owners."""
        users, _ = read_users(self.sql, name, has_owners=True)
        return {account.host: user._replace(owner=None) for account, user in users.items()}

    def options(self, name: str) -> Options:
        """Of the one account with this name."""
        [user] = self.accounts(name).values()
        return user.options

    def entries(self, name: str) -> dict[str, Owner]:
        """The entries of a user's accounts in the table of owners, by host, without the stack's id."""
        entries = {account_of(entry): owner for entry, owner in read_owners(self.sql, "users").items()}
        return {it.host: owner._replace(stack_id="") for it, owner in entries.items() if it.user == name}

    def physical_id(self, stack: str, logical_id: str) -> str:
        resource = self.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(resource["StackResourceDetail"]["PhysicalResourceId"])

    def iam(self, *, on: bool) -> None:
        """Switches users of IAM on or off, as EnableIAMDatabaseAuthentication does; skips where there are none."""
        loaded = self.sql(f"SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = '{IAM_PLUGIN}'") != []
        if on and not loaded:
            try:
                self.sql(f"INSTALL PLUGIN {IAM_PLUGIN} SONAME '{LIBRARY}'")
            except pymysql.OperationalError as error:  # 1126: the server's plugins have no stand-in for AWS's
                assert error.args[0] == 1126, error
                pytest.skip("this server has no plugin for users of IAM")
        elif loaded and not on:
            self.sql(f"UNINSTALL PLUGIN {IAM_PLUGIN}")


def sentence(reason: str) -> str:
    """What the provider itself said, without an error's number: a custom resource's reason wraps it up."""
    said = reason.split("Message returned: ", 1)[-1].split(" (RequestId: ")[0]
    return re.sub(r" \(\d{4}\)$", "", said)


def assert_silent(text: str) -> None:
    """No password, no signed URL."""
    for secret in ("hush", "cfn-response/"):
        at = text.find(secret)
        assert at < 0, f"…{text[max(0, at - 200) : at + 100]}…"


def until(holds: Callable[[], T]) -> T:
    """Waits until this holds; the deadline is only ever met by a defect."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (result := holds()):
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.02)
    return result


def fresh(what: str) -> str:
    """A name that no other test has."""
    return f"{what}-{next(_numbers)}"


# Resources of a stack, as the article writes them


def database(name: Any, **properties: Any) -> dict[str, Any]:
    return _custom("Custom::Database", "database-service-token", {"Name": name, **properties})


def user(secret_id: Any, *privileges: Any, **properties: Any) -> dict[str, Any]:
    given = {"SecretId": secret_id, "Privileges": list(privileges), **properties}
    return _custom("Custom::DatabaseUser", "database-user-service-token", given)


def iam_user(name: Any, *privileges: Any, **properties: Any) -> dict[str, Any]:
    given = {"UserName": name, "Auth": "iam", "Privileges": list(privileges), **properties}
    return _custom("Custom::DatabaseUser", "database-user-service-token", given)


def role(name: Any, *privileges: Any, **properties: Any) -> dict[str, Any]:
    given = {"Name": name, "Privileges": list(privileges), **properties}
    return _custom("Custom::DatabaseRole", "database-user-service-token", given)


def failing(*after: str) -> dict[str, Any]:
    """A resource that cannot be made, when all these have been."""
    return {**database("mysql"), "DependsOn": list(after)}


def secret(name: str, username: str, password: str = "hush-stack") -> dict[str, Any]:
    text = json.dumps({"username": username, "password": password})
    return {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": f"{PREFIX}{name}", "SecretString": text}}


def on(name: Any, permission: Any = "ALL", **more: Any) -> dict[str, Any]:
    """One privilege."""
    return {"Permission": permission, "Database": name, "Table": "*", **more}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def after(resource: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**resource, "DependsOn": list(names)}


def _custom(kind: str, export: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    token = {"ServiceToken": {"Fn::ImportValue": f"{SHARED}-{export}"}}
    return {"Type": kind, "Properties": {**token, **properties}}
