"""The table of docs/security.md, computed from the policies in cfn/shared.yml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurora_sandbox.policies import Need, decide
from tests.test_shared_template import (
    ARNS,
    CLUSTER,
    CONDITION_KEYS,
    DEAD_LETTERS,
    FUNCTIONS,
    INSPECTOR,
    MASTER,
    OTHER,
    OTHER_CLUSTER,
    OTHER_SCHEDULE,
    PAUSE_ROLE,
    ROLE,
    SCHEDULE,
    SECRETS,
    STACK,
    STACKS,
    TAG,
    TENANT,
    VARIABLES,
    policies,
    role,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "security.md"
COLUMNS = ("PlanPolicy", "ApplyPolicy", "CloudFormationRole", "ProviderRole", "RotationRole", "PauseScheduleRole")

SHOP = f"{STACKS}{STACK}-shop/1"
SNAPSHOTS = "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:"
SNAPSHOT = f"{SNAPSHOTS}aurora-tenants-one-20260301093000-1f0c9a"
IN_ROLE = {"cloudformation:rolearn": ROLE}
IN_ANOTHER = {"cloudformation:rolearn": "arn:aws:iam::123456789012:role/Administrator"}
OF_OURS, ASKED = {f"aws:resourcetag/{TAG}": STACK}, {f"aws:requesttag/{TAG}": STACK}
OF_ANOTHER, ASKED_OF_ANOTHER = (
    {f"aws:resourcetag/{TAG}": f"{STACK}-prod"},
    {f"aws:requesttag/{TAG}": f"{STACK}-prod"},
)
TO_CLOUDFORMATION = {"iam:passedtoservice": "cloudformation.amazonaws.com"}
# What changes a stack that there is.
CHANGES = (
    *("CreateChangeSet", "ExecuteChangeSet", "DescribeChangeSet", "DeleteChangeSet"),
    *("DeleteStack", "ContinueUpdateRollback"),
)


class Call(NamedTuple):
    action: str
    resource: str
    keys: dict[str, str] = {}  # noqa: RUF012 (never changed)


class Together(tuple[Call, ...]):
    """Calls of which one alone is of no use."""


def together(*calls: Call) -> Together:
    return Together(calls)


def sql(secret: str, cluster: str = CLUSTER) -> Together:
    return together(Call("rds-data:ExecuteStatement", cluster), Call("secretsmanager:GetSecretValue", secret))


def each(service: str, actions: tuple[str, ...], resource: str, keys: dict[str, str] | None = None) -> tuple[Call, ...]:
    return tuple(Call(f"{service}:{action}", resource, keys or {}) for action in actions)


def changes(stack: str, keys: dict[str, str], actions: tuple[str, ...] = CHANGES) -> tuple[Call, ...]:
    return each("cloudformation", actions, stack, keys)


# What somebody may be able to do, in words, and the calls that it is.
ABILITIES: dict[str, tuple[Call, ...]] = {
    "run SQL as the master user": sql(MASTER),
    "run SQL as a tenant's user": sql(TENANT),
    "run SQL as the inspector, who sees grants and no tenant's data": sql(INSPECTOR),
    "run SQL on another cluster": (Call("rds-data:ExecuteStatement", OTHER_CLUSTER),),
    "read the master's password": (Call("secretsmanager:GetSecretValue", MASTER),),
    "read a tenant's password": (Call("secretsmanager:GetSecretValue", TENANT),),
    "see a tenant's secret without its password": (Call("secretsmanager:DescribeSecret", TENANT),),
    "set a tenant's password": (Call("secretsmanager:PutSecretValue", TENANT),),
    "list the names, tags and dates of all secrets of the region": (Call("secretsmanager:ListSecrets", "*"),),
    "make, change and delete tenants' secrets": each(
        "secretsmanager", ("CreateSecret", "DeleteSecret", "UpdateSecret"), TENANT
    ),
    "turn the rotation of a tenant's secret on and off, and rotate it now": together(
        *each("secretsmanager", ("RotateSecret", "CancelRotateSecret"), TENANT),
        Call("lambda:InvokeFunction", ARNS["DatabaseSecretRotation.Arn"]),
    ),
    "restore a tenant's secret that waits for its deletion": (Call("secretsmanager:RestoreSecret", TENANT),),
    "move the labels of a tenant's secret to other versions": (
        Call("secretsmanager:UpdateSecretVersionStage", TENANT),
    ),
    "rotate or restore the inspector's secret": each(
        "secretsmanager", ("RotateSecret", "CancelRotateSecret", "RestoreSecret"), INSPECTOR
    ),
    "set the inspector's password": (Call("secretsmanager:PutSecretValue", INSPECTOR),),
    "delete the inspector's secret": each("secretsmanager", ("DeleteSecret", "UpdateSecret"), INSPECTOR),
    # What CloudFormation was seen to do of an import: it reads the secret, and then updates description and tags.
    "take a tenant's secret into a stack by an import": together(
        *each("secretsmanager", ("DescribeSecret", "UpdateSecret", "TagResource"), TENANT)
    ),
    "take the inspector's secret into a stack by an import": together(
        *each("secretsmanager", ("DescribeSecret", "UpdateSecret", "TagResource"), INSPECTOR)
    ),
    "read or change any other secret": (
        *each("secretsmanager", ("GetSecretValue", "DescribeSecret", "PutSecretValue", "DeleteSecret"), OTHER),
        Call("secretsmanager:GetSecretValue", f"{SECRETS}/{STACK}-prod/database/shop-AbCdEf"),
    ),
    "invoke the provider": (Call("lambda:InvokeFunction", ARNS["DatabaseProvider.Arn"]),),
    "ask the rotation function which passwords log in, and have it end an old one": (
        Call("lambda:InvokeFunction", ARNS["DatabaseSecretRotation.Arn"]),
    ),
    "read the log of the rotation function": (Call("logs:FilterLogEvents", ARNS["RotationLog.Arn"]),),
    "read any other log": each("logs", ("FilterLogEvents", "GetLogEvents"), ARNS["ProviderLog.Arn"]),
    "invoke another function than the provider and the rotation": (
        Call("lambda:InvokeFunction", f"{FUNCTIONS}payments"),
    ),
    "change the functions' code": each(
        "lambda", ("UpdateFunctionCode", "UpdateFunctionConfiguration"), ARNS["DatabaseProvider.Arn"]
    ),
    "make a tenant's stack, with our tag and by CloudFormationRole": together(
        Call("cloudformation:CreateStack", SHOP, ASKED | IN_ROLE),
        Call("cloudformation:TagResource", SHOP, ASKED | {"cloudformation:createaction": "CreateStack"}),
        Call("iam:PassRole", ROLE, TO_CLOUDFORMATION),
    ),
    "change or delete a stack that has our tag, by CloudFormationRole": (
        *changes(SHOP, OF_OURS | ASKED | IN_ROLE),
        Call("cloudformation:ListChangeSets", SHOP, OF_OURS),
        Call("cloudformation:TagResource", SHOP, OF_OURS | ASKED | {"cloudformation:createaction": "CreateChangeSet"}),
    ),
    "make or delete a stack by another role, or by none": (
        *changes(SHOP, ASKED | IN_ANOTHER, ("CreateStack",)),
        *changes(SHOP, ASKED, ("CreateStack",)),
        *changes(SHOP, OF_OURS | ASKED | IN_ANOTHER, ("CreateChangeSet", "DeleteStack", "ContinueUpdateRollback")),
        *changes(SHOP, OF_OURS | ASKED, ("CreateChangeSet", "DeleteStack", "ContinueUpdateRollback")),
    ),
    "make a stack without our tag, or with another shared stack's": (
        *changes(SHOP, IN_ROLE, ("CreateStack",)),
        *changes(SHOP, ASKED_OF_ANOTHER | IN_ROLE, ("CreateStack",)),
        Call("cloudformation:TagResource", SHOP, ASKED_OF_ANOTHER | {"cloudformation:createaction": "CreateStack"}),
    ),
    "take our tag off a stack, or give it to one that is there": (
        *changes(SHOP, OF_OURS | IN_ROLE, ("CreateChangeSet",)),
        *changes(SHOP, OF_OURS | ASKED_OF_ANOTHER | IN_ROLE, ("CreateChangeSet",)),
        *changes(SHOP, ASKED | IN_ROLE, CHANGES),
        Call("cloudformation:TagResource", SHOP, ASKED),
    ),
    "change or delete a stack of another shared stack, whatever it is called": (
        *changes(f"{STACKS}{STACK}-prod-shop/1", OF_ANOTHER | ASKED | IN_ROLE),
        *changes(f"{STACKS}{STACK}-prod-cluster/1", OF_ANOTHER | ASKED | IN_ROLE),
        *changes(f"{STACKS}{STACK}-prod/1", ASKED | IN_ROLE),
        *changes(f"{STACKS}payments-shop/1", OF_ANOTHER | ASKED | IN_ROLE),
    ),
    "change or delete the shared stack or its cluster's": (
        *changes(f"{STACKS}{STACK}/1", OF_OURS | ASKED | IN_ROLE),
        *changes(f"{STACKS}{STACK}-cluster/1", OF_OURS | ASKED | IN_ROLE, (*CHANGES[:2], *CHANGES[3:], "CreateStack")),
    ),
    "give CloudFormation another role": (
        Call("iam:PassRole", "arn:aws:iam::123456789012:role/Administrator", TO_CLOUDFORMATION),
        Call("iam:PassRole", ROLE, {"iam:passedtoservice": "lambda.amazonaws.com"}),
    ),
    "make or change roles, users and policies": each(
        "iam", ("CreateRole", "PutRolePolicy", "AttachRolePolicy", "CreatePolicyVersion", "CreateAccessKey"), ROLE
    ),
    "list every stack of the region, with parameters and outputs": each(
        "cloudformation", ("DescribeStacks", "ListStacks"), "*"
    ),
    "read templates of stacks that have our tag": each(
        "cloudformation", ("GetTemplate", "ListStackResources", "DescribeStackEvents"), SHOP, OF_OURS
    ),
    "read templates of other stacks": (
        *each("cloudformation", ("GetTemplate", "DescribeStackEvents"), f"{STACKS}{STACK}-prod-shop/1", OF_ANOTHER),
        *each("cloudformation", ("GetTemplate", "ListStackResources"), f"{STACKS}{STACK}-prod/1"),
        *each("cloudformation", ("GetTemplate", "DescribeStackEvents"), f"{STACKS}payments/1"),
    ),
    "read what the cluster is": (Call("rds:DescribeDBClusters", CLUSTER),),
    "change the cluster: its capacity, and as well the master's password": (Call("rds:ModifyDBCluster", CLUSTER),),
    "make a snapshot of the cluster, with tags, under a name that begins with aurora-tenants-": together(
        Call("rds:CreateDBClusterSnapshot", CLUSTER),
        *each("rds", ("CreateDBClusterSnapshot", "AddTagsToResource", "DescribeDBClusterSnapshots"), SNAPSHOT),
    ),
    "make another snapshot, or share, restore, copy or delete any": (
        *each("rds", ("CreateDBClusterSnapshot", "AddTagsToResource"), f"{SNAPSHOTS}other"),
        *each("rds", ("ModifyDBClusterSnapshotAttribute", "RestoreDBClusterFromSnapshot"), SNAPSHOT),
        *each("rds", ("CopyDBClusterSnapshot", "DeleteDBClusterSnapshot"), SNAPSHOT),
        Call("rds:CreateDBClusterSnapshot", OTHER_CLUSTER),
    ),
    "delete or restore a cluster, or change another one": (
        *each("rds", ("DeleteDBCluster", "RestoreDBClusterToPointInTime", "AddTagsToResource"), CLUSTER),
        Call("rds:ModifyDBCluster", OTHER_CLUSTER),
    ),
    "read the pause schedule": (Call("scheduler:GetSchedule", SCHEDULE),),
    "change the pause schedule, and give it its role": together(
        *each("scheduler", ("CreateSchedule", "UpdateSchedule", "DeleteSchedule"), SCHEDULE),
        Call("iam:PassRole", PAUSE_ROLE, {"iam:passedtoservice": "scheduler.amazonaws.com"}),
    ),
    "change any other schedule": each(
        "scheduler", ("CreateSchedule", "UpdateSchedule", "DeleteSchedule"), OTHER_SCHEDULE
    ),
    "count events of the schedule that failed": (Call("sqs:GetQueueAttributes", DEAD_LETTERS),),
}


def statements(column: str) -> list[Any]:
    return role(column) if column in ("ProviderRole", "RotationRole") else dict(policies())[column]


def cell(column: str, ability: str) -> str:
    """Whether an ability's calls are allowed; a policy that allows a part of those that are each of use is wrong."""
    calls = ABILITIES[ability]
    allowed: list[Call] = []
    for call in calls:
        why_not = decide(statements(column), Need(*call, CONDITION_KEYS))
        assert "cannot evaluate" not in (why_not or ""), why_not
        allowed += [] if why_not else [call]
    assert isinstance(calls, Together) or len(allowed) in (0, len(calls)), (
        f"{column} allows only a part of {ability!r}: {allowed}"
    )
    return "yes" if len(allowed) == len(calls) else "no"


def table() -> Iterator[str]:
    yield f"| | {' | '.join(COLUMNS)} |"
    yield f"|---|{'---|' * len(COLUMNS)}"
    for ability in ABILITIES:
        cells = [cell(column, ability) for column in COLUMNS]
        yield f"| {ability} | {' | '.join('**yes**' if each == 'yes' else each for each in cells)} |"


def test_the_document_says_what_the_policies_allow():
    told = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|") and line.count("|") == 8]
    assert told == [*table()]


@pytest.mark.parametrize("name", ["PlanPolicy", "ApplyPolicy"])
def test_a_managed_policy_is_within_iams_limit_for_the_longest_name(name: str, monkeypatch: pytest.MonkeyPatch):
    """6,144 characters that are no white space. ("IAM and AWS STS quotas", IAM User Guide)"""
    monkeypatch.setitem(VARIABLES, "AWS::StackName", "x" * 39)
    document = {"Version": "2012-10-17", "Statement": statements(name)}
    assert len(json.dumps(document, separators=(",", ":"))) < 5_500
