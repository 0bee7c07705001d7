"""Templates: what is refused with which words, and what intrinsic functions give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_sandbox.cloudformation import yaml
from aurora_sandbox.cloudformation.intrinsics import Scope, Unresolvable, resolve
from aurora_sandbox.cloudformation.template import parse

from .fakes import Sandbox, queue, template

SCOPE = Scope(
    variables={"Name": "shop", "Zones": ["a", "b"], "AWS::Region": "eu-west-1"},
    mappings={"Size": {"eu-west-1": {"small": 1}}},
    conditions={"IsProd": True, "IsTest": False},
    ref=lambda name: f"id-of-{name}",
    attribute=lambda name, what: f"{name}/{what}",
    imported=lambda name: f"import-of-{name}",
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", "shop"),
        ("!Ref Queue", "id-of-Queue"),
        ("!GetAtt Queue.Arn", "Queue/Arn"),
        ("!GetAtt Cluster.MasterUserSecret.SecretArn", "Cluster/MasterUserSecret.SecretArn"),
        ("Fn::GetAtt: Queue.Arn", "Queue/Arn"),
        ("!Sub '${Name}-${Queue}-${Queue.Arn}-${!Literal}'", "shop-id-of-Queue-Queue/Arn-${Literal}"),
        ("!Sub ['${Other}-${Name}', {Other: !Ref Queue}]", "id-of-Queue-shop"),
        ("!Join ['-', [a, !Ref Name, 5, true]]", "a-shop-5-true"),
        ("!Join [',', !Ref Zones]", "a,b"),
        ("!Select [1, !Ref Zones]", "b"),
        ("!Select ['0', !GetAZs '']", "eu-west-1a"),
        ("!GetAZs {Ref: 'AWS::Region'}", ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ("!Split ['|', 'a|b']", ["a", "b"]),
        ("!FindInMap [Size, !Ref 'AWS::Region', small]", 1),
        ("!Base64 hello", "aGVsbG8="),
        ("!Cidr [10.0.0.0/16, 2, 8]", ["10.0.0.0/24", "10.0.1.0/24"]),
        ("!ImportValue {Fn::Sub: '${Name}-server'}", "import-of-shop-server"),
        ("!If [IsProd, big, small]", "big"),
        ("!If [IsTest, big, !Ref AWS::NoValue]", None),
        ("{a: 1, b: !If [IsTest, 2, !Ref AWS::NoValue]}", {"a": 1}),
        ("[1, !Ref AWS::NoValue]", [1]),
        (
            "{Version: 2012-10-17, Condition: {Bool: {x: true}}}",
            {"Version": "2012-10-17", "Condition": {"Bool": {"x": True}}},
        ),
    ],
)
def test_an_intrinsic_function_gives(text: str, value: Any) -> None:
    indented = text if text.startswith(("!", "{", "[")) else f"\n        {text}"
    body = f"""
      Conditions: {{IsProd: !Equals [a, a], IsTest: !Equals [a, b]}}
      Parameters: {{Name: {{Type: String}}, Zones: {{Type: CommaDelimitedList}}}}
      Resources:
        Queue: {{Type: AWS::SQS::Queue}}
        Cluster: {{Type: AWS::RDS::DBCluster}}
        Subject:
          Type: AWS::SQS::Queue
          Properties:
            P: {indented.replace(chr(10) + " " * 8, chr(10) + " " * 14)}
    """
    found = resolve(dict(parse(body).resources["Subject"].properties), SCOPE)
    assert found == ({} if value is None else {"P": value})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"Fn::Select": [2, {"Ref": "Zones"}]}, "Fn::Select cannot select nonexistent value at index 2"),
        ({"Fn::FindInMap": ["Size", "us-east-1", "small"]}, "Unable to get mapping for Size::us-east-1::small"),
        ({"Fn::Sub": "${Zones}"}, "variable Zones in Fn::Sub expression does not resolve to a string"),
        ({"Fn::Length": [1]}, "the sandbox does not imitate Fn::Length"),
        ({"Fn::Join": "x"}, "Fn::Join cannot be applied"),
    ],
)
def test_a_wrong_use_of_an_intrinsic_function_says_so(value: Any, reason: str) -> None:
    with pytest.raises(Unresolvable, match=reason):
        resolve(value, SCOPE)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "At least one Resources member must be defined"),
        ({"Resources": {"A": {}}}, r"\[/Resources/A\] Every Resources object must contain a Type member"),
        ({"Resources": {"A-1": queue()}}, "Resource name A-1 is non alphanumeric"),
        ({"Resources": {"A": queue()}, "Stuff": {}}, r"Invalid template property or properties \[Stuff\]"),
        ({"Resources": {"A": queue()}, "Transform": "X"}, "does not imitate a template's Transform"),
        (
            {"Resources": {"A": queue({"Ref": "X"})}},
            r"Template format error: Unresolved resource dependencies \[X\] in the Resources block of the template",
        ),
        (
            {"Resources": {"A": queue()}, "Outputs": {"O": {"Value": {"Fn::Sub": "${X}"}}}},
            r"Unresolved resource dependencies \[X\] in the Outputs block of the template",
        ),
        ({"Resources": {"A": queue(DependsOn="X")}}, r"Unresolved resource dependencies \[X\]"),
        (
            {"Resources": {"A": queue({"Fn::GetAtt": ["X", "Arn"]})}},
            "instance of Fn::GetAtt references undefined resource X",
        ),
        ({"Resources": {"A": queue(QueueName=None)}}, "'null' values are not allowed in templates"),
        ({"Resources": {"A": queue(Condition="C")}}, r"Unresolved condition dependencies \[C\]"),
        ({"Resources": {"A": queue(DeletionPolicy="Snapshot")}}, "does not support deletion policy Snapshot"),
        ({"Resources": {"A": queue(DeletionPolicy="Keep")}}, "Unrecognized DeletionPolicy 'Keep'"),
        ({"Resources": {"A": queue() | {"Bogus": 1}}}, "Invalid template resource property 'Bogus'"),
        ({"Resources": {"A": queue() | {"Properties": None}}}, r"^.*\[/Resources/A/Properties\] 'null' values are not"),
        ({"Resources": {"A": queue() | {"Properties": []}}}, r"\[/Resources/A/Properties\] must be an object"),
        ({"Resources": {"A": queue(DependsOn=5)}}, "DependsOn must be a string or list of strings"),
        ({"Resources": {"A": queue(Condition={})}}, "Every Condition member must be a string"),
        ({"Resources": {"A": queue(DeletionPolicy=["Retain"])}}, "Every DeletionPolicy member must be a string"),
        *(
            ({"Resources": {"A": queue()}, "Parameters": {"P": {"Type": "String", **wrong}}}, message)
            for wrong, message in (
                ({"Bogus": 1}, "Invalid template parameter property 'Bogus'"),
                ({"Default": None}, r"\[/Parameters/P/Default\] 'null' values are not allowed in templates"),
                ({"Default": ["a"]}, "Every Default member must be a string"),
                ({"Description": 2024}, "Every Description member must be a string"),
                ({"AllowedValues": "a"}, "AllowedValues of parameter P must be a list"),
                ({"MinLength": "few"}, "MinLength must be a number"),
            )
        ),
        *(
            ({"Resources": {"A": queue()}, "Conditions": {"C": condition}}, message)
            for condition, message in (
                ({"Fn::Equals": ["a"]}, "every Fn::Equals object requires a list of 2 string parameters"),
                ({"Fn::Not": []}, "every Fn::Not object requires a list with exactly 1 boolean parameter"),
                ({"Fn::Or": [{"Condition": "C"}]}, "every Fn::Or object requires a list of at least 2 and at most 10"),
                ({"Fn::Not": [{"Fn::Equals": "a"}]}, "every Fn::Equals object requires a list of 2"),
                ("yes", "every condition must be one condition function"),
            )
        ),
        ({"Resources": {f"Q{n}": queue() for n in range(501)}}, "Number of resources, 501, is greater than maximum"),
    ],
)
def test_a_template_that_cannot_be_is_refused(aws: Sandbox, body: dict[str, Any], message: str) -> None:
    """Statement 5, among others: references that lead nowhere."""
    with pytest.raises(ClientError, match=message) as refused:
        aws.create("shop", body)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert aws.aws.list_stacks()["StackSummaries"] == []


def test_text_that_is_no_template_is_refused_with_the_place(aws: Sandbox) -> None:
    with pytest.raises(ClientError, match=r"YAML not well-formed. \(line 2, column 2\)"):
        aws.aws.validate_template(TemplateBody="a: [1\nb: }")
    with pytest.raises(ClientError, match="unsupported structure"):
        aws.aws.validate_template(TemplateBody="just text")


def test_an_alias_of_yaml_is_refused_and_an_anchor_is_not(aws: Sandbox) -> None:
    anchored = "Resources: {A: &a {Type: AWS::SQS::Queue}%s}"
    with pytest.raises(ClientError, match="Template error: YAML aliases are not allowed in CloudFormation templates"):
        aws.aws.validate_template(TemplateBody=anchored % ", B: *a")
    aws.aws.validate_template(TemplateBody=anchored % "")


def test_circles_are_refused_before_the_start(aws: Sandbox) -> None:
    """Statement 5."""
    with pytest.raises(ClientError, match=r"Circular dependency between resources: \[A, B\]"):
        aws.create("shop", template({"A": queue({"Ref": "B"}), "B": queue({"Fn::Sub": "${A}"}), "C": queue()}))


def test_a_template_has_51200_bytes_at_most(aws: Sandbox) -> None:
    """Statement 46."""
    body = json.dumps(template({"A": queue("a")}))
    full = body + " " * (51_200 - len(body))
    aws.aws.validate_template(TemplateBody=full)
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        aws.aws.validate_template(TemplateBody=full + " ")


@pytest.mark.parametrize("name", ["1shop", "shop_dev"])
def test_a_stack_name_has_letters_digits_and_hyphens(aws: Sandbox, name: str) -> None:
    with pytest.raises(ClientError, match="Member must satisfy regular expression pattern"):
        aws.create(name, template({"A": queue()}))


def test_a_parameters_value_has_4096_bytes_at_most(aws: Sandbox) -> None:
    wanted = template({"A": queue()}, Parameters={"P": {"Type": "String"}})
    parameter = {"ParameterKey": "P", "ParameterValue": "é" * 2048}
    with pytest.raises(ClientError, match="Parameter 'P' must have no more than 4096 bytes"):
        aws.create("shop", wanted, Parameters=[{**parameter, "ParameterValue": "é" * 2048 + "e"}])
    assert aws.create("shop", wanted, Parameters=[parameter]) == "CREATE_COMPLETE"


def test_a_stack_name_has_128_characters_at_most(aws: Sandbox) -> None:
    with pytest.raises(ClientError, match=r"at 'stackName' .* Member must have length less than or equal to 128"):
        aws.create("x" * 129, template({"A": queue()}))
    assert aws.create("x" * 128, template({"A": queue()})) == "CREATE_COMPLETE"


def test_words_that_look_like_booleans_are_text_as_keys_and_as_y_and_n(aws: Sandbox) -> None:
    """ASFHyP3/hyp3 #2061: the tag YES became true on AWS; aws/aws-cli #7805: y and n stay."""
    body = """
Resources:
  Y:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: n
      Tags:
        - {Key: yes, Value: yes}
        - {Key: N, Value: N}
        - {Key: text, Value: "off"}
"""
    aws.aws.create_stack(StackName="shop", TemplateBody=body)
    assert aws.settled("shop") == "CREATE_COMPLETE"
    tags = [{"Key": "true", "Value": "true"}, {"Key": "N", "Value": "N"}, {"Key": "text", "Value": "off"}]
    assert aws.queues.live["n"] == {"QueueName": "n", "Tags": tags}
    assert list(aws.resources("shop")) == ["Y"]


