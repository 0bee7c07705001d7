"""What an account and its region are like: answered as AWS answers it, or refused with a sentence."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aurora_sandbox.cloudformation import region
from aurora_sandbox.cloudformation.region import Region
from aurora_sandbox.engines import described, is_serverless, versions
from aurora_sandbox.server import Sandbox
from aurora_sandbox.wire import ServiceError
from tests.endpoint import client as client_of

Client = Callable[[str], Any]
OWNER = "arn:aws:iam::123456789012:user/sandbox"


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Client:
    def make(service: str) -> Any:
        return client_of(sandbox.environment(), service, config=Config(retries={"total_max_attempts": 1}))

    return make


@pytest.fixture
def role(client: Client) -> str:
    """The ARN of a role that may read queues, deny included, and hand one role to CloudFormation."""
    name = f"r-{uuid.uuid4()}"
    statements = [
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:mine"},
        {"Effect": "Deny", "Action": "sqs:DeleteQueue", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
        },
    ]
    iam, document = client("iam"), {"Version": "2012-10-17", "Statement": statements}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", Path="/ci/")["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(arn)


def decisions(client: Client, source: str, *actions: str, **options: Any) -> list[str]:
    answer = client("iam").simulate_principal_policy(PolicySourceArn=source, ActionNames=[*actions], **options)
    return [result["EvalDecision"] for result in answer["EvaluationResults"]]


QUEUE = "arn:aws:sqs:eu-west-1:123456789012:mine"


def test_a_role_may_do_what_its_policies_allow(client: Client, role: str):
    actions = ("sqs:GetQueueUrl", "sqs:DeleteQueue", "sns:Publish")
    assert decisions(client, role, *actions, ResourceArns=[QUEUE]) == ["allowed", "explicitDeny", "implicitDeny"]
    assert decisions(client, role, "sqs:GetQueueUrl") == ["implicitDeny"]  # on every queue


@pytest.mark.parametrize(
    ("service", "expected"), [("cloudformation", "allowed"), ("lambda", "implicitDeny"), ("", "implicitDeny")]
)
def test_a_condition_is_asked_of_the_context(client: Client, role: str, service: str, expected: str):
    entry = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyType": "string",
        "ContextKeyValues": [f"{service}.amazonaws.com"],
    }
    assert decisions(client, role, "iam:PassRole", ContextEntries=[entry] if service else []) == [expected]


@pytest.fixture
def conditional(client: Client) -> str:
    """The ARN of a role that may do everything in eu-west-1, but write no queue without MFA."""
    name = f"r-{uuid.uuid4()}"
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": "sns:*",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}},
        },
        {
            "Effect": "Deny",
            "Action": "sqs:SendMessage",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    ]
    iam, document = client("iam"), {"Version": "2012-10-17", "Statement": statements}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(arn)


@pytest.mark.parametrize(
    ("context", "expected", "missing"),
    [
        ({}, ["allowed", "explicitDeny"], {"aws:RequestedRegion"}),
        ({"aws:RequestedRegion": "us-east-1"}, ["allowed", "explicitDeny"], set()),
        ({"aws:requestedregion": "eu-west-1"}, ["allowed", "explicitDeny"], {"aws:MultiFactorAuthPresent"}),
        (
            {"aws:RequestedRegion": "eu-west-1", "aws:MultiFactorAuthPresent": "False"},
            ["allowed", "explicitDeny"],
            set(),
        ),
        ({"aws:RequestedRegion": "eu-west-1", "aws:MultiFactorAuthPresent": "true"}, ["allowed", "allowed"], set()),
    ],
)
@pytest.mark.parametrize("resources", [[QUEUE, f"{QUEUE}-2"], ["*"], []])
def test_a_key_that_is_missing_is_told_where_aws_tells_it(
    client: Client,
    conditional: str,
    context: dict[str, str],
    expected: list[str],
    missing: set[str],
    resources: list[str],
):
    """A negated operator, and one with IfExists, hold for it. The first deny that applies ends the search."""
    entries = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for key, value in context.items()
    ]
    answer = client("iam").simulate_principal_policy(
        PolicySourceArn=conditional,
        ActionNames=["sns:Publish", "sqs:SendMessage"],
        ResourceArns=resources,
        ContextEntries=entries,
    )
    results = answer["EvaluationResults"]
    assert [result["EvalDecision"] for result in results] == expected
    assert {*results[1]["MissingContextValues"]} == missing
    named = [] if resources in ([], ["*"]) else resources
    of_each = results[1].get("ResourceSpecificResults", [])
    assert [each["EvalResourceName"] for each in of_each] == named
    assert all({*each["MissingContextValues"]} == missing for each in of_each)
    assert {each["EvalResourceDecision"] for each in of_each} <= {expected[1]}


def test_a_result_is_as_strict_as_the_strictest_of_its_resources(client: Client, role: str):
    assert decisions(client, role, "sqs:GetQueueUrl", ResourceArns=[QUEUE, f"{QUEUE}-2"]) == ["implicitDeny"]


def test_the_owner_may_do_everything(client: Client):
    assert decisions(client, OWNER, "iam:PassRole", "sqs:DeleteQueue") == ["allowed", "allowed"]


@pytest.mark.parametrize("source", ["arn:aws:iam::123456789012:role/gone", "arn:aws:iam::123456789012:user/other"])
def test_whoever_the_sandbox_does_not_know_is_refused(client: Client, source: str):
    with pytest.raises(ClientError, match=r"NoSuchEntity\).*The sandbox knows the policies of roles and of its owner"):
        decisions(client, source, "sqs:DeleteQueue")


def test_a_simulation_with_policies_of_its_own_is_refused(client: Client):
    with pytest.raises(ClientError, match="The sandbox does not imitate PolicyInputList of SimulatePrincipalPolicy"):
        decisions(client, OWNER, "sqs:DeleteQueue", PolicyInputList=["{}"])


def test_versions_of_the_engine_are_those_of_aws(client: Client):
    rds = client("rds")
    found = rds.describe_db_engine_versions(Engine="aurora-mysql")["DBEngineVersions"]
    assert {entry["EngineVersion"] for entry in found} == {*versions()}
    assert "8.0.mysql_aurora.3.10.0" in versions()
    (one,) = rds.describe_db_engine_versions(Engine="aurora-mysql", EngineVersion=versions()[-1])["DBEngineVersions"]
    assert one["EngineVersion"] == versions()[-1]
    assert rds.describe_db_engine_versions(Engine="aurora-mysql", EngineVersion="9")["DBEngineVersions"] == []


@pytest.mark.parametrize(
    ("version", "capacities"),
    [
        ("5.7.mysql_aurora.2.11.1", None),
        ("8.0.mysql_aurora.3.01.0", None),
        ("8.0.mysql_aurora.3.05.2", {"MinCapacity": 0.5, "MaxCapacity": 128.0}),
        ("8.0.mysql_aurora.3.07.0", {"MinCapacity": 0.5, "MaxCapacity": 256.0}),
        ("8.0.mysql_aurora.3.08.0", {"MinCapacity": 0.0, "MaxCapacity": 256.0}),
        ("8.4.mysql_aurora.8.4.7", {"MinCapacity": 0.0, "MaxCapacity": 256.0}),
    ],
)
def test_a_version_has_the_capacities_that_aws_documents(version: str, capacities: dict[str, float] | None):
    assert described(version).get("ServerlessV2FeaturesSupport") == capacities
    assert is_serverless(version) is (capacities is not None)


def test_instances_can_be_ordered_for_versions_of_serverless_v2(client: Client):
    def options(version: str) -> list[str]:
        answer = client("rds").describe_orderable_db_instance_options(
            Engine="aurora-mysql", EngineVersion=version, DBInstanceClass="db.serverless"
        )
        return [option["EngineVersion"] for option in answer["OrderableDBInstanceOptions"]]

    assert options("8.0.mysql_aurora.3.10.0") == ["8.0.mysql_aurora.3.10.0"]
    assert options("5.7.mysql_aurora.2.11.1") == options("8.0.mysql_aurora.3.99.0") == []


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("describe_db_engine_versions", {"Engine": "postgres"}),
        ("describe_db_engine_versions", {}),
        ("describe_orderable_db_instance_options", {"Engine": "aurora-mysql", "DBInstanceClass": "db.r6g.large"}),
        ("describe_account_attributes", {}),
    ],
)
def test_what_is_not_imitated_is_refused_with_a_sentence(client: Client, operation: str, parameters: dict[str, Any]):
    with pytest.raises(ClientError, match=r"NotImplemented\).*The sandbox (knows|does not imitate) "):
        getattr(client("rds"), operation)(**parameters)


def test_an_unknown_clusters_data_api_cannot_be_switched(client: Client):
    arn = "arn:aws:rds:eu-west-1:123456789012:cluster:gone"
    for operation in ("enable_http_endpoint", "disable_http_endpoint"):
        with pytest.raises(ClientError, match="ResourceNotFoundFault"):
            getattr(client("rds"), operation)(ResourceArn=arn)


def test_there_may_be_as_many_stacks_as_the_account_says(client: Client, monkeypatch: pytest.MonkeyPatch):
    (limit,) = client("cloudformation").describe_account_limits()["AccountLimits"]
    assert limit == {"Name": "StackLimit", "Value": 2_000}
    monkeypatch.setattr(region, "MAX_STACKS", 2)
    full = Region(account="1", region="eu-west-1")
    for name in ("a", "b"):
        full.add(name, name, None)  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match="Limit for stack has been exceeded"):
        full.add("c", "c", None)  # type: ignore[arg-type]
