"""Calls beside the one that goes on, in threads that nobody waits for once the program ends.

    later = begin(partial(read_all, cloudformation))
    later.result()          waits for it; raises what it has raised

The threads of concurrent.futures are waited for at the exit, and a connection that nobody answers takes minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(call: Callable[[], T]) -> Future[T]:
    """What the call will return, or raise. It has begun when this returns, and goes on if nobody asks for its end."""
    later = Future[T]()
    later.set_running_or_notify_cancel()

    def run() -> None:
        try:
            value = call()
        except BaseException as error:  # whatever it is, it is raised where the end is waited for
            later.set_exception(error)
        else:
            later.set_result(value)

    threading.Thread(target=run, daemon=True).start()
    return later


class Gate:
    """Lets calls through from any thread, one at a time, until it is closed: then nothing is told any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = True

    def through(self, tell: Callable[..., None]) -> Callable[..., None]:
        """The same function, which does nothing once the gate is closed."""

        def told(*arguments: object) -> None:
            with self._lock:
                if self._is_open:
                    tell(*arguments)

        return told

    def close(self) -> None:
        """Returns when nobody is telling anything."""
        with self._lock:
            self._is_open = False
