"""Rotations: what Secrets Manager does after RotateSecret has answered.

A whole run calls the rotation function four times, in `STEPS` order, and stops at the first call that raises; its
version then stays AWSPENDING, and the next RotateSecret takes it up again. A test run (RotateImmediately false) calls
the function for testSecret alone, with an AWSPENDING copy of the current value that is removed afterwards. Each run has
a thread of its own and ends in an `Outcome`.
Source: "Rotation by Lambda function", AWS Secrets Manager User Guide; RotateSecret, API reference.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from aurora_sandbox.secretsmanager.secret import CURRENT, PENDING, Secret, Version
from aurora_sandbox.wire import ServiceError

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TEST = ("testSecret",)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the step it reached last and, if that step failed, the function's error."""

    version_id: str
    step: str
    error: str | None = None


@dataclass(slots=True)
class Run:
    """One run, under way until it has an outcome; `cancelled` keeps it from taking another step."""

    secret: Secret
    function_arn: str
    version: Version
    steps: tuple[str, ...]
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None


class Rotations:
    """The latest run of every secret. `lock` guards the secrets; a function runs without it, since it calls back."""

    def __init__(
        self, invoke: Callable[[str, dict[str, str]], object], lock: threading.RLock, now: Callable[[], datetime]
    ):
        self._invoke, self._lock, self._now = invoke, lock, now
        self._runs: dict[str, Run] = {}  # by secret ARN

    def begin(self, secret: Secret, token: str, *, immediately: bool) -> None:
        """Starts a run that makes the version of this token, and returns while it is under way.

        A version left unfinished is taken up again instead, and the answer is AWS's InvalidRequestException.
        """
        if unfinished := secret.unfinished():
            if not self._is_running(secret):
                self._start(secret, unfinished, STEPS)
            raise ServiceError(
                "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted."
            )
        if token in secret.versions:
            raise ServiceError("ResourceExistsException", "A resource with the ID you requested already exists.")
        current = secret.readable()
        version = secret.versions[token] = Version(token, self._now(), None if immediately else current.value)
        secret.move(PENDING, version)
        self._start(secret, version, STEPS if immediately else TEST)

    def cancel(self, secret: Secret) -> None:
        """Keeps a run from taking its next step. Its version stays AWSPENDING."""
        if run := self._runs.get(secret.arn):
            run.cancelled.set()

    def outcome(self, secret: Secret, *, timeout_seconds: float) -> Outcome | None:
        """How the latest run ended, waiting for one under way; None if there was none or time ran out."""
        run = self._runs.get(secret.arn)
        return run.outcome if run and run.ended.wait(timeout_seconds) else None

    def _is_running(self, secret: Secret) -> bool:
        run = self._runs.get(secret.arn)
        return run is not None and not run.ended.is_set()

    def _start(self, secret: Secret, version: Version, steps: tuple[str, ...]) -> None:
        run = self._runs[secret.arn] = Run(secret, secret.rotation.function_arn or "", version, steps)
        threading.Thread(target=self._take, args=(run,), name=f"rotation of {secret.name}", daemon=True).start()

    def _take(self, run: Run) -> None:
        outcome = self._take_steps(run)
        with self._lock:
            run.outcome = self._finish(run, outcome)
            run.ended.set()

    def _take_steps(self, run: Run) -> Outcome:
        event = {
            "SecretId": run.secret.arn,
            "ClientRequestToken": run.version.id,
            "RotationToken": str(uuid.uuid4()),
        }
        for step in run.steps:
            if run.cancelled.is_set():
                return Outcome(run.version.id, step, "The rotation was cancelled.")
            try:
                self._invoke(run.function_arn, {"Step": step, **event})
            except Exception as error:  # whatever the function raises ends the run, and is its outcome
                return Outcome(run.version.id, step, str(error) or type(error).__name__)
        return Outcome(run.version.id, run.steps[-1])

    def _finish(self, run: Run, outcome: Outcome) -> Outcome:
        """Notes a success; a test's version disappears whatever came of the test."""
        secret, version = run.secret, run.version
        if run.steps == TEST:
            secret.versions.pop(version.id, None)
            return outcome
        if outcome.error is None and CURRENT not in version.stages:
            return Outcome(version.id, outcome.step, f"The function did not move {CURRENT} to the new version.")
        if outcome.error is None:
            secret.rotation.rotated = self._now()
        return outcome
