"""The state of what is deployed, as AWS's APIs tell it of functions and secrets that the sandbox never has."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from aurora_tenants.doctor.finding import Verdict
from aurora_tenants.doctor.shared import (
    DataApiAnswer,
    FunctionFacts,
    Functions,
    SecretFacts,
    SharedFacts,
    check_data_api,
    check_dead_letters,
    check_functions,
    check_inspector,
    check_shared,
    check_tenant_stacks,
)
from aurora_tenants.errors import Problem
from aurora_tenants.stack import Stack

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TODAY = NOW.date()
ACTIVE = FunctionFacts("provider", "Active", update="Successful", runtime="python3.13")
SECRET = SecretFacts("inspector", "shared", NOW, is_rotated=True, next=NOW + timedelta(days=3))


def functions(*, today: date = TODAY, **changed: Any) -> Verdict:
    (verdict,) = check_functions(Functions((ACTIVE._replace(**changed),), "shared", today))
    return verdict


@pytest.mark.parametrize(
    ("changed", "result", "found"),
    [
        ({}, "ok", "functions provider are active"),
        ({"state": "Inactive"}, "ok", "functions provider are active"),
        ({"state": ""}, "problem", "function provider is not there"),
        ({"state": "Failed", "reason": "no image"}, "problem", "function provider is Failed: no image"),
        ({"state": "Pending"}, "warning", "function provider is Pending"),
        ({"update": "Failed"}, "problem", "the last update of function provider failed"),
        ({"update": "InProgress"}, "ok", "functions provider are active"),
        ({"runtime": "python3.9"}, "problem", "function provider runs on python3.9"),
        ({"runtime": "python3.11", "today": date(2027, 1, 2)}, "warning", "function provider runs on python3.11"),
        ({"runtime": "python9.9"}, "ok", "functions provider are active"),
    ],
)
def test_a_function_is_told_by_its_state(changed: dict[str, Any], result: str, found: str):
    verdict = functions(**changed)
    assert (verdict.result, verdict.found) == (result, found)
    assert bool(verdict.fix) is (result != "ok")


@pytest.mark.parametrize(
    ("changed", "result", "found"),
    [
        ({}, "ok", "is rotated, next on 2026-11-30"),
        ({"is_rotated": None, "next": None}, "ok", "is rotated"),
        ({"is_rotated": False}, "warning", "is not rotated"),
        ({"is_there": False}, "problem", "is gone"),
        ({"has_pending": True, "changed": NOW - timedelta(minutes=10)}, "ok", "is rotated"),
        ({"has_pending": True, "changed": NOW - timedelta(hours=2)}, "problem", "has not ended"),
        ({"next": NOW - timedelta(hours=12)}, "ok", "is rotated"),
        ({"next": NOW - timedelta(days=2)}, "problem", "is overdue"),
    ],
)
def test_a_rotation_is_stuck_once_it_should_have_ended(changed: dict[str, Any], result: str, found: str):
    (verdict,) = check_inspector(SECRET._replace(**changed))
    assert (verdict.result, found in verdict.found) == (result, True)
    assert bool(verdict.fix) is (result != "ok")


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        (SharedFacts("shared", None), "ok"),
        (SharedFacts("shared", Stack("shared", "UPDATE_COMPLETE")), "ok"),
        (SharedFacts("shared", Stack("shared", "UPDATE_COMPLETE"), is_current=False), "warning"),
        (SharedFacts("shared", Stack("shared", "UPDATE_COMPLETE"), inspector_problem="denied (1142)"), "problem"),
        (SharedFacts("shared", Stack("shared", "CREATE_IN_PROGRESS"), Problem("x", "x", fix="x")), "warning"),
        (SharedFacts("shared", Stack("shared", "DELETE_FAILED"), Problem("x", "x", fix="x")), "problem"),
        (SharedFacts("shared", Stack("shared", "UPDATE_FAILED"), Problem("x", "x", fix="x")), "problem"),
        (SharedFacts("shared", None, made=Stack("shared-cluster", "CREATE_COMPLETE")), "warning"),
        (SharedFacts("shared", Stack("shared", "UPDATE_ROLLBACK_FAILED"), Problem("x", "x", fix="x")), "problem"),
    ],
)
def test_a_shared_stack_is_told_by_its_state(facts: SharedFacts, result: str):
    (verdict,) = check_shared(facts)
    assert (verdict.result, bool(verdict.fix)) == (result, result != "ok")


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("CREATE_FAILED", "shared deploy --stack shared, "),
        ("UPDATE_FAILED", "shared deploy --stack shared, "),
        ("ROLLBACK_COMPLETE", "shared deploy --stack shared, "),
        ("ROLLBACK_FAILED", "shared delete --stack shared --with-cluster; "),
        ("DELETE_FAILED", "shared delete --stack shared --with-cluster; "),
    ],
)
def test_a_stack_of_the_cluster_that_failed_is_told_beside_the_shared_one(status: str, fix: str):
    made = Stack("shared-cluster", status, reason="The following resource(s) failed. ")
    for shared in (None, Stack("shared", "CREATE_COMPLETE")):
        told, other = check_shared(SharedFacts("shared", shared, made=made))
        assert told.found == f"stack shared-cluster is {status}: The following resource(s) failed."
        assert (told.result, f"run: aurora-tenants {fix}" in told.fix) == ("problem", True)
        assert other.result == ("ok" if shared else "warning")


def test_an_answer_of_the_data_api_is_told():
    (answer,) = check_data_api(DataApiAnswer())
    (refused,) = check_data_api(DataApiAnswer(Problem("database-refused", "no (1045)")))
    assert (answer.result, refused.result, bool(refused.fix)) == ("ok", "problem", True)


def test_lost_events_are_counted():
    assert [next(check_dead_letters(lost)).result for lost in (0, 2)] == ["ok", "warning"]


def test_stacks_of_tenants_that_failed_or_are_busy_are_named_up_to_five():
    statuses = ("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "UPDATE_IN_PROGRESS")
    stacks = {status: Stack(status, status) for status in statuses}
    (verdict,) = check_tenant_stacks(stacks)
    assert verdict.found == (
        "2 of 4 tenant stacks: UPDATE_IN_PROGRESS (UPDATE_IN_PROGRESS), UPDATE_ROLLBACK_FAILED (UPDATE_ROLLBACK_FAILED)"
    )
    (many,) = check_tenant_stacks({f"t{n}": Stack("s", "CREATE_FAILED") for n in range(7)})
    assert many.found.endswith("t4 (CREATE_FAILED) and 2 more")
