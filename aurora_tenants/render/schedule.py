"""The pause schedule as text and JSON: its part of a plan, its week, what comes next, its cost. Decides nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from itertools import groupby
from typing import Any

from aurora_tenants.config import pause
from aurora_tenants.model import Capacity, PauseSchedule
from aurora_tenants.render.cost import cost_data, cost_lines
from aurora_tenants.render.stacks import STYLES, heading
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import printable
from aurora_tenants.schedule.plan import SchedulePlan, acu, is_held
from aurora_tenants.schedule.view import View
from aurora_tenants.schedule.week import DAYS, ClockChange, Span, Transition, day

_SYMBOLS = {"create": "+", "alter": "~", "drop": "-"}


def part(plan: SchedulePlan | None) -> Text:
    """Its part of a plan, in the form of a tenant; nothing when nothing is to be done."""
    if plan is None or not plan.stack.is_changed:
        return Text()
    text = Text("\n")
    text.append(heading(plan.stack, drifted="the schedules were changed by somebody else" if plan.changes else ""))
    for change in plan.changes:
        symbol = _SYMBOLS[change.action]
        text.append(f"    {symbol} {change.action:<7} ", STYLES[symbol])
        text.append(printable(f"schedule {change.schedule}{f': {change.text}' if change.text else ''}") + "\n")
    if plan.stack.action == "delete":
        text.append(f"    the cluster's scaling stays as it is now: {_scaling(plan)}\n")
    return text


def _scaling(plan: SchedulePlan) -> str:
    capacity = plan.live.cluster.capacity
    return acu(capacity) if capacity else "it is not Serverless v2"


def part_data(plan: SchedulePlan | None) -> dict[str, Any] | None:
    """Its part of a plan for a program."""
    if plan is None:
        return None
    return {
        "stack": plan.stack.name,
        "action": plan.stack.action,
        "origin": plan.stack.origin if plan.stack.is_changed else None,
        "changes": [asdict(change) for change in plan.changes],
        "scaling": capacity_data(plan.live.cluster.capacity),
    }


def capacity_data(capacity: Capacity | None) -> dict[str, float] | None:
    """A capacity for a program. The seconds are of effect only where min_acu is 0."""
    return asdict(capacity) if capacity else None


def deployed(plan: SchedulePlan) -> str:
    """What apply says at its end."""
    if plan.schedule is None:
        return f"The pause schedule is removed; the cluster's scaling stays as it is: {_scaling(plan)}."
    return "The pause schedule is deployed, and the cluster has the capacity it sets for this hour."


# What `pause-schedule` shows

# The first mark is of the asleep, the others of the awake capacities in the order of the file.
_MARKS, _PLAIN_MARKS = "·█▓▒░", ".#%=+"
# A mark is half an hour; in a terminal that has no room for 48 marks behind the day's name, an hour.
_MARK_MINUTES, _NARROW_MARK_MINUTES = 30, 60
_WEEK_COLUMNS = 7 + 48 + 2


def week(schedule: PauseSchedule, *, is_plain: bool = False, columns: int = 80) -> Text:
    """The week as a picture, one row for each day. is_plain: with characters that every terminal has.

    columns: how many the terminal has.
    """
    marks = _marks(schedule, _PLAIN_MARKS if is_plain else _MARKS)
    minutes = _MARK_MINUTES if columns >= _WEEK_COLUMNS else _NARROW_MARK_MINUTES
    text = Text()
    hours = "".join(f"{hour:02}".ljust(180 // minutes) for hour in range(0, 24, 3))
    text.append(f"       {hours}24\n", "dim")
    for weekday, name in enumerate(DAYS):
        text.append(f"  {name.capitalize()}  ")
        for is_awake, run in groupby(_longest(schedule, weekday, minutes), key=lambda span: span.is_awake):
            text.append("".join(marks[span.capacity] for span in run), "green" if is_awake else "blue")
        text.append("\n")
    asleep = schedule.asleep
    for capacity, mark in sorted(marks.items(), key=lambda entry: entry[0] == asleep):
        text.append(f"       {mark} {'asleep' if capacity == asleep else 'awake'}: {acu(capacity)}\n")
    return text


def _marks(schedule: PauseSchedule, marks: str) -> dict[Capacity, str]:
    found = {schedule.asleep: marks[0]}
    for window in schedule.awake:
        found.setdefault(window.capacity, marks[min(len(found), len(marks) - 1)])
    return found


def _longest(schedule: PauseSchedule, weekday: int, minutes: int) -> list[Span]:
    """What holds longest in each part of a day of so many minutes."""
    spans = day(schedule, weekday)

    def minutes_in(span: Span, start: int) -> int:
        return min(span.end, start + minutes) - max(span.start, start)

    return [max(spans, key=lambda span: minutes_in(span, start)) for start in range(0, 1440, minutes)]


def show(view: View, *, is_plain: bool = False, columns: int = 80) -> Text:
    """All that `pause-schedule show` says. columns: how many the terminal has."""
    text = Text()
    schedule = view.schedule
    if schedule is None:
        text.append(f"{view.file} has no pause schedule.\n\n")
    else:
        text.append(f"Pause schedule of {view.file} in {schedule.timezone}\n\n", "bold")
        text.append(week(schedule, is_plain=is_plain, columns=columns))
        text.append("\nNext\n", "bold")
        for transition in view.following:
            local = f"{transition.local:%a %Y-%m-%d %H:%M}"
            text.append(f"  {local} ({_offset(transition.local.utcoffset())})  {transition.at:%a %H:%M} UTC")
            text.append(f"  {_state(transition.is_awake)}: {acu(transition.capacity)}\n")
        if not view.following:
            text.append("  nothing: the same capacity holds all week\n")
        if view.clock_changes:
            text.append("\nThe clock within a year\n", "bold")
            for change in view.clock_changes:
                text.append(_clock_change(change))
    text.append("\nNow\n" if schedule else "Now\n", "bold")
    for line in _now(view):
        text.append(f"  {line}\n")
    if view.cost:
        text.append("\nA month\n", "bold")
        text.append("\n".join(f"  {line}" for line in cost_lines(view.cost)))
    text.rstrip()
    return text


def _state(is_awake: bool) -> str:
    return "awake" if is_awake else "asleep"


def _offset(distance: timedelta | None) -> str:
    minutes = int((distance or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _clock_change(change: ClockChange) -> str:
    text = f"  {change.at:%a %Y-%m-%d %H:%M} UTC: from {_offset(change.before)} to {_offset(change.after)}, "
    minutes = int((change.after - change.before).total_seconds()) // 60
    text += f"so that all of it comes {abs(minutes)} min {'earlier' if minutes > 0 else 'later'} in UTC\n"
    for lost in change.skipped:
        text += f"    {lost.local:%a %H:%M} does not exist that day: {_state(lost.is_awake)} is skipped, "
        text += f"{acu(lost.stays)} stays until {lost.until:%a %Y-%m-%d %H:%M} UTC\n"
    for twice in change.repeated:
        text += f"    {twice.local:%a %H:%M} comes twice that day: {_state(twice.is_awake)} the first time only, "
        text += f"at {twice.at:%H:%M} UTC\n"
    return text


def _now(view: View) -> list[str]:
    """The stack against the file, and the cluster's scaling against the hour."""
    plan, cluster = view.plan, view.plan.live.cluster
    stack = {
        "none": f"stack {plan.stack.name} is deployed as the file says" if plan.schedule else "no schedule is deployed",
        "create": f"stack {plan.stack.name} is not deployed yet; apply deploys it",
        "delete": f"stack {plan.stack.name} is still deployed; apply removes it",
    }.get(plan.stack.action, f"stack {plan.stack.name} differs from the file; plan shows how")
    if plan.problems:
        stack = f"stack {plan.stack.name} cannot be deployed: {plan.problems[0].what}"
    lines = [stack]
    scaling = acu(cluster.capacity) if cluster.capacity else "nowhere: it is not Serverless v2"
    measured = "not measured in the last minutes" if view.acu is None else f"{view.acu:g} ACU" if view.acu else "paused"
    lines.append(f"the cluster scales {scaling}; it is at this moment: {measured}")
    if view.should_be and not is_held(cluster.capacity, view.should_be):
        lines.append(f"the schedule sets for this hour: {acu(view.should_be)}")
    return [*lines, *(notice.text for notice in plan.notices)]


