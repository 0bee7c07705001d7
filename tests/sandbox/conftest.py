"""A whole sandbox for the tests that need one, shared by the session: every test makes stacks of its own names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.server import Sandbox


@pytest.fixture(scope="session")
def sandbox(mysqld_binary: mysqld.Binary) -> Iterator[Sandbox]:
    """partial_revokes is ON. Times that AWS takes or waits pass a hundred times as fast."""
    with Sandbox.start(binary=mysqld_binary, time_scale=100.0) as running:
        yield running
