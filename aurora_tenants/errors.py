"""Every way this program tells a user that something is wrong, and the exit code that goes with it.

    AuroraTenantsError            exit 1
    ├── InvalidFile               tenants.yaml cannot be used
    ├── InvalidUsage              the command line cannot be used (exit 64)
    ├── Refused                   a plan holds changes that need a flag of their own
    ├── Breached                  somebody can get into a database that is not theirs
    ├── NotConverged              applied, but MySQL or CloudFormation still differs
    ├── AwsError                  AWS said no, or could not be asked
    │   └── StackFailed           a stack operation ended in failure or rollback
    ├── DatabaseError             MySQL refused a statement: has its error number
    └── SandboxError              the sandbox cannot start or do what was asked

Each carries one or more `Problem`s. Lower layers raise; only `cli` catches, prints and exits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

# With this exception the Data API passes on what MySQL says.
OF_MYSQL = "DatabaseErrorException"


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    FAILED = 1
    CHANGES = 2
    USAGE = 64


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, said so that the reader knows what to type next.

    code: stable, kebab-case. what: the thing and its name as the user wrote it. context: where in the file's own
    terms ("tenant shop-dev, user shop-dev"). why: the rule it met. fix: something to do.
    """

    code: str
    what: str
    why: str = ""
    fix: str = ""
    where: Location | None = None
    context: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth knowing that is not wrong and that nobody asked to change. code: stable, kebab-case."""

    code: str
    text: str


class AuroraTenantsError(Exception):
    """Base of every error this program raises on purpose; `problems` is never empty."""

    exit_code = Exit.FAILED
    # Whether it is certain that nothing was changed, so that the user is told so.
    nothing_was_changed = True

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.what for problem in problems))
        self.problems = problems


class InvalidFile(AuroraTenantsError):
    """tenants.yaml cannot be used; holds everything that is wrong with it."""


class InvalidUsage(AuroraTenantsError):
    """The command line cannot be used."""

    exit_code = Exit.USAGE


class Refused(AuroraTenantsError):
    """Something dangerous was asked for without the flag that allows it. Nothing was changed."""


class Breached(AuroraTenantsError):
    """Somebody can get into a tenant's database without belonging there; one problem for each account and way in."""


class NotConverged(AuroraTenantsError):
    """Something was applied, and not everything that the file says is so."""

    nothing_was_changed = False


class AwsError(AuroraTenantsError):
    """AWS refused a call or could not be reached."""


class StackFailed(AwsError):
    """A stack operation failed or was rolled back; the problem names the first failed resource."""

    nothing_was_changed = False


class DatabaseError(AuroraTenantsError):
    """MySQL refused a statement, or was not reached through the Data API.

    number: MySQL's error number, 0 where the answer does not tell. code: the Data API's exception, such as
    AccessDeniedException.
    """

    def __init__(self, *problems: Problem, number: int = 0, code: str = "") -> None:
        super().__init__(*problems)
        self.number = number
        self.code = code

    @property
    def is_of_mysql(self) -> bool:
        """Whether MySQL itself refused the statement, so that it was reached, and the statement has not run."""
        return bool(self.number) or self.code == OF_MYSQL


class SandboxError(AuroraTenantsError):
    """The sandbox cannot start, or cannot do what was asked of it."""

    nothing_was_changed = False
