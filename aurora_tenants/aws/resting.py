"""Waits until operations on stacks have ended: one look at all of them every few seconds, however many there are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from aurora_tenants.aws.clients import asking
from aurora_tenants.status import STATES

# Between two looks. A look is one call for each hundred stacks that are busy in the account.
_LOOK_SECONDS = 3.0


def busy_stacks(cloudformation: Any) -> dict[str, str]:
    """The status of every stack of the account and region on which an operation is under way. Raises AwsError."""
    statuses = [status for status, state in STATES.items() if state.way == "wait"]
    with asking("read which stacks are busy"):
        pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=statuses)
        return {each["StackName"]: each["StackStatus"] for page in pages for each in page["StackSummaries"]}


def await_rest(
    cloudformation: Any,
    names: Collection[str],
    *,
    until: float,
    stop: threading.Event,
    tell: Callable[[Mapping[str, str]], None],
) -> dict[str, str]:
    """Waits until none of these stacks is busy, and looks at least once. The status of those that still are at the end.

    until: by the monotonic clock. stop: ends the wait once it is set. tell: called with those that are busy at every
    look. Raises AwsError.
    """
    while busy := {name: status for name, status in busy_stacks(cloudformation).items() if name in names}:
        tell(busy)
        left = until - time.monotonic()
        if left <= 0 or stop.wait(min(left, _LOOK_SECONDS)):
            break
    return busy
