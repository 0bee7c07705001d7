"""What `pause-schedule show` has to say, as a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from aurora_tenants.model import Capacity, PauseSchedule
from aurora_tenants.schedule.cost import Cost
from aurora_tenants.schedule.plan import SchedulePlan
from aurora_tenants.schedule.week import ClockChange, Transition, capacity_at, clock_changes, next_transitions


@dataclass(frozen=True, slots=True)
class View:
    """One look at a schedule and its cluster. following: the next three transitions. should_be: what the schedule says
    of this hour. acu: what the cluster has, 0 while it is paused; None when that was not measured."""

    file: str
    schedule: PauseSchedule | None
    plan: SchedulePlan
    cost: Cost | None
    acu: float | None
    following: tuple[Transition, ...] = ()
    clock_changes: tuple[ClockChange, ...] = ()
    should_be: Capacity | None = None


def look(file: str, plan: SchedulePlan, cost: Cost | None, acu: float | None) -> View:
    """The schedule of a plan, looked at when the plan was made."""
    schedule, now = plan.schedule, plan.live.cluster.now
    if schedule is None:
        return View(file, None, plan, cost, acu)
    return View(
        file,
        schedule,
        plan,
        cost,
        acu,
        next_transitions(schedule, now),
        clock_changes(schedule, now),
        capacity_at(schedule, now),
    )
