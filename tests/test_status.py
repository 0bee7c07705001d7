"""The table of what a stack's states mean: every state that CloudFormation knows is in it, and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore.loaders import Loader

from aurora_tenants.naming import REVISION
from aurora_tenants.revision import all_counted_up, counted_up
from aurora_tenants.stack import Stack, failed, stuck
from aurora_tenants.status import STATES, state_of
from tests.values import SHOP, live_after, planned, with_stack

DOCS = Path(__file__).parents[1] / "docs" / "repair.md"


def test_every_state_that_cloudformation_knows_is_in_the_table():
    model = Loader().load_service_model("cloudformation", "service-2")
    assert set(STATES) == set(model["shapes"]["StackStatus"]["enum"])


def test_every_state_is_in_the_documentation():
    rows = re.findall(r"^\| ([A-Z_, ]+) \|", DOCS.read_text(), re.MULTILINE)
    assert sorted(name for row in rows for name in row.split(", ")) == sorted(STATES)


def test_what_is_under_way_is_waited_for_and_what_went_well_is_updated():
    for name, state in STATES.items():
        is_under_way = name.endswith("_IN_PROGRESS") and name != "REVIEW_IN_PROGRESS"
        assert (state.way == "wait") == is_under_way, name
        assert bool(state.said) == (name.endswith(("_FAILED", "_IN_PROGRESS")) or name.startswith("ROLLBACK")), name


def test_what_takes_an_update_is_what_cloudformation_updates():
    """By its own words: in all other states, "… state and can not be updated"."""
    updated = {name for name, state in STATES.items() if state.takes_update}
    assert updated == {
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",  # after its rollback was continued
    }
    assert {name for name, state in STATES.items() if state.has_to_end} == {"UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"}


@pytest.mark.parametrize(("status", "way"), [("MERGE_IN_PROGRESS", "wait"), ("MERGE_FAILED", "by hand")])
def test_a_state_of_tomorrow_is_never_taken_for_a_good_one(status: str, way: str):
    assert state_of(status).way == way
    assert not state_of(status).takes_update
    assert bool(stuck(Stack("s", status), "tenant s")) == (way == "by hand")


def test_only_a_person_leads_a_stack_out_of_an_import_that_could_not_be_undone():
    (problem,) = stuck(Stack("shared-shop", "IMPORT_ROLLBACK_FAILED"), "tenant shop")
    assert (problem.code, problem.context) == ("stack-stuck", "tenant shop")
    assert "aws cloudformation delete-stack --stack-name shared-shop" in problem.fix
    said = failed(Stack("shared", "IMPORT_ROLLBACK_FAILED"), "shared")
    assert said is not None
    assert "shared delete --stack shared" in said.fix
    for status in STATES.keys() - {"IMPORT_ROLLBACK_FAILED"}:
        assert stuck(Stack("shared-shop", status), "tenant shop") == []


def test_a_tenant_of_which_nothing_differs_is_led_out_of_every_state_waits_or_is_a_problem():
    for status, state in STATES.items():
        plan = planned(SHOP, live=live_after(SHOP), deployed=with_stack(SHOP, status=status, revision="4"))
        if state.way == "wait":
            assert ([it.status for it in plan.waiting], plan.tenants, plan.problems) == ([status], (), ())
            continue
        (tenant,) = plan.tenants
        actions = {"go on": "update", "roll back": "update", "make again": "replace", "create": "create"}
        if status != "DELETE_COMPLETE":
            assert tenant.stack.action == actions.get(state.way, "none"), status
        expected = ["stack-stuck"] if state.way == "by hand" else []
        assert [problem.code for problem in plan.problems if problem.code.startswith("stack-")] == expected, status
        if status == "UPDATE_FAILED":
            assert tenant.stack.parameters == {REVISION: all_counted_up(counted_up("4", ()))}, (
                "CloudFormation would see no change"
            )
        if status == "UPDATE_ROLLBACK_FAILED":
            assert tenant.stack.parameters == {REVISION: counted_up("4", ())}
