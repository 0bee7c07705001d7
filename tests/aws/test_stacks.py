"""Stacks through a real CloudFormation API: what is told of an operation that nobody can look at any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aurora_tenants.aws import stacks
from aurora_tenants.errors import AwsError, Problem, StackFailed
from aurora_tenants.stack import StackPlan
from tests.cloud import Cloud
from tests.quick import look_often

TEMPLATE = '{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "%s"}}}}'


@pytest.fixture
def cloudformation(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    look_often(monkeypatch)
    yield cloud.client("cloudformation")
    cloud.throttle("cloudformation", "DescribeStackEvents", 0)
    cloud.clean()


def deploy(cloudformation: Any, template: str, tell: stacks.Tell = lambda event: None) -> bool:
    plan = StackPlan("log", "log", "the log", template=template, tags={"a": "b"})
    return stacks.deploy(cloudformation, plan, tell=tell)


def test_a_stack_is_made_changed_left_alone_and_deleted(cloudformation: Any, cloud: Cloud):
    told: list[tuple[str, str]] = []

    def tell(event: stacks.Event) -> None:
        told.append((event.resource, event.status))

    assert deploy(cloudformation, TEMPLATE % "one", tell)
    assert [it for it in told if it[1].endswith("_COMPLETE")] == [
        ("Log", "CREATE_COMPLETE"),
        ("log", "CREATE_COMPLETE"),
    ]
    assert not deploy(cloudformation, TEMPLATE % "one")
    told.clear()
    assert deploy(cloudformation, TEMPLATE % "two", tell)
    events = cloudformation.describe_stack_events(StackName="log")["StackEvents"][: len(told)]
    assert told == [(it["LogicalResourceId"], it["ResourceStatus"]) for it in reversed(events)]
    assert (told[0], told[-1]) == (("log", "UPDATE_IN_PROGRESS"), ("log", "UPDATE_COMPLETE"))
    stack = stacks.read_stack(cloudformation, "log")
    assert stack is not None
    assert (stack.status, stack.tags) == ("UPDATE_COMPLETE", {"a": "b"})
    assert stacks.read_template(cloudformation, "log") == json.loads(TEMPLATE % "two")
    in_yaml = "Resources: {Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: three}}}"
    assert deploy(cloudformation, in_yaml, tell)
    assert stacks.read_template(cloudformation, "log") == {}, "this program writes JSON"
    stacks.delete(cloudformation, "log", tell=tell)
    assert told[-1] == ("log", "DELETE_COMPLETE")
    assert stacks.read_stack(cloudformation, "log") is None
    stacks.delete(cloudformation, "log", tell=tell)


def test_a_template_that_cannot_be_deployed_changes_nothing(cloudformation: Any):
    with pytest.raises(AwsError) as caught:
        deploy(cloudformation, '{"Resources": {}}')
    assert caught.value.nothing_was_changed


def test_a_failed_resource_is_the_cause_and_not_what_was_cancelled_because_of_it(cloudformation: Any):
    deploy(cloudformation, TEMPLATE % "one")
    with pytest.raises(StackFailed) as caught:
        plan = StackPlan("second", "second", "the second", template=TEMPLATE % "one")
        stacks.deploy(cloudformation, plan, tell=lambda event: None)
    (problem,) = caught.value.problems
    assert problem == Problem(
        "stack-failed",
        problem.what,
        "stack second was rolled back; the next apply creates it again",
        context="stack second",
    )
    assert problem.what.startswith("Log: ")
    assert "already exists" in problem.what


def test_an_operation_that_is_lost_sight_of_is_not_called_no_change(cloudformation: Any, cloud: Cloud):
    def lose(event: stacks.Event) -> None:
        cloud.throttle("cloudformation", "DescribeStackEvents", 1)

    # One after the other, so that the stack is looked at while there is something left to do.
    groups = {
        f"Log{at}": {"Type": "AWS::Logs::LogGroup", **({"DependsOn": f"Log{at - 1}"} if at else {})} for at in range(40)
    }
    with pytest.raises(AwsError) as caught:
        deploy(cloudformation, json.dumps({"Resources": groups}), lose)
    assert caught.value.problems[0].what == "could not read the stack's events: Rate exceeded"
    assert not caught.value.nothing_was_changed
