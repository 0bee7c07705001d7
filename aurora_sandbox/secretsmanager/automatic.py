"""How a secret is rotated by itself: when it is due, and what a run that ended makes of that. Pure.

    rotation.turn_on(now)         NextRotationDate is the end of the next window, and it is due when that opens
    rotation.failed(at)           due again a while later, if `ATTEMPTS` and the window allow it; else in the next one
    rotation.succeeded(at)        the next window, counted from here

AWS rotates at any time of a window; here it is when the window opens. That it tries "multiple times" is all that AWS
says: how often, and how far apart, are guesses. NextRotationDate stays where it was until a rotation ends well, so it
is in the past when none has.
Sources: DescribeSecret, Secrets Manager API Reference; "Rotation by Lambda function", Secrets Manager User Guide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aurora_sandbox.secretsmanager.windows import DAY, Window, windows_of

ATTEMPTS, APART = 5, timedelta(minutes=15)
_SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class Rotation:
    """How the secret is rotated. Function and rules stay after rotation was cancelled, as AWS keeps them.

    rotated: when the last rotation ended well. window: the one that is open, or opens next. due: when it is rotated by
    itself, at the earliest. next_date: what DescribeSecret calls NextRotationDate. days: from one window to the next.
    failures: how many runs have failed since the window opened, or since somebody asked for one.
    """

    enabled: bool = False
    function_arn: str | None = None
    rules: dict[str, Any] = field(default_factory=dict)
    rotated: datetime | None = None
    window: Window | None = None
    due: datetime | None = None
    next_date: datetime | None = None
    days: int | None = None
    failures: int = 0

    def turn_on(self, now: datetime) -> None:
        """Waits for the first window of its rules from now on."""
        self.enabled = True
        self._wait_from(now)
        self.next_date = self.window.closes - _SECOND if self.window else None

    def turn_off(self) -> None:
        self.enabled, self.window, self.due, self.next_date, self.failures = False, None, None, None, 0

    def succeeded(self, at: datetime) -> None:
        """A rotation has ended well; one that was cancelled meanwhile counts, and changes no date to come."""
        self.rotated = at
        if self.enabled:
            self.updated(at)

    def updated(self, at: datetime) -> None:
        """The secret has a value of this moment, which is as good as a rotation."""
        self.turn_on(at)
        self.days = self._days()

    def failed(self, at: datetime) -> None:
        """A rotation has failed, by itself or after RotateSecret."""
        if not self.enabled:
            return
        self.failures += 1
        again = (self.due if self.due and at - APART < self.due <= at else at) + APART
        if self.window is None:
            self.due = again if self.failures < ATTEMPTS else None
        elif at < self.window.opens:
            self.due = min(again, self.window.opens) if self.failures < ATTEMPTS else self.window.opens
            if self.due == self.window.opens:
                self.failures = 0
        elif self.failures < ATTEMPTS and again < self.window.closes:
            self.due = again
        else:
            self._wait_from(self.window.opens)

    def shown_rules(self) -> dict[str, Any]:
        """RotationRules as DescribeSecret has them: from the first rotation on with days that AWS has counted."""
        return dict(self.rules) | ({"AutomaticallyAfterDays": self.days} if self.days else {})

    def _wait_from(self, instant: datetime) -> None:
        windows = windows_of(self.rules)
        self.window = windows.after(instant) if windows else None
        self.due, self.failures = self.window.opens if self.window else None, 0

    def _days(self) -> int | None:
        windows, window = windows_of(self.rules), self.window
        if windows is None or window is None or (following := windows.after(window.opens)) is None:
            return None
        return (following.opens - window.opens) // DAY or None  # a schedule in hours has none
