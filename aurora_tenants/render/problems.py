"""Problems as text, in the form of compilers, and for a program."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from aurora_tenants.errors import Location, Problem
from aurora_tenants.render.text import printable


def problem(it: Problem, *, severity: str = "error") -> Text:
    """A problem in the form of compilers: the place, what is wrong, then context, why and fix, indented."""
    text = Text()
    if it.where:
        text.append(f"{it.where}: ", "bold")
    text.append(f"{severity}: ", "bold red" if severity == "error" else "bold yellow")
    text.append(printable(it.what, keep="\n"))
    text.append(f"  [{it.code}]", "dim")
    for label, value in (("", it.context), ("why: ", it.why), ("fix: ", it.fix)):
        if value:
            text.append(printable(f"\n    {label}{value}", keep="\n"))
    return text


def problem_data(it: Problem) -> dict[str, Any]:
    """A problem for a program."""
    where = location_data(it.where) if it.where else None
    return {"code": it.code, "what": it.what, "why": it.why, "fix": it.fix, "context": it.context, "where": where}


def location_data(place: Location) -> dict[str, Any]:
    """A place in a file for a program."""
    return {"file": place.file, "line": place.line, "column": place.column}
