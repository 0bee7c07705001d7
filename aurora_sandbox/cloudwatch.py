"""Amazon CloudWatch, as far as the sandbox has something to measure; everything else goes to moto.

    AWS/RDS        ServerlessDatabaseCapacity     DBClusterIdentifier (and Role=WRITER): ACUs, 0 while paused
    AWS/Scheduler  InvocationAttemptCount, …      ScheduleGroup, or none: what scheduler/targets.py counts

A value a minute, that of the running minute too, where AWS is a minute or two late. Its time is real time, so that a
client who knows nothing of the sandbox's clock sees what is now: what the clock jumped over falls into one minute.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aurora_sandbox.clients import ask
from aurora_sandbox.clock import Clock, utc
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.wire import Caller, ServiceError

MINUTE = timedelta(minutes=1)
CAPACITY = ("AWS/RDS", "ServerlessDatabaseCapacity")
SCHEDULER = "AWS/Scheduler"
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": lambda values: float(len(values)),
    "Sum": sum,
}

Metric = Mapping[str, Any]  # Namespace, MetricName, Dimensions
Point = tuple[datetime, list[float]]  # the beginning of a period, and its values


class Counts:
    """How often what happened to which group of schedules, by the minute of real time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[datetime, str, str]] = Counter()

    def add(self, name: str, group: str) -> None:
        minute = self._clock.real().replace(second=0, microsecond=0)
        with self._lock:
            self._counts[minute, name, group] += 1

    def of(self, minute: datetime, name: str, group: str | None) -> int:
        """How many there are in a minute, in one group or in all."""
        with self._lock:
            found = (key for key in self._counts if key[:2] == (minute, name) and group in (None, key[2]))
            return sum(self._counts[key] for key in found)


class CloudWatch:
    """Service "cloudwatch", whose requests are signed for "monitoring". moto: gives a boto3 client to moto's."""

    name = "cloudwatch"
    only = None

    def __init__(self, clock: Clock, clusters: Clusters, counts: Counts, *, moto: Callable[[], Any]) -> None:
        self._clock, self._clusters, self._counts, self._moto = clock, clusters, counts, moto

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Raises ServiceError, also for a request that mixes our metrics with others."""
        if operation == "GetMetricStatistics" and _is_ours(parameters):
            return self._statistics(parameters)
        if operation == "GetMetricData":
            ours = [
                _is_ours(query.get("MetricStat", {}).get("Metric", {})) for query in parameters["MetricDataQueries"]
            ]
            if all(ours):
                return self._data(parameters)
            if any(ours):
                message = f"The sandbox does not answer for {CAPACITY[1]} or {SCHEDULER} together with other metrics."
                raise ServiceError("InvalidParameterValue", message)
        return ask(self._moto(), operation, parameters)

    def _statistics(self, parameters: dict[str, Any]) -> dict[str, Any]:
        points = [
            {"Timestamp": at, "Unit": "Count", **{name: _statistic(name)(values) for name in parameters["Statistics"]}}
            for at, values in self._points(parameters, parameters, parameters["Period"])
        ]
        return {"Label": parameters["MetricName"], "Datapoints": points}

    def _data(self, parameters: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in parameters["MetricDataQueries"]:
            wanted = query["MetricStat"]
            points = list(self._points(wanted["Metric"], parameters, wanted["Period"]))
            if parameters.get("ScanBy") != "TimestampAscending":
                points.reverse()
            if query.get("ReturnData", True):
                results.append(
                    {
                        "Id": query["Id"],
                        "Label": query.get("Label", wanted["Metric"]["MetricName"]),
                        "Timestamps": [at for at, _ in points],
                        "Values": [_statistic(wanted["Stat"])(values) for _, values in points],
                        "StatusCode": "Complete",
                    }
                )
        return {"MetricDataResults": results, "Messages": []}

    def _points(self, metric: Metric, window: Mapping[str, Any], period: int) -> Iterator[Point]:
        """The periods that begin in the window and have values; both begin at multiples of the period."""
        if period < 60 or period % 60:
            raise ServiceError("InvalidParameterValue", "Period must be a multiple of 60.")
        start, end = (utc(window[key]) for key in ("StartTime", "EndTime"))
        at = datetime.fromtimestamp(start.timestamp() // period * period, UTC)
        end = min(end, self._clock.real())
        while at < end:
            minutes = (at + number * MINUTE for number in range(period // 60))
            values = [self._value(metric, minute) for minute in minutes if minute < end]
            if known := [value for value in values if value is not None]:
                yield at, known
            at += timedelta(seconds=period)

    def _value(self, metric: Metric, minute: datetime) -> float | None:
        """A metric's value in a minute of real time, None if there is none; a capacity is that at its end, or now."""
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
        if metric["Namespace"] == SCHEDULER:
            group = dimensions.get("ScheduleGroup")
            return float(self._counts.of(minute, metric["MetricName"], group)) or None
        cluster = self._clusters.get(dimensions.get("DBClusterIdentifier", ""))
        if cluster is None or dimensions.get("Role", "WRITER") != "WRITER":
            return None
        return cluster.capacity(self._clock.at(min(minute + MINUTE, self._clock.real())).timestamp())


def _is_ours(metric: Metric) -> bool:
    namespace, name = metric.get("Namespace"), metric.get("MetricName")
    return namespace == SCHEDULER or (namespace, name) == CAPACITY


def _statistic(name: str) -> Callable[[Sequence[float]], float]:
    if name not in _STATISTICS:
        raise ServiceError("InvalidParameterValue", f"The sandbox does not imitate the statistic {name}.")
    return _STATISTICS[name]
