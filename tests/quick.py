"""Looks at stacks as often as suits the sandbox: its times pass 100 times as fast as AWS's."""

from __future__ import annotations

import pytest

from aurora_tenants import apply
from aurora_tenants.aws import changesets, poller, rate, resting


def look_often(patch: pytest.MonkeyPatch) -> None:
    for module in (changesets, poller):
        patch.setattr(module, "_POLL_SECONDS", (0.02, 0.1))
    patch.setattr(resting, "_LOOK_SECONDS", 0.1)
    patch.setattr(rate, "_FIRST", 1_000.0)
    patch.setattr(rate, "_MOST", 1_000.0)
    patch.setattr(rate, "_FIRST_PAUSE_SECONDS", 0.02)
    patch.setattr(apply, "_AGAIN_SECONDS", 0.02)
