"""One rotation of a user's secret: begins it, watches it, and asks the rotation function what only that can say.

version = begin(aws, secret, forced=False)
for told in watch(aws, secret, version): …        each time that more is known, and at the end
login = check_login(aws, function, secret.arn)    which versions log in

Every function raises AwsError. The caller needs no right to read a secret, and none to log in to MySQL: what needs that
the function does, which goes by the same rules as in a rotation.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.aws.clients import Aws, asking, is_denied
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.tenant.rotation import Login, SecretState, Told, new_version, state_of, told

# One step may last as long as its function, 300 s in cfn/shared.yml; a paused cluster is waited for in the second one.
# Without its log there is no telling whether it has failed.
_MOST_SECONDS, _MOST_SECONDS_UNTOLD = 400.0, 180.0
_POLL_SECONDS = 1.0
# How long a rotation is asked for that meets another one, of which nothing is left.
_BUSY_SECONDS = 30.0
# What CloudWatch Logs has not shown yet when a rotation is over, which is a success all the same.
_LAST_LOOK_SECONDS = 3.0
_ALLOW = "deploy the shared stack again, whose ApplyPolicy then allows it, and attach that policy"


class LogUnreadable(AwsError):
    """The function's log may not be read, so its steps and the reason of a failure are not known."""


def describe(aws: Aws, name: str) -> SecretState:
    """The secret as it is now, without any value."""
    with asking(f"look at secret {name}", if_denied=_ALLOW):
        answer = aws.client("secretsmanager").describe_secret(SecretId=name)
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return state_of(answer, parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC))


def begin(aws: Aws, secret: SecretState, function: str, days: int, *, forced: bool) -> tuple[str, bool]:
    """The id of the version that is being made, and whether it is new; if not, of a rotation that goes on.

    function, days: for a secret whose rotation is off, which RotateSecret turns on. Whoever does not want that turns it
    off again afterwards (`turn_off`).
    """
    client, token = aws.client("secretsmanager"), new_version(is_forced=forced)
    rules = secret.rules or {"AutomaticallyAfterDays": days}
    more = {} if secret.rotates else {"RotationLambdaARN": secret.function or function, "RotationRules": rules}
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        with asking(f"rotate secret {secret.name}", if_denied=_ALLOW):
            try:
                client.rotate_secret(SecretId=secret.arn, ClientRequestToken=token, **more)
            except (client.exceptions.InvalidRequestException, client.exceptions.ResourceExistsException) as error:
                now = describe(aws, secret.name)
                if token not in (now.pending, now.current):  # or the answer was lost, and the repetition meets its own
                    if "previous rotation" not in str(error) or (not now.pending and time.monotonic() > until):
                        raise
                    if now.pending:
                        return now.pending, False
                    time.sleep(_POLL_SECONDS)  # what was under way has just ended
                    continue
        return token, True


def turn_off(aws: Aws, secret: SecretState) -> None:
    """Turns off a rotation that was on for one time alone."""
    with asking(f"turn off the rotation of secret {secret.name}", if_denied=_ALLOW):
        aws.client("secretsmanager").cancel_rotate_secret(SecretId=secret.arn)


def events(aws: Aws, secret: SecretState, version: str) -> Mapping[str, str]:
    """The lines about a version in the log of the function that rotates a secret, by their ids, in their order.

    Raises LogUnreadable where the caller may not read it, or where there is none.
    """
    client, group = aws.client("logs"), f"/aws/lambda/{secret.function.rpartition(':')[2]}"
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=f'"{version}"')
        return {event["eventId"]: event["message"] for page in pages for event in page["events"]}
    except ClientError as error:
        if is_denied(error) or error.response["Error"]["Code"] == "ResourceNotFoundException":
            fix = "allow logs:FilterLogEvents on it, as ApplyPolicy does once the shared stack is deployed again"
            what = f"the log {group} cannot be read, so the steps of the rotation are not known"
            raise LogUnreadable(Problem("log-unreadable", what, fix=fix)) from error
        with asking(f"read the log {group}"):
            raise


def watch(
    aws: Aws, secret: SecretState, version: str, before: Collection[str], *, has_log: bool
) -> Iterator[tuple[Told, bool]]:
    """What the function has told of a rotation, each time that it is more, and whether the version is current now.

    Ends when it is, when a step has failed, when the version is gone, or after some minutes. before: the ids of events
    of an earlier attempt.
    """
    until = time.monotonic() + (_MOST_SECONDS if has_log else _MOST_SECONDS_UNTOLD)
    last, ends = Told(), 0.0
    while True:
        state = describe(aws, secret.name)
        is_current, is_gone = state.current == version, version not in (state.current, state.pending)
        if has_log:
            lines = [line for event, line in events(aws, secret, version).items() if event not in before]
            now = told(lines, version)
            if now != last:
                last = now
                yield now, is_current
        is_whole = not has_log or "finishSecret" in last.steps
        ends = ends or (time.monotonic() + _LAST_LOOK_SECONDS if is_current else 0.0)
        if (is_current and (is_whole or time.monotonic() > ends)) or (last.failure and not is_current) or is_gone:
            yield last, is_current
            return
        if time.monotonic() > until:
            yield last, False
            return
        time.sleep(_POLL_SECONDS)


def check_login(aws: Aws, function: str, secret: SecretState) -> Login:
    """Which versions of a secret log in, as the function finds out. Wakes a paused cluster."""
    return Login.of(_invoke(aws, function, "checkLogin", secret))


def discard_old(aws: Aws, function: str, secret: SecretState) -> None:
    """Leaves the accounts of a secret no other password than its current one."""
    _invoke(aws, function, "discardOld", secret)


def _invoke(aws: Aws, function: str, step: str, secret: SecretState) -> dict[str, Any]:
    """What the function returns. Raises AwsError with its own sentence."""
    event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": str(uuid.uuid4())}
    with asking(f"invoke function {function.rpartition(':')[2]}", if_denied=_ALLOW):
        answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        found: dict[str, Any] = json.loads(answer["Payload"].read() or b"null") or {}
    if "FunctionError" in answer:
        log = f"/aws/lambda/{function.rpartition(':')[2]}"
        raise AwsError(Problem("function-failed", str(found.get("errorMessage", step)), f"{step} failed; see {log}"))
    return found


def take_back(aws: Aws, secret: SecretState) -> None:
    """Takes the label AWSPENDING from the version that waits, so that another rotation may begin."""
    _move(aws, secret, VersionStage="AWSPENDING", RemoveFromVersionId=secret.pending)


def make_current(aws: Aws, secret: SecretState) -> None:
    """Has readers get the version that waits, as the last step of a rotation does."""
    _move(
        aws,
        secret,
        VersionStage="AWSCURRENT",
        MoveToVersionId=secret.pending,
        RemoveFromVersionId=secret.current,
    )
    take_back(aws, secret)


def _move(aws: Aws, secret: SecretState, **labels: str) -> None:
    with asking(f"end the rotation of secret {secret.name}", if_denied=_ALLOW):
        aws.client("secretsmanager").update_secret_version_stage(SecretId=secret.arn, **labels)
