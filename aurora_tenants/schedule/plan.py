"""What `apply` would do to the pause schedule: the file's against the stack and the schedules that are there. Pure.

                    file    stack                          schedules           action
new                 there   none                           none                create
changed file        there   another digest                 as they were        update, origin "file"
drift               there   same digest                    changed, disabled,  update, origin "drift"
                                                           deleted by hand
failed create       there   ROLLBACK_COMPLETE              perhaps some        replace
no longer wanted    none    there                          there               delete

The cluster's scaling is never compared: the schedules change it by design.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Literal

from aurora_tenants.errors import Notice, Problem
from aurora_tenants.model import Capacity, Cluster, PauseSchedule
from aurora_tenants.naming import DIGEST, PART_TAG, PAUSE_SCHEDULE, REVISION, pause_stack, pause_tags, schedule_group
from aurora_tenants.schedule.template import Entry, entries, is_of_revision, pause_template, without_revision
from aurora_tenants.schedule.week import lacks_auto_pause
from aurora_tenants.stack import Action, Deployed, Shared, Stack, StackPlan, Template, busy, stuck

_ABOUT, _SECONDS = "pause schedule", "SecondsUntilAutoPause"


@dataclass(frozen=True, slots=True)
class LiveCluster:
    """What RDS says of the cluster, and when it said so, by AWS's clock.

    capacity: None for a cluster that is not Serverless v2; its seconds are 300 where RDS tells none. provisioned: its
    instances that do not scale, each with its class.
    """

    engine_version: str
    capacity: Capacity | None
    is_io_optimized: bool
    now: datetime
    provisioned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LivePause:
    """What there is of a pause schedule. entries: None when its group is gone. dead_letters: events not delivered."""

    cluster: LiveCluster
    entries: tuple[Entry, ...] | None = ()
    dead_letters: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """One schedule that would be made, changed or dropped, by its name without the revision."""

    action: Literal["create", "alter", "drop"]
    schedule: str
    text: str


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """What happens to the pause schedule's stack. schedule: what the file says, None for nothing.

    live: what the plan was made from. notices: what is worth knowing and not touched.
    """

    stack: StackPlan
    live: LivePause
    schedule: PauseSchedule | None = None
    changes: tuple[ScheduleChange, ...] = ()
    notices: tuple[Notice, ...] = ()
    problems: tuple[Problem, ...] = ()


def plan_schedule(cluster: Cluster, shared: Shared, deployed: Deployed, live: LivePause) -> SchedulePlan:
    """The difference between the schedule of the file and what is deployed of it."""
    wanted, stack = cluster.pause_schedule, deployed.pause_schedule
    revision = _revision_of(stack) if stack else 1
    there = _by_name(entry for entry in live.entries or () if stack and is_of_revision(entry.name, revision))
    stack_plan = StackPlan(
        pause_stack(cluster),
        PAUSE_SCHEDULE,
        _ABOUT,
        tags=pause_tags(cluster),
        role_arn=shared.role_arn,
        status=stack.status if stack else "",
    )
    changes: tuple[ScheduleChange, ...] = ()
    if wanted is None:
        stack_plan = replace(stack_plan, action="delete" if stack else "none")
        changes = tuple(ScheduleChange("drop", name, "") for name in sorted(there))
    elif is_equipped(shared):
        stack_plan = replace(stack_plan, template=pause_template(cluster, wanted, shared))
        desired = _by_name(entries(wanted, shared, revision=revision))
        if stack and stack.was_begun and not stack.is_only_to_delete:
            changes = _difference(desired, there)
            stack_plan = _updated(stack_plan, stack, live, differs=bool(changes))
        else:
            changes = _difference(desired, {})
            stack_plan = _created(stack_plan, stack, live)
    return SchedulePlan(
        stack_plan,
        live,
        wanted,
        changes,
        notices=tuple(_notices(cluster, live, there.values())),
        problems=tuple(_problems(cluster, shared, deployed, live)),
    )


def _created(stack_plan: StackPlan, stack: Stack | None, live: LivePause) -> StackPlan:
    action: Action = "replace" if stack and stack.is_only_to_delete else "create"
    return replace(stack_plan, action=action, parameters={REVISION: str(_next_revision(0, live.entries or ()))})


def _updated(stack_plan: StackPlan, stack: Stack, live: LivePause, *, differs: bool) -> StackPlan:
    """differs: the schedules that are there are not what the file says."""
    is_other = isinstance(stack_plan.template, Template) and stack.outputs.get(DIGEST) != stack_plan.template.digest
    has_to = is_other or differs or stack.state.has_to_end
    revision = _revision_of(stack)
    return replace(
        stack_plan,
        action="update" if has_to else "none",
        origin="file" if is_other else "drift",
        parameters={REVISION: str(_next_revision(revision, live.entries or ()) if has_to else revision)},
    )


def _problems(cluster: Cluster, shared: Shared, deployed: Deployed, live: LivePause) -> Iterator[Problem]:
    """What stands in the way."""
    if deployed.pause_schedule:
        yield from busy(deployed.pause_schedule, _ABOUT)
        if cluster.pause_schedule:
            yield from stuck(deployed.pause_schedule, _ABOUT)
    if pause_stack(cluster) in deployed.others:
        yield _taken(cluster)
    if cluster.pause_schedule:
        yield from unusable(cluster, cluster.pause_schedule, shared, live.cluster)
        if live.entries is None:
            yield _no_group(cluster)


def is_equipped(shared: Shared) -> bool:
    """Whether the shared stack has what schedules work with; those from before the pause schedule have not."""
    return bool(shared.pause_role_arn and shared.pause_dead_letters)


def unusable(cluster: Cluster, wanted: PauseSchedule, shared: Shared, live: LiveCluster) -> list[Problem]:
    """Why a schedule cannot be deployed on this shared stack and cluster."""
    problems = []
    if not is_equipped(shared):
        what = f"stack {cluster.stack} is too old for a pause schedule: it has no output PauseScheduleRole"
        why = "the role that the schedules work with stands in the shared stack"
        fix = f"run: aurora-tenants shared deploy --stack {cluster.stack}"
        problems.append(Problem("old-shared-stack", what, why, fix))
    if live.capacity is None:
        what = f"the cluster of stack {cluster.stack} is not Serverless v2, so there is nothing to schedule"
        problems.append(Problem("not-serverless", what, "only Serverless v2 scales between a minimum and a maximum"))
    elif live.provisioned:
        what = f"the cluster of stack {cluster.stack} is provisioned in part: {', '.join(live.provisioned)}"
        fix = "make each of its instances a db.serverless: `aurora-tenants doctor` says how"
        problems.append(Problem("not-serverless", what, "a cluster with a provisioned instance never pauses", fix))
    capacities = (wanted.asleep, *(window.capacity for window in wanted.awake))
    return [*problems, *cannot_pause(live, capacities)]


def cannot_pause(live: LiveCluster, capacities: Iterable[Capacity]) -> list[Problem]:
    """Why a cluster cannot be brought to these capacities: it may not pause before it can."""
    if all(capacity.min_acu for capacity in capacities) or not lacks_auto_pause(live.engine_version):
        return []
    what = f"the cluster cannot pause: its engine version is {live.engine_version}"
    why = "a minimum of 0 ACU needs Aurora MySQL 3.08.0 or later"
    fix = "give a minimum of 0.5, or deploy the shared stack with a later version (its parameter EngineVersion)"
    return [Problem("no-auto-pause", what, why, fix)]


def described(entry: Entry) -> str:
    """`cron(0 7 ? * MON-FRI *) in Europe/Berlin: 0.5 to 4 ACU`."""
    return f"{entry.expression} in {entry.timezone}: {_sent(entry.input)}"


def acu(capacity: Capacity) -> str:
    """`0.5 to 4 ACU`, `0 to 2 ACU, pauses after 5 min`."""
    text = f"{capacity.min_acu:g} to {capacity.max_acu:g} ACU"
    return text if capacity.min_acu else f"{text}, pauses after {_duration(capacity.pause_after_seconds)}"


def is_held(live: Capacity | None, wanted: Capacity) -> bool:
    """Whether a cluster scales as wanted. RDS tells no seconds while the minimum is not 0: they do not hold then."""
    if live is None or (live.min_acu, live.max_acu) != (wanted.min_acu, wanted.max_acu):
        return False
    return bool(wanted.min_acu) or live.pause_after_seconds == wanted.pause_after_seconds


def _duration(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _sent(text: str) -> str:
    """What an input sends, as far as it is one of ours; the text itself for any other."""
    try:
        scaling = json.loads(text)["ServerlessV2ScalingConfiguration"]
        capacity = Capacity(scaling["MinCapacity"], scaling["MaxCapacity"])
        sent = acu(replace(capacity, pause_after_seconds=scaling[_SECONDS]) if _SECONDS in scaling else capacity)
    except (ValueError, KeyError, TypeError, AttributeError):
        return text
    is_refused = scaling["MinCapacity"] and _SECONDS in scaling
    return f"{sent} with {_SECONDS}, which RDS refuses" if is_refused else sent


def _difference(desired: Mapping[str, Entry], live: Mapping[str, Entry]) -> tuple[ScheduleChange, ...]:
    changes = []
    for name in sorted(desired.keys() | live.keys()):
        if name not in live:
            changes.append(ScheduleChange("create", name, described(desired[name])))
        elif name not in desired:
            changes.append(ScheduleChange("drop", name, described(live[name])))
        elif differing := _differing(desired[name], live[name]):
            changes.append(ScheduleChange("alter", name, differing))
    return tuple(changes)


def _differing(desired: Entry, live: Entry) -> str:
    """`state is DISABLED, not ENABLED; …`; empty if nothing differs but the revision."""
    parts = []
    for field in fields(Entry):
        is_now, should_be = getattr(live, field.name), getattr(desired, field.name)
        if field.name == "name" or is_now == should_be:
            continue
        if field.name == "input" and _sent(is_now) != _sent(should_be):
            is_now, should_be = _sent(is_now), _sent(should_be)
        is_now, should_be = ("unset" if value == "" else value for value in (is_now, should_be))
        parts.append(f"{_WORDS[field.name]} is {is_now}, not {should_be}")
    return "; ".join(parts)


_WORDS = {
    "expression": "time",
    "timezone": "zone",
    "input": "what it sends",
    "target": "target",
    "role_arn": "role",
    "dead_letters_arn": "dead-letter queue",
    "state": "state",
    "flexible": "time window",
    "max_age_seconds": "age of an event in seconds",
    "attempts": "number of attempts",
    "bounds": "start or end",
}


def _notices(cluster: Cluster, live: LivePause, own: Iterable[Entry]) -> Iterator[Notice]:
    """Events that were lost, and schedules of the group that are not the stack's own: they fire too."""
    names = {entry.name for entry in own}
    if live.dead_letters:
        count = f"{live.dead_letters} change{'s' if live.dead_letters > 1 else ''} of the cluster's scaling"
        text = f"{count} failed in the last 14 days; the reason stands in the queue of output PauseScheduleDeadLetters"
        yield Notice("dead-letters", text)
    for entry in live.entries or ():
        if entry.name not in names:
            group = schedule_group(cluster)
            text = f"schedule {entry.name} of group {group} is not in the stack, and fires: {described(entry)}"
            yield Notice("foreign-schedule", text)


