"""A cluster's status from its creation to its end, as DescribeDBClusters tells it, and what RDS refuses by it. Pure.

    life = created(now, 60)           creating for a minute, then available
    life = stopped(life, now, 60)     stopping, stopped, and after seven days started again by AWS
    life.at(now)                      "stopping"
    refusal("ModifyDBCluster", "shop", "stopping")

Moments and durations are seconds. Sources: "DB cluster status", "Stopping and starting an Aurora DB cluster" and
"Deleting stopped Aurora clusters", Aurora User Guide. The words are quoted by aws-controllers-k8s/community#1107
(modify), hashicorp/terraform-provider-aws#28262 (delete) and in scripts of users of StartDBCluster; where an operation
has none that somebody has quoted it gets those of deletion.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

CREATING, AVAILABLE, STOPPING, STOPPED, STARTING, DELETING, GONE = (
    *("creating", "available", "stopping", "stopped", "starting", "deleting"),
    "",
)
STOPPED_SECONDS = 7 * 86_400.0

_LASTING = frozenset({AVAILABLE, STOPPED, GONE})
# The statuses in which an operation is taken; any other operation is taken in every one.
_NEEDS = {
    "StartDBCluster": (STOPPED,),
    "StopDBCluster": (AVAILABLE,),
    "ModifyDBCluster": (AVAILABLE,),
    "DeleteDBCluster": (AVAILABLE, CREATING),
    "CreateDBInstance": (AVAILABLE, CREATING),
    "DeleteDBInstance": (AVAILABLE, CREATING),
    "ModifyDBInstance": (AVAILABLE,),
    "RebootDBInstance": (AVAILABLE,),
    "FailoverDBCluster": (AVAILABLE,),
    "CreateDBClusterSnapshot": (AVAILABLE,),
}
_FROM = {"StartDBCluster": "stopped,inaccessible-encryption-credentials-recoverable", "StopDBCluster": "available"}


@dataclass(frozen=True, slots=True)
class Life:
    """What the status is from which moment on, in the order of time; also of moments to come."""

    changes: tuple[tuple[float, str], ...]

    def at(self, moment: float) -> str:
        """The status; GONE before there was a cluster, and when there is none any more."""
        found = self._index(moment)
        return self.changes[found][1] if found >= 0 else GONE

    def since(self, moment: float) -> float:
        """When the status of this moment began."""
        return self.changes[self._index(moment)][0]

    def until(self, moment: float) -> float | None:
        """When it ends by itself; None if it does not."""
        following = self.changes[self._index(moment) + 1 :]
        return following[0][0] if following else None

    def followed(self, moment: float, *later: tuple[float, str]) -> Life:
        """What was until then, and these in the place of what would have come."""
        return Life((*self.changes[: self._index(moment) + 1], *later))

    def hurried(self, moment: float, seconds: float) -> Life:
        """The change that is under way, if any, ends so many seconds from now."""
        ends = self.until(moment)
        if self.at(moment) in _LASTING or ends is None:
            return self
        later = self.changes[self._index(moment) + 1 :]
        return self.followed(moment, *((at - ends + moment + seconds, status) for at, status in later))

    def _index(self, moment: float) -> int:
        return bisect_right(self.changes, moment, key=lambda change: change[0]) - 1


def created(now: float, seconds: float = 0.0) -> Life:
    return Life(((now, CREATING), (now + seconds, AVAILABLE)))


def stopped(life: Life, now: float, seconds: float) -> Life:
    again = now + seconds + STOPPED_SECONDS
    later = ((now, STOPPING), (now + seconds, STOPPED), (again, STARTING), (again + seconds, AVAILABLE))
    return life.followed(now, *later)


def started(life: Life, now: float, seconds: float) -> Life:
    return life.followed(now, (now, STARTING), (now + seconds, AVAILABLE))


def deleted(life: Life, now: float, seconds: float) -> Life:
    return life.followed(now, (now, DELETING), (now + seconds, GONE))


def refusal(operation: str, identifier: str, status: str) -> str:
    """RDS's words for an operation on a cluster, or on an instance of it, in this status; empty if it is taken."""
    if status in _NEEDS.get(operation, (status,)):
        return ""
    if operation == "ModifyDBCluster":
        return f"DB cluster is not available for modification with status {status}"
    if operation in _FROM:
        return f"DbCluster {identifier} is in {status} state but expected it to be one of {_FROM[operation]}."
    return f"Db cluster {identifier} is in {status} state"
