"""Takes everything of one name out of an account again, and says what is left.

    clean(clients, place, clock, tell)     Found: what is still there, and what could not be looked for

A later run can delete what one left behind that was killed. Nothing of another name is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tools.smoke.clock import Clock, until
from tools.smoke.finding import Clients, Found, Thing, is_gone, look, passes, said
from tools.smoke.world import Place

NAME = re.compile(r"smoke-[0-9a-f]{8}")
_LONGEST_SECONDS = 3600.0
_INSTANCES_SECONDS = 1800.0
# What is refused is tried so often; what only passes, such as a network that is gone, for so many seconds.
_ATTEMPTS, _PATIENCE_SECONDS, _PAUSE_SECONDS = 3, 600, 10

Tell = Callable[[str], None]


def clean(clients: Clients, place: Place, clock: Clock, tell: Tell) -> Found:
    """Deletes all of it; what is left. A thing that cannot be deleted does not stop the others, nor does one error.

    Raises ValueError for a name that script/smoke does not give.
    """
    if not NAME.fullmatch(place.name):
        raise ValueError(f"{place.name} is no name that script/smoke gives")
    tries, since = 0, None
    there = look(clients, place)
    while there.things or there.passes:
        errors = [_delete(clients, thing, clock, tell) for thing in there.things]
        if there.passes or any(map(passes, errors)):
            if since is None:
                since = clock.seconds()
                tell(f"AWS cannot be reached, or is busy: trying for {_PATIENCE_SECONDS // 60} minutes.")
        else:
            tries, since = tries + 1, None
        if since is not None or any(errors) or tries > 1:  # some lists show for a while what is gone
            clock.pause(_PAUSE_SECONDS)
        there = look(clients, place)
        if tries == _ATTEMPTS or (since is not None and clock.seconds() - since > _PATIENCE_SECONDS):
            break
    return there


def _delete(clients: Clients, thing: Thing, clock: Clock, tell: Tell) -> Exception | None:
    """Deletes one thing. The error if that is refused, which is told, and leaves it to the next attempt."""
    try:
        _HOW[thing.kind](clients, thing.name, clock)
    except Exception as error:  # whatever it is, everything else is deleted
        if is_gone(error):
            return None
        tell(f"{thing.kind} {thing.name} is not deleted: {said(error)}")
        return error
    return None


# How it goes


def _delete_stack(clients: Clients, name: str, clock: Clock) -> None:
    """Deletes a stack and waits. Custom resources that cannot be deleted are left out: the cluster goes, too."""
    cloudformation = clients("cloudformation")
    _settled(cloudformation, name, clock, but="CREATE_IN_PROGRESS")
    kept: list[str] = []
    if _status(cloudformation, name) == "DELETE_FAILED":
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        kept = [
            it["LogicalResourceId"]
            for page in pages
            for it in page["StackResourceSummaries"]
            if it["ResourceStatus"] == "DELETE_FAILED" and it["ResourceType"].startswith("Custom::")
        ]
    cloudformation.delete_stack(StackName=name, **({"RetainResources": kept} if kept else {}))
    _settled(cloudformation, name, clock)


def _settled(cloudformation: Any, name: str, clock: Clock, *, but: str = "") -> None:
    def is_settled() -> bool:
        status = _status(cloudformation, name)
        return status == but or not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS"

    until(is_settled, clock.pause, every=5, at_most=_LONGEST_SECONDS)


def _status(cloudformation: Any, name: str) -> str:
    """A stack's status; "gone" if there is none."""
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return "gone"
        raise


def _delete_cluster(clients: Clients, name: str, clock: Clock) -> None:
    """What no stack has any more, until it is gone. A stack that still has it is left to its next deletion."""
    rds = clients("rds")

    def instances() -> list[str]:
        only = [{"Name": "db-cluster-id", "Values": [name]}]
        pages = rds.get_paginator("describe_db_instances").paginate(Filters=only)
        return [it["DBInstanceIdentifier"] for page in pages for it in page["DBInstances"]]

    def is_gone_now() -> bool:
        try:
            return not rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        except ClientError as error:
            if is_gone(error):
                return True
            raise

    for instance in instances():
        try:
            rds.delete_db_instance(DBInstanceIdentifier=instance, SkipFinalSnapshot=True)
        except ClientError as error:  # it may be on its way already
            if not is_gone(error) and "InvalidDBInstanceState" not in str(error):
                raise
    until(lambda: not instances(), clock.pause, every=15, at_most=_INSTANCES_SECONDS)
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    until(is_gone_now, clock.pause, every=15, at_most=_INSTANCES_SECONDS)


def _delete_schedule(clients: Clients, name: str, clock: Clock) -> None:
    group, _, schedule = name.partition("/")
    clients("scheduler").delete_schedule(GroupName=group, Name=schedule)


def _delete_secret(clients: Clients, name: str, clock: Clock) -> None:
    clients("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def _delete_bucket(clients: Clients, name: str, clock: Clock) -> None:
    s3 = clients("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", ()):
            s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


def _delete_snapshot(clients: Clients, name: str, clock: Clock) -> None:
    clients("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)


def _delete_logs(clients: Clients, name: str, clock: Clock) -> None:
    clients("logs").delete_log_group(logGroupName=name)


_HOW: dict[str, Callable[[Clients, str, Clock], None]] = {
    "stack": _delete_stack,
    "schedule": _delete_schedule,
    "cluster": _delete_cluster,
    "secret": _delete_secret,
    "bucket": _delete_bucket,
    "snapshot": _delete_snapshot,
    "log group": _delete_logs,
}
