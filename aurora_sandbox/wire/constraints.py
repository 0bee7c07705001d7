"""Whether values keep to botocore's model of a service: every constraint, at every depth, in AWS's words.

    refusal(operation, {"StackName": "9"}, code="ValidationError").message
    1 validation error detected: Value '9' at 'stackName' failed to satisfy constraint: Member must satisfy regular
    expression pattern: [a-zA-Z][-a-zA-Z0-9]*

Pure. The words are those that AWS's services have in common, as others have published them: for members, for elements
of lists ("Member must satisfy constraint: […]") and of maps. What a model calls sensitive is not quoted, nor what has
structures in it, which may hide such a thing, nor anything long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from botocore.model import OperationModel, Shape

from aurora_sandbox.wire.quick import fits
from aurora_sandbox.wire.values import ServiceError

MAX_QUOTED = 1024  # characters; AWS may quote more
# AWS answers more than its own model has: events of a stack have the stack's statuses, such as
# UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, where the model lists those of resources alone.
_WIDER_THAN_ITS_MODEL = frozenset({"ResourceStatus"})
_NUMBERS = ("integer", "long", "float", "double")
_SIZED = ("string", "blob", "list", "map")
_JAVA = {"string": "String", "integer": "Integer", "long": "Long", "boolean": "Boolean", "float": "Float"}
_IS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "long": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "double": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "timestamp": lambda value: isinstance(value, datetime | int | float),
    "blob": lambda value: isinstance(value, bytes | bytearray | str),
    "list": lambda value: isinstance(value, list | tuple),
    "map": lambda value: isinstance(value, Mapping),
    "structure": lambda value: isinstance(value, Mapping),
}


class Violation(NamedTuple):
    """A constraint of a shape that is not kept. path: "tags.1.member.key". quoted: " 'the value'", " null", nothing."""

    path: str
    quoted: str
    must: str
    shape: str = ""

    def __str__(self) -> str:
        return f"Value{self.quoted} at '{self.path}' failed to satisfy constraint: {self.must}"


def refusal(operation: OperationModel, parameters: Mapping[str, Any], *, code: str) -> ServiceError | None:
    """What AWS says to parameters that its model does not allow, None if it allows them."""
    if operation.input_shape is None or fits(operation.input_shape, parameters):
        return None
    if wrong := next(_of_another_type(operation.input_shape, parameters), None):
        return ServiceError("SerializationException", wrong)
    found = list(violations(operation.input_shape, parameters))
    return ServiceError(code, told(found)) if found else None


def told(found: list[Violation]) -> str:
    """The violations in one sentence, as AWS counts and joins them."""
    errors = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {errors} detected: {'; '.join(map(str, found))}"


def violations(shape: Shape, value: Any, path: str = "", *, is_secret: bool = False) -> Iterator[Violation]:
    """Every constraint of the shape, and of those inside it, that the value does not keep."""
    is_secret = is_secret or bool(shape.metadata.get("sensitive"))
    quoted = _quoted(shape, value, is_secret)
    for must in _own(shape, value):
        yield Violation(path, quoted, must, shape.name)
    if shape.type_name == "structure":
        yield from _in_structure(shape, value, path, is_secret)
    elif shape.type_name == "list":
        yield from _in_list(shape, value, path, is_secret)
    elif shape.type_name == "map":
        yield from _in_map(shape, value, path, is_secret)


def misfits(shape: Shape | None, value: Any, path: str = "") -> Iterator[str]:
    """What a caller of AWS would never receive: members, types and values that the model of an answer does not have."""
    if shape is not None and not fits(shape, value):
        yield from all_misfits(shape, value, path)


def all_misfits(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """The same, found without a quick look before."""
    for unknown in _unknown(shape, value, path):
        yield f"{unknown} is not in the model"
    others = [*_of_another_type(shape, value)]
    yield from others
    if others:
        return  # a length of what is no text is nothing to compare
    for found in violations(shape, value, path):
        if not (found.shape in _WIDER_THAN_ITS_MODEL and "enum" in found.must):
            yield str(found)


def _own(shape: Shape, value: Any) -> Iterator[str]:
    """The constraints of this very shape that the value does not keep."""
    limits, kind = shape.metadata, shape.type_name
    size = value if kind in _NUMBERS else len(value) if kind in _SIZED else 0
    word = "value" if kind in _NUMBERS else "length"
    if "pattern" in limits and kind == "string" and not compiled(limits["pattern"]).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"
    if "max" in limits and size > limits["max"]:
        yield f"Member must have {word} less than or equal to {limits['max']}"
    if "min" in limits and size < limits["min"]:
        yield f"Member must have {word} greater than or equal to {limits['min']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"


def _all(shape: Shape) -> str:
    """Every constraint of a shape, as AWS lists them for the elements of a list or a map."""
    limits = shape.metadata
    word = "value" if shape.type_name in _NUMBERS else "length"
    every = {
        "max": f"Member must have {word} less than or equal to {limits.get('max')}",
        "min": f"Member must have {word} greater than or equal to {limits.get('min')}",
        "pattern": f"Member must satisfy regular expression pattern: {limits.get('pattern')}",
        "enum": f"Member must satisfy enum value set: [{', '.join(limits.get('enum', ()))}]",
    }
    return ", ".join(text for name, text in every.items() if name in limits)


def _in_structure(shape: Any, value: Mapping[str, Any], path: str, is_secret: bool) -> Iterator[Violation]:
    given = {name: inner for name, inner in value.items() if inner is not None}
    for name in shape.required_members:
        if name not in given:
            yield Violation(_at(path, name), " null", "Member must not be null")
    if shape.is_tagged_union and len(given) != 1:
        yield Violation(path, "", f"Member must have exactly one of: [{', '.join(shape.members)}]")
    for name, inner in given.items():
        if name in shape.members:
            yield from violations(shape.members[name], inner, _at(path, name), is_secret=is_secret)


def _in_list(shape: Any, value: list[Any], path: str, is_secret: bool) -> Iterator[Violation]:
    if _is_plain(shape.member):
        if any(True for element in value for _ in _own(shape.member, element)):
            yield Violation(
                path, _quoted(shape, value, is_secret), f"Member must satisfy constraint: [{_all(shape.member)}]"
            )
        return
    for number, element in enumerate(value, 1):
        yield from violations(shape.member, element, f"{path}.{number}.member", is_secret=is_secret)


def _in_map(shape: Any, value: Mapping[str, Any], path: str, is_secret: bool) -> Iterator[Violation]:
    quoted = _quoted(shape, value, is_secret)
    if any(True for key in value for _ in _own(shape.key, key)):
        yield Violation(path, quoted, f"Map keys must satisfy constraint: [{_all(shape.key)}]")
    if not _is_plain(shape.value):
        for key, inner in value.items():
            yield from violations(shape.value, inner, f"{path}.{key}.member", is_secret=is_secret)
    elif any(True for inner in value.values() for _ in _own(shape.value, inner)):
        yield Violation(path, quoted, f"Map value must satisfy constraint: [{_all(shape.value)}]")


def _is_plain(shape: Shape) -> bool:
    return shape.type_name not in ("structure", "list", "map")


def _at(path: str, name: str) -> str:
    """AWS writes the members of its messages with a small first letter."""
    own = name[:1].lower() + name[1:]
    return f"{path}.{own}" if path else own


def _quoted(shape: Any, value: Any, is_secret: bool) -> str:
    """How a message quotes the value; nothing for a secret, and for what may have one in it."""
    inner = [shape] if _is_plain(shape) else [shape.member] if shape.type_name == "list" else []
    if is_secret or any(each.metadata.get("sensitive") or not _is_plain(each) for each in inner) or not inner:
        return ""
    if shape.type_name == "blob":
        return ""
    text = f"[{', '.join(map(str, value))}]" if shape.type_name == "list" else str(value)
    return f" '{text}'" if len(text) <= MAX_QUOTED else ""


def _of_another_type(shape: Any, value: Any) -> Iterator[str]:
    """In the words of AWS's JSON reader, which sees this before any constraint."""
    kind = shape.type_name
    if kind in _IS and not _is_document(shape) and not _IS[kind](value):
        yield _not_converted(kind, value)
    elif kind == "structure":
        for name, inner in value.items():
            if inner is not None and name in shape.members:
                yield from _of_another_type(shape.members[name], inner)
    elif kind == "list":
        for element in value:
            yield from _of_another_type(shape.member, element)
    elif kind == "map":
        for inner in value.values():
            yield from _of_another_type(shape.value, inner)


