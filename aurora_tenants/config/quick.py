"""Whether data have the shape of a JSON Schema, found quickly for all that do.

    fits = made({"type": "string", "minLength": 1})
    fits("shop")    True: jsonschema has nothing to say of it
    fits("")        False: perhaps it has, and jsonschema tells what

A schema becomes functions once, one for each type of value that it takes. What these do not know for certain, such as a
keyword that is not listed here, they leave to jsonschema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),  # 30.0 is a whole number to JSON Schema, which jsonschema knows
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_FOR_READERS = frozenset({"$schema", "$id", "title", "description", "examples", "default"})
_ABOUT = {
    dict: frozenset({"properties", "required", "additionalProperties", "minProperties"}),
    list: frozenset({"items", "minItems"}),
    str: frozenset({"minLength"}),
    int: frozenset({"minimum", "maximum"}),
    float: frozenset({"minimum", "maximum"}),
}
_KNOWN = frozenset[str]().union({"type", "enum", "const"}, *_ABOUT.values())
_MANY = float("inf")


def made(schema: Any) -> Check:
    """What says True of values with which a schema without references has no fault. False is no verdict."""
    if not isinstance(schema, dict) or schema.keys() - _FOR_READERS - _KNOWN:
        return _never
    if "enum" in schema or "const" in schema:
        return _one_of(schema)
    names = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ())
    checks = {kind: _made_for(kind, schema) for name in names for kind in _TYPES[name]}
    if len(checks) == 1:
        ((only, check),) = checks.items()
        return lambda value: type(value) is only and check(value)
    of_kind = checks.get
    return lambda value: of_kind(type(value), _never)(value)


def _made_for(kind: type, schema: Mapping[str, Any]) -> Check:
    """What is to be checked of a value of one type beyond that it is one."""
    if not schema.keys() & _ABOUT.get(kind, frozenset()):
        return _always
    if kind is dict:
        return _mapping(schema)
    if kind is list:
        return _list(made(schema["items"]) if "items" in schema else _always, schema.get("minItems", 0))
    if kind is str:
        shortest = schema["minLength"]
        return lambda value: len(value) >= shortest
    least, most = schema.get("minimum", -_MANY), schema.get("maximum", _MANY)
    return lambda value: bool(least <= value <= most)


def _mapping(schema: Mapping[str, Any]) -> Check:
    required, least = frozenset(schema.get("required", ())), schema.get("minProperties", 0)
    of_key = {key: made(part) for key, part in schema.get("properties", {}).items()}.get
    others = schema.get("additionalProperties", True)
    of_other = _always if others is True else made(others)

    def check(value: dict[str, Any]) -> bool:
        if len(value) < least or not required <= value.keys():
            return False
        return all(of_key(key, of_other)(member) for key, member in value.items())

    return check


def _list(of_item: Check, least: int) -> Check:
    return lambda value: len(value) >= least and all(map(of_item, value))


def _one_of(schema: Mapping[str, Any]) -> Check:
    """The values that are listed, where only a type is asked of them. To JSON Schema 1.0 is 1 and True is not."""
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    is_certain = not schema.keys() & (_KNOWN - {"type", "enum", "const"}) and not {"enum", "const"} <= schema.keys()
    names = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", _TYPES)
    kinds = {kind for name in names for kind in _TYPES[name]} & {str, int, bool} if is_certain else set()
    known = {(type(value), value) for value in values if type(value) in kinds}
    return lambda value: isinstance(value, str | int) and (type(value), value) in known


def _always(value: Any) -> bool:
    return True


def _never(value: Any) -> bool:
    return False
