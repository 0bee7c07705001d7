"""The shared stack as a whole: deploys, shows, uses and deletes it, and never a stack that is something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aurora_tenants import data
from aurora_tenants.aws import bucket, code, stacks
from aurora_tenants.aws.account import read_zones
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.clusters import READ_FROM_CLUSTER, Existing, read_names, read_parameters, remembered
from aurora_tenants.aws.code import CODE_BUCKET, Archive
from aurora_tenants.config.names import check_stack
from aurora_tenants.errors import AwsError, NotConverged, Notice, Problem, Refused
from aurora_tenants.model import Cluster
from aurora_tenants.naming import CLUSTER, TENANT_TAG, cluster_stack, cluster_tags
from aurora_tenants.stack import Action, Deployed, Shared, Stack, StackPlan

# The version of the provider that this command line needs; lambdas/provider.py has its own.
PROVIDER_VERSION = 2
# A stack whose creation failed has no outputs; it counts as a shared stack if it has all of these parameters.
_PARAMETERS = {"ClusterArn", "ClusterHost", "ClusterResourceId", "MasterSecretArn"}
# With these CloudFormation accepts only a deletion. ("Stack status codes", CloudFormation User Guide)
_ONLY_TO_DELETE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


@dataclass(frozen=True, slots=True)
class NewCluster:
    """In the place of a cluster that there is: cfn/cluster.yml makes one, or has made it."""


Chosen = Existing | NewCluster


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that has been checked. stack: with the parameters that are kept and those that are given.

    cluster: the stack of a cluster of its own, which goes first; until that is made, the parameters of `stack` say
    nothing of it. archive: the functions' code if it goes into a bucket, which a parameter then names.
    """

    aws: Aws
    stack: StackPlan
    cluster: StackPlan | None = None
    archive: Archive | None = None
    notices: tuple[Notice, ...] = ()


def deploy(
    *,
    region: str | None,
    profile: str | None,
    stack: str,
    parameters: Mapping[str, str],
    chosen: Chosen | None = None,
    tell: stacks.Tell,
) -> bool:
    """Creates or updates the shared stack; False when there was nothing to change. Raises as its two steps do."""
    deployment = prepare(region=region, profile=profile, stack=stack, parameters=parameters, chosen=chosen)
    return execute(deployment, tell=tell)


def prepare(
    *,
    region: str | None,
    profile: str | None,
    stack: str,
    parameters: Mapping[str, str],
    code_bucket: str | None = None,
    chosen: Chosen | None = None,
    master_secret: str = "",
    choose: Callable[[tuple[str, ...]], Chosen] | None = None,
) -> Deployment:
    """What is to be deployed; changes nothing.

    A parameter that is not given keeps its deployed value. code_bucket: where the functions' code goes; "" for the
    template itself, None for where it is now. chosen: the cluster, None for that of the deployed stack. master_secret:
    of a cluster that there is; empty for the one it had, or that RDS keeps. choose: is asked on a first deployment
    without a cluster, with the names of those there are; without it that is refused.

    Raises InvalidUsage for a stack's name that is too long, AwsError for a bucket that cannot be used or a parameter
    that no template has, Refused if the stack of this name is not a shared stack or cannot be updated, and for a
    cluster that cannot be used.
    """
    check_stack(stack, to_deploy=True)
    aws = connect(region=region, profile=profile)
    before = stacks.read_stack(aws.cloudformation, stack)
    if before:
        _require_shared(before, "deploying the shared stack would delete what is in it")
        _require_updatable(before)
        _require_apart(aws, before)
    deployed = before.parameters if before else {}
    place = deployed.get(CODE_BUCKET, "") if code_bucket is None else code_bucket
    archive = code.build() if place else None
    template = code.template(place, archive) if archive else data.text("shared.yml")
    own, of_cluster = _declared(aws, template), _declared(aws, data.text("cluster.yml"))
    if unknown := sorted(parameters.keys() - own - of_cluster):
        fix = f"the templates have: {', '.join(sorted(own | of_cluster))}"
        raise AwsError(Problem("unknown-parameter", f"the shared stack has no parameter {unknown[0]}", fix=fix))
    if read := sorted(parameters.keys() & READ_FROM_CLUSTER):
        what, fix = (
            f"{read[0]} is not set as a parameter",
            "pass --cluster or --master-secret, and it is read from there",
        )
        raise AwsError(Problem("invalid-parameter", what, fix=fix))
    made = _read_made(aws, stack)
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
        cluster = _plan_cluster(aws, stack, made, {name: parameters[name] for name in parameters.keys() & of_cluster})
    elif strange := sorted(parameters.keys() - own):
        what = f"{strange[0]} is a parameter of a cluster that this program makes, and stack {stack} is for another"
        raise Refused(Problem("unknown-parameter", what, fix=f"the shared stack has: {', '.join(sorted(own))}"))
    values = {name: value for name, value in deployed.items() if name in own}
    values |= _of_cluster(aws, chosen, made) | {name: parameters[name] for name in parameters.keys() & own}
    if archive:
        bucket.require(aws.client("s3"), place, region=aws.region)
        values[CODE_BUCKET] = place
    action: Action = "update" if before and before.was_begun else "create"
    plan = StackPlan(stack, "shared", "the shared stack", action=action, template=template, parameters=values)
    return Deployment(aws, plan, cluster, archive)