def test_keys_are_names_whatever_they_look_like() -> None:
    body = "{Resources: {on: 1, 12: 2, No: 3, 2012-10-17: 4, true: 5, 1.50: 6, ~: 7}}"
    assert list(yaml.load(body)["Resources"]) == ["on", "12", "No", "2012-10-17", "true", "1.50", "~"]


def test_conditions_decide_about_resources_properties_and_outputs(aws: Sandbox) -> None:
    wanted = template(
        {
            "A": queue({"Fn::If": ["IsProd", {"Ref": "B"}, "alone"]}, DependsOn="B"),
            "B": queue("b", Condition="IsProd"),
        },
        Parameters={"Stage": {"Type": "String"}},
        Conditions={
            "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
            "IsProd": {
                "Fn::And": [
                    {"Fn::Not": [{"Condition": "IsDev"}]},
                    {"Fn::Or": [{"Condition": "IsDev"}, {"Fn::Equals": [1, "1"]}]},
                ]
            },
        },
        Outputs={"B": {"Value": {"Ref": "B"}, "Condition": "IsProd"}},
    )
    aws.create("dev", wanted, Parameters=[{"ParameterKey": "Stage", "ParameterValue": "dev"}])
    assert (set(aws.queues.live), aws.outputs("dev")) == ({"alone"}, {})


