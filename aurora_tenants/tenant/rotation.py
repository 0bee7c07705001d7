"""What the rotation of a user's secret has come to, and what may be done about one that cannot go on. Pure.

told(lines, version)                  Told(("createSecret", "setSecret"), "the cluster did not answer within 240 s")
put_off(secret, now)                  12:34:56, when it was rotated less than ten minutes before that
of_stuck(login)                       "take back"

Secrets Manager tells no step, only which version has which label. The function prints a line for each step that it
begins and for each that fails, with the version's id: its log is the only place that says them (lambdas/rotation.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from aurora_tenants.lambdas.password import FORCED, READERS_KEEP

# What each does, as it is shown.
STEPS = {
    "createSecret": "a new password is put into the secret, for nobody to read yet",
    "setSecret": "MySQL gets it, beside the one that works",
    "testSecret": "it logs in",
    "finishSecret": "readers of the secret get it",
}
# How long the function may run at most, as in cfn/shared.yml.
LONGEST_STEP = timedelta(minutes=5)
Ending = Literal["take back", "make current"]


class SecretState(NamedTuple):
    """What DescribeSecret says of a secret. current, pending: the ids of the versions that have these labels.

    pending: empty where none waits to become the current one. rotates: whether its rotation is on. rules: as AWS has
    them. changed: when anything of it was changed last, a label too. now: by AWS's clock.
    """

    name: str
    arn: str
    current: str
    pending: str
    rotates: bool
    function: str
    rules: Mapping[str, Any]
    rotated: datetime | None
    changed: datetime | None
    is_deleted: bool
    now: datetime


class Told(NamedTuple):
    """What the function has said of one version: the steps that it has begun, and why the last of them failed."""

    steps: tuple[str, ...] = ()
    failure: str = ""


class Login(NamedTuple):
    """What came of trying the versions of a secret; None where a refusal says nothing of the password.

    connections: how many the user has now.
    """

    current: bool | None
    pending: bool | None
    connections: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Login:
        """From what the function's step checkLogin returns."""
        return cls(answer["AWSCURRENT"], answer["AWSPENDING"], int(answer["connections"]))


def state_of(answer: Mapping[str, Any], now: datetime) -> SecretState:
    """From DescribeSecret's answer. Source: "DescribeSecret", AWS Secrets Manager API Reference."""
    stages = answer.get("VersionIdsToStages", {})
    current = next((version for version, names in stages.items() if "AWSCURRENT" in names), "")
    pending = next((version for version, names in stages.items() if "AWSPENDING" in names), "")
    return SecretState(
        answer["Name"],
        answer["ARN"],
        current,
        pending if pending != current else "",  # where the function leaves the label after a rotation
        rotates=bool(answer.get("RotationEnabled")),
        function=answer.get("RotationLambdaARN", ""),
        rules=answer.get("RotationRules", {}),
        rotated=answer.get("LastRotatedDate"),
        changed=answer.get("LastChangedDate"),
        is_deleted="DeletedDate" in answer,
        now=now,
    )


def new_version(*, is_forced: bool) -> str:
    """The id of a version that is to be made. is_forced: whatever readers may hold of the one before the current."""
    return f"{FORCED if is_forced else ''}{uuid.uuid4()}"


def is_forced(version: str) -> bool:
    """Whether a version was asked for with such an id."""
    return version.startswith(FORCED)


def put_off(secret: SecretState) -> datetime | None:
    """Until when the function begins no rotation, because it would end a password that readers may hold.

    None where nothing is known that is in the way: who wrote the secret, and when, only the function sees.
    """
    until = secret.rotated + READERS_KEEP if secret.rotated else None
    return until if until and until > secret.now else None


def may_run(secret: SecretState) -> datetime | None:
    """Until when a rotation that has begun may be under way; None for one that is not, or that waits to be tried again.

    Whatever the function does changes the secret, or ends with the function.
    """
    until = secret.changed + LONGEST_STEP if secret.pending and secret.changed else None
    return until if until and until > secret.now else None


def told(lines: Iterable[str], version: str) -> Told:
    """What the function's log says of a version. lines: those with its id, in their order."""
    steps, failure = list[str](), ""
    for line in lines:
        what, found, rest = line.partition(f", version {version}")
        step = what.partition(" of ")[0]
        if not found or step not in STEPS:
            continue
        if rest.startswith(" failed: "):
            failure = rest.removeprefix(" failed: ").strip()
            continue
        failure = ""
        if step not in steps:
            steps.append(step)
    return Told(tuple(steps), failure)


def of_stuck(login: Login) -> Ending:
    """How a rotation ends that cannot go on, so that a password that works stays in the secret.

    The version that waits becomes the current one only where its password works and the current one's does not, as when
    somebody has changed that in MySQL. Where nothing can be tried, the current one is what readers have had all along.
    """
    return "make current" if login.pending and login.current is False else "take back"
