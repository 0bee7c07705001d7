"""A stack as CloudFormation tells it, and the template that it is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aurora_tenants.errors import Problem
from aurora_tenants.naming import DIGEST
from aurora_tenants.stack import MAX_TEMPLATE_BYTES, Deployed, Shared, Stack, StackPlan, Template, busy

BODY: dict[str, Any] = {
    "Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "shop"}}},
    "Outputs": {"Name": {"Value": "shop"}},
}


def with_description(length: int) -> Template:
    return Template.of(BODY | {"Description": "x" * length})


# What it is


@pytest.mark.parametrize(
    ("status", "facts"),
    [
        ("REVIEW_IN_PROGRESS", set()),
        ("CREATE_IN_PROGRESS", {"begun", "busy"}),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", {"begun", "busy"}),
        ("CREATE_COMPLETE", {"begun"}),
        ("UPDATE_ROLLBACK_COMPLETE", {"begun"}),
        ("UPDATE_ROLLBACK_FAILED", {"begun"}),
        ("CREATE_FAILED", {"begun", "unfinished", "only to delete"}),
        ("UPDATE_FAILED", {"begun", "unfinished"}),
        ("ROLLBACK_COMPLETE", {"begun", "only to delete"}),
        ("ROLLBACK_FAILED", {"begun", "only to delete"}),
        ("DELETE_FAILED", {"begun", "only to delete"}),
    ],
)
def test_a_status_says_what_can_be_done(status: str, facts: set[str]):
    stack = Stack("shared-shop", status)
    told = {"begun": stack.was_begun, "busy": stack.is_busy, "only to delete": stack.is_only_to_delete}
    told["unfinished"] = stack.is_unfinished
    assert {fact for fact, holds in told.items() if holds} == facts


def test_a_template_is_edited_when_it_is_no_longer_what_its_digest_is_of():
    made = Template.of(BODY).body
    assert not Template.is_edited(made)
    assert not Template.is_edited(json.loads(json.dumps(made, indent=1)))
    kept = {"Resources": {"Log": {**BODY["Resources"]["Log"], "DeletionPolicy": "Retain"}}}
    silent = {"Outputs": {"Name": {"Value": "shop"}}}
    for edited in (made | kept, made | {"Description": "by hand"}, made | silent, BODY, {}):
        assert Template.is_edited(edited), edited


def test_a_busy_stack_is_told_of_with_whose_it_is():
    assert busy(Stack("shared-shop", "UPDATE_IN_PROGRESS"), "tenant shop") == [
        Problem(
            "stack-busy",
            "stack shared-shop is in the middle of an operation: UPDATE_IN_PROGRESS",
            context="tenant shop",
            fix="wait until it has ended, then try again",
        )
    ]
    assert busy(Stack("shared-shop", "UPDATE_COMPLETE"), "tenant shop") == []


def test_without_a_shared_stack_there_is_neither_a_role_nor_a_master_user():
    without, there = Deployed(None, {}), Deployed(Shared("s", "", "", 2, master_user="admin", role_arn="arn"), {})
    assert (without.role_arn, without.master_user) == ("", "")
    assert (there.role_arn, there.master_user) == ("arn", "admin")


# Its template


def test_a_template_has_its_digest_among_its_other_outputs():
    made = Template.of(BODY)
    assert made.body["Outputs"] == {
        "Name": {"Value": "shop"},
        DIGEST: {"Value": made.digest, "Description": "Of this template; a plan compares it."},
    }
    assert made.resources == BODY["Resources"]
    assert DIGEST not in BODY["Outputs"]


def test_a_template_without_outputs_gets_one():
    assert list(Template.of({"Resources": {}}).body["Outputs"]) == [DIGEST]


def test_a_digest_is_of_what_is_said_and_not_of_the_order_in_which():
    assert Template.of(dict(reversed(BODY.items()))).digest == Template.of(BODY).digest
    assert Template.of(BODY | {"Description": "x"}).digest != Template.of(BODY).digest


def test_a_digest_stays_what_it_is():
    """Another way to make it would have every stack that is deployed updated."""
    assert Template.of(BODY).digest == "f25ca96be35a511a1a3f1a682b71d337"


def test_a_template_is_sent_as_people_read_it():
    made = Template.of(BODY)
    assert made.text() == json.dumps(made.body, indent=1)
    assert made.size_bytes() < len(made.text())


def test_a_template_that_would_be_too_long_with_blanks_is_sent_without():
    """The longest that is sent with them has exactly as many bytes as CloudFormation takes."""
    fits = MAX_TEMPLATE_BYTES - len(with_description(0).text())
    longest, longer = with_description(fits), with_description(fits + 1)
    assert len(longest.text()) == MAX_TEMPLATE_BYTES
    assert "\n" in longest.text()
    assert "\n" not in longer.text()
    assert len(longer.text()) == longer.size_bytes() < MAX_TEMPLATE_BYTES
    assert json.loads(longer.text()) == longer.body


def test_a_template_is_sent_in_ascii_so_that_its_length_is_its_bytes():
    made = Template.of(BODY | {"Description": "Bäume"})
    assert made.text().isascii()
    assert json.loads(made.text())["Description"] == "Bäume"


@pytest.mark.parametrize(
    ("template", "expected"),
    [(Template.of(BODY), Template.of(BODY).text()), ("Resources: {}", "Resources: {}"), (None, "")],
    ids=["generated", "shipped", "none"],
)
def test_a_plan_sends_a_template_of_either_kind(template: Template | str | None, expected: str):
    assert StackPlan("shared", "shared", "the shared stack", template=template).template_text() == expected
