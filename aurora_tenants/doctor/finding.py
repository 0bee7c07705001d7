"""What a check comes to, and what stands in the place of a fact that could not be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from aurora_tenants.errors import Problem

Result = Literal["ok", "warning", "problem", "not-checked"]


class Verdict(NamedTuple):
    """What a check says of its facts. found: a sentence's worth. why: only where it is not obvious."""

    result: Result
    found: str
    why: str = ""
    fix: str = ""


class Finding(NamedTuple):
    """A verdict under the name of its check: one line of what doctor says."""

    check: str
    result: Result
    found: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """In the place of a fact: it was asked for, and AWS did not tell it. is_denied: for want of a permission."""

    found: str
    fix: str
    is_denied: bool = False

    @classmethod
    def of(cls, problem: Problem) -> Unread:
        return cls(problem.what, problem.fix or "run doctor again in a minute", problem.code == "access-denied")


@dataclass(frozen=True, slots=True)
class Skipped:
    """In the place of a fact: nobody asked for it, for this reason."""

    reason: str


def ok(found: str) -> Verdict:
    return Verdict("ok", found)


def warning(found: str, why: str = "", fix: str = "") -> Verdict:
    return Verdict("warning", found, why, fix)


def problem(found: str, why: str = "", fix: str = "") -> Verdict:
    return Verdict("problem", found, why, fix)
