"""A snapshot of the cluster before something is dropped: made, or found where an apply has begun it, and waited for.

    make(aws, cluster, cluster_arn, drops, wait_seconds=3600, tell=print)     aurora-tenants-shop-20261128093000-1f0c9a

It neither wakes a paused cluster nor stops anybody from writing. ("Scaling to Zero ACUs", "Overview of backing up and
restoring an Aurora DB cluster", Aurora User Guide)
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.model import Cluster
from aurora_tenants.naming import CLUSTER_TAG, DATABASES_TAG, TENANTS_TAG
from aurora_tenants.tenant.drops import Drop

# ApplyPolicy is about snapshots of this prefix. A name has 63 characters: "CreateDBClusterSnapshot", RDS API Reference.
_PREFIX = "aurora-tenants-"
_OF_CLUSTER = 25
_TAG = 256  # of a value; so are the characters below. "Tag", RDS API Reference
_NOT_IN_TAGS = re.compile(r"[^\w .:/=+@-]")
_PAUSE_SECONDS = 5.0
_ALLOW = "deploy the shared stack again, whose ApplyPolicy then allows it, and attach that policy"

Tell = Callable[[str], None]


def make(
    aws: Aws,
    cluster: Cluster,
    cluster_arn: str,
    drops: Sequence[Drop],
    *,
    wait_seconds: float,
    tell: Tell,
    stop: threading.Event | None = None,
) -> str:
    """Returns the snapshot's name once it is available. tell: is told in sentences how far it is.

    One that an apply has begun before, and that is still being made, is waited for instead: RDS makes no two at once.
    Raises AwsError if it fails, is not available in time, or once `stop` is set; it may be there all the same.
    """
    stop = stop or threading.Event()
    if stop.is_set():
        raise _stopped()
    rds, identifier = aws.client("rds"), cluster_arn.rpartition(":")[2]
    began = time.monotonic()
    name = _under_way(rds, identifier)
    if name:
        tell(f"Snapshot {name} of the cluster is being made already; waiting up to {_minutes(wait_seconds)} for it.")
    else:
        name = _name(identifier)
        tell(f"Making snapshot {name} of the cluster; waiting up to {_minutes(wait_seconds)} for it.")
        _begin(rds, identifier, name, _tags(cluster, drops), began + wait_seconds, tell, stop)
    _wait(rds, name, began + wait_seconds, tell, stop)
    tell(f"Snapshot {name} is available after {_minutes(time.monotonic() - began)}.")
    return name


def _under_way(rds: Any, identifier: str) -> str | None:
    """The name of a snapshot of this program's that is still being made."""
    with asking("look for snapshots of the cluster", if_denied=_ALLOW):
        pages = rds.get_paginator("describe_db_cluster_snapshots").paginate(
            DBClusterIdentifier=identifier, SnapshotType="manual"
        )
        found = (each for page in pages for each in page["DBClusterSnapshots"] if each["Status"] == "creating")
        names: Iterable[str] = (each["DBClusterSnapshotIdentifier"] for each in found)
        return next((name for name in names if name.startswith(_PREFIX)), None)


def _name(identifier: str) -> str:
    """Cluster and time for people, and a token: a name that is taken is ours, so a second call makes no other one."""
    of_cluster = identifier.lower()[:_OF_CLUSTER].rstrip("-")
    return f"{_PREFIX}{of_cluster}-{datetime.now(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(3)}"


def _tags(cluster: Cluster, drops: Sequence[Drop]) -> list[dict[str, str]]:
    """Whose databases were about to be dropped."""
    values = {
        CLUSTER_TAG: cluster.stack,
        TENANTS_TAG: _listed(dict.fromkeys(drop.tenant for drop in drops)),
        DATABASES_TAG: _listed(drop.database for drop in drops),
    }
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _listed(names: Iterable[str]) -> str:
    """As many names as a tag's value takes; a dot stands for what it does not take, such as $."""
    written = [_NOT_IN_TAGS.sub(".", name) for name in names]
    for more in range(len(written)):
        text = " ".join(written[: len(written) - more]) + (f" and {more} more" if more else "")
        if len(text) <= _TAG:
            return text
    return f"{len(written)} names"


def _begin(
    rds: Any,
    identifier: str,
    name: str,
    tags: Sequence[dict[str, str]],
    deadline: float,
    tell: Tell,
    stop: threading.Event,
) -> None:
    """Begins it, as soon as nothing else is being done to the cluster."""
    is_told = False
    while True:
        try:
            with asking(f"make snapshot {name} of the cluster", if_denied=_ALLOW):
                rds.create_db_cluster_snapshot(
                    DBClusterSnapshotIdentifier=name, DBClusterIdentifier=identifier, Tags=tags
                )
            return
        except AwsError as error:
            code = code_of(error.__cause__)
            if code == "DBClusterSnapshotAlreadyExistsFault":  # by this call, whose answer was lost
                return
            if code != "InvalidDBClusterStateFault" or time.monotonic() > deadline:
                raise
            if not is_told:
                tell(f"The cluster is busy: {error.problems[0].what}")
                is_told = True
        if stop.wait(_PAUSE_SECONDS):
            raise _stopped()


def _stopped() -> AwsError:
    return AwsError(Problem("stopped", "the run was stopped before a snapshot of the cluster was made"))


def _wait(rds: Any, name: str, deadline: float, tell: Tell, stop: threading.Event) -> None:
    """Until it is available. Says the percent that AWS tells, each once."""
    told = 0
    while True:
        with asking(f"look at snapshot {name}", if_denied=_ALLOW):
            (found,) = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"]
        status, percent = found["Status"], found.get("PercentProgress", 0)
        if status == "available":
            return
        if status != "creating":
            what = f"snapshot {name} of the cluster could not be made: it is {status}"
            raise AwsError(Problem("snapshot-failed", what, fix="look at the cluster's events in RDS, and apply again"))
        if time.monotonic() > deadline:
            what = f"snapshot {name} of the cluster is not available yet ({percent} %)"
            why = "nothing is dropped before; AWS goes on making it"
            fix = "apply again while it is being made, which waits for it, with a longer --snapshot-wait"
            raise AwsError(Problem("snapshot-not-ready", what, why, fix))
        if percent > told:
            tell(f"Snapshot {name}: {percent} %")
            told = percent
        if stop.wait(_PAUSE_SECONDS):
            what = f"the run was stopped before snapshot {name} of the cluster was available"
            fix = "apply again while it is being made, which waits for it"
            raise AwsError(Problem("stopped", what, "nothing is dropped before; AWS goes on making it", fix))


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
