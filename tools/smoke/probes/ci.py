"""What CI may do with the shared stack's policies and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import ClientError

from aurora_tenants.aws import stacks
from aurora_tenants.errors import AwsError, StackFailed
from aurora_tenants.naming import CLUSTER_TAG
from aurora_tenants.stack import StackPlan
from tools.smoke.clock import until
from tools.smoke.probe import NotRun, Probe
from tools.smoke.world import World, refusal

Json = Any
_SNAPSHOT_SECONDS = 1800
_KNOWN_SECONDS = 60  # a role that is new is not known everywhere at once


def _nobody(event: stacks.Event) -> None:
    """Who is told of a stack's events."""


def _role(world: World) -> str:
    """The ARN of a role of this account with both policies."""
    outputs = world.outputs()
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}}
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "ManagedPolicyArns": [outputs["PlanPolicy"], outputs["ApplyPolicy"]],
    }
    template = {
        "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }
    plan = StackPlan(f"{world.name}-ci", "ci", "CI's role", action="create", template=json.dumps(template))
    stacks.deploy(world.aws().cloudformation, plan, tell=_nobody)
    found = stacks.read_stack(world.aws().cloudformation, plan.name)
    if found is None:
        raise NotRun("there is no role to act in")
    return found.outputs["Arn"]


def _as(world: World, role: str, service: str = "cloudformation") -> Any:
    """A client with the role's rights."""

    def credentials() -> Json:
        try:
            return world.client("sts").assume_role(RoleArn=role, RoleSessionName="smoke")["Credentials"]
        except ClientError:
            return None

    found = until(credentials, world.clock.pause, every=5, at_most=_KNOWN_SECONDS)
    if found is None:
        raise NotRun("the role of CI cannot be assumed")
    return boto3.client(
        service,
        region_name=world.region,
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
    )


def _plan(world: World, name: str, description: str) -> StackPlan:
    properties = {"Name": f"/{world.name}/database/{name}", "Description": description}
    template = {"Resources": {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}}
    return StackPlan(
        f"{world.name}-{name}",
        name,
        f"stack {name}",
        template=json.dumps(template),
        tags={CLUSTER_TAG: world.name},
        role_arn=world.outputs()["CloudFormationRole"],
    )


def _tried(step: Callable[[], object]) -> str:
    try:
        step()
    except (AwsError, StackFailed) as error:
        return str(error)
    return "done"


def _ci(world: World) -> Json:
    role = world.once("role of CI", lambda: _role(world))
    client, plan = _as(world, role), _plan(world, "by-ci", "one")

    said: list[str] = []

    def is_let_in() -> bool:
        said.append(_tried(lambda: stacks.deploy(client, plan, tell=_nobody)))
        return "not authorized" not in said[-1]

    until(is_let_in, world.clock.pause, every=10, at_most=_KNOWN_SECONDS)
    return {
        "created": said[-1],
        "updated": _tried(lambda: stacks.deploy(client, _plan(world, "by-ci", "two"), tell=_nobody)),
        "deleted": _tried(lambda: stacks.delete(client, plan.name, tell=_nobody, role_arn=plan.role_arn)),
        "in_review": _in_review(world, client),
    }


def _in_review(world: World, client: Any) -> str:
    """Whether the tags of a first change set count before it is executed: "has its tags", or how that is refused."""
    plan, own = _plan(world, "in-review", "one"), world.aws().cloudformation
    own.create_change_set(
        StackName=plan.name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=plan.template_text(),
        Tags=[{"Key": key, "Value": value} for key, value in plan.tags.items()],
    )
    try:
        client.describe_change_set(StackName=plan.name, ChangeSetName="first")
    except ClientError as error:
        return refusal(error)["code"]
    finally:
        stacks.delete(own, plan.name, tell=_nobody)
    return "has its tags"


def _expect_ci(answer: Json) -> str:
    failed = [f"{step}: {answer[step]}" for step in ("created", "updated", "deleted") if answer[step] != "done"]
    if failed:
        return "; ".join(failed)
    return "" if answer["in_review"] in ("has its tags", "AccessDenied") else f"in review: {answer['in_review']}"


def _snapshot(world: World) -> Json:
    """A snapshot with tags, another one meanwhile, and both deleted again."""
    rds, own = _as(world, world.once("role of CI", lambda: _role(world)), "rds"), world.client("rds")
    names = [f"aurora-tenants-{world.name}-{number}" for number in ("one", "two")]
    tags, said, statuses = [{"Key": CLUSTER_TAG, "Value": world.name}], list[str](), list[str]()

    def create(name: str) -> str:
        try:
            rds.create_db_cluster_snapshot(
                DBClusterSnapshotIdentifier=name, DBClusterIdentifier=world.cluster, Tags=tags
            )
        except ClientError as error:
            return str(refusal(error)["code"])
        return "made"

    def is_let_in() -> bool:
        said.append(create(names[0]))
        return said[-1] != "AccessDenied"

    def is_there(name: str) -> bool:
        found = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]
        statuses.append(found["Status"])
        return bool(found["Status"] == "available")

    until(is_let_in, world.clock.pause, every=10, at_most=_KNOWN_SECONDS)
    began, second = world.clock.seconds(), create(names[1])
    made = [name for name, how in zip(names, (said[-1], second), strict=True) if how == "made"]
    try:
        asked = {"DBClusterIdentifier": world.cluster, "SnapshotType": "manual"}
        listed = rds.describe_db_cluster_snapshots(**asked)["DBClusterSnapshots"]
        for name in made:
            until(partial(is_there, name), world.clock.pause, every=10, at_most=_SNAPSHOT_SECONDS)
    finally:
        for name in made:
            own.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)
    return {
        "made": said[-1],
        "second": second,
        "is_listed": names[0] in [each["DBClusterSnapshotIdentifier"] for each in listed],
        "has_tags": all(each["TagList"] == tags for each in listed if each["DBClusterSnapshotIdentifier"] in names),
        "statuses": sorted(set(statuses)),
        "took_seconds": round(world.clock.seconds() - began, 1),
    }


