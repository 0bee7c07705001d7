"""schema/plan.schema.json: that it is one, that it says what everything means, and that real plans keep to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator

from aurora_tenants import data
from aurora_tenants.errors import Location, Problem
from aurora_tenants.plan import Proposal
from aurora_tenants.render.plan_json import plan_data
from aurora_tenants.render.problems import problem_data
from aurora_tenants.schedule import cost
from tests.render.test_plan import of_every_kind, of_shop
from tests.schedule.test_plan import live as live_schedule
from tests.schedule.test_plan import planned
from tests.schedule.test_template import CLUSTER, OFFICE
from tests.values import SHOP, live_after

SCHEMA: dict[str, Any] = json.loads(data.text("plan.schema.json"))


def closed(part: Any) -> Any:
    """The schema as if nothing could be there that it does not describe: so whatever is there has to be in it."""
    if isinstance(part, list):
        return [closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    more = {"additionalProperties": False} if "properties" in part and part.get("type") == "object" else {}
    return {key: closed(value) for key, value in part.items()} | more


def check(value: dict[str, Any]) -> None:
    found = list(Draft202012Validator(closed(SCHEMA)).iter_errors(json.loads(json.dumps(value))))
    assert [(error.json_path, error.message, error.context) for error in found] == []


def parts(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for group in ("$defs", "properties"):
        for key, part in schema.get(group, {}).items():
            yield f"{name}/{key}", part
            yield from parts(part, f"{name}/{key}")


def with_schedule(proposal: Proposal) -> Proposal:
    """With a pause schedule that is to be made, and one that is there."""
    price = cost.monthly(OFFICE, region="eu-west-1", secrets=3, year=2026)
    schedule = planned(live_schedule(), None, cluster=replace(CLUSTER, pause_schedule=OFFICE))
    return replace(proposal, plan=replace(proposal.plan, schedule=schedule), cost=price)


def test_it_is_a_schema_that_leaves_room_for_more():
    Draft202012Validator.check_schema(SCHEMA)
    assert "additionalProperties" not in json.dumps(SCHEMA)


def test_everything_in_it_is_described_and_used():
    assert [name for name, part in parts(SCHEMA) if not {"description", "$ref"} & part.keys()] == []
    text = json.dumps(SCHEMA)
    assert [name for name in SCHEMA["$defs"] if f'"#/$defs/{name}"' not in text] == []


def test_every_key_of_an_object_is_always_there():
    objects = {name: part for name, part in parts(SCHEMA) if "properties" in part}
    assert [name for name, part in objects.items() if {*part["required"]} != {*part["properties"]}] == []


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
    assert not Draft202012Validator(closed(SCHEMA)).is_valid(plan)
    assert Draft202012Validator(SCHEMA).is_valid(plan)
