"""What `shared deploy` would do, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aurora_tenants.preview import Change, Difference, Preview
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import count, printable
from aurora_tenants.schedule.cost import SECRET, Size

_STYLES = {
    "create": "green",
    "change": "yellow",
    "replace": "bold red",
    "may replace": "bold red",
    "delete": "bold red",
}
_SYMBOLS = {"create": "+", "change": "~", "replace": "!", "may replace": "!", "delete": "-"}
# How much of a value is shown, and how much of what is the same before it.
_LONGEST, _LEAD = 60, 20


def preview_text(previews: Sequence[Preview]) -> Text:
    """Each stack with each resource, and of what is changed each property with its values."""
    text = Text()
    for preview in previews:
        new = "new, " if preview.is_new else ""
        count = len(preview.changes)
        text.append(f"stack {preview.stack}  ({new}{count} resource{'' if count == 1 else 's'})\n", "bold")
        if not preview.changes:
            text.append("  nothing but outputs or tags\n")
        for change in preview.changes:
            text.append(_change(change))
    text.rstrip()
    return text


def cost_text(before: Size | None, after: Size | None, secrets: int, region: str) -> str:
    """What it costs a month more or less, as far as the price is known; empty where it costs the same."""
    parts = []
    if after and before != after:
        month, earlier = after.month(region), before.month(region) if before else None
        size = f"{after.min_acu:f} to {after.max_acu:f} ACU on {count(after.instances, 'instance')}"
        if month is None:
            parts.append(f"{size}, whose price in {region} is not known here")
        else:
            was = f", before ${earlier[0]:,} to ${earlier[1]:,}" if earlier else ""
            parts.append(f"${month[0]:,} to ${month[1]:,} for {size}{was}")
    if secrets:
        sign = "more" if secrets > 0 else "less"
        parts.append(f"${abs(secrets) * SECRET:,} {sign} for {count(abs(secrets), 'secret')}")
    return f"A month: {'; '.join(parts)}. Storage, I/O and load are left out." if parts else ""


def _change(change: Change) -> Text:
    style = _STYLES[change.action]
    text = Text(f"  {_SYMBOLS[change.action]} {change.action:<7} {printable(change.logical_id)}  ", style)
    text.append(printable(change.type), "dim")
    marks = [*(["interrupts"] if change.interrupts else []), *(["loses data"] if change.loses_data else [])]
    if marks:
        text.append(f"  {', '.join(marks)}", "bold red")
    if change.keeps and change.action != "change":
        text.append(f"  ({change.keeps})", "dim")
    text.append("\n")
    for difference in change.differences:
        text.append(printable(f"      {difference.name}{_values(difference)}") + "\n")
    return text


def _values(difference: Difference) -> str:
    if not (difference.before or difference.after):
        return ""
    first, second = (" ".join(value.split()) for value in (difference.before, difference.after))
    differ = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    same = max(0, differ - _LEAD) if max(len(first), len(second)) > _LONGEST else 0
    before, after = (_short(line, same) if line else "nothing" for line in (first, second))
    return f": {before} -> {after}"


def _short(line: str, same: int) -> str:
    """Of a long value a part, from shortly before the two values differ. same: how much of it is left out."""
    shown = f"…{line[same:]}" if same else line
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def preview_data(previews: Sequence[Preview]) -> list[dict[str, Any]]:
    """The same as JSON values, in full."""
    return [
        {
            "stack": preview.stack,
            "is_new": preview.is_new,
            "changes": [
                {
                    "resource": change.logical_id,
                    "type": change.type,
                    "action": change.action,
                    "interrupts": change.interrupts,
                    "loses_data": change.loses_data,
                    "keeps": change.keeps,
                    "properties": [
                        {"name": each.name, "before": each.before, "after": each.after, "recreation": each.recreation}
                        for each in change.differences
                    ],
                }
                for change in preview.changes
            ],
        }
        for preview in previews
    ]
