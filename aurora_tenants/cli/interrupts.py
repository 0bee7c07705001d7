"""Ctrl-C, and what CI and terminals send in its place: SIGINT, SIGTERM and SIGHUP, while something is being changed.

    with Interrupts(first=tell, second=leave) as interrupts:      handlers are set, and put back at the end
        with interrupts.followed():                               the first sets `stop`, and nothing is raised
            apply(…, stop=interrupts.stop)

Outside of `followed` the first is a KeyboardInterrupt, whatever its number. What was ignored before stays ignored, such
as SIGHUP under nohup, and so do a calling program's own handlers.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# 128 and the number of SIGINT, as shells have it; typer's is the same.
INTERRUPTED = 130
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# `timeout` and some runners send one signal to a process and to its group: within this time it is the same.
_SAME_SECONDS = 0.25


class Interrupts:
    """stop: set by the first. first, second: called then, in a thread of their own, so they may print whatever is being
    printed at that moment. The second does not come back: it ends the process.

    Not by handlers, which Python runs in the main thread only, and there between any two steps, locks held or not: the
    thread reads the numbers from a file descriptor (signal.set_wakeup_fd).
    """

    def __init__(self, first: Callable[[], None], second: Callable[[], None]) -> None:
        self.stop = threading.Event()
        self._first, self._second = first, second
        self._is_followed = False
        self._before: dict[int, Any] = {}
        self._written = -1

    def begin(self) -> None:
        """From here on. Does nothing when it has begun, and outside of the main thread, where no handler can be set."""
        if self._written >= 0 or threading.current_thread() is not threading.main_thread():
            return
        read, self._written = os.pipe()
        os.set_blocking(self._written, False)
        self._wakeup_before = signal.set_wakeup_fd(self._written, warn_on_full_buffer=False)
        self._before = _handled(_NUMBERS, self._received)
        threading.Thread(target=self._watch, args=(read,), name="interrupts", daemon=True).start()

    def end(self) -> None:
        """All is as it was before `begin`."""
        if self._written < 0:
            return
        _put_back(self._before)
        self._before = {}
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._written)  # which ends the thread
        self._written = -1

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Around what looks at `stop` itself; it begins if it has not."""
        self.begin()
        self._is_followed = True
        try:
            yield
        finally:
            self._is_followed = False

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Inside of `followed`, around a question: the first one is a KeyboardInterrupt here, too."""
        self._is_followed = False
        try:
            yield
        finally:
            self._is_followed = True

    @property
    def is_followed(self) -> bool:
        """Whether the first one only sets `stop`."""
        return self._is_followed

    def __enter__(self) -> Interrupts:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _received(self, number: int, frame: object) -> None:
        if not self._is_followed:
            raise KeyboardInterrupt

    def _watch(self, read: int) -> None:
        came = -_SAME_SECONDS
        with os.fdopen(read, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] not in self._before or time.monotonic() - came < _SAME_SECONDS:
                    continue
                came = time.monotonic()
                if not self.stop.is_set():
                    self.stop.set()
                    self._first()
                else:
                    self._second()


@contextmanager
def as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP are a KeyboardInterrupt in here, too."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = _handled(_NUMBERS[1:], _raise)
    try:
        yield
    finally:
        _put_back(before)


def last() -> None:
    """Whatever comes from here on, while Python waits for its threads, ends the process with the same exit code."""
    _handled(_NUMBERS, lambda number, frame: os._exit(INTERRUPTED))


def _raise(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _handled(numbers: tuple[signal.Signals, ...], handler: Callable[[int, object], None]) -> dict[int, Any]:
    """Sets this handler for those that are as Python has them; those that were there before, by number.

    What is ignored stays so, and what a program that calls this one handles itself is its own affair.
    """
    there = {int(number): signal.getsignal(number) for number in numbers}
    ours = (signal.SIG_DFL, signal.default_int_handler, _raise)
    before = {number: old for number, old in there.items() if old in ours}
    for number in before:
        signal.signal(number, handler)
    return before


def _put_back(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
