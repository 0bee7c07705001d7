"""Requests are compared with every constraint of AWS's models before a service sees them, in AWS's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.model import OperationModel, Shape
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurora_sandbox.cloudformation.requests import UNDERSTOOD
from aurora_sandbox.server import Sandbox
from aurora_sandbox.wire import Kept, Request, ServiceError, constraints, parse, service_model, spoken
from aurora_sandbox.wire.constraints import misfits
from aurora_sandbox.wire.quick import fits
from tests.sandbox.test_wire import values

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"
MEMBER = "1 validation error detected: Value{} at '{}' failed to satisfy constraint: Member must {}"
NAME = "([a-zA-Z][-a-zA-Z0-9]*)|(arn:\\b(aws|aws-us-gov|aws-cn)\\b:[-a-zA-Z0-9:/._+]*)"
# What the sandbox answers itself, by the service that botocore knows.
OWN = {
    "cloudformation": frozenset(UNDERSTOOD),
    "secretsmanager": None,
    "scheduler": None,
    "rds-data": None,
    "lambda": None,
    "rds": frozenset(
        {
            *("DescribeDBClusters", "ModifyDBCluster", "EnableHttpEndpoint", "DisableHttpEndpoint"),
            *("DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions"),
        }
    ),
    "cloudwatch": frozenset({"GetMetricData", "GetMetricStatistics"}),
    "logs": frozenset({"FilterLogEvents"}),
    "iam": frozenset({"SimulatePrincipalPolicy"}),
    "sts": frozenset({"GetCallerIdentity"}),
}


def said(service: str, operation: str, **parameters: Any) -> tuple[str, str] | None:
    model = service_model(service).operation_model(operation)
    error = constraints.refusal(model, parameters, code="ValidationException")
    return (error.code, error.message) if error else None


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "words"),
    [
        (
            "cloudformation",
            "CreateChangeSet",
            {"StackName": "shop_dev", "ChangeSetName": "first"},
            MEMBER.format(" 'shop_dev'", "stackName", f"satisfy regular expression pattern: {NAME}"),
        ),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "shop", "OnFailure": "PANIC"},
            MEMBER.format(" 'PANIC'", "onFailure", "satisfy enum value set: [DO_NOTHING, ROLLBACK, DELETE]"),
        ),
        ("cloudformation", "CreateStack", {}, MEMBER.format(" null", "stackName", "not be null")),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "shop", "TimeoutInMinutes": 0},
            MEMBER.format(" '0'", "timeoutInMinutes", "have value greater than or equal to 1"),
        ),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "shop", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "k" * 129, "Value": "b"}]},
            MEMBER.format(f" '{'k' * 129}'", "tags.2.member.key", "have length less than or equal to 128"),
        ),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "shop", "Tags": [{"Key": "a", "Value": "b"}] * 51},
            MEMBER.format("", "tags", "have length less than or equal to 50"),
        ),
        (
            "secretsmanager",
            "PutSecretValue",
            {"SecretId": "shop", "SecretString": "s" * 65_537},
            MEMBER.format("", "secretString", "have length less than or equal to 65536"),
        ),
        (
            "secretsmanager",
            "PutSecretValue",
            {"SecretId": "shop", "SecretString": "x", "VersionStages": ["", "s"]},
            MEMBER.format(
                " '[, s]'",
                "versionStages",
                "satisfy constraint: [Member must have length less than or equal to 256, "
                "Member must have length greater than or equal to 1]",
            ),
        ),
        (
            "scheduler",
            "CreateScheduleGroup",
            {"Name": "opening hours"},
            MEMBER.format(" 'opening hours'", "name", "satisfy regular expression pattern: [0-9a-zA-Z-_.]+"),
        ),
        (
            "rds-data",
            "ExecuteStatement",
            {"resourceArn": ARN, "secretArn": ARN, "sql": "DO 1", "formatRecordsAs": "XML"},
            MEMBER.format(" 'XML'", "formatRecordsAs", "satisfy enum value set: [NONE, JSON]"),
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f", "InvocationType": "Later"},
            MEMBER.format(" 'Later'", "invocationType", "satisfy enum value set: [Event, RequestResponse, DryRun]"),
        ),
        (
            "iam",
            "CreateRole",
            {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "<", "Value": "é"}]},
            MEMBER.format(
                " '<'",
                "tags.1.member.key",
                "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+",
            ),
        ),
    ],
)
def test_a_constraint_that_is_not_kept_is_told_in_awss_words(
    service: str, operation: str, parameters: dict[str, Any], words: str
):
    assert said(service, operation, **parameters) == ("ValidationException", words)


def test_several_are_counted_and_joined():
    code, message = said("cloudformation", "CreateChangeSet", StackName="1", ChangeSetName="2") or ("", "")
    first, second = (MEMBER.format(f" '{value}'", at, "satisfy regular expression pattern: {}") for value, at in (
        ("1", "stackName"), ("2", "changeSetName")))  # fmt: skip
    assert (code, message) == (
        "ValidationException",
        "2 validation errors detected: "
        + "; ".join(
            sentence.partition(": ")[2].format(pattern)
            for sentence, pattern in ((first, NAME), (second, "[a-zA-Z][-a-zA-Z0-9]*"))
        ),
    )


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("secretsmanager", "CreateSecret", {"Name": "shop", "SecretString": "hunter2" * 10_000}),
        ("secretsmanager", "PutSecretValue", {"SecretId": "s", "SecretString": "x", "RotationToken": "hunter2"}),
        ("secretsmanager", "CreateSecret", {"Name": "shop", "SecretBinary": b"hunter2" * 10_000}),
        ("rds-data", "ExecuteStatement", {"resourceArn": ARN, "secretArn": ARN, "sql": "hunter2" * 10_000}),
    ],
)
def test_no_secret_is_quoted(service: str, operation: str, parameters: dict[str, Any]):
    code, message = said(service, operation, **parameters) or ("", "")
    assert (code, "hunter2" in message) == ("ValidationException", False)
    assert message.startswith("1 validation error detected: Value at '")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "NUMBER_VALUE can not be converted to String"),
        (True, "TRUE_VALUE can not be converted to String"),
        ({}, "Start of structure or map found where not expected."),
        (["x"], "Start of list found where not expected"),
    ],
)
def test_another_type_is_told_as_awss_reader_of_json_does(value: Any, words: str):
    assert said("rds-data", "ExecuteStatement", sql=value) == ("SerializationException", words)


def test_what_the_model_allows_is_taken():
    """Words of any script in a tag: Python's own regular expressions cannot say that."""
    tags = [{"Key": "équipe", "Value": "支払い 1"}]
    assert said("iam", "CreateRole", RoleName="r", AssumeRolePolicyDocument="{}", Tags=tags) is None
    assert said("cloudformation", "CreateStack", StackName="s", Tags=[{"Key": "k", "Value": "v"}] * 50) is None


