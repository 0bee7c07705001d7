"""What is left of change sets that nobody executes, at stacks of a real CloudFormation API; their age is the test's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_tenants.aws import changesets, leftovers, stacks
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.model import Cluster
from aurora_tenants.naming import pause_tags
from aurora_tenants.stack import Deployed, StackPlan
from tests.cloud import SHARED, Cloud

GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "left-over"}}
CLUSTER, PAUSE = Cluster(SHARED), f"{SHARED}-pause-schedule"
OURS = "aurora-tenants-1800000000000000000"


@pytest.fixture
def cloudformation(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(changesets, "_POLL_SECONDS", (0.02, 0.1))
    monkeypatch.setattr(changesets, "_LONGEST", timedelta(0))
    yield cloud.client("cloudformation")
    cloud.clean()


def propose(cloudformation: Any, stack: str, name: str, *, kind: str = "UPDATE", **options: Any) -> None:
    template = json.dumps({"Resources": {"Log": GROUP, **({"More": GROUP} if kind == "UPDATE" else {})}})
    cloudformation.create_change_set(
        StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=template, **options
    )


def left(cloudformation: Any, stack: str) -> list[str]:
    return sorted(it["ChangeSetName"] for it in cloudformation.list_change_sets(StackName=stack)["Summaries"])


def tags(of: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in of.items()]


def clean(cloudformation: Any, *unchanged: str) -> list[str]:
    told: list[str] = []
    deployed = stacks.read_deployed(cloudformation, CLUSTER)
    leftovers.clean(cloudformation, CLUSTER, deployed, unchanged, tell=told.append)
    return told


def test_of_a_stack_that_is_there_our_old_ones_are_deleted_and_nobody_elses(
    cloudformation: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    cloud.deploy("log", {"Resources": {"Log": GROUP}})
    names = (OURS, "aurora-tenants-by-hand", "theirs")
    for name in names:
        propose(cloudformation, "log", name)
    with monkeypatch.context() as patch:
        patch.setattr(changesets, "_LONGEST", timedelta(minutes=15))
        assert (clean(cloudformation, "log"), left(cloudformation, "log")) == ([], sorted(names))
    assert clean(cloudformation, "log") == [f"Deleted change set {OURS} of stack log, which nobody has executed."]
    assert left(cloudformation, "log") == ["aurora-tenants-by-hand", "theirs"]
    assert clean(cloudformation, *(f"log-{number}" for number in range(9))) == [
        "Whether change sets are left that nobody executes was not seen everywhere: could not list the change sets of"
        " stack log-0: Stack [log-0] does not exist"
    ]


def test_a_stack_in_which_nothing_is_goes_only_if_all_that_waits_in_it_is_ours(cloudformation: Any, cloud: Cloud):
    """The pause schedule's, of which a plan says nothing where the file has none; a tenant's is shown as removed."""
    ours = tags(pause_tags(CLUSTER))
    for stack, wanted in ((PAUSE, ours), (f"{SHARED}-shop", [])):
        propose(cloudformation, stack, OURS, kind="CREATE", Tags=wanted)
    propose(cloudformation, PAUSE, "theirs", kind="CREATE", Tags=ours)
    assert stacks.read_deployed(cloudformation, CLUSTER).waiting == (PAUSE, f"{SHARED}-shop")
    assert clean(cloudformation) == []
    cloudformation.delete_change_set(StackName=PAUSE, ChangeSetName="theirs")
    assert clean(cloudformation) == [
        f"Deleted stack {PAUSE}, in which nothing ever was: nobody has executed its change set."
    ]
    assert set(cloud.stacks()) == {f"{SHARED}-shop"}


def raising(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


def test_one_that_may_not_be_executed_is_deleted_at_once(cloudformation: Any, cloud: Cloud):
    cloud.deploy("log", {"Resources": {"Log": GROUP}})
    plan = StackPlan("log", "log", "the log", template=json.dumps({"Resources": {"Log": GROUP, "More": GROUP}}))
    for code, expected in (("no-connection", 1), ("access-denied", 1)):
        made = changesets.make(cloudformation, plan, stacks.read_stack(cloudformation, "log"))
        assert made is not None
        with pytest.raises(AwsError, match="not this"), leftovers.discarding(cloudformation, made):
            raising(AwsError(Problem(code, "not this")))()
        assert len(left(cloudformation, "log")) == expected


def test_where_a_stack_can_have_no_more_the_old_ones_make_room(cloudformation: Any, cloud: Cloud):
    """How many a stack can have nobody says, and the sandbox knows no limit: its refusal is made up."""
    cloud.deploy("log", {"Resources": {"Log": GROUP}})
    answer = {"Error": {"Code": "LimitExceededException", "Message": "ChangeSet limit exceeded for stack log"}}
    calls: list[float] = []

    def make() -> str:
        calls.append(time.monotonic())
        if left(cloudformation, "log"):
            raise AwsError(Problem("aws-refused", "limit")) from ClientError(answer, "CreateChangeSet")  # type: ignore[arg-type]
        return "made"

    propose(cloudformation, "log", OURS)
    assert (leftovers.with_room(cloudformation, "log", make), len(calls)) == ("made", 2)
    propose(cloudformation, "log", "theirs")
    with pytest.raises(AwsError, match="limit"):
        leftovers.with_room(cloudformation, "log", make)


def test_no_more_than_ten_of_a_thousand_stacks_are_looked_at():
    asked: list[str] = []

    class Cloudformation:
        """Of which nothing but a list is asked."""

        def get_paginator(self, operation: str) -> Any:
            return self

        def paginate(self, StackName: str) -> list[dict[str, Any]]:
            asked.append(StackName)
            return [{"Summaries": []}]

    names = [f"{SHARED}-{number}" for number in range(1000)]
    leftovers.clean(Cloudformation(), CLUSTER, Deployed(None, {}), names, tell=asked.append)
    assert (len(asked), set(asked) <= set(names)) == (10, True)
