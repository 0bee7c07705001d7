"""What `env` tells a service: which user logs in how, and never a password."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aurora_tenants.errors import AwsError, InvalidUsage, Problem
from aurora_tenants.model import Configuration, Tenant, TenantDatabase, TenantUser
from aurora_tenants.service import environment, writer
from tests.values import CLUSTER

ARN = "arn:aws-cn:rds:cn-north-1:123456789012:cluster:shared-databaseserver"
SECRET = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:/shared/database/shop-AbCdEf"
SHOP = Tenant(
    "shop",
    (TenantDatabase("shop"), TenantDatabase("archive")),
    (TenantUser("shop"), TenantUser("shop-signed", rotate_after_days=0, auth="iam")),
)
OF_SHOP = {
    "DatabaseShop": "shop",
    "DatabaseArchive": "archive",
    "SecretShop": SECRET,
    "UserShopSigned": "shop-signed",
}
OF_SHARED = {
    "DatabaseServer": ARN,
    "DatabaseHost": "shared.cluster-x.example",
    "DatabasePort": "3306",
    "DatabaseResourceId": "cluster-ABC",
}
BEFORE = OF_SHOP | {"DatabaseServer": ARN}  # as tenants were deployed before
BY_IAM = {
    "DATABASE_RESOURCE": ARN,
    "DATABASE_NAME": "archive",
    "DATABASE_USER": "shop-signed",
    "DATABASE_HOST": "shared.cluster-x.example",
    "DATABASE_PORT": "3306",
    "DATABASE_REGION": "cn-north-1",
    "DATABASE_USER_RESOURCE": "arn:aws-cn:rds-db:cn-north-1:123456789012:dbuser:cluster-ABC/shop-signed",
}


def asked(stacks: dict[str, dict[str, str]], **wanted: str | None) -> dict[str, str]:
    """The environment that follows from the outputs of these stacks, asked for in this order and for nothing else.

    botocore's own Stubber, which checks every call and answer against the API's model: an answer of CloudFormation is
    all that this needs, and the sandbox takes a minute to give it.
    """
    client: Any = boto3.client(
        "cloudformation", region_name="cn-north-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        for name, outputs in stacks.items():
            described = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
            stack = {"StackName": name, "StackStatus": "UPDATE_COMPLETE", "CreationTime": 0, "Outputs": described}
            stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": name})
        names = {"user": None, "database": None, **wanted}
        values = environment(client, Configuration(CLUSTER, (SHOP,)), "shop", **names)
        stubber.assert_no_pending_responses()
    return values


@pytest.mark.parametrize("stacks", [{"shared-shop": OF_SHOP, "shared": OF_SHARED}, {"shared-shop": BEFORE}])
def test_who_logs_in_by_password_is_told_the_secret(stacks: dict[str, dict[str, str]]):
    assert asked(stacks) == {
        "DATABASE_RESOURCE": ARN,
        "DATABASE_SECRET": SECRET,
        "DATABASE_NAME": "shop",
    }


@pytest.mark.parametrize("outputs", [OF_SHOP, BEFORE])
def test_who_logs_in_by_iam_is_told_what_signing_and_connecting_take(outputs: dict[str, str]):
    stacks = {"shared-shop": outputs, "shared": OF_SHARED}
    assert asked(stacks, user="shop-signed", database="archive") == BY_IAM


def test_a_shared_stack_that_does_not_know_the_address_is_to_be_deployed_again():
    with pytest.raises(AwsError) as caught:
        asked({"shared-shop": OF_SHOP, "shared": {"DatabaseServer": ARN}}, user="shop-signed")
    assert caught.value.problems == (
        Problem(
            "old-shared-stack",
            "stack shared does not say where its cluster is",
            "its outputs lack DatabaseHost, DatabasePort, DatabaseResourceId, which a login needs",
            "run: aurora-tenants shared deploy --stack shared",
        ),
    )


@pytest.mark.parametrize(("user", "missing"), [("shop", "SecretShop"), ("shop-signed", "UserShopSigned")])
def test_a_user_whose_login_was_changed_in_the_file_alone_is_not_deployed_yet(user: str, missing: str):
    outputs = {name: value for name, value in OF_SHOP.items() if name != missing}
    with pytest.raises(AwsError) as caught:
        asked({"shared-shop": outputs}, user=user)
    assert caught.value.problems[0].code == "not-deployed"


@pytest.mark.parametrize("wanted", [{"user": "x"}, {"database": "x"}, {"user": ""}])
def test_a_name_that_the_file_does_not_have_is_refused_before_anything_is_asked(wanted: dict[str, str]):
    with pytest.raises(InvalidUsage):
        asked({}, **wanted)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("shell", "export A='b c'\nexport D=e"),
        ("dotenv", "A=b c\nD=e"),
        ("json", '{\n  "A": "b c",\n  "D": "e"\n}'),
    ],
)
def test_three_forms(form: str, text: str):
    assert writer(form)({"A": "b c", "D": "e"}) == text
