"""Servers for the tests that need a real MySQL: found on this machine or fetched once, started when first asked for.

Each server is shared by the whole session: a test makes databases and users of its own names and asks for nothing
that another test made.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aurora_sandbox import aurora, iam_plugin, mysqld
from aurora_sandbox.binary import VARIABLE
from aurora_sandbox.install import install
from tests.passwords.plugin import (  # noqa: F401 - the hooks of every run
    directories_are_searched,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_unconfigure,
)

if TYPE_CHECKING:
    from tests.cloud import Cloud


# Two processes take a file after the other, in this order: what comes last should be short, or one waits for the other.
_LONG_ONES_FIRST = ("tools/smoke", "cli", "lambdas", "doctor", "aws", "sandbox", "mysql")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix()
        return next((at for at, part in enumerate(_LONG_ONES_FIRST) if name.startswith(part)), len(_LONG_ONES_FIRST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def mysqld_binary() -> mysqld.Binary:
    return mysqld.find(os.environ.get(VARIABLE)) or install(mysqld.default_cache(), warnings.warn)


@contextmanager
def running(binary: mysqld.Binary, **options: Any) -> Iterator[mysqld.Server]:
    """A server of mysqld.start, with the stand-in for AWSAuthenticationPlugin loaded where there can be one."""
    with mysqld.start(binary, **options) as started:
        aurora.switch_iam(started, on=True)
        yield started


@pytest.fixture(scope="session")
def server(mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    """partial_revokes is ON, as Aurora MySQL 3 seems to have it: database names in grants are literal."""
    with running(mysqld_binary, partial_revokes=True) as started:
        yield started


@pytest.fixture(scope="session")
def server_without_partial_revokes(mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    """partial_revokes is OFF, MySQL's default: database names in grants are patterns."""
    with running(mysqld_binary, partial_revokes=False) as started:
        yield started


@pytest.fixture(scope="session")
def server_folding_names(mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    """lower_case_table_names is 1: names of databases and tables are stored and compared in lower case."""
    with running(mysqld_binary, lower_case_names=True) as started:
        yield started


@pytest.fixture(scope="session")
def server_with(mysqld_binary: mysqld.Binary) -> Iterator[Callable[..., mysqld.Server]]:
    """server_with("--sql-mode=ANSI_QUOTES", partial_revokes=False): a server with these options, started once (1 s).

    What can be set on a running server is cheaper with `variables` of tests.mysql_variables, on a server that is there.
    """
    with ExitStack() as ends:

        @cache
        def start(*options: str, partial_revokes: bool = True, lower_case_names: bool = False) -> mysqld.Server:
            settings = {"partial_revokes": partial_revokes, "lower_case_names": lower_case_names}
            return ends.enter_context(running(mysqld_binary, options=options, **settings))

        yield start


@pytest.fixture
def with_iam_plugin(mysqld_binary: mysqld.Binary) -> None:
    """Skips a test that makes users with AWSAuthenticationPlugin where there is no stand-in for it."""
    if why := iam_plugin.missing(mysqld_binary.plugins):
        pytest.skip(why)


@pytest.fixture(scope="session")
def cloud(mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A sandbox with the shared stack; whoever makes stacks in it removes them again (`Cloud.clean`)."""
    from tests.cloud import deployed  # tests/sandbox runs without the product

    with deployed(tmp_path_factory.mktemp("sandbox")) as running:
        yield running
