"""A saved plan as text and back, and every way in which a file is none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aurora_tenants import __version__
from aurora_tenants.errors import InvalidFile, Problem
from aurora_tenants.fingerprint import Fingerprint, Place
from aurora_tenants.safety import Allowed
from aurora_tenants.saved import SavedPlan, is_saved, misplaced, moved, parse

PLACE = Place("123456789012", "eu-west-1", "arn:aws:rds:eu-west-1:123456789012:cluster:one", "shared")
FINGERPRINT = Fingerprint(
    PLACE,
    {"tenant shop": {"users": "ab"}},
    {"user shop@%": {"owner": "cd", "privileges": "ef"}},
    {"table shop.orders": {"state": "missing"}},
    {"stack shared-shop": {"status": "CREATE_COMPLETE"}},
    {"the pause schedule": {"schedules": "01"}},
    {"secret /shared/database/shop": {"healed by": "restore"}},
    {"tenant shop": {"action": "update"}},
)
ALLOWED = Allowed(("shop", "old"), True, ("dba@%",), skipped_groups=True)
SAVED = SavedPlan(
    datetime(2026, 3, 1, 9, 30, 5, tzinfo=UTC),
    "envs/prod.yaml",
    FINGERPRINT,
    {"version": 1, "tenants": [{"tenant": "größer"}]},
    ("shop",),
    ALLOWED,
    logins=True,
    group="rest",
)
TEXT = SAVED.to_text()
AGAIN = "make it again, and review that: aurora-tenants plan --out plan.json"


def with_digest(data: dict[str, Any]) -> str:
    """As whoever edits the file and knows how a digest is made would write it."""
    rest = {key: value for key, value in data.items() if key != "digest"}
    return json.dumps({**rest, "digest": hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()})


def edited(*path: str, to: Any) -> dict[str, Any]:
    data = json.loads(TEXT)
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return dict(data)


def refused(text: str) -> Problem:
    with pytest.raises(InvalidFile) as raised:
        parse(text, "plan.json")
    (problem,) = raised.value.problems
    return problem


def test_a_saved_plan_is_the_same_once_it_is_read():
    assert parse(TEXT, "plan.json") == SAVED
    assert parse(json.dumps(json.loads(TEXT)), "plan.json") == SAVED  # however it is indented


def test_a_saved_plan_is_read_by_programs():
    data = json.loads(TEXT)
    assert [*data] == ["version", "program", "made", "request", "fingerprint", "plan", "digest"]
    assert (data["version"], data["program"], data["made"]) == (1, __version__, "2026-03-01T09:30:05+00:00")
    assert data["plan"] == SAVED.plan
    assert data["request"] == {
        "file": "envs/prod.yaml",
        "tenants": ["shop"],
        "group": "rest",
        "allow_drop": ["shop", "old"],
        "allow_mass_removal": True,
        "allow_access": ["dba@%"],
        "allow_skipped_groups": True,
        "logins": True,
    }
    assert [*data["fingerprint"]] == ["place", "file", "mysql", "missing", "stacks", "schedules", "secrets", "planned"]
    assert TEXT.isascii()


@pytest.mark.parametrize("length", [1, 2, 40, len(TEXT) // 2, len(TEXT) - 4])
def test_a_file_that_was_cut_off_is_told(length: int):
    problem = refused(TEXT[:length])
    assert (problem.code, problem.fix) == ("damaged-plan", AGAIN)
    assert problem.what == "plan.json is not whole, or no saved plan"
    assert problem.why.startswith("it is no JSON: ")


def test_an_empty_file_is_told():
    assert refused(" \n") == Problem("damaged-plan", "plan.json is empty", fix=AGAIN)


@pytest.mark.parametrize(
    "path",
    [
        ("made",),
        ("request", "file"),
        ("fingerprint", "place", "account"),
        ("fingerprint", "mysql", "user shop@%"),
        ("plan", "tenants"),
        ("digest",),
    ],
)
def test_a_file_that_was_edited_is_told(path: tuple[str, ...]):
    problem = refused(json.dumps(edited(*path, to="else")))
    why = "its digest is another: it was edited, or damaged on its way"
    assert problem == Problem("damaged-plan", "plan.json is not as it was saved", why, AGAIN)


def test_a_flag_that_was_added_by_hand_is_told():
    assert refused(json.dumps(edited("request", "allow_drop", to=["shop", "old", "more"]))).code == "damaged-plan"


OF_FILE = ("fingerprint", "file")


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("made",), (None, 7, "yesterday", [], "0001-01-01T00:00:00+23:59")),
        (("request",), (None, 7, "x", [], {})),
        (("request", "file"), (None, 7, "", "a\0b", "\ud800", ["x"])),
        (("request", "group"), (7, [], {})),
        (("request", "allow_skipped_groups"), (None, 7, "x")),
        (("request", "tenants"), (None, 7, "x", [7], [[]], {})),
        (("request", "allow_mass_removal"), (None, 1, "yes", [])),
        (("request", "logins"), (None, 0, "no", {})),
        (("fingerprint",), (None, "x", [], {})),
        (("fingerprint", "place"), (None, "x", [], {}, {"account": "1"})),
        (("fingerprint", "planned"), (None, "x", ["x"], {"x": 1})),
        (OF_FILE, (None, "x", ["x"], {"x": None})),
        ((*OF_FILE, "tenant shop"), (None, 7, "x", ["x"], {"x": [1]})),
        ((*OF_FILE, "tenant shop", "users"), (None, 7, [])),
        (("plan",), (None, 7, "x")),
    ],
)
def test_what_is_of_another_kind_is_told_though_its_digest_is_right(path: tuple[str, ...], values: tuple[Any, ...]):
    for value in values:
        problem = refused(with_digest(edited(*path, to=value)))
        assert (problem.code, problem.fix) == ("damaged-plan", AGAIN)
        assert problem.what == "plan.json is no saved plan, though it looks like one"


def test_a_plan_of_another_version_is_told():
    newer = edited("version", to=2) | {"program": "9.9.9"}
    what = f"plan.json was made by version 9.9.9 of this program, and this is {__version__}"
    why = "it is written in form 2, and only form 1 of the same version is applied"
    assert refused(with_digest(newer)) == Problem("other-version", what, why, AGAIN)
    assert refused(with_digest(edited("program", to="0.0.9"))).code == "other-version"
    assert refused(with_digest(edited("version", to=None))).code == "other-version"


@pytest.mark.parametrize(
    "text", ["version: 1\ntenants: {}\n", "[]", "7", '"x"', "null", "{}", '{"version": 1}', "\x00"]
)
def test_a_file_that_is_something_else_is_told(text: str):
    problem = refused(text)
    assert (problem.code, problem.what, problem.why) == ("not-a-plan", "plan.json is no saved plan", "")
    assert "if plan.json says what should be there: --file plan.json" in problem.fix


def test_what_output_json_prints_is_no_saved_plan():
    problem = refused('{"version": 1, "account": "1", "tenants": []}')
    assert (problem.code, problem.why) == (
        "not-a-plan",
        "it is what --output json prints, which can be read and not applied",
    )


def test_a_file_that_nests_without_end_is_told():
    assert refused('{"a":' * 100_000).code == "damaged-plan"


def test_a_saved_plan_may_be_replaced_and_nothing_else():
    assert all(map(is_saved, (TEXT, TEXT[:100], json.dumps(json.loads(TEXT)), TEXT.replace('1,\n "pro', '2,\n "pro'))))
    assert not any(map(is_saved, ("version: 1", "{}", "[]", '{"version": 1, "account": "1"}', "")))


# What has moved


def test_nothing_has_moved():
    assert moved(SAVED, FINGERPRINT, "plan.json") == ()


def test_each_thing_that_has_moved_is_a_problem_and_the_last_says_what_to_do():
    now = replace(FINGERPRINT, mysql={}, stacks={"stack shared-shop": {"status": "UPDATE_COMPLETE"}})
    assert moved(SAVED, now, "my plan.json") == (
        Problem("plan-moved", "MySQL: user shop@% was dropped"),
        Problem(
            "plan-moved",
            "CloudFormation: stack shared-shop was changed (status CREATE_COMPLETE, now UPDATE_COMPLETE)",
            "my plan.json was made before that, at 2026-03-01 09:30 UTC,"
            " and is applied as it was reviewed or not at all",
            "make it again, and review that: aurora-tenants plan --out 'my plan.json' --file envs/prod.yaml"
            " --tenant shop --allow-drop shop --allow-drop old --allow-access dba@% --group rest --allow-mass-removal"
            " --allow-skipped-groups --logins",
        ),
    )


def test_when_very_much_has_moved_the_rest_is_counted():
    now = replace(FINGERPRINT, stacks={f"stack s{number:03}": {} for number in range(200)})
    problems = moved(SAVED, now, "plan.json")
    assert [problem.what for problem in problems[:2]] == [
        "CloudFormation: stack s000 was made",
        "CloudFormation: stack s001 was made",
    ]
    assert (len(problems), problems[-1].what) == (21, "181 more things have moved")
    assert problems[-1].fix


def test_a_plan_of_another_place_is_refused_by_account_and_region():
    assert misplaced(SAVED, PLACE.account, PLACE.region, "plan.json") == ()
    problems = misplaced(SAVED, "210987654321", "us-east-1", "plan.json")
    assert [(problem.code, problem.what) for problem in problems] == [
        ("plan-moved", "the plan was made for account 123456789012, and this is 210987654321"),
        ("plan-moved", "the plan was made for region eu-west-1, and this is us-east-1"),
    ]
