"""The shared stack as a whole: deploying, showing, using and deleting it; never a stack that is something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aurora_tenants import data
from aurora_tenants.aws import bucket, code, stacks
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.code import CODE_BUCKET, Archive
from aurora_tenants.errors import AwsError, NotConverged, Problem, Refused
from aurora_tenants.model import Cluster
from aurora_tenants.naming import TENANT_TAG
from aurora_tenants.stack import Deployed, Shared, Stack, StackPlan

# The provider this command line needs; lambdas/provider.py counts its own.
PROVIDER_VERSION = 2
# A stack whose creation failed has no outputs; that it has all of these parameters tells that it is a shared stack.
_PARAMETERS = {"EngineVersion", "MinCapacity", "MaxCapacity", "SecondsUntilAutoPause", "DeletionProtection"}
# CloudFormation takes nothing but a deletion any more. ("Stack status codes", CloudFormation User Guide)
_ONLY_TO_DELETE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that nothing stands against. stack: with the parameters that are kept and those that are given.

    archive: the functions' code where it goes into a bucket, which a parameter then names.
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

    A parameter that is not given keeps the value it was deployed with. code_bucket: where the functions' code goes; ""
    is the template itself, None where it is now. Raises AwsError for a bucket that cannot be used and a parameter that
    the template does not have, Refused when the stack of this name is another, or cannot be updated.
    """
    aws = connect(region=region, profile=profile)
    cloudformation = aws.cloudformation
    before = stacks.read_stack(cloudformation, stack)
    if before:
        _require_shared(before, "deploying the shared stack would delete what is in it")
        _require_updatable(before)
    deployed = before.parameters if before else {}
    place = deployed.get(CODE_BUCKET, "") if code_bucket is None else code_bucket
    archive = code.build() if place else None
    template = code.template(place, archive) if archive else data.text("shared.yml")
    with asking("check the shared stack's template"):
        declared = {
            entry["ParameterKey"] for entry in cloudformation.get_template_summary(TemplateBody=template)["Parameters"]
        }
    unknown = sorted(parameters.keys() - declared)
    if unknown:
        fix = f"the template has: {', '.join(sorted(declared))}"
        raise AwsError(Problem("unknown-parameter", f"the shared stack has no parameter {unknown[0]}", fix=fix))
    if archive:
        bucket.require(aws.client("s3"), place, region=aws.region)
    kept = {name: value for name, value in deployed.items() if name in declared}
    given = {**parameters, **({CODE_BUCKET: place} if archive else {})}
    plan = StackPlan(
        stack,
        "shared",
        "the shared stack",
        action="update" if before and before.was_begun else "create",
        template=template,
        parameters=kept | given,
    )
    return Deployment(aws, plan, archive)


def execute(deployment: Deployment, *, tell: stacks.Tell) -> bool:
    """Deploys what was prepared; False when there was nothing to change.

    Raises StackFailed, AwsError, NotConverged when the functions then run other code than was put into the bucket.
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
    """Raises NotConverged unless Lambda says of both functions that they run this archive."""
    outputs, functions = _existing(aws.cloudformation, stack).outputs, aws.client("lambda")
    arns = outputs["DatabaseServiceToken"], outputs["DatabaseSecretRotationLambda"]
    try:
        with asking(
            "compare what the functions run", if_denied="allow lambda:GetFunctionConfiguration on both of them"
        ):
            found = {arn: functions.get_function_configuration(FunctionName=arn)["CodeSha256"] for arn in arns}
    except AwsError as error:
        raise NotConverged(*error.problems) from error
    others = {arn.rpartition(":")[2]: checksum for arn, checksum in found.items() if checksum != archive.checksum}
    why = "somebody changed it by hand, or the zip in the bucket before Lambda read it"
    update = f"aws lambda update-function-code --s3-bucket {place} --s3-key {archive.key} --function-name"
    problems = [
        Problem("other-code", f"function {name} runs other code: its CodeSha256 is {checksum}", why, f"{update} {name}")
        for name, checksum in others.items()
    ]
    if problems:
        raise NotConverged(*problems)


def status(*, region: str | None, profile: str | None, stack: str) -> dict[str, str]:
    """The stack's status and outputs. Raises AwsError when there is no such stack."""
    found = _existing(connect(region=region, profile=profile).cloudformation, stack)
    return {"Stack": found.name, "Status": found.status, **dict(sorted(found.outputs.items()))}


