"""What RDS is asked of a cluster that does not answer. By botocore's Stubber: the sandbox refuses its user nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.clusters import require_available
from aurora_tenants.errors import AwsError

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:orders"


@pytest.fixture
def rds() -> Iterator[tuple[Aws, Stubber]]:
    client = boto3.client("rds", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield Aws("eu-west-1", None, None, lambda service: client), stubber
        stubber.assert_no_pending_responses()


def test_who_may_not_ask_goes_on_waiting(rds: tuple[Aws, Stubber]):
    aws, stubber = rds
    stubber.add_client_error("describe_db_clusters", "AccessDenied", "no", 403)
    require_available(aws, ARN)


@pytest.mark.parametrize("status", ["available", "starting", "creating", "upgrading", "modifying"])
def test_a_status_that_passes_is_waited_for(rds: tuple[Aws, Stubber], status: str):
    aws, stubber = rds
    stubber.add_response("describe_db_clusters", described(status), {"DBClusterIdentifier": ARN})
    require_available(aws, ARN)


@pytest.mark.parametrize("status", ["stopped", "stopping", "deleting", "inaccessible-encryption-credentials"])
def test_a_status_that_stays_is_told(rds: tuple[Aws, Stubber], status: str):
    aws, stubber = rds
    stubber.add_response("describe_db_clusters", described(status))
    with pytest.raises(AwsError, match=f"^cluster orders is {status}$"):
        require_available(aws, ARN)


def test_any_other_refusal_is_told(rds: tuple[Aws, Stubber]):
    aws, stubber = rds
    stubber.add_client_error("describe_db_clusters", "InternalFailure", "sorry", 500)
    with pytest.raises(AwsError, match=r"^could not read cluster orders: sorry"):
        require_available(aws, ARN)


def described(status: str) -> dict[str, Any]:
    return {"DBClusters": [{"DBClusterIdentifier": "orders", "Status": status}]}
