"""Deploys what was prepared for the shared stack, after somebody has seen what it would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aurora_tenants.aws import again, bucket, changesets, stacks
from aurora_tenants.aws.changesets import ChangeSet
from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.aws.code import CODE_BUCKET, Archive
from aurora_tenants.aws.preparation import Chosen, Deployment, prepare, with_cluster
from aurora_tenants.aws.usable import existing, with_repair
from aurora_tenants.errors import AuroraTenantsError, AwsError, NotConverged, Problem, StackFailed
from aurora_tenants.preview import Preview, of_new
from aurora_tenants.stack import StackPlan


class Operator(Protocol):
    """The person at the terminal, or nobody in CI."""

    def agrees(self, previews: Sequence[Preview]) -> bool:
        """Whether this is to be done; what was made to see it is thrown away if not, or if this raises.

        Nothing to see is agreed to, unless nothing is to be done whatever it is.
        """
        ...

    def continues(self, names: Sequence[str]) -> None:
        """Agrees that the rollback of these stacks is continued, before which nothing can be shown; raises if not."""
        ...

    def deploying(self) -> stacks.Tell:
        """From now on something is changed; what is told of it."""
        ...


class _Agrees:
    """Who agrees to everything, and listens to nothing."""

    def agrees(self, previews: Sequence[Preview]) -> bool:
        return True

    def continues(self, names: Sequence[str]) -> None:
        pass

    def deploying(self) -> stacks.Tell:
        return lambda event: None


AGREES: Operator = _Agrees()


def deploy(
    *,
    region: str | None,
    profile: str | None,
    stack: str,
    parameters: Mapping[str, str],
    chosen: Chosen | None = None,
) -> bool:
    """Creates or updates the shared stack without asking; False when there was nothing to change."""
    deployment = prepare(region=region, profile=profile, stack=stack, parameters=parameters, chosen=chosen)
    return execute(deployment, AGREES)


def execute(deployment: Deployment, operator: Operator) -> bool:
    """Deploys what was prepared, the cluster first; False when there was nothing to change, or it was not agreed to.

    Raises StackFailed, AwsError, NotConverged if the functions then run different code than was put into the bucket.
    """
    return _unstuck(deployment, deployment.stuck, operator, lambda: _deploy(deployment, operator))


def _unstuck(deployment: Deployment, stuck: Sequence[str], operator: Operator, work: Callable[[], bool]) -> bool:
    """What `work` gives, once the rollback of these stacks is continued; True if any was."""
    if not stuck:
        return work()
    operator.continues(stuck)
    try:
        for name in stuck:
            stacks.continue_rollback(deployment.aws.cloudformation, name, operator.deploying())
        work()
    except AuroraTenantsError as error:
        error.nothing_was_changed = False
        raise
    return True


def _deploy(deployment: Deployment, operator: Operator) -> bool:
    cloudformation, plan = deployment.aws.cloudformation, deployment.cluster
    if plan is None:
        return _deploy_shared(deployment, operator, agreed=False)
    is_new, is_again = deployment.stack.action == "create", plan.action == "replace"
    functions = [of_new(deployment.stack)] if is_new else []
    if is_again:
        if not operator.agrees([of_new(plan), *functions]):
            return False
        made: ChangeSet | None = _make_again(cloudformation, plan, operator)
    else:
        made = _make(cloudformation, plan)
    if made is None:
        return _deploy_shared(deployment, operator, agreed=False)
    if not (is_again or _agreed(deployment, made, operator, functions)):
        return False
    stacks.execute(cloudformation, made, tell=operator.deploying())
    try:
        _deploy_shared(deployment, operator, agreed=is_new)
    except AuroraTenantsError as error:
        error.nothing_was_changed = False  # the cluster is deployed
        raise
    return True


def _deploy_shared(deployment: Deployment, operator: Operator, *, agreed: bool) -> bool:
    """agreed: it was already agreed to, when its cluster was."""
    aws, archive, plan = deployment.aws, deployment.archive, with_cluster(deployment)
    cloudformation = aws.cloudformation
    before = stacks.read_stack(cloudformation, plan.name)
    if before and before.status in ("CREATE_FAILED", "ROLLBACK_COMPLETE"):
        # It holds no data, and a resource whose creation was cancelled may be there without CloudFormation knowing.
        if not (agreed or operator.agrees([of_new(plan)])):
            return False
        agreed, made = True, _make_again(cloudformation, plan, operator)
    else:
        made = _make(cloudformation, plan)
    if made is None:
        if archive and operator.agrees([]):
            bucket.upload(aws.client("s3"), plan.parameters[CODE_BUCKET], archive)
            _compare(aws, plan.name, plan.parameters[CODE_BUCKET], archive)
        return False
    if not (agreed or _agreed(deployment, made, operator)):
        return False
    tell = operator.deploying()
    if archive is None:
        _execute(cloudformation, made, tell)
        return True
    place = plan.parameters[CODE_BUCKET]
    try:
        bucket.upload(aws.client("s3"), place, archive)
    except AwsError:
        changesets.discard(cloudformation, made)
        raise
    try:
        _execute(cloudformation, made, tell)
    except AwsError as error:
        error.nothing_was_changed = False  # the zip is in the bucket
        raise
    _compare(aws, plan.name, place, archive)
    return True


def _execute(cloudformation: Any, made: ChangeSet, tell: stacks.Tell) -> None:
    try:
        stacks.execute(cloudformation, made, tell=tell)
    except StackFailed as error:
        raise StackFailed(*(with_repair(problem, made.stack) for problem in error.problems)) from error


def repair(deployment: Deployment, heal: Callable[[], None], operator: Operator) -> bool:
    """Deploys a shared stack that is there, and sets back what was changed by hand; False if it was not agreed to.

    heal: what CloudFormation cannot do, before it begins. Raises StackFailed, AwsError, NotConverged.
    """
    stuck = [name for name in deployment.stuck if name == deployment.stack.name]
    return _unstuck(deployment, stuck, operator, lambda: _repair(deployment, heal, operator))


def _repair(deployment: Deployment, heal: Callable[[], None], operator: Operator) -> bool:
    cloudformation, plan, archive = deployment.aws.cloudformation, deployment.stack, deployment.archive
    made = _make(cloudformation, plan, reverts_drift=True)
    if made is None or not _agreed(deployment, made, operator):
        return False
    tell, is_healed = operator.deploying(), False
    try:
        heal()
        is_healed = True
    except AwsError as error:
        error.nothing_was_changed = False  # some of it may be done
        raise
    finally:
        if not is_healed:
            changesets.discard(cloudformation, made)
    stacks.execute(cloudformation, made, tell=tell)
    if archive:
        _compare(deployment.aws, plan.name, plan.parameters[CODE_BUCKET], archive)
    return True


def _make(cloudformation: Any, plan: StackPlan, *, reverts_drift: bool = False) -> ChangeSet | None:
    """A creation that fails leaves what it made, so that it can be gone on with."""
    before = stacks.read_stack(cloudformation, plan.name)
    return changesets.make(cloudformation, plan, before, keeps_failed=True, reverts_drift=reverts_drift)


def _make_again(cloudformation: Any, plan: StackPlan, operator: Operator) -> ChangeSet | None:
    """Deletes a stack that holds nothing to keep, and prepares its creation."""
    stacks.delete(cloudformation, plan.name, tell=operator.deploying())
    try:
        return _make(cloudformation, plan)
    except AwsError as error:
        error.nothing_was_changed = False  # the stack is gone
        raise


def _agreed(deployment: Deployment, made: ChangeSet, operator: Operator, more: Sequence[Preview] = ()) -> bool:
    """Whether it is to be done, and what else comes with it. It is thrown away if not, or if that cannot be learnt."""
    cloudformation = deployment.aws.cloudformation
    has_agreed = False
    try:
        preview = changesets.read(cloudformation, made)
        again.refuse_replacement(made, preview, deployment.stack.name)
        has_agreed = operator.agrees([again.with_remains(deployment.aws, made, preview), *more])
    finally:
        if not has_agreed:
            changesets.discard(cloudformation, made)
    return has_agreed


def _compare(aws: Aws, stack: str, place: str, archive: Archive) -> None:
    """Raises NotConverged unless Lambda reports that both functions run this archive."""
    outputs, functions = existing(aws.cloudformation, stack).outputs, aws.client("lambda")
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
