"""What the transform AWS::SecretsManager makes of a template, and whom it needs the capabilities of. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aurora_sandbox.cloudformation import answers, template
from aurora_sandbox.wire import ServiceError

NEWER, OLDER = "AWS::SecretsManager-2024-09-16", "AWS::SecretsManager-2020-07-23"
HOSTED = {"RotationType": "MySQLSingleUser", "RotationLambdaName": "hosted"}


def body(transform: Any, **schedule: Any) -> str:
    properties = {"SecretId": {"Ref": "Secret"}, "HostedRotationLambda": HOSTED, "RotationRules": {"Duration": "2h"}}
    resources = {
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "Rotation": {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": properties, **schedule},
    }
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["RotationHostedRotationLambda", "Outputs.RotationLambdaARN"]}}}
    return json.dumps({"Transform": transform, "Resources": resources, "Outputs": outputs})


@pytest.mark.parametrize("transform", [NEWER, OLDER, [NEWER]])
def test_a_hosted_function_becomes_a_nested_stack_and_its_output(transform: Any):
    parsed = template.parse(body(transform))
    nested, schedule = parsed.resources["RotationHostedRotationLambda"], parsed.resources["Rotation"]
    assert (nested.type, nested.properties["Parameters"]) == ("AWS::CloudFormation::Stack", HOSTED)
    assert schedule.properties == {
        "SecretId": {"Ref": "Secret"},
        "RotationRules": {"Duration": "2h"},
        "RotationLambdaARN": {"Fn::GetAtt": ["RotationHostedRotationLambda", "Outputs.RotationLambdaARN"]},
    }
    assert "Transform" not in json.loads(parsed.processed or "")
    assert json.loads(parsed.body)["Transform"] == transform


def test_what_is_conditional_has_a_conditional_function_and_a_deletion_policy_stays():
    whole = json.loads(body(NEWER, Condition="Hosted", DeletionPolicy="Retain"))
    del whole["Outputs"]
    whole["Conditions"] = {"Hosted": {"Fn::Equals": ["a", "a"]}}
    parsed = template.parse(json.dumps(whole))
    assert {item.condition for name, item in parsed.resources.items() if name != "Secret"} == {"Hosted"}
    assert parsed.resources["Rotation"].deletion_policy == "Retain"


def test_without_a_transform_nothing_is_changed():
    parsed = template.parse('{"Resources": {"Mail": {"Type": "AWS::SQS::Queue"}}}')
    assert (parsed.transforms, parsed.processed) == ((), None)


@pytest.mark.parametrize("other", ["AWS::Serverless-2016-10-31", {"Ref": "Which"}, {"Name": NEWER}])
def test_another_transform_is_refused(other: Any):
    with pytest.raises(ServiceError, match="does not imitate a template's Transform"):
        template.parse(body(other))


def test_a_summary_names_the_transform_and_what_it_needs():
    summary = answers.template_summary(template.parse(body(NEWER)))
    assert (summary["DeclaredTransforms"], summary["Capabilities"]) == ([NEWER], ["CAPABILITY_AUTO_EXPAND"])
