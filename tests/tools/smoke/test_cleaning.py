"""What could keep a run from deleting everything: rights, the network, credentials, errors of its own."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from aurora_tenants.errors import AwsError, Problem
from tests.tools.smoke.conftest import Account, Refused, answering
from tools.smoke import cleaning, run
from tools.smoke.answers import Answers, load
from tools.smoke.clock import SandboxClock
from tools.smoke.finding import is_gone, look, passes
from tools.smoke.login import WHY, ends
from tools.smoke.probes import PROBES
from tools.smoke.world import Place

pytestmark = pytest.mark.long

KNOWN = {probe.id: probe for probe in PROBES}
TEMPLATE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
NAME = "smoke-0123abcd"
PLACE = Place(NAME, "eu-west-1")
LISTS = {
    "schedules": "scheduler.ListSchedules",
    "secrets": "secrets-manager.ListSecrets",
    "the bucket": "s3.HeadBucket",
    "snapshots": "rds.DescribeDBClusterSnapshots",
    "log groups": "cloudwatch-logs.DescribeLogGroups",
}
DENIED = Refused("AccessDeniedException")


def always(answer: Refused | Exception) -> Any:
    return lambda parameters: answer


def smoke(account: Account, directory: Path, *names: str, **changes: Any) -> Any:
    probes = [replace(KNOWN[name], **changes) for name in names or ("error-text",)]
    return account.smoke("--yes", "--answers", str(directory / "answers.json"), probes=probes)


@pytest.mark.parametrize("kinds", LISTS)
def test_one_list_that_is_denied_keeps_nothing_else(account: Account, empty: dict[str, Any], kinds: str):
    account.deploy(NAME, TEMPLATE)
    with answering({LISTS[kinds]: always(DENIED)}):
        ended = account.smoke("--clean", NAME, "--yes")
    assert ended.code == 1
    assert f"    could not look for {kinds}: " in ended.out
    assert account.contents() == empty


def test_the_bucket_is_asked_for_by_its_name(account: Account):
    with answering({"s3.ListBuckets": always(DENIED)}) as counts:
        assert account.smoke("--clean", NAME).code == 0
    assert not counts


def test_a_denial_is_told_before_anything_is_made(account: Account, empty: dict[str, Any], tmp_path: Path):
    with answering({"cloudwatch-logs.DescribeLogGroups": always(DENIED)}):
        ended = smoke(account, tmp_path)
    head = ended.out.partition("Deploying")[0]
    assert "What cannot be looked for now could not be deleted in the end:\n    could not look for log groups: " in head
    assert (ended.code, account.contents()) == (1, empty)  # nobody can tell that nothing is left
    assert "Not everything is deleted" in ended.out


def test_without_the_list_of_stacks_nothing_is_made(account: Account, empty: dict[str, Any], tmp_path: Path):
    with answering({"cloudformation.DescribeStacks": always(DENIED)}) as counts:
        ended = smoke(account, tmp_path)
    assert (ended.code, "Deploying" in ended.out, counts["cloudformation.DescribeStacks"]) == (1, False, 1)
    assert "without these lists nothing can be deleted. Nothing was made." in ended.out


@pytest.mark.parametrize(
    ("place", "flags"),
    [
        (Place(NAME, "us-east-1"), " --region us-east-1"),
        (Place(NAME, "us-east-1", "my own"), " --region us-east-1 --profile 'my own'"),
    ],
)
def test_every_command_says_where(account: Account, place: Place, flags: str):
    made: Mapping[str, Any] = {
        "describe_stacks": {"Stacks": [{"StackName": NAME}]},
        "list_schedules": {"Schedules": [{"Name": "smoke-right"}]},
        "describe_db_clusters": {"DBClusters": [{"DBClusterIdentifier": f"{NAME}-a"}]},
        "list_secrets": {"SecretList": [{"Name": f"/{NAME}/a"}]},
        "describe_db_cluster_snapshots": {
            "DBClusterSnapshots": [{"DBClusterSnapshotIdentifier": "a", "DBClusterIdentifier": f"{NAME}-a"}]
        },
        "describe_log_groups": {"logGroups": [{"logGroupName": f"/aws/lambda/{NAME}-a"}]},
    }

    class Client:
        """One thing of each kind: nothing is asked, only texts are made."""

        def get_paginator(self, operation: str) -> Any:
            self._operation = operation
            return self

        def paginate(self, **_: Any) -> list[Any]:
            return [made[self._operation]]

        def head_bucket(self, **_: Any) -> None:
            pass

    found = look(lambda service: Client(), place)
    assert (len(found.things), found.unknown) == (7, ())
    assert [it.command for it in found.things if not it.command.endswith(flags)] == []
    assert place.hint == f"script/smoke --clean {NAME}{flags}"


class Rds:
    """A cluster with two instances, each on a page of its own, that take two looks to go. The sandbox's go at once."""

    def __init__(self) -> None:
        self.looks = {"a": 2, "b": 2, "cluster": 2}
        self.deleting: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_db_instances"
        return self

    def paginate(self, *, Filters: Any) -> list[Any]:
        assert Filters == [{"Name": "db-cluster-id", "Values": ["c"]}]
        return [{"DBInstances": [{"DBInstanceIdentifier": name}]} for name in ("a", "b") if self._is_there(name)]

    def _is_there(self, name: str) -> bool:
        self.looks[name] -= name in self.deleting
        return self.looks[name] > 0

    def delete_db_instance(self, *, DBInstanceIdentifier: str, SkipFinalSnapshot: bool) -> None:
        self.deleting.append(DBInstanceIdentifier)

    def delete_db_cluster(self, *, DBClusterIdentifier: str, SkipFinalSnapshot: bool) -> None:
        assert (self.looks["a"], self.looks["b"]) == (0, 0)
        self.deleting.append("cluster")

    def describe_db_clusters(self, *, DBClusterIdentifier: str) -> Any:
        if self._is_there("cluster"):
            return {"DBClusters": [{}]}
        raise ClientError({"Error": {"Code": "DBClusterNotFoundFault", "Message": ""}}, "DescribeDBClusters")


