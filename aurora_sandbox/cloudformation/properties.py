"""Whether a resource's properties are those of its type's schema: what CloudFormation checks before a handler runs.

    complaints(schema.raw, {"FunctionName": "f" * 70, "Code": {…}})
    ["#: required key [Role] not found", "#/FunctionName: expected maxLength: 64, actual: 70"]

Pure. The words are those of AWS's validator, which quotes no value. Source: aws-cloudformation's Java plug-in
(ValidatorTest.java: everit's words, and "failed validation constraint for keyword […]" where those would quote) and
events of stacks that others have published. The schemas come with cfn-lint, which has added to AWS's own: keywords that
only cfn-lint knows are not looked at, its enumerations are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aurora_sandbox.wire.constraints import compiled

Shape = Mapping[str, Any]
_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("String", lambda value: isinstance(value, str)),
    "integer": ("Integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "number": ("Number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "boolean": ("Boolean", lambda value: isinstance(value, bool)),
    "array": ("JSONArray", lambda value: isinstance(value, list)),
    "object": ("JSONObject", lambda value: isinstance(value, dict)),
}
_FOUND = {str: "String", bool: "Boolean", int: "Integer", float: "BigDecimal", list: "JSONArray", dict: "JSONObject"}


def complaints(raw: Shape, properties: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the properties of a resource, sorted; empty if nothing is."""
    return sorted(set(_wrong(raw, {**raw, "type": "object"}, dict(properties), "#")))


def refusal(logical_id: str, wrong: list[str]) -> str:
    """What the resource's event says."""
    return f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(wrong)


def _wrong(raw: Shape, shape: Shape, value: Any, at: str) -> Iterator[str]:
    if "$ref" in shape:
        yield from _wrong(raw, _referred(raw, shape["$ref"]), value, at)
        return
    kinds = shape.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES[kind][1](value) for kind in kinds if kind in _TYPES):
        yield f"{at}: expected type: {_TYPES[kinds[0]][0]}, found: {_FOUND.get(type(value), type(value).__name__)}"
        return
    yield from (f"{at}: {words}" for words in _limits(shape, value))
    yield from _combined(raw, shape, value, at)
    if isinstance(value, dict):
        yield from _inside(raw, shape, value, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _wrong(raw, shape.get("items", {}), item, f"{at}/{index}")


def _referred(raw: Shape, pointer: str) -> Shape:
    """#/definitions/Tag, and also #/properties/Arn."""
    found: Any = raw
    for part in pointer.removeprefix("#/").split("/"):
        found = found[part]
    shape: Shape = found
    return shape


def _limits(shape: Shape, value: Any) -> Iterator[str]:
    """What one value breaks of its own; keywords whose message would quote it are only named."""
    if "enum" in shape and value not in shape["enum"]:
        yield _named("enum")
    if "const" in shape and value != shape["const"]:
        yield _named("const")
    if isinstance(value, str):
        yield from _of_text(shape, value)
    elif isinstance(value, list):
        yield from _of_list(shape, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < shape.get("minimum", value):
            yield _named("minimum")
        if value > shape.get("maximum", value):
            yield _named("maximum")


def _of_text(shape: Shape, value: str) -> Iterator[str]:
    if len(value) < shape.get("minLength", 0):
        yield f"expected minLength: {shape['minLength']}, actual: {len(value)}"
    if len(value) > shape.get("maxLength", len(value)):
        yield f"expected maxLength: {shape['maxLength']}, actual: {len(value)}"
    if "pattern" in shape and not compiled(shape["pattern"]).search(value):
        yield _named("pattern")


def _of_list(shape: Shape, value: list[Any]) -> Iterator[str]:
    if len(value) < shape.get("minItems", 0):
        yield f"expected minimum item count: {shape['minItems']}, found: {len(value)}"
    if len(value) > shape.get("maxItems", len(value)):
        yield f"expected maximum item count: {shape['maxItems']}, found: {len(value)}"
    if shape.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
        yield "array items are not unique"


def _named(keyword: str) -> str:
    return f"failed validation constraint for keyword [{keyword}]"


def _combined(raw: Shape, shape: Shape, value: Any, at: str) -> Iterator[str]:
    fits = {
        keyword: [not any(_wrong(raw, each, value, at)) for each in shape[keyword]]
        for keyword in ("allOf", "anyOf", "oneOf")
        if keyword in shape
    }
    for keyword, good in fits.items():
        if keyword == "allOf" and not all(good):
            yield f"{at}: #: only {sum(good)} subschema matches out of {len(good)}"
        if keyword == "anyOf" and not any(good):
            yield f"{at}: #: no subschema matched out of the total {len(good)} subschemas"
        if keyword == "oneOf" and sum(good) != 1:
            yield f"{at}: #: {sum(good)} subschemas matched instead of one"


def _inside(raw: Shape, shape: Shape, value: Mapping[str, Any], at: str) -> Iterator[str]:
    known, patterns = shape.get("properties", {}), shape.get("patternProperties", {})
    for name in shape.get("required", ()):
        if name not in value:
            yield f"{at}: required key [{name}] not found"
    for name, item in value.items():
        matching = [inner for pattern, inner in patterns.items() if compiled(pattern).search(str(name))]
        if name in known:
            matching.append(known[name])
        for inner in matching:
            yield from _wrong(raw, inner, item, f"{at}/{name}")
        if not matching and shape.get("additionalProperties") is False:
            yield f"{at}: extraneous key [{name}] is not permitted"
