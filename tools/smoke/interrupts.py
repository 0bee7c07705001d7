"""Signals: the first one ends the probes, and deleting goes on whatever comes.

with Interrupts(tell) as interrupts:
    ...                       SIGINT, SIGTERM, SIGHUP raise Interrupted here
    interrupts.hold()         from here on the first two are only told; a third gives up deleting
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GIVES_UP = 3


class Interrupted(BaseException):
    """Somebody has had enough. No Exception, so that nothing takes it for a failure of its own."""


class Interrupts:
    """Of the main thread."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._count, self._holds = tell, 0, False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """No signal ends what is done now, until there were three in all."""
        self._holds = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if not self._holds:
            # A second one, on the way to the deletion, must not cut it off.
            self._holds = True
            raise Interrupted(signal.Signals(number).name)
        if self._count >= _GIVES_UP:
            raise Interrupted(f"{signal.Signals(number).name}, the third")
        self._tell("Still deleting what was made. One signal more leaves it there, and it costs money until deleted.")