def test_a_reference_to_a_resource_that_takes_no_part_is_refused(aws: Sandbox) -> None:
    wanted = template(
        {"A": queue({"Ref": "B"}), "B": queue("b", Condition="Never")},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )
    with pytest.raises(ClientError, match=r"Unresolved resource dependencies \[B\] in the Resources block"):
        aws.create("shop", wanted)


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ({"Type": "String"}, None, r"Parameters: \[P\] must have values"),
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", r"Parameter 'P' must match pattern \[a-z\]\+"),
        ({"Type": "String", "MinLength": 3}, "ab", "Parameter 'P' must contain at least 3 characters"),
        ({"Type": "String", "MaxLength": "3"}, "abcd", "Parameter 'P' must contain at most 3 characters"),
        ({"Type": "Number"}, "many", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MinValue": 2}, "1", "Parameter 'P' must be a number not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, "3", "Parameter 'P' must be a number not greater than 2"),
        (
            {"Type": "Number", "MaxValue": 2, "ConstraintDescription": "two at most"},
            "3",
            "Parameter P failed to satisfy constraint: two at most",
        ),
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, "x", "does not imitate parameters of type AWS::SSM"),
        ({"Type": "Text"}, "x", "Unrecognized parameter type: Text"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(
    aws: Sandbox, declaration: dict[str, Any], value: str | None, message: str
) -> None:
    given = [] if value is None else [{"ParameterKey": "P", "ParameterValue": value}]
    with pytest.raises(ClientError, match=message):
        aws.create("shop", template({"A": queue()}, Parameters={"P": declaration}), Parameters=given)


def test_a_parameter_that_the_template_does_not_have_is_refused(aws: Sandbox) -> None:
    with pytest.raises(ClientError, match=r"Parameters: \[X\] do not exist in the template"):
        aws.create("shop", template({"A": queue()}), Parameters=[{"ParameterKey": "X", "ParameterValue": "1"}])


def test_a_list_parameter_is_a_list_and_defaults_count(aws: Sandbox) -> None:
    declared = {
        "Zones": {"Type": "List<AWS::EC2::AvailabilityZone::Name>", "Default": "a, b"},
        "Id": {"Type": "AWS::EC2::VPC::Id", "Default": "vpc-1"},
    }
    wanted = template(
        {"A": queue({"Fn::Join": ["-", {"Ref": "Zones"}]}), "B": queue({"Ref": "Id"})}, Parameters=declared
    )
    aws.create("shop", wanted)
    assert set(aws.queues.live) == {"a-b", "vpc-1"}


def test_pseudo_parameters_name_the_place(aws: Sandbox) -> None:
    text = "${AWS::AccountId} ${AWS::Region} ${AWS::Partition} ${AWS::StackName} ${AWS::URLSuffix} ${AWS::StackId}"
    aws.create("shop", template({"A": queue("a")}, Outputs={"O": {"Value": {"Fn::Sub": text}}}))
    stack_id = aws.stack("shop")["StackId"]
    assert aws.outputs("shop") == {"O": f"123456789012 eu-west-1 aws shop amazonaws.com {stack_id}"}


def test_a_summary_says_what_a_template_needs(aws: Sandbox) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}
    wanted = template(
        {"R": role}, Parameters={"P": {"Type": "String", "Default": "x", "NoEcho": True}}, Description="D"
    )
    summary = aws.aws.get_template_summary(TemplateBody=json.dumps(wanted))
    assert (summary["Description"], summary["ResourceTypes"], summary["Capabilities"]) == (
        "D",
        ["AWS::IAM::Role"],
        ["CAPABILITY_NAMED_IAM"],
    )
    assert summary["Parameters"][0]["DefaultValue"] == "x"
    assert aws.aws.validate_template(TemplateBody=json.dumps(wanted))["Parameters"][0]["NoEcho"] is True


def test_yaml_keeps_its_text_and_is_given_back_as_it_was(aws: Sandbox) -> None:
    body = "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: !Sub '${AWS::StackName}-q'}\n"
    aws.aws.create_stack(StackName="shop", TemplateBody=body)
    assert aws.settled("shop") == "CREATE_COMPLETE"
    assert aws.aws.get_template(StackName="shop")["TemplateBody"] == body
    assert set(aws.queues.live) == {"shop-q"}
