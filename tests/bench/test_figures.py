"""Figures as JSON and as tables, and the goals they meet."""

from __future__ import annotations

import pytest

from bench.figures import (
    BARE,
    DRIFT,
    EXAMPLE,
    FIRST,
    FLOOR,
    HELP,
    LATE_LEAN,
    LATE_PLAN,
    LEAN,
    NAIVE,
    PLAN,
    SECRETS,
    STACKS,
    STATEMENTS,
    VALIDATE,
    VERSION,
    Figure,
    Report,
    dumped,
    loaded,
    ratio,
)
from bench.goals import exponent, goals
from bench.table import BEGIN, END, markdown, written

CALLS = {STATEMENTS: 11, STACKS: 2, SECRETS: 1, "sts:GetCallerIdentity": 1}


def figure(name: str, tenants: int | None, *seconds: float, memory: float = 90.0) -> Figure:
    return Figure(name, tenants, seconds, seconds, memory, CALLS if name == PLAN else {})


REPORT = Report(
    date="2026-11-28T06:00+00:00",
    command="script/bench 100 1000",
    machine={"CPU": "2 × Some", "Python": "3.13.1"},
    latency=20.0,
    figures=(
        *(figure(name, None, seconds) for name, seconds in ((BARE, 0.01), (VERSION, 0.03), (HELP, 0.06))),
        figure(EXAMPLE, None, 0.12),
        *(figure(LEAN, size, seconds) for size, seconds in ((100, 0.1), (1000, 0.2))),
        *(figure(PLAN, size, seconds) for size, seconds in ((100, 0.25), (1000, 0.5))),
        *(figure(name, 1000, 0.6) for name in (FIRST, DRIFT)),
        *(figure(VALIDATE, size, seconds) for size, seconds in ((100, 0.15), (1000, 0.3))),
        figure(FLOOR, 1000, 0.4),
        figure(NAIVE, 1000, 6.0),
        figure(LATE_LEAN, 100, 0.3),
        figure(LATE_PLAN, 100, 0.6),
    ),
)

TABLES = """\
2026-11-28T06:00+00:00, `script/bench 100 1000`: CPU 2 × Some, Python 3.13.1.

| tenants | lean | plan | over lean | its CPU | over lean's | floor's CPU | over floor's | memory | naive |
| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
| 100 | 0.10 s | 0.25 s | 2.50 × | 0.25 s | 2.50 × | – | – | 90 MiB | – |
| 1,000 | 0.20 s | 0.50 s | 2.50 × | 0.50 s | 2.50 × | 0.40 s | 1.25 × | 90 MiB | 6.00 s |

| CPU of a plan at | interpreter | all else at 100 | more for the file | more for all else |
| --: | --: | --: | --: | --: |
| 1,000 | 10 ms | 240 ms | 150 ms | 100 ms |

| tenants | first plan | over plan | plan of 1 % drift | over plan | validate | over lean |
| --: | --: | --: | --: | --: | --: | --: |
| 100 | – | – | – | – | 0.15 s | 1.50 × |
| 1,000 | 0.60 s | 1.20 × | 0.60 s | 1.20 × | 0.30 s | 1.50 × |

| tenants | calls of | statements | DescribeStacks | ListSecrets | other calls |
| --: | --- | --: | --: | --: | --: |
| 100 | plan | 11 | 2 | 1 | 1 |
| 1,000 | plan | 11 | 2 | 1 | 1 |

| tenants | ms more a round trip | lean | plan | over lean |
| --: | --: | --: | --: | --: |
| 100 | 20 | 0.30 s | 0.60 s | 2.00 × |

| without AWS | wall | over a bare interpreter |
| --- | --: | --: |
| bare interpreter | 10 ms | 1.0 × |
| --version | 30 ms | 3.0 × |
| --help | 60 ms | 6.0 × |
| validate of the example | 0.12 s | 12.0 × |

| goal | at most | measured | met |
| --- | --: | --: | --- |
| plan over lean at 1,000 | 3 times | 2.5 | yes |
| plan over lean at 100, with 20 ms a round trip | 1.8 times | 2 | **no** |
| growth of a plan's CPU from 100 to 1,000 tenants | 0.8 as exponent | 0.301 | yes |
| statements of a plan at 100 | 11 statements | 11 | yes |
| statements of a plan at 1,000 | 15 statements | 11 | yes |
| memory of a plan at 1,000 | 120 MiB | 90 | yes |
| first plan over plan at 1,000 | 1.3 times | 1.2 | yes |
| plan of 1 % drift over plan at 1,000 | 1.3 times | 1.2 | yes |
| validate over lean at 1,000 | 1.2 times | 1.5 | **no** |
| --version over bare interpreter | 2 times | 3 | **no** |
| --help over bare interpreter | 7 times | 6 | yes |
| validate of the example over bare interpreter | 15 times | 12 | yes |
"""


def test_a_report_survives_its_json():
    assert loaded(dumped(REPORT)) == REPORT


@pytest.mark.parametrize("text", ["{}", '{"format": 0}', "[]", "no JSON"])
def test_what_is_no_report_is_refused(text: str):
    with pytest.raises(ValueError):
        loaded(text)


def test_turns_are_compared_one_by_one_so_that_a_slow_hour_hits_both():
    assert ratio([1.0, 10.0, 2.0], [0.5, 5.0, 1.0]).value == 2.0
    assert ratio([1.0, 10.0, 2.0], [0.5, 5.0, 1.0]).error == 0.0


def test_what_was_measured_less_often_is_compared_with_its_own_turns():
    assert ratio([6.0], [2.0, 1.0, 1.0]).value == 3.0


def test_growth_is_the_power_of_the_number_of_tenants():
    growth = exponent(REPORT)
    assert growth is not None
    assert growth[:2] == (100, 1000) and growth[2] == pytest.approx(0.301, abs=0.001)


def test_growth_is_from_300_to_3000_where_both_were_measured():
    sizes = {100: 0.2, 300: 0.3, 1000: 1.0, 3000: 3.0}
    report = Report("", "", {}, 0.0, tuple(figure(PLAN, size, seconds) for size, seconds in sizes.items()))
    assert exponent(report) == (300, 3000, pytest.approx(1.0))


def test_one_size_does_not_grow():
    assert exponent(Report("", "", {}, 0.0, (figure(PLAN, 1000, 1.0),))) is None


def test_each_goal_is_met_or_not():
    met = {goal.what: goal.is_met for goal in goals(REPORT)}
    assert met == {
        "plan over lean at 1,000": True,
        "plan over lean at 100, with 20 ms a round trip": False,
        "growth of a plan's CPU from 100 to 1,000 tenants": True,
        "statements of a plan at 100": True,
        "statements of a plan at 1,000": True,
        "memory of a plan at 1,000": True,
        "first plan over plan at 1,000": True,
        "plan of 1 % drift over plan at 1,000": True,
        "validate over lean at 1,000": False,
        "--version over bare interpreter": False,
        "--help over bare interpreter": True,
        "validate of the example over bare interpreter": True,
    }


def test_the_tables():
    assert markdown(REPORT) == TABLES


def test_tables_are_written_between_the_markers_of_a_document():
    document = f"# Title\n\n{BEGIN}\nold\n{END}\n\nMore.\n"
    once = written(document, "new\n")
    assert once == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nMore.\n"
    assert written(once, "new\n") == once


def test_a_document_without_markers_is_refused():
    with pytest.raises(ValueError, match="has no"):
        written("# Title\n", "new\n")
