"""Who calls, and by which clock. Pure.

policy_source("arn:aws:sts::1:assumed-role/ci/x")    "arn:aws:iam::1:role/ci": IAM simulates roles, not their sessions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aurora_tenants.doctor.finding import Verdict, ok, problem, warning

# A signature is only good for so long. ("Troubleshoot Signature Version 4 errors", IAM User Guide)
SIGNATURE_SECONDS = 300
_CLOSE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Caller:
    """What STS says of the credentials. source: the ARN to simulate them by; empty if there is none."""

    arn: str
    account: str
    source: str = ""

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")


@dataclass(frozen=True, slots=True)
class Clock:
    """ahead_seconds: how far this machine's clock is ahead of AWS's. is_refused: AWS refused the call."""

    ahead_seconds: float
    is_refused: bool = False

    @property
    def is_too_far(self) -> bool:
        return abs(self.ahead_seconds) > SIGNATURE_SECONDS


def policy_source(arn: str) -> str:
    """The ARN by which IAM simulates a caller; without the path of a role, which a session's ARN does not have.

    Empty for root, whom no policy stops, for federated users, and for whatever else calls.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return ""
    _, partition, service, _, account, rest = parts
    if service == "iam" and rest.startswith("user/"):
        return arn
    if service == "sts" and rest.startswith("assumed-role/"):
        return f"arn:{partition}:iam::{account}:role/{rest.split('/')[1]}"
    return ""


def session_role(arn: str) -> str:
    """The name of the role whose session an ARN is of; empty for everybody else."""
    rest = arn.rpartition(":")[2]
    return rest.split("/")[1] if rest.startswith("assumed-role/") else ""


def check_credentials(caller: Caller) -> Iterator[Verdict]:
    if caller.is_root:
        why = "root cannot be restricted, and its keys cannot be told apart in a log"
        fix = "make a role with the permissions that are needed, and use that"
        yield warning(f"{caller.arn}, the root user of account {caller.account}", why, fix)
    else:
        yield ok(f"{caller.arn}, account {caller.account}")


def check_clock(clock: Clock) -> Iterator[Verdict]:
    seconds = abs(clock.ahead_seconds)
    behind = "ahead of" if clock.ahead_seconds > 0 else "behind"
    found = f"this machine's clock is {_duration(seconds)} {behind} AWS's"
    fix = "set the clock, for example with a time server: `timedatectl set-ntp true` on Linux"
    if seconds <= _CLOSE_SECONDS:
        yield ok("this machine's clock and AWS's agree to the minute")
    elif not clock.is_too_far:
        yield warning(found, "from five minutes on AWS refuses every call", fix)
    elif clock.is_refused:
        yield problem(found, "AWS refuses signatures that are more than five minutes off", fix)
    else:
        why = "this call was answered all the same, as a sandbox answers whatever the time is; AWS may refuse the next"
        yield warning(found, why, fix)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
