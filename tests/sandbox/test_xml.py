"""What wire/xml.py writes is what ElementTree writes of a tree of the same values, byte by byte."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.model import Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurora_sandbox import wire
from aurora_sandbox.clock import utc
from aurora_sandbox.wire import xml
from aurora_sandbox.wire.scalars import name_of
from aurora_sandbox.wire.values import Kept
from tests.sandbox.test_wire import values

REQUEST_ID = "8b1f"
OPERATIONS = {
    "cloudformation": (
        "DescribeStacks",
        "DescribeStackEvents",
        "DescribeChangeSet",
        "ListStackResources",
        "GetTemplateSummary",
    ),
    "rds": ("DescribeDBClusters", "DescribeDBEngineVersions"),
    "iam": ("SimulatePrincipalPolicy",),
}


def by_a_tree(name: str, operation: str, result: Mapping[str, Any]) -> bytes:
    model = wire.service_model(name, "query")
    asked = model.operation_model(operation)
    root = ElementTree.Element(f"{operation}Response", xmlns=model.metadata["xmlNamespace"])
    shape = asked.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        add_members(ElementTree.SubElement(root, wrapper) if wrapper else root, shape, result)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = REQUEST_ID
    text = f"<?xml version='1.0' encoding='utf-8'?>\n{ElementTree.tostring(root, encoding='unicode')}"
    return text.replace("\r", "&#13;").encode()


def add_members(parent: ElementTree.Element, shape: Any, value: Mapping[str, Any]) -> None:
    for member, inner in value.items():
        if inner is not None:
            add(parent, name_of(shape.members[member], member), shape.members[member], inner)


def add(parent: ElementTree.Element, name: str, shape: Any, value: Any) -> None:
    node = ElementTree.SubElement(parent, name)
    if shape.type_name == "structure":
        add_members(node, shape, value)
    elif shape.type_name == "list":
        for element in value:
            add(node, name_of(shape.member, "member"), shape.member, element)
    elif shape.type_name == "map":
        for key, inner in value.items():
            entry = ElementTree.SubElement(node, "entry")
            add(entry, name_of(shape.key, "key"), shape.key, key)
            add(entry, name_of(shape.value, "value"), shape.value, inner)
    else:
        node.text = text_of(shape, value)


def text_of(shape: Shape, value: Any) -> str:
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "timestamp":
        return utc(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return "".join(each if is_xml(each) else "\ufffd" for each in str(value))


def is_xml(character: str) -> bool:
    """Char of XML 1.0."""
    return character in "\t\n\r" or any(
        first <= ord(character) <= last for first, last in ((0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
    )


@pytest.mark.parametrize(("name", "operation"), [(name, each) for name, all_ in OPERATIONS.items() for each in all_])
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_answers_are_written_as_a_tree_of_them_is(name: str, operation: str, data: st.DataObject) -> None:
    asked = wire.service_model(name, "query").operation_model(operation)
    result = data.draw(values(asked.output_shape))
    written = wire.query.answer(asked, result, REQUEST_ID).body
    assert written == by_a_tree(name, operation, result)


ODD = st.sampled_from("&<>\r\n\t\0\x1f \"'\ud800\ufffe\ufffd\U0001f600")


@given(st.text(st.one_of(ODD, st.characters(codec=None))))
@settings(max_examples=500)
def test_any_text_is_written_as_a_tree_has_it(text: str) -> None:
    asked = wire.service_model("cloudformation", "query").operation_model("GetTemplate")
    result = {"TemplateBody": text, "StagesAvailable": [text]}
    assert wire.query.answer(asked, result, REQUEST_ID).body == by_a_tree("cloudformation", "GetTemplate", result)


def test_what_is_empty_and_what_is_not_there() -> None:
    result = {"Stacks": [{"StackName": "", "Description": None, "Outputs": [], "RollbackConfiguration": {}}]}
    asked = wire.service_model("cloudformation", "query").operation_model("DescribeStacks")
    written = wire.query.answer(asked, result, REQUEST_ID).body
    assert written == by_a_tree("cloudformation", "DescribeStacks", result)
    assert b"<StackName /><Outputs /><RollbackConfiguration />" in written


def test_a_member_that_is_not_in_the_model_is_an_error() -> None:
    asked = wire.service_model("cloudformation", "query").operation_model("DescribeStacks")
    with pytest.raises(KeyError):
        wire.query.answer(asked, {"Stacks": [{"StackNames": "a"}]}, REQUEST_ID)


def test_what_is_kept_is_written_once_for_each_shape_and_as_anything_else() -> None:
    asked = wire.service_model("cloudformation", "query").operation_model("DescribeStacks")
    entry = {"StackName": "a & b", "StackStatus": "CREATE_COMPLETE", "Tags": [{"Key": "a", "Value": "<"}]}
    plain = wire.query.answer(asked, {"Stacks": [entry]}, REQUEST_ID).body
    kept = Kept(entry)
    assert [wire.query.answer(asked, {"Stacks": [kept]}, REQUEST_ID).body for _ in range(2)] == [plain, plain]
    shape = asked.output_shape.members["Stacks"].member
    assert kept.written == (shape, xml.inside(shape)(entry))
