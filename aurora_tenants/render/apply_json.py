"""An apply for a program: what happens, as events, and the result. What each key means stands in
schema/apply.schema.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aurora_tenants.apply import Pace, Result, Step
from aurora_tenants.errors import Problem
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.plan import Plan, Proposal
from aurora_tenants.render.plan_json import plan_data, waiting_data
from aurora_tenants.render.problems import problem_data
from aurora_tenants.render.progress import pace_sentence
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.busy import Waiting


def plan_event(proposal: Proposal) -> dict[str, Any]:
    """What is about to be done."""
    return {"event": "plan", "plan": plan_data(proposal)}


def step_events(step: Step | Pace, *, is_first: bool) -> Iterable[dict[str, Any]]:
    """What one step says. is_first: of its stack."""
    if isinstance(step, Pace):
        numbers = {"throttled": step.throttled, "calls": step.calls, "parallel": step.parallel}
        yield {"event": "throttled", **numbers, "text": pace_sentence(step)}
        return
    about = _about(step.stack)
    if is_first:
        yield {"event": "started", **about}
    if event := step.event:
        said = {"resource": event.resource, "type": event.type, "status": event.status, "reason": event.reason}
        yield {"event": "resource", **about, **said}
    if step.waits:
        yield {"event": "waits", **about, "text": step.waits}
    if step.result:
        yield {"event": "ended", **result_entry(step.result)}


def busy_event(busy: Mapping[str, str]) -> dict[str, Any]:
    """The stacks that are waited for."""
    return {"event": "busy", "stacks": [{"stack": name, "status": status} for name, status in sorted(busy.items())]}


def interrupted_event(in_flight: Sequence[str], text: str, *, is_followed: bool) -> dict[str, Any]:
    """That nothing more begins. is_followed: what is in flight is followed to its end."""
    return {"event": "interrupted", "in_flight": list(in_flight), "is_followed": is_followed, "text": text}


def result_entry(result: Result) -> dict[str, Any]:
    """How one stack ended."""
    return {
        **_about(result.stack),
        "outcome": result.ending,
        "seconds": round(result.seconds, 1),
        "problems": [problem_data(problem) for problem in result.problems],
    }


def apply_data(
    proposal: Proposal,
    results: Sequence[Result],
    waiting: Sequence[Waiting],
    problems: Iterable[Problem],
    *,
    outcome: str,
    seconds: float,
    left: Sequence[str],
    again: str,
) -> dict[str, Any]:
    """The result. outcome: in a word. left: names of what is not as the file says. again: the command for that."""
    return {
        "version": 1,
        "account": proposal.account,
        "region": proposal.region,
        "cluster": proposal.plan.cluster.stack,
        "outcome": outcome,
        "seconds": round(seconds, 1),
        "counts": _counts(proposal.plan, results, waiting),
        "stacks": [result_entry(result) for result in results],
        "waiting": [waiting_data(each) for each in waiting],
        "left": list(left),
        "again": again or None,
        "problems": [problem_data(problem) for problem in problems],
    }


def _counts(plan: Plan, results: Sequence[Result], waiting: Sequence[Waiting]) -> dict[str, int]:
    endings = [result.ending for result in results]
    return {
        "applied": endings.count("applied"),
        "elsewhere": endings.count("elsewhere"),
        "failed": endings.count("failed"),
        "not_started": endings.count("not started"),
        "stopped": endings.count("stopped"),
        "waiting": len(waiting),
        "unchanged": len(plan.tenants) - len(plan.changed),
    }


def _about(stack: StackPlan) -> dict[str, Any]:
    tenant = None if stack.part == PAUSE_SCHEDULE else stack.part
    return {"tenant": tenant, "stack": stack.name, "action": stack.action}
