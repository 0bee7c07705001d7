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
from functools import partial
from typing import Any

from botocore.model import Shape

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
    if shape not in _checks:
        _checks[shape] = _made(shape)
    return _checks[shape](value)


def _later(shape: Callable[[], Shape]) -> Check:
    """The check of a shape, made when it is needed first: a shape may have itself in it."""
    made: list[Check] = []

    def check(value: Any) -> bool:
        if not made:
            made.append(_made(shape()))
        return made[0](value)

    return check


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


def _structure(shape: Any) -> Check:
    checks = {name: _later(partial(shape.members.get, name)) for name in shape.members}
    required, is_union = tuple(shape.required_members), shape.is_tagged_union

    def check(value: Any) -> bool:
        if type(value) is not dict or (is_union and len(value) != 1):
            return False
        for name in required:
            if value.get(name) is None:
                return False
        for name, inner in value.items():
            if name not in checks or not (inner is None or checks[name](inner)):
                return False
        return True

    return check


def _list(shape: Any) -> Check:
    of_element, has_size = _later(lambda: shape.member), _size(shape)
    return lambda value: type(value) in (list, tuple) and has_size(len(value)) and all(map(of_element, value))


def _map(shape: Any) -> Check:
    of_key, of_value = _later(lambda: shape.key), _later(lambda: shape.value)
    has_size = _size(shape)

    def check(value: Any) -> bool:
        return (
            type(value) is dict
            and has_size(len(value))
            and all(map(of_key, value))
            and all(map(of_value, value.values()))
        )

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
    return lambda value: type(value) in kinds and all(check(value) for check in checks)


def _size(shape: Shape) -> Check:
    least, most = shape.metadata.get("min", float("-inf")), shape.metadata.get("max", float("inf"))
    return lambda size: bool(least <= size <= most)


def _pattern(text: str) -> Check:
    try:
        pattern = re.compile(text)
    except re.error:
        return lambda value: False  # one of Java's
    return lambda value: pattern.fullmatch(value) is not None
