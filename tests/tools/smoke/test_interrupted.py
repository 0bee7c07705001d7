"""Whatever ends a run, nothing of it stays; and what cannot be deleted is told with the command that does it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.endpoint import environment, until
from tests.tools.smoke.conftest import Account
from tools.smoke.interrupts import Interrupted, Interrupts

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
TEMPLATE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


@contextmanager
def started(account: Account, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """`script/smoke` in a process of its own, as signals reach it."""
    command = [sys.executable, "-m", "tools.smoke", "--yes", "--answers", str(directory / "answers.json")]
    with environment(account.environment):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=directory, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """The first line that matches."""
    assert process.stdout
    read = []
    for line in process.stdout:
        read.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError("".join(read))


def test_two_interrupts_during_the_probes_leave_nothing(account: Account, empty: dict[str, Any], tmp_path: Path):
    with started(account, tmp_path) as process:
        read_until(process, r"^same +literals-with-colons")
        assert account.stacks() != {}
        process.send_signal(signal.SIGINT)
        read_until(process, r"^Interrupted by SIGINT: deleting what was made\.")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert "Still deleting what was made." in rest
    assert "error: interrupted by SIGINT" in rest
    assert "Everything that was made is deleted." in rest
    assert process.returncode == 1
    assert account.contents() == empty


def test_a_termination_while_the_stack_is_being_made_leaves_nothing(
    account: Account, empty: dict[str, Any], tmp_path: Path
):
    with started(account, tmp_path) as process:
        read_until(process, r"^Deploying")
        until(lambda: any(status.endswith("_IN_PROGRESS") for status in account.stacks().values()))
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert "Interrupted by SIGTERM" in rest
    assert process.returncode == 1
    assert account.contents() == empty


def leave_more(account: Account, name: str) -> None:
    """What stays on AWS where a sandbox leaves nothing: a last snapshot, a log group that a function made again."""
    rds = account.client("rds")
    cluster = rds.describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
    rds.create_db_cluster_snapshot(DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier=f"{name}-last")
    account.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}-another")
    s3 = account.client("s3")
    s3.create_bucket(Bucket=f"{name}-code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=f"{name}-code", Key="a/b.zip", Body=b"")


def test_what_a_killed_run_left_is_deleted_by_its_name(account: Account, empty: dict[str, Any], tmp_path: Path):
    with started(account, tmp_path) as process:
        name = read_until(process, r"script/smoke --clean (smoke-[0-9a-f]{8}) --region eu-west-1$")[1]
        read_until(process, r"^same +login-over-tls")
        process.kill()
    assert name in account.stacks()
    leave_more(account, name)
    refused = account.smoke("--clean", name)
    assert (refused.code, f"stack {name}" in refused.out, name in account.stacks()) == (1, True, True)
    ended = account.smoke("--clean", name, "--yes")
    assert (ended.code, "Everything that was made is deleted." in ended.out) == (0, True)
    assert account.contents() == empty
    again = account.smoke("--clean", name)
    assert (again.code, again.out) == (
        0,
        f"There is nothing of {name} in eu-west-1. No other region was looked in: --region names one.\n",
    )


def test_what_cannot_be_deleted_is_told_with_its_command(account: Account, empty: dict[str, Any]):
    name, other = "smoke-0123abcd", "smoke-0123abce"
    for stack in (name, other):
        account.deploy(stack, TEMPLATE, EnableTerminationProtection=True)
    ended = account.smoke("--clean", name, "--yes")
    assert ended.code == 1
    assert f"stack {name}: aws cloudformation delete-stack --stack-name {name} --region eu-west-1" in ended.out
    assert f"stack {name} is not deleted: " in ended.out
    assert f"    all of it: script/smoke --clean {name} --region eu-west-1\n" in ended.out
    cloudformation = account.client("cloudformation")
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    assert account.smoke("--clean", name, "--yes").code == 0
    assert account.stacks() == {other: "CREATE_COMPLETE"}  # it has another name
    cloudformation.update_termination_protection(StackName=other, EnableTerminationProtection=False)
    assert account.smoke("--clean", other, "--yes").code == 0
    assert account.contents() == empty


def test_the_first_signal_ends_and_only_a_third_gives_up_deleting():
    told: list[str] = []
    with Interrupts(told.append):
        with pytest.raises(Interrupted, match="SIGINT"):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert len(told) == 1
        with pytest.raises(Interrupted, match="SIGINT, the third"):
            signal.raise_signal(signal.SIGINT)


def test_a_signal_while_deleting_is_held_though_it_is_the_first():
    told: list[str] = []
    with Interrupts(told.append) as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert len(told) == 2
        with pytest.raises(Interrupted, match="third"):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