def execute(deployment: Deployment, *, tell: stacks.Tell) -> bool:
    """Deploys what was prepared, the cluster first; False when there was nothing to change.

    Raises StackFailed, AwsError, NotConverged if the functions then run different code than was put into the bucket.
    """
    aws, archive = deployment.aws, deployment.archive
    has_new = deployment.cluster is not None and stacks.deploy(aws.cloudformation, deployment.cluster, tell=tell)
    stack = with_cluster(deployment)
    if archive is None:
        return stacks.deploy(aws.cloudformation, stack, tell=tell) or has_new
    place = stack.parameters[CODE_BUCKET]
    bucket.upload(aws.client("s3"), place, archive)
    try:
        changed = stacks.deploy(aws.cloudformation, stack, tell=tell)
    except AwsError as error:
        error.nothing_was_changed = False  # the zip is in the bucket
        raise
    _compare(aws, stack.name, place, archive)
    return changed or has_new


def with_cluster(deployment: Deployment) -> StackPlan:
    """The shared stack with the parameters of its cluster, once that is deployed. Raises AwsError, Refused."""
    if deployment.cluster is None:
        return deployment.stack
    made = _read_made(deployment.aws, deployment.stack.name)
    found = _of_cluster(deployment.aws, NewCluster(), made)
    return replace(deployment.stack, parameters={**deployment.stack.parameters, **found})


def _declared(aws: Aws, template: str) -> set[str]:
    """The names of a template's parameters."""
    with asking("check the shared stack's template"):
        summary = aws.cloudformation.get_template_summary(TemplateBody=template)
    return {entry["ParameterKey"] for entry in summary["Parameters"]}


def _require_apart(aws: Aws, before: Stack) -> None:
    """Raises Refused for a shared stack that holds the cluster itself: updating it would delete the cluster."""
    if not before.was_begun:
        return
    with asking(f"read the template of stack {before.name}"):
        types = aws.cloudformation.get_template_summary(StackName=before.name)["ResourceTypes"]
    if "AWS::RDS::DBCluster" in types:
        what = f"stack {before.name} holds a cluster"
        why = "it is of an older form; the template of today holds none, so that an update would delete the cluster"
        fix = f"deploy another shared stack for that cluster, beside it: {_deploy('NAME')} --cluster CLUSTER"
        raise Refused(Problem("holds-cluster", what, why, fix))


def _read_made(aws: Aws, stack: str) -> Stack | None:
    """The stack of the cluster that was made with this shared stack. Raises Refused for another stack of its name."""
    made = stacks.read_stack(aws.cloudformation, cluster_stack(stack))
    if made and made.was_begun and not cluster_tags(stack).items() <= made.tags.items():
        what = f"stack {made.name} is not the cluster of shared stack {stack}"
        why = "it lacks the tags of one, and the cluster of this shared stack would be called that"
        raise Refused(Problem("not-cluster-stack", what, why, "give the shared stack another name with --stack"))
    return made


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


