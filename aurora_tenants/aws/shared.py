"""The shared stack as a whole: deploys, shows, uses and deletes it, and never a stack that is something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aurora_tenants import data
from aurora_tenants.aws import bucket, code, stacks
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.code import CODE_BUCKET, Archive
from aurora_tenants.config.names import check_stack
from aurora_tenants.errors import AwsError, NotConverged, Problem, Refused
from aurora_tenants.model import Cluster
from aurora_tenants.naming import TENANT_TAG
from aurora_tenants.stack import Action, Deployed, Shared, Stack, StackPlan

# The version of the provider that this command line needs; lambdas/provider.py has its own.
PROVIDER_VERSION = 2
# A stack whose creation failed has no outputs; it counts as a shared stack if it has all of these parameters.
_PARAMETERS = {"EngineVersion", "MinCapacity", "MaxCapacity", "SecondsUntilAutoPause", "DeletionProtection"}
# With these CloudFormation accepts only a deletion. ("Stack status codes", CloudFormation User Guide)
_ONLY_TO_DELETE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that has been checked. stack: with the parameters that are kept and those that are given.

    archive: the functions' code if it goes into a bucket, which a parameter then names.
    """

    aws: Aws
    stack: StackPlan
    archive: Archive | None = None


def deploy(
    *, region: str | None, profile: str | None, stack: str, parameters: Mapping[str, str], tell: stacks.Tell
) -> bool:
    """Creates or updates the shared stack; False when there was nothing to change. Raises as its two steps do."""
    return execute(prepare(region=region, profile=profile, stack=stack, parameters=parameters), tell=tell)


def prepare(
    *,
    region: str | None,
    profile: str | None,
    stack: str,
    parameters: Mapping[str, str],
    code_bucket: str | None = None,
) -> Deployment:
    """What is to be deployed; changes nothing.

    A parameter that is not given keeps its deployed value. code_bucket: where the functions' code goes; "" for the
    template itself, None for where it is now. Raises InvalidUsage for a stack's name that is too long, AwsError for a
    bucket that cannot be used or a parameter that the template does not have, Refused if the stack of this name is not
    a shared stack or cannot be updated.
    """
    check_stack(stack, to_deploy=True)
    aws = connect(region=region, profile=profile)
    before = stacks.read_stack(aws.cloudformation, stack)
    if before:
        _require_shared(before, "deploying the shared stack would delete what is in it")
        _require_updatable(before)
    deployed = before.parameters if before else {}
    place = deployed.get(CODE_BUCKET, "") if code_bucket is None else code_bucket
    archive = code.build() if place else None
    template = code.template(place, archive) if archive else data.text("shared.yml")
    with asking("check the shared stack's template"):
        summary = aws.cloudformation.get_template_summary(TemplateBody=template)
    declared = {entry["ParameterKey"] for entry in summary["Parameters"]}
    unknown = sorted(parameters.keys() - declared)
    if unknown:
        fix = f"the template has: {', '.join(sorted(declared))}"
        raise AwsError(Problem("unknown-parameter", f"the shared stack has no parameter {unknown[0]}", fix=fix))
    values = {name: value for name, value in deployed.items() if name in declared} | {**parameters}
    if archive:
        bucket.require(aws.client("s3"), place, region=aws.region)
        values[CODE_BUCKET] = place
    action: Action = "update" if before and before.was_begun else "create"
    plan = StackPlan(stack, "shared", "the shared stack", action=action, template=template, parameters=values)
    return Deployment(aws, plan, archive)


def execute(deployment: Deployment, *, tell: stacks.Tell) -> bool:
    """Deploys what was prepared; False when there was nothing to change.

    Raises StackFailed, AwsError, NotConverged if the functions then run different code than was put into the bucket.
    """
    aws, stack, archive = deployment.aws, deployment.stack, deployment.archive
    if archive is None:
        return stacks.deploy(aws.cloudformation, stack, tell=tell)
    place = stack.parameters[CODE_BUCKET]
    bucket.upload(aws.client("s3"), place, archive)
    try:
        changed = stacks.deploy(aws.cloudformation, stack, tell=tell)
    except AwsError as error:
        error.nothing_was_changed = False  # the zip is in the bucket
        raise
    _compare(aws, stack.name, place, archive)
    return changed


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


def prepare_deletion(*, region: str | None, profile: str | None, stack: str) -> Callable[[stacks.Tell], None]:
    """Checks that the shared stack can be deleted. Returns the function that deletes it; before, nothing is changed.

    Raises AwsError if there is no such stack, or if tenants or a pause schedule are deployed on it, Refused if it is
    not a shared stack or its cluster is protected. The returned function raises StackFailed, AwsError.
    """
    cloudformation = connect(region=region, profile=profile).cloudformation
    existing = _existing(cloudformation, stack)
    _require_shared(existing, "only a shared stack is deleted by this command")
    deployed = stacks.read_deployed(cloudformation, Cluster(stack))
    tenants = sorted(deployed.tenants)
    if deployed.pause_schedule:
        what = f"a pause schedule is deployed on stack {stack}"
        why, fix = "its schedules would fire at a cluster that is gone", "run: aurora-tenants pause-schedule clear"
        raise AwsError(Problem("schedule-deployed", what, why, fix))
    if tenants:
        what = f"{len(tenants)} tenants are deployed on stack {stack}: {', '.join(tenants[:10])}"
        fix = "remove them from tenants.yaml and apply that first"
        raise AwsError(Problem("tenants-deployed", what, "their databases are in its cluster", fix))
    # In a stack that cannot be updated the parameter cannot be changed either; then it is left to CloudFormation.
    if (
        existing.parameters.get("DeletionProtection") == "true"
        and existing.was_begun
        and existing.status not in _ONLY_TO_DELETE
    ):
        what = f"the cluster of stack {stack} is protected from deletion"
        why = "its parameter DeletionProtection is true; the deletion would fail halfway"
        fix = f"run: {_deploy(stack)} --parameter DeletionProtection=false"
        raise Refused(Problem("deletion-protected", what, why, fix))
    return lambda tell: stacks.delete(cloudformation, stack, tell=tell)


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
        if existing.parameters.get("DeletionProtection") == "true":
            fix = f"aws rds modify-db-cluster --no-deletion-protection for its cluster, then {fix}"
    raise Refused(Problem("only-to-delete", what, why, fix))


def _deploy(stack: str) -> str:
    return f"aurora-tenants shared deploy --stack {stack}"


def _delete(stack: str) -> str:
    return f"aurora-tenants shared delete --stack {stack}"