def test_a_cluster_without_a_stack_goes_after_its_instances_and_is_waited_for():
    rds = Rds()
    cleaning._delete_cluster(lambda service: rds, "c", SandboxClock(lambda by: None, scale=10_000))
    assert rds.deleting == ["a", "b", "cluster"]
    assert rds.looks == {"a": 0, "b": 0, "cluster": 0}


@pytest.mark.parametrize(
    ("code", "message", "gone"),
    [
        ("DBClusterNotFoundFault", "", True),
        ("404", "Not Found", True),
        ("ValidationError", "Stack with id x does not exist", True),
        ("AccessDenied", "no right to delete smoke-0404404a", False),
    ],
)
def test_what_is_gone_is_known_by_the_code(code: str, message: str, gone: bool):
    assert is_gone(ClientError({"Error": {"Code": code, "Message": message}}, "Delete404")) is gone


def test_only_what_passes_is_waited_for():
    gone = EndpointConnectionError(endpoint_url="https://rds")
    assert passes(gone)
    assert passes(ResponseParserError("a page of a proxy"))
    wrapped = AwsError(Problem("no-connection", "x"))
    wrapped.__cause__ = gone
    assert passes(wrapped)
    assert not passes(AwsError(Problem("no-credentials", "x")))
    assert not passes(RuntimeError("x"))


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://cloudformation"),
        ResponseParserError("this is a page of a proxy"),
        Refused("Throttling", "Rate exceeded", 400),
        Refused("InternalFailure", "", 500),
    ],
)
def test_a_network_that_is_gone_for_a_while_is_waited_for(account: Account, empty: dict[str, Any], error: Any):
    account.deploy(NAME, TEMPLATE)
    looks = 0

    def sometimes(parameters: dict[str, Any]) -> Any:
        nonlocal looks
        looks += 1
        return error if 2 <= looks <= 30 else None

    with answering({"cloudformation.DescribeStacks": sometimes, "cloudformation.DeleteStack": lambda _: sometimes({})}):
        ended = account.smoke("--clean", NAME, "--yes")
    assert looks > 4
    assert "AWS cannot be reached, or is busy: trying for 10 minutes." in ended.out
    assert (ended.code, account.contents()) == (0, empty)


