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
    FLOOR,
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
    Ratio,
    Report,
)
from bench.goals import goals

BEGIN, END = "<!-- written by script/bench --write-docs -->", "<!-- end of what is written -->"
_NOTHING = "–"


def markdown(report: Report) -> str:
    """All tables, and before them when and where and by which command they were made."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    parts = [
        f"{report.date}, `{report.command}`: {machine}.",
        _plans(report),
        _parts(report),
        _others(report),
        _calls(report),
    ]
    parts += [_late(report), _starts(report), _goals(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def written(document: str, tables: str) -> str:
    """The document with these tables between its markers. Raises ValueError where it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _plans(report: Report) -> str:
    head = [
        "tenants",
        "lean",
        "plan",
        "over lean",
        "its CPU",
        "over lean's",
        "floor's CPU",
        "over floor's",
        "memory",
        "naive",
    ]
    return _table(
        head,
        (
            [
                f"{size:,}",
                _seconds(report.get(LEAN, size)),
                _seconds(plan),
                _over(report.over(PLAN, LEAN, size)),
                _seconds(plan, "cpu"),
                _over(report.over(PLAN, LEAN, size, "cpu")),
                _seconds(report.get(FLOOR, size), "cpu"),
                _over(report.over(PLAN, FLOOR, size, "cpu")),
                f"{plan.memory:.0f} MiB",
                _seconds(report.get(NAIVE, size)),
            ]
            for size in report.sizes
            if (plan := report.get(PLAN, size))
        ),
    )


def _others(report: Report) -> str:
    head = ["tenants", "first plan", "over plan", "plan of 1 % drift", "over plan", "validate", "over lean"]
    names = ((FIRST, PLAN), (DRIFT, PLAN), (VALIDATE, LEAN))
    rows = []
    for size in report.sizes:
        cells = [
            cell
            for name, other in names
            for cell in (_seconds(report.get(name, size)), _over(report.over(name, other, size)))
        ]
        rows.append([f"{size:,}", *cells])
    return _table(head, rows)


def _over(ratio: Ratio | None) -> str:
    return f"{ratio.value:.2f} ×" if ratio else _NOTHING


def _parts(report: Report) -> str:
    """Where a plan's CPU goes, by what else was measured: a file's part is what validate takes more of for it."""
    bare = report.get(BARE)
    sizes = [size for size in report.sizes if report.get(PLAN, size) and report.get(VALIDATE, size)]
    if bare is None or len(sizes) < 2:
        return ""

    def cpu(name: str, size: int) -> float:
        figure = report.get(name, size)
        return median(figure.cpu) if figure else 0.0

    least, rows = sizes[0], []
    for size in sizes[1:]:
        start = cpu(PLAN, least)
        file = cpu(VALIDATE, size) - cpu(VALIDATE, least)
        rest = cpu(PLAN, size) - start - file
        parts = (median(bare.cpu), start - median(bare.cpu), file, rest)
        rows.append([f"{size:,}", *(f"{part * 1000:.0f} ms" for part in parts)])
    head = ["CPU of a plan at", "interpreter", f"all else at {least:,}", "more for the file", "more for all else"]
    return _table(head, rows)


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