@pytest.mark.parametrize(
    ("operation", "answer", "wrong"),
    [
        ("DescribeSecret", {"Name": "shop", "Colour": "red"}, "colour is not in the model"),
        (
            "ListSecrets",
            {"SecretList": [{"Name": "shop", "Shade": 1}]},
            "secretList.1.member.shade is not in the model",
        ),
        ("DescribeSecret", {"Description": 2024}, "NUMBER_VALUE can not be converted to String"),
        ("DescribeSecret", {"RotationEnabled": "yes"}, "STRING_VALUE can not be converted to Boolean"),
        (
            "GetSecretValue",
            {"SecretString": ""},
            "Value at 'secretString' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
    ],
)
def test_an_answer_that_aws_would_not_give_is_found(operation: str, answer: dict[str, Any], wrong: str):
    shape = service_model("secretsmanager").operation_model(operation).output_shape
    assert list(constraints.misfits(shape, answer)) == [wrong]


# Every operation


def breaking(shape: Shape) -> Any:
    """A value that breaks a constraint of the shape, None if it has none that can be broken."""
    limits = shape.metadata
    if shape.type_name == "string" and "enum" in limits:
        return "no such value"
    if shape.type_name == "string" and limits.get("max", 10_000) < 10_000:
        return "x" * (limits["max"] + 1)
    if shape.type_name in ("integer", "long") and "max" in limits:
        return limits["max"] + 1
    if shape.type_name == "list" and shape.member.type_name == "string" and shape.member.metadata.get("enum"):
        return ["no such value"]
    return None


def broken(operation: OperationModel) -> dict[str, Any] | None:
    """Parameters of which one breaks the model; {} where something is required, None where nothing can be wrong."""
    shape = operation.input_shape
    if shape is None:
        return None
    if any(shape.members[name].serialization.get("location") != "uri" for name in shape.required_members):
        return {}
    found = ({name: wrong} for name, member in shape.members.items() if (wrong := breaking(member)) is not None)
    return next(found, None)


def own_operations(sandbox: Sandbox) -> Iterator[OperationModel]:
    services = {service.name: service for service in sandbox._account.services.values()}
    assert services.keys() == OWN.keys()
    for name, listed in OWN.items():
        for operation in sorted(services[name]._operations if listed is None else listed):
            yield service_model(name).operation_model(operation)


def sent(operation: OperationModel, parameters: dict[str, Any]) -> Request:
    """The request of a client that checks nothing; what is missing in a path is one character there."""
    model = operation.service_model
    protocol = getattr(model, "resolved_protocol", model.metadata["protocol"])  # older versions of botocore have one
    in_path = {
        name: "0" for name, member in operation.input_shape.members.items() if "uri" in str(member.serialization)
    }
    writer = create_serializer(protocol, include_validation=False)
    written = writer.serialize_to_request(in_path | parameters, operation)
    target, body = written["url_path"], written["body"]
    if query := written["query_string"]:
        target += f"?{urlencode(query)}"
    body = urlencode(body) if isinstance(body, dict) else body
    headers = {name.lower(): str(value) for name, value in written["headers"].items()}
    return Request(written["method"], target, headers, body if isinstance(body, bytes) else body.encode())


def test_every_operation_that_the_sandbox_answers_itself_is_checked(sandbox: Sandbox):
    """Each is sent something wrong, and refused before its service is asked."""
    checked, cannot_be_wrong = Counter[str](), []
    for operation in own_operations(sandbox):
        parameters, name = broken(operation), operation.service_model.service_name
        if parameters is None:
            cannot_be_wrong.append(f"{name}:{operation.name}")
            continue
        request = sent(operation, parameters)
        with pytest.raises(ServiceError, match=r"validation errors? detected"):
            parse(spoken(name, request), request)
        checked[name] += 1
    assert cannot_be_wrong == [  # no constraints
        "cloudformation:DescribeStackResources",
        "lambda:GetAccountSettings",
        "rds:DescribeDBClusters",
        "rds:DescribeDBEngineVersions",
        "sts:GetCallerIdentity",
    ]
    assert checked == {
        "cloudformation": 23,
        "secretsmanager": 20,
        "scheduler": 12,
        "lambda": 7,
        "rds-data": 5,
        "cloudwatch": 2,
        "logs": 1,
        "rds": 4,
        "iam": 1,
    }


def test_patterns_of_all_models_can_be_read():
    session = botocore.session.get_session()
    for service in (*OWN, "iam", "sqs", "ec2", "logs", "ssm", "s3"):
        model = session.get_service_model(service)
        for name in model.shape_names:
            if pattern := model.shape_for(name).metadata.get("pattern"):
                assert constraints.compiled(pattern).fullmatch("\0") is None or "\0" not in pattern


def test_what_is_taken_quickly_is_what_nothing_is_said_of():
    """The quick way says yes only where the long one finds nothing."""
    events = service_model("cloudformation").operation_model("DescribeStackEvents").output_shape
    right = {"StackEvents": [{"StackId": "s", "EventId": "e", "StackName": "n", "Timestamp": datetime(2026, 1, 1)}]}
    event = right["StackEvents"][0]
    wrong = [
        {"StackEvents": [event], "Unknown": 1},
        {"StackEvents": [{**event, "EventId": None}]},
        {"StackEvents": [{**event, "Timestamp": "now"}]},
        {"StackEvents": [{**event, "ClientRequestToken": "-"}]},
        {"StackEvents": [{**event, "HookStatus": "NO_SUCH"}]},
        {"StackEvents": {}},
    ]
    assert [fits(events, value) for value in (right, {}, *wrong)] == [True, True, *[False] * len(wrong)]
    assert all(list(misfits(events, value)) for value in wrong)
    records = service_model("rds-data").operation_model("ExecuteStatement").output_shape
    union = [{"longValue": 1}, {"arrayValue": {"longValues": [1]}}, {}, {"longValue": 1, "stringValue": "1"}]
    assert [fits(records, {"records": [[field]]}) for field in union] == [True, True, False, False]


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("cloudformation", "DescribeStacks"),
        ("cloudformation", "DescribeChangeSet"),
        ("secretsmanager", "ListSecrets"),
        ("rds-data", "ExecuteStatement"),
        ("scheduler", "GetSchedule"),
    ],
)
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_the_quick_look_and_the_long_one_agree(service: str, operation: str, data: st.DataObject):
    """Of values that fit, of values with something in them put wrong, and of each as something that is kept."""
    shape = service_model(service).operation_model(operation).output_shape
    value = data.draw(values(shape))
    odd = st.sampled_from([None, "", "x" * 5000, -1, 10**9, 0.5, True, [], {}, ["a"], {"Stranger": None}, b"a", ()])
    for _ in range(data.draw(st.integers(0, 2))):
        parts = list(inside(value))
        if parts:
            holder, key = data.draw(st.sampled_from(parts))
            holder[key] = deepcopy(data.draw(odd))
    wrong = list(constraints.all_misfits(shape, value))
    kept = with_kept(value)
    for _ in range(2):  # what is kept is looked at once
        assert not (fits(shape, value) and wrong)
        assert fits(shape, kept) == fits(shape, value)
        assert list(misfits(shape, kept)) == wrong


def inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a value where something else could stand."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from inside(inner)


def with_kept(value: Any) -> Any:
    """The value with the structures in its lists as parts that are kept."""
    if isinstance(value, list):
        return [Kept(with_kept(each)) if isinstance(each, dict) else with_kept(each) for each in value]
    return {key: with_kept(inner) for key, inner in value.items()} if isinstance(value, dict) else value
