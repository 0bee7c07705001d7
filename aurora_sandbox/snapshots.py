"""Snapshots of clusters that somebody asks for: creating for a while, then available. moto keeps them.

    snapshots.create({"DBClusterIdentifier": "shop", "DBClusterSnapshotIdentifier": "before"})     Status: creating
    snapshots.answered(answer)     what moto says, with the status that each has by now

How long one takes is what every change of a cluster takes (`Clusters.change_seconds`), by the sandbox's clock. A paused
cluster is not woken by one. ("Scaling to Zero ACUs", Aurora User Guide)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aurora_sandbox import status
from aurora_sandbox.clients import ask
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.wire import ServiceError

CREATING, AVAILABLE = "creating", "available"


class Snapshots:
    """moto: gives a boto3 client to a service of moto's."""

    def __init__(self, clusters: Clusters, moto: Callable[[str], Any]) -> None:
        self._clusters, self._boto = clusters, moto
        self._begun: dict[str, float] = {}  # when, by name

    def create(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Raises ServiceError for a cluster that is not available, or of which another one is being made."""
        identifier, name = parameters["DBClusterIdentifier"], parameters["DBClusterSnapshotIdentifier"].lower()
        cluster = self._clusters.get(identifier)
        if cluster and (why := status.refusal("CreateDBClusterSnapshot", cluster.identifier, cluster.status())):
            raise ServiceError("InvalidDBClusterStateFault", why)
        wanted = {**parameters, "DBClusterSnapshotIdentifier": name}
        # That a second one is refused meanwhile is not published: a name that is taken is told first.
        is_busy = cluster is not None and any(map(self._is_creating, self._begun)) and name not in self._begun
        if cluster and is_busy:
            raise ServiceError("InvalidDBClusterStateFault", f"Db cluster {cluster.identifier} is in backing-up state")
        result: dict[str, Any] = ask(self._boto("rds"), "CreateDBClusterSnapshot", wanted)
        if cluster:
            self._begun[name] = self._clusters.seconds()
            # However soon it is done.
            result["DBClusterSnapshot"] |= {"Status": CREATING, "PercentProgress": 0}
        return result

    def delete(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Raises ServiceError for one that is not done."""
        name = parameters["DBClusterSnapshotIdentifier"].lower()
        if self._is_creating(name):
            raise ServiceError("InvalidDBClusterSnapshotStateFault", f"Snapshot {name} is in creating state")
        result: dict[str, Any] = ask(
            self._boto("rds"), "DeleteDBClusterSnapshot", {"DBClusterSnapshotIdentifier": name}
        )
        self._begun.pop(name, None)
        return result

    def answered(self, result: dict[str, Any]) -> dict[str, Any]:
        """moto's answer to DescribeDBClusterSnapshots with the status of each."""
        for snapshot in result["DBClusterSnapshots"]:
            name = snapshot["DBClusterSnapshotIdentifier"]
            if self._is_creating(name):
                snapshot |= {"Status": CREATING, "PercentProgress": int(100 * self._share(name))}
        return result

    def _is_creating(self, name: str) -> bool:
        return name in self._begun and self._share(name) < 1

    def _share(self, name: str) -> float:
        """How much of it is done, 1 for all."""
        passed, takes = self._clusters.seconds() - self._begun[name], self._clusters.change_seconds
        return passed / takes if passed < takes else 1.0
