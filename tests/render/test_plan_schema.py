"""schema/plan.schema.json: that it is one, that it says what everything means, and that real plans keep to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from aurora_tenants.errors import Location, Problem
from aurora_tenants.plan import Proposal
from aurora_tenants.render.plan_json import plan_data
from aurora_tenants.render.problems import problem_data
from aurora_tenants.schedule import cost
from tests.render.schemas import Schema
from tests.render.test_plan import of_every_kind, of_shop
from tests.schedule.test_plan import live as live_schedule
from tests.schedule.test_plan import planned
from tests.schedule.test_template import CLUSTER, OFFICE
from tests.values import SHOP, live_after

SCHEMA = Schema("plan.schema.json")
check = SCHEMA.check


def with_schedule(proposal: Proposal) -> Proposal:
    """With a pause schedule that is to be made, and one that is there."""
    price = cost.monthly(OFFICE, region="eu-west-1", secrets=3, year=2026)
    schedule = planned(live_schedule(), None, cluster=replace(CLUSTER, pause_schedule=OFFICE))
    return replace(proposal, plan=replace(proposal.plan, schedule=schedule), cost=price)


def test_it_is_a_schema_that_describes_all_there_is_and_leaves_room_for_more():
    SCHEMA.require_described()


def test_plans_keep_to_it():
    check(plan_data(of_every_kind()))
    check(plan_data(with_schedule(of_every_kind())))
    check(plan_data(of_shop(live_after(SHOP))))


def test_why_there_is_no_plan_keeps_to_it():
    problems = (Problem("a", "b"), Problem("a", "b", "c", "d", Location("f", 1, 2), "e"))
    check({"version": 1, "problems": [problem_data(problem) for problem in problems]})


def test_what_is_not_in_it_is_noticed():
    plan = plan_data(of_every_kind())
    plan["tenants"][0]["items"][0]["new_key"] = 1
    with pytest.raises(AssertionError, match="new_key"):
        check(plan)
    assert Draft202012Validator(SCHEMA.document).is_valid(plan)
