"""What `shared deploy` is about to deploy: the functions, and the cluster that they are for. Changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from aurora_tenants import data
from aurora_tenants.aws import again, bucket, code, stacks
from aurora_tenants.aws.account import read_zones
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.clusters import READ_FROM_CLUSTER, Existing, read_names, read_parameters, remembered
from aurora_tenants.aws.code import CODE_BUCKET, Archive
from aurora_tenants.aws.concurrency import reserve
from aurora_tenants.aws.shared import read_made, require_shared, require_updatable
from aurora_tenants.aws.usable import deploy_command, require_new_name
from aurora_tenants.config.names import check_stack
from aurora_tenants.errors import AwsError, Problem, Refused
from aurora_tenants.naming import CLUSTER, cluster_stack, cluster_tags
from aurora_tenants.schedule.cost import Size
from aurora_tenants.stack import FAILED_ROLLBACK, Action, Stack, StackPlan

# The parameter that names the user that plans read with; MySQL has one of each name.
INSPECTOR = "InspectorUser"


@dataclass(frozen=True, slots=True)
class NewCluster:
    """In the place of a cluster that there is: cfn/cluster.yml makes one, or has made it."""


Chosen = Existing | NewCluster


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that has been checked. stack: with the parameters that are kept and those that are given.

    cluster: the stack of a cluster of its own, which goes first; until that is made, the parameters of `stack` say
    nothing of it. archive: the functions' code if it goes into a bucket, which a parameter then names. found: what an
    earlier deployment left, or other shared stacks of the cluster, in sentences. stuck: the names of those of both
    stacks whose update failed, and its rollback, too: until that is continued there can be no change set. sizes: of our
    cluster, before and afterwards.
    """

    aws: Aws
    stack: StackPlan
    cluster: StackPlan | None = None
    archive: Archive | None = None
    found: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    sizes: tuple[Size | None, Size | None] = (None, None)


