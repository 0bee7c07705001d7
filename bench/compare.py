"""What got slower or faster between two runs of the bench, by more than noise. Pure.

A time is compared by its ratio to a reference of the same run, as machines differ and each has faster and slower hours:
CPU over lean's where there are tenants, over the bare interpreter's where there are none; where round trips are slow,
the wall over lean's. It has changed where the ratios differ by 5 % at least and by four standard errors of their
difference. Calls have no noise: one more is one too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import APPLY, BARE, LATE_LEAN, LATE_PLAN, LEAN, NAIVE, PLAN, Figure, Of, Ratio, Report

LEAST = 0.05
ERRORS = 4.0
_REFERENCES = (BARE, LEAN, NAIVE, LATE_LEAN)


@dataclass(frozen=True, slots=True)
class Change:
    """unit: of `before` and `after`. more: by how much of what it was; is_slower: it costs more than before."""

    what: str
    before: float
    after: float
    unit: str

    @property
    def more(self) -> float:
        return self.after / self.before - 1 if self.before else float("inf")

    @property
    def is_slower(self) -> bool:
        return self.after > self.before


def changes(old: Report, new: Report) -> list[Change]:
    """What differs of all that both have measured, what costs more first."""
    found = [
        change
        for figure in new.figures
        if (before := old.get(*figure.key)) and figure.name not in _REFERENCES
        for change in (*_times(old, new, figure), *_calls(before, figure), *_memory(before, figure))
    ]
    return sorted(found, key=lambda change: -change.more)


def differs(before: Ratio, after: Ratio) -> bool:
    """Whether it is by more than noise."""
    apart = abs(after.value - before.value)
    return apart > LEAST * before.value and apart > ERRORS * (before.error**2 + after.error**2) ** 0.5


def _times(old: Report, new: Report, figure: Figure) -> Iterator[Change]:
    of: Of = "wall" if figure.name == LATE_PLAN else "cpu"
    reference = LATE_LEAN if figure.name == LATE_PLAN else BARE if figure.tenants is None else LEAN
    before, after = (it.over(figure.name, reference, figure.tenants, of) for it in (old, new))
    if before and after and min(before.runs, after.runs) > 1 and differs(before, after):
        yield Change(str(figure), before.value, after.value, f"times {reference}")


def _calls(before: Figure, after: Figure) -> Iterator[Change]:
    """None where one of both was not counted."""
    if before.calls and after.calls and after.name != APPLY:  # how often it looks at stacks depends on their pace
        for name in sorted({*before.calls, *after.calls}):
            counts = before.calls.get(name, 0), after.calls.get(name, 0)
            if counts[0] != counts[1]:
                yield Change(f"{after}: {name}", *counts, "calls")


def _memory(before: Figure, after: Figure) -> Iterator[Change]:
    if before.name == PLAN and abs(after.memory - before.memory) > LEAST * before.memory:
        yield Change(str(after), before.memory, after.memory, "MiB")


def told(found: list[Change], old: Report, new: Report) -> str:
    """The changes as text, with what makes both runs hard to compare."""
    lines = [
        f"{'slower' if change.is_slower else 'faster'}: {change.what}: {change.before:.4g} → {change.after:.4g}"
        f" {change.unit} ({change.more:+.0%})"
        for change in found
    ]
    lines += [
        f"not the same: {name}: {old.machine.get(name, 'unknown')} → {new.machine.get(name, 'unknown')}"
        for name in sorted({*old.machine, *new.machine} - {"commit"})
        if old.machine.get(name) != new.machine.get(name)
    ]
    return "\n".join(lines or ["Nothing has changed by more than noise."])
