"""The shape of tenants.yaml: its keys, which of them are required, and the type of each value.

The JSON Schema is the one source, for editors and for this program. `quick` finds in a thirtieth of the time that a
file has this shape; of any other, jsonschema's errors become problems, which take their reasons and examples from the
schema's descriptions and examples. The schema's patterns for names, texts, times and halves are for editors alone: the
rules explain more precisely what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aurora_tenants import data
from aurora_tenants.config import quick
from aurora_tenants.config.wording import KeyPath, context, did_you_mean, kind, listed, nearest, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.config.yaml_text import flow
from aurora_tenants.errors import Problem

if TYPE_CHECKING:
    from jsonschema import ValidationError

FILE = "tenants.schema.json"
_FOR_EDITORS = frozenset({"anyOf", "maxItems", "maxLength", "multipleOf", "pattern", "propertyNames", "uniqueItems"})
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def problems(document: Document) -> Iterator[Problem]:
    """Everything in the document that does not have the shape the schema requires."""
    schema = flattened(json.loads(data.text(FILE)))
    if quick.made(schema)(document.data):
        return
    from jsonschema import Draft202012Validator  # takes 0.1 s to import

    for error in Draft202012Validator(schema).iter_errors(document.data):
        yield from _translated(error, document)


def flattened(schema: dict[str, Any]) -> Any:
    """The schema as it is checked here: what each $ref refers to in its place, and nothing for editors alone."""
    return _flattened(schema, schema["$defs"])


def _flattened(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_flattened(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/$defs/")] | schema
    dropped = _FOR_EDITORS | {"$ref", "$defs"}
    return {key: _flattened(part, definitions) for key, part in schema.items() if key not in dropped}


def _translated(error: ValidationError, document: Document) -> Iterator[Problem]:
    path: KeyPath = tuple(error.absolute_path)
    schema: Any = error.schema
    value: Any = error.instance
    match error.validator:
        case "additionalProperties":
            for key in value.keys() - schema["properties"].keys():
                yield _unknown_key(document, (*path, key), known=sorted(schema["properties"]))
        case "required":
            typos = {nearest(key, schema["properties"]) for key in value.keys() - schema["properties"].keys()}
            for key in schema["required"]:
                if key not in value and key not in typos:
                    yield _missing_key(document, path, key, schema["properties"][key])
        case "type":
            yield _wrong_type(document, path, value, schema)
        case _:
            yield _wrong_value(document, path, value, schema)


def _unknown_key(document: Document, path: KeyPath, *, known: list[str]) -> Problem:
    key = str(path[-1])
    why = f"the keys allowed here are {listed(known)}"
    fix = did_you_mean(key, known, "remove it")
    return Problem("unknown-key", f"unknown key {shown(key)}", why, fix, document.key(path), context(path))


def _missing_key(document: Document, path: KeyPath, key: str, schema: Any) -> Problem:
    fix = f"add {key}: {flow(schema['examples'][0])}"
    inside = context((*path, key))
    return Problem("missing-key", f"{key} is missing", _meaning(schema), fix, document.key(path), inside)


def _wrong_type(document: Document, path: KeyPath, value: Any, schema: Any) -> Problem:
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    why = f"it must be {listed([_KINDS[name] for name in types if name != 'null'], 'or')}"
    if path == ("cluster", "account") and isinstance(value, int | float) and not isinstance(value, bool):
        why = "it must be text: as a number, zeros at its beginning are lost"
        written = document.written(path)
        fix = f'quote all 12 digits: "{written:0>12}"' if written.isdecimal() else "write its 12 digits in quotes"
    elif "string" in types and isinstance(value, bool | int | float):
        fix = f'quote it: "{shown(document.written(path))}"'
    elif "examples" in schema:
        lead = "" if not path else "- " if isinstance(path[-1], int) else f"{shown(path[-1])}: "
        fix = f"for example {lead}{flow(schema['examples'][0])}"
    else:
        fix = "write one name per entry"
    what = f"{_label(path)} is {kind(value)}"
    return Problem("wrong-type", what, why, fix, document.value(path), context(path))


def _wrong_value(document: Document, path: KeyPath, value: Any, schema: Any) -> Problem:
    """A value of the right type that is not one of the allowed ones, out of range, or empty."""
    is_empty = value in ("", [], {})
    what = f"{_label(path)} is {'empty' if is_empty else shown(value)}"
    if "const" in schema:
        fix = f"write {path[-1]}: {schema['const']}"
    elif "enum" in schema:
        fix = did_you_mean(str(value), schema["enum"], f"write {listed(schema['enum'], 'or')}")
    elif "maximum" in schema:
        fix = f"write a number from {schema['minimum']} to {schema['maximum']}"
    else:
        fix = "fill it in or remove it"
    code = "empty-value" if is_empty else "wrong-value"
    return Problem(code, what, _meaning(schema), fix, document.value(path), context(path))


def _meaning(schema: Any) -> str:
    """The first sentence of a description, as a clause."""
    sentence = str(schema.get("description", "")).split(". ")[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _label(path: KeyPath) -> str:
    if not path:
        return "the file"
    return shown(path[-1]) if isinstance(path[-1], str) else f"entry {path[-1] + 1} of {path[-2]}"