def _by_name(found: Iterable[Entry]) -> dict[str, Entry]:
    return {without_revision(entry.name): entry for entry in found}


def _revision_of(stack: Stack) -> int:
    """1 for a stack that has no number there."""
    return int(stack.revision) if stack.revision.isdecimal() else 1


def _next_revision(deployed: int, live: Iterable[Entry]) -> int:
    """One under which no schedule is there: those that a failed deletion left behind keep their names."""
    names = (entry.name for entry in live if entry.name != without_revision(entry.name))
    return 1 + max([deployed, *(int(name.rpartition("-r")[2]) for name in names)])


def _taken(cluster: Cluster) -> Problem:
    what = f"there is a stack {pause_stack(cluster)} that is not the pause schedule's"
    why = f"it does not have the tag {PART_TAG}={PAUSE_SCHEDULE}; deploying would delete all that is in it"
    return Problem("stack-not-ours", what, why, "deploy that stack under another name", context=_ABOUT)


def _no_group(cluster: Cluster) -> Problem:
    what = f"the schedule group {schedule_group(cluster)} is gone"
    why = f"stack {cluster.stack} made it, and somebody deleted it"
    fix = f"aws scheduler create-schedule-group --name {schedule_group(cluster)}, then try again"
    return Problem("no-schedule-group", what, why, fix, context=_ABOUT)
