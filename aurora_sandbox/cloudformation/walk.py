"""Doing things in the order of their dependencies, everything that can be done at once in parallel.

walk({"Database": (), "User": ("Database",)}, create, halts=True)  ->  {}   (nothing failed)
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


class TooLate(Exception):
    """The walk did not end in its time."""


def walk(
    order: Mapping[Key, Collection[Key]],
    work: Callable[[Key], None],
    *,
    halts: bool,
    on_failure: Callable[[], None] = lambda: None,
    timeout_seconds: float | None = None,
) -> dict[Key, BaseException]:
    """What failed, after everything that was begun has ended.

    order: for each thing, those that come before it; names of other things do not count.
    halts: nothing new is begun after a failure; otherwise only what comes after the failed thing is left out.
    on_failure: called once, at the first failure, while other things may still be going on.
    Raises TooLate when the time is over, after what was begun has ended.
    """
    waiting = {key: set(first) & order.keys() for key, first in order.items()}
    done: queue.SimpleQueue[tuple[Key, BaseException | None]] = queue.SimpleQueue()
    failed: dict[Key, BaseException] = {}
    running = 0
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    is_late = False
    while True:
        if not is_late and not (halts and failed):
            running += _begin(waiting, work, done)
        if not running:
            break
        try:
            key, error = done.get(timeout=_left(None if is_late else deadline))
        except queue.Empty:
            is_late = True
            on_failure()
            continue
        running -= 1
        if error is None:
            for first in waiting.values():
                first.discard(key)
            continue
        if not failed and not is_late:
            on_failure()
        failed[key] = error
    if is_late:
        raise TooLate
    return failed


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _begin(
    waiting: dict[Key, set[Key]], work: Callable[[Key], None], done: queue.SimpleQueue[tuple[Key, BaseException | None]]
) -> int:
    """How many things were begun: those that wait for nothing any more."""
    ready = [key for key, first in waiting.items() if not first]
    for key in ready:
        del waiting[key]
        # Daemons, so that a resource which never ends cannot keep the sandbox's process alive.
        threading.Thread(target=_attempt, args=(key, work, done), daemon=True, name=f"cfn-{key}").start()
    return len(ready)


def _attempt(key: Key, work: Callable[[Key], None], done: queue.SimpleQueue[tuple[Key, BaseException | None]]) -> None:
    error: BaseException | None = None
    try:
        work(key)
    except BaseException as exc:
        error = exc
    finally:
        done.put((key, error))
