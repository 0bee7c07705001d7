"""The function that rotates a user's password: Secrets Manager's four steps, through the Data API.

step           does                                                          run again
createSecret   stores the current secret with a new password as AWSPENDING    keeps what is stored
setSecret      gives every account of the user that password beside its own   ends with the same two passwords
testSecret     logs in with it                                               logs in again
finishSecret   makes AWSPENDING current                                      is done already

Two steps more are for whoever invokes the function, `aurora-tenants rotate`, and are part of no rotation:

checkLogin     says which versions of the secret log in, and nothing of what is in them
discardOld     leaves the user's accounts no password but the secret's current one

An account keeps two passwords, the new one and the one before it, so that nobody who still uses the old one is locked
out. A rotation ends the one before these; as long as readers may hold that, createSecret begins none unless it is
forced (`require_rest`). Which accounts are changed follows from the current version of the secret and from the table of
owners in MySQL, never from the pending version: otherwise whoever can write a secret could take over any account.

A login through the Data API comes from a host that nobody knows, and without a client certificate. Where a refusal
means nothing for that reason (password.login_is_conclusive), the success of ALTER USER has to be enough.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.ownership import until_heard
from aurora_tenants.lambdas.password import (
    FORCED,
    READERS_KEEP,
    accepts_login,
    accounts_of,
    connections_of,
    give_only_password,
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


def handler(event: Mapping[str, str], context: Any) -> dict[str, Any] | None:
    """Does one step. Raises an error, a sentence without anything secret; Secrets Manager then tries again later."""
    step, token, prefix = event["Step"], event["ClientRequestToken"], os.environ["SECRET_PREFIX"]
    what = f"{step} of {event['SecretId']}, version {token}"
    print(what)  # noqa: T201 - the function's log, where aws/rotation.py looks for these lines
    try:
        secrets = boto3.client("secretsmanager")
        description = secrets.describe_secret(SecretId=event["SecretId"])
        if not description["Name"].startswith(prefix):
            raise ValueError(
                f"this function rotates only secrets whose name begins with {prefix}, not {description['Name']}"
            )
        if step in _STEPS and is_done(description, token):
            return None
        login = logins(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
        rotation = Rotation(secrets, description, token, prefix, login(os.environ["MASTER_SECRET_ARN"]), login)
        found: dict[str, Any] | None = {**_STEPS, **_OTHERS}[step](rotation)
        return found
    except Exception as error:
        # The message of any other might hold a secret.
        is_sentence = isinstance(error, DatabaseError | ClientError | ValueError)
        print(f"{what} failed: {error if is_sentence else type(error).__name__}")  # noqa: T201
        raise


def is_done(description: Mapping[str, Any], token: str) -> bool:
    """Whether the version is current already. Raises ValueError when it must not become that."""
    name, stages = description["Name"], description["VersionIdsToStages"].get(token, ())
    if description.get("RotationEnabled") is False:  # Secrets Manager may say nothing of it
        raise ValueError(f"rotation of secret {name} is off")
    if not {"AWSCURRENT", "AWSPENDING"} & {*stages}:
        raise ValueError(f"version {token} of secret {name} is not being rotated")
    return "AWSCURRENT" in stages


def create_secret(rotation: Rotation) -> None:
    """Stores the current value with another password as AWSPENDING, once.

    Raises ValueError for one that is stored and cannot become current, and then the next rotation begins with another;
    and as long as readers may hold the password that this rotation would end.
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
        require_rest(rotation)
        # Only letters and digits: nothing that has a meaning in SQL, a shell or a connection URL.
        password = secrets.get_random_password(PasswordLength=32, ExcludePunctuation=True)["RandomPassword"]
        secrets.put_secret_value(
            SecretId=rotation.name,
            ClientRequestToken=rotation.token,
            SecretString=json.dumps(current | {"password": password}),
            VersionStages=["AWSPENDING"],
        )


