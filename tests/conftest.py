"""Servers for the tests that need a real MySQL: found on this machine or fetched once, started when first asked for.

Each server is shared by the whole session: a test makes databases and users of its own names and asks for nothing
that another test made.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aurora_tenants.sandbox import mysqld
from aurora_tenants.sandbox.install import install
from tests.cloud import Cloud, deployed


@pytest.fixture(scope="session")
def mysqld_binary() -> mysqld.Binary:
    return mysqld.find() or install(mysqld.default_cache(), lambda _: None)


@pytest.fixture(scope="session")
def server(mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    """partial_revokes is ON, as Aurora MySQL 3 seems to have it: database names in grants are literal."""
    with mysqld.start(mysqld_binary, partial_revokes=True) as running:
        yield running


@pytest.fixture(scope="session")
def server_without_partial_revokes(mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    """partial_revokes is OFF, MySQL's default: database names in grants are patterns."""
    with mysqld.start(mysqld_binary, partial_revokes=False) as running:
        yield running


@pytest.fixture(scope="session")
def cloud(mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A sandbox with the shared stack; whoever makes stacks in it removes them again (`Cloud.clean`)."""
    with deployed(tmp_path_factory.mktemp("sandbox")) as running:
        yield running
