"""A problem as it is told: in the form of compilers, and for a program."""

from __future__ import annotations

from aurora_tenants.errors import Location, Problem
from aurora_tenants.render.problems import problem_data, problem_text
from tests.goldens import golden
from tests.render.printed import text_of

PROBLEM = Problem(
    "unknown-privilege",
    "unknown privilege SELEC",
    "MySQL has no table privilege of this name",
    "did you mean SELECT?",
    Location("tenants.yaml", 8, 26),
    "tenant shop-dev, user shop-dev-report, privilege 1",
)


def test_a_problem_in_the_form_of_compilers():
    problems = (
        PROBLEM,
        Problem("stack-failed", "UserShop: Table 'shop.orders' doesn't exist (1146)", context="stack shared-shop"),
        Problem("bare", "something is wrong"),
    )
    text = "".join(text_of(problem_text(each)) for each in problems)
    assert text == golden("problems.txt", text)


def test_a_problem_as_json():
    assert problem_data(PROBLEM) == {
        "code": "unknown-privilege",
        "what": "unknown privilege SELEC",
        "why": "MySQL has no table privilege of this name",
        "fix": "did you mean SELECT?",
        "context": "tenant shop-dev, user shop-dev-report, privilege 1",
        "where": {"file": "tenants.yaml", "line": 8, "column": 26},
    }
