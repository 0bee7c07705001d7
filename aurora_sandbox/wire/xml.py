"""Values of botocore's shapes as XML, by functions that are made once for each shape.

    written(shape)({"StackName": "a & b"}, "DescribeStacksResult")
    <DescribeStacksResult><StackName>a &amp; b</StackName></DescribeStacksResult>

The same text, byte by byte, as ElementTree's of a tree of them (tests/sandbox/test_xml.py), without the tree.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from botocore.model import Shape

from aurora_sandbox.clock import utc
from aurora_sandbox.wire.scalars import name_of
from aurora_sandbox.wire.values import Kept

Inside = Callable[[Any], str]  # what stands between an element's tags
# XML 1.0 cannot say these at all, not even as character references: the reader would refuse the whole answer.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What is written otherwise than it is. A reader turns a bare carriage return into a line feed.
_SPECIAL = re.compile("[^\t\n\x20-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_inside: dict[Shape, Inside] = {}  # botocore's shapes are the same objects for as long as their model


def inside(shape: Shape) -> Inside:
    """What writes a value of this shape. It raises KeyError for a member that the model does not have."""
    if shape not in _inside:
        _inside[shape] = _made(shape)
    return _inside[shape]


def element(name: str, text: str) -> str:
    """An element with this, as it is, in it."""
    return f"<{name}>{text}</{name}>" if text else f"<{name} />"


def escaped(text: str) -> str:
    if not _SPECIAL.search(text):
        return text
    text = _NOT_XML.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _made(shape: Any) -> Inside:
    if shape.type_name == "structure":
        return _structure(shape)
    if shape.type_name == "list":
        return _list(shape)
    if shape.type_name == "map":
        return _map(shape)
    return _PLAIN.get(shape.type_name, lambda value: escaped(str(value)))


class _Members(dict[str, tuple[str, Inside]]):
    """How each member of a structure goes by name, and what writes it: made when it is needed first, for a shape may
    have itself in it.
    """

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self._shape = shape

    def __missing__(self, member: str) -> tuple[str, Inside]:
        shape = self._shape.members[member]
        self[member] = made = name_of(shape, member), inside(shape)
        return made


def _structure(shape: Any) -> Inside:
    members = _Members(shape)

    def write(value: Any) -> str:
        parts = []
        for member, inner in value.items():
            if inner is not None:
                name, of_member = members[member]
                text = of_member(inner)
                parts.append(f"<{name}>{text}</{name}>" if text else f"<{name} />")
        return "".join(parts)

    def write_once(value: Any) -> str:
        if type(value) is not Kept:
            return write(value)
        of_shape, text = value.written
        if of_shape is not shape:
            text = write(value)
            value.written = shape, text
        return str(text)

    return write_once


def _list(shape: Any) -> Inside:
    name, of_element = name_of(shape.member, "member"), _later(shape, "member")
    return lambda value: "".join([element(name, of_element(each)) for each in value])


def _map(shape: Any) -> Inside:
    key_name, value_name = name_of(shape.key, "key"), name_of(shape.value, "value")
    of_key, of_value = _later(shape, "key"), _later(shape, "value")

    def write(value: Any) -> str:
        entries = [
            element(key_name, of_key(key)) + element(value_name, of_value(inner)) for key, inner in value.items()
        ]
        return "".join([f"<entry>{entry}</entry>" for entry in entries])

    return write


def _later(shape: Any, part: str) -> Inside:
    """What writes this part of a shape, which may have the shape in it."""
    made: list[Inside] = []

    def write(value: Any) -> str:
        if not made:
            made.append(inside(getattr(shape, part)))
        return made[0](value)

    return write


def _time(value: Any) -> str:
    return utc(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_PLAIN: dict[str, Inside] = {
    "boolean": lambda value: "true" if value else "false",
    "timestamp": _time,
    "blob": lambda value: base64.b64encode(value).decode(),
    "string": lambda value: escaped(value) if type(value) is str else escaped(str(value)),
}