def _expect_snapshot(answer: Json) -> str:
    if answer["made"] != "made":
        return f"it is not made: {answer['made']}"
    if not (answer["is_listed"] and answer["has_tags"]):
        return "it is not listed with its tags"
    if answer["second"] not in ("made", "InvalidDBClusterStateFault"):
        return f"a second one meanwhile: {answer['second']}"
    return "" if {"available"} <= {*answer["statuses"]} <= {"creating", "available"} else str(answer["statuses"])


PROBES = (
    Probe(
        "tags-in-policies",
        "CloudFormation and a new cluster",
        "PlanPolicy and ApplyPolicy are enough to make, change and delete a stack with the tag "
        "`aurora-tenants:cluster`, by CreateStack, change set and DeleteStack with CloudFormationRole: IAM is told the "
        "stack's tags from its first moment, those of the request, the role, and the action that sets tags. Nothing "
        "relies on the tags of a stack in REVIEW_IN_PROGRESS, or of one that is gone.",
        "`apply` in CI fails with the action that is denied; the same as an administrator works.",
        "`aurora-tenants apply` in a role that has both policies and no more",
        "created, updated and deleted",
        _ci,
        _expect_ci,
        takes_seconds=90,
    ),
    Probe(
        "snapshot-before-drop",
        "CloudFormation and a new cluster",
        "ApplyPolicy is enough to make a snapshot of the cluster with tags, to list those of the cluster, and to look "
        "at it until it is available; until then it is creating. A second one meanwhile is made, or refused as "
        "InvalidDBClusterStateFault, which is waited for.",
        "`apply` with `snapshot_before_drop` fails before anything is dropped, and says with which action or status.",
        "`aws rds create-db-cluster-snapshot` in a role that has ApplyPolicy",
        "made, listed and available",
        _snapshot,
        _expect_snapshot,
        takes_seconds=180,
    ),
)
