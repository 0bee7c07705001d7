"""Several stacks at once: in which order, and what is told of one that fails. In the sandbox's CloudFormation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aurora_tenants.apply import Result, Step, apply
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.stack import Action, StackPlan
from tests.cloud import Cloud
from tests.quick import look_often

TEMPLATE = '{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "%s"}}}}'
IN_YAML = "Resources: {Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: by-hand}}}"


@pytest.fixture
def cloudformation(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    look_often(monkeypatch)
    yield cloud.client("cloudformation")
    cloud.clean()


def plan(name: str, action: Action, template: str | None = None, **rest: Any) -> StackPlan:
    return StackPlan(name, name, f"tenant {name}", action, template=template, **rest)


def applied(plans: list[StackPlan], cloudformation: Any, *allow_drop: str) -> tuple[tuple[Result, ...], list[Step]]:
    """How each ended, and what was told meanwhile."""
    told: list[Step] = []
    return apply(plans, cloudformation, parallel=2, allow_drop=allow_drop, tell=told.append), told


def test_removals_come_last_and_results_in_the_given_order(cloudformation: Any, cloud: Cloud):
    applied([plan("gone", "create", TEMPLATE % "gone")], cloudformation)
    plans = [plan("gone", "delete"), plan("new", "create", TEMPLATE % "new"), plan("more", "create", TEMPLATE % "more")]
    results, told = applied(plans, cloudformation)
    assert results == tuple(Result(each) for each in plans)
    first_of_gone = next(at for at, step in enumerate(told) if step.stack.name == "gone")
    assert {step.stack.name for step in told[:first_of_gone] if step.result} == {"new", "more"}
    assert {step.stack.name for step in told[first_of_gone:]} == {"gone"}
    assert cloud.stacks() == {"new": "CREATE_COMPLETE", "more": "CREATE_COMPLETE"}


def test_the_end_of_a_stack_is_told_after_all_that_happened_to_it(cloudformation: Any):
    (result,), told = applied([plan("shop", "create", TEMPLATE % "shop")], cloudformation)
    assert told[-1] == Step(result.stack, result=result)
    assert [step.event.status for step in told if step.event][-1] == "CREATE_COMPLETE"


def test_a_stack_is_told_of_when_it_takes_its_place_and_not_with_its_first_event(cloudformation: Any):
    (result,), told = applied([plan("shop", "create", TEMPLATE % "shop")], cloudformation)
    assert told[0] == Step(result.stack)
    assert [step.event is None for step in told[:2]] == [True, False]


WITHOUT_DIGEST = '{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}}}'


@pytest.mark.parametrize("template", [IN_YAML, WITHOUT_DIGEST])
def test_permission_to_drop_is_written_into_no_template_of_somebody_elses(
    cloudformation: Any, cloud: Cloud, template: str
):
    """It stays as it is, with the database: what was deployed last decides what a deletion drops."""
    applied([plan("by-hand", "create", template)], cloudformation)
    (result,), _ = applied([plan("by-hand", "delete", drops=("shop",))], cloudformation, "shop")
    assert result.problems == (
        Problem(
            "foreign-template",
            "the template of stack by-hand cannot be changed to let databases be dropped",
            "it is not one of this program's",
            "leave --allow-drop out, and drop them by hand",
            context="tenant by-hand",
        ),
    )
    assert cloud.stacks() == {"by-hand": "CREATE_COMPLETE"}
    (result,), _ = applied([plan("by-hand", "delete", drops=("shop",))], cloudformation)
    assert (result.problems, cloud.stacks()) == ((), {})


def test_a_last_step_that_fails_is_the_end_of_its_stack_and_of_no_other(cloudformation: Any, cloud: Cloud):
    plans = [plan("shop", "create", TEMPLATE % "shop"), plan("more", "create", TEMPLATE % "more")]

    def after(stack: StackPlan) -> None:
        if stack.name == "shop":
            assert cloud.stacks()["shop"] == "CREATE_COMPLETE"
            raise AwsError(Problem("first", "not so"), Problem("second", "of a stack", context="stack shop"))

    told: list[Step] = []
    results = apply(plans, cloudformation, parallel=2, allow_drop=(), tell=told.append, after=after)
    problems = (
        Problem("first", "not so", context="tenant shop"),
        Problem("second", "of a stack", context="stack shop"),
    )
    assert results == (Result(plans[0], problems, "failed"), Result(plans[1]))
    assert [step.result for step in told if step.result and step.stack is plans[0]] == [results[0]]


def test_who_needs_what_another_shares_comes_after_it_and_before_removals(cloudformation: Any, cloud: Cloud):
    plans = [
        plan("late", "create", TEMPLATE % "late", needs=("giver",)),
        plan("giver", "create", TEMPLATE % "giver"),
    ]
    results, told = applied(plans, cloudformation)
    assert results == tuple(Result(each) for each in plans)
    ended = next(at for at, step in enumerate(told) if step.result and step.stack.name == "giver")
    assert {step.stack.name for step in told[: ended + 1]} == {"giver"}
    assert cloud.stacks() == {"late": "CREATE_COMPLETE", "giver": "CREATE_COMPLETE"}


def test_who_needs_what_could_not_be_shared_is_not_deployed(cloudformation: Any, cloud: Cloud):
    bad = '{"Resources": {"Log": {"Type": "AWS::No::Such"}}}'
    plans = [plan("late", "create", TEMPLATE % "late", needs=("giver",)), plan("giver", "create", bad)]
    (late, giver), _ = applied(plans, cloudformation)
    assert [problem.code for problem in late.problems] == ["not-started"]
    assert giver.problems
    assert "late" not in cloud.stacks()
