"""A plan as text: what happens to whom, then what to look at twice, and how much it is together."""

from __future__ import annotations

from collections.abc import Container, Iterator

from aurora_tenants.errors import Notice
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Plan, Proposal
from aurora_tenants.render import schedule
from aurora_tenants.render.cost import cost_sentence
from aurora_tenants.render.items import USUAL_VIEW, View, tenant_lines
from aurora_tenants.render.layout import USUAL, fitted
from aurora_tenants.render.problems import problem_text
from aurora_tenants.render.snapshot import snapshot_sentence
from aurora_tenants.render.stacks import total
from aurora_tenants.render.styled import Text, joined
from aurora_tenants.render.text import count, printable
from aurora_tenants.rollout import PlannedGroup
from aurora_tenants.tenant.busy import Waiting
from aurora_tenants.tenant.notices import LEFT_OVER

WAITING = "Waiting: not planned yet"
# Every tenant begins at the left: a blank line between them is for plans that fit a screen with it.
_FEW_LINES = 12


def plan_text(proposal: Proposal, *, file: str, width: int = USUAL, view: View = USUAL_VIEW) -> Text:
    """The whole plan, tenants without a difference only counted. What to look at twice and the summary come last,
    where a terminal ends. width: of a line, in cells.
    """
    blocks = list(_blocks(proposal, view))
    if part := schedule.part(proposal.plan.schedule):
        part.rstrip()
        blocks.append([part[1:]])  # without the line break that it begins with
    is_short = sum(map(len, blocks)) <= _FEW_LINES and not view.summary
    lines = [Text(compared(proposal, file)), Text()] if view.verbose or not proposal.plan.stacks else []
    for number, block in enumerate(blocks):
        lines += [Text()] if number and is_short else []
        lines += block
    told = list(_told(proposal))
    for section in told:
        lines += [Text(), section] if lines and lines[-1] else [section]
    lines += [Text()] if lines and lines[-1] and (is_short or told) else []
    lines.append(closing_text(proposal))
    return joined(fitted(line, width) for line in lines)


def _blocks(proposal: Proposal, view: View) -> Iterator[list[Text]]:
    """The lines of each tenant; under the heading of its group where there are groups and anything is to be done."""
    plan = proposal.plan
    of_tenants = {it.name: list(tenant_lines(it, proposal.items.get(it.name, ()), view)) for it in plan.changed}
    if not plan.rollout or not plan.stacks:
        yield from of_tenants.values()
        return
    for group in plan.rollout.groups:
        first, *others = [of_tenants[name] for name in group.tenants if name in of_tenants] or [[]]
        yield [Text(group_heading(group, of_tenants), "bold"), *first]
        yield from others


def group_heading(group: PlannedGroup, changed: Container[str]) -> str:
    """`Group canary: 1 of 2 tenants, then a pause`. changed: the tenants that something happens to."""
    number = sum(name in changed for name in group.tenants)
    pause = ", then a pause" if group.pauses else ""
    return f"Group {group.name}: {number:,} of {count(len(group.tenants), 'tenant')}{pause}"


def compared(proposal: Proposal, file: str) -> str:
    """What was compared with what."""
    plan, (server, state) = proposal.plan, proposal.live
    tenants, databases, users = len(plan.tenants), len(state.databases), len(state.users)
    return (
        f"Compared {count(tenants, 'tenant')} of {printable(file)} with cluster {plan.cluster.stack}: MySQL"
        f" {printable(server.version)} with {count(databases, 'database')} and {count(users, 'user')}."
    )


def _told(proposal: Proposal) -> Iterator[Text]:
    plan = proposal.plan
    for title, entries in (
        (WAITING, [waiting_text(each) for each in plan.waiting]),
        ("Notices: nothing here is touched", [notice_text(notice) for notice in plan.notices]),
        ("Dangers", [problem_text(danger, severity="danger") for danger in proposal.dangers]),
        ("Problems", [problem_text(found) for found in plan.problems]),
    ):
        if entries:
            text = Text().append(title, "bold")
            for entry in entries:
                text.append("\n  ").append(entry)
            yield text


def notice_text(notice: Notice) -> Text:
    return Text(f"{printable(notice.text)}  [{notice.code}]")


def waiting_text(each: Waiting) -> Text:
    """What it waits for, as a line."""
    return Text(printable(f"{each.about}: {each.sentence}; apply waits for it  [stack-busy]"))


def closing_text(proposal: Proposal) -> Text:
    """How much it is together, and what stands in its way."""
    text = Text().append(summary(proposal.plan), "bold")
    counts = [
        count(len(entries), noun)
        for entries, noun in ((proposal.dangers, "danger"), (proposal.plan.problems, "problem"))
        if entries
    ]
    if counts:
        text.append(f"\n{' and '.join(counts)}: see above.", "bold red")
    if saved_first := proposal.plan.saved_first:
        text.append(f"\n{printable(snapshot_sentence(saved_first, in_groups=proposal.plan.rollout is not None))}")
    if proposal.cost:
        text.append(f"\n{cost_sentence(proposal.cost)}")
    if proposal.woke_cluster:
        text.append("\nThe cluster was paused; this woke it.")
    return text


def summary(plan: Plan) -> str:
    """How many tenants are made, updated and removed."""
    left_over = sum(notice.code == LEFT_OVER for notice in plan.notices)
    waits = f" Not known yet: {waiting_names(plan)}." if plan.waiting else ""
    if not plan.stacks and plan.waiting:
        return f"Nothing to apply yet.{waits}"
    if not plan.stacks and left_over:
        return f"Nothing to apply, but {count(left_over, 'thing')} left over, as the notices say."
    if not plan.stacks:
        of_whom = " of these tenants" if plan.is_partial else ""
        return f"No changes: MySQL and CloudFormation hold what the file says{of_whom}."
    totals = [total(tenant.stack) for tenant in plan.changed]
    drift = sum(tenant.stack.origin == "drift" for tenant in plan.changed)
    counts = {said: totals.count(said) for said in ("to create", "to update", "to remove")}
    counts["unchanged"] = len(plan.tenants) - len(plan.changed)
    by_hand = {"to update": f" ({drift:,} by drift)" if drift else ""}
    parts = [f"{number:,} {said}{by_hand.get(said, '')}" for said, number in counts.items() if number]
    statements = sum(len(tenant.changes) for tenant in plan.changed)
    of_schedule = f" Pause schedule: {total(plan.schedule.stack)}." if plan.schedule and plan.changes_schedule else ""
    of_tenants = f"Tenants: {', '.join(parts)}." if plan.tenants else ""
    return f"{of_tenants} {count(statements, 'statement')} in MySQL.{of_schedule}{waits}".strip()


def waiting_names(plan: Plan) -> str:
    """`1 tenant whose stack is busy`, and the pause schedule."""
    tenants = sum(each.name != PAUSE_SCHEDULE for each in plan.waiting)
    named = [f"{count(tenants, 'tenant')} with an operation under way"] if tenants else []
    return " and ".join(named + ["the pause schedule"] * (len(plan.waiting) - tenants))
