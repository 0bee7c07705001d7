"""Whether an event is one that a rule's pattern describes. Pure.

    matches({"source": ["aws.cloudformation"], "detail": {"status": [{"suffix": "_FAILED"}]}}, event)

Imitated are $or, literal values, prefix, suffix, wildcard, exists and anything-but; a pattern with anything else is
refused where a rule is made. Source: "Comparison operators", Amazon EventBridge User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Pattern = Mapping[str, Any]
_OPERATORS = frozenset({"anything-but", "exists", "prefix", "suffix", "wildcard"})


def check(pattern: Pattern) -> None:
    """Raises ValueError for a pattern that EventBridge refuses, or that is not imitated."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise ValueError("Event pattern is not valid. Reason: an object with at least one field is expected")
    for name, wanted in pattern.items():
        if name == "$or":
            for each in wanted:
                check(each)
        elif isinstance(wanted, Mapping):
            check(wanted)
        elif not isinstance(wanted, list) or not wanted:
            raise ValueError(f'Event pattern is not valid. Reason: "{name}" must be an object or an array')
        else:
            for each in wanted:
                _check_one(name, each)


def matches(pattern: Pattern, event: Mapping[str, Any]) -> bool:
    """Whether every field of a pattern that `check` took agrees with the event."""
    return all(_agrees(name, wanted, event) for name, wanted in pattern.items())


def _check_one(name: str, wanted: Any) -> None:
    if isinstance(wanted, Mapping) and not (len(wanted) == 1 and wanted.keys() <= _OPERATORS):
        raise ValueError(f'Event pattern is not valid. Reason: "{name}" has an operator that is not imitated')


def _agrees(name: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    if name == "$or":
        return any(matches(each, event) for each in wanted)
    value = event.get(name)
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and matches(wanted, value)
    values = value if isinstance(value, list) else [value]
    return any(_is(each, one, is_there=name in event) for each in wanted for one in values)


def _is(wanted: Any, value: Any, *, is_there: bool) -> bool:
    if not isinstance(wanted, Mapping):
        return is_there and type(wanted) is type(value) and wanted == value
    ((operator, operand),) = wanted.items()
    if operator == "exists":
        return is_there is operand
    if operator == "anything-but":
        others = operand if isinstance(operand, list) else [operand]
        return is_there and not any(_is(other, value, is_there=True) for other in others)
    if not isinstance(value, str):
        return False
    if operator == "wildcard":
        return re.fullmatch(".*".join(map(re.escape, operand.split("*"))), value, re.DOTALL) is not None
    return value.startswith(operand) if operator == "prefix" else value.endswith(operand)
