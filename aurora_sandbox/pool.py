"""Warm worker processes of one Lambda function: started when needed, kept for the next event, killed at the timeout."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
START_SECONDS = 60.0  # an import of boto3 takes 0.5 s; a machine under load takes its time


class InvocationFailed(Exception):
    """A function gave no result."""


class FunctionError(InvocationFailed):
    """The handler raised: the exception's type and message, and its traceback as Lambda lists it."""

    def __init__(self, type: str, message: str, trace: list[str]) -> None:
        super().__init__(f"{type}: {message}")
        self.type, self.message, self.trace = type, message, trace


class FunctionTimeout(InvocationFailed):
    """The handler did not end in its time; its process was killed."""


class FunctionCrashed(InvocationFailed):
    """The process ended before it gave an answer."""


class Worker:
    """One process. It takes one request at a time."""

    def __init__(
        self, directory: Path, handler: str, environment: Mapping[str, str], log: Path, *, authorities: Path
    ) -> None:
        self._answers, theirs = os.pipe()
        command = [sys.executable, "-I", "-u", str(WORKER), str(directory), handler, str(theirs), str(authorities)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
                pass_fds=(theirs,),
            )
        os.close(theirs)
        self._unread = b""

    def ask(self, request: Mapping[str, Any], *, timeout_seconds: float) -> dict[str, Any]:
        """The worker's answer. Raises FunctionTimeout or FunctionCrashed; the worker is of no use afterwards."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._crashed() from None
        return self.read(timeout_seconds=timeout_seconds)

    def read(self, *, timeout_seconds: float) -> dict[str, Any]:
        """The next line from the worker."""
        deadline = time.monotonic() + timeout_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise FunctionTimeout(f"Task timed out after {timeout_seconds:.2f} seconds")
                chunk = os.read(self._answers, 65536)
                if not chunk:
                    raise self._crashed()
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _crashed(self) -> FunctionCrashed:
        return FunctionCrashed(f"RequestId Error: Runtime exited with exit status {self._process.wait()}")

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Kills the process, waits for its end and closes what was open to it."""
        self.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        os.close(self._answers)


class Pool:
    """At most `size` workers; an event waits while all are busy. `start` makes a worker."""

    def __init__(self, start: Callable[[], Worker], size: int) -> None:
        self._start = start
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._is_closed = False

    def run(self, request: Mapping[str, Any], *, timeout_seconds: float) -> Any:
        """The handler's result. Raises FunctionError, FunctionTimeout or FunctionCrashed."""
        with self._places:
            worker = self._take()
            try:
                answer = worker.ask(request, timeout_seconds=timeout_seconds)
            except BaseException:
                self._discard(worker)
                raise
            self._give_back(worker)
        if "error" in answer:
            raise FunctionError(**answer["error"])
        return answer["result"]

    def _take(self) -> Worker:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
            if worker:
                self._busy.add(worker)
                return worker
            worker = self._start()
            self._busy.add(worker)
        try:
            worker.read(timeout_seconds=START_SECONDS)
        except BaseException:
            self._discard(worker)
            raise
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if not self._is_closed:
                self._busy.discard(worker)
                self._idle.append(worker)
                return
        self._discard(worker)

    def _discard(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
        worker.end()

    def close(self) -> None:
        """Ends the idle workers now and the busy ones when they have answered."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def kill(self) -> None:
        """Kills the busy workers; their events fail as crashed."""
        with self._lock:
            for worker in self._busy:
                worker.kill()
