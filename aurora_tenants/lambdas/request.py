"""An event of CloudFormation and what it takes to serve it: its properties, a secret, logins to MySQL."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import Execute
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.properties import text, truth

_PATIENT = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 8})


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
        return text(self.properties, name)

    def may_adopt(self, known: Owner | None, *, is_there: bool) -> bool:
        """Whether something may be taken over. is_there: it is what the resource has been all the time.

        An Update may be the way back of a rollback: refused what lost its owner, or what another resource of the
        stack took over meanwhile, the stack would be stuck.
        """
        is_siblings = bool(self.id) and known is not None and known.stack == self.owner.stack
        return is_there or is_siblings or truth(self.properties, "Adopt")


def request_of(event: Mapping[str, Any], seconds: float) -> Request:
    """The event with logins that wait for a paused cluster as long as the function lives."""
    # Only DataApi repeats a statement: it knows which may be. A statement of the Data API takes at most 45 s.
    once = Config(connect_timeout=5, read_timeout=50, retries={"total_max_attempts": 1, "mode": "standard"})
    cluster_arn, client = os.environ["CLUSTER_ARN"], boto3.client("rds-data", config=once)
    secrets = boto3.client("secretsmanager", config=_PATIENT)

    def login(secret_arn: str) -> Execute:
        return DataApi(client, cluster_arn, secret_arn, wait_seconds=seconds).execute

    def secret(secret_id: str) -> Secret:
        answer = secrets.get_secret_value(SecretId=secret_id)
        return Secret(answer["ARN"], answer["Name"], *credentials(secret_id, answer.get("SecretString", "")))

    return Request(event, login(os.environ["MASTER_SECRET_ARN"]), login, secret, cluster_arn)


def credentials(secret_id: str, text: str) -> tuple[str, str]:
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
