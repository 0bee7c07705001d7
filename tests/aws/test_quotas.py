from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from aurora_tenants.aws import quotas
from aurora_tenants.aws.clients import Aws


@pytest.mark.parametrize(
    ("region", "of_iam"), [("eu-west-1", "us-east-1"), ("cn-north-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")]
)
def test_more_roles_are_asked_for_where_iam_is(region: str, of_iam: str):
    """The sandbox has one partition alone."""
    iam = boto3.client("iam", region_name=region, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(iam) as stub:
        stub.add_response("get_account_summary", {"SummaryMap": {"Roles": 998, "RolesQuota": 1_000}})
        quota = quotas.roles(Aws(region, None, None, lambda name: iam))
    assert (quota.used, quota.limit, quota.wanted) == (998, 1_000, 4)
    assert quota.increase.endswith(f"--quota-code L-FE177D64 --desired-value N --region {of_iam}")
