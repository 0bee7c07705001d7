"""Somebody else is at the same stacks: another apply of the same file, or a person."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aurora_tenants.apply import Result, Step, apply, is_as_wanted
from aurora_tenants.aws.clients import connect
from aurora_tenants.lanes import Pace
from aurora_tenants.stack import Action, Stack, StackPlan, Template
from tests.cloud import Cloud
from tests.endpoint import environment
from tests.quick import look_often

NAMES = ("one", "two", "three")


@pytest.fixture
def slow(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Operations on stacks take half a second."""
    look_often(monkeypatch)
    cloud.meet("slow-stacks", seconds=0.5)
    with environment(cloud.environment):
        yield cloud
    cloud.clear()
    cloud.clean()


def template(name: str, more: str = "a") -> Template:
    """more: what is changed by an update."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}
    revision = {"Revision": {"Type": "String"}}
    return Template.of({"Parameters": revision, "Resources": {"Log": group}, "Outputs": {"More": {"Value": more}}})


def plan(name: str, action: Action, more: str = "a", revision: str = "1", status: str = "") -> StackPlan:
    made = None if action == "delete" else template(name, more)
    parameters = {"Revision": revision} if made else {}
    return StackPlan(name, name, f"tenant {name}", action, template=made, parameters=parameters, status=status)


def applied(plans: list[StackPlan], **options: Any) -> tuple[tuple[Result, ...], list[Step]]:
    told: list[Step | Pace] = []
    cloudformation = connect(region=None, profile=None).cloudformation
    results = apply(plans, cloudformation, parallel=5, allow_drop=(), tell=told.append, **options)
    return results, [step for step in told if isinstance(step, Step)]


def test_both_of_two_applies_end_well_and_say_who_did_it(slow: Cloud):
    rounds = [
        [plan(name, "create") for name in NAMES],
        [plan(name, "update", "b", "2") for name in NAMES],
        [plan(name, "delete") for name in NAMES],
    ]
    barrier = threading.Barrier(2)

    def at_once(plans: list[StackPlan]) -> tuple[Result, ...]:
        barrier.wait()
        return applied(plans)[0]

    for plans, status in zip(rounds, ("CREATE_COMPLETE", "UPDATE_COMPLETE", None), strict=True):
        with ThreadPoolExecutor(2) as pool:
            both = [*pool.map(at_once, [plans, plans])]
        assert [problem for results in both for result in results for problem in result.problems] == []
        assert {result.ending for results in both for result in results} <= {"applied", "elsewhere"}
        assert slow.stacks() == (dict.fromkeys(NAMES, status) if status else {})
        for name in NAMES if status else ():
            assert slow.client("cloudformation").list_change_sets(StackName=name)["Summaries"] == []


def test_a_busy_stack_is_waited_for_and_then_deployed(slow: Cloud):
    slow.meet("slow-stacks", seconds=3)
    slow.client("cloudformation").create_stack(
        StackName="one",
        TemplateBody=json.dumps(template("one").body),
        Parameters=[{"ParameterKey": "Revision", "ParameterValue": "1"}],
    )
    (result,), told = applied([plan("one", "update", "b", "2")])
    assert (result.problems, result.ending) == ((), "applied")
    assert "waits for CREATE_IN_PROGRESS of somebody else" in [step.waits for step in told]
    assert slow.stacks() == {"one": "UPDATE_COMPLETE"}


def test_a_stack_that_is_busy_for_too_long_is_told_in_a_sentence_and_keeps_no_other_waiting(slow: Cloud):
    applied([plan("one", "create")])
    slow.put("one", "UPDATE_IN_PROGRESS")
    (one, two), _ = applied([plan("one", "update", "b", "2"), plan("two", "create")], wait_seconds=0.3)
    (problem,) = one.problems
    assert (problem.code, one.ending) == ("stack-busy", "failed")
    assert problem.what == "stack one is UPDATE_IN_PROGRESS: it is being updated, by somebody else"
    assert (two.problems, two.ending) == ((), "applied")
    slow.put("one", "UPDATE_COMPLETE")


def test_a_stack_that_somebody_else_has_made_again_is_not_deleted(slow: Cloud):
    """It was to be replaced, since its creation had failed."""
    applied([plan("one", "create")])
    before = slow.client("cloudformation").describe_stacks(StackName="one")["Stacks"][0]["StackId"]
    (result,), _ = applied([plan("one", "replace", "b", "2", status="ROLLBACK_COMPLETE")])
    assert result.problems == ()
    assert slow.client("cloudformation").describe_stacks(StackName="one")["Stacks"][0]["StackId"] == before


def test_nothing_begins_once_a_run_is_stopped_and_what_is_in_flight_is_followed(slow: Cloud):
    stop = threading.Event()

    def tell(step: Step | Pace) -> None:
        if isinstance(step, Step) and step.event:
            stop.set()

    cloudformation = connect(region=None, profile=None).cloudformation
    plans = [plan(name, "create") for name in NAMES]
    results = apply(plans, cloudformation, parallel=1, allow_drop=(), tell=tell, stop=stop)
    assert sorted(result.ending for result in results) == ["applied", "stopped", "stopped"]
    assert [*slow.stacks().values()] == ["CREATE_COMPLETE"]


def test_between_two_operations_of_one_stack_nothing_begins_either(slow: Cloud):
    applied([plan("one", "create")])
    slow.put("one", "ROLLBACK_COMPLETE")
    stop = threading.Event()
    cloudformation = connect(region=None, profile=None).cloudformation
    plans = [plan("one", "replace", status="ROLLBACK_COMPLETE")]

    def tell(step: Step | Pace) -> None:
        if isinstance(step, Step) and step.event:
            stop.set()

    (result,) = apply(plans, cloudformation, parallel=1, allow_drop=(), tell=tell, stop=stop)
    assert (result.ending, slow.stacks()) == ("stopped", {})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"parameters": {"Revision": "3"}}, True),
        ({"parameters": {"Revision": "1"}}, False),
        ({"status": "UPDATE_ROLLBACK_COMPLETE"}, False),
        ({"outputs": {"Digest": "another"}}, False),
        ({"tags": {}}, False),
        ({"role_arn": "arn:of:another"}, False),
    ],
)
def test_what_somebody_else_has_deployed_is_compared_with_what_was_wanted(changed: dict[str, Any], expected: bool):
    made = template("one")
    wanted = StackPlan(
        *("one", "one", "tenant one", "update"),
        template=made,
        parameters={"Revision": "2"},
        tags={"a": "b"},
        role_arn="arn:of:role",
    )
    there = {
        "status": "UPDATE_COMPLETE",
        "outputs": {"Digest": made.digest},
        "parameters": {"Revision": "2", "Other": "x"},
        "tags": {"a": "b", "c": "d"},
        "role_arn": "arn:of:role",
    }
    assert is_as_wanted(Stack("one", **{**there, **changed}), wanted) is expected


def test_that_a_stack_is_gone_is_wanted_of_a_removal_alone():
    assert is_as_wanted(None, plan("one", "delete"))
    assert not is_as_wanted(None, plan("one", "create"))
    assert not is_as_wanted(Stack("one", "CREATE_COMPLETE"), plan("one", "delete"))
