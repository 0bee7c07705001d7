"""Which changes are dangerous, and that exactly the flag which a refusal names allows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_tenants.errors import Problem
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Live, State, User
from aurora_tenants.plan import Plan
from aurora_tenants.rollout import PlannedGroup, RolloutPlan
from aurora_tenants.safety import Allowed, dangers, not_allowed, unused
from aurora_tenants.tenant.plan import TenantPlan
from tests.values import CLUSTER, EMPTY, SHOP, deployed, live_after, planned, stack_plan, tenant


def removing(gone: int, *, deployed: int) -> Plan:
    """A plan that removes some of the deployed tenants."""
    names = [f"t{number:02}" for number in range(deployed)]
    actions = {name: "delete" if number < gone else "none" for number, name in enumerate(names)}
    plans = (TenantPlan(name, stack_plan(name, actions[name])) for name in names)
    return Plan(CLUSTER, tuple(plans), deployed_count=deployed)


def dropping(*names: str) -> Plan:
    return Plan(CLUSTER, (TenantPlan("shop", stack_plan("shop", drops=names)),), deployed_count=1)


def drop_of(name: str) -> Problem:
    return Problem(
        "drops-database",
        f"database {name} would be dropped with everything in it",
        why="it is no longer in tenants.yaml, and its on_remove was drop",
        fix=f"if that is meant: --allow-drop {name}",
        context="tenant shop",
    )


def mass_removal(what: str) -> Problem:
    return Problem(
        "mass-removal",
        what,
        why="they are no longer in tenants.yaml; their users and secrets would be deleted",
        fix="if that is meant: --allow-mass-removal",
    )


def refused(plan: Plan, *allow_drop: str, allow_mass_removal: bool = False) -> tuple[Problem, ...]:
    return not_allowed(plan, Allowed(allow_drop, allow_mass_removal))


def test_every_dropped_database_is_a_danger_of_its_own():
    assert dangers(dropping("a", "b")) == (drop_of("a"), drop_of("b"))


def test_a_drop_is_allowed_by_name_and_only_by_name():
    assert refused(dropping("a", "b"), "a") == (drop_of("b"),)
    assert refused(dropping("a", "b"), "a", "b") == ()
    assert refused(dropping("a"), allow_mass_removal=True) == (drop_of("a"),)


def test_a_database_that_is_kept_is_no_danger():
    assert dangers(planned(tenant("a"), live=live_after(SHOP), deployed=deployed(SHOP, tenant("a")))) == ()


@pytest.mark.parametrize(("gone", "deployed"), [(0, 0), (0, 5), (3, 10), (8, 9), (30, 100)])
def test_a_few_tenants_may_go(gone: int, deployed: int):
    assert dangers(removing(gone, deployed=deployed)) == ()


def test_more_than_thirty_percent_of_ten_tenants_need_their_own_word():
    plan = removing(4, deployed=10)
    expected = (mass_removal("4 of 10 deployed tenants would be removed: t00, t01, t02, t03"),)
    assert dangers(plan) == refused(plan, "t00") == expected
    assert refused(plan, allow_mass_removal=True) == ()


def test_the_last_tenant_needs_its_own_word():
    assert dangers(removing(1, deployed=1)) == (mass_removal("the only deployed tenant would be removed: t00"),)
    assert dangers(removing(2, deployed=2)) == (mass_removal("all 2 deployed tenants would be removed: t00, t01"),)


def test_a_long_list_of_tenants_is_cut():
    (danger,) = dangers(removing(12, deployed=20))
    assert danger == mass_removal(
        "12 of 20 deployed tenants would be removed: t00, t01, t02, t03, t04, t05, t06, t07, t08, t09, …"
    )


# Who could get into what is not theirs

STRAY = Account("stray")


def with_stray(live: Live, *grants: Grant) -> Live:
    state = State(live.state.databases, {**live.state.users, STRAY: User(STRAY)}, live.state.grants | set(grants))
    return live._replace(state=state)


def on(database: str, level: str = "DATABASE") -> Grant:
    return Grant(STRAY, Scope(level, database, "orders" if level == "TABLE" else ""), "SELECT")


def test_who_can_get_in_already_is_a_danger_that_stops_nothing():
    live = with_stray(live_after(SHOP), on("shop"))
    made = planned(SHOP, live=live, deployed=deployed(SHOP))
    assert dangers(made) == (
        Problem(
            "breach",
            "user stray can get into database shop of tenant shop",
            why="SELECT on `shop`.*; it belongs to no tenant",
            fix="REVOKE SELECT ON `shop`.* FROM `stray`@`%`",
        ),
    )
    assert not_allowed(made, Allowed()) == ()


@pytest.mark.parametrize("level", ["DATABASE", "TABLE"])
def test_a_new_database_that_old_rights_would_open_needs_leave_for_that_account(level: str):
    made = planned(SHOP, live=with_stray(EMPTY, on("shop", level)))
    (refused,) = not_allowed(made, Allowed())
    assert (refused.code, refused.what) == (
        "opens-database",
        "after this apply, user stray could get into database shop of tenant shop",
    )
    assert refused.fix.endswith("; or, if that is meant: --allow-access stray@%")
    assert dangers(made) == (refused,)
    assert not_allowed(made, Allowed(access=("stray@10.%",))) == (refused,)
    for written in ("stray@%", "stray"):
        assert not_allowed(made, Allowed(access=(written,))) == ()


def test_a_breach_that_the_plan_closes_is_not_told():
    billing = tenant("billing")
    live = live_after(SHOP, billing)
    wrong = Grant(Account("shop"), Scope("DATABASE", "billing"), "SELECT")
    live = live._replace(state=State(live.state.databases, live.state.users, live.state.grants | {wrong}))
    assert dangers(planned(SHOP, billing, live=live, deployed=deployed(SHOP, billing))) == ()
    (left,) = dangers(planned(SHOP, billing, live=live, deployed=deployed(SHOP, billing), only="billing"))
    assert left.why == "SELECT on `billing`.*; it belongs to shop, with whom the database is not shared"


def test_a_breach_of_other_tenants_is_not_told_of_in_a_plan_for_some():
    billing = tenant("billing")
    live = with_stray(live_after(SHOP, billing), on("shop"))
    assert dangers(planned(SHOP, billing, live=live, deployed=deployed(SHOP, billing), only="billing")) == ()


def test_what_looks_like_a_move_is_a_danger_that_stops_nothing():
    plan = planned(replace(SHOP, name="shop-prod"), live=live_after(SHOP), deployed=deployed(SHOP))
    assert "looks-like-a-move" in {danger.code for danger in dangers(plan)}
    assert "looks-like-a-move" not in {danger.code for danger in not_allowed(plan, Allowed())}


def test_a_group_before_that_is_not_deployed_is_a_danger_that_one_flag_allows():
    rollout = RolloutPlan((PlannedGroup("rest", ("shop",)),), skipped=(PlannedGroup("canary", ("a", "b")),))
    plan = Plan(CLUSTER, (TenantPlan("shop", stack_plan("shop")),), rollout=rollout)
    assert dangers(plan) == not_allowed(plan, Allowed())
    (danger,) = dangers(plan)
    assert (danger.code, danger.what) == (
        "skips-group",
        "group canary comes before this one, and is not deployed: a, b",
    )
    allowed = Allowed(skipped_groups=True)
    assert (not_allowed(plan, allowed), unused(plan, allowed)) == ((), ())
    assert unused(replace(plan, rollout=None), allowed) == ("--allow-skipped-groups: no group before this one differs",)
