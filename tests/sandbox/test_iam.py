"""Policies as they are written in templates, judged for the calls a function makes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from aurora_sandbox import iam, policies
from aurora_sandbox.policies import Need, SecretFacts
from aurora_sandbox.wire import ServiceError

CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:shared"
SECRETS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
SHOP = f"{SECRETS}/shared/database/shop-AbCdEf"
ROTATION = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"
EXECUTE = Need("rds-data:ExecuteStatement", CLUSTER)


def allow(action: Any, resource: Any = "*", **others: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **others}


def deny(action: Any, resource: Any = "*", **others: Any) -> dict[str, Any]:
    return {**allow(action, resource, **others), "Effect": "Deny"}


def allowed(need: Need, *statements: dict[str, Any]) -> bool:
    return policies.decide(statements, need) is None


SCHEDULER, GROUP = "scheduler.amazonaws.com", "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/hours"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"Principal": {"Service": ["lambda.amazonaws.com", SCHEDULER]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, False),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Action": "sts:TagSession"}, False),
        ({"Effect": "Deny"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceArn": GROUP, "aws:SourceAccount": "123456789012"}}}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": GROUP.replace("hours", "*")}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}, False),
        ({"Condition": {"ArnEquals": {"aws:SourceArn": GROUP.replace("-group/hours", "/hours/wake")}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
    ],
)
def test_a_service_may_act_in_a_role_that_trusts_it_for_its_source(changes: dict[str, Any], expected: bool):
    statement = {"Effect": "Allow", "Principal": {"Service": SCHEDULER}, "Action": "sts:AssumeRole", **changes}
    keys = {"aws:sourceaccount": "123456789012", "aws:sourcearn": GROUP}
    assert policies.trusts([statement], SCHEDULER, keys) is expected


def test_a_denied_trust_is_none_whatever_else_is_allowed():
    allowed = {"Effect": "Allow", "Principal": {"Service": SCHEDULER}, "Action": "sts:*"}
    assert not policies.trusts([allowed, {**allowed, "Effect": "Deny"}], SCHEDULER, {})


def test_nothing_is_allowed_without_a_statement():
    assert (
        policies.decide((), EXECUTE) == "because no identity-based policy allows the rds-data:ExecuteStatement action"
    )


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("rds-data:ExecuteStatement", CLUSTER, True),
        ("RDS-Data:executestatement", CLUSTER, True),
        ("rds-data:*", "arn:aws:rds:*:*:cluster:shared", True),
        (["s3:GetObject", "rds-data:Execute*"], [SHOP, CLUSTER], True),
        ("*", "*", True),
        ("rds-data:ExecuteStatemen?", "*", True),
        ("rds-data:BatchExecuteStatement", CLUSTER, False),
        ("rds-data:ExecuteStatement", CLUSTER + "2", False),
        ("rds-data:ExecuteStatement", CLUSTER.upper(), False),
        ("rds-data:ExecuteStatement", CLUSTER.replace(":cluster:", ".cluster."), False),
    ],
)
def test_actions_ignore_case_and_both_know_wildcards(action: Any, resource: Any, expected: bool):
    assert allowed(EXECUTE, allow(action, resource)) is expected


def test_a_deny_wins_whatever_allows():
    assert policies.decide((allow("*"), deny("rds-data:*"), allow("*")), EXECUTE) == (
        "with an explicit deny in an identity-based policy"
    )


def test_not_action_and_not_resource_take_in_everything_else():
    assert allowed(EXECUTE, {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})
    assert not allowed(EXECUTE, {"Effect": "Allow", "NotAction": "rds-data:*", "Resource": "*"})
    assert not allowed(EXECUTE, {"Effect": "Allow", "Action": "*", "NotResource": CLUSTER})
    assert not allowed(EXECUTE, allow("*"), {"Effect": "Deny", "Action": "*", "NotResource": SHOP})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"ArnEquals": {"secretsmanager:resource/AllowRotationLambdaArn": ROTATION}}, True),
        ({"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": [ROTATION, "x"]}}, True),
        ({"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": "*"}}, False),
        ({"ArnLike": {"secretsmanager:resource/AllowRotationLambdaArn": "arn:aws:lambda:*:rotation"}}, True),
        ({"StringNotLike": {"secretsmanager:resource/AllowRotationLambdaArn": "*:rotation"}}, False),
        ({"StringLike": {"aws:ResourceTag/cluster": "sha*"}}, True),
        ({"StringEquals": {"aws:ResourceTag/owner": "shared"}}, False),
        ({"StringEqualsIfExists": {"aws:ResourceTag/owner": "shared"}}, True),
        ({"StringNotEquals": {"aws:ResourceTag/owner": "shared"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, False),
        ({"StringEquals": {"aws:ResourceTag/cluster": "shared", "aws:SourceAccount": "123456789012"}}, False),
    ],
)
def test_conditions_on_what_is_known_of_a_secret(condition: dict[str, Any], expected: bool):
    facts = SecretFacts(SHOP, ROTATION, {"cluster": "shared"})
    (need,) = secret_needs("PutSecretValue", {"SecretId": SHOP}, facts)
    assert allowed(need, allow("*", Condition=condition)) is expected


@pytest.mark.parametrize(
    ("statement", "element"),
    [
        (allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), "the operator IpAddress"),
        (allow("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), "the condition key aws:PrincipalOrgID"),
        (allow("*", "arn:${aws:username}"), "the policy variable in arn:${aws:username}"),
    ],
)
def test_what_cannot_be_evaluated_never_allows_and_says_so(statement: dict[str, Any], element: str):
    reason = policies.decide((statement,), EXECUTE)
    assert reason is not None
    assert reason.endswith(f"(the sandbox cannot evaluate {element})")
    assert not allowed(EXECUTE, allow("*"), {**statement, "Effect": "Deny"})


def arn_prefix(service: str) -> str:
    return f"arn:aws:{service}:eu-west-1:123456789012:"


def needs(service: str, operation: str, parameters: dict[str, Any], facts: SecretFacts | None = None):
    found = policies.needs(service, operation, parameters, arn_prefix=arn_prefix, secret=lambda secret_id: facts)
    return [(need.action, need.resource) for need in found]


def secret_needs(operation: str, parameters: dict[str, Any], facts: SecretFacts | None = None) -> tuple[Need, ...]:
    return policies.needs(
        "secretsmanager", operation, parameters, arn_prefix=arn_prefix, secret=lambda secret_id: facts
    )


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        (
            "rds-data",
            "ExecuteStatement",
            {"resourceArn": CLUSTER, "secretArn": "shop", "sql": "DO 1"},
            [("rds-data:ExecuteStatement", CLUSTER), ("secretsmanager:GetSecretValue", SHOP)],
        ),
        ("secretsmanager", "GetSecretValue", {"SecretId": "shop"}, [("secretsmanager:GetSecretValue", SHOP)]),
        ("secretsmanager", "CreateSecret", {"Name": "x"}, [("secretsmanager:CreateSecret", f"{SECRETS}x-??????")]),
        (
            "secretsmanager",
            "CreateSecret",
            {"Name": "x", "Tags": [{"Key": "a", "Value": "b"}]},
            [
                ("secretsmanager:CreateSecret", f"{SECRETS}x-??????"),
                ("secretsmanager:TagResource", f"{SECRETS}x-??????"),
            ],
        ),
        (
            "secretsmanager",
            "RotateSecret",
            {"SecretId": "shop", "RotationLambdaARN": ROTATION},
            [("secretsmanager:RotateSecret", SHOP), ("lambda:InvokeFunction", ROTATION)],
        ),
        ("secretsmanager", "GetRandomPassword", {}, [("secretsmanager:GetRandomPassword", "*")]),
        ("secretsmanager", "ListSecrets", {}, [("secretsmanager:ListSecrets", "*")]),
        (
            "secretsmanager",
            "BatchGetSecretValue",
            {"SecretIdList": ["shop"]},
            [("secretsmanager:BatchGetSecretValue", "*"), ("secretsmanager:GetSecretValue", SHOP)],
        ),
        ("rds", "DescribeDBClusters", {"DBClusterIdentifier": "shared"}, [("rds:DescribeDBClusters", CLUSTER)]),
        ("rds", "DescribeDBClusters", {}, [("rds:DescribeDBClusters", "*")]),
        ("sts", "GetCallerIdentity", {}, []),
        ("iam", "ListRoles", {}, [("iam:ListRoles", "*")]),
    ],
)
def test_what_a_call_needs(service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]):
    assert needs(service, operation, parameters, SecretFacts(SHOP)) == expected


SERVICE_ROLE = "arn:aws:iam::123456789012:role/deploys"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/*"


def stack_needs(operation: str, tags: dict[str, str] | None = None, **parameters: Any) -> tuple[Need, ...]:
    """tags: of the stack, None if there is none."""
    facts = None if tags is None else policies.StackFacts(tags)
    asked = {"StackName": "shop", **parameters}
    return policies.needs(
        "cloudformation", operation, asked, arn_prefix=arn_prefix, secret=lambda secret_id: None, stack=lambda _: facts
    )


def test_who_names_a_role_has_to_be_allowed_to_pass_it_and_who_sets_tags_to_tag():
    found = stack_needs("CreateStack", RoleARN=SERVICE_ROLE, Tags=[{"Key": "team", "Value": "a"}])
    assert [(need.action, need.resource) for need in found] == [
        ("cloudformation:CreateStack", STACK),
        ("cloudformation:TagResource", STACK),
        ("iam:PassRole", SERVICE_ROLE),
    ]
    assert [need.action for need in stack_needs("DeleteStack", {})] == ["cloudformation:DeleteStack"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:ResourceTag/Team": "a"}}, True),
        ({"StringEquals": {"aws:ResourceTag/Team": "b"}}, False),
        ({"StringEquals": {"aws:ResourceTag/Other": "a"}}, False),
        ({"StringEqualsIfExists": {"aws:ResourceTag/Other": "a"}}, True),
        ({"StringEquals": {"aws:RequestTag/Team": "b"}}, True),
        ({"StringEquals": {"aws:RequestTag/Other": "b"}}, False),
        ({"ArnEquals": {"cloudformation:RoleArn": SERVICE_ROLE}}, True),
        ({"ArnEquals": {"cloudformation:RoleArn": f"{SERVICE_ROLE}-too"}}, False),
        ({"StringEquals": {"cloudformation:CreateAction": "CreateChangeSet"}}, False),  # of TagResource alone
    ],
)
def test_conditions_on_a_stack_and_on_what_is_asked_of_it(condition: dict[str, Any], expected: bool):
    need, tagging, _ = stack_needs(
        "CreateChangeSet", {"Team": "a"}, RoleARN=SERVICE_ROLE, Tags=[{"Key": "Team", "Value": "b"}]
    )
    assert allowed(need, allow("*", Condition=condition)) is expected
    by = {"StringEquals": {"cloudformation:CreateAction": "CreateChangeSet"}}
    assert allowed(tagging, allow("*", Condition=by))


def test_the_role_that_a_stack_has_already_is_not_the_role_of_a_request():
    (need,) = stack_needs("DeleteStack", {"Team": "a"})
    assert not allowed(need, allow("*", Condition={"ArnEquals": {"cloudformation:RoleArn": "*"}}))


def test_a_secret_that_is_not_there_is_judged_by_its_name():
    (need,) = secret_needs("DescribeSecret", {"SecretId": "/shared/database/new"})
    assert allowed(need, allow("secretsmanager:DescribeSecret", f"{SECRETS}/shared/database/*"))
    assert not allowed(need, allow("secretsmanager:DescribeSecret", f"{SECRETS}/other/*"))


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    yield boto3.client(
        "iam",
        endpoint_url=f"http://127.0.0.1:{moto.get_host_and_port()[1]}",
        region_name="eu-west-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    moto.stop()


@pytest.fixture
def role(client: Any) -> str:
    """The ARN of a new role without policies."""
    return client.create_role(RoleName=f"r-{uuid.uuid4()}", AssumeRolePolicyDocument=document())["Role"]["Arn"]


def name(role: str) -> str:
    return role.rpartition("/")[2]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_the_statements_of_a_role_are_its_inline_and_its_managed_policies(client: Any, role: str):
    client.put_role_policy(RoleName=name(role), PolicyName="inline", PolicyDocument=document(allow("a:*")))
    managed = client.create_policy(PolicyName=name(role), PolicyDocument=document(allow("b:*"), deny("c:*")))
    client.attach_role_policy(RoleName=name(role), PolicyArn=managed["Policy"]["Arn"])
    assert iam.Policies(lambda: client).of(role) == (allow("a:*"), allow("b:*"), deny("c:*"))


def test_a_changed_policy_counts_once_iam_is_said_to_have_changed(client: Any, role: str):
    policies = iam.Policies(lambda: client)
    before = policies.of(role)
    client.put_role_policy(RoleName=name(role), PolicyName="inline", PolicyDocument=document(allow("a:*")))
    assert (before, policies.of(role)) == ((), ())
    policies.forget()
    assert policies.of(role) == (allow("a:*"),)


def test_a_role_that_does_not_exist_allows_nothing(client: Any):
    assert iam.Policies(lambda: client).of("arn:aws:iam::123456789012:role/gone") == ()


@dataclass(frozen=True)
class Provider:
    name: str
    role_arn: str


def guard(client: Any, role: str) -> iam.Guard:
    """A guard that knows one function, by the access key "function"."""
    return iam.Guard(
        iam.Policies(lambda: client),
        function_of=lambda key: Provider("provider", role) if key == "function" else None,
        arn_prefix=arn_prefix,
        secret=lambda secret_id: SecretFacts(SHOP),
    )


STATEMENT = {"resourceArn": CLUSTER, "secretArn": SHOP, "sql": "DO 1"}


def test_a_function_is_refused_in_the_words_of_aws(client: Any, role: str):
    with pytest.raises(ServiceError) as caught:
        guard(client, role).check("rds-data", "ExecuteStatement", STATEMENT, "function")
    assert (caught.value.code, caught.value.status) == ("AccessDeniedException", 403)
    assert caught.value.message == (
        f"User: arn:aws:sts::123456789012:assumed-role/{name(role)}/provider is not authorized to perform: "
        f"rds-data:ExecuteStatement on resource: {CLUSTER} "
        "because no identity-based policy allows the rds-data:ExecuteStatement action"
    )


def test_a_function_needs_every_permission_of_a_call(client: Any, role: str):
    client.put_role_policy(RoleName=name(role), PolicyName="a", PolicyDocument=document(allow("rds-data:*", CLUSTER)))
    with pytest.raises(ServiceError, match="not authorized to perform: secretsmanager:GetSecretValue"):
        guard(client, role).check("rds-data", "ExecuteStatement", STATEMENT, "function")
    client.put_role_policy(
        RoleName=name(role), PolicyName="b", PolicyDocument=document(allow("secretsmanager:*", SHOP))
    )
    guard(client, role).check("rds-data", "ExecuteStatement", STATEMENT, "function")


ACCOUNT_IS = {"aws:SourceAccount": "123456789012"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"Condition": {"StringEqualsIfExists": ACCOUNT_IS}}, True),
        ({"Condition": {"StringEquals": ACCOUNT_IS}}, False),
        ({"Condition": {"StringNotEquals": ACCOUNT_IS}}, False),
        ({"Condition": {"StringEqualsIfExists": {"aws:SourceAccount": "210987654321"}}}, False),
        ({"Principal": {"Service": ["lambda.amazonaws.com", "cloudformation.amazonaws.com"]}}, True),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_cloudformation_acts_in_a_role_that_trusts_it_with_and_without_an_account(
    client: Any, role: str, changes: dict[str, Any], expected: bool
):
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "cloudformation.amazonaws.com"}}
    client.update_assume_role_policy(RoleName=name(role), PolicyDocument=document(trust | changes))
    assert guard(client, role).cloudformation_may_assume(role) is expected


def test_cloudformation_acts_in_no_role_that_is_not_there(client: Any, role: str):
    assert not guard(client, role).cloudformation_may_assume("arn:aws:iam::123456789012:role/gone")


def test_everybody_else_is_allowed_everything(client: Any, role: str):
    guard(client, role).check("rds-data", "ExecuteStatement", STATEMENT, "somebody")
