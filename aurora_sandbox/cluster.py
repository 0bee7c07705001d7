"""The sandbox's one Aurora cluster: what AWS would say of it, its status, and whether it is paused.

Knows nothing of CloudFormation or of RDS's own API, whose handlers call `Clusters`, nor of the server behind it.

    cluster = clusters.create(identifier="shop", ..., host=server.host, port=server.port)
    cluster.pause()                  # from now on a Data API call finds it resuming, for 15 s
    cluster.stop(60)                 # it is stopping, and stopped a minute later
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from aurora_sandbox.scaling import Scaling
from aurora_sandbox.status import AVAILABLE, GONE, STOPPED, Life, created, deleted, started, stopped

DEFAULT_SCALING = Scaling(0.5, 1.0)
LEAST_ACU = 0.5  # a cluster that is awake has at least this much, also where its minimum is 0
STANDARD = "aurora"  # the storage type; the other one is I/O-Optimized, aurora-iopt1
RESUME_SECONDS = 15.0  # "about 15 s", Aurora User Guide, auto-pause; 30 s and more after a day


class State(StrEnum):
    """Whether a cluster answers that is available."""

    AVAILABLE = "available"
    PAUSED = "paused"
    RESUMING = "resuming"


@dataclass
class Cluster:
    """What is known of the cluster, its status and pause state; safe to use from several threads.

    The state follows from the clock alone, however long nobody looked: what happened meanwhile is made up for, each
    change at its own moment. resume_seconds: how long it takes to wake up. host, port: the mysqld behind it.
    is_serverless: whether it was given a scaling range, without which no instance of it can be Serverless v2.
    master_key: ARN of the KMS key of its master secret.
    """

    identifier: str
    arn: str
    engine: str
    engine_version: str
    master_username: str
    master_secret_arn: str
    database_name: str | None
    http_endpoint_enabled: bool
    scaling: Scaling
    host: str
    port: int
    storage_type: str = STANDARD
    is_serverless: bool = True
    master_key: str = ""
    resume_seconds: float = RESUME_SECONDS
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._state = State.AVAILABLE
        self._used_at = self.clock()
        self._life = created(self._used_at)
        self._ready_at = 0.0
        self._resume_takes = self.resume_seconds
        self._capacities: list[tuple[float, float]] = []  # ACUs from a moment on, in the order of time
        self._note(self._used_at)

    def status(self) -> str:
        """What DescribeDBClusters says: a paused one is available. GONE once its deletion is over."""
        with self._lock:
            return self._life.at(self.clock())

    def restarts_at(self) -> float | None:
        """When AWS will start it again, of its clock; None if it is not stopped."""
        with self._lock:
            now = self.clock()
            return self._life.until(now) if self._life.at(now) == STOPPED else None

    def begin(self, seconds: float) -> None:
        """Is being created for so long."""
        self._live(lambda life, now: created(now, seconds))

    def stop(self, seconds: float) -> None:
        """Is being stopped for so long, and then stopped for at most a week. It is awake when it starts again."""
        self._live(lambda life, now: stopped(life, now, seconds))

    def start(self, seconds: float) -> None:
        self._live(lambda life, now: started(life, now, seconds))

    def leave(self, seconds: float) -> None:
        """Is being deleted for so long, and gone then."""
        self._live(lambda life, now: deleted(life, now, seconds))

    def hurry(self, seconds: float) -> None:
        """Ends the change that is under way, if there is one, in so many seconds."""
        self._live(lambda life, now: life.hurried(now, seconds))

    def _live(self, change: Callable[[Life, float], Life]) -> None:
        with self._lock:
            now = self.clock()
            self._settled()
            self._life = change(self._life, now)
            if self._life.at(now) != AVAILABLE and self._state is not State.AVAILABLE:
                self._state = State.AVAILABLE
                self._note(now)

    def state(self) -> State:
        with self._lock:
            return self._settled()

    def pause(self, resume_after_seconds: float | None = None) -> None:
        """Pauses at once; the next call that needs the cluster wakes it, which takes that long."""
        with self._lock:
            self._settled()
            self._pause(self.clock(), self.resume_seconds if resume_after_seconds is None else resume_after_seconds)

    def touch(self) -> State:
        """The state a call to the database finds. One that finds it paused starts the resume, and so sees RESUMING."""
        with self._lock:
            return self._touch()

    def ready_at(self) -> float | None:
        """When it will have woken up, of its clock; None if it is not about to."""
        with self._lock:
            return self._ready_at if self._settled() is State.RESUMING else None

    def rescale(self, scaling: Scaling) -> None:
        """Takes another range from now on, which wakes the cluster if it is paused, as on AWS."""
        with self._lock:
            self._touch()  # under the old range: the new one must not pause it for the time before
            self.scaling = scaling
            self._note(self.clock())

    def capacity(self, at: float) -> float | None:
        """How many ACUs it had at a moment of its clock: none while paused, else the least there can be; None while it
        was not available, as before there was a cluster. Nothing here uses more, so it never scales up.
        """
        with self._lock:
            self._settled()
            if self._life.at(at) != AVAILABLE:
                return None
            found = bisect_right(self._capacities, at, key=lambda change: change[0])
            return self._capacities[found - 1][1] if found else None

    def _touch(self) -> State:
        if self._settled() is State.PAUSED:
            self._state = State.RESUMING
            self._ready_at = self.clock() + self._resume_takes
            self._note(self.clock())
        if self._state is State.AVAILABLE:
            self._used_at = self.clock()
        return self._state

    def _settled(self) -> State:
        now = self.clock()
        if self._life.at(now) != AVAILABLE:
            return self._state
        self._used_at = max(self._used_at, self._life.since(now))
        if self._state is State.RESUMING and now >= self._ready_at:
            self._state, self._used_at = State.AVAILABLE, self._ready_at
        seconds = self.scaling.seconds
        if self._state is State.AVAILABLE and seconds is not None and now - self._used_at >= seconds:
            self._pause(self._used_at + seconds, self.resume_seconds)
        return self._state

    def _pause(self, at: float, resume_takes: float) -> None:
        self._state, self._resume_takes = State.PAUSED, resume_takes
        self._note(at)

    def _note(self, at: float) -> None:
        self._capacities.append((at, 0.0 if self._state is State.PAUSED else max(self.scaling.min_acu, LEAST_ACU)))


class Clusters:
    """The clusters of the account: none or one, because there is one mysqld."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, time_scale: float = 1.0) -> None:
        """clock: seconds. time_scale divides the time a resume takes.

        change_seconds: how long a creation, stop, start or deletion by RDS's own API takes.
        """
        self._clock = clock
        self._resume_seconds = RESUME_SECONDS / time_scale
        self._lock = threading.RLock()
        self._cluster: Cluster | None = None
        self._end: Callable[[], None] | None = None
        self.change_seconds = 0.0

    def create(
        self,
        *,
        identifier: str,
        arn: str,
        engine: str,
        engine_version: str,
        master_username: str,
        master_secret_arn: str,
        http_endpoint_enabled: bool,
        host: str,
        port: int,
        database_name: str | None = None,
        scaling: Scaling = DEFAULT_SCALING,
        storage_type: str = STANDARD,
        is_serverless: bool = True,
    ) -> Cluster:
        """Raises ValueError if there is one already."""
        cluster = Cluster(
            identifier=identifier,
            arn=arn,
            engine=engine,
            engine_version=engine_version,
            master_username=master_username,
            master_secret_arn=master_secret_arn,
            database_name=database_name,
            http_endpoint_enabled=http_endpoint_enabled,
            scaling=scaling,
            storage_type=storage_type,
            is_serverless=is_serverless,
            host=host,
            port=port,
            resume_seconds=self._resume_seconds,
            clock=self._clock,
        )
        with self._lock:
            if self._cluster is not None:
                raise ValueError("the sandbox has one cluster")
            self._cluster = cluster
        return cluster

    def get(self, name: str) -> Cluster | None:
        """The cluster with this ARN or identifier (AWS compares identifiers without regard to case)."""
        cluster = self._there()
        if cluster is not None and name.lower() in (cluster.arn.lower(), cluster.identifier.lower()):
            return cluster
        return None

    def all(self) -> tuple[Cluster, ...]:
        cluster = self._there()
        return () if cluster is None else (cluster,)

    def seconds(self) -> float:
        """What the clock of all clusters shows."""
        return self._clock()

    def ready_at(self) -> datetime | None:
        """When the cluster will have woken up; None if none is about to."""
        ready = [at for cluster in self.all() if (at := cluster.ready_at()) is not None]
        return datetime.fromtimestamp(max(ready), UTC) if ready else None

    def take(self, seconds: float) -> None:
        """Lets every change of a status take so long from now on, the one under way, too."""
        self.change_seconds = seconds
        for cluster in self.all():
            cluster.hurry(seconds)

    def leave(self, cluster: Cluster, end: Callable[[], None]) -> None:
        """Deletes the cluster; end: is called once that is over, by whoever looks first, and has to forget it."""
        with self._lock:
            self._end = end
            cluster.leave(self.change_seconds)
        self._there()

    def _there(self) -> Cluster | None:
        with self._lock:
            if self._end and self._cluster and self._cluster.status() == GONE:
                end, self._end = self._end, None
                end()
            return self._cluster

    def modify(
        self,
        name: str,
        *,
        engine_version: str | None = None,
        http_endpoint_enabled: bool | None = None,
        storage_type: str | None = None,
        scaling: Scaling | None = None,
    ) -> Cluster:
        """Changes what is given; a scaling range wakes a paused cluster. Raises KeyError if unknown."""
        cluster = self._known(name)
        if engine_version is not None:
            cluster.engine_version = engine_version
        if http_endpoint_enabled is not None:
            cluster.http_endpoint_enabled = http_endpoint_enabled
        if storage_type is not None:
            cluster.storage_type = storage_type
        if scaling is not None:
            cluster.is_serverless = True
            cluster.rescale(scaling)
        return cluster

    def delete(self, name: str) -> None:
        """Forgets the cluster; see aurora.wipe for its data. Raises KeyError if unknown."""
        self._known(name)
        with self._lock:
            self._cluster = None

    def _known(self, name: str) -> Cluster:
        cluster = self.get(name)
        if cluster is None:
            raise KeyError(name)
        return cluster
