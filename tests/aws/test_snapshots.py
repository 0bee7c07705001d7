"""Snapshots of the cluster before something is dropped, in a sandbox where they take as long as a test says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from aurora_tenants.aws import snapshots
from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.errors import AwsError
from aurora_tenants.model import Cluster
from aurora_tenants.mysql.state import Contents
from aurora_tenants.tenant.drops import Drop
from tests.cloud import SHARED, Cloud
from tests.endpoint import environment

DROPS = (
    *(Drop("shop", "shop$old", Contents(1, 1, 1)), Drop("shop", "more", None)),
    Drop("blog", "blog", None),
)


@pytest.fixture
def aws(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setattr(snapshots, "_PAUSE_SECONDS", 0.02)
    delete_all(cloud)
    with environment(cloud.environment):
        yield connect(region=None, profile=None)
    cloud.changes_take(0)
    delete_all(cloud)


def delete_all(cloud: Cloud) -> None:
    """Also what a command line has made before, in the same sandbox."""
    for snapshot in manual(cloud):
        name = snapshot["DBClusterSnapshotIdentifier"]
        cloud.client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)


def manual(cloud: Cloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")[
        "DBClusterSnapshots"
    ]
    return found


def make(
    cloud: Cloud,
    aws: Aws,
    *,
    wait: float = 30.0,
    tell: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> str:
    (cluster,) = cloud.client("rds").describe_db_clusters()["DBClusters"]
    arn = cluster["DBClusterArn"]
    return snapshots.make(aws, Cluster(SHARED), arn, DROPS, wait_seconds=wait, tell=tell, stop=stop)


def test_it_says_whose_it_is_and_how_far(cloud: Cloud, aws: Aws):
    told: list[str] = []
    cloud.changes_take(0.5)
    name = make(cloud, aws, tell=told.append)
    (made,) = manual(cloud)
    assert (made["DBClusterSnapshotIdentifier"], made["Status"]) == (name, "available")
    assert re.fullmatch(r"aurora-tenants-[a-z0-9-]{1,25}-\d{14}-[0-9a-f]{6}", name) and len(name) <= 63
    assert {tag["Key"]: tag["Value"] for tag in made["TagList"]} == {
        "aurora-tenants:cluster": SHARED,
        "aurora-tenants:tenants": "shop blog",
        "aurora-tenants:databases": "shop.old more blog",
    }
    assert told[0] == f"Making snapshot {name} of the cluster; waiting up to 30 s for it."
    assert re.fullmatch(rf"Snapshot {name}: \d+ %", told[1])
    assert re.fullmatch(rf"Snapshot {name} is available after \d+ s\.", told[-1])


def test_one_that_takes_too_long_is_waited_for_by_the_next(cloud: Cloud, aws: Aws):
    cloud.changes_take(3600)
    with pytest.raises(AwsError, match="is not available yet") as late:
        make(cloud, aws, wait=0)
    assert (late.value.problems[0].code, late.value.nothing_was_changed) == ("snapshot-not-ready", True)
    (begun,) = manual(cloud)
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        cloud.changes_take(0)

    assert make(cloud, aws, tell=tell) == begun["DBClusterSnapshotIdentifier"]
    assert ("is being made already" in told[0], len(manual(cloud))) == (True, 1)


def test_a_run_that_is_stopped_waits_no_longer(cloud: Cloud, aws: Aws):
    cloud.changes_take(3600)
    stop = threading.Event()
    with pytest.raises(AwsError, match="the run was stopped before snapshot aurora-tenants-") as stopped:
        make(cloud, aws, stop=stop, tell=lambda _: stop.set())
    assert (stopped.value.problems[0].code, len(manual(cloud))) == ("stopped", 1)


def test_a_run_that_was_stopped_before_makes_none(cloud: Cloud, aws: Aws):
    stop = threading.Event()
    stop.set()
    with pytest.raises(AwsError, match="the run was stopped before a snapshot"):
        make(cloud, aws, stop=stop)
    assert manual(cloud) == []


def test_a_call_whose_answer_was_lost_makes_no_second_one(cloud: Cloud, aws: Aws):
    """botocore asks again by itself; here the second call is made without it, because its pauses take seconds."""
    rds = aws.client("rds")

    def twice(**wanted: Any) -> Any:
        rds.create_db_cluster_snapshot(**wanted)
        return rds.create_db_cluster_snapshot(**wanted)

    lossy = SimpleNamespace(
        create_db_cluster_snapshot=twice,
        describe_db_cluster_snapshots=rds.describe_db_cluster_snapshots,
        get_paginator=rds.get_paginator,
    )
    make(cloud, replace(aws, client=lambda name: lossy))
    assert [it["Status"] for it in manual(cloud)] == ["available"]


def test_a_cluster_that_is_busy_is_waited_for(cloud: Cloud, aws: Aws):
    """As one is of which somebody else makes a snapshot."""
    (cluster,) = cloud.client("rds").describe_db_clusters()["DBClusters"]
    cloud.changes_take(3600)
    cloud.client("rds").create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier="by-hand", DBClusterIdentifier=cluster["DBClusterIdentifier"]
    )
    with pytest.raises(AwsError, match="backing-up"):
        make(cloud, aws, wait=0)
    told: list[str] = []
    timer = threading.Timer(0.2, cloud.changes_take, [0])
    timer.start()
    make(cloud, aws, tell=told.append)
    timer.join()
    assert ("The cluster is busy" in told[1], len(manual(cloud))) == (True, 2)


def test_one_that_fails_is_an_error(aws: Aws, cloud: Cloud):
    """RDS's own failures cannot be had in the sandbox: the status is put into its answer."""
    rds = aws.client("rds")

    def failed(**asked: Any) -> Any:
        answer = rds.describe_db_cluster_snapshots(**asked)
        return {"DBClusterSnapshots": [each | {"Status": "failed"} for each in answer["DBClusterSnapshots"]]}

    broken = SimpleNamespace(
        create_db_cluster_snapshot=rds.create_db_cluster_snapshot,
        describe_db_cluster_snapshots=failed,
        get_paginator=rds.get_paginator,
    )
    with pytest.raises(AwsError, match="could not be made: it is failed"):
        make(cloud, replace(aws, client=lambda name: broken))


def test_a_tag_holds_as_many_names_as_it_takes():
    listed = snapshots._listed(f"database-{number:03}" for number in range(100))
    assert len(listed) <= 256
    assert listed.endswith(" database-017 and 82 more")