def show_data(view: View) -> dict[str, Any]:
    """The same for a program. Instants are in UTC, `local` is the same one in the schedule's zone."""
    cluster = view.plan.live.cluster
    return {
        "version": 1,
        "file": view.file,
        "pause_schedule": pause.as_data(view.schedule) if view.schedule else None,
        "stack": part_data(view.plan),
        "week": [
            {"day": name, "spans": [_span_data(span) for span in day(view.schedule, weekday)]}
            for weekday, name in enumerate(DAYS)
        ]
        if view.schedule
        else [],
        "next": [_transition_data(transition) for transition in view.following],
        "clock_changes": [_clock_change_data(change) for change in view.clock_changes],
        "cluster": {
            "scaling": capacity_data(cluster.capacity),
            "should_be": capacity_data(view.should_be),
            "acu": view.acu,
            "is_paused": None if view.acu is None else view.acu == 0,
            "engine_version": cluster.engine_version,
        },
        "cost": cost_data(view.cost) if view.cost else None,
        "notices": [asdict(notice) for notice in view.plan.notices],
    }


def _span_data(span: Span) -> dict[str, Any]:
    start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (span.start, span.end))
    return {"from": start, "to": end, "state": _state(span.is_awake), "capacity": capacity_data(span.capacity)}


def _transition_data(transition: Transition) -> dict[str, Any]:
    return {
        "at": transition.at.isoformat(),
        "local": transition.local.isoformat(),
        "state": _state(transition.is_awake),
        "capacity": capacity_data(transition.capacity),
    }


def _clock_change_data(change: ClockChange) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(),
        "utc_offset_minutes_before": int(change.before.total_seconds()) // 60,
        "utc_offset_minutes_after": int(change.after.total_seconds()) // 60,
        "skipped": [
            {
                "local": lost.local.isoformat(),
                "state": _state(lost.is_awake),
                "stays": capacity_data(lost.stays),
                "until": lost.until.isoformat(),
            }
            for lost in change.skipped
        ],
        "repeated": [_transition_data(twice) for twice in change.repeated],
    }
