"""The list of probes, what it makes of docs/unverified.md, and what a run costs by it."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from aurora_tenants.schedule.cost import known_price
from tools.smoke import documents
from tools.smoke.cost import estimate
from tools.smoke.probe import Probe, judge
from tools.smoke.probes import PROBES


def test_the_page_is_the_one_that_the_probes_make():
    """script/smoke --docs writes it."""
    assert documents.FILE.read_text() == documents.document(PROBES)


def test_every_probe_has_a_name_of_its_own_and_says_everything():
    assert len({probe.id for probe in PROBES}) == len(PROBES)
    for probe in PROBES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", probe.id)
        assert all((probe.relies, probe.otherwise, probe.look, probe.expected)), probe.id
        assert "\n" not in "".join((probe.relies, probe.otherwise, probe.look)), probe.id


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-central-1", "af-south-1"])
def test_a_run_costs_less_than_a_dollar(region: str):
    told = estimate([probe for probe in PROBES if not probe.disturbs], region)
    # A price that is not known is assumed to be higher than any that is.
    assert Decimal("0.1") < told.dollars < (1 if known_price(region) else Decimal("1.2"))
    assert ("not known" in str(told)) == (known_price(region) is None)
    assert f"${told.dollars}" in str(told)


def test_a_few_probes_cost_less_than_all():
    assert estimate(PROBES[:1], "eu-west-1").dollars < estimate(PROBES, "eu-west-1").dollars


PROBE = Probe("p", "S", "r", "o", "l", "1", lambda world: 1, lambda answer: "" if answer["n"] == 1 else "it is not 1")


@pytest.mark.parametrize(
    ("recorded", "kind", "text"),
    [
        ({"answer": {"n": 1}}, "same", ""),
        ({"answer": {"n": 2}}, "differs", "it is not 1"),
        ({"answer": {}}, "differs", "the answer has another form (KeyError: 'n')"),
        (
            {"answer": None},
            "differs",
            "the answer has another form (TypeError: 'NoneType' object is not subscriptable)",
        ),
        ({"failed": "ValueError: x"}, "differs", "the probe failed: ValueError: x"),
        ({"not_run": "there is no network"}, "not run", "there is no network"),
    ],
)
def test_an_answer_is_judged(recorded: dict[str, object], kind: str, text: str):
    result = judge(PROBE, recorded)
    assert (result.kind, result.text) == (kind, text)
