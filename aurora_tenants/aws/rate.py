"""How fast CloudFormation is asked, and what is asked again: one for all that asks through a client.

rate = Rate()
rate.govern(client)      from now on each of its calls waits for its turn, and is repeated where that is right
with rate.watched(tell): tell is told of every call how many of the last ten seconds were throttled

botocore's own modes do neither: the adaptive one slows down with each call that is throttled, and starves where a part
of all calls is, whatever their rate; the standard one gives up once its quota of retries is used up.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

# Calls a second: at first, at least and at most; those of one second may come at once. What CloudFormation takes is not
# documented; it is a few a second, for all callers of an account and region together.
_FIRST, _LEAST, _MOST = 10.0, 3.0, 50.0
# So many calls are looked at before the rate changes. One of five may be throttled at random; more are by the rate.
_SAMPLE, _TOO_MANY = 20, 0.3
# What is throttled at the least rate, too, is not so by the rate: that share, and somewhat more, slows down nothing.
_MOST_USUAL, _MORE_THAN_USUAL, _FORGOTTEN = 0.6, 0.15, 0.1
_WINDOW_SECONDS = 10.0
# Pauses double, each shortened by chance, so that what was refused together does not come back together.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 4.0
# How often a call is made at most: one that nobody answers, for half a minute, and one that is throttled, for minutes.
_ATTEMPTS, _THROTTLED_ATTEMPTS = 10, 120

_THROTTLED = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
# With a token, CloudFormation knows a repetition by it; these others do the same when they are done twice.
_TOKENS = ("ClientRequestToken", "ClientToken")
_IDEMPOTENT = ("Describe", "List", "Get", "Validate", "DeleteChangeSet")


class Load(NamedTuple):
    """Of the last ten seconds: calls that were throttled, and all."""

    throttled: int
    calls: int


class Rate:
    """Safe in any number of threads. attempts: how often a call is made at most; None for as often as is worth it."""

    def __init__(
        self,
        attempts: int | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._watch: Callable[[Load], None] = _nobody
        self._attempts, self._throttled_attempts = attempts or _ATTEMPTS, attempts or _THROTTLED_ATTEMPTS
        self._now, self._sleep, self._chance = now, sleep, chance
        self._lock = threading.Lock()
        self._per_second, self._left, self._filled = _FIRST, _FIRST, now()
        self._recent: deque[tuple[float, bool]] = deque()
        self._sample: list[bool] = []
        self._is_used_up, self._usual = False, 0.0

    def govern(self, client: Any) -> None:
        """A client that makes one attempt by itself."""
        events = client.meta.events
        service = client.meta.service_model.service_id.hyphenize()
        events.register(f"before-send.{service}", self._before_send)
        events.register(f"needs-retry.{service}", self._needs_retry)

    @contextmanager
    def watched(self, watch: Callable[[Load], None]) -> Iterator[None]:
        """watch: is called after every call, from whatever thread made it."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = _nobody

    @property
    def per_second(self) -> float:
        """How many calls go out now."""
        return self._per_second

    def take_turn(self) -> None:
        """Waits until another call may go out."""
        with self._lock:
            now = self._now()
            self._left = min(self._per_second, self._left + (now - self._filled) * self._per_second) - 1
            self._filled = now
            seconds = -self._left / self._per_second
            self._is_used_up = self._is_used_up or seconds > 0
        if seconds > 0:
            self._sleep(seconds)

    def answered(self, *, is_throttled: bool) -> None:
        """Counts a call, and goes by it."""
        with self._lock:
            now = self._now()
            self._recent.append((now, is_throttled))
            while self._recent[0][0] < now - _WINDOW_SECONDS:
                self._recent.popleft()
            self._sample.append(is_throttled)
            if len(self._sample) >= _SAMPLE:
                self._adapt()
            load = Load(sum(throttled for _, throttled in self._recent), len(self._recent))
        self._watch(load)

    def _adapt(self) -> None:
        share = sum(self._sample) / len(self._sample)
        if share > max(_TOO_MANY, self._usual + _MORE_THAN_USUAL):
            if self._per_second == _LEAST:
                self._usual = min(_MOST_USUAL, share)
            self._per_second = max(_LEAST, 0.7 * self._per_second)
        elif self._is_used_up:  # what nobody asks for is not tried
            self._per_second = min(_MOST, self._per_second * 1.1 + 0.2)
            self._usual += _FORGOTTEN * (share - self._usual) if self._usual else 0.0
        self._sample.clear()
        self._is_used_up = False

    def pause(self, *, code: str, status: int | None, attempts: int, is_repeatable: bool) -> float | None:
        """Seconds until a call is made again that was made so often; None for one that is not.

        code: AWS's for the error; empty for none. status: of HTTP, None where there was no answer.
        """
        if code in _THROTTLED or status == 429:
            most = self._throttled_attempts
        elif is_repeatable and (status is None or status >= 500):
            most = self._attempts
        else:
            return None
        if attempts >= most:
            return None
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 10))
        return longest * self._chance()

    def _before_send(self, **_: Any) -> None:
        self.take_turn()

    def _needs_retry(
        self,
        response: tuple[Any, Mapping[str, Any]] | None,
        operation: Any,
        attempts: int,
        request_dict: Mapping[str, Any],
        **_: Any,
    ) -> float | None:
        """By botocore's rules: seconds until the same request is sent again, None for an answer that is final."""
        status = response[0].status_code if response else None
        code = str(response[1].get("Error", {}).get("Code", "")) if response else ""
        self.answered(is_throttled=code in _THROTTLED or status == 429)
        repeatable = is_repeatable(operation.name, request_dict.get("body") or {})
        return self.pause(code=code, status=status, attempts=attempts, is_repeatable=repeatable)


def _nobody(load: Load) -> None:
    """Watches nothing."""


def is_repeatable(operation: str, request: Mapping[str, Any]) -> bool:
    """Whether a call may be made again that may have been carried out."""
    return operation.startswith(_IDEMPOTENT) or any(request.get(token) for token in _TOKENS)