def prepare_deletion(*, region: str | None, profile: str | None, stack: str) -> Callable[[stacks.Tell], None]:
    """What deletes the shared stack, when nothing stands against it; changes nothing before it is called.

    Raises AwsError when there is no such stack, or when tenants or a pause schedule are deployed on it, Refused when it
    is another stack or its cluster is protected. What is returned raises StackFailed, AwsError.
    """
    cloudformation = connect(region=region, profile=profile).cloudformation
    found = _existing(cloudformation, stack)
    _require_shared(found, "only a shared stack is deleted by this command")
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
    # A stack that cannot be updated cannot be rid of the parameter either; CloudFormation then says what it met.
    if found.parameters.get("DeletionProtection") == "true" and found.was_begun and found.status not in _ONLY_TO_DELETE:
        what = f"the cluster of stack {stack} is protected from deletion"
        why = "its parameter DeletionProtection is true; half of the stack would be deleted, and then no more"
        fix = f"run: aurora-tenants shared deploy --stack {stack} --parameter DeletionProtection=false"
        raise Refused(Problem("deletion-protected", what, why, fix))
    return lambda tell: stacks.delete(cloudformation, stack, tell=tell)


def usable(cluster: Cluster, deployed: Deployed) -> Shared:
    """The shared stack. Raises AwsError when there is none, when it is none, not whole, or too old."""
    name, shared = cluster.stack, deployed.shared
    fix = f"run: aurora-tenants shared deploy --stack {name}"
    if shared is None:
        why = "cluster.stack in tenants.yaml names it; it holds the cluster and what makes databases and users"
        raise AwsError(Problem("no-shared-stack", f"there is no stack {name}", why, fix))
    if not shared.status.endswith(("_COMPLETE", "UPDATE_IN_PROGRESS")) or shared.status.startswith("ROLLBACK"):
        what = f"stack {name} cannot be used: it is {shared.status}"
        why, fix = "its creation or its deletion did not end well", f"aurora-tenants shared status --stack {name}"
        raise AwsError(Problem("no-shared-stack", what, why, fix))
    if not shared.cluster_arn or shared.version is None:
        missing = "ProviderVersion" if shared.cluster_arn else "DatabaseServer"
        what, why = f"stack {name} is not a shared stack", f"it has no output {missing}"
        raise AwsError(Problem("no-shared-stack", what, why, "name the shared stack in cluster.stack of tenants.yaml"))
    if shared.version < PROVIDER_VERSION:
        what = f"stack {name} is too old: its provider has version {shared.version}"
        raise AwsError(Problem("old-shared-stack", what, f"this program needs version {PROVIDER_VERSION}", fix))
    return shared


def _existing(cloudformation: Any, stack: str) -> Stack:
    found = stacks.read_stack(cloudformation, stack)
    if found is None:
        fix = f"run: aurora-tenants shared deploy --stack {stack}"
        raise AwsError(Problem("no-shared-stack", f"there is no stack {stack}", fix=fix))
    return found


def _require_shared(found: Stack, consequence: str) -> None:
    """Raises Refused for a stack that was not made from the shared stack's template."""
    if TENANT_TAG in found.tags:
        why = f"it is the stack of tenant {found.tags[TENANT_TAG]}; {consequence}"
    elif "ProviderVersion" in found.outputs or not found.was_begun:
        return
    elif found.status.endswith("_COMPLETE") and found.status != "ROLLBACK_COMPLETE":
        why = f"it has no output ProviderVersion; {consequence}"
    elif found.parameters.keys() >= _PARAMETERS:
        return
    else:
        why = f"it has not the parameters of a shared stack; {consequence}"
    what, fix = f"stack {found.name} is not a shared stack", "name another stack with --stack"
    raise Refused(Problem("not-shared-stack", what, why, fix))


def _require_updatable(found: Stack) -> None:
    """Raises Refused for a stack that can only be deleted."""
    if found.status not in _ONLY_TO_DELETE:
        return
    what, fix = f"stack {found.name} cannot be deployed: it is {found.status}", f"run: {_delete(found.name)}"
    if found.status == "DELETE_FAILED":
        why = "its deletion has begun and did not come to its end; CloudFormation takes nothing but another deletion"
        if found.parameters.get("DeletionProtection") == "true":
            fix = f"aws rds modify-db-cluster --no-deletion-protection for its cluster, then: {_delete(found.name)}"
    else:
        why = "its creation failed and was taken back; CloudFormation takes nothing but its deletion"
    raise Refused(Problem("only-to-delete", what, why, fix))


def _delete(stack: str) -> str:
    return f"aurora-tenants shared delete --stack {stack}"
