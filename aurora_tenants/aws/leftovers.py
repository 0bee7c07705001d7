"""What an apply has left that was killed, or denied a part of what it takes: change sets that nobody executes any more,
and the empty stacks that wait for them.

A change set that is executed takes all others of its stack with it, so nothing is left of a stack that is deployed
again. What is left elsewhere shows only by a call for each stack: `clean` makes a few of them in each apply.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from aurora_tenants.aws import changesets
from aurora_tenants.aws.changesets import ChangeSet
from aurora_tenants.aws.clients import asking, code_of
from aurora_tenants.aws.operations import new_token
from aurora_tenants.errors import AwsError
from aurora_tenants.model import Cluster
from aurora_tenants.naming import TENANT_TAG, pause_stack, pause_tags, stack_name, tenant_tags
from aurora_tenants.stack import Deployed

Made = TypeVar("Made")
Tell = Callable[[str], None]

# Of the stacks that nothing happens to, an apply looks at no more, whichever: a call for each of a thousand would take
# minutes, and every apply looks at others.
_LOOKED_AT = 10
_AT_ONCE = 5
_ALLOW = "deploy the shared stack again, whose ApplyPolicy then allows it, and attach that policy"


def clean(cloudformation: Any, cluster: Cluster, deployed: Deployed, unchanged: Collection[str], *, tell: Tell) -> None:
    """Deletes what is left at some of these stacks, and stacks in which nothing ever came to be; tells each.

    unchanged: the names of stacks that nothing happens to. What cannot be deleted is told and left: it harms nobody.
    """
    looked_at = random.sample(sorted(unchanged), min(len(unchanged), _LOOKED_AT))
    steps = [
        *(partial(clear, cloudformation, name, tell=tell) for name in looked_at),
        *(partial(_remove_empty, cloudformation, cluster, name, deployed.role_arn, tell) for name in deployed.waiting),
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        failures = {problem.what for problems in pool.map(_problems, steps) for problem in problems}
    for what in sorted(failures)[:1]:
        tell(f"Whether change sets are left that nobody executes was not seen everywhere: {what}")


def _problems(step: Callable[[], object]) -> tuple[Any, ...]:
    try:
        step()
    except AwsError as error:
        return error.problems
    return ()


def clear(cloudformation: Any, stack: str, *, tell: Tell = lambda _: None) -> int:
    """Deletes the change sets of this program's that nobody executes any more. How many. Raises AwsError."""
    left = [it for it in _listed(cloudformation, stack) if changesets.is_left(it, datetime.now(UTC))]
    for summary in left:
        with asking(f"delete a change set of stack {stack}", if_denied=_ALLOW):
            cloudformation.delete_change_set(StackName=summary["StackId"], ChangeSetName=summary["ChangeSetName"])
        tell(f"Deleted change set {summary['ChangeSetName']} of stack {stack}, which nobody has executed.")
    return len(left)


def _listed(cloudformation: Any, stack: str) -> Iterator[Mapping[str, Any]]:
    with asking(f"list the change sets of stack {stack}", if_denied=_ALLOW):
        for page in cloudformation.get_paginator("list_change_sets").paginate(StackName=stack):
            yield from page["Summaries"]


def _remove_empty(cloudformation: Any, cluster: Cluster, name: str, role_arn: str, tell: Tell) -> None:
    """Deletes a stack that waits for a change set of this program's that nobody executes any more, and no other."""
    found = [*_listed(cloudformation, name)]
    if not found or not all(changesets.is_left(it, datetime.now(UTC)) for it in found):
        return
    with asking(f"read the change set of stack {name}", if_denied=_ALLOW):
        described = cloudformation.describe_change_set(
            StackName=found[0]["StackId"], ChangeSetName=found[0]["ChangeSetName"]
        )
    if not _is_of(cluster, name, {tag["Key"]: tag["Value"] for tag in described.get("Tags") or ()}):
        return
    clear(cloudformation, found[0]["StackId"])
    if any(_listed(cloudformation, found[0]["StackId"])):  # another apply has begun with it since
        return
    with asking(f"delete the empty stack {name}", if_denied=_ALLOW):
        stack = cloudformation.describe_stacks(StackName=found[0]["StackId"])["Stacks"][0]
        if stack["StackStatus"] != "REVIEW_IN_PROGRESS":
            return
        in_role = {"RoleARN": role_arn} if role_arn else {}
        cloudformation.delete_stack(StackName=stack["StackId"], ClientRequestToken=new_token(), **in_role)
    tell(f"Deleted stack {name}, in which nothing ever was: nobody has executed its change set.")


def _is_of(cluster: Cluster, name: str, tags: Mapping[str, str]) -> bool:
    """Whether a stack that these tags were meant for is a tenant's or the pause schedule's of this cluster."""
    tenant = tags.get(TENANT_TAG, "")
    if name == pause_stack(cluster):
        return pause_tags(cluster).items() <= tags.items()
    return name == stack_name(cluster, tenant) and tenant_tags(cluster, tenant).items() <= tags.items()


@contextmanager
def discarding(cloudformation: Any, made: ChangeSet) -> Iterator[None]:
    """Around the execution of a change set: one that may not be executed is deleted at once, where that is allowed."""
    try:
        yield
    except AwsError as error:
        if any(problem.code == "access-denied" for problem in error.problems):
            with suppress(AwsError):  # what is told is what was refused first
                changesets.discard(cloudformation, made)
        raise


def with_room(cloudformation: Any, stack: str, make: Callable[[], Made]) -> Made:
    """What `make` makes of a stack that has as many change sets as it can have: again, without those that are left.

    ("ChangeSet limit exceeded for stack": AWS does not say how many they are)
    """
    try:
        return make()
    except AwsError as error:
        if code_of(error.__cause__) != "LimitExceededException" or not clear(cloudformation, stack):
            raise
    return make()
