"""Faults that are switched on for a while: a throttled API, a result over the size limit.

Each is a number of calls that will fail, counted down call by call, so that a test says exactly how many and no clock
decides. Faults of functions live in functions.py, a paused cluster in cluster.py.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from aurora_sandbox.wire import Broken, ServiceError

_THROTTLED = {"cloudformation": "Throttling", "rds": "Throttling"}


@dataclass
class Turns:
    """Which calls something happens to: the `first` from now on and then each `every`th; 0 for never again."""

    first: int
    every: int = 0

    def comes(self) -> bool:
        """Counts a call. Not safe in several threads: whoever owns it has the lock."""
        self.first -= 1
        if self.first:
            return False
        self.first = self.every
        return True


class Faults:
    """The calls that are still to fail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._throttled: dict[tuple[str, str | None], int] = {}
        self._oversize = 0
        self._dropped, self._has_run, self._in_body = Turns(0), True, False

    def throttle(self, service: str, operation: str | None, calls: int) -> None:
        """Lets the next calls of an operation, or of a whole service, fail with "Rate exceeded"; 0 ends it."""
        with self._lock:
            self._throttled[service, operation] = calls

    def oversize(self, calls: int) -> None:
        """Lets the next statements fail as if their result were over the Data API's 1 MiB; 0 ends it."""
        with self._lock:
            self._oversize = calls

    def drop(self, turns: Turns, *, ran: bool, in_body: bool = False) -> None:
        """Closes the connection of some statements instead of an answer, after they ran or before they would have.

        in_body: in the middle of the answer, after its status and headers; so they ran.
        """
        with self._lock:
            self._dropped, self._has_run, self._in_body = turns, ran or in_body, in_body

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
            if not self._has_run and self._drops(service, operation):
                raise Broken(None)

    def tears(self, service: str, operation: str) -> bool:
        """Whether the answer of a call that was served breaks off in the middle. Raises Broken if none goes out."""
        with self._lock:
            is_dropped = self._has_run and self._drops(service, operation)
            if is_dropped and not self._in_body:
                raise Broken(None)
            return is_dropped

    def _drops(self, service: str, operation: str) -> bool:
        return (service, operation) == ("rds-data", "ExecuteStatement") and self._dropped.comes()
