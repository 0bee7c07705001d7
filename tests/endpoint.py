"""A sandbox seen from outside, by its endpoint alone, as a program meets an AWS account; MySQL from behind, as root."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
import pymysql
import pytest
from botocore.config import Config

from aurora_sandbox.keys import key_in
from aurora_sandbox.mysqld import as_root
from aurora_sandbox.state import Running

EVENTS = {"crash": "crash-before", "hang": "hang", "twice": "called-twice"}
DROPS = ("drop-before", "drop-after", "drop-in-body")
T = TypeVar("T")
Row = tuple[Any, ...]


class Faulty:
    """What a sandbox can be made to do: the names and fields are those of `sandbox fault`, docs/sandbox.md."""

    __slots__ = ()

    def post(self, path: str, document: Mapping[str, Any]) -> None:
        """Tells one of the sandbox's own endpoints."""
        raise NotImplementedError

    def meet(self, name: str, **fault: Any) -> None:
        """This fault is on from now on."""
        self.post("faults", {"set": {"name": name, **fault}})

    def clear(self, *names: str) -> None:
        """The faults of these names end; without a name, all."""
        for name in names or (None,):
            self.post("faults", {"clear": {"name": name}})

    def events_meet(self, function: str, kind: str | None) -> None:
        """All events of the function meet this, in place of any other of these; None: they meet nothing."""
        self.clear(*EVENTS.values())
        if kind is not None:
            self.meet(EVENTS[kind], function=function)

    def early(self, first: int = 1, *, every: int = 0, answer: str | None = None) -> None:
        """What a new cluster answers, to the first statement from now on and then to each so many; 0 ends it."""
        self.clear("early")
        if first:
            self.meet("early", nth=first, every=every or None, answer=answer)

    def drop(self, first: int = 1, *, every: int = 0, ran: bool = True, in_body: bool = False) -> None:
        """The connection closes instead of an answer, to the first statement from now on and then to each so many.

        in_body: in the middle of the answer.
        """
        self.clear(*DROPS)
        name = "drop-in-body" if in_body else "drop-after" if ran else "drop-before"
        if first:
            self.meet(name, service="rds-data", operation="ExecuteStatement", nth=first, every=every or None)


@dataclass(slots=True)
class Endpoint(Faulty):
    """Whatever there is to do with a sandbox from outside of it. port, socket: MySQL's; root's is the socket."""

    endpoint_url: str
    environment: Mapping[str, str]
    port: int
    socket: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            once = Config(retries={"total_max_attempts": 1})
            self._clients[service] = client(self.environment, service, config=once)
        return self._clients[service]

    def post(self, path: str, document: Mapping[str, Any]) -> None:
        own(self.environment, path, document)

    def faults(self) -> list[dict[str, Any]]:
        """What is on, with how many calls were counted for it, and how many met it."""
        on: list[dict[str, Any]] = json.loads(own(self.environment, "faults"))["faults"]
        return on

    def fault(self, function: str, kind: str | None) -> None:
        """All events of the function meet a crash, hang, or come twice; None: they meet nothing."""
        self.events_meet(function, kind)

    def throttle(self, service: str, operation: str | None, calls: int) -> None:
        """So many calls, in place of all that are still to be throttled; 0 for none."""
        self.clear("throttle")
        if calls:
            self.meet("throttle", service=service, operation=operation, times=calls)

    def put(self, stack: str, status: str) -> None:
        """The stack is in this state from now on, whatever it did."""
        self.post("faults", {"stack": {"name": stack, "status": status}})

    def changes_take(self, seconds: float) -> None:
        """How long a cluster is creating, stopping, starting and deleting; 0, as at first, ends what is under way."""
        self.post("cluster", {"seconds": seconds})

    def calls(self) -> Counter[str]:
        """How often each operation was asked for, by `service:Operation`."""
        return Counter(json.loads(own(self.environment, "status"))["calls"])

    def log(self, function: str) -> str:
        return own(self.environment, f"logs/{function}")

    def connect(self, user: str, password: str) -> Any:
        """A login at MySQL itself; root's needs no password here. Raises pymysql.OperationalError."""
        over_tcp = {"host": "127.0.0.1", "port": self.port, "user": user, "password": password, "ssl_disabled": True}
        return pymysql.connect(**(as_root(self.socket) if user == "root" else over_tcp), autocommit=True)

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
        """The status of every stack."""
        found = self.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in found}

    def settled(self, name: str) -> str:
        return until(lambda: None if is_busy(status := self.stacks().get(name, "gone")) else status)

    def secrets(self) -> dict[str, str]:
        """The text of every secret by its name."""
        client = self.client("secretsmanager")
        pages = client.get_paginator("list_secrets").paginate()
        names = [secret["Name"] for page in pages for secret in page["SecretList"]]
        return {name: client.get_secret_value(SecretId=name)["SecretString"] for name in sorted(names)}


def endpoint_of(running: Running, environment: Mapping[str, str]) -> Endpoint:
    """A sandbox in the background, to which these variables lead."""
    return Endpoint(running.endpoint, environment, running.mysqld_port, running.mysqld_socket)


def own(variables: Mapping[str, str], path: str, document: Mapping[str, Any] | None = None) -> str:
    """What one of a sandbox's own endpoints answers to its owner, whose variables these are."""
    key = key_in(variables)
    assert key is not None
    headers = {"Authorization": key.basic, "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document).encode()
    url = f"{variables['AWS_ENDPOINT_URL']}/_sandbox/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        return str(answer.read().decode())


def client(variables: Mapping[str, str], service: str, **config: Any) -> Any:
    """A boto3 client of the sandbox to which these variables lead, whatever the environment holds."""
    return boto3.client(
        service,
        region_name=variables["AWS_REGION"],
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        **config,
    )


def method_of(client: Any, operation: str) -> str:
    """What a boto3 client calls an operation of AWS."""
    return next(method for method, name in client.meta.method_to_api_mapping.items() if name == operation)


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