def _is_document(shape: Shape) -> bool:
    """Whether any JSON may stand here."""
    return bool(getattr(shape, "is_document_type", False))


def _not_converted(kind: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "Start of structure or map found where not expected."
    if isinstance(value, list | tuple):
        return "Start of list found where not expected"
    if kind in ("structure", "map"):
        return "Unexpected field type"
    if kind == "list":
        return "Expected list or null"
    token = {bool: "TRUE_VALUE" if value is True else "FALSE_VALUE", str: "STRING_VALUE"}.get(
        type(value), "NUMBER_VALUE"
    )
    return f"{token} can not be converted to {_JAVA.get(kind, kind.capitalize())}"


def _unknown(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, Mapping) and not _is_document(shape):
        for name, inner in value.items():
            if name not in shape.members:
                yield _at(path, name)
            elif inner is not None:
                yield from _unknown(shape.members[name], inner, _at(path, name))
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        for number, element in enumerate(value, 1):
            yield from _unknown(shape.member, element, f"{path}.{number}.member")
    elif shape.type_name == "map" and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unknown(shape.value, inner, f"{path}.{key}.member")


@lru_cache(maxsize=1024)
def compiled(text: str) -> Any:
    """A pattern of AWS's, which is written for Java: Python's re does not know the classes of Unicode."""
    try:
        return re.compile(text)
    except re.error:
        import regex  # comes with cfn-lint; loaded for the few patterns that need it

        return regex.compile(text)
