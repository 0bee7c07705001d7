"""Whether a value keeps to its shape, found quickly for nearly every one that does.

    fits(shape, {"StackName": "shop"})    True: constraints.py has nothing to say of it
                                          False: perhaps not, and constraints.py tells what

Every request and every answer is compared, and hardly one is wrong. A shape becomes functions once, of its members,
elements and limits; what these do not know for certain, they leave to constraints.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.model import Shape

from aurora_sandbox.wire.values import Kept

Check = Callable[[Any], bool]
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime, int, float),
    "blob": (bytes, bytearray, str),
}
_NUMBERS = ("integer", "long", "float", "double")
_checks: dict[Shape, Check] = {}  # botocore's shapes are the same objects for as long as their model


def fits(shape: Shape, value: Any) -> bool:
    """False is no verdict."""
    return _check(shape)(value)


def _check(shape: Shape) -> Check:
    if shape not in _checks:
        _checks[shape] = _made(shape)
    return _checks[shape]


def _made(shape: Any) -> Check:
    if getattr(shape, "is_document_type", False):
        return lambda value: False
    if shape.type_name == "structure":
        return _structure(shape)
    if shape.type_name == "list":
        return _list(shape)
    if shape.type_name == "map":
        return _map(shape)
    return _plain(shape)


class _Members(dict[str, Check]):
    """The check of each member, made when it is needed first: a shape may have itself in it."""

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self._shape = shape

    def __missing__(self, member: str) -> Check:
        if member not in self._shape.members:
            return _is_unknown  # and not kept: a stranger chooses the names
        self[member] = made = _check(self._shape.members[member])
        return made


def _is_unknown(value: Any) -> bool:
    return False


def _structure(shape: Any) -> Check:
    checks = _Members(shape)
    required, is_union = tuple(shape.required_members), shape.is_tagged_union

    def check(value: Any) -> bool:
        if is_union and len(value) != 1:
            return False
        for name in required:
            if value.get(name) is None:
                return False
        for name, inner in value.items():
            of_member = checks[name]
            if inner is None:
                if of_member is _is_unknown:
                    return False
            elif not of_member(inner):
                return False
        return True

    def check_once(value: Any) -> bool:
        if type(value) is dict:
            return check(value)
        if type(value) is not Kept:
            return False
        if value.fitting is not shape and check(value):
            value.fitting = shape
        return value.fitting is shape

    return check_once


def _list(shape: Any) -> Check:
    of_element, has_size = _later(shape, "member"), _size(shape)

    def check(value: Any) -> bool:
        return type(value) in (list, tuple) and has_size(len(value)) and all(map(of_element(), value))

    return check


def _map(shape: Any) -> Check:
    of_key, of_value, has_size = _later(shape, "key"), _later(shape, "value"), _size(shape)

    def check(value: Any) -> bool:
        return (
            type(value) is dict
            and has_size(len(value))
            and all(map(of_key(), value))
            and all(map(of_value(), value.values()))
        )

    return check


def _later(shape: Any, part: str) -> Callable[[], Check]:
    """The check of this part of a shape, which may have the shape in it."""
    made: list[Check] = []

    def check() -> Check:
        if not made:
            made.append(_check(getattr(shape, part)))
        return made[0]

    return check


def _plain(shape: Shape) -> Check:
    kinds, limits = _KINDS[shape.type_name], shape.metadata
    checks: list[Check] = []
    if shape.type_name in _NUMBERS and {"min", "max"} & limits.keys():
        checks.append(_size(shape))
    elif shape.type_name in ("string", "blob") and {"min", "max"} & limits.keys():
        has_size = _size(shape)
        checks.append(lambda value: has_size(len(value)))
    if "enum" in limits:
        checks.append(frozenset(limits["enum"]).__contains__)
    if "pattern" in limits and shape.type_name == "string":
        checks.append(_pattern(limits["pattern"]))
    if not checks:
        return lambda value: type(value) in kinds

    def check(value: Any) -> bool:
        if type(value) not in kinds:
            return False
        for each in checks:  # noqa: SIM110 nearly every value of an answer comes through here; all() takes twice as long
            if not each(value):
                return False
        return True

    return check


def _size(shape: Shape) -> Check:
    least, most = shape.metadata.get("min", float("-inf")), shape.metadata.get("max", float("inf"))
    return lambda size: least <= size <= most


def _pattern(text: str) -> Check:
    try:
        pattern = re.compile(text)
    except re.error:
        return lambda value: False  # one of Java's
    return lambda value: pattern.fullmatch(value) is not None
