"""What there is under one name in an account, and what could not be looked for.

    look(clients, place)      Found((Thing("stack", "smoke-1a2b3c4d-smoke-a", "aws cloudformation …"), …), ())

Everything that `script/smoke` makes carries its name, so nothing has to be remembered. Each list is asked for alone:
whoever may not see log groups still finds the cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from aurora_tenants.aws.clients import code_of
from tools.smoke.world import EXPIRED, Place, bucket_of

Clients = Callable[[str], Any]
_PASSING = ("Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown", "InternalFailure", "InternalError")


class Thing(NamedTuple):
    """Something that is there. command: what deletes it."""

    kind: str
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.command}"


class Unknown(NamedTuple):
    """A list that could not be read. passes: it may be readable in a minute."""

    kinds: str
    why: str
    passes: bool


class Found(NamedTuple):
    """things: in the order in which they have to be deleted."""

    things: tuple[Thing, ...] = ()
    unknown: tuple[Unknown, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether something may be told in a minute that could not be told now."""
        return any(it.passes for it in self.unknown)

    def lines(self) -> tuple[str, ...]:
        """All of it for people; empty if there is certainly nothing."""
        kinds: dict[str, list[str]] = {}
        for it in self.unknown:
            kinds.setdefault(it.why, []).append(it.kinds)
        unknown = (f"could not look for {', '.join(those)}: {why}" for why, those in kinds.items())
        return (*map(str, self.things), *unknown)


def look(clients: Clients, place: Place) -> Found:
    """All there is under a name. Raises nothing of AWS's: what cannot be asked for is in the answer."""
    things: list[Thing] = []
    unknown: list[Unknown] = []
    for kinds, (service, list_them) in _LISTS.items():
        try:
            things += list_them(clients(service), place)
        except Exception as error:  # whatever it is, the other lists are looked at, and this one is told
            unknown.append(Unknown(kinds, said(error), passes(error)))
    return Found(tuple(things), tuple(unknown))


def said(error: Exception) -> str:
    """An error on one line. What AWS says of the operation is the same sentence for each list once this has expired."""
    if code_of(error) in EXPIRED:
        return "the credentials have expired"
    return " ".join(str(error).split()) or type(error).__name__


def passes(error: BaseException | None) -> bool:
    """Whether it is worth trying again: the network is gone, or AWS is busy; no denial, and no missing login."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or code_of(error).startswith(_PASSING)
    unreached = HTTPClientError | ConnectionError | ResponseParserError | OSError
    return isinstance(error, unreached) or (error is not None and passes(error.__cause__))


def _stacks(cloudformation: Any, place: Place) -> Iterator[Thing]:
    """Those of tenants and of the schedule before the shared one, whose functions they need, and the cluster's last."""
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    names = [it["StackName"] for page in pages for it in page["Stacks"]]
    name, last = place.name, (place.name, f"{place.name}-cluster")
    ours = sorted(it for it in names if it.startswith(f"{name}-") and it not in last)
    ours += [it for it in last if it in names]
    for stack in ours:
        yield Thing("stack", stack, f"aws cloudformation delete-stack --stack-name {stack}{place.flags}")


def _schedules(scheduler: Any, place: Place) -> Iterator[Thing]:
    """Those that no stack made."""
    group = f"{place.name}-pause-schedule"
    try:
        pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group, NamePrefix="smoke-")
        names = [it["Name"] for page in pages for it in page["Schedules"]]
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return
        raise
    for schedule in names:
        command = f"aws scheduler delete-schedule --group-name {group} --name {schedule}{place.flags}"
        yield Thing("schedule", f"{group}/{schedule}", command)


def _clusters(rds: Any, place: Place) -> Iterator[Thing]:
    """Those whose stack is gone or could not delete them."""
    pages = rds.get_paginator("describe_db_clusters").paginate()
    for cluster in (it for page in pages for it in page["DBClusters"]):
        identifier = cluster["DBClusterIdentifier"]
        if identifier.startswith(f"{place.name}-"):
            delete = (
                f"aws rds delete-db-cluster --skip-final-snapshot --db-cluster-identifier {identifier}{place.flags}"
            )
            yield Thing("cluster", identifier, f"delete its instances (aws rds delete-db-instance), then {delete}")


def _secrets(secretsmanager: Any, place: Place) -> Iterator[Thing]:
    begin = f"/{place.name}/"
    pages = secretsmanager.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [begin]}])
    for secret in (it for page in pages for it in page["SecretList"]):
        if secret["Name"].startswith(begin):
            delete = "aws secretsmanager delete-secret --force-delete-without-recovery --secret-id"
            yield Thing("secret", secret["Name"], f"{delete} {secret['Name']}{place.flags}")


def _bucket(s3: Any, place: Place) -> Iterator[Thing]:
    bucket = bucket_of(place.name)
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if is_gone(error):
            return
        raise
    yield Thing("bucket", bucket, f"aws s3 rb --force s3://{bucket}{place.flags}")


def _snapshots(rds: Any, place: Place) -> Iterator[Thing]:
    """The last one of a cluster, which its stack keeps."""
    pages = rds.get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual")
    for snapshot in (it for page in pages for it in page["DBClusterSnapshots"]):
        if str(snapshot.get("DBClusterIdentifier", "")).startswith(f"{place.name}-"):
            identifier = snapshot["DBClusterSnapshotIdentifier"]
            delete = "aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier"
            yield Thing("snapshot", identifier, f"{delete} {identifier}{place.flags}")


def _logs(logs: Any, place: Place) -> Iterator[Thing]:
    """A function that ended after its log group was deleted has made it again."""
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/lambda/{place.name}-")
    for group in (it["logGroupName"] for page in pages for it in page["logGroups"]):
        yield Thing("log group", group, f"aws logs delete-log-group --log-group-name {group}{place.flags}")


def is_gone(error: Exception) -> bool:
    """Whether AWS says that there is no such thing."""
    code = code_of(error)
    return code == "404" or "NotFound" in code or "NoSuch" in code or "does not exist" in str(error)


_LISTS: dict[str, tuple[str, Callable[[Any, Place], Iterator[Thing]]]] = {
    "schedules": ("scheduler", _schedules),
    "stacks": ("cloudformation", _stacks),
    "clusters": ("rds", _clusters),
    "secrets": ("secretsmanager", _secrets),
    "the bucket": ("s3", _bucket),
    "snapshots": ("rds", _snapshots),
    "log groups": ("logs", _logs),
}