def test_after_these_minutes_the_end_is_told(monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []
    clock = SandboxClock(lambda by: None)
    now = 0.0

    def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    def clients(service: str) -> Any:
        raise EndpointConnectionError(endpoint_url=f"https://{service}")

    monkeypatch.setattr(clock, "pause", pause)
    monkeypatch.setattr(clock, "seconds", lambda: now)
    left = cleaning.clean(clients, PLACE, clock, told.append)
    assert 600 < now <= 620
    assert len(left.unknown) == 7
    assert len(told) == 1


def disk_full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_ends_the_probes_and_the_end_is_told(
    account: Account, empty: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Answers, "record", disk_full)
    ended = smoke(account, tmp_path)
    assert "error: OSError: [Errno 28] No space left on device\nEverything that was made is deleted." in ended.out
    assert (ended.code, account.contents()) == (1, empty)


@pytest.mark.parametrize("error", [ResponseParserError("no XML"), AwsError(Problem("x", "it is odd")), KeyError("a")])
def test_a_deletion_that_ends_with_any_error_is_told_with_the_hint(
    account: Account, empty: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Answers, "record", disk_full)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.cleaning, "clean", failing)
        ended = smoke(account, tmp_path)
    assert "error: OSError: [Errno 28]" in ended.out
    assert "Not everything is deleted, and what is left may cost money:\n" in ended.out
    assert f"    deleting ended with {type(error).__name__}: " in ended.out
    [hint] = [line for line in ended.out.splitlines() if line.startswith("    all of it: ")]
    _, _, name = hint.partition("--clean ")
    assert account.smoke("--clean", name.split()[0], "--yes").code == 0
    assert account.contents() == empty


def test_credentials_that_expire_end_the_probes_and_are_no_difference(
    account: Account, empty: dict[str, Any], tmp_path: Path
):
    expired = Refused("ExpiredTokenException", "The security token included in the request is expired", 400)
    over: list[str] = []

    def later(parameters: dict[str, Any]) -> Refused | None:
        if "SHOW GLOBAL" in str(parameters.get("body")):
            over.append("now")
        return expired if over else None

    everything = ("cloudformation", "rds", "rds-data", "secrets-manager", "scheduler", "s3", "cloudwatch-logs")
    with answering({f"{service}.*": later for service in everything}):
        ended = smoke(account, tmp_path, "error-text", "show-statements", "json-column-order", "partial-revokes")
    assert (ended.code, ended.of("same"), ended.of("differs")) == (1, {"error-text"}, set())
    assert ended.of("not run") == {"show-statements", "json-column-order", "partial-revokes"}
    assert load(tmp_path / "answers.json")["answers"]["partial-revokes"] == {"not_run": WHY}
    assert f"error: {WHY}" in ended.out
    lists = "schedules, stacks, clusters, secrets, the bucket, snapshots, log groups"
    assert f"    could not look for {lists}: {WHY}\n    log in again, then all of it: script/smoke --clean" in ended.out
    [name] = [stack for stack in account.stacks() if stack.count("-") == 1]
    assert account.smoke("--clean", name, "--yes").code == 0
    assert account.contents() == empty


def test_credentials_that_nothing_renews_are_told_before_the_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert not ends(profile=None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "x")
    assert ends(profile=None)
    made = run.World(NAME, "123456789012", "us-east-1", None, run.RealClock(), tmp_path)
    told = run.announcement(made, run.Options(), PROBES)
    assert "nothing renews them" in told
    assert f"run: {made.place.hint}" in told
