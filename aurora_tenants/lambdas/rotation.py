"""The function that rotates a user's password: Secrets Manager's four steps, through the Data API.

step           does                                                          run again
createSecret   stores the current secret with a new password as AWSPENDING    keeps what is stored
setSecret      gives every account of the user that password beside its own   ends with the same two passwords
testSecret     logs in with it                                               logs in again
finishSecret   makes AWSPENDING current                                      is done already

An account keeps two passwords, the new one and the one before it, so that nobody who still uses the old one is locked
out. Which accounts are changed follows from the current version of the secret and from the table of owners in MySQL,
never from the pending version: otherwise whoever can write a secret could take over any account.

A login through the Data API comes from a host that nobody knows, and without a client certificate. Where a refusal
means nothing for that reason (password.login_is_conclusive), the success of ALTER USER has to be enough.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import boto3

from aurora_tenants.lambdas.ownership import until_heard
from aurora_tenants.lambdas.password import (
    accepts_login,
    accounts_of,
    give_password,
    hashes_of,
    login_is_conclusive,
)
from aurora_tenants.lambdas.request import logins
from aurora_tenants.mysql.hashing import Hashes
from aurora_tenants.mysql.live import Execute, read_users
from aurora_tenants.mysql.state import User

# The time for a last statement, which takes at most 45 s, and to clean up, before Lambda ends the function.
_RESERVE_SECONDS = 60.0


class Rotation(NamedTuple):
    """The rotation of one secret. token: the id of the new version. description: DescribeSecret's answer.

    secrets: a boto3 client. execute: runs statements as the master. login: makes an `execute` from a secret's ARN.
    prefix: of all secrets that this function rotates.
    """

    secrets: Any
    description: Mapping[str, Any]
    token: str
    prefix: str
    execute: Execute
    login: Callable[[str], Execute]

    @property
    def name(self) -> str:
        return str(self.description["Name"])

    def value(self, stage: str, **version: str) -> dict[str, Any]:
        """The JSON of one version, with a username and a password. Raises ValueError without showing any of it."""
        text = self.secrets.get_secret_value(SecretId=self.name, VersionStage=stage, **version)["SecretString"]
        try:
            value = dict(json.loads(text))
            if isinstance(value["username"], str) and isinstance(value["password"], str):
                return value
        except (ValueError, TypeError, KeyError):
            pass
        raise ValueError(f"secret {self.name} is not JSON with a username and a password")

    def pending(self) -> dict[str, Any]:
        """The new version. Raises ValueError when it names a different user than the current one."""
        pending = self.value("AWSPENDING", VersionId=self.token)
        if pending["username"] != self.value("AWSCURRENT")["username"]:
            raise ValueError(f"the new version of secret {self.name} names a different user than the current one")
        return pending


def handler(event: Mapping[str, str], context: Any) -> None:
    """Does one step. Raises an error, a sentence without anything secret; Secrets Manager then tries again later."""
    step, token, prefix = event["Step"], event["ClientRequestToken"], os.environ["SECRET_PREFIX"]
    print(f"{step} of {event['SecretId']}")  # noqa: T201 - the function's log
    secrets = boto3.client("secretsmanager")
    description = secrets.describe_secret(SecretId=event["SecretId"])
    if is_done(description, token, prefix):
        return
    login = logins(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
    _STEPS[step](Rotation(secrets, description, token, prefix, login(os.environ["MASTER_SECRET_ARN"]), login))


def is_done(description: Mapping[str, Any], token: str, prefix: str) -> bool:
    """Whether the version is current already. Raises ValueError when this function must not rotate the secret."""
    name, stages = description["Name"], description["VersionIdsToStages"].get(token, ())
    if not name.startswith(prefix):
        raise ValueError(f"this function rotates only secrets whose name begins with {prefix}, not {name}")
    if description.get("RotationEnabled") is False:  # Secrets Manager may say nothing of it
        raise ValueError(f"rotation of secret {name} is off")
    if not {"AWSCURRENT", "AWSPENDING"} & {*stages}:
        raise ValueError(f"version {token} of secret {name} is not being rotated")
    return "AWSCURRENT" in stages


def create_secret(rotation: Rotation) -> None:
    """Stores the current value with another password as AWSPENDING, once.

    Raises ValueError for one that is stored and cannot become current; the next rotation begins with another.
    """
    secrets = rotation.secrets
    current = rotation.value("AWSCURRENT")
    try:
        rotation.pending()
    except ValueError:
        # Secrets Manager would go on with it for ever, perhaps because its user has another name since.
        secrets.update_secret_version_stage(
            SecretId=rotation.name, VersionStage="AWSPENDING", RemoveFromVersionId=rotation.token
        )
        raise
    except secrets.exceptions.ResourceNotFoundException:
        # Only letters and digits: nothing that has a meaning in SQL, a shell or a connection URL.
        password = secrets.get_random_password(PasswordLength=32, ExcludePunctuation=True)["RandomPassword"]
        secrets.put_secret_value(
            SecretId=rotation.name,
            ClientRequestToken=rotation.token,
            SecretString=json.dumps(current | {"password": password}),
            VersionStages=["AWSPENDING"],
        )


def set_secret(rotation: Rotation) -> None:
    """Gives the user's accounts the new password; the one they had keeps working."""
    pending = rotation.pending()
    name = pending["username"]
    accounts = accounts_of(_users(rotation, name), rotation.name)
    if not accounts:
        raise ValueError(f"MySQL has no user {name} whose password comes from secret {rotation.name}")
    if len(accounts) == 1 and can_login(rotation, pending):
        return
    both = [hashes_of(rotation.name, value["password"]) for value in (rotation.value("AWSCURRENT"), pending)]
    for account in accounts:
        until_heard(partial(_give_both, rotation.execute, account, *both))


def _give_both(execute: Execute, account: User, current: Hashes, pending: Hashes) -> None:
    """The current password first: RETAIN keeps the last one that was set, which may come from a rotation that was
    cancelled, or from this one before it is retried. Another plugin than the account's would drop the old password.
    """
    give_password(execute, account, current, retain=False)
    give_password(execute, account, pending, retain=True)


def test_secret(rotation: Rotation) -> None:
    """A real login. Secrets Manager also runs this step when a rotation schedule is created, with the current value."""
    pending = rotation.pending()
    if not can_login(rotation, pending) and _is_conclusive(rotation, pending["username"]):
        raise ValueError(f"MySQL does not accept the new password of user {pending['username']}")


def _users(rotation: Rotation, name: str) -> Collection[User]:
    return read_users(rotation.execute, name, has_owners=True)[0].values()


def _is_conclusive(rotation: Rotation, name: str) -> bool:
    """Whether a refused login means a failed rotation: a wrong password, or no account that uses this secret."""
    users = _users(rotation, name)
    accounts = accounts_of(users, rotation.name)
    return not accounts or (len(accounts) == len(users) and login_is_conclusive(accounts))


def finish_secret(rotation: Rotation) -> None:
    """Makes the new version the current one."""
    stages = rotation.description["VersionIdsToStages"]
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
    """Whether MySQL accepts this password. The Data API reads current versions only, so it gets a secret of its own.

    The name of that secret is never used twice, because Secrets Manager takes a while to forget a deleted one.
    """
    value = json.dumps({"username": login["username"], "password": login["password"]})
    name = f"{rotation.prefix}rotation-test/{rotation.token}-{uuid.uuid4().hex[:8]}"
    arn = rotation.secrets.create_secret(Name=name, SecretString=value)["ARN"]
    try:
        return accepts_login(rotation.login(arn))
    finally:
        rotation.secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
