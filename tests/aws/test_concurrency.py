"""What a deployment reserves for the provider of what the account may run at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.aws.concurrency import PARAMETER, RESERVED, reserve
from tests.cli.test_policies import role_of
from tests.cloud import PROVIDER, SHARED, Cloud
from tests.endpoint import environment


@pytest.fixture
def aws(cloud: Cloud) -> Iterator[Aws]:
    with environment(cloud.environment):
        yield connect(region=None, profile=None)
    cloud.clean()


def with_reserved(cloud: Cloud, number: int) -> None:
    """Another function, which has a reservation of its own."""
    resources: dict[str, Any] = role_of("Other", [])
    resources["OtherFunction"]["Properties"]["ReservedConcurrentExecutions"] = number
    assert cloud.deploy("other", {"Resources": resources}, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"


def test_shared_deploy_has_bounded_the_provider(cloud: Cloud, aws: Aws):
    found = aws.client("lambda").get_function(FunctionName=PROVIDER)["Concurrency"]
    parameters = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Parameters"]
    assert found == {"ReservedConcurrentExecutions": RESERVED}
    assert {"ParameterKey": PARAMETER, "ParameterValue": str(RESERVED)} in parameters


def test_what_is_there_or_given_is_kept(aws: Aws):
    assert reserve(aws, {PARAMETER: "7"}, {}) == reserve(aws, {}, {PARAMETER: ""}) == ({}, "")
    assert reserve(aws, {PARAMETER: ""}, {}) == ({PARAMETER: str(RESERVED)}, "")


def test_where_a_hundred_would_not_be_left_to_others_nothing_is_reserved(cloud: Cloud, aws: Aws):
    """As in an account that is new: Lambda would refuse it, and the whole deployment with it."""
    with_reserved(cloud, 801)
    parameters, said = reserve(aws, {}, {})
    assert (parameters, "of 1000 that the account may run at once 149 are not reserved" in said) == ({}, True)


def test_whoever_may_not_look_deploys_all_the_same(cloud: Cloud, aws: Aws, monkeypatch: pytest.MonkeyPatch):
    resources = role_of("Nobody", [])
    template = {"Resources": resources, "Outputs": {"Key": {"Value": {"Fn::GetAtt": ["Nobody", "Key"]}}}}
    assert cloud.deploy("ci", template, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    (key,) = cloud.client("cloudformation").describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["OutputValue"])
    parameters, said = reserve(connect(region=None, profile=None), {}, {})
    assert (parameters, "lambda:GetAccountSettings" in said) == ({}, True)
