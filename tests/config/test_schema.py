"""The JSON Schema, which editors read: that it is one, that it explains itself, and that it agrees with the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from aurora_tenants import config, data
from aurora_tenants.errors import InvalidFile

SCHEMA = json.loads(data.text("tenants.schema.json"))
EXAMPLE = Path(__file__).parents[2] / "examples" / "tenants.yaml"


def parts(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every definition and every property, with its name."""
    for group in ("$defs", "properties"):
        for key, part in schema.get(group, {}).items():
            yield f"{name}/{key}", part
            yield from parts(part, f"{name}/{key}")


def test_it_is_a_schema_of_draft_2020_12():
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(SCHEMA)


def test_every_property_and_definition_is_described():
    def described(part: dict[str, Any]) -> bool:
        definition = SCHEMA["$defs"].get(part.get("$ref", "").removeprefix("#/$defs/"), {})
        return "description" in part or "description" in definition

    assert [name for name, part in parts(SCHEMA) if not described(part)] == []


def test_every_definition_and_every_property_has_an_example_to_follow():
    """An error's fix shows it."""
    assert [name for name, part in parts(SCHEMA) if "examples" not in part and "$ref" not in part] == []


def test_its_examples_are_valid_themselves():
    wrong = [
        (name, example)
        for name, part in [("", SCHEMA), *parts(SCHEMA)]
        for example in part.get("examples", [])
        if not Draft202012Validator({**part, "$defs": SCHEMA["$defs"]}).is_valid(example)
    ]
    assert wrong == []


def test_no_mapping_takes_keys_it_does_not_know():
    assert [
        name for name, part in [("", SCHEMA), *parts(SCHEMA)] if "properties" in part and part["additionalProperties"]
    ] == []


def test_the_example_file_is_valid_for_editors_too():
    Draft202012Validator(SCHEMA).validate(YAML(typ="safe").load(EXAMPLE))


def test_the_example_file_names_the_schema_that_is_there():
    first = EXAMPLE.read_text(encoding="utf-8").splitlines()[0]
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((EXAMPLE.parent / path).read_text(encoding="utf-8")) == SCHEMA


@pytest.mark.parametrize(
    "body",
    [
        "Shop: ",
        "1a: ",
        "a: {stages: [Dev]}",
        "a: {databases: {a.b: }}",
        "a: {users: {a b: }}",
        "a: {databases: {'': }}",
    ],
)
def test_a_name_that_editors_mark_is_refused_by_the_rules_too(body: str):
    text = f"version: 1\ncluster: {{stack: shared}}\ntenants: {{{body}}}"
    assert not Draft202012Validator(SCHEMA).is_valid(YAML(typ="safe").load(text))
    with pytest.raises(InvalidFile):
        config.parse(text, "f")


def test_the_files_of_other_languages_are_found_by_name():
    assert SCHEMA["$id"] == "tenants.schema.json"
    assert data.text("shared.yml")
    with pytest.raises(KeyError):
        data.text("../pyproject.toml")