def prepare(
    *,
    region: str | None,
    profile: str | None,
    stack: str,
    parameters: Mapping[str, str],
    code_bucket: str | None = None,
    new_stack: bool = False,
    chosen: Chosen | None = None,
    master_secret: str = "",
    choose: Callable[[tuple[str, ...]], Chosen] | None = None,
) -> Deployment:
    """What is to be deployed; changes nothing.

    A parameter that is not given keeps its deployed value. code_bucket: where the functions' code goes; "" for the
    template itself, None for where it is now. chosen: the cluster, None for that of the deployed stack. master_secret:
    of a cluster that there is; empty for the one it had, or that RDS keeps. choose: is asked on a first deployment
    without a cluster, with the names of those there are; without it that is refused. new_stack: a name near that of
    another shared stack is meant.

    Raises InvalidUsage for a stack's name that is too long, AwsError for a bucket that cannot be used or a parameter
    that no template has, Refused if the stack of this name is not a shared stack or cannot be updated, for a name
    that is near another shared stack's or begins it, and for a cluster that cannot be used.
    """
    check_stack(stack, to_deploy=True)
    aws = connect(region=region, profile=profile)
    before = stacks.read_stack(aws.cloudformation, stack)
    if before:
        require_shared(before, "deploying the shared stack would delete what is in it")
        require_updatable(before)
        _require_apart(aws, before)
    if before is None or not before.was_begun:
        require_new_name(aws.cloudformation, stack, is_meant=new_stack)
    deployed = before.parameters if before else {}
    place = deployed.get(CODE_BUCKET, "") if code_bucket is None else code_bucket
    archive = code.build() if place else None
    template = code.template(place, archive) if archive else data.text("shared.yml")
    own, of_cluster = _declared(aws, template), _declared(aws, data.text("cluster.yml"))
    if unknown := sorted(parameters.keys() - own.keys() - of_cluster.keys()):
        fix = f"the templates have: {', '.join(sorted(own.keys() | of_cluster.keys()))}"
        raise AwsError(Problem("unknown-parameter", f"the shared stack has no parameter {unknown[0]}", fix=fix))
    if read := sorted(parameters.keys() & READ_FROM_CLUSTER):
        what, fix = (
            f"{read[0]} is not set as a parameter",
            "pass --cluster or --master-secret, and it is read from there",
        )
        raise AwsError(Problem("invalid-parameter", what, fix=fix))
    made = read_made(aws, stack)
    chosen = chosen or _before(deployed, made) or (choose or _not_said)(read_names(aws))
    _require_same(before, made, chosen)
    if isinstance(chosen, Existing):
        kept = remembered(deployed).master_secret if "ClusterArn" in deployed else ""
        chosen = replace(chosen, master_secret=master_secret or chosen.master_secret or kept)
    elif master_secret:
        what, why = "--master-secret is for a cluster that there is", "RDS keeps the master secret of a new one"
        raise Refused(Problem("not-our-cluster", what, why, "leave it out, or pass --cluster"))
    cluster = None
    if isinstance(chosen, NewCluster):
        if made:
            again.require_updatable(aws, stack, made)
        cluster = _plan_cluster(aws, stack, made, parameters, of_cluster)
    elif strange := sorted(parameters.keys() - own.keys()):
        what = f"{strange[0]} is a parameter of a cluster that this program makes, and stack {stack} is for another"
        raise Refused(Problem("unknown-parameter", what, fix=f"the shared stack has: {', '.join(sorted(own))}"))
    values = {name: value for name, value in deployed.items() if name in own}
    values |= _of_cluster(aws, chosen, made) | {name: parameters[name] for name in parameters.keys() & own.keys()}
    others = _others(aws, stack, values.get("ClusterArn", "")) if not (before and before.was_begun) else []
    if others:
        values.setdefault(INSPECTOR, f"aurora_tenants_inspector_{hashlib.sha256(stack.encode()).hexdigest()[:6]}")
    reservation = reserve(aws, deployed, parameters)
    values |= reservation.parameters
    if archive:
        bucket.require(aws.client("s3"), place, region=aws.region)
        values[CODE_BUCKET] = place
    action: Action = "update" if before and before.was_begun else "create"
    plan = StackPlan(stack, "shared", "the shared stack", action=action, template=template, parameters=values)
    sizes = _sizes(cluster, made, of_cluster) if cluster else (None, None)
    found = (
        _said_of(others),
        again.said_of_cluster(aws.cloudformation, made, is_used=cluster is not None),
        again.said_of_functions(aws.cloudformation, before),
        reservation.said,
    )
    used = (made if cluster else None, before)
    stuck = tuple(each.name for each in used if each and each.status == FAILED_ROLLBACK)
    return Deployment(aws, plan, cluster, archive, tuple(filter(None, found)), stuck, sizes)


def _sizes(plan: StackPlan, made: Stack | None, defaults: Mapping[str, str]) -> tuple[Size | None, Size | None]:
    """The size of our cluster, before and afterwards. None for no cluster, or for a parameter that is no number."""
    # Only a stack that was whole once has outputs; until then there may be no cluster.
    before = Size.of({**defaults, **made.parameters}) if made and "ClusterArn" in made.outputs else None
    try:
        return before, Size.of({**defaults, **plan.parameters})
    except (ValueError, ArithmeticError):  # which CloudFormation refuses with a sentence of its own
        return before, None


def with_cluster(deployment: Deployment) -> StackPlan:
    """The shared stack with the parameters of its cluster, once that is deployed. Raises AwsError, Refused."""
    if deployment.cluster is None:
        return deployment.stack
    made = read_made(deployment.aws, deployment.stack.name)
    found = _of_cluster(deployment.aws, NewCluster(), made)
    return replace(deployment.stack, parameters={**deployment.stack.parameters, **found})


def _others(aws: Aws, stack: str, cluster_arn: str) -> list[str]:
    """The names of other shared stacks for the same cluster."""
    return [
        other.name
        for other in stacks.read_all(aws.cloudformation)
        if other.name != stack and cluster_arn and other.parameters.get("ClusterArn") == cluster_arn
    ]


