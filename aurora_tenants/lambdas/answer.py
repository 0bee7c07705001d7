"""CloudFormation's custom resource protocol: one event comes in, exactly one answer goes out before the deadline.

with deadline(context):
    resource = …
send(event, status="SUCCESS", physical_id="shop", data={"Server": "arn:…"})
"""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

# CloudFormation refuses an answer of more than 4,096 bytes; ids and data of ours stay far below the rest.
_REASON_BYTES = 1500
# The time to send an answer, with three attempts, after the work was interrupted.
_ANSWER_SECONDS = 20.0


class DeadlineReached(BaseException):
    """Lambda is about to end the function. Not an Exception: botocore would take it for a lost connection."""


@contextmanager
def deadline(context: Any) -> Iterator[float]:
    """Interrupts the block in time to answer; yields how many seconds the block has."""
    seconds = max(context.get_remaining_time_in_millis() / 1000 - _ANSWER_SECONDS, 1.0)

    def interrupt(*_: object) -> NoReturn:
        raise DeadlineReached(f"the work was not finished within {seconds:.0f} s; deploy again to continue")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield seconds
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def send(
    event: Mapping[str, Any], status: str, physical_id: str, *, reason: str = "", data: Mapping[str, str] | None = None
) -> None:
    """Sends the answer, in up to three attempts; the last failure is raised, so that Lambda repeats the event."""
    body = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")} | {
        "Status": status,
        "PhysicalResourceId": physical_id,
        "Reason": reason.encode(errors="replace")[:_REASON_BYTES].decode(errors="ignore") or "done",
        "Data": data or {},
    }
    # UTF-8, because an escaped character takes up to twelve bytes. The URL was signed without a content type; urllib
    # would add one.
    text = json.dumps(body, ensure_ascii=False).encode()
    request = urllib.request.Request(event["ResponseURL"], text, {"Content-Type": ""}, method="PUT")
    for attempt in (1, 2, 3):
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            if attempt == 3:
                raise
            time.sleep(attempt)
