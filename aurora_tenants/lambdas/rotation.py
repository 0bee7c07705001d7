"""The function that rotates a user's password: Secrets Manager's four steps, through the Data API.

step           does                                                          run again
createSecret   stores the current secret with a new password as AWSPENDING    keeps what is stored
setSecret      gives every account of the user that password beside its own   ends with the same two passwords
testSecret     logs in with it                                               logs in again
finishSecret   makes AWSPENDING current                                      is done already

An account keeps two passwords, the new one and the one before it, so nobody who still holds the old one is locked
out. Whose password is changed follows from the current secret and from what MySQL itself says about who owns the
account, never from the version that is being made: whoever can write a secret could otherwise take over any account.

A login through the Data API comes from a host that nobody knows, and without a certificate of the client's. Where a
refusal would say nothing for that reason (password.is_told_by_login), the success of ALTER USER has to be enough.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.password import accounts_of, give_password, is_told_by_login, takes
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import Execute, read_users
from aurora_tenants.mysql.state import User

# What it takes to clean up after the last statement, before Lambda ends the function.
_RESERVE_SECONDS = 20.0
# A secret that was just made is not everywhere yet.
_LOGIN_ATTEMPTS = 6
_LOGIN_PAUSE_SECONDS = 2.0


class Rotation(NamedTuple):
    """One version of one secret that is being made. token: the version's id. about: DescribeSecret's answer.

    secrets: a boto3 client. execute: runs statements as the master. login: gives an `execute` for a secret's user.
    prefix: of all secrets that this function rotates.
    """

    secrets: Any
    about: Mapping[str, Any]
    token: str
    prefix: str
    execute: Execute
    login: Callable[[str], Execute]

    @property
    def name(self) -> str:
        return str(self.about["Name"])

    def value(self, stage: str, **version: str) -> dict[str, Any]:
        """The JSON of one version, which has a username and a password. Raises ValueError without showing any of it."""
        text = self.secrets.get_secret_value(SecretId=self.name, VersionStage=stage, **version)["SecretString"]
        try:
            value = dict(json.loads(text))
            if isinstance(value["username"], str) and isinstance(value["password"], str):
                return value
        except (ValueError, TypeError, KeyError):
            pass
        raise ValueError(f"secret {self.name} is not JSON with a username and a password")

    def pending(self) -> dict[str, Any]:
        """The version that is made. Raises ValueError when it is not about the same user as the current one."""
        pending = self.value("AWSPENDING", VersionId=self.token)
        if pending["username"] != self.value("AWSCURRENT")["username"]:
            raise ValueError(f"the new version of secret {self.name} names another user than the current one")
        return pending


def handler(event: Mapping[str, str], context: Any) -> None:
    """Does one step. Raises an error of one sentence that holds nothing secret; Secrets Manager tries again later."""
    step, token, prefix = event["Step"], event["ClientRequestToken"], os.environ["SECRET_PREFIX"]
    print(f"{step} of {event['SecretId']}")  # noqa: T201 - the function's log
    secrets = boto3.client("secretsmanager")
    about = secrets.describe_secret(SecretId=event["SecretId"])
    if is_done(about, token, prefix):
        return
    # Only DataApi repeats a statement: it knows which may be. A statement of the Data API takes at most 45 s.
    once = Config(connect_timeout=5, read_timeout=50, retries={"total_max_attempts": 1, "mode": "standard"})
    client = boto3.client("rds-data", config=once)

    def login(secret_arn: str) -> Execute:
        """Waits while a paused cluster wakes, as long as the function lives."""
        seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
        return DataApi(client, os.environ["CLUSTER_ARN"], secret_arn, wait_seconds=seconds).execute

    _STEPS[step](Rotation(secrets, about, token, prefix, login(os.environ["MASTER_SECRET_ARN"]), login))


def is_done(about: Mapping[str, Any], token: str, prefix: str) -> bool:
    """Whether the version is current already. Raises ValueError when this function has no business with it."""
    name, stages = about["Name"], about["VersionIdsToStages"].get(token, ())
    if not name.startswith(prefix):
        raise ValueError(f"secret {name} is not one of {prefix}*, which this function rotates")
    if not about.get("RotationEnabled"):
        raise ValueError(f"rotation of secret {name} is off")
    if not {"AWSCURRENT", "AWSPENDING"} & {*stages}:
        raise ValueError(f"version {token} of secret {name} is not being rotated")
    return "AWSCURRENT" in stages


def create_secret(rotation: Rotation) -> None:
    """Stores the current value with another password as AWSPENDING, once."""
    secrets = rotation.secrets
    current = rotation.value("AWSCURRENT")
    try:
        secrets.get_secret_value(SecretId=rotation.name, VersionStage="AWSPENDING", VersionId=rotation.token)
    except secrets.exceptions.ResourceNotFoundException:
        # Letters and digits alone: nothing that SQL, a shell or a connection URL would take for its own.
        password = secrets.get_random_password(PasswordLength=32, ExcludePunctuation=True)["RandomPassword"]
        secrets.put_secret_value(
            SecretId=rotation.name,
            ClientRequestToken=rotation.token,
            SecretString=json.dumps(current | {"password": password}),
            VersionStages=["AWSPENDING"],
        )


def set_secret(rotation: Rotation) -> None:
    """Gives the user's accounts the new password; the one they had goes on working."""
    pending = rotation.pending()
    name, accounts = pending["username"], _accounts(rotation, pending["username"])
    if not accounts:
        raise ValueError(f"MySQL has no user {name} with a password that was made from secret {rotation.name}")
    if len(accounts) == 1 and can_login(rotation, pending):
        return
    # The one that readers hold first: RETAIN keeps what was set last, perhaps by a rotation that was cancelled, or by
    # this one when it is tried again. Another plugin than the account's own would drop the old password.
    for account in accounts:
        for login in (rotation.value("AWSCURRENT"), pending):
            try:
                give_password(rotation.execute, account, login["password"], retain=login is pending)
            except DatabaseError as error:
                if not error.number:
                    raise
                # MySQL quotes the statement in some of its errors, and with it the password.
                who = f"user {name}" if account.account.host == "%" else f"user {name}@{account.account.host}"
                raise ValueError(f"MySQL refused a new password for {who} ({error.number})") from None


