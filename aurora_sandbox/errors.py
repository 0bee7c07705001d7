"""How the sandbox says that it cannot start, or cannot do what was asked of it. Whoever called it tells the user.

What an imitated service answers to a client is another matter: `ServiceError`, in wire/.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. code: stable, kebab-case. why: what it met. fix: something to type or to do."""

    code: str
    what: str
    why: str = ""
    fix: str = ""


class SandboxError(Exception):
    """The sandbox cannot start, or cannot do what was asked of it; `problems` is never empty."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.what for problem in problems))
        self.problems = problems
