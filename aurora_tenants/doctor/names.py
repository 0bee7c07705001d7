"""Which names are made of the shared stack's, and whether AWS lets them be as long. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from aurora_tenants.config.names import shared_stack
from aurora_tenants.doctor.finding import Verdict, ok, problem


def can_be_deployed(stack: str) -> bool:
    """Whether a shared stack may have this name."""
    return not any(shared_stack(stack))


def check_names(stack: str) -> Iterator[Verdict]:
    """stack: the shared one's name, from the file or the command line."""
    faults = list(shared_stack(stack))
    for _, found, why, fix in faults:
        yield problem(found, why, fix)
    if not faults:
        yield ok(f"the names made of {stack} fit into AWS's limits")
