"""What was measured, as values and as JSON: figures with their runs, and the machine they are of. Pure.

    plan = report.get("plan", 1000)
    median(plan.wall)                               seconds
    report.over("plan", "lean", 1000).value         how many times as long, by the medians of runs side by side

A machine's speed moves by much more than what is looked for, but it moves for everything alike. So a figure is compared
with another of the same turn, and what counts is the median of these ratios; `spread` says how far they lie apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

FORMAT = 1
Of = Literal["wall", "cpu"]

BARE, LEAN, NAIVE, FLOOR = "bare interpreter", "lean", "naive", "floor"
PLAN, FIRST, DRIFT, VALIDATE = "plan", "first plan", "plan of 1 % drift", "validate"
APPLY = "apply of 1 % drift"
VERSION, HELP, EXAMPLE = "--version", "--help", "validate of the example"
LATE_LEAN, LATE_PLAN = "lean, late", "plan, late"

STATEMENTS, STACKS = "rds-data:ExecuteStatement", "cloudformation:DescribeStacks"
SECRETS = "secretsmanager:ListSecrets"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, run by run. tenants: None where they do not matter.

    wall, cpu: seconds, in the order of the turns. memory: MiB, the most of all runs. calls: of one run, by
    `service:Operation`; those to Python's interpreter and to the references are none.
    """

    name: str
    tenants: int | None
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    memory: float = 0.0
    calls: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int | None]:
        return self.name, self.tenants

    def __str__(self) -> str:
        return self.name if self.tenants is None else f"{self.name} at {self.tenants:,}"

    def seconds(self, of: Of) -> tuple[float, ...]:
        return self.wall if of == "wall" else self.cpu


@dataclass(frozen=True, slots=True)
class Ratio:
    """How a figure stands to another in the same turns. spread: the median of how far single turns are from `value`."""

    value: float
    spread: float
    runs: int

    @property
    def error(self) -> float:
        """The standard error of `value`, were the turns normally distributed.

        Source: the median absolute deviation is 1 / 1.4826 of a standard deviation; a median's is sqrt(pi / 2 n).
        """
        return float(1.4826 * self.spread * (3.14159 / 2 / self.runs) ** 0.5)


@dataclass(frozen=True, slots=True)
class Report:
    """A run of the bench. date: of its end, UTC. latency: of a round trip, in ms, for the figures that are late."""

    date: str
    command: str
    machine: Mapping[str, str]
    latency: float
    figures: tuple[Figure, ...]

    def get(self, name: str, tenants: int | None = None) -> Figure | None:
        return next((figure for figure in self.figures if figure.key == (name, tenants)), None)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(sorted({figure.tenants for figure in self.figures if figure.tenants is not None}))

    def over(self, name: str, other: str, tenants: int | None = None, of: Of = "wall") -> Ratio | None:
        """None where one of both was not measured."""
        figure, reference = self.get(name, tenants), self.get(other, tenants)
        return ratio(figure.seconds(of), reference.seconds(of)) if figure and reference else None


def ratio(seconds: Sequence[float], others: Sequence[float]) -> Ratio:
    """Of the turns in which both were measured: the one with fewer of them has the first."""
    turns = [each / other for each, other in zip(seconds, others, strict=False)]
    value = median(turns)
    return Ratio(value, median(abs(turn - value) for turn in turns), len(turns))


def dumped(report: Report) -> str:
    return json.dumps({"format": FORMAT, **asdict(report)}, indent=1) + "\n"


def loaded(text: str) -> Report:
    """Raises ValueError where it is no report, or one of another format."""
    document: dict[str, Any] = json.loads(text)
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise ValueError(f"this is not a report of the bench in format {FORMAT}")
    figures = tuple(
        Figure(**{**each, "wall": tuple(each["wall"]), "cpu": tuple(each["cpu"])}) for each in document.pop("figures")
    )
    return Report(**document, figures=figures)
