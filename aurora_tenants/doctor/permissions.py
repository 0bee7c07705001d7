"""What the caller may do, of what each command needs. Pure.

needed(place)                     what each command needs, in groups that IAM simulates at once
context(need, source, "eu-west-1")    what conditions may ask of the call that needs it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from aurora_tenants.doctor.caller import Caller
from aurora_tenants.doctor.finding import Unread, Verdict, ok, problem, warning
from aurora_tenants.naming import CLUSTER_TAG

Say: TypeAlias = Callable[[str, str, str], Verdict]  # found, why, fix

RDS_ROLE = "AWSServiceRoleForRDS"
# Where IAM is; elsewhere it is in the partition's own region.
_IAM_REGION = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_POLICIES = "attach the managed policies of the shared stack's outputs PlanPolicy and ApplyPolicy to it"


@dataclass(frozen=True, slots=True)
class Need:
    """Actions on one resource, and the context that conditions may ask for. command: what needs them.

    depends: what decides whether they are needed at all, where that could not be found out.
    """

    command: str
    resource: str
    actions: tuple[str, ...]
    context: Mapping[str, str] = field(default_factory=dict, compare=False)
    depends: tuple[str, ...] = ()


class Denial(NamedTuple):
    """An action that the simulation denies. by: "organization", "boundary", or empty for a missing permission.

    depends: what it may depend on and the simulation was not told, such as condition keys.
    """

    command: str
    action: str
    resource: str
    by: str = ""
    depends: tuple[str, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether a real call would be denied, too.

        Nobody tells which keys an organization's policies ask for; to a policy that denies other regions, for one,
        every call in a simulation is in another region.
        ("Testing IAM policies with the IAM policy simulator", IAM User Guide)
        """
        return not self.depends and self.by != "organization"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the resources are that permissions are about; empty what is not there before the first deployment.

    has_rds_role: whether the account has RDS's service-linked role, None where that could not be found out.
    makes_cluster: `shared deploy` makes a cluster, instead of taking one that there is.
    """

    partition: str
    region: str
    account: str
    stack: str
    cluster_arn: str = ""
    inspector_secret: str = ""
    role_arn: str = ""
    dead_letters: str = ""
    has_rds_role: bool | None = True
    makes_cluster: bool = True

    def arn(self, service: str, rest: str, *, is_global: bool = False) -> str:
        return f"arn:{self.partition}:{service}:{'' if is_global else self.region}:{self.account}:{rest}"


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the simulation found. asked: the commands that it was about."""

    asked: tuple[str, ...]
    denials: tuple[Denial, ...] = ()


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
    of_tenants = {f"aws:ResourceTag/{CLUSTER_TAG}": place.stack}
    yield Need("plan", tenants, ("cloudformation:GetTemplate", "cloudformation:DescribeStackEvents"), of_tenants)


