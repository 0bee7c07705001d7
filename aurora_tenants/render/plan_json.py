"""A plan for a program. What each key means stands in schema/plan.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Proposal
from aurora_tenants.render import schedule
from aurora_tenants.render.cost import cost_data
from aurora_tenants.render.problems import location_data, problem_data
from aurora_tenants.render.snapshot import drop_data, snapshot_data
from aurora_tenants.rollout import RolloutPlan
from aurora_tenants.tenant.busy import Waiting
from aurora_tenants.tenant.drops import drops_of
from aurora_tenants.tenant.items import Item, reason
from aurora_tenants.tenant.reasons import Line, rule


def plan_data(proposal: Proposal) -> dict[str, Any]:
    """The plan for a program. `version` changes when a key goes away or means something else."""
    plan, server = proposal.plan, proposal.live.server
    group_of = plan.rollout.by_part(tenant.name for tenant in plan.tenants) if plan.rollout else {}
    return {
        "version": 1,
        "account": proposal.account,
        "region": proposal.region,
        "cluster": plan.cluster.stack,
        "server": {"version": server.version, "partial_revokes": server.partial_revokes},
        "has_changes": bool(plan.stacks),
        "woke_cluster": proposal.woke_cluster,
        "rollout": _rollout_data(plan.rollout) if plan.rollout else None,
        "tenants": [
            {
                "tenant": tenant.name,
                "group": group_of[tenant.name].name if tenant.name in group_of else None,
                "stack": tenant.stack.name,
                "action": tenant.stack.action,
                "origin": tenant.stack.origin if tenant.stack.is_changed else None,
                "reason": reason(tenant, proposal.items.get(tenant.name, ())) if tenant.stack.is_changed else None,
                "items": _items(proposal.items.get(tenant.name, ()), proposal.lines.get(tenant.name, ())),
                "changes": [_line_data(line) for line in proposal.lines.get(tenant.name, ())],
                "drops": list(tenant.stack.drops),
                "dropped": [drop_data(drop) for drop in drops_of([tenant])],
            }
            for tenant in plan.tenants
        ],
        "snapshot": snapshot_data(plan.saved_first),
        "pause_schedule": schedule.part_data(plan.schedule),
        "cost": cost_data(proposal.cost) if proposal.cost else None,
        "waiting": [waiting_data(each) for each in plan.waiting],
        "notices": [asdict(notice) for notice in plan.notices],
        "dangers": [problem_data(danger) for danger in proposal.dangers],
        "problems": [problem_data(found) for found in plan.problems],
    }


def _rollout_data(rollout: RolloutPlan) -> dict[str, Any]:
    return {
        "stop_after": rollout.stop_after,
        "groups": [
            {"name": group.name, "tenants": list(group.tenants), "pauses": group.pauses} for group in rollout.groups
        ],
    }


def waiting_data(each: Waiting) -> dict[str, Any]:
    """What waits for an operation to end."""
    name = None if each.name == PAUSE_SCHEDULE else each.name
    return {
        "tenant": name,
        "stack": each.stack,
        "status": each.status or None,
        "awaits": list(each.awaits),
        "text": each.sentence,
    }


def _items(items: Sequence[Item], lines: Sequence[Line]) -> list[dict[str, Any]]:
    numbers = {id(line): number for number, line in enumerate(lines)}
    return [
        {
            "sign": item.sign,
            "kind": item.kind,
            "name": item.name,
            "text": "; ".join(str(part) for part in item.parts if not part.is_record),
            "differences": [
                {
                    "what": part.what,
                    "old": part.old or None,
                    "new": part.new or None,
                    "weakens": part.mark or None,
                    "bookkeeping": part.is_record,
                }
                for part in item.parts
            ],
            "weakens": item.weakens,
            "loses_data": item.loses_data,
            "origins": list(item.origins),
            "where": [location_data(place) for place in item.where],
            "relied_on": list(item.relied_on),
            "changes": [numbers[id(line)] for line in item.lines],
        }
        for item in items
    ]


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