def _plan_cluster(aws: Aws, stack: str, made: Stack | None, given: Mapping[str, str]) -> StackPlan:
    is_there = made is not None and made.was_begun
    values = {**(made.parameters if made and is_there else {}), **given}
    if not is_there and not values.get("VpcId"):
        values.setdefault("Zones", "3" if len(read_zones(aws).given) > 2 else "2")
    return StackPlan(
        cluster_stack(stack),
        CLUSTER,
        "the cluster",
        action="update" if is_there else "create",
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


def _compare(aws: Aws, stack: str, place: str, archive: Archive) -> None:
    """Raises NotConverged unless Lambda reports that both functions run this archive."""
    outputs, functions = _existing(aws.cloudformation, stack).outputs, aws.client("lambda")
    arns = outputs["DatabaseServiceToken"], outputs["DatabaseSecretRotationLambda"]
    allow = "allow lambda:GetFunctionConfiguration on both of them"
    try:
        with asking("compare what the functions run", if_denied=allow):
            checksums = {arn: functions.get_function_configuration(FunctionName=arn)["CodeSha256"] for arn in arns}
    except AwsError as error:
        raise NotConverged(*error.problems) from error
    others = {arn.rpartition(":")[2]: checksum for arn, checksum in checksums.items() if checksum != archive.checksum}
    why = "somebody changed the function by hand, or the zip in the bucket before Lambda read it"
    update = f"aws lambda update-function-code --s3-bucket {place} --s3-key {archive.key} --function-name"
    problems = [
        Problem("other-code", f"function {name} runs other code: its CodeSha256 is {checksum}", why, f"{update} {name}")
        for name, checksum in others.items()
    ]
    if problems:
        raise NotConverged(*problems)


def status(*, region: str | None, profile: str | None, stack: str) -> dict[str, str]:
    """The stack's status and outputs. Raises AwsError when there is no such stack."""
    existing = _existing(connect(region=region, profile=profile).cloudformation, stack)
    return {"Stack": existing.name, "Status": existing.status, **dict(sorted(existing.outputs.items()))}


def prepare_deletion(
    *, region: str | None, profile: str | None, stack: str, with_cluster: bool = False
) -> Callable[[stacks.Tell], None]:
    """Checks that the shared stack can be deleted. Returns the function that deletes it; before, nothing is changed.

    with_cluster: also the cluster that was made with it, which is done where the shared stack is gone already, too.

    Raises AwsError if there is no such stack, or if tenants or a pause schedule are deployed on it, Refused if it is
    not a shared stack, or if its cluster is to go and is protected, or was made by others. The returned function raises
    StackFailed, AwsError.
    """
    aws = connect(region=region, profile=profile)
    made = _read_made(aws, stack) if with_cluster else None
    if not (made and stacks.read_stack(aws.cloudformation, stack) is None):
        _require_deletable(aws.cloudformation, _existing(aws.cloudformation, stack))
    if with_cluster:
        _require_cluster_deletable(stack, made)

    def delete(tell: stacks.Tell) -> None:
        stacks.delete(aws.cloudformation, stack, tell=tell)
        if made:
            stacks.delete(aws.cloudformation, made.name, tell=tell)

    return delete


def _require_deletable(cloudformation: Any, existing: Stack) -> None:
    stack = existing.name
    _require_shared(existing, "only a shared stack is deleted by this command")
    deployed = stacks.read_deployed(cloudformation, Cluster(stack))
    tenants = sorted(deployed.tenants)
    if deployed.pause_schedule:
        what = f"a pause schedule is deployed on stack {stack}"
        why, fix = "it works with a role of that stack", "run: aurora-tenants pause-schedule clear"
        raise AwsError(Problem("schedule-deployed", what, why, fix))
    if tenants:
        what = f"{len(tenants)} tenants are deployed on stack {stack}: {', '.join(tenants[:10])}"
        fix = "remove them from tenants.yaml and apply that first"
        raise AwsError(Problem("tenants-deployed", what, "its functions manage their databases", fix))


def _require_cluster_deletable(stack: str, made: Stack | None) -> None:
    if made is None:
        what, fix = f"stack {stack} has not made its cluster", "leave out --with-cluster"
        raise Refused(Problem("not-our-cluster", what, f"there is no stack {cluster_stack(stack)}", fix))
    # In a stack that cannot be updated the parameter cannot be changed either; then it is left to CloudFormation.
    if made.parameters.get("DeletionProtection") == "true" and made.was_begun and made.status not in _ONLY_TO_DELETE:
        what = f"the cluster of stack {made.name} is protected from deletion"
        why = "its parameter DeletionProtection is true; the deletion would fail halfway"
        fix = f"run: {_deploy(stack)} --parameter DeletionProtection=false"
        raise Refused(Problem("deletion-protected", what, why, fix))


def usable(cluster: Cluster, deployed: Deployed) -> Shared:
    """The shared stack. Raises AwsError if it does not exist, is not a shared stack, is incomplete or too old."""
    name, shared = cluster.stack, deployed.shared
    if shared is None:
        why = "cluster.stack in tenants.yaml names it; it holds the cluster and the functions that manage MySQL"
        raise _missing(name, why)
    if not shared.status.endswith(("_COMPLETE", "UPDATE_IN_PROGRESS")) or shared.status.startswith("ROLLBACK"):
        what = f"stack {name} cannot be used: it is {shared.status}"
        why, fix = "its last operation failed or has not finished", f"run: aurora-tenants shared status --stack {name}"
        raise AwsError(Problem("no-shared-stack", what, why, fix))
    if not shared.cluster_arn or shared.version is None:
        missing = "ProviderVersion" if shared.cluster_arn else "DatabaseServer"
        what, why = f"stack {name} is not a shared stack", f"it has no output {missing}"
        raise AwsError(Problem("no-shared-stack", what, why, "name the shared stack in cluster.stack of tenants.yaml"))
    if shared.version < PROVIDER_VERSION:
        what = f"stack {name} is too old: its provider has version {shared.version}"
        fix = f"run: {_deploy(name)}"
        raise AwsError(Problem("old-shared-stack", what, f"this program needs version {PROVIDER_VERSION}", fix))
    return shared


def _existing(cloudformation: Any, stack: str) -> Stack:
    existing = stacks.read_stack(cloudformation, stack)
    if existing is None:
        raise _missing(stack)
    return existing


def _missing(stack: str, why: str = "") -> AwsError:
    return AwsError(Problem("no-shared-stack", f"there is no stack {stack}", why, f"run: {_deploy(stack)}"))


def _require_shared(existing: Stack, consequence: str) -> None:
    """Raises Refused for a stack that was not made from the shared stack's template."""
    if TENANT_TAG in existing.tags:
        why = f"it is the stack of tenant {existing.tags[TENANT_TAG]}; {consequence}"
    elif "ProviderVersion" in existing.outputs or not existing.was_begun:
        return
    elif existing.status.endswith("_COMPLETE") and existing.status != "ROLLBACK_COMPLETE":
        why = f"it has no output ProviderVersion; {consequence}"
    elif existing.parameters.keys() >= _PARAMETERS:
        return
    else:
        why = f"it does not have the parameters of a shared stack; {consequence}"
    what, fix = f"stack {existing.name} is not a shared stack", "name another stack with --stack"
    raise Refused(Problem("not-shared-stack", what, why, fix))


def _require_updatable(existing: Stack) -> None:
    """Raises Refused for a stack that can only be deleted."""
    if existing.status not in _ONLY_TO_DELETE:
        return
    what, fix = f"stack {existing.name} cannot be deployed: it is {existing.status}", f"run: {_delete(existing.name)}"
    why = "its creation failed and was rolled back; CloudFormation accepts only its deletion"
    if existing.status == "DELETE_FAILED":
        why = "its deletion began and did not finish; CloudFormation accepts only another deletion"
    raise Refused(Problem("only-to-delete", what, why, fix))


def _deploy(stack: str) -> str:
    return f"aurora-tenants shared deploy --stack {stack}"


def _delete(stack: str) -> str:
    return f"aurora-tenants shared delete --stack {stack}"