def _of_apply(place: Place) -> Iterator[Need]:
    tenants = place.arn("cloudformation", f"stack/{place.stack}-x/x")
    asked = {f"aws:RequestTag/{CLUSTER_TAG}": place.stack}
    asked |= {"cloudformation:RoleArn": place.role_arn} if place.role_arn else {}
    there = {f"aws:ResourceTag/{CLUSTER_TAG}": place.stack, **asked}
    verbs = ("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DeleteStack")
    yield Need("apply", tenants, ("cloudformation:CreateStack",), asked)
    yield Need("apply", tenants, (*(f"cloudformation:{verb}" for verb in verbs),), there)
    if place.role_arn:
        yield Need("apply", place.role_arn, ("iam:PassRole",), {"iam:PassedToService": "cloudformation.amazonaws.com"})
    snapshot = place.arn("rds", "cluster-snapshot:aurora-tenants-x")
    made = ("rds:CreateDBClusterSnapshot", "rds:DescribeDBClusterSnapshots")
    yield Need("apply", place.cluster_arn, made)
    yield Need("apply", snapshot, (*made, "rds:AddTagsToResource"))
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
    of_change_sets = ("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet")
    verbs = (*of_change_sets, "DeleteStack", "DescribeStackEvents")
    yield Need(command, stack, tuple(f"cloudformation:{verb}" for verb in verbs))
    yield Need(command, "*", ("cloudformation:GetTemplateSummary",))
    if place.makes_cluster:
        made = place.arn("cloudformation", f"stack/{place.stack}-cluster/x")
        yield Need(command, made, tuple(f"cloudformation:{verb}" for verb in (*verbs, "ListStackResources")))
        yield from _of_network(place)
        yield from _of_database(place)
    else:
        yield Need(command, "*", ("rds:DescribeDBClusters", "rds:DescribeDBInstances"))
    yield Need(command, role, ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"))
    yield Need(command, role, ("iam:PassRole",), {"iam:PassedToService": "lambda.amazonaws.com"})
    yield Need(command, policy, ("iam:CreatePolicy",))
    of_functions = ("CreateFunction", "AddPermission", "InvokeFunction", "PutFunctionConcurrency")
    yield Need(command, function, tuple(f"lambda:{verb}" for verb in of_functions))
    yield Need(command, "*", ("lambda:GetAccountSettings",))
    secret = place.arn("secretsmanager", f"secret:/{place.stack}/database/x")
    yield Need(command, secret, ("secretsmanager:CreateSecret", "secretsmanager:RotateSecret"))
    yield Need(command, place.arn("scheduler", f"schedule-group/{name}"), ("scheduler:CreateScheduleGroup",))
    yield Need(command, place.arn("sqs", name), ("sqs:CreateQueue",))
    yield Need(command, place.arn("sns", name), ("sns:CreateTopic", "sns:SetTopicAttributes"))
    yield Need(command, place.arn("events", f"rule/{name}"), ("events:PutRule", "events:PutTargets"))
    yield Need(command, place.arn("cloudwatch", f"alarm:{name}"), ("cloudwatch:PutMetricAlarm",))
    logs = place.arn("logs", f"log-group:/aws/lambda/{place.stack}-database-provider")
    yield Need(command, logs, ("logs:CreateLogGroup", "logs:PutRetentionPolicy"))


def _of_network(place: Place) -> Iterator[Need]:
    """A subnet and a security group need a permission on themselves, and one on their VPC."""
    command = "shared deploy"
    yield Need(command, place.arn("ec2", "vpc/vpc-x"), ("ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateSecurityGroup"))
    yield Need(command, place.arn("ec2", "subnet/subnet-x"), ("ec2:CreateSubnet",))
    yield Need(command, place.arn("ec2", "security-group/sg-x"), ("ec2:CreateSecurityGroup",))


def _of_database(place: Place) -> Iterator[Need]:
    """With what RDS needs to keep the master user's password in Secrets Manager, and in an account that never used RDS.

    ("Password management with Amazon Aurora and AWS Secrets Manager", "Using service-linked roles for Amazon Aurora",
    Aurora User Guide)
    """
    command, name = "shared deploy", f"{place.stack}-x"
    yield Need(command, place.arn("rds", f"subgrp:{name}"), ("rds:CreateDBSubnetGroup",))
    yield Need(command, place.arn("rds", f"cluster:{name}"), ("rds:CreateDBCluster",))
    yield Need(command, place.arn("rds", f"db:{name}"), ("rds:CreateDBInstance",))
    secret = place.arn("secretsmanager", "secret:rds!cluster-x")
    yield Need(command, secret, ("secretsmanager:CreateSecret", "secretsmanager:TagResource"))
    yield Need(command, place.arn("kms", "key/x"), ("kms:DescribeKey",))
    if not place.has_rds_role:
        role = place.arn("iam", f"role/aws-service-role/rds.amazonaws.com/{RDS_ROLE}", is_global=True)
        unknown = () if place.has_rds_role is False else (f"whether the account has the role {RDS_ROLE}",)
        service = {"iam:AWSServiceName": "rds.amazonaws.com"}
        yield Need(command, role, ("iam:CreateServiceLinkedRole",), service, unknown)


def context(need: Need, source: str, region: str) -> dict[str, str]:
    """The condition keys of a call of this caller, as far as they are known before it is made.

    source: the ARN of the role or user. Source: "AWS global condition context keys", IAM User Guide.
    """
    _, partition, _, _, account, _ = source.split(":", 5)
    is_iam = all(action.startswith("iam:") for action in need.actions)
    return {
        "aws:RequestedRegion": iam_region(partition, region) if is_iam else region,
        "aws:SecureTransport": "true",
        "aws:PrincipalAccount": account,
        "aws:PrincipalArn": source,
        **need.context,
    }


def iam_region(partition: str, region: str) -> str:
    """The region that calls of IAM are made in, and that its quotas are in."""
    return _IAM_REGION.get(partition, region)


def check_plan(permissions: Permissions) -> Iterator[Verdict]:
    yield from _judged(permissions, ("plan",), problem, _POLICIES)


def check_apply(permissions: Permissions) -> Iterator[Verdict]:
    """A warning only: whoever plans on a pull request should not be able to apply."""
    yield from _judged(permissions, ("apply", "pause-schedule"), warning, _POLICIES)


def check_deployment(permissions: Permissions) -> Iterator[Verdict]:
    """Once the shared stack is there, few have to be able to deploy it."""
    is_first = "plan" not in permissions.asked
    fix = "allow it, or have an administrator run `shared deploy`"
    yield from _judged(permissions, ("shared deploy",), problem if is_first else warning, fix)


def _judged(permissions: Permissions, commands: Sequence[str], if_denied: Say, fix: str) -> Iterator[Verdict]:
    """if_denied: makes the verdict on what is certainly denied; what may be allowed all the same is a warning."""
    need = f"{' and '.join(commands)} {'need' if len(commands) > 1 else 'needs'}"
    denials = [each for each in permissions.denials if each.command in commands]
    certain = [each for each in denials if each.is_certain]
    if not denials:
        yield ok(f"the caller's policies allow what {need}")
    if certain:
        is_bounded = all(each.by for each in certain)
        found = f"{need} what the caller may not do: {_listed(certain)}"
        ask = "ask whoever looks after its permissions boundary"
        yield if_denied(found, "as IAM simulates the caller's policies", ask if is_bounded else fix)
    if certain != denials:
        yield _uncertain([each for each in denials if not each.is_certain], need)


def _uncertain(denials: Sequence[Denial], need: str) -> Verdict:
    unknown = [*dict.fromkeys(key for each in denials for key in each.depends)]
    fixes = ["look whether it holds for this caller, in the conditions of the caller's policies"] if unknown else []
    if any(each.by == "organization" for each in denials):
        unknown.append("conditions of the organization's policies")
        fixes.append("ask whoever looks after the organization's policies whether they forbid it")
    found = f"whether the caller may do what {need} may depend on {', '.join(unknown)}: {_listed(denials)}"
    return warning(found, "IAM's simulation denies it, and was not told that", "; ".join(fixes))


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
