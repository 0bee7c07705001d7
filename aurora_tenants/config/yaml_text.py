"""Where everything in a YAML text is written, as offsets, and how new values are written in the same style.

A collection in block style ends where its last member ends: blank lines and comments after it belong to nothing.

    nodes("a: {b: 1}")      Node("mapping", 0, 9, …), whose member is Node("scalar", 0, 1, …), Node("mapping", 3, 9, …)
    flow({"days": "MON-FRI", "from": "07:00"}, Style())      {days: MON-FRI, from: "07:00"}
    block({"awake": [{"days": "MON"}]}, 2, Style())            awake:
                                                                 - {days: MON}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ruamel.yaml import YAML, events

Kind = Literal["scalar", "alias", "mapping", "sequence"]
_BREAK = re.compile("\r\n|\r|\n")
# Texts that every YAML version reads as text without quotes. A time is not one of them: to YAML 1.1 it is a number.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/+-]*(,[A-Za-z0-9_/+-]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
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
    match = _BREAK.search(text, at)
    return match.span() if match else (len(text), len(text))


def line_break(text: str) -> str:
    """What ends the first line of a text."""
    match = _BREAK.search(text)
    return match.group() if match else "\n"


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


# Style


@dataclass(frozen=True, slots=True)
class Style:
    """step: columns a mapping is indented by. dash: columns a list's dashes are. space: between braces and content.

    is_json: every key and every text is quoted. has_flow: a mapping of scalars is written on one line.
    """

    quote: str = '"'
    step: int = 2
    dash: int = 2
    space: str = ""
    newline: str = "\n"
    is_json: bool = False
    has_flow: bool = True

    def quoted(self, quote: str) -> Style:
        """The same style for a scalar that is in these quotes already, or in none."""
        return replace(self, quote=quote or self.quote, is_json=bool(quote))


def style_of(text: str, top: Node, key: Node, cluster: Node) -> Style:
    """The style of a file, and of its mapping `cluster` most of all. key: the key of cluster."""
    quotes = Counter(node.style for node in walk(top) if node.kind == "scalar")
    mappings = [node for node in walk(top) if node.kind == "mapping" and node.members]
    flows, blocks = [node for node in mappings if node.is_flow], [node for node in mappings if not node.is_flow]
    first = cluster.members[0][0]
    step = 2 if cluster.is_flow else max(first.column - key.column, 1)
    is_json = cluster.is_flow and first.style == '"'
    return Style(
        quote="'" if quotes["'"] > quotes['"'] and not is_json else '"',
        step=step,
        dash=next(_dashes(blocks), step),
        space=" " if flows and text[flows[0].members[0][0].start - 1] == " " else "",
        newline=line_break(text[key.start :]),
        is_json=is_json,
        # A mapping below the second level could have been written on one line.
        has_flow=bool(flows) or all(node.column <= step for node in blocks),
    )


def _dashes(mappings: list[Node]) -> Iterator[int]:
    """How many columns the dashes of each list are to the right of its key."""
    for name, value in (member for node in mappings for member in node.members):
        if value.kind == "sequence" and not value.is_flow:
            yield value.column - name.column


def scalar(value: Any, style: Style, *, is_flow: bool) -> str:
    """A text or a number. is_flow: whether it is inside braces or brackets, where a comma ends it."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not (is_flow and "," in value)
    if is_plain and not style.is_json:
        return value
    return style.quote + value + style.quote


def flow(value: Any, style: Style = Style(), *, is_open: bool = False) -> str:
    """A value on one line. is_open: the members of a mapping without their braces."""
    if isinstance(value, dict):
        members = ", ".join(f"{_key(key, style)}: {flow(member, style)}" for key, member in value.items())
        return members if is_open else f"{{{style.space}{members}{style.space}}}"
    if isinstance(value, list):
        return f"[{', '.join(flow(item, style) for item in value)}]"
    return scalar(value, style, is_flow=True)


def block(mapping: dict[str, Any], column: int, style: Style) -> list[str]:
    """A mapping as lines, without their ends. Mappings of scalars in it are on one line, where the file has such."""
    lines = []
    for key, value in mapping.items():
        lead = f"{' ' * column}{key}:"
        if isinstance(value, list):
            lines.append(lead)
            for item in value:
                lines += _item(item, column + style.dash, style)
        elif isinstance(value, dict) and not (style.has_flow and _is_flat(value)):
            lines += [lead, *block(value, column + style.step, style)]
        else:
            text = flow(value, style) if isinstance(value, dict) else scalar(value, style, is_flow=False)
            lines.append(f"{lead} {text}")
    return lines


def _item(item: dict[str, Any], column: int, style: Style) -> list[str]:
    if style.has_flow:
        return [f"{' ' * column}- {flow(item, style)}"]
    lines = block(item, column + 2, style)
    return [f"{' ' * column}- {lines[0].lstrip(' ')}", *lines[1:]]


def _is_flat(mapping: dict[str, Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in mapping.values())


def _key(key: str, style: Style) -> str:
    return f'"{key}"' if style.is_json else key
