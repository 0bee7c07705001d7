"""A sandbox with the shared stack in it, as the command line meets an AWS account; MySQL from behind, as root."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pymysql
import pytest
from botocore.config import Config

from aurora_sandbox import lifecycle
from aurora_tenants.aws import shared
from aurora_tenants.mysql.live import Row
from aurora_tenants.mysql.names import Account, identifier

T = TypeVar("T")
SHARED = "shared-global"
PROVIDER = f"{SHARED}-database-provider"
ROTATION = f"{SHARED}-database-secret-rotation"


@dataclass(slots=True)
class Cloud:
    """What tests do from outside of the command line. Databases and users that are there at first are never removed."""

    endpoint_url: str
    environment: Mapping[str, str]
    port: int
    databases: frozenset[str] = frozenset()
    accounts: frozenset[Row] = frozenset()
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            with environment(self.environment):
                self._clients[service] = boto3.client(service, config=Config(retries={"total_max_attempts": 1}))
        return self._clients[service]

    def post(self, path: str, document: Mapping[str, Any]) -> None:
        body, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
        url = f"{self.endpoint_url}/_sandbox/{path}"
        urllib.request.urlopen(urllib.request.Request(url, body, headers)).close()

    def fault(self, function: str, kind: str | None) -> None:
        self.post("faults", {"function": {"name": function, "kind": kind}})

    def throttle(self, service: str, operation: str, calls: int) -> None:
        self.post("faults", {"throttle": {"service": service, "operation": operation, "calls": calls}})

    def calls(self) -> Counter[str]:
        """How often each operation was asked for, by `service:Operation`."""
        with urllib.request.urlopen(f"{self.endpoint_url}/_sandbox/status") as answer:
            return Counter(json.loads(answer.read())["calls"])

    def log(self, function: str) -> str:
        with urllib.request.urlopen(f"{self.endpoint_url}/_sandbox/logs/{function}") as answer:
            return str(answer.read().decode())

    def connect(self, user: str, password: str) -> Any:
        """A login at MySQL itself. Raises pymysql.OperationalError."""
        address = {"host": "127.0.0.1", "port": self.port}
        return pymysql.connect(**address, user=user, password=password, autocommit=True, ssl_disabled=True)

    def sql(self, *statements: str, user: str = "root") -> list[Row]:
        """The rows of the last statement, as root or as the cluster's master user, `admin`."""
        with (
            self.connect(user, self.master_password() if user == "admin" else "") as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def master_password(self) -> str:
        secret = self.client("rds").describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"]
        text = self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        return str(json.loads(text)["password"])

    # Stacks

    def deploy(self, name: str, template: Mapping[str, Any], **options: Any) -> str:
        """A stack that is not made by the command line; the status it ends with."""
        self.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template), **options)
        return self.settled(name)

    def begin_change_set(self, name: str, template: Mapping[str, Any], **options: Any) -> None:
        """A stack that waits for its first change set to be executed: REVIEW_IN_PROGRESS."""
        self.client("cloudformation").create_change_set(
            StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(template), **options
        )

    def stacks(self) -> dict[str, str]:
        """The status of every stack but the shared one."""
        found = self.client("cloudformation").describe_stacks()["Stacks"]
        return {it["StackName"]: it["StackStatus"] for it in found if it["StackName"] != SHARED}

    def settled(self, name: str) -> str:
        return until(lambda: None if is_busy(status := self.stacks().get(name, "gone")) else status)

    def secrets(self) -> dict[str, str]:
        """The text of every tenant's secret by its name."""
        client = self.client("secretsmanager")
        names = [it["Name"] for page in client.get_paginator("list_secrets").paginate() for it in page["SecretList"]]
        return {name: client.get_secret_value(SecretId=name)["SecretString"] for name in sorted(names)}

    # What is left of tests

    def clean(self) -> None:
        """Only the shared stack and what came with it is there afterwards."""
        cloudformation = self.client("cloudformation")
        while stacks := self.stacks():
            for name in stacks:
                self.settled(name)
                cloudformation.delete_stack(StackName=name)
            for name in stacks:
                self.settled(name)
        for (name,) in self.sql("SHOW DATABASES"):
            if name not in self.databases:
                self.sql(f"DROP DATABASE {identifier(str(name))}")
        for account in self.sql("SELECT User, Host FROM mysql.user"):
            if account not in self.accounts:
                self.sql(f"DROP USER {Account(*map(str, account))}")
        self.sql(
            "DELETE FROM aurora_tenants.`databases`", "DELETE FROM aurora_tenants.users WHERE stack <> 'shared-global'"
        )


@contextmanager
def deployed(directory: Path, *, partial_revokes: bool = True) -> Iterator[Cloud]:
    """A new sandbox with the shared stack, deployed as `shared deploy` does it; its state is in this directory.

    It has a process of its own: what moto holds belongs to a process.
    """
    state = directory / "aurora-tenants" / "sandbox"
    running = lifecycle.up(
        bare=True, mysqld=None, partial_revokes=partial_revokes, tell=lambda _: None, directory=state
    )
    variables = lifecycle.environment(running) | {"XDG_STATE_HOME": str(directory)}
    try:
        with environment(variables):
            shared.deploy(region=None, profile=None, stack=SHARED, parameters={}, tell=lambda event: None)
        cloud = Cloud(running.endpoint, variables, running.mysqld_port)
        cloud.databases = frozenset(str(name) for (name,) in cloud.sql("SHOW DATABASES"))
        cloud.accounts = frozenset(cloud.sql("SELECT User, Host FROM mysql.user"))
        yield cloud
    finally:
        lifecycle.down(directory=state)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These variables, and none of AWS's besides them."""
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, variables)
        yield


def set_environment(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("NO_PROXY", "127.0.0.1")
    for name, value in variables.items():
        patch.setenv(name, value)


def is_busy(status: str) -> bool:
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def until(holds: Callable[[], T | None], *, seconds: float = 30.0) -> T:
    """What this gives, as soon as it gives something; the deadline is only ever met by a defect."""
    deadline = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.02)
    return result