def require_rest(rotation: Rotation) -> None:
    """Raises ValueError, which says until when, if readers may still hold the password before the current one.

    That is one that a rotation has replaced, or whoever else has written the secret; what an attachment writes has the
    same password. LastRotatedDate is when the current one became that: it was made before.
    """
    secrets, name = rotation.secrets, rotation.name
    current = secrets.get_secret_value(SecretId=name)
    changed = [rotation.description.get("LastRotatedDate")]
    try:
        if rotation.value("AWSPREVIOUS")["password"] != rotation.value("AWSCURRENT")["password"]:
            changed.append(current["CreatedDate"])
    except (ValueError, secrets.exceptions.ResourceNotFoundException):
        pass
    date = current["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    ends = max((each + READERS_KEEP for each in changed if each), default=now)
    if ends > now and not rotation.token.startswith(FORCED):
        raise ValueError(
            f"the password of secret {name} has changed a moment ago, and another rotation before"
            f" {ends.astimezone(UTC):%H:%M:%S} UTC would end the one before it, which readers may hold for 10 minutes"
        )


def set_secret(rotation: Rotation) -> None:
    """Gives the user's accounts the new password; the one they had keeps working."""
    pending = rotation.pending()
    name = pending["username"]
    accounts = _accounts(rotation, name)
    if len(accounts) == 1 and can_login(rotation, pending):
        return
    both = [hashes_of(rotation.name, value["password"]) for value in (rotation.value("AWSCURRENT"), pending)]
    for account in accounts:
        until_heard(partial(_give_both, rotation.execute, account, *both))


def _accounts(rotation: Rotation, name: str) -> list[User]:
    """Those of the user whose password comes from the secret. Raises ValueError where there is none."""
    accounts = accounts_of(_users(rotation, name), rotation.name)
    if not accounts:
        raise ValueError(f"MySQL has no user {name} whose password comes from secret {rotation.name}")
    return accounts


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
    """Makes the new version the current one.

    And nothing else: as soon as somebody writes the secret, a version that is left with AWSPENDING would look like one
    of a rotation that has not ended, and Secrets Manager would make it current again.
    """
    stages = rotation.description["VersionIdsToStages"]
    current = next(version for version in stages if "AWSCURRENT" in stages[version])
    move = partial(rotation.secrets.update_secret_version_stage, SecretId=rotation.name)
    move(VersionStage="AWSCURRENT", MoveToVersionId=rotation.token, RemoveFromVersionId=current)
    move(VersionStage="AWSPENDING", RemoveFromVersionId=rotation.token)


def check_login(rotation: Rotation) -> dict[str, Any]:
    """Which of the current and the pending version log in, None where a refusal says nothing, and how many connections
    the user has.
    """
    name = rotation.value("AWSCURRENT")["username"]
    _accounts(rotation, name)
    refused = False if _is_conclusive(rotation, name) else None
    found: dict[str, Any] = {"connections": connections_of(rotation.execute, name)}
    for stage in ("AWSCURRENT", "AWSPENDING"):
        try:
            value = rotation.value(stage)
            found[stage] = (value["username"] == name and can_login(rotation, value)) or refused
        except (ValueError, rotation.secrets.exceptions.ResourceNotFoundException):
            found[stage] = False  # there is none, or none that anybody could log in with
    return found


def discard_old(rotation: Rotation) -> None:
    """Ends every other password than the current one. Raises ValueError while a rotation is under way."""
    stages = rotation.description["VersionIdsToStages"].values()
    if any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages):
        raise ValueError(f"a rotation of secret {rotation.name} is under way")
    current = rotation.value("AWSCURRENT")
    password = hashes_of(rotation.name, current["password"])
    for account in _accounts(rotation, current["username"]):
        until_heard(partial(give_only_password, rotation.execute, account, password))


_STEPS: dict[str, Callable[[Rotation], Any]] = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}
_OTHERS: dict[str, Callable[[Rotation], Any]] = {"checkLogin": check_login, "discardOld": discard_old}


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
