"""The shared stack as a whole: deletes it, and never a stack that is something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aurora_tenants.aws import again, stacks, usable
from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.clusters import require_not_stopped
from aurora_tenants.errors import AwsError, Problem, Refused
from aurora_tenants.model import Cluster
from aurora_tenants.naming import TENANT_TAG, cluster_stack, cluster_tags
from aurora_tenants.stack import Stack
from aurora_tenants.status import STATES

# A stack whose creation failed has no outputs; it counts as a shared stack if it has all of these parameters.
_PARAMETERS = {"ClusterArn", "ClusterHost", "ClusterResourceId", "MasterSecretArn"}
# With these CloudFormation accepts only a deletion.
_ONLY_TO_DELETE = frozenset(
    name for name, state in STATES.items() if state.way in ("make again", "by hand") and not state.takes_update
)


def prepare_deletion(aws: Aws, stack: str, *, with_cluster: bool = False) -> Callable[[stacks.Tell], None]:
    """Checks that the shared stack can be deleted. Returns the function that deletes it; before, nothing is changed.

    with_cluster: also the cluster that was made with it, which is done where the shared stack is gone already, too.

    Raises AwsError if there is no such stack, or if tenants or a pause schedule are deployed on it, Refused if it is
    not a shared stack, or if its cluster is to go and is protected, or was made by others. The returned function raises
    StackFailed, AwsError.
    """
    made = read_made(aws, stack) if with_cluster else None
    if not (made and stacks.read_stack(aws.cloudformation, stack) is None):
        existing = usable.existing(aws.cloudformation, stack)
        _require_deletable(aws.cloudformation, existing)
        if arn := existing.outputs.get("DatabaseServer"):
            require_not_stopped(aws, arn)
    if with_cluster:
        _require_cluster_deletable(aws, stack, made)

    def delete(tell: stacks.Tell) -> None:
        stacks.delete(aws.cloudformation, stack, tell=tell)
        if made:
            stacks.delete(aws.cloudformation, made.name, tell=tell)

    return delete


def _require_deletable(cloudformation: Any, existing: Stack) -> None:
    stack = existing.name
    require_shared(existing, "only a shared stack is deleted by this command")
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


def _require_cluster_deletable(aws: Aws, stack: str, made: Stack | None) -> None:
    if made is None:
        what, fix = f"stack {stack} has not made its cluster", "leave out --with-cluster"
        raise Refused(Problem("not-our-cluster", what, f"there is no stack {cluster_stack(stack)}", fix))
    # In a stack that cannot be updated the parameter cannot be changed either; then it is left to CloudFormation.
    if made.parameters.get("DeletionProtection") != "true" or not made.was_begun or made.status in _ONLY_TO_DELETE:
        return
    # One whose creation failed may not have come as far as the cluster.
    if not made.is_unfinished or again.databases_left(aws, made.name):
        what = f"the cluster of stack {made.name} is protected from deletion"
        why = "its parameter DeletionProtection is true; the deletion would fail halfway"
        fix = f"run: {usable.deploy_command(stack)} --parameter DeletionProtection=false"
        raise Refused(Problem("deletion-protected", what, why, fix))


def read_made(aws: Aws, stack: str) -> Stack | None:
    """The stack of the cluster that was made with this shared stack. Raises Refused for another stack of its name."""
    made = stacks.read_stack(aws.cloudformation, cluster_stack(stack))
    if made and made.was_begun and not cluster_tags(stack).items() <= made.tags.items():
        what = f"stack {made.name} is not the cluster of shared stack {stack}"
        why = "it lacks the tags of one, and the cluster of this shared stack would be called that"
        raise Refused(Problem("not-cluster-stack", what, why, "give the shared stack another name with --stack"))
    return made


def require_shared(existing: Stack, consequence: str) -> None:
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


def require_updatable(existing: Stack) -> None:
    """Raises Refused for a stack that can only be deleted, and may still hold something."""
    if existing.status not in _ONLY_TO_DELETE or existing.status == "ROLLBACK_COMPLETE":
        return
    what, fix = f"stack {existing.name} cannot be deployed: it is {existing.status}", f"run: {_delete(existing.name)}"
    why = f"{existing.state.said}; CloudFormation accepts only its deletion"
    if existing.status == "DELETE_FAILED":
        why = "its deletion began and did not finish; CloudFormation accepts only another deletion"
    raise Refused(Problem("only-to-delete", what, why, fix))


def _delete(stack: str) -> str:
    return f"aurora-tenants shared delete --stack {stack}"
