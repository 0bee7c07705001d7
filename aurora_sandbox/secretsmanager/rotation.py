"""Rotations: what Secrets Manager does after RotateSecret has answered, and by itself when a secret is due.

A whole run calls the rotation function four times, in `STEPS` order, and stops at the first call that raises; its
version then stays AWSPENDING, and the next run takes it up again. A test run (RotateImmediately false) calls
the function for testSecret alone, with an AWSPENDING copy of the current value that is removed afterwards. Each run
that somebody asked for has a thread of its own, those that are due share a few; each ends in an `Outcome`.
Source: "Rotation by Lambda function", AWS Secrets Manager User Guide; RotateSecret, API reference.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aurora_sandbox.secretsmanager.agenda import Agenda
from aurora_sandbox.secretsmanager.secret import CURRENT, PENDING, Secret, Version
from aurora_sandbox.secretsmanager.windows import windows_of
from aurora_sandbox.wire import ServiceError

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TEST = ("testSecret",)
_AT_ONCE = 8  # of the rotations that are due; a function serves fewer
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the step it reached last and, if that step failed, what the function said."""

    version_id: str
    step: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation that was due, and how it ended: error is empty if well. at: when; step: the one it reached last."""

    at: datetime
    secret: str
    step: str
    error: str = ""


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
    """The latest run of every secret, and when each is due. `lock` guards the secrets; a function runs without it,
    since it calls back. find: the secret of an ARN, if it is still there. may_invoke: whether a function of an ARN is
    there and lets Secrets Manager call it.
    """

    def __init__(
        self,
        invoke: Callable[[str, dict[str, str]], object],
        lock: threading.RLock,
        now: Callable[[], datetime],
        *,
        find: Callable[[str], Secret | None],
        may_invoke: Callable[[str], bool],
    ) -> None:
        self._invoke, self._lock, self._now, self._find, self._may_invoke = invoke, lock, now, find, may_invoke
        self._runs: dict[str, Run] = {}  # by secret ARN
        self._agenda = Agenda()

    # What somebody asks for

    def set_up(self, secret: Secret, function_arn: str, rules: dict[str, Any]) -> None:
        """Turns rotation on, with this function and these rules. Raises ServiceError for what AWS refuses."""
        self._check(function_arn)
        windows_of(rules)
        rotation, is_other = secret.rotation, not secret.rotation.enabled or rules != secret.rotation.rules
        rotation.function_arn, rotation.rules, rotation.failures = function_arn, rules, 0
        if is_other:
            rotation.turn_on(self._now())
        self.note(secret)

    def turn_off(self, secret: Secret) -> None:
        """Turns rotation off, and keeps a run from taking its next step. Its version stays AWSPENDING."""
        secret.rotation.turn_off()
        self.note(secret)
        self._cancel(secret)

    def begin(self, secret: Secret, token: str, *, immediately: bool) -> None:
        """Starts a run that makes the version of this token, and returns while it is under way.

        A version left unfinished is taken up again instead, and the answer is AWS's InvalidRequestException.
        """
        if unfinished := secret.unfinished():
            if not self._is_running(secret):
                self._start(self._run(secret, unfinished, STEPS))
            raise ServiceError(
                "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted."
            )
        if token in secret.versions:
            raise ServiceError("ResourceExistsException", "A resource with the ID you requested already exists.")
        value = None if immediately else secret.readable().value
        self._start(self._run(secret, self._pending(secret, token, value), STEPS if immediately else TEST))

    def note(self, secret: Secret) -> None:
        """Writes down when the secret is due, after a change of its rotation."""
        self._agenda.put(secret.arn, None if secret.gone_on else secret.rotation.due)

    def forget(self, secret: Secret) -> None:
        """Of a secret that is no more."""
        self._cancel(secret)
        self._runs.pop(secret.arn, None)
        self._agenda.put(secret.arn, None)

    def outcome(self, secret: Secret, *, timeout_seconds: float) -> Outcome | None:
        """How the latest run ended, waiting for one under way; None if there was none or time ran out."""
        run = self._runs.get(secret.arn)
        return run.outcome if run and run.ended.wait(timeout_seconds) else None

    # What happens by itself

    def due(self, until: datetime) -> datetime | None:
        """When the first secret is due, if it is until then."""
        with self._lock:
            first = self._agenda.first()
        return first if first and first <= until else None

    def rotate_due(self, at: datetime, *, meanwhile: Callable[[], bool]) -> tuple[Rotated, ...]:
        """Rotates the secrets that are due at this time, and returns when all have been.

        One that is being rotated, or tried, is waited for, and is due again if that made no difference.
        meanwhile: called again and again; once it is false, nothing more is waited for.
        """
        with self._lock:
            secrets = [secret for secret in map(self._find, self._agenda.take(at)) if secret]
            before = [self._runs[secret.arn] for secret in secrets if self._is_running(secret)]
            begun = [self._begun(secret) for secret in secrets if not self._is_running(secret)]
        workers = ThreadPoolExecutor(min(_AT_ONCE, max(1, len(begun))), thread_name_prefix="rotation")
        for run in begun:
            workers.submit(self._take, run)
        for run in (*begun, *before):
            while not run.ended.wait(_LOOK_SECONDS) and meanwhile():
                pass
        workers.shutdown(wait=False, cancel_futures=True)
        ended = [(run, run.outcome) for run in begun]
        return tuple(
            Rotated(at, run.secret.name, outcome.step, outcome.error or "") for run, outcome in ended if outcome
        )

    def _begun(self, secret: Secret) -> Run:
        version = secret.unfinished() or self._pending(secret, str(uuid.uuid4()), None)
        return self._run(secret, version, STEPS)

    # A run

    def _check(self, function_arn: str) -> None:
        if not self._may_invoke(function_arn):
            why = "Secrets Manager cannot invoke the specified Lambda function. "
            need = "Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com."
            raise ServiceError("AccessDeniedException", why + need)

    def _cancel(self, secret: Secret) -> None:
        if run := self._runs.get(secret.arn):
            run.cancelled.set()

    def _pending(self, secret: Secret, token: str, value: str | bytes | None) -> Version:
        secret.changed = self._now()
        version = secret.versions[token] = Version(token, secret.changed, value)
        secret.move(PENDING, version)
        return version

    def _is_running(self, secret: Secret) -> bool:
        run = self._runs.get(secret.arn)
        return run is not None and not run.ended.is_set()

    def _run(self, secret: Secret, version: Version, steps: tuple[str, ...]) -> Run:
        run = self._runs[secret.arn] = Run(secret, secret.rotation.function_arn or "", version, steps)
        return run

    def _start(self, run: Run) -> None:
        threading.Thread(target=self._take, args=(run,), name=f"rotation of {run.secret.name}", daemon=True).start()

    def _take(self, run: Run) -> None:
        outcome = self._take_steps(run)
        with self._lock:
            run.outcome = self._finish(run, outcome)
            if self._runs.get(run.secret.arn) is run:
                self.note(run.secret)
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
                self._check(run.function_arn)
                self._invoke(run.function_arn, {"Step": step, **event})
            except Exception as error:  # whatever the function raises ends the run, and is its outcome
                why = getattr(error, "message", None) or str(error) or type(error).__name__
                return Outcome(run.version.id, step, why)
        return Outcome(run.version.id, run.steps[-1])

    def _finish(self, run: Run, outcome: Outcome) -> Outcome:
        """Notes how it ended; a test's version disappears whatever came of the test."""
        secret, version = run.secret, run.version
        if run.steps == TEST:
            secret.versions.pop(version.id, None)
            return outcome
        if outcome.error is None and CURRENT not in version.stages:
            outcome = Outcome(version.id, outcome.step, f"The function did not move {CURRENT} to the new version.")
        if outcome.error is None:
            secret.rotation.succeeded(self._now())
        else:
            secret.rotation.failed(self._now())
        return outcome
