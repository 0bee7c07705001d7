"""A tenant is deployed in a role of the shared stack, which has to trust CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import SHARED, Cloud

SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""


@pytest.fixture
def role(cloud: Cloud, clean: None) -> Iterator[str]:
    """CloudFormation's role, whose trust is put back."""
    client = cloud.client("iam")
    found = cloud.client("cloudformation").describe_stack_resource(
        StackName=SHARED, LogicalResourceId="CloudFormationRole"
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    before = client.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    yield name
    trust(cloud, name, before)


def trust(cloud: Cloud, role: str, document: Any) -> None:
    cloud.client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))


def test_a_tenant_is_deployed_though_cloudformation_does_not_name_the_account(
    run: CommandLine, cloud: Cloud, role: str
):
    """The trust that the role had before asked for it."""
    run.file(SHOP)
    now = cloud.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    trust(cloud, role, json.loads(json.dumps(now).replace("StringEqualsIfExists", "StringEquals")))
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, f":role/{role} is invalid or cannot be assumed" in ended.err) == (1, True), ended
    assert cloud.stacks() == {}
    trust(cloud, role, now)
    assert run("aurora-tenants apply --yes").code == 0
