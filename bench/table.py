"""A report as Markdown tables, for a terminal and for docs/performance.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench.figures import (
    APPLY,
    BARE,
    DRIFT,
    EXAMPLE,
    FIRST,
    HELP,
    LATE_LEAN,
    LATE_PLAN,
    LEAN,
    NAIVE,
    PLAN,
    SECRETS,
    STACKS,
    STATEMENTS,
    VALIDATE,
    VERSION,
    Figure,
    Of,
    Report,
)
from bench.goals import goals

BEGIN, END = "<!-- written by script/bench --write-docs -->", "<!-- end of what is written -->"
_NOTHING = "–"


def markdown(report: Report) -> str:
    """All tables, and before them when and where and by which command they were made."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    parts = [f"{report.date}, `{report.command}`: {machine}.", _times(report), _calls(report)]
    parts += [_late(report), _starts(report), _goals(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def written(document: str, tables: str) -> str:
    """The document with these tables between its markers. Raises ValueError where it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _times(report: Report) -> str:
    head = ["tenants", "lean", "plan", "over lean", "its CPU", "over lean's", "first plan", "over plan", "1 % drift"]
    head += ["over plan", "validate", "naive", "memory"]
    return _table(head, [_times_at(report, size) for size in report.sizes])


def _times_at(report: Report, size: int) -> list[str]:
    plan = report.get(PLAN, size)

    def over(name: str, other: str, of: Of = "wall") -> str:
        found = report.over(name, other, size, of)
        return f"{found.value:.2f} ×" if found else _NOTHING

    return [
        f"{size:,}",
        _seconds(report.get(LEAN, size)),
        _seconds(plan),
        over(PLAN, LEAN),
        _seconds(plan, "cpu"),
        over(PLAN, LEAN, "cpu"),
        _seconds(report.get(FIRST, size)),
        over(FIRST, PLAN),
        _seconds(report.get(DRIFT, size)),
        over(DRIFT, PLAN),
        _seconds(report.get(VALIDATE, size)),
        _seconds(report.get(NAIVE, size)),
        f"{plan.memory:.0f} MiB" if plan else _NOTHING,
    ]


def _calls(report: Report) -> str:
    head = ["tenants", "calls of", "statements", "DescribeStacks", "ListSecrets", "other calls"]
    return _table(
        head,
        (
            [f"{size:,}", name, *_counts(figure)]
            for size in report.sizes
            for name in (PLAN, FIRST, DRIFT, APPLY)
            if (figure := report.get(name, size)) and figure.calls
        ),
    )


def _counts(figure: Figure) -> list[str]:
    named = [figure.calls.get(name, 0) for name in (STATEMENTS, STACKS, SECRETS)]
    return [f"{count:,}" for count in (*named, sum(figure.calls.values()) - sum(named))]


def _late(report: Report) -> str:
    head = ["tenants", "ms more a round trip", "lean", "plan", "over lean"]
    rows = [
        [f"{size:,}", f"{report.latency:g}", _seconds(lean), _seconds(plan), f"{found.value:.2f} ×"]
        for size in report.sizes
        if (found := report.over(LATE_PLAN, LATE_LEAN, size))
        and (lean := report.get(LATE_LEAN, size))
        and (plan := report.get(LATE_PLAN, size))
    ]
    return _table(head, rows)


def _starts(report: Report) -> str:
    rows = [
        [name, _seconds(report.get(name)), f"{found.value:.1f} ×"]
        for name in (BARE, VERSION, HELP, EXAMPLE)
        if (found := report.over(name, BARE))
    ]
    return _table(["without AWS", "wall", "over a bare interpreter"], rows)


def _goals(report: Report) -> str:
    rows = [
        [goal.what, f"{goal.limit:g} {goal.unit}", f"{goal.measured:.3g}", "yes" if goal.is_met else "**no**"]
        for goal in goals(report)
    ]
    return _table(["goal", "at most", "measured", "met"], rows)


def _seconds(figure: Figure | None, of: Of = "wall") -> str:
    """The median."""
    if figure is None:
        return _NOTHING
    seconds = median(figure.seconds(of))
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty where there are no rows; numbers stand to the right."""
    rows = list(rows)
    if not rows:
        return ""
    is_number = [all(cell[:1].isdigit() or cell == _NOTHING for cell in column) for column in zip(*rows, strict=True)]
    line = ["--:" if right else "---" for right in is_number]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, line, *rows))
