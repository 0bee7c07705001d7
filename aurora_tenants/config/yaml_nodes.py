"""Where everything of a YAML text is written, as offsets into it, so that parts of it can be changed and no other byte.

Of a collection in block style the end is that of its last member: blank lines and comments after it belong to nothing.

    nodes("a: {b: 1}")      Node("mapping", 0, 9, …), whose member is Node("scalar", 0, 1, …), Node("mapping", 3, 9, …)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML, events

Kind = Literal["scalar", "alias", "mapping", "sequence"]
_BREAK = re.compile("\r\n|\r|\n")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Node:
    """One value or key. start, end: offsets into the text; column: of start, from 0.

    value: a scalar's text. style: what quotes or introduces a scalar, empty for a plain one. members: of a mapping,
    each its key and value; of a list, each its value twice.
    """

    kind: Kind
    start: int
    end: int
    column: int
    value: str = ""
    style: str = ""
    is_flow: bool = False
    members: tuple[tuple[Node, Node], ...] = ()

    def member(self, key: str) -> tuple[Node, Node] | None:
        """The key and the value of a mapping's member; None when it has none, or it is merged in from elsewhere."""
        for name, value in self.members:
            if self.kind == "mapping" and name.kind == "scalar" and name.value == key:
                return name, value
        return None


def nodes(text: str) -> Node:
    """The top of the only document of a text without a byte order mark. Raises ruamel's YAMLError."""
    stream = iter(YAML(typ="safe", pure=False).parse(text))
    first = next(event for event in stream if isinstance(event, events.NodeEvent))  # yaml_file refuses an empty text
    return _node(first, stream, text)


def walk(node: Node) -> Iterator[Node]:
    """A node and all in it."""
    yield node
    for key, value in node.members:
        if node.kind == "mapping":
            yield from walk(key)
        yield from walk(value)


def comments(text: str, start: int, end: int, inside: Node) -> list[str]:
    """The comments between two offsets. inside: the node of which that is a part."""
    hidden = list(text)
    for node in walk(inside):
        if node.kind == "scalar":
            hidden[node.start : node.end] = "x" * (node.end - node.start)
    return [text[match.start() : match.end()].rstrip() for match in _COMMENT.finditer("".join(hidden), start, end)]


def line_start(text: str, at: int) -> int:
    """The offset at which the line of an offset begins."""
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def line_end(text: str, at: int) -> tuple[int, int]:
    """The offsets at which the line of an offset ends, and at which the next one begins."""
    found = _BREAK.search(text, at)
    return found.span() if found else (len(text), len(text))


def line_break(text: str) -> str:
    """What ends the first line of a text."""
    found = _BREAK.search(text)
    return found.group() if found else "\n"


def _node(event: Any, stream: Iterator[Any], text: str) -> Node:
    start, end, column = event.start_mark.index, event.end_mark.index, event.start_mark.column
    if isinstance(event, events.AliasEvent):
        return Node("alias", start, end, column)
    if isinstance(event, events.ScalarEvent):
        end = start + len(text[start:end].rstrip())
        return Node("scalar", start, end, column, event.value, event.style or "")
    is_mapping = isinstance(event, events.MappingStartEvent)
    members = []
    while not isinstance(following := next(stream), events.CollectionEndEvent):
        first = _node(following, stream, text)
        members.append((first, _node(next(stream), stream, text) if is_mapping else first))
    last = following.end_mark.index if event.flow_style else members[-1][1].end if members else end
    kind: Kind = "mapping" if is_mapping else "sequence"
    return Node(kind, start, last, column, is_flow=bool(event.flow_style), members=tuple(members))
