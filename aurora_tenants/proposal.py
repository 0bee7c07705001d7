"""A plan and all that there is to say of it, as it is shown before anything is changed. A value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aurora_tenants.errors import Problem
from aurora_tenants.mysql.state import Live
from aurora_tenants.plan import Plan
from aurora_tenants.schedule.cost import Cost
from aurora_tenants.tenant.reasons import Line


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done, and what was compared for it.

    lines: the changes of each tenant with their reasons, by tenant. dangers: what somebody should look at twice.
    refusals: why it is not applied as it is. cost: of the schedule of the file. woke_cluster: to see all this, a paused
    cluster was woken.
    """

    plan: Plan
    live: Live
    lines: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    dangers: tuple[Problem, ...] = ()
    refusals: tuple[Problem, ...] = ()
    cost: Cost | None = None
    woke_cluster: bool = False
