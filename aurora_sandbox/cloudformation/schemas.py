"""What AWS says about its resource types: which property change replaces a resource, which type a property has.

The provider schemas come with cfn-lint, so the rules are AWS's own data.
    schemas.of("AWS::SQS::Queue").create_only  ->  (("FifoQueue",), ("QueueName",))
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aurora_sandbox.cloudformation.intrinsics import as_text
from aurora_sandbox.wire.constraints import compiled

Path = tuple[str, ...]
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Schema:
    """One resource type's rules; a path is a property's name, then the names inside it, "*" for every list item.

    create_only: a change replaces the resource. may_replace: a change may.
    identifiers: the names by which a user can name the resource.
    """

    create_only: tuple[Path, ...]
    may_replace: tuple[Path, ...]
    identifiers: tuple[str, ...]
    has_tags: bool
    raw: Mapping[str, Any]

    def coerced(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The properties in the types of the schema: a parameter's "30" becomes 30 where a number is expected."""
        return {name: _coerced(value, self._shape(name), self.raw) for name, value in properties.items()}

    def _shape(self, name: str) -> Mapping[str, Any]:
        shape: Mapping[str, Any] = self.raw.get("properties", {}).get(name, {})
        return shape


# cfn-lint's manager fills its cache without a lock of its own.
_loading = threading.Lock()


@cache
def schema(region: str, type_name: str) -> Schema:
    """The rules of an AWS:: type in a region. Raises LookupError for a type that AWS does not have there."""
    # Importing cfn-lint costs 0.6 s, which the first AWS resource pays instead of every start of the sandbox.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    with _loading:
        try:
            raw = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, type_name).schema
        except ResourceNotFoundError as exc:
            raise LookupError(f"AWS has no resource type {type_name} in {region}") from exc
    return Schema(
        create_only=_paths(raw, "createOnlyProperties"),
        may_replace=_paths(raw, "conditionalCreateOnlyProperties"),
        identifiers=tuple(path[0] for path in _paths(raw, "primaryIdentifier")),
        has_tags=bool(raw.get("tagging", {}).get("taggable", False)),
        raw=raw,
    )


def differs(path: Path, before: Any, after: Any) -> bool:
    """Whether what is found at the path is not the same on both sides."""
    return bool(_at(path, before) != _at(path, after))


def _paths(raw: Mapping[str, Any], key: str) -> tuple[Path, ...]:
    return tuple(tuple(pointer.split("/")[2:]) for pointer in sorted(raw.get(key) or ()))


def _at(path: Path, value: Any) -> Any:
    if not path:
        return value
    if path[0] == "*":
        return [_at(path[1:], item) for item in value] if isinstance(value, list) else _MISSING
    return _at(path[1:], value.get(path[0], _MISSING)) if isinstance(value, dict) else _MISSING


def _coerced(value: Any, shape: Mapping[str, Any], raw: Mapping[str, Any]) -> Any:
    if "$ref" in shape:
        shape = raw["definitions"].get(shape["$ref"].rsplit("/", 1)[-1], {})
    if isinstance(value, dict):
        return {name: _coerced(item, _inside(name, shape), raw) for name, item in value.items()}
    if isinstance(value, list):
        return [_coerced(item, shape.get("items", {}), raw) for item in value]
    return _scalar(value, shape.get("type"))


def _inside(name: str, shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """The shape of a member, which is named, or whose name has a pattern, as those of a function's environment."""
    patterns = shape.get("patternProperties", {}).items()
    by_pattern = (inner for pattern, inner in patterns if compiled(pattern).search(name))
    found: Mapping[str, Any] = shape.get("properties", {}).get(name) or next(by_pattern, {})
    return found


def _scalar(value: Any, expected: Any) -> Any:
    if expected == "string" or (isinstance(expected, list) and "string" in expected):
        return as_text(value)
    if not isinstance(value, str):
        return value
    if expected in ("integer", "number") and re.fullmatch(r"-?\d+", value):
        return int(value)
    if expected == "number" and re.fullmatch(r"-?\d*\.\d+", value):
        return float(value)
    if expected == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
