"""schema/apply.schema.json: that it is one, that it says what everything means, and that what is told keeps to it."""

from __future__ import annotations

from typing import Any

from aurora_tenants.apply import Pace, Result, Step
from aurora_tenants.aws.stacks import Event
from aurora_tenants.errors import Problem
from aurora_tenants.render.apply_json import apply_data, busy_event, interrupted_event, plan_event, step_events
from aurora_tenants.render.problems import problem_data
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.busy import Waiting
from tests.render.schemas import Schema
from tests.render.test_plan import of_every_kind

SCHEMA = Schema("apply.schema.json")
check = SCHEMA.check
SHOP = StackPlan("shared-shop", "shop", "tenant shop", action="create")
BUSY = Waiting("other", "shared-other", "tenant other", "UPDATE_IN_PROGRESS", ("shared-other",))
FAILED = Result(SHOP, (Problem("a", "b"),), "failed", 1.25)


def test_it_is_a_schema_that_describes_all_there_is_and_leaves_room_for_more():
    SCHEMA.require_described()


def test_results_keep_to_it():
    numbers = {"outcome": "failed", "seconds": 2.0, "left": ["shop", "other"], "again": "aurora-tenants apply"}
    check(apply_data(of_every_kind(), [FAILED, Result(SHOP)], [BUSY, BUSY.now({})], FAILED.problems, **numbers))
    check({"version": 1, "problems": [problem_data(problem) for problem in FAILED.problems]})


def test_events_keep_to_it():
    event = Event("shared-shop", "UserShop", "Custom::User", "CREATE_FAILED", "why")
    steps = (Step(SHOP, event), Step(SHOP, waits="for a stack"), Step(SHOP, result=FAILED), Pace(12, 60, 9))
    told = [
        *(each for step in steps for each in step_events(step, is_first=step is steps[0])),
        plan_event(of_every_kind()),
        busy_event({"shared-shop": "UPDATE_IN_PROGRESS"}),
        interrupted_event(["shop"], "text", is_followed=True),
        {"event": "told", "text": "text"},
    ]
    for each in told:
        check({**each, "at": "2026-03-01T09:30:00.000+00:00"})
    kinds = {part["properties"]["event"]["const"] for part in SCHEMA.document["$defs"].values() if _is_event(part)}
    assert {each["event"] for each in told} == kinds


def _is_event(part: dict[str, Any]) -> bool:
    return "event" in part.get("properties", {})
