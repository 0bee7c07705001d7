"""Faults that are switched on for a while: a throttled API, a result over the size limit.

Each is a number of calls that will fail, counted down call by call, so that a test says exactly how many and no clock
decides. Faults of functions live in functions.py, a paused cluster in cluster.py.
"""

from __future__ import annotations

import threading

from aurora_sandbox.wire import ServiceError

_THROTTLED = {"cloudformation": "Throttling", "rds": "Throttling"}


class Faults:
    """The calls that are still to fail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._throttled: dict[tuple[str, str | None], int] = {}
        self._oversize = 0

    def throttle(self, service: str, operation: str | None, calls: int) -> None:
        """Lets the next calls of an operation, or of a whole service, fail with "Rate exceeded"; 0 ends it."""
        with self._lock:
            self._throttled[service, operation] = calls

    def oversize(self, calls: int) -> None:
        """Lets the next statements fail as if their result were over the Data API's 1 MiB; 0 ends it."""
        with self._lock:
            self._oversize = calls

    def check(self, service: str, operation: str) -> None:
        """Returns if the call is spared. Raises ServiceError as AWS would."""
        with self._lock:
            for key in ((service, operation), (service, None)):
                if self._throttled.get(key, 0):
                    self._throttled[key] -= 1
                    raise ServiceError(_THROTTLED.get(service, "ThrottlingException"), "Rate exceeded")
            if self._oversize and (service, operation) == ("rds-data", "ExecuteStatement"):
                self._oversize -= 1
                raise ServiceError("BadRequestException", "Database response exceeded size limit")
