"""What is found quickly to have a shape has it: jsonschema has nothing to say of it, whatever it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aurora_tenants import data
from aurora_tenants.config import quick, schema, yaml_file

SCHEMA = schema.flattened(json.loads(data.text(schema.FILE)))
SLOW = Draft202012Validator(SCHEMA)
QUICK = quick.made(SCHEMA)
EXAMPLE = Path(__file__).parents[2] / "examples" / "tenants.yaml"

numbers = st.integers() | st.floats() | st.sampled_from([0, 1, 300, 1.0, 30.0, 0.5, 86400, 2**32, True])
texts = st.text(max_size=3) | st.sampled_from(["SELECT", "shop", "iam", "drop", "manual", "skip", "SSL"])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("stack"), inner, max_size=3),
    max_leaves=6,
)


def full(part: dict[str, Any]) -> Any:
    """A value that a part of the schema allows, with all that can be in it."""
    if "properties" in part and "object" in part["type"]:
        return {key: full(of) for key, of in part["properties"].items()}
    if isinstance(part.get("additionalProperties"), dict):
        return {**part.get("examples", [{}])[-1], "shop": full(part["additionalProperties"])}
    if "array" in part.get("type", ()) and "properties" in part.get("items", ()):
        return [full(part["items"])]
    return part["examples"][-1] if "examples" in part else "shop"


DOCUMENTS = [full(SCHEMA), *SCHEMA["examples"], yaml_file.parse(EXAMPLE.read_text(encoding="utf-8"), "f").data]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of every collection in a value: the collection, and the key or position."""
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(member, dict | list):
            yield from places(member)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A document of the right shape, of which some places hold something else, nothing, or one key more."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            return document
        collection, key = found[draw(st.integers(0, len(found) - 1))]
        change = draw(st.sampled_from(["other", "gone", "more"]))
        if change == "gone":
            del collection[key]
        elif change == "more" and isinstance(collection, dict):
            collection[draw(texts)] = draw(anything)
        else:
            collection[key] = draw(anything)
    return document


def has_shape(value: Any) -> bool:
    return SLOW.is_valid(value)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_document_of_the_right_shape_is_found_quickly(document: Any):
    assert QUICK(document)
    assert has_shape(document)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_a_document_that_was_changed_is_never_taken_for_one_of_the_right_shape(document: Any):
    assert has_shape(document) or not QUICK(document)


@settings(max_examples=100, deadline=None)
@given(anything)
def test_nothing_else_is_taken_for_a_document(value: Any):
    assert has_shape(value) or not QUICK(value)


PARTS = [
    *({"type": kind} for kind in ("object", "array", "string", "integer", "number", "boolean", "null")),
    *({"type": [kind, "null"]} for kind in ("object", "array", "string")),
    {"type": ["string", "array", "object"], "minLength": 2, "minItems": 1, "minProperties": 1},
    {"type": "object", "properties": {"stack": {"type": "string"}}, "required": ["stack"]},
    {"type": "object", "properties": {"stack": {"type": "string"}}, "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": ["object", "array"], "required": ["stack"], "items": {"type": "integer"}},
    {"type": "array", "items": {"type": "string"}, "minItems": 2},
    *({"type": kind, "minimum": 0, "maximum": 300} for kind in ("integer", "number")),
    {"type": "integer", "minimum": 1},
    *({"const": value} for value in (1, True, "shop", None, 1.0, [])),
    *({"enum": values} for values in (["iam", "drop"], [1, "SSL"], [True, 0], [None, {}])),
    *({"enum": [1], "const": 0}, {"type": "string", "enum": [1, "shop"]}, {}, {"minLength": 1}),
    *(
        {"type": "string", "pattern": "^a"},
        {"not": {}},
        {"type": "integer", "multipleOf": 2},
        {"anyOf": [{"const": 1}]},
    ),
]


@pytest.mark.parametrize("part", PARTS, ids=json.dumps)
@settings(max_examples=25, deadline=None)
@given(value=anything)
def test_any_schema(part: dict[str, Any], value: Any):
    assert Draft202012Validator(part).is_valid(value) or not quick.made(part)(value)


@pytest.mark.parametrize("value", [0, True, 1.0, "1", None, []])
def test_a_version_that_only_looks_like_one_is_left_to_jsonschema(value: object):
    """Python takes 1, 1.0 and True for one key of a dict."""
    assert not quick.made({"const": 1})(value)
    assert quick.made({"const": 1})(1)


def test_a_schema_with_a_word_that_is_not_known_here_allows_nothing_quickly():
    assert quick.made({"type": "string"})("shop")
    assert not quick.made({"type": "string", "format": "email"})("shop")
    assert not quick.made({"type": "array", "items": {"anyOf": []}})([1])
