"""The statements of a plan alone, in the order in which they run, for whoever reads or pastes SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aurora_tenants.mysql.hashing import HIDDEN
from aurora_tenants.plan import Proposal
from aurora_tenants.render.text import is_shown, printable
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import Line

_HIDDEN = frozenset(HIDDEN.values())


def plan_sql(proposal: Proposal) -> str:
    """Each statement on a line of its own that ends in `;`, comments above. No password or hash is in it."""
    where = f"account {proposal.account}, region {proposal.region}, cluster {proposal.plan.cluster.stack}"
    head = [
        f"What apply has MySQL run, in order: {where}.",
        "The functions of the shared stack run it. Whoever pastes it leaves CloudFormation as it is.",
    ]
    if any(_is_hidden(line) for lines in proposal.lines.values() for line in lines):
        head.append(
            "Where '***' stands goes the hash of a password, which nobody knows here. It cannot be run as it is."
        )
    statements = list(_statements(proposal)) or ["", _comment("nothing")]
    return "\n".join([*map(_comment, head), *statements]) + "\n"


def _statements(proposal: Proposal) -> Iterator[str]:
    for tenant in in_order(proposal.plan.changed):
        for line in proposal.lines.get(tenant.name, ()):
            why = f": {line.change.why}" if line.change.why else ""
            yield ""
            yield _comment(f"tenant {tenant.name}, {line.about}, {' and '.join(line.origins)}{why}")
            yield _statement(line.change.statement)


def _statement(sql: str) -> str:
    """The statement; one with a name in it that a terminal would obey or hide is only told of."""
    if all(map(is_shown, sql)):
        return f"{sql};"
    return _comment(f"left out, because a name in it has characters that nobody sees: {sql}")


def _comment(text: str) -> str:
    return f"-- {printable(text)}"


def _is_hidden(line: Line) -> bool:
    return any(hidden in line.change.statement for hidden in _HIDDEN)


def in_order(tenants: Sequence[TenantPlan]) -> list[TenantPlan]:
    """The tenants as they are deployed: whoever shares a database before those who need that."""
    todo, done = {tenant.stack.name: tenant for tenant in tenants}, list[TenantPlan]()
    while todo:
        ready = [it for it in todo.values() if not todo.keys() & {*it.stack.needs} - {it.stack.name}]
        for tenant in ready or list(todo.values())[:1]:  # of those that need each other, the first
            done.append(todo.pop(tenant.stack.name))
    return done
