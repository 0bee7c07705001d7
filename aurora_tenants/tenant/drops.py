"""The databases that a plan drops, and how much would be lost with each. Pure.

drops_of(plans)     (Drop("shop", "shop-old", Contents(31, 12_400, 210_000_000)), …)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from aurora_tenants.mysql.state import Contents
from aurora_tenants.tenant.plan import TenantPlan


class Drop(NamedTuple):
    """A database that goes. database: as the file called it. contents: None where nobody could look."""

    tenant: str
    database: str
    contents: Contents | None = None

    @property
    def loses_data(self) -> bool:
        """Whether there is a table in it, or may be."""
        return self.contents is None or self.contents.tables > 0


def drops_of(plans: Iterable[TenantPlan]) -> tuple[Drop, ...]:
    """In the order of the plans. A server may store a name in lower case."""
    return tuple(
        Drop(plan.name, name, plan.live.contents.get(name) or plan.live.contents.get(name.lower()))
        for plan in plans
        for name in plan.stack.drops
    )
