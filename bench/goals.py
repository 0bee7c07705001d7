"""What a plan may cost, and whether it does: each goal beside what was measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

from bench.figures import (
    BARE,
    DRIFT,
    EXAMPLE,
    FIRST,
    HELP,
    LATE_LEAN,
    LATE_PLAN,
    LEAN,
    PLAN,
    STATEMENTS,
    VALIDATE,
    VERSION,
    Of,
    Report,
    ratio,
)

_STATEMENTS = 11
_PAGES = 4  # more for each thousand tenants: accounts and owners are read in pages
# Of a plan to lean, by tenants. Ahead of the fastest peer by half is 3.7 times lean: docs/performance.md.
_OVER_LEAN = {10: 4.0, 1000: 3.0}
_OVER_PLAN = 1.3
_VALIDATE = 1.2
_LATE = 1.8
_OVER_BARE = {VERSION: 2.0, HELP: 7.0, EXAMPLE: 15.0}
_MEMORY = 120.0
_GROWTH = 0.8


@dataclass(frozen=True, slots=True)
class Goal:
    """what: is at most `limit`. unit: after the number."""

    what: str
    limit: float
    measured: float
    unit: str = "times"

    @property
    def is_met(self) -> bool:
        return self.measured <= self.limit


def goals(report: Report) -> list[Goal]:
    """Those of which something was measured: plans first, then what starts and ends."""
    return [*_of_plans(report), *_of_starts(report)]


def _of_plans(report: Report) -> Iterator[Goal]:
    for tenants, limit in _OVER_LEAN.items():
        yield from _over(report, PLAN, LEAN, limit, tenants)
    for tenants in report.sizes:
        if found := report.over(LATE_PLAN, LATE_LEAN, tenants):
            what = f"plan over lean at {tenants:,}, with {report.latency:g} ms a round trip"
            yield Goal(what, _LATE, found.value)
    if growth := exponent(report):
        small, large, value = growth
        yield Goal(f"growth of a plan's CPU from {small:,} to {large:,} tenants", _GROWTH, value, "as exponent")
    for tenants in report.sizes:
        plan = report.get(PLAN, tenants)
        if plan and plan.calls:
            limit = _STATEMENTS + _PAGES * tenants // 1000
            yield Goal(f"statements of a plan at {tenants:,}", limit, plan.calls.get(STATEMENTS, 0), "statements")
    if plan := report.get(PLAN, 1000):
        yield Goal("memory of a plan at 1,000", _MEMORY, plan.memory, "MiB")
    for name in (FIRST, DRIFT):
        yield from _over(report, name, PLAN, _OVER_PLAN, 1000)
    yield from _over(report, VALIDATE, LEAN, _VALIDATE, 1000)


def _of_starts(report: Report) -> Iterator[Goal]:
    for name, limit in _OVER_BARE.items():
        yield from _over(report, name, BARE, limit)


def _over(
    report: Report, name: str, other: str, limit: float, tenants: int | None = None, of: Of = "wall"
) -> Iterator[Goal]:
    if found := report.over(name, other, tenants, of):
        at = "" if tenants is None else f" at {tenants:,}"
        yield Goal(f"{name} over {other}{at}", limit, found.value)


def exponent(report: Report) -> tuple[int, int, float] | None:
    """From how many to how many tenants, and the power of their number with which a plan's CPU grows between.

    From 300 to 3,000 if both were measured; else from the first size of 100 and more to the largest.
    """
    sizes = [size for size in report.sizes if size >= 100 and report.get(PLAN, size)]
    if len(sizes) < 2:
        return None
    small, large = (300, 3000) if {300, 3000} <= set(sizes) else (sizes[0], sizes[-1])
    less, more = report.get(PLAN, small), report.get(PLAN, large)
    assert less and more
    return small, large, log(ratio(more.cpu, less.cpu).value) / log(large / small)