def _said_of(others: Sequence[str]) -> str:
    if not others:
        return ""
    return f"Stack {others[0]} is for this cluster, too. What belongs to it and its tenants is never touched."


def _declared(aws: Aws, template: str) -> dict[str, str]:
    """A template's parameters with their defaults; empty for one without."""
    with asking("check the shared stack's template"):
        summary = aws.cloudformation.get_template_summary(TemplateBody=template)
    return {entry["ParameterKey"]: entry.get("DefaultValue", "") for entry in summary["Parameters"]}


def _require_apart(aws: Aws, before: Stack) -> None:
    """Raises Refused for a shared stack that holds the cluster itself: updating it would delete the cluster."""
    if not before.was_begun:
        return
    with asking(f"read the template of stack {before.name}"):
        types = aws.cloudformation.get_template_summary(StackName=before.name)["ResourceTypes"]
    if "AWS::RDS::DBCluster" in types:
        what = f"stack {before.name} holds a cluster"
        why = "it is of an older form; the template of today holds none, so that an update would delete the cluster"
        fix = f"deploy another shared stack for that cluster, beside it: {deploy_command('NAME')} --cluster CLUSTER"
        raise Refused(Problem("holds-cluster", what, why, fix))


def _before(deployed: Mapping[str, str], made: Stack | None) -> Chosen | None:
    """The cluster of earlier deployments, also of one that made the cluster and then failed."""
    arn = deployed.get("ClusterArn")
    if made and made.was_begun and arn in (None, made.outputs.get("ClusterArn")):
        return NewCluster()
    return remembered(deployed) if arn else None


def _not_said(names: tuple[str, ...]) -> Chosen:
    there = (
        f"the region's Aurora MySQL clusters: {', '.join(names)}" if names else "the region has no Aurora MySQL cluster"
    )
    fix = "pass --cluster NAME for one that there is, or --new-cluster to have one made"
    raise Refused(Problem("no-cluster-chosen", "which cluster the shared stack is for was not said", there, fix))


def _require_same(before: Stack | None, made: Stack | None, chosen: Chosen) -> None:
    """Raises Refused where a deployed shared stack would get another cluster."""
    arn = before.parameters.get("ClusterArn") if before else None
    if arn is None or (isinstance(chosen, Existing) and chosen.name in (arn, arn.rpartition(":")[2])):
        return
    if isinstance(chosen, NewCluster) and made and made.outputs.get("ClusterArn") == arn:
        return
    what = f"stack {before.name if before else ''} is for cluster {arn.rpartition(':')[2]}"
    why = "its tenants' databases are there, and on another cluster every one of them would be missing"
    raise Refused(Problem("other-cluster", what, why, "deploy another shared stack for the other one, with --stack"))


def _plan_cluster(
    aws: Aws, stack: str, made: Stack | None, given: Mapping[str, str], declared: Collection[str]
) -> StackPlan:
    is_there = made is not None and made.was_begun
    values = {**(made.parameters if made and is_there else {}), **given}
    values = {name: value for name, value in values.items() if name in declared}
    action: Action = "create"
    if made and is_there:
        action = "replace" if made.status == "ROLLBACK_COMPLETE" else "update"
    if not is_there and not values.get("VpcId"):
        values.setdefault("Zones", "3" if len(read_zones(aws).given) > 2 else "2")
    return StackPlan(
        cluster_stack(stack),
        CLUSTER,
        "the cluster",
        action=action,
        template=data.text("cluster.yml"),
        parameters=values,
        tags=cluster_tags(stack),
    )


def _of_cluster(aws: Aws, chosen: Chosen, made: Stack | None) -> dict[str, str]:
    """The parameters that say where the cluster is; none of one that is not made yet."""
    if isinstance(chosen, Existing):
        return read_parameters(aws, chosen)
    arn = made.outputs.get("ClusterArn") if made else None
    return read_parameters(aws, Existing(arn)) if arn else {}
