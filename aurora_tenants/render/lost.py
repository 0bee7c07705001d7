"""What a repair writes down again of tenants whose entries are lost, as text."""

from __future__ import annotations

from aurora_tenants.plan import Proposal
from aurora_tenants.render.stacks import heading
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import count, printable


def lost_text(proposal: Proposal) -> Text:
    """What brings back the entries of tenants in the tables of owners, statement by statement."""
    plan, text = proposal.plan, Text()
    if plan.changed:
        text.append(
            f"MySQL no longer says whose the databases and users of {count(len(plan.changed), 'tenant')} are.\n"
            "Their stacks are deployed again as they are. What is recorded then counts as adopted: nothing drops it.\n"
        )
    for tenant in plan.changed:
        drifted = "MySQL was changed by somebody else" if tenant.changes else ""
        text.append("\n").append(heading(tenant.stack, drifted=drifted))
        for line in proposal.lines.get(tenant.name, ()):
            text.append("    ").append(f"~ {line.change.action:<7} ", "yellow")
            text.append(printable(f"{line.about}: {line.change.statement}"))
            text.append(printable(f"  -- {' and '.join(line.origins)}"), "dim").append("\n")
    for notice in plan.notices:
        text.append(f"Notice: {printable(notice.text)}  [{notice.code}]\n")
    text.rstrip()
    return text
