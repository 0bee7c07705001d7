"""Where a file is about, known before it is parsed and checked: from its head, by the same parser.

    glance(text)      Cluster("shared-global", "eu-west-1", account="123456789012"), or None where that is not plain

What comes of it is asked of AWS meanwhile, and thrown away unless the checked file says the same (`is_same_place`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from ruamel.yaml import YAML, events

from aurora_tenants.config.reading import text as text_of
from aurora_tenants.config.scalars import is_merge, resolved
from aurora_tenants.config.yaml_file import BYTE_ORDER_MARK, PARSER_ERRORS
from aurora_tenants.model import Cluster

# What comes before the end of `cluster` in any file that people write; tenants may come first in those of programs.
_MOST_CHARACTERS, _MOST_EVENTS = 100_000, 2_000
_STARTS = (events.MappingStartEvent, events.SequenceStartEvent)
_ENDS = (events.MappingEndEvent, events.SequenceEndEvent)


class _NotPlain(Exception):
    """It takes more than a glance."""


def glance(text: str) -> Cluster | None:
    """The stack, region and account of `cluster`, and nothing else of it."""
    head = text.removeprefix(BYTE_ORDER_MARK)[:_MOST_CHARACTERS]
    try:
        with closing(YAML(typ="safe", pure=False).parse(head)) as stream:
            body = _cluster(islice(stream, _MOST_EVENTS))
    except (_NotPlain, *PARSER_ERRORS):
        return None
    stack = text_of(body, "stack")
    return Cluster(stack, text_of(body, "region"), account=text_of(body, "account")) if stack else None


def is_same_place(one: Cluster, other: Cluster) -> bool:
    """Whether what is read for the one is what is to be read for the other."""
    return (one.stack, one.region, one.account) == (other.stack, other.region, other.account)


def _cluster(stream: Iterator[Any]) -> dict[str, Any]:
    """Its scalars."""
    for event in stream:
        if isinstance(event, events.MappingStartEvent):
            break
        if not isinstance(event, events.StreamStartEvent | events.DocumentStartEvent):
            raise _NotPlain
    for key, value in _members(stream):
        if key == "cluster":
            if not isinstance(value, events.MappingStartEvent):
                raise _NotPlain
            members = _members(stream)
            return {name: scalar for name, event in members if (scalar := _value(stream, event)) is not None}
        _value(stream, value)
    raise _NotPlain


def _members(stream: Iterator[Any]) -> Iterator[tuple[str, Any]]:
    """The keys of a mapping that has begun, each with the event with which its value begins, which is then read."""
    for key in stream:
        if isinstance(key, events.MappingEndEvent):
            return
        if not isinstance(key, events.ScalarEvent) or is_merge(key.value, key.tag, key.style):
            raise _NotPlain
        yield key.value, next(stream, None)
    raise _NotPlain


def _value(stream: Iterator[Any], event: Any) -> Any:
    """A scalar's value; None for a mapping and a list, which it reads to their end."""
    if isinstance(event, events.ScalarEvent):
        return resolved(event.value, event.tag, event.style)
    if not isinstance(event, _STARTS):
        raise _NotPlain
    levels = 1
    while levels:
        event = next(stream, None)
        if event is None:
            raise _NotPlain
        levels += isinstance(event, _STARTS) - isinstance(event, _ENDS)
    return None
