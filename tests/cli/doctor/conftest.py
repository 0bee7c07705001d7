"""What the tests of doctor have in common: how to run it, to read what it says, and a sandbox with nothing in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aurora_sandbox import lifecycle
from tests.cli.conftest import CommandLine
from tests.endpoint import Endpoint, endpoint_of, set_environment

SHOP = "  shop:\n    databases: {shop: {}}\n    users:\n      shop: {privileges: [{permission: ALL, database: shop}]}\n"

Check = dict[str, str]
Examine = Callable[..., tuple[int, list[Check]]]


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").clean()


@pytest.fixture
def examine(run: CommandLine) -> Examine:
    """Runs doctor and gives its exit code and checks."""

    def examined(options: str = "") -> tuple[int, list[Check]]:
        ended = run(f"aurora-tenants doctor {options} --output json")
        assert ended.err == ""
        report = json.loads(ended.out)
        assert report["format_version"] == 1
        assert report["has_problems"] is (ended.code == 1)
        return ended.code, report["checks"]

    return examined


def bad(checks: list[Check], result: str = "problem") -> dict[str, list[str]]:
    """What was found by the checks with this result; each must have a fix."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check["result"] == result:
            assert check["fix"], check
            found.setdefault(check["check"], []).append(check["found"])
    return found


def only_problem(code: int, checks: list[Check]) -> Check:
    """The one problem, with no warning beside it."""
    assert code == 1
    (problem,) = (check for check in checks if check["result"] == "problem")
    assert problem["fix"]
    assert bad(checks, "warning") == {}
    return problem


def result_of(checks: list[Check], name: str) -> str:
    (found,) = {check["result"] for check in checks if check["check"] == name}
    return found


@contextmanager
def empty(directory: Path) -> Iterator[Endpoint]:
    """A sandbox with nothing in it."""
    state = directory / "sandbox"
    running = lifecycle.up(mysqld=None, partial_revokes=True, tell=lambda _: None, directory=state)
    try:
        yield endpoint_of(running, lifecycle.environment(running))
    finally:
        lifecycle.down(directory=state)


@pytest.fixture(scope="package")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with empty(tmp_path_factory.mktemp("bare")) as running:
        yield running


@pytest.fixture
def in_bare(bare: Endpoint, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> Examine:
    set_environment(monkeypatch, bare.environment)
    return examine
