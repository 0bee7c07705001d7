"""The signals of a command that runs in the foreground beside a sandbox: the command's, not the sandbox's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class Signals:
    """While it lasts, signals that would end this process go to its command; before there is one, they unwind us."""

    _NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] | None = None  # what came while the command was being started
        self._ended = False

    def run(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        """The command's exit code; 128 + n if signal n ended it. Raises OSError when it cannot be started."""
        self._early = []
        self._process = subprocess.Popen(command, env=dict(environ))
        for number in self._early:
            self._process.send_signal(number)
        while (code := self._process.poll()) is None:
            # Not without a limit: a signal that the kernel gives to another thread does not interrupt a wait, and what
            # Python does about it waits for the main thread.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1.0)
        self._ended = True  # from here on nothing may interrupt the clearing up
        return 128 - code if code < 0 else code

    def _received(self, number: int, frame: object) -> None:
        if self._ended or (number == signal.SIGINT and self._early is not None and _is_in_foreground()):
            return
        if self._process is not None:
            self._process.send_signal(number)
        elif self._early is not None:
            self._early.append(number)
        else:
            self._ended = True
            sys.exit(128 + number)

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._received) for number in self._NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether a terminal's Ctrl-C reaches our whole process group, and so the command, without us."""
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
