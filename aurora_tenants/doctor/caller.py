"""Who calls, by which clock, and what the caller may do. Pure.

policy_source("arn:aws:sts::1:assumed-role/ci/x")    "arn:aws:iam::1:role/ci": IAM simulates roles, not their sessions
needed(place)                                        what each command needs, in groups that IAM simulates at once
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aurora_tenants.doctor.finding import Unread, Verdict, ok, problem, warning

# A signature is only good for so long. ("Troubleshoot Signature Version 4 errors", IAM User Guide)
SIGNATURE_SECONDS = 300
_CLOSE_SECONDS = 60
_POLICIES = "attach the managed policies of the shared stack's outputs PlanPolicy and ApplyPolicy to it"


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


@dataclass(frozen=True, slots=True)
class Need:
    """Actions on one resource, and the context that conditions may ask for. command: what needs them."""

    command: str
    resource: str
    actions: tuple[str, ...]
    context: Mapping[str, str] = field(default_factory=dict, compare=False)


class Denial(NamedTuple):
    """An action that the caller may not take. by: "organization", "boundary", or empty for a missing permission."""

    command: str
    action: str
    resource: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the resources are that permissions are about; empty what is not there before the first deployment."""

    partition: str
    region: str
    account: str
    stack: str
    cluster_arn: str = ""
    inspector_secret: str = ""
    role_arn: str = ""
    dead_letters: str = ""

    def arn(self, service: str, rest: str, *, is_global: bool = False) -> str:
        return f"arn:{self.partition}:{service}:{'' if is_global else self.region}:{self.account}:{rest}"


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the simulation found. asked: the commands that it was about."""

    asked: tuple[str, ...]
    denials: tuple[Denial, ...] = ()


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


def needed(place: Place) -> tuple[Need, ...]:
    """What plan, apply and pause-schedule need once the shared stack is there, and what its deployment needs."""
    of_use = (*_of_plan(place), *_of_apply(place)) if place.cluster_arn else ()
    return (*of_use, *_of_deployment(place))


def _of_plan(place: Place) -> Iterator[Need]:
    tenants = place.arn("cloudformation", f"stack/{place.stack}-x/x")
    yield Need("plan", place.cluster_arn, ("rds-data:ExecuteStatement", "rds:DescribeDBClusters"))
    if place.inspector_secret:
        yield Need("plan", place.inspector_secret, ("secretsmanager:GetSecretValue",))
    yield Need("plan", "*", ("cloudformation:DescribeStacks",))
    yield Need("plan", tenants, ("cloudformation:GetTemplate", "cloudformation:DescribeStackEvents"))


def _of_apply(place: Place) -> Iterator[Need]:
    tenants = place.arn("cloudformation", f"stack/{place.stack}-x/x")
    verbs = ("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DeleteStack")
    yield Need("apply", tenants, tuple(f"cloudformation:{verb}" for verb in verbs))
    if place.role_arn:
        yield Need("apply", place.role_arn, ("iam:PassRole",), {"iam:PassedToService": "cloudformation.amazonaws.com"})
    schedules = place.arn("scheduler", f"schedule/{place.stack}-pause-schedule/x")
    yield Need("pause-schedule", place.cluster_arn, ("rds:ModifyDBCluster",))
    yield Need("pause-schedule", "*", ("scheduler:ListSchedules",))
    yield Need("pause-schedule", schedules, ("scheduler:GetSchedule",))
    if place.dead_letters:
        yield Need("pause-schedule", place.dead_letters, ("sqs:GetQueueAttributes",))


def _of_deployment(place: Place) -> Iterator[Need]:
    """Names that CloudFormation makes begin with the stack's, so a policy for `shared-global-*` is enough."""
    command, name = "shared deploy", f"{place.stack}-x"
    function = place.arn("lambda", f"function:{place.stack}-database-provider")
    role = place.arn("iam", f"role/{name}", is_global=True)
    policy = place.arn("iam", f"policy/{name}", is_global=True)
    stack = place.arn("cloudformation", f"stack/{place.stack}/x")
    verbs = ("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DescribeStackEvents")
    yield Need(command, stack, tuple(f"cloudformation:{verb}" for verb in verbs))
    yield Need(command, "*", ("cloudformation:GetTemplateSummary",))
    yield Need(command, place.arn("ec2", "vpc/vpc-x"), ("ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateSecurityGroup"))
    yield Need(command, place.arn("rds", f"subgrp:{name}"), ("rds:CreateDBSubnetGroup",))
    yield Need(command, place.arn("rds", f"cluster:{name}"), ("rds:CreateDBCluster",))
    yield Need(command, place.arn("rds", f"db:{name}"), ("rds:CreateDBInstance",))
    yield Need(command, role, ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"))
    yield Need(command, role, ("iam:PassRole",), {"iam:PassedToService": "lambda.amazonaws.com"})
    yield Need(command, policy, ("iam:CreatePolicy",))
    yield Need(command, function, ("lambda:CreateFunction", "lambda:AddPermission", "lambda:InvokeFunction"))
    secret = place.arn("secretsmanager", f"secret:/{place.stack}/database/x")
    yield Need(command, secret, ("secretsmanager:CreateSecret", "secretsmanager:RotateSecret"))
    yield Need(command, place.arn("scheduler", f"schedule-group/{name}"), ("scheduler:CreateScheduleGroup",))
    yield Need(command, place.arn("sqs", name), ("sqs:CreateQueue",))
    logs = place.arn("logs", f"log-group:/aws/lambda/{place.stack}-database-provider")
    yield Need(command, logs, ("logs:CreateLogGroup", "logs:PutRetentionPolicy"))


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
        why = "the call was answered all the same, as a sandbox does whose clock was moved; AWS would refuse it"
        yield warning(found, why, fix)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def check_plan(permissions: Permissions) -> Iterator[Verdict]:
    yield from _may(permissions, "plan", problem, _POLICIES)


def check_apply(permissions: Permissions) -> Iterator[Verdict]:
    """A warning only: whoever plans on a pull request should not be able to apply."""
    yield from _may(permissions, "apply", warning, _POLICIES, also="pause-schedule")


def check_deployment(permissions: Permissions) -> Iterator[Verdict]:
    """Once the shared stack is there, few have to be able to deploy it."""
    is_first = "plan" not in permissions.asked
    verdict = problem if is_first else warning
    yield from _may(permissions, "shared deploy", verdict, "allow it, or have an administrator run `shared deploy`")


def _may(permissions: Permissions, command: str, verdict: object, fix: str, also: str = "") -> Iterator[Verdict]:
    assert callable(verdict)
    denials = [each for each in permissions.denials if each.command in (command, also)]
    commands, needs = (f"{command} and {also}", "need") if also else (command, "needs")
    if not denials:
        yield ok(f"the caller's policies allow what {commands} {needs}")
        return
    if all(each.by for each in denials):
        whose = "the organization's policies" if denials[0].by == "organization" else "its permissions boundary"
        fix = f"ask whoever looks after {whose}"
    found = f"{commands} {needs} what the caller may not do: {_listed(denials)}"
    yield verdict(found, "as IAM simulates the caller's policies", fix)


def _listed(denials: Sequence[Denial]) -> str:
    named = [
        f"{each.action} on {each.resource}" + (f" (forbidden by {each.by})" if each.by else "") for each in denials
    ]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return ", ".join(named[:3]) + more


def not_simulated(caller: Caller) -> Unread:
    """For callers that IAM has no policies of."""
    if caller.is_root:
        return Unread(
            "what root may do is not simulated: no policy but the organization's stops it", "use a role instead"
        )
    fix = "run doctor as the user or role that will deploy"
    return Unread(f"IAM cannot simulate what {caller.arn} may do: it simulates users and roles", fix)
