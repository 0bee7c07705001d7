"""A schema of what is printed, for tests: whether it describes all there is, and whether something keeps to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from aurora_tenants import data


@dataclass(frozen=True, slots=True)
class Schema:
    """One of `schema/`, by the name of its file."""

    file: str

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(data.text(self.file))
        return read

    def check(self, value: dict[str, Any]) -> None:
        """Raises AssertionError with what is not as the schema has it, or not in it."""
        found = Draft202012Validator(_closed(self.document)).iter_errors(json.loads(json.dumps(value)))
        told = [(error.json_path, error.message, error.context) for error in found]
        assert not told, told

    def require_described(self) -> None:
        """Raises AssertionError unless it is a schema that leaves room for more, and in which everything is described
        and used, and every key of an object is always there."""
        Draft202012Validator.check_schema(self.document)
        text, parts = json.dumps(self.document), dict(_parts(self.document))
        assert "additionalProperties" not in text
        undescribed = [name for name, part in parts.items() if not {"description", "$ref"} & part.keys()]
        assert not undescribed, undescribed
        unused = [name for name in self.document["$defs"] if f'"#/$defs/{name}"' not in text]
        assert not unused, unused
        objects = {name: part for name, part in parts.items() if "properties" in part}
        optional = [name for name, part in objects.items() if {*part["required"]} != {*part["properties"]}]
        assert not optional, optional


def _closed(part: Any) -> Any:
    """The schema as if nothing could be there that it does not describe: so whatever is there has to be in it."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    more = {"additionalProperties": False} if "properties" in part and part.get("type") == "object" else {}
    return {key: _closed(value) for key, value in part.items()} | more


def _parts(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for group in ("$defs", "properties"):
        for key, part in schema.get(group, {}).items():
            yield f"{name}/{key}", part
            yield from _parts(part, f"{name}/{key}")
