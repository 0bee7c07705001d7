"""Which tenant is of which group, in which order a plan has them, and what has to be in one group or an earlier one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_tenants.errors import InvalidUsage
from aurora_tenants.model import Configuration, Group, Privilege, Rollout, Tenant, TenantDatabase, TenantUser
from aurora_tenants.plan import Plan, make_plan
from aurora_tenants.rollout import PlannedGroup, RolloutPlan, before, members
from aurora_tenants.stack import Deployed
from tests.values import CLUSTER, EMPTY, NOTHING_DEPLOYED, deployed, live_after, stack_of, tenant

A, B, C = tenant("a"), tenant("b"), tenant("c")
GROUPS = Rollout((Group("canary", ("c",), pauses=True), Group("more", ("b",)), Group("rest", ("*",))), 2)


def configured(*tenants: Tenant, rollout: Rollout | None = GROUPS) -> Configuration:
    return Configuration(CLUSTER, tenants, rollout=rollout)


def planned(*tenants: Tenant, there: tuple[Tenant, ...] = (), only: tuple[str, ...] = ()) -> Plan:
    """The plan of these tenants, where those are deployed."""
    return make_plan(configured(*tenants), live_after(*there), deployed(*there), only=only)


def names(plan: Plan) -> list[str]:
    return [each.name for each in plan.tenants]


def test_a_plan_has_the_tenants_group_by_group():
    plan = planned(A, B, C)
    assert names(plan) == ["c", "b", "a"]
    canary, more = PlannedGroup("canary", ("c",), pauses=True), PlannedGroup("more", ("b",))
    assert plan.rollout == RolloutPlan((canary, more, PlannedGroup("rest", ("a",))), 2)


def test_without_a_rollout_tenants_are_in_the_files_order():
    plan = make_plan(configured(B, A, rollout=None), EMPTY, NOTHING_DEPLOYED)
    assert (names(plan), plan.rollout) == (["b", "a"], None)


def test_a_plan_of_some_tenants_has_their_groups_alone():
    plan = planned(A, B, C, only=("b",))
    assert plan.rollout == RolloutPlan((PlannedGroup("more", ("b",)),), 2, following="rest")


def test_who_left_the_file_is_removed_after_everybody_of_the_last_group():
    """Whatever its name is: c is no tenant of the file, so no group has it."""
    plan = planned(A, B, there=(C, B))
    assert names(plan) == ["b", "a", "c"]
    assert plan.rollout is not None and plan.rollout.groups[-1] == PlannedGroup("rest", ("a", "c"))


def moving(giver: str, name: str) -> Tenant:
    """A tenant that takes the database of another one."""
    return Tenant(name, (TenantDatabase(giver, moved_from=giver),))


def test_who_left_the_file_and_gives_something_up_goes_with_who_takes_it():
    plan = planned(A, B, moving("gone", "c"), there=(tenant("gone"),))
    assert names(plan) == ["c", "gone", "b", "a"]
    assert [problem.code for problem in plan.problems] == []


def test_what_moves_between_two_groups_is_a_problem_that_names_both():
    plan = planned(A, Tenant("b"), moving("b", "c"), there=(B,))
    (problem,) = (it for it in plan.problems if it.code == "moves-between-groups")
    assert problem.what == "tenant c of group canary takes what tenant b of group more gives up"
    assert problem.context == "tenant c"


def sharing(name: str, *with_whom: str) -> Tenant:
    return replace(tenant(name), databases=(TenantDatabase(name, shared_with=with_whom),))


def reading(name: str, database: str) -> Tenant:
    it = tenant(name)
    return replace(it, users=(TenantUser(name, (Privilege(("SELECT",), database),)),))


def test_a_tenant_that_needs_what_a_later_group_shares_is_a_problem_that_names_both():
    (problem,) = planned(sharing("a", "c"), reading("c", "a")).problems
    assert (problem.code, problem.context) == ("needs-later-group", "tenant c")
    assert problem.what == "tenant c of group canary needs what tenant a of group rest is yet to share"
    assert problem.fix == "put tenant a into group canary or one before it, or tenant c into group rest"


def test_what_is_shared_already_or_by_a_group_before_is_no_problem():
    giver, reader = sharing("a", "c"), reading("c", "a")
    assert planned(giver, reader, there=(giver,)).problems == ()
    assert planned(sharing("c", "a"), reading("a", "c")).problems == ()


def test_nobody_is_deployed_before_a_group_in_which_somebody_waits():
    there = deployed(C, B)
    busy = replace(there, tenants={**there.tenants, "c": stack_of(C, status="UPDATE_IN_PROGRESS")})
    plan = make_plan(configured(A, sharing("b"), C), live_after(C), busy)
    assert [(each.name, each.awaits, each.is_held_back) for each in plan.waiting] == [
        ("c", ("shared-c",), False),
        ("b", ("shared-c",), True),
        ("a", ("shared-c",), True),
    ]
    said = "its group comes after stack shared-c, which is in the middle of an operation"
    assert (plan.tenants, plan.waiting[-1].sentence) == ((), said)


def test_who_waits_itself_comes_after_the_groups_before_that_wait_as_well():
    there = deployed(C, B, A)
    busy = {"c": stack_of(C, status="UPDATE_IN_PROGRESS"), "a": stack_of(A, status="UPDATE_IN_PROGRESS")}
    plan = make_plan(configured(A, B, C), live_after(A, B, C), replace(there, tenants={**there.tenants, **busy}))
    first, last = plan.waiting
    assert (first.awaits, last.awaits, last.is_held_back) == (("shared-c",), ("shared-a", "shared-c"), True)
    rested = last.now({"shared-c": "UPDATE_IN_PROGRESS"})
    said = "its group comes after stack shared-c, which is in the middle of an operation"
    assert (rested.awaits, rested.sentence) == (("shared-c",), said)


def test_who_waits_in_the_last_group_holds_nobody_back():
    there = deployed(A)
    busy = replace(there, tenants={"a": stack_of(A, status="UPDATE_IN_PROGRESS")})
    plan = make_plan(configured(A, B, C), live_after(A), busy)
    assert ([each.name for each in plan.waiting], names(plan)) == (["a"], ["c", "b"])


def members_of(name: str, *only: str, there: Deployed = NOTHING_DEPLOYED) -> tuple[str, ...]:
    return members(configured(A, B, C), there.tenants, name, only)


def test_a_group_has_its_tenants_and_the_last_one_whatever_is_left():
    assert members_of("canary") == ("c",)
    assert members_of("rest", there=deployed(A, tenant("gone"))) == ("a", "gone", "pause-schedule")
    assert before(configured(A, B, C), deployed(tenant("gone")).tenants, "rest") == ("b", "c")
    assert before(configured(A, B, C), (), "canary") == ()


def test_some_tenants_of_a_group_are_those_alone():
    assert members_of("rest", "a") == ("a",)
    assert members_of("rest", "nowhere") == ("nowhere",)  # make_plan refuses it, with the nearest name
    with pytest.raises(InvalidUsage, match="tenant b is not of group rest"):
        members_of("rest", "b")


def test_the_pause_schedule_is_of_the_last_group():
    assert members_of("rest", "pause-schedule") == ("pause-schedule",)
    with pytest.raises(InvalidUsage, match=r"^pause-schedule is not of group canary"):
        members_of("canary", "pause-schedule")
    rollout = planned(A, C, only=("pause-schedule",)).rollout
    assert rollout == RolloutPlan((PlannedGroup("rest"),), 2)
    assert rollout is not None and rollout.by_part(["pause-schedule"]) == {"pause-schedule": PlannedGroup("rest")}


def test_a_group_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(InvalidUsage) as raised:
        members_of("canry")
    (problem,) = raised.value.problems
    assert (problem.what, problem.fix) == ("there is no group canry", "known: canary, more, rest")
    with pytest.raises(InvalidUsage, match="the file has no rollout"):
        members(configured(A, rollout=None), (), "rest", ())
