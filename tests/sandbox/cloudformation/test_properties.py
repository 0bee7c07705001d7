"""Properties of AWS's resource types are compared with their schemas, in the words of CloudFormation's validator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aurora_sandbox.backing import Backing
from aurora_sandbox.cloudformation.properties import complaints
from aurora_sandbox.cloudformation.schemas import schema

from .fakes import Sandbox, queue, template

RAW: dict[str, Any] = {
    "properties": {
        "Name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
        "Size": {"type": "integer", "minimum": 1, "maximum": 9},
        "Mode": {"type": "string", "enum": ["on", "off"]},
        "Tags": {"type": "array", "items": {"$ref": "#/definitions/Tag"}, "maxItems": 2, "uniqueItems": True},
        "Labels": {"type": "object", "patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
        "Either": {"anyOf": [{"required": ["A"]}, {"required": ["B"]}]},
    },
    "definitions": {
        "Tag": {
            "type": "object",
            "properties": {"Key": {"type": "string"}},
            "required": ["Key"],
            "additionalProperties": False,
        }
    },
    "required": ["Name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ({"Name": "abc", "Size": 9, "Mode": "on", "Tags": [{"Key": "a"}], "Labels": {"x1": "y"}}, []),
        ({}, ["#: required key [Name] not found"]),
        ({"Name": "a"}, ["#/Name: expected minLength: 2, actual: 1"]),
        (
            {"Name": "ABCDE"},
            [
                "#/Name: expected maxLength: 4, actual: 5",
                "#/Name: failed validation constraint for keyword [pattern]",
            ],
        ),
        ({"Name": 5}, ["#/Name: expected type: String, found: Integer"]),
        ({"Name": ["ab"]}, ["#/Name: expected type: String, found: JSONArray"]),
        ({"Name": "ab", "Size": 0}, ["#/Size: failed validation constraint for keyword [minimum]"]),
        ({"Name": "ab", "Size": 10}, ["#/Size: failed validation constraint for keyword [maximum]"]),
        ({"Name": "ab", "Size": True}, ["#/Size: expected type: Integer, found: Boolean"]),
        ({"Name": "ab", "Mode": "OFF"}, ["#/Mode: failed validation constraint for keyword [enum]"]),
        ({"Name": "ab", "Colour": "red"}, ["#: extraneous key [Colour] is not permitted"]),
        ({"Name": "ab", "Tags": [{"Key": "a"}, {"Name": "b"}]}, ["#/Tags/1: extraneous key [Name] is not permitted",
                                                                 "#/Tags/1: required key [Key] not found"]),
        ({"Name": "ab", "Tags": [{"Key": "a"}] * 3}, ["#/Tags: array items are not unique",
                                                      "#/Tags: expected maximum item count: 2, found: 3"]),
        ({"Name": "ab", "Labels": {"y": "z"}}, ["#/Labels: extraneous key [y] is not permitted"]),
        ({"Name": "ab", "Either": {}}, ["#/Either: #: no subschema matched out of the total 2 subschemas"]),
    ],
)  # fmt: skip
def test_what_a_schema_does_not_allow_is_told_without_the_value(properties: dict[str, Any], wrong: list[str]):
    assert complaints(RAW, properties) == wrong


def test_a_resource_with_wrong_properties_fails_before_anything_is_made(aws: Sandbox):
    wanted = template({"Role": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": "r" * 65, "AssumeRolePolicyDocument": {}, "Trust": "x"}}})  # fmt: skip
    assert aws.create("shop", wanted, Capabilities=["CAPABILITY_NAMED_IAM"]) == "ROLLBACK_COMPLETE"
    assert aws.reason("shop", "Role", "CREATE_FAILED") == (
        "Properties validation failed for resource Role with message:\n"
        "#/RoleName: expected maxLength: 64, actual: 65\n"
        "#: extraneous key [Trust] is not permitted"
    )
    assert aws.roles.requests == []


def test_properties_are_looked_at_once_functions_are_resolved(aws: Sandbox):
    """The length is that of the value, not of the expression; a number from a parameter is a number."""
    parameters = {"Seconds": {"Type": "String", "Default": "900"}}
    delayed = queue(DelaySeconds={"Ref": "Seconds"}, QueueName={"Fn::Sub": "${AWS::StackName}-mail"})
    assert aws.create("shop", template({"Mail": delayed}, Parameters=parameters)) == "CREATE_COMPLETE"
    longer = [{"ParameterKey": "Seconds", "ParameterValue": "901"}]
    wanted = template({"Mail": delayed}, Parameters=parameters)
    aws.aws.update_stack(StackName="shop", TemplateBody=json.dumps(wanted), Parameters=longer)
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.reason("shop", "Mail", "UPDATE_FAILED").endswith(
        "#/DelaySeconds: failed validation constraint for keyword [maximum]"
    )


def test_what_only_the_documentation_says_fails_in_the_services_words(aws: Sandbox):
    tag = {"Key": "aws:mine", "Value": "x"}
    assert aws.create("shop", template({"Mail": queue("m" * 81), "Other": queue(Tags=[tag])})) == "ROLLBACK_COMPLETE"
    reasons = {item["LogicalResourceId"]: item.get("ResourceStatusReason") for item in aws.events("shop")
               if item["ResourceStatus"] == "CREATE_FAILED"}  # fmt: skip
    assert set(reasons.values()) - {"Resource creation cancelled"} <= {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        "aws: prefixed tag key names are not allowed for external use.",
    }
    assert aws.queues.live == {}


def test_every_type_that_the_sandbox_has_is_in_the_schemas():
    from aurora_sandbox.resources import resource_types

    nobody: Any = None
    types = resource_types(
        secrets=nobody,
        functions=nobody,
        backing=Backing(nobody, nobody, nobody, nobody),
        boto=nobody,
        rules_changed=lambda: None,
    )
    assert len(types) == 29
    for name in types:
        assert complaints(schema("eu-west-1", name).raw, {"NoSuchProperty": 1})
