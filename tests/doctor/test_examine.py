"""The table of checks: every fact has one, and a fact that is missing costs one line."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from aurora_tenants.doctor import CHECKS, Caller, Facts, NoAccess, examine
from aurora_tenants.doctor.finding import Finding, Skipped, Unread
from aurora_tenants.errors import Problem
from aurora_tenants.render.doctor import doctor_data, doctor_text

NOTHING: dict[str, Any] = dict.fromkeys((field.name for field in fields(Facts)), Skipped("not now"))
FACTS = Facts(**NOTHING | {"stack": "shared"})


def test_every_check_says_at_least_a_line_under_its_own_name():
    found = examine(FACTS)
    assert [finding.check for finding in found] == [check.name for check in CHECKS]
    assert {finding.result for finding in found} == {"ok", "not-checked"}
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("fact", sorted(NOTHING.keys() - {"stack"}))
def test_every_fact_that_could_not_be_read_is_a_warning_with_the_missing_permission(fact: str):
    found = examine(replace(FACTS, **{fact: Unread("could not read it", "allow it")}))
    warnings = {finding for finding in found if finding.result == "warning"}
    assert {finding[2:] for finding in warnings} == {("could not read it", "so this could not be checked", "allow it")}
    assert len(warnings) == (2 if fact == "use" else 1)


def test_no_access_is_the_one_problem():
    found = examine(replace(FACTS, caller=NoAccess("there are no credentials", fix="log in")))
    assert [finding.check for finding in found if finding.result == "problem"] == ["credentials"]
    assert "ok" in {finding.result for finding in examine(replace(FACTS, caller=Caller("arn:x", "1")))}


DENIED = Unread("denied", "allow it", is_denied=True)
NOT_SIMULATED = Unread("IAM simulates users and roles", "be one")


@pytest.mark.parametrize("simulated", [DENIED, NOT_SIMULATED])
def test_who_may_do_nothing_is_told_that_once(simulated: Unread):
    denied = dict.fromkeys(("permissions", "use"), simulated) | {"zones": DENIED, "shared": DENIED}
    facts = replace(FACTS, caller=Caller("arn:x", "1"), **denied)
    found = {finding.check: finding for finding in examine(facts)}
    assert found["credentials"].result == "problem"
    assert found["credentials"].found.startswith("arn:x may do nothing here: ")
    assert {finding.result for name, finding in found.items() if name != "credentials"} == {"ok", "not-checked"}
    assert found["zones"].found == "AWS denies every call of this caller"
    assert found["engine"].found == "not now"


@pytest.mark.parametrize("told", [{"zones": Unread("throttled", "later")}, {"dead_letters": 0}])
def test_who_may_do_something_is_told_of_each_missing_permission(told: dict[str, Any]):
    found = examine(replace(FACTS, caller=Caller("arn:x", "1"), shared=DENIED, **told))
    assert {finding.check for finding in found if finding.result == "warning"} >= {"shared-stack"}
    assert [finding for finding in found if finding.result == "problem"] == []


def test_a_refusal_without_a_fix_is_to_be_tried_again():
    assert Unread.of(Problem("aws-refused", "Rate exceeded")).fix == "run doctor again in a minute"
    denied = Unread.of(Problem("access-denied", "no", fix="allow it"))
    assert (denied.fix, denied.is_denied) == ("allow it", True)


def test_text_and_json_say_the_same():
    findings = (
        Finding("zones", "problem", "2 zones", "too few", "go away"),
        Finding("clock", "ok", "fine"),
        Finding("names", "not-checked", "not now"),
    )
    assert doctor_text(findings).plain == (
        "problem      zones  2 zones\n"
        "                    why: too few\n"
        "                    fix: go away\n"
        "ok           clock  fine\n"
        "not checked  names  not now\n"
        "\n"
        "1 problem, 0 warnings, 1 ok, 1 not checked."
    )
    assert doctor_data(findings, stack="shared", account="1", region="") == {
        "format_version": 1,
        "account": "1",
        "region": None,
        "stack": "shared",
        "has_problems": True,
        "checks": [
            {"check": "zones", "result": "problem", "found": "2 zones", "why": "too few", "fix": "go away"},
            {"check": "clock", "result": "ok", "found": "fine", "why": "", "fix": ""},
            {"check": "names", "result": "not-checked", "found": "not now", "why": "", "fix": ""},
        ],
    }
