"""Who waits while an operation on a stack is under way, and what is planned for the others."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants import safety
from aurora_tenants.errors import Problem
from aurora_tenants.model import Configuration
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Plan, make_plan
from aurora_tenants.render.plan import summary
from aurora_tenants.safety import Allowed
from aurora_tenants.stack import Deployed, Stack, StackPlan
from aurora_tenants.tenant.busy import Waiting, left_busy, waiting
from aurora_tenants.tenant.plan import TenantPlan
from tests.schedule.test_plan import live as live_schedule
from tests.schedule.test_template import SHARED as SHARED_STACK
from tests.values import CLUSTER, EMPTY, SHOP, deployed, live_after, planned, stack_of, tenant, with_stack

OTHER = tenant("other")
BUSY = Waiting("shop", "shared-shop", "tenant shop", "UPDATE_IN_PROGRESS", ("shared-shop",))


def plan_of(name: str, action: str = "create", **stack: object) -> TenantPlan:
    return TenantPlan(name, StackPlan(f"shared-{name}", name, f"tenant {name}", action=action, **stack))


def of(*plans: TenantPlan, busy: str) -> dict[str, tuple[str, ...]]:
    """Who waits for which stacks, where these are busy."""
    stacks = {name: Stack(f"shared-{name}", "UPDATE_IN_PROGRESS") for name in busy.split()}
    return {each.name: each.awaits for each in waiting(plans, Deployed(None, stacks))}


def test_nothing_is_planned_for_a_busy_stack_and_the_others_are_as_without_it():
    busy = Deployed(None, {"shop": stack_of(SHOP, status="UPDATE_IN_PROGRESS")})
    both = planned(SHOP, OTHER, live=live_after(SHOP), deployed=busy)
    alone = planned(OTHER, live=live_after(SHOP), deployed=Deployed(None, {}))
    assert (both.waiting, both.problems, [it.stack.name for it in both.changed]) == ((BUSY,), (), ["shared-other"])
    assert both.changed == alone.changed


def test_who_needs_a_busy_one_waits_with_it_along_the_line():
    assert of(plan_of("a", needs=("shared-b",)), plan_of("b"), busy="b") == {"a": ("shared-b",), "b": ("shared-b",)}
    assert of(plan_of("a", givers=("shared-b",)), plan_of("c"), busy="b") == {"a": ("shared-b",)}
    assert of(plan_of("a", gifts={"UserX": "shared-b"}), plan_of("b"), busy="b").keys() == {"a", "b"}
    line = plan_of("a", needs=("shared-b",)), plan_of("b", givers=("shared-c",)), plan_of("c"), plan_of("d")
    assert of(*line, busy="c d") == {"a": ("shared-c",), "b": ("shared-c",), "c": ("shared-c",), "d": ("shared-d",)}


def test_those_that_need_each_other_wait_for_both():
    pair = plan_of("a", needs=("shared-b",)), plan_of("b", needs=("shared-a",))
    both = ("shared-a", "shared-b")
    assert of(*pair, busy="a b") == {"a": both, "b": both}


def test_what_is_not_changed_needs_nobody():
    assert of(plan_of("a", "none", needs=("shared-b",)), busy="b") == {}


def test_what_it_waits_for_comes_to_rest_one_after_the_other():
    it = Waiting("a", "shared-a", "tenant a", "UPDATE_IN_PROGRESS", ("shared-a", "shared-b"))
    later = it.now({"shared-b": "CREATE_IN_PROGRESS"})
    assert (later.status, later.awaits) == ("", ("shared-b",))
    assert later.sentence == "it needs stack shared-b, which is in the middle of an operation"
    assert later.now({}).awaits == ()


def test_who_is_left_is_named_with_its_state():
    assert left_busy(BUSY, is_applied=False) == Problem(
        "stack-busy",
        "tenant shop was not applied: stack shared-shop is in the middle of an operation: UPDATE_IN_PROGRESS",
        "nothing is planned for it before",
        "when that has ended, apply it again; a longer --wait waits longer",
        context="tenant shop",
    )
    assert left_busy(BUSY, is_applied=True).what.startswith("tenant shop was applied, and not read back: stack ")


def test_a_plan_never_says_no_changes_of_what_it_does_not_know():
    alone = planned(SHOP, live=live_after(SHOP), deployed=with_stack(SHOP, status="UPDATE_IN_PROGRESS"))
    assert summary(alone) == "Nothing to apply yet. Not known yet: 1 tenant with an operation under way."
    beside = planned(SHOP, OTHER, live=live_after(SHOP), deployed=with_stack(SHOP, status="UPDATE_IN_PROGRESS"))
    assert summary(beside).endswith(" Not known yet: 1 tenant with an operation under way.")


def test_removals_that_wait_count_for_a_mass_removal():
    many = [tenant(f"t{number}") for number in range(10)]
    there = deployed(*many)
    busy = {f"t{number}": stack_of(many[number], status="UPDATE_IN_PROGRESS") for number in range(2)}
    left = planned(*many[4:], live=live_after(*many), deployed=replace(there, tenants={**there.tenants, **busy}))
    assert [it.name for it in left.changed] == ["t2", "t3"]
    assert [problem.code for problem in safety.not_allowed(left, Allowed())] == ["mass-removal"]


def test_one_that_somebody_removes_already_does_not_count_for_it():
    left = planned(live=EMPTY, deployed=with_stack(SHOP, status="DELETE_IN_PROGRESS"))
    assert ([it.status for it in left.waiting], safety.not_allowed(left, Allowed())) == (["DELETE_IN_PROGRESS"], ())


def with_schedule(status: str, *only: str) -> Plan:
    there = Deployed(SHARED_STACK, {}, pause_schedule=Stack("shared-pause-schedule", status))
    return make_plan(Configuration(CLUSTER, ()), EMPTY, there, pause=live_schedule(), only=only)


def test_a_busy_pause_schedule_waits_as_a_tenant_does():
    busy = with_schedule("UPDATE_IN_PROGRESS")
    assert ([it.name for it in busy.waiting], busy.schedule, busy.problems) == ([PAUSE_SCHEDULE], None, ())
    assert summary(busy) == "Nothing to apply yet. Not known yet: the pause schedule."


def test_a_plan_can_be_of_the_pause_schedule_alone():
    alone = with_schedule("UPDATE_COMPLETE", PAUSE_SCHEDULE)
    assert (alone.schedule is not None, alone.tenants, alone.is_partial) == (True, (), True)
