"""An event from CloudFormation with what is needed to handle it: its properties, a secret, logins to MySQL."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from aurora_tenants.lambdas.password import hashes_of
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.hashing import Hashes
from aurora_tenants.mysql.live import Execute
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.properties import other_stack, text, truth

_LEAST_SECONDS = 1.0
_PATIENT = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 8})
# Only DataApi repeats a statement: it knows which may be. A statement of the Data API takes at most 45 s.
_ONCE = Config(connect_timeout=5, read_timeout=50, retries={"mode": "standard", "total_max_attempts": 1})


class Resource(NamedTuple):
    """A resource as it is reported to CloudFormation. data: what Fn::GetAtt returns."""

    physical_id: str
    data: dict[str, str]


class Secret(NamedTuple):
    """A user's secret. name: without the six random characters at the end of its ARN. password: its hashes."""

    arn: str
    name: str
    user: str
    password: Hashes


class Request(NamedTuple):
    """An event with what is needed to handle it. login: makes an `execute` from the ARN of a user's secret.

    ends: until when there is time for the work, by time.monotonic.
    """

    event: Mapping[str, Any]
    execute: Execute
    login: Callable[[str], Execute]
    secret: Callable[[str], Secret]
    cluster_arn: str
    ends: float

    @property
    def properties(self) -> Mapping[str, Any]:
        properties: Mapping[str, Any] = self.event["ResourceProperties"]
        return properties

    @property
    def owner(self) -> Owner:
        """This resource of this stack. A stack that is deleted and created again has the same name, but another id."""
        stack, stack_id = stack_of(self.event)
        return Owner(stack, self.event["LogicalResourceId"], stack_id=stack_id)

    @property
    def id(self) -> str:
        """The physical id that the resource has now; empty before it is created."""
        return str(self.event.get("PhysicalResourceId", ""))

    @property
    def reports_refusals(self) -> bool:
        """Whether what cannot be done for a user is reported as its attribute Refused, and fails no stack."""
        return self.text("OnRefusal") == "report"

    @property
    def moved_from(self) -> str:
        """The stack that something is to come from; empty for none. Raises ValueError for what cannot be one."""
        return other_stack(self.properties, "MovedFrom", self.owner.stack)

    @property
    def given_back_to(self) -> str:
        """In a Delete, the stack that offers again what came from it, because what took it is rolled back: `name/id`.

        The name alone where that stack is gone. Empty where the resource is really deleted, which only CloudFormation
        knows.
        """
        moved_from = self.text("MovedFrom")
        if not moved_from:
            return ""
        client = client_of("cloudformation")
        (stack,) = client.describe_stacks(StackName=self.event["StackId"])["Stacks"]
        if "ROLLBACK" not in stack["StackStatus"]:
            return ""
        try:
            (giver,) = client.describe_stacks(StackName=moved_from)["Stacks"]
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return moved_from
        return "/".join(stack_of(giver))

    def text(self, name: str) -> str:
        """A property as text: CloudFormation sends every scalar as a string."""
        return text(self.properties, name)

    def has_made_again(self, secret: Secret) -> bool:
        """Whether a user's secret was deleted and made again under its name, which shows in its ARN.

        Where the properties before held no ARN, the physical id does: that of the user's first secret of this name.
        """
        before = text(self.event.get("OldResourceProperties", {}), "SecretId")
        before = before if secret_name(before) else self.id
        return secret_name(before) == secret.name and before != secret.arn

    def may_adopt(self, known: Owner | None, *, is_same: bool) -> bool:
        """Whether something may be taken over. known: its owner. is_same: the resource has been this thing before.

        An Update may be part of a rollback. The stack would be stuck if it were refused something that has lost its
        owner, or that another resource of the stack has taken over in the meantime.
        """
        is_siblings = bool(self.id) and known is not None and known.is_of(self.owner)
        return is_same or is_siblings or truth(self.properties, "Adopt")


@cache
def client_of(service: str) -> Any:
    """A boto3 client, made once for all events that this process serves: making one takes longer than a statement.

    A connection that has ended between two events is lost in the first call, which reads, and so is repeated.
    """
    return boto3.client(service, config=_ONCE if service == "rds-data" else _PATIENT)


def stack_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """The name and the id of an event's stack."""
    _, name, stack_id = event["StackId"].split("/")
    return name, stack_id


def secret_name(arn: str) -> str:
    """The name in a secret's ARN, without the six characters that Secrets Manager adds; empty for another id."""
    return arn.partition(":secret:")[2][:-7]


def is_shared_stack(stack: str) -> bool:
    """Whether this function belongs to the stack of this name."""
    return f"{stack}-database-provider" == os.environ["AWS_LAMBDA_FUNCTION_NAME"]


def logins(deadline: float) -> Callable[[str], Execute]:
    """What makes an `execute` from a secret's ARN. deadline: until when it may wait, by time.monotonic."""
    cluster_arn, client = os.environ["CLUSTER_ARN"], client_of("rds-data")
    return lambda secret_arn: DataApi(client, cluster_arn, secret_arn, wait_seconds=math.inf, deadline=deadline).execute


def request_of(event: Mapping[str, Any], seconds: float) -> Request:
    """The event with logins that wait for a cluster as long as the function lives."""
    # Before the work is interrupted, so that the reason of the wait can still be told.
    ends = time.monotonic() + seconds - _LEAST_SECONDS
    login = logins(ends)
    secrets = client_of("secretsmanager")

    def secret(secret_id: str) -> Secret:
        try:
            answer = secrets.get_secret_value(SecretId=secret_id)
        except secrets.exceptions.ResourceNotFoundException:
            # A rollback names one that is gone for good, and has been made again.
            if not secret_name(secret_id):
                raise
            answer = secrets.get_secret_value(SecretId=secret_name(secret_id))
        return _secret_of(secret_id, answer, answer.get("SecretString", ""))

    return Request(event, login(os.environ["MASTER_SECRET_ARN"]), login, secret, os.environ["CLUSTER_ARN"], ends)


def with_user(secret: Secret, user: str) -> Secret:
    """Writes this name into the secret, whose JSON is otherwise kept as it is by now, and returns the secret."""
    client = client_of("secretsmanager")
    answer = client.get_secret_value(SecretId=secret.arn)
    value = json.loads(answer["SecretString"])
    text = json.dumps(value | {"username": user})
    if value["username"] != user:
        answer = client.put_secret_value(SecretId=secret.arn, SecretString=text)
    return _secret_of(secret.arn, answer, text)


def _secret_of(secret_id: str, answer: Mapping[str, Any], text: str) -> Secret:
    """answer: of Secrets Manager, about this value of a secret."""
    version = f"{answer['ARN']} {answer['VersionId']}"
    return Secret(answer["ARN"], answer["Name"], *credentials(secret_id, text, version))


def credentials(secret_id: str, text: str, version: str = "") -> tuple[str, Hashes]:
    """The user's name and the password's hashes, from a secret's JSON. Raises ValueError without showing any of it.

    version: see hashes_of.
    """
    try:
        value = json.loads(text)
        name, password = value["username"], value["password"]
    except (ValueError, KeyError, TypeError):
        name = password = None
    if not (isinstance(name, str) and isinstance(password, str) and password):
        raise ValueError(f"secret {secret_id} is not JSON with a username and a password")
    return name, hashes_of(secret_id, password, version)
