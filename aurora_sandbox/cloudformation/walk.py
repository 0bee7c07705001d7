"""Doing things in the order of their dependencies, everything that can be done at once in parallel.

walk({"Database": (), "User": ("Database",)}, create, halts=True)  ->  {}   (nothing failed)
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class TooLate(Exception):
    """The walk did not end in its time."""


def walk(
    order: Mapping[Key, Collection[Key]],
    work: Callable[[Key], None],
    *,
    halts: bool,
    is_cancelled: Callable[[], bool] = lambda: False,
    on_failure: Callable[[], None] = lambda: None,
    timeout_seconds: float | None = None,
) -> dict[Key, BaseException]:
    """What failed, after everything that was begun has ended.

    order: for each thing, those that come before it; names of other things do not count.
    halts: nothing new is begun after a failure; otherwise only what comes after the failed thing is left out.
    is_cancelled: once it is so, nothing new is begun either.
    on_failure: called once, at the first failure or when the time is over, while other things may still be going on.
    Raises TooLate when the time is over, after what was begun has ended.
    """
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    steps = _Steps(order, work)
    is_late = has_told = False
    steps.begin()
    while steps.running:
        try:
            steps.settle_one(None if end is None or is_late else max(0.0, end - time.monotonic()))
        except queue.Empty:
            is_late = True
        if not has_told and (is_late or steps.failed):
            has_told = True
            on_failure()
        if not is_late and not (halts and steps.failed) and not is_cancelled():
            steps.begin()
    if is_late:
        raise TooLate
    return steps.failed


class _Steps(Generic[Key]):
    """The things to do: those that wait for others, how many are running, and what failed."""

    def __init__(self, order: Mapping[Key, Collection[Key]], work: Callable[[Key], None]) -> None:
        self.running = 0
        self.failed: dict[Key, BaseException] = {}
        self._waiting = {key: set(first) & order.keys() for key, first in order.items()}
        self._work = work
        self._ended: queue.SimpleQueue[tuple[Key, BaseException | None]] = queue.SimpleQueue()

    def begin(self) -> None:
        """Begins what waits for nothing any more."""
        for key in [key for key, first in self._waiting.items() if not first]:
            del self._waiting[key]
            self.running += 1
            # Daemons, so that a resource which never ends cannot keep the sandbox's process alive.
            threading.Thread(target=self._attempt, args=(key,), daemon=True, name=f"cfn-{key}").start()

    def settle_one(self, timeout_seconds: float | None) -> None:
        """Waits until one thing has ended. Raises queue.Empty if none does in time."""
        key, error = self._ended.get(timeout=timeout_seconds)
        self.running -= 1
        if error is not None:
            self.failed[key] = error
            return
        for first in self._waiting.values():
            first.discard(key)

    def _attempt(self, key: Key) -> None:
        error: BaseException | None = None
        try:
            self._work(key)
        except BaseException as exc:
            error = exc
        finally:
            self._ended.put((key, error))
