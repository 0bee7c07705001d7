from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fakes import Sandbox, sandbox


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    """A fresh CloudFormation with queues, parameters, roles and one Lambda function."""
    made = sandbox()
    yield made
    made.cloudformation.close()
