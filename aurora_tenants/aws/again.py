"""A deployment after one that failed: what is said of what that left, what is gone on with, and what is made again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from aurora_tenants.aws import operations
from aurora_tenants.aws.changesets import ChangeSet
from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.errors import AwsError, Problem, Refused
from aurora_tenants.preview import Preview
from aurora_tenants.stack import FAILED_ROLLBACK, Stack

# What has data in it or costs by the hour, how it is looked for, and the error of what is not there.
_DATABASES = {
    "AWS::RDS::DBCluster": ("cluster", "describe_db_clusters", "DBClusterIdentifier", "DBClusterNotFoundFault"),
    "AWS::RDS::DBInstance": ("instance", "describe_db_instances", "DBInstanceIdentifier", "DBInstanceNotFound"),
}


def said_of_functions(cloudformation: Any, before: Stack | None) -> str:
    """What is done with the stack of the functions, if it failed; a sentence, or empty."""
    if before and before.status in ("CREATE_FAILED", "ROLLBACK_COMPLETE"):
        return f"{_failed(cloudformation, before)} It is deleted and made again; it holds no data."
    return _gone_on_with(cloudformation, before)


def said_of_cluster(cloudformation: Any, made: Stack | None, *, is_used: bool) -> str:
    """The same of the stack of the cluster. is_used: False where the shared stack is for another cluster."""
    if made is None or not (made.is_unfinished or made.is_only_to_delete):
        return _gone_on_with(cloudformation, made) if is_used else ""
    if not is_used:
        left = f"It is left as it is; `aws cloudformation delete-stack --stack-name {made.name}` deletes it."
        return f"{_failed(cloudformation, made)} {left}"
    if made.is_unfinished:
        return _gone_on_with(cloudformation, made)
    return f"{_failed(cloudformation, made)} It is deleted and made again; it holds no cluster."


def _gone_on_with(cloudformation: Any, stack: Stack | None) -> str:
    if stack and stack.is_unfinished:
        return f"{_failed(cloudformation, stack)} It is gone on with."
    if stack and stack.status == FAILED_ROLLBACK:
        return f"{_failed(cloudformation, stack)} Its rollback failed, too, and is continued first."
    return ""


def _failed(cloudformation: Any, stack: Stack) -> str:
    what = "last update" if stack.status.startswith("UPDATE") else "creation"
    cause = operations.first_failure(cloudformation, stack.name)
    where = f" at {cause.resource}: {operations.words(cause).rstrip('. ')}" if cause else ""
    return f"Stack {stack.name} is {stack.status}: its {what} failed{where}."


def require_updatable(aws: Aws, stack: str, made: Stack) -> None:
    """Raises Refused for a stack of the cluster that can only be deleted, unless it was rolled back and holds nothing.

    stack: the shared stack's name. Raises AwsError if it cannot be read whether it holds anything.
    """
    if made.is_unfinished or not made.is_only_to_delete:
        return
    left = databases_left(aws, made.name)
    if made.status == "ROLLBACK_COMPLETE" and not left:
        return
    holds = f"; it holds {', '.join(item.name for item in left)}" if left else ""
    why = {
        "ROLLBACK_COMPLETE": "its creation failed and was rolled back, but not all of it was deleted",
        "ROLLBACK_FAILED": "its creation failed, and so did its rollback; CloudFormation accepts only its deletion",
    }.get(made.status, "its deletion began and did not finish; CloudFormation accepts only another deletion")
    fix = f"run: {delete_command(stack)}, which asks first; then deploy again"
    if made.status == "ROLLBACK_COMPLETE":
        fix = f"run: {delete_command(stack)}; it leaves that cluster, which --cluster takes, or RDS deletes"
    what = f"stack {made.name} cannot be deployed: it is {made.status}{holds}"
    raise Refused(Problem("only-to-delete", what, why, fix))


class Left(NamedTuple):
    """A cluster or instance of a stack that is there. status: of the resource. name: `cluster orders`."""

    logical_id: str
    status: str
    name: str


def databases_left(aws: Aws, stack: str) -> list[Left]:
    """The clusters and instances of a stack that there are, whatever became of the stack."""
    with asking(f"read the resources of stack {stack}", if_denied="allow cloudformation:ListStackResources on it"):
        pages = aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        found = [entry for page in pages for entry in page["StackResourceSummaries"]]
    return [
        Left(entry["LogicalResourceId"], entry["ResourceStatus"], f"{_DATABASES[kind][0]} {identifier}")
        for entry in found
        if (kind := entry["ResourceType"]) in _DATABASES and (identifier := entry.get("PhysicalResourceId"))
        if _is_there(aws, kind, identifier)
    ]


def _is_there(aws: Aws, kind: str, identifier: str) -> bool:
    word, operation, parameter, missing = _DATABASES[kind]
    try:
        with asking(f"look for {word} {identifier}", if_denied="allow rds:DescribeDBClusters and DescribeDBInstances"):
            getattr(aws.client("rds"), operation)(**{parameter: identifier})
    except AwsError as error:
        if code_of(error.__cause__) == missing:
            return False
        raise
    return True


def refuse_replacement(made: ChangeSet, preview: Preview, shared: str) -> None:
    """Raises Refused if a change set that cannot be rolled back would replace a resource, which CloudFormation refuses.

    "Immutable update types aren't supported." ("Choose how to handle failures when provisioning resources",
    CloudFormation User Guide). shared: the shared stack's name.
    """
    replaced = [change.logical_id for change in preview.changes if change.action == "replace"]
    if made.kind == "CREATE" or not made.keeps_failed or not replaced:
        return
    what = f"{', '.join(replaced)} of stack {made.stack} would be replaced"
    why = "a stack that has failed is gone on with as it is: CloudFormation replaces nothing in it"
    fix = f"take back the parameter that causes it; or run: {delete_command(shared)}, and deploy again"
    raise Refused(Problem("replaced-in-failed-stack", what, why, fix))


def with_remains(aws: Aws, made: ChangeSet, preview: Preview) -> Preview:
    """The same with `replace` for each cluster or instance that is there though its creation failed.

    CloudFormation announces it as new, but deletes what is there of it: "Resources without a last known stable state
    will be deleted upon the next stack operation." (as above)
    """
    if made.kind == "CREATE" or not made.keeps_failed:
        return preview
    failed = {item.logical_id for item in databases_left(aws, made.stack) if item.status == "CREATE_FAILED"}
    changes = [
        replace(change, action="replace") if change.action == "create" and change.logical_id in failed else change
        for change in preview.changes
    ]
    return replace(preview, changes=tuple(changes))


def delete_command(stack: str) -> str:
    """What deletes a shared stack with the cluster that was made for it."""
    return f"aurora-tenants shared delete --stack {stack} --with-cluster"
