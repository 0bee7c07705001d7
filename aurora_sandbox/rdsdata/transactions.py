"""The Data API's open transactions: each keeps one connection to MySQL between calls."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymysql

from aurora_sandbox.wire import ServiceError

IDLE_SECONDS = 180.0


@dataclass
class _Transaction:
    connection: pymysql.Connection[Any]
    used_at: float
    in_use: threading.Lock = field(default_factory=threading.Lock)


class Transactions:
    """By id; one that nobody used for idle_seconds is rolled back at the next call of any of these methods."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, idle_seconds: float = IDLE_SECONDS) -> None:
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._open: dict[str, _Transaction] = {}

    def add(self, connection: pymysql.Connection[Any]) -> str:
        """The id under which the connection is kept from now on."""
        self.expire()
        name = secrets.token_urlsafe(96)
        with self._lock:
            self._open[name] = _Transaction(connection, self._clock())
        return name

    @contextmanager
    def use(self, name: str) -> Iterator[pymysql.Connection[Any]]:
        """The connection, for one statement. Raises ServiceError if there is no such transaction or it is busy."""
        self.expire()
        with self._lock:
            transaction = self._open.get(name)
            if transaction is None:
                raise ServiceError("TransactionNotFoundException", f"Transaction {name} is not found", status=404)
            if not transaction.in_use.acquire(blocking=False):
                raise ServiceError("DatabaseErrorException", "Transaction is still running a query")
        try:
            yield transaction.connection
        finally:
            transaction.used_at = self._clock()
            transaction.in_use.release()
            if not transaction.connection.open:  # a statement that timed out took the connection with it
                self.forget(name)

    def forget(self, name: str) -> None:
        """Closes the connection; MySQL rolls back what was not committed."""
        with self._lock:
            transaction = self._open.pop(name, None)
        if transaction is not None and transaction.connection.open:
            transaction.connection.close()

    def expire(self) -> None:
        """Forgets what was idle for too long."""
        with self._lock:
            idle = [
                name
                for name, transaction in self._open.items()
                if not transaction.in_use.locked() and self._clock() - transaction.used_at >= self._idle_seconds
            ]
        for name in idle:
            self.forget(name)

    def close(self) -> None:
        """Rolls back all of them."""
        for name in list(self._open):
            self.forget(name)
