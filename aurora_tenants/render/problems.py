"""Problems as text, in the form of compilers, and for a program."""

from __future__ import annotations

from typing import Any

from aurora_tenants.errors import Location, Problem
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import printable, several_lines


def problem_text(problem: Problem, *, severity: str = "error") -> Text:
    """A problem in the form of compilers: the place, what is wrong, then context, why and fix, indented."""
    text = Text()
    if problem.where:
        text.append(printable(f"{problem.where}: "), "bold")
    text.append(f"{severity}: ", "bold red" if severity == "error" else "bold yellow")
    text.append(several_lines(problem.what))
    text.append(f"  [{problem.code}]", "dim")
    for label, value in (("", problem.context), ("why: ", problem.why), ("fix: ", problem.fix)):
        if value:
            text.append(f"\n    {label}{several_lines(value)}")
    return text


def problem_data(problem: Problem) -> dict[str, Any]:
    """A problem for a program."""
    where = location_data(problem.where) if problem.where else None
    texts = {name: getattr(problem, name) for name in ("code", "what", "why", "fix", "context")}
    return {**texts, "where": where}


def location_data(place: Location) -> dict[str, Any]:
    """A place in a file for a program."""
    return {"file": place.file, "line": place.line, "column": place.column}
