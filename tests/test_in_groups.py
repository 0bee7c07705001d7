"""Group by group: what is begun after which end, and what is told of what is not. Nothing is deployed here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from aurora_tenants.apply import Pace, Result, Step
from aurora_tenants.errors import Problem
from aurora_tenants.in_groups import Halt, apply_in_groups, left_to_verify
from aurora_tenants.plan import Plan
from aurora_tenants.rollout import PlannedGroup, RolloutPlan
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.busy import Waiting
from aurora_tenants.tenant.plan import TenantPlan
from tests.values import CLUSTER, stack_plan

CANARY, REST = PlannedGroup("canary", ("a", "b"), pauses=True), PlannedGroup("rest", ("c", "d", "e"))


class World:
    """Deploys one stack after the other, as `apply` with one lane does. fails: the tenants that fail."""

    def __init__(self, *fails: str, goes_on: bool = True) -> None:
        self.fails, self.goes_on, self.met, self.stop = fails, goes_on, list[str](), threading.Event()

    def apply(
        self, plans: Sequence[StackPlan], *, tell: Callable[[Step | Pace], None], stop: threading.Event
    ) -> tuple[Result, ...]:
        return tuple(self._one(stack, tell, stop) for stack in plans)

    def _one(self, stack: StackPlan, tell: Callable[[Step | Pace], None], stop: threading.Event) -> Result:
        if stop.is_set():
            return Result(stack, (Problem("stopped", "the run was stopped before"),), "stopped")
        self.met.append(stack.part)
        failed = Result(stack, (Problem("failed", f"{stack.part} failed"),), "failed")
        result = failed if stack.part in self.fails else Result(stack)
        tell(Step(stack, result=result))
        return result

    def asked(self, group: PlannedGroup, had_changes: bool) -> bool:
        self.met.append(f"{group.name}{'' if had_changes else ' unchanged'}?")
        return self.goes_on

    def run(
        self, *groups: PlannedGroup, stop_after: int | None = None, unchanged: str = "", waiting: str = ""
    ) -> tuple[dict[str, str], Halt | None, list[Problem]]:
        """How each ended; why that was all; every problem once, of those that did not fail themselves.

        unchanged, waiting: letters, each the name of a tenant.
        """
        rollout = RolloutPlan(groups or (CANARY, REST), stop_after)
        names = [name for group in rollout.groups for name in group.tenants]
        plans = (
            TenantPlan(name, stack_plan(name, "none" if name in unchanged else "update"))
            for name in names
            if name not in waiting
        )
        waits = tuple(Waiting(name, f"shared-{name}", f"tenant {name}", "", ("other",)) for name in waiting)
        plan = Plan(CLUSTER, tuple(plans), rollout=rollout, waiting=waits)
        results, halt = apply_in_groups(plan, self.apply, tell=lambda step: None, goes_on=self.asked, stop=self.stop)
        assert [result.stack for result in results] == [*plan.stacks]
        problems = dict.fromkeys(it for result in results for it in result.problems if result.ending != "failed")
        return {result.stack.part: result.ending for result in results}, halt, list(problems)


DONE = dict.fromkeys("abcde", "applied")


def test_groups_come_one_after_the_other_and_a_pause_is_asked_for_between_them():
    world = World()
    assert world.run() == (DONE, None, [])
    assert world.met == ["a", "b", "canary?", "c", "d", "e"]


def test_a_failure_is_the_end_of_its_group_and_no_other_is_begun():
    world = World("a")
    ended, halt, problems = world.run()
    assert world.met == ["a", "b"]
    assert ended == {"a": "failed", "b": "applied", **dict.fromkeys("cde", "not started")}
    what = "group canary failed: 3 tenants of group rest were not touched"
    assert problems == [Problem("group-failed", what, "failed: a", "mend that, and apply again")]
    assert halt == Halt("canary", "failed", (REST,), problems[0])


def test_after_so_many_failures_nothing_more_of_the_group_is_begun():
    world = World("c", "d")
    ended, _, problems = world.run(
        PlannedGroup("rest", ("b", "c", "d", "e")), PlannedGroup("last", ("f",)), stop_after=2
    )
    assert world.met == ["b", "c", "d"]
    assert ended == {"b": "applied", "c": "failed", "d": "failed", "e": "not started", "f": "not started"}
    assert [(it.what, it.why) for it in problems] == [
        ("group rest failed: 2 tenants of group rest and group last were not touched", "failed: c, d; stop_after is 2")
    ]


def test_fewer_failures_than_that_let_the_group_come_to_its_end_and_are_still_its_failure():
    world = World("a")
    ended, _, _ = world.run(stop_after=2)
    assert (world.met, ended["b"], ended["c"]) == (["a", "b"], "applied", "not started")


def test_a_failure_in_the_last_group_leaves_nothing_to_tell_of():
    ended, halt, problems = World("d").run()
    assert (ended, halt, problems) == (DONE | {"d": "failed"}, None, [])


def test_a_run_that_nobody_lets_go_on_ends_without_a_problem():
    world = World(goes_on=False)
    ended, halt, problems = world.run()
    assert (world.met, problems) == (["a", "b", "canary?"], [])
    assert ended == DONE | dict.fromkeys("cde", "not started")
    assert halt == Halt("canary", "pauses", (REST,))
    assert halt.said == "group canary pauses: 3 tenants of group rest were not touched"
    assert halt.next_group == "rest"


def test_nobody_is_asked_about_a_pause_that_nothing_comes_after():
    world = World()
    world.run(unchanged="cde")
    assert world.met == ["a", "b"]


def test_whoever_is_asked_is_told_that_nothing_happened_to_the_group():
    world = World()
    world.run(unchanged="ab")
    assert world.met == ["canary unchanged?", "c", "d", "e"]


def test_a_pause_holds_for_who_waits_in_a_group_after_it():
    world = World(goes_on=False)
    ended, halt, _ = world.run(waiting="cde")
    assert (world.met, ended) == (["a", "b", "canary?"], {"a": "applied", "b": "applied"})
    assert halt is not None and halt.names == {"c", "d", "e"}


def test_nobody_is_asked_after_a_group_in_which_somebody_waits():
    """It is not over yet; what comes after it waits as well, and the pause is for the pass in which that is applied."""
    world = World(goes_on=False)
    assert world.run(waiting="bcde") == ({"a": "applied"}, None, [])
    assert world.met == ["a"]


def test_a_failure_is_the_end_of_who_waits_in_a_group_after_it():
    _, halt, problems = World("a").run(waiting="cde")
    assert halt is not None and halt.names == {"c", "d", "e"}
    assert problems == []  # there is no result that could have one; the halt says it
    assert halt.problem is not None


def test_what_is_looked_at_afterwards_is_neither_left_nor_waiting():
    plan = Plan(CLUSTER, tuple(TenantPlan(name, stack_plan(name)) for name in "abcde"))
    waits = (Waiting("b", "shared-b", "tenant b", "", ("other",)),)
    assert left_to_verify(plan, waits, Halt("canary", "pauses", (REST,))) == ("a",)
    assert left_to_verify(plan, (), None) == (*"abcde",)


def test_the_pause_schedule_is_of_the_last_group():
    halt = Halt("canary", "failed", (REST._replace(tenants=("c", "pause-schedule")),))
    assert halt.said == "group canary failed: 1 tenant of group rest and the pause schedule were not touched"
    halt = Halt("canary", "failed", (REST._replace(tenants=("pause-schedule",)),))
    assert halt.said == "group canary failed: the pause schedule was not touched"


def test_a_run_that_is_stopped_begins_no_group_and_asks_nothing():
    world = World()
    world.stop.set()
    ended, halt, problems = world.run()
    assert (world.met, halt, ended) == ([], None, dict.fromkeys("abcde", "stopped"))
    assert [problem.code for problem in problems] == ["stopped"]


def test_what_waits_for_the_runs_own_stop_notices_that_so_many_have_failed():
    """And the other way round: whoever follows stacks waits for one event, which stands for both."""
    seen: list[bool] = []

    class Waits(World):
        def apply(
            self, plans: Sequence[StackPlan], *, tell: Callable[[Step | Pace], None], stop: threading.Event
        ) -> tuple[Result, ...]:
            seen.append(stop.wait(0))
            results = super().apply(plans[:1], tell=tell, stop=stop)
            seen.append(stop.wait(60))
            return results + super().apply(plans[1:], tell=tell, stop=stop)

    Waits("a").run(stop_after=1)
    world = Waits()
    threading.Timer(0.05, world.stop.set).start()
    world.run()
    assert seen == [False, True, False, True, True, True]
