"""A plan as text and for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from aurora_tenants.errors import Location, Notice
from aurora_tenants.plan import Plan, Proposal
from aurora_tenants.render import schedule
from aurora_tenants.render.cost import cost_data, cost_sentence
from aurora_tenants.render.problems import location_data, problem_data, problem_text
from aurora_tenants.render.stacks import STYLES, heading, total
from aurora_tenants.render.text import count, printable
from aurora_tenants.tenant.notices import LEFT_OVER
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import Line, rule

_SYMBOLS = {"create": "+", "grant": "+", "revoke": "-", "drop": "-"}  # everything else is a change


def plan_text(proposal: Proposal, *, file: str, explain: bool = False) -> Text:
    """The whole plan; tenants without a difference are only counted. explain: with the rule behind each line."""
    plan, (server, state) = proposal.plan, proposal.live
    tenants, databases, users = len(plan.tenants), len(state.databases), len(state.users)
    text = Text(
        f"Compared {count(tenants, 'tenant')} of {file} with cluster {plan.cluster.stack}: MySQL"
        f" {printable(server.version)} with {count(databases, 'database')} and {count(users, 'user')}.\n"
    )
    for tenant in plan.changed:
        text.append("\n")
        text.append(_tenant(tenant, proposal.lines.get(tenant.name, ()), explain=explain))
    text.append(schedule.part(plan.schedule))
    for title, entries in (
        ("Notices: nothing here is touched", [_notice(notice) for notice in plan.notices]),
        ("Dangers", [problem_text(danger, severity="danger") for danger in proposal.dangers]),
        ("Problems", [problem_text(found) for found in plan.problems]),
    ):
        if entries:
            text.append(f"\n{title}\n", "bold")
            for entry in entries:
                text.append("  ").append(entry).append("\n")
    text.append("\n")
    text.append(_total(plan))
    if proposal.cost:
        text.append(f"\n{cost_sentence(proposal.cost)}")
    if proposal.woke_cluster:
        text.append("\nThe cluster was paused; this woke it.")
    return text


def lost_text(proposal: Proposal) -> Text:
    """What brings back the entries of tenants in the tables of owners."""
    plan, text = proposal.plan, Text()
    if plan.changed:
        text.append(
            f"MySQL no longer says whose the databases and users of {count(len(plan.changed), 'tenant')} are.\n"
            "Their stacks are deployed again as they are. What is recorded then counts as adopted: nothing drops it.\n"
        )
    for tenant in plan.changed:
        text.append("\n").append(_tenant(tenant, proposal.lines.get(tenant.name, ()), explain=False))
    for notice in plan.notices:
        text.append("Notice: ").append(_notice(notice)).append("\n")
    text.rstrip()
    return text


def _tenant(tenant: TenantPlan, lines: Iterable[Line], *, explain: bool) -> Text:
    changed_by_hand = [*(["MySQL"] if tenant.changes else []), *(["secrets"] if tenant.secrets else [])]
    were = "were" if tenant.secrets else "was"
    drifted = f"{' and '.join(changed_by_hand)} {were} changed by somebody else" if changed_by_hand else ""
    changed = "the file changed" if tenant.changes else "the file changed, MySQL stays as it is"
    text = heading(tenant.stack, drifted=drifted, changed=changed)
    for line in lines:
        text.append(_line(line, explain=explain))
    for drift in tenant.secrets:
        text.append("    ").append("~ secret  ", STYLES["~"]).append(printable(f"user {drift.user}: {drift.what}"))
        text.append(printable(f"  -- drift, {drift.secret}"), "dim").append("\n")
    return text


def _notice(notice: Notice) -> Text:
    return Text(f"{printable(notice.text)}  [{notice.code}]")


def _line(line: Line, *, explain: bool) -> Text:
    change = line.change
    symbol = _SYMBOLS.get(change.action, "~")
    text = Text("    ")
    text.append(f"{symbol} {change.action:<7} ", STYLES[symbol])
    text.append(printable(f"{line.about}: {change.statement}"))
    reason = " and ".join(line.origins) + _place(line.where)
    text.append(printable(f"  -- {reason}{f': {change.why}' if change.why else ''}"), "dim")
    if line.relied_on:
        text.append(f"\n              careful: {printable(line.relied_on)}", "yellow")
    if explain:
        text.append(f"\n              rule: {rule(line)}", "dim")
    return text.append("\n")


def _place(where: Sequence[Location]) -> str:
    """The first place that asks for it, and how many more there are."""
    if not where:
        return ""
    others = len(where) - 1
    more = f" and {others} other {'entry' if others == 1 else 'entries'}" if others else ""
    return f", {where[0].file}:{where[0].line}{more}"


def _total(plan: Plan) -> Text:
    left_over = sum(notice.code == LEFT_OVER for notice in plan.notices)
    if not plan.stacks and left_over:
        return Text(f"Nothing to apply, but {count(left_over, 'thing')} left over, as the notices say.", "bold")
    if not plan.stacks:
        of_whom = " of these tenants" if plan.is_partial else ""
        return Text(f"No changes: MySQL and CloudFormation hold what the file says{of_whom}.", "bold")
    totals = [total(tenant.stack) for tenant in plan.changed]
    drift = sum(tenant.stack.origin == "drift" for tenant in plan.changed)
    parts = [
        f"{totals.count('to create')} to create",
        f"{totals.count('to update')} to update" + (f" ({drift} by drift)" if drift else ""),
        f"{totals.count('to remove')} to remove",
        f"{len(plan.tenants) - len(plan.changed)} unchanged",
    ]
    statements = sum(len(tenant.changes) for tenant in plan.changed)
    of_schedule = f" Pause schedule: {total(plan.schedule.stack)}." if plan.schedule and plan.changes_schedule else ""
    return Text(f"Tenants: {', '.join(parts)}. {count(statements, 'statement')} in MySQL.{of_schedule}", "bold")


def plan_data(proposal: Proposal) -> dict[str, Any]:
    """The plan for a program. `version` changes when a key goes away or means something else."""
    plan, server = proposal.plan, proposal.live.server
    return {
        "version": 1,
        "account": proposal.account,
        "region": proposal.region,
        "cluster": plan.cluster.stack,
        "server": {"version": server.version, "partial_revokes": server.partial_revokes},
        "has_changes": bool(plan.stacks),
        "woke_cluster": proposal.woke_cluster,
        "tenants": [
            {
                "tenant": tenant.name,
                "stack": tenant.stack.name,
                "action": tenant.stack.action,
                "origin": tenant.stack.origin if tenant.stack.is_changed else None,
                "changes": [_line_data(line) for line in proposal.lines.get(tenant.name, ())],
                "drops": list(tenant.stack.drops),
                "secrets": [
                    {"user": drift.user, "secret": drift.secret, "what": drift.what, "heals": list(drift.heals)}
                    for drift in tenant.secrets
                ],
            }
            for tenant in plan.tenants
        ],
        "pause_schedule": schedule.part_data(plan.schedule),
        "cost": cost_data(proposal.cost) if proposal.cost else None,
        "notices": [asdict(notice) for notice in plan.notices],
        "dangers": [problem_data(danger) for danger in proposal.dangers],
        "problems": [problem_data(found) for found in plan.problems],
    }


def _line_data(line: Line) -> dict[str, Any]:
    change = line.change
    return {
        "action": change.action,
        "subject": line.about,
        "sql": change.statement,
        "why": change.why,
        "origins": list(line.origins),
        "where": [location_data(place) for place in line.where],
        "relied_on": line.relied_on,
        "rule": rule(line),
    }
