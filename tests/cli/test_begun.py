"""What is asked of AWS while the file is checked: nothing of it is told before the file, and nobody waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants import begun
from aurora_tenants.aws.stacks import read_stack
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.stack import Stack
from tests.cli.conftest import HEAD, CommandLine
from tests.cloud import Cloud

SHOP = "  shop: {databases: {shop: }, users: {shop: {privileges: [{permission: ALL, database: shop}]}}}\n"
WRONG = "  shop: {databasse: {shop: }}\n"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_wrong_file_is_told_although_nobody_answers(run: CommandLine, silent: str):
    run.file(WRONG)
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "aurora_tenants", "plan"],
        cwd=run.directory,
        env={**os.environ, "AWS_ENDPOINT_URL": silent},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("tenants.yaml:4:10: error: unknown key databasse")
    assert ended.stderr.count("error:") == 1
    assert time.monotonic() - began < 30, "a connection is given up after a minute"


def test_a_wrong_file_wakes_no_cluster(run: CommandLine, cloud: Cloud):
    run.file(WRONG)
    before = cloud.calls()
    assert run("aurora-tenants plan").code == 1
    time.sleep(1)  # what was begun has ended by then
    assert not [name for name in cloud.calls() - before if name.startswith("rds-data:")]


def test_of_another_account_nothing_more_is_asked(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=HEAD.replace("cluster: {", "cluster: {account: '999999999999', "))
    before = cloud.calls()
    ended = run("aurora-tenants plan")
    assert ended.code == 1 and "wrong-account" in ended.err
    time.sleep(1)
    assert not [name for name in cloud.calls() - before if name != "sts:GetCallerIdentity"]


def test_what_is_wrong_with_the_credentials_comes_before_what_is_wrong_with_the_stacks(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=HEAD.replace("shared-global", "nobodys"))
    cloud.meet("expired-credentials")
    try:
        ended = run("aurora-tenants plan")
    finally:
        cloud.clear()
    assert ended.code == 1 and "expired-credentials" in ended.err and "nobodys" not in ended.err


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("found", ["another inspector", "none", "denied"])
def test_what_the_shared_stack_is_among_all_stacks_counts(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, found: str
):
    """As if somebody deployed it between the two looks at it: MySQL is read again, and nothing is told of before."""

    def by_name(cloudformation: Any, name: str) -> Stack | None:
        stack = read_stack(cloudformation, name)
        if found == "denied":
            raise AwsError(Problem("access-denied", "could not read stack shared-global"))
        gone = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-123456"
        return replace(stack, outputs={**stack.outputs, "InspectorSecret": gone}) if stack and found != "none" else None

    run.file(SHOP)
    expected = run("aurora-tenants plan")
    monkeypatch.setattr(begun, "read_stack", by_name)
    assert (run("aurora-tenants plan"), expected.code) == (expected, 0)
