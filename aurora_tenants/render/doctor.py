"""What doctor found, as text and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aurora_tenants.doctor.finding import Finding, Result
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import count, printable

_STYLES: dict[Result, str] = {"ok": "green", "warning": "bold yellow", "problem": "bold red", "not-checked": "dim"}
_MARGIN = " " * 13


def doctor_text(findings: Sequence[Finding]) -> Text:
    """A line for each finding, why and fix under it, and how many there are of what."""
    text = Text()
    width = max(len(finding.check) for finding in findings) + 2
    for finding in findings:
        text.append(f"{finding.result.replace('-', ' '):<{len(_MARGIN)}}", _STYLES[finding.result])
        text.append(f"{finding.check:<{width}}{printable(finding.found)}\n")
        for label, value in (("why", finding.why), ("fix", finding.fix)):
            if value:
                text.append(printable(f"{_MARGIN}{'':<{width}}{label}: {value}") + "\n")
    return text.append(f"\n{_total(findings)}", "bold")


def _total(findings: Sequence[Finding]) -> str:
    results = [finding.result for finding in findings]
    problems, warnings = results.count("problem"), results.count("warning")
    left_out = f", {results.count('not-checked')} not checked" if "not-checked" in results else ""
    return f"{count(problems, 'problem')}, {count(warnings, 'warning')}, {results.count('ok')} ok{left_out}."


def doctor_data(findings: Sequence[Finding], *, stack: str, account: str, region: str) -> dict[str, Any]:
    """The findings for a program. `format_version` changes when a key goes away or means something else."""
    return {
        "format_version": 1,
        "account": account or None,
        "region": region or None,
        "stack": stack,
        "has_problems": any(finding.result == "problem" for finding in findings),
        "checks": [finding._asdict() for finding in findings],
    }
