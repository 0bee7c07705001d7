"""Takes everything of one name out of an account again, and says what is left.

    found(clients, "smoke-1a2b3c4d")      [Thing("stack", "smoke-1a2b3c4d-smoke-a", "aws cloudformation …"), …]
    clean(clients, "smoke-1a2b3c4d", clock, tell)     what is still there, in the same form

Everything that `script/smoke` makes carries its name, so nothing has to be remembered: a later run can delete what one
left behind that was killed. Nothing of another name is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from tools.smoke.clock import Clock, until
from tools.smoke.world import bucket_of

NAME = re.compile(r"smoke-[0-9a-f]{8}")
_LONGEST_SECONDS = 3600.0
_ATTEMPTS = 3
_GONE = ("NotFound", "NoSuch", "does not exist", "not found", "404")

Clients = Callable[[str], Any]
Tell = Callable[[str], None]


class Thing(NamedTuple):
    """Something that is there. command: what deletes it."""

    kind: str
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.command}"


def found(clients: Clients, name: str) -> list[Thing]:
    """All there is under a name, in the order in which it has to be deleted.

    Raises ClientError if it cannot be asked for.
    """
    return [
        *_schedules(clients("scheduler"), name),
        *_stacks(clients("cloudformation"), name),
        *_clusters(clients("rds"), name),
        *_secrets(clients("secretsmanager"), name),
        *_bucket(clients("s3"), name),
        *_snapshots(clients("rds"), name),
        *_logs(clients("logs"), name),
    ]


def clean(clients: Clients, name: str, clock: Clock, tell: Tell) -> list[Thing]:
    """Deletes all of it; what is left, empty if nothing is. A thing that cannot be deleted does not stop the others.

    Raises ClientError, BotoCoreError if AWS cannot be asked what is there.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name} is no name that script/smoke gives")
    there = found(clients, name)
    for attempt in range(_ATTEMPTS):
        if not there:
            break
        if attempt:  # some lists show for a while what is gone
            clock.pause(10)
        for thing in there:
            _delete(clients, thing, clock, tell)
        there = found(clients, name)
    return there


def _delete(clients: Clients, thing: Thing, clock: Clock, tell: Tell) -> None:
    """Deletes one thing; says so if it is refused, and leaves it to the next attempt."""
    try:
        _HOW[thing.kind](clients, thing.name, clock)
    except (ClientError, BotoCoreError) as error:
        if not any(word in str(error) for word in _GONE):
            tell(f"{thing.kind} {thing.name} is not deleted: {error}")


# What there is


def _stacks(cloudformation: Any, name: str) -> Iterator[Thing]:
    """Those of tenants and of the schedule before the shared one."""
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    names = [it["StackName"] for page in pages for it in page["Stacks"]]
    ours = sorted((it for it in names if it == name or it.startswith(f"{name}-")), key=lambda it: (it == name, it))
    for stack in ours:
        yield Thing("stack", stack, f"aws cloudformation delete-stack --stack-name {stack}")


def _schedules(scheduler: Any, name: str) -> Iterator[Thing]:
    """Those that no stack made."""
    try:
        pages = scheduler.get_paginator("list_schedules").paginate(
            GroupName=f"{name}-pause-schedule", NamePrefix="smoke-"
        )
        names = [it["Name"] for page in pages for it in page["Schedules"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return
        raise
    for schedule in names:
        command = f"aws scheduler delete-schedule --group-name {name}-pause-schedule --name {schedule}"
        yield Thing("schedule", f"{name}-pause-schedule/{schedule}", command)


def _clusters(rds: Any, name: str) -> Iterator[Thing]:
    """Those whose stack is gone or could not delete them."""
    pages = rds.get_paginator("describe_db_clusters").paginate()
    for cluster in (it for page in pages for it in page["DBClusters"]):
        identifier = cluster["DBClusterIdentifier"]
        if identifier.startswith(f"{name}-"):
            delete = f"aws rds delete-db-cluster --skip-final-snapshot --db-cluster-identifier {identifier}"
            yield Thing("cluster", identifier, f"delete its instances (aws rds delete-db-instance), then {delete}")


def _secrets(secretsmanager: Any, name: str) -> Iterator[Thing]:
    pages = secretsmanager.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [f"/{name}/"]}])
    for secret in (it for page in pages for it in page["SecretList"]):
        if secret["Name"].startswith(f"/{name}/"):
            delete = "aws secretsmanager delete-secret --force-delete-without-recovery --secret-id"
            yield Thing("secret", secret["Name"], f"{delete} {secret['Name']}")


def _bucket(s3: Any, name: str) -> Iterator[Thing]:
    bucket = bucket_of(name)
    if any(it["Name"] == bucket for it in s3.list_buckets()["Buckets"]):
        yield Thing("bucket", bucket, f"aws s3 rb --force s3://{bucket}")


def _snapshots(rds: Any, name: str) -> Iterator[Thing]:
    """The last one of a cluster, which its stack keeps."""
    pages = rds.get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual")
    for snapshot in (it for page in pages for it in page["DBClusterSnapshots"]):
        if str(snapshot.get("DBClusterIdentifier", "")).startswith(f"{name}-"):
            identifier = snapshot["DBClusterSnapshotIdentifier"]
            delete = "aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier"
            yield Thing("snapshot", identifier, f"{delete} {identifier}")


def _logs(logs: Any, name: str) -> Iterator[Thing]:
    """A function that ended after its log group was deleted has made it again."""
    groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}-")["logGroups"]
    for group in groups:
        delete = f"aws logs delete-log-group --log-group-name {group['logGroupName']}"
        yield Thing("log group", group["logGroupName"], delete)


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
    """What no stack has any more: a stack that still has it is left to its next deletion."""
    rds = clients("rds")
    for instance in rds.describe_db_instances()["DBInstances"]:
        if instance.get("DBClusterIdentifier") == name:
            rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


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
