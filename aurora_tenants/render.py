"""Finished values as text or JSON. The only output of the program; decides nothing.

Text never passes through markup, so what a user called a thing is shown as it is. Colour repeats what a symbol or a
word says already.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from aurora_tenants import cost, render_schedule
from aurora_tenants.errors import Location, Problem
from aurora_tenants.explain import Line, rule
from aurora_tenants.notices import LEFT_OVER, Notice
from aurora_tenants.plan import Live, Plan, TenantPlan
from aurora_tenants.printable import printable as _printable

_SYMBOLS = {"create": "+", "grant": "+", "revoke": "-", "drop": "-"}  # everything else is a change
_TENANT_SYMBOLS = {"create": "+", "update": "~", "replace": "~", "delete": "-"}
_STYLES = {"+": "green", "~": "yellow", "-": "red"}


class Output:
    """Where results (stdout) and everything else (stderr) go. color: None asks the terminal."""

    def __init__(self, *, color: bool | None = None, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.out = _console(out or sys.stdout, color)
        self.err = _console(err or sys.stderr, color)

    def result(self, text: Text | str) -> None:
        """One line, or several, of a result."""
        self.out.print(text, soft_wrap=True)

    def raw(self, text: str) -> None:
        """A result whose every character counts: rich would turn tabs into spaces."""
        self.out.file.write(text)

    def tell(self, text: Text | str) -> None:
        """One line of anything else."""
        self.err.print(text, soft_wrap=True)

    def json(self, value: Any) -> None:
        """A result for a program."""
        self.out.print(json.dumps(value, indent=2), soft_wrap=True)


def _console(file: IO[str], color: bool | None) -> Console:
    # None leaves it to rich, which honours NO_COLOR.
    return Console(file=file, no_color=True if color is False else None, markup=False, highlight=False, emoji=False)


def problem(it: Problem, *, severity: str = "error") -> Text:
    """A problem in the form of compilers: the place, what is wrong, then context, why and fix, indented."""
    text = Text()
    if it.where:
        text.append(f"{it.where}: ", "bold")
    text.append(f"{severity}: ", "bold red" if severity == "error" else "bold yellow")
    text.append(_printable(it.what, keep="\n"))
    text.append(f"  [{it.code}]", "dim")
    for label, value in (("", it.context), ("why: ", it.why), ("fix: ", it.fix)):
        if value:
            text.append(_printable(f"\n    {label}{value}", keep="\n"))
    return text


def problem_data(it: Problem) -> dict[str, Any]:
    """A problem for a program."""
    where = _location_data(it.where) if it.where else None
    return {"code": it.code, "what": it.what, "why": it.why, "fix": it.fix, "context": it.context, "where": where}


def plan(it: Plan, dangers: Iterable[Problem], live: Live, *, file: str, explain: bool = False) -> Text:
    """The whole plan; tenants without a difference are only counted. explain: with the rule behind each line."""
    tenants, databases = len(it.tenants), len(live.state.databases)
    text = Text(
        f"Compared {count(tenants, 'tenant')} of {file} with cluster {it.cluster.stack}: MySQL {live.server.version}"
        f" with {count(databases, 'database')} and {count(len(live.state.users), 'user')}.\n"
    )
    for tenant in it.todo:
        text.append("\n")
        text.append(_tenant(tenant, explain=explain))
    text.append(render_schedule.part(it.schedule))
    for title, lines in (
        (
            "Notices: nothing here is touched",
            [Text(f"{_printable(entry.text)}  [{entry.code}]") for entry in it.notices],
        ),
        ("Dangers", [problem(danger, severity="danger") for danger in dangers]),
        ("Problems", [problem(wrong) for wrong in it.problems]),
    ):
        if lines:
            text.append(f"\n{title}\n", "bold")
            for line in lines:
                text.append("  ")
                text.append(line)
                text.append("\n")
    text.append("\n")
    text.append(_total(it))
    if it.cost:
        text.append(f"\n{cost.sentence(it.cost)}")
    if it.woke_cluster:
        text.append("\nThe cluster was paused; this woke it.")
    return text


def _tenant(tenant: TenantPlan, *, explain: bool) -> Text:
    symbol = _TENANT_SYMBOLS[tenant.action]
    text = Text()
    text.append(f"{symbol} {tenant.action} tenant {tenant.tenant}", f"bold {_STYLES[symbol]}")
    text.append(f"  (stack {tenant.stack}: {_reason(tenant)})\n", "dim")
    for line in tenant.lines:
        text.append(_line(line, explain=explain))
    return text


def _reason(tenant: TenantPlan) -> str:
    if tenant.action == "delete":
        return "no longer in the file"
    if tenant.action == "create":
        return "new"
    if tenant.action == "replace":
        failed = "deletion" if tenant.status == "DELETE_FAILED" else "creation"
        return f"its {failed} failed, it is {tenant.status}"
    if tenant.origin == "drift":
        return "drift: MySQL was changed behind its back" if tenant.changes else f"it is {tenant.status}"
    return "the file changed" if tenant.changes else "the file changed, MySQL stays as it is"


def _line(line: Line, *, explain: bool) -> Text:
    change = line.change
    symbol = _SYMBOLS.get(change.action, "~")
    text = Text("    ")
    text.append(f"{symbol} {change.action:<7} ", _STYLES[symbol])
    text.append(_printable(f"{line.about}: {change.statement}"))
    reason = " and ".join(line.origins) + _place(line.where)
    text.append(_printable(f"  -- {reason}{f': {change.why}' if change.why else ''}"), "dim")
    if line.relied_on:
        text.append(f"\n              careful: {_printable(line.relied_on)}", "yellow")
    if explain:
        text.append(f"\n              rule: {rule(line)}", "dim")
    return text.append("\n")


def _place(where: Sequence[Location]) -> str:
    """The first place that asks for it, and how many more there are."""
    if not where:
        return ""
    others = len(where) - 1
    more = f" and {others} other {'entry' if others == 1 else 'entries'}" if others else ""
    return f", {where[0].file}:{where[0].line}{more}"


def _total(it: Plan) -> Text:
    left_over = sum(notice.code == LEFT_OVER for notice in it.notices)
    if not it.has_changes and left_over:
        return Text(f"Nothing to apply, but {count(left_over, 'thing')} left over, as the notices say.", "bold")
    if not it.has_changes:
        of_whom = " of these tenants" if it.is_partial else ""
        return Text(f"No changes: MySQL and CloudFormation hold what the file says{of_whom}.", "bold")
    counts = {action: [t for t in it.todo if t.action == action] for action in _TENANT_SYMBOLS}
    drift = sum(tenant.origin == "drift" for tenant in it.todo)
    parts = [
        f"{len(counts['create'])} to create",
        f"{len(counts['update']) + len(counts['replace'])} to update" + (f" ({drift} by drift)" if drift else ""),
        f"{len(counts['delete'])} to remove",
        f"{len(it.tenants) - len(it.todo)} unchanged",
    ]
    statements = sum(len(tenant.changes) for tenant in it.todo)
    schedule = render_schedule.total(it.schedule)
    return Text(f"Tenants: {', '.join(parts)}. {count(statements, 'statement')} in MySQL.{schedule}", "bold")


def count(number: int, noun: str) -> str:
    """`1 tenant`, `1,000 tenants`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def plan_data(it: Plan, dangers: Sequence[Problem], live: Live) -> dict[str, Any]:
    """The plan for a program. `version` changes when a key goes away or means something else."""
    return {
        "version": 1,
        "cluster": it.cluster.stack,
        "server": {"version": live.server.version, "partial_revokes": live.server.partial_revokes},
        "has_changes": it.has_changes,
        "woke_cluster": it.woke_cluster,
        "tenants": [
            {
                "tenant": tenant.tenant,
                "stack": tenant.stack,
                "action": tenant.action,
                "origin": tenant.origin if tenant.action != "none" else None,
                "changes": [_line_data(line) for line in tenant.lines],
                "drops": list(tenant.drops),
            }
            for tenant in it.tenants
        ],
        "pause_schedule": render_schedule.part_data(it.schedule),
        "cost": cost.as_data(it.cost) if it.cost else None,
        "notices": [_notice_data(notice) for notice in it.notices],
        "dangers": [problem_data(danger) for danger in dangers],
        "problems": [problem_data(wrong) for wrong in it.problems],
    }


def _line_data(line: Line) -> dict[str, Any]:
    change = line.change
    return {
        "action": change.action,
        "subject": line.about,
        "sql": change.statement,
        "why": change.why,
        "origins": list(line.origins),
        "where": [_location_data(place) for place in line.where],
        "relied_on": line.relied_on,
        "rule": rule(line),
    }


def _location_data(place: Location) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}


def _notice_data(notice: Notice) -> dict[str, str]:
    return {"code": notice.code, "text": notice.text}


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows of a query as tab-separated lines under their column names; cells as MySQL's own client writes them."""
    lines = [columns, *rows]
    return "".join("\t".join(_cell(cell) for cell in line) + "\n" for line in lines)


def _cell(cell: object) -> str:
    if cell is None:
        return "NULL"
    return str(cell).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "\\0")