def test_secret(rotation: Rotation) -> None:
    """A real login. Secrets Manager also asks for it when a schedule is made, with a copy of the current value."""
    pending = rotation.pending()
    if not can_login(rotation, pending) and _is_told(rotation, pending["username"]):
        raise ValueError(f"MySQL does not take the new password of user {pending['username']}")


def _accounts(rotation: Rotation, name: str) -> list[User]:
    """The accounts that take their password from this secret."""
    users, _ = read_users(rotation.execute, name, has_owners=True)
    return accounts_of(users.values(), rotation.name)


def _is_told(rotation: Rotation, name: str) -> bool:
    """Whether a refused login means a wrong password; it does, too, where there is nobody to log in."""
    users, _ = read_users(rotation.execute, name, has_owners=True)
    accounts = accounts_of(users.values(), rotation.name)
    return not accounts or (len(accounts) == len(users) and is_told_by_login(accounts))


def finish_secret(rotation: Rotation) -> None:
    """Makes the new version the one that readers get."""
    stages = rotation.about["VersionIdsToStages"]
    rotation.secrets.update_secret_version_stage(
        SecretId=rotation.name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=rotation.token,
        RemoveFromVersionId=next(version for version in stages if "AWSCURRENT" in stages[version]),
    )


_STEPS = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}


def can_login(rotation: Rotation, login: Mapping[str, str]) -> bool:
    """Whether MySQL takes this password. The Data API reads current versions alone, so it gets a secret of its own.

    Its name is never used twice: Secrets Manager takes a while to forget a deleted one.
    """
    value = json.dumps({"username": login["username"], "password": login["password"]})
    name = f"{rotation.prefix}rotation-test/{rotation.token}-{uuid.uuid4().hex[:8]}"
    arn = rotation.secrets.create_secret(Name=name, SecretString=value)["ARN"]
    try:
        return _takes(rotation.login(arn))
    finally:
        rotation.secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def _takes(execute: Execute, attempts: int = _LOGIN_ATTEMPTS) -> bool:
    try:
        return takes(execute)
    except DatabaseError as error:
        if error.code != "SecretsErrorException" or attempts == 1:
            raise
        time.sleep(_LOGIN_PAUSE_SECONDS)
        return _takes(execute, attempts - 1)
