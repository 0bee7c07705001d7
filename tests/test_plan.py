"""The whole difference between the file, CloudFormation and MySQL: which tenants it is about, and in which order."""

from __future__ import annotations

import pytest

from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.mysql.state import Database
from tests.values import SHOP, brief, deployed, live_after, planned, shop_plan, tenant


def test_tenants_come_in_the_files_order_and_then_the_gone_ones_by_name():
    tenants = [tenant(name) for name in ("b", "a", "d", "c")]
    made = planned(*tenants[:2], live=live_after(*tenants), deployed=deployed(*tenants))
    assert [(plan.name, plan.stack.action) for plan in made.tenants] == [
        ("b", "none"),
        ("a", "none"),
        ("c", "delete"),
        ("d", "delete"),
    ]


def test_a_plan_for_one_tenant_is_silent_about_all_others():
    live = live_after(SHOP, tenant("gone"))
    live.state.databases["stray"] = Database("stray")
    made = planned(SHOP, tenant("new"), live=live, deployed=deployed(SHOP, tenant("gone")), only="shop")
    assert [brief(plan) for plan in made.tenants] == [shop_plan("none", origin="drift", status="CREATE_COMPLETE")]
    assert (made.problems, made.notices, made.deployed_count, made.is_partial) == ((), (), 2, True)


def test_a_gone_tenant_may_be_named_too():
    made = planned(live=live_after(SHOP), deployed=deployed(SHOP), only="shop")
    assert [(plan.name, plan.stack.action) for plan in made.tenants] == [("shop", "delete")]


@pytest.mark.parametrize(
    ("name", "fix"), [("shpo", "did you mean shop?"), ("x", "known: billing, shop")], ids=["near", "far"]
)
def test_an_unknown_tenant_is_wrong_usage(name: str, fix: str):
    with pytest.raises(InvalidUsage) as caught:
        planned(SHOP, deployed=deployed(tenant("billing")), only=name)
    assert caught.value.problems == (Problem("unknown-tenant", f"there is no tenant {name}", fix=fix),)
