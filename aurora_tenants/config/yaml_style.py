"""How a file writes its YAML, and values written in the same way.

flow({"days": "MON-FRI", "from": "07:00"}, Style())                 {days: MON-FRI, from: "07:00"}
block({"awake": [{"days": "MON,WED"}]}, 2, Style())                   awake:
                                                                        - {days: "MON,WED"}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from aurora_tenants.config.yaml_nodes import Node, line_break, walk

# Texts that every YAML reads as texts, in quotes or not. A time is none of them: to YAML 1.1 it is a number.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/+-]*(,[A-Za-z0-9_/+-]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Style:
    """step: columns a mapping is indented by. dash: columns a list's dashes are. blank: between braces and content.

    is_json: every key and every text is quoted. has_flow: a mapping of scalars is written on one line.
    """

    quote: str = '"'
    step: int = 2
    dash: int = 2
    blank: str = ""
    newline: str = "\n"
    is_json: bool = False
    has_flow: bool = True

    def quoted(self, quote: str) -> Style:
        """The same style for a scalar that stands in these quotes already, or in none."""
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
        blank=" " if flows and text[flows[0].members[0][0].start - 1] == " " else "",
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
    """A text or a number. is_flow: whether it stands in braces or brackets, where a comma ends it."""
    if not isinstance(value, str):
        return str(value)
    is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not (is_flow and "," in value)
    if is_plain and not style.is_json:
        return value
    return style.quote + value + style.quote


def flow(value: Any, style: Style, *, is_open: bool = False) -> str:
    """A value on one line. is_open: the members of a mapping without their braces."""
    if isinstance(value, dict):
        members = ", ".join(f"{_key(key, style)}: {flow(member, style)}" for key, member in value.items())
        return members if is_open else f"{{{style.blank}{members}{style.blank}}}"
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
