"""What `env` tells a service: which user logs in how, and never a password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aurora_tenants.aws.clients import Aws
from aurora_tenants.errors import AwsError, InvalidUsage, Problem
from aurora_tenants.model import Configuration, Tenant, TenantDatabase, TenantUser
from aurora_tenants.service import Told, chosen, environment, values_of
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
ADDRESS = {"DATABASE_HOST": "shared.cluster-x.example", "DATABASE_PORT": "3306"}
FOR_DATA_API = {"DATABASE_RESOURCE": ARN, "DATABASE_SECRET": SECRET, "DATABASE_NAME": "shop"}
BY_PASSWORD = FOR_DATA_API | {"DATABASE_USER": "shop"} | ADDRESS
BY_IAM = {
    "DATABASE_RESOURCE": ARN,
    "DATABASE_NAME": "archive",
    "DATABASE_USER": "shop-signed",
    **ADDRESS,
    "DATABASE_REGION": "cn-north-1",
    "DATABASE_USER_RESOURCE": "arn:aws-cn:rds-db:cn-north-1:123456789012:dbuser:cluster-ABC/shop-signed",
}
DEPLOY = "run: aurora-tenants shared deploy --stack shared"


def told(
    outputs: Mapping[str, str], shared: Mapping[str, str], *, user: str | None = None, database: str | None = None
) -> Told:
    login = chosen(Configuration(CLUSTER, (SHOP,)), "shop", user=user, database=database)
    return values_of(login, outputs, shared, CLUSTER)


def aws_that_answers(stacks: Mapping[str, Mapping[str, str] | str], cluster: Mapping[str, Any] | None = None) -> Aws:
    """Clients that know these stacks' outputs, or the error that they answer with, and this cluster.

    botocore's own answers, without a network: both stacks are asked for at once, and the Stubber wants an order.
    """
    keys = {"region_name": "cn-north-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    cloudformation: Any = boto3.client("cloudformation", **keys)
    rds: Any = boto3.client("rds", **keys)

    def answer(params: Mapping[str, Any], **more: Any) -> Any:
        outputs = stacks.get(params["body"]["StackName"], "does not exist")
        if isinstance(outputs, str):
            return Refused(400), {"Error": {"Code": "ValidationError", "Message": outputs}}
        described = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        stack = {"StackName": "x", "StackStatus": "UPDATE_COMPLETE", "Outputs": described}
        return Refused(200), {"Stacks": [stack]}

    cloudformation.meta.events.register("before-call.cloudformation.DescribeStacks", answer)
    stubber = Stubber(rds)
    if cluster is not None:
        stubber.add_response("describe_db_clusters", {"DBClusters": [cluster]}, {"DBClusterIdentifier": ARN})
    stubber.activate()
    return Aws("cn-north-1", cloudformation, None, lambda name: rds)


class Refused:
    """An HTTP answer, of which botocore looks at the status alone."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def asked(stacks: Mapping[str, Mapping[str, str] | str], **wanted: Any) -> Told:
    return environment(
        aws_that_answers(stacks), Configuration(CLUSTER, (SHOP,)), "shop", **{"user": None, "database": None, **wanted}
    )


@pytest.mark.parametrize("outputs", [OF_SHOP, BEFORE])
def test_who_logs_in_by_password_is_told_the_secret_and_where_a_driver_connects(outputs: Mapping[str, str]):
    assert asked({"shared-shop": outputs, "shared": OF_SHARED}) == Told(BY_PASSWORD)


@pytest.mark.parametrize("outputs", [OF_SHOP, BEFORE])
def test_who_logs_in_by_iam_is_told_what_signing_and_connecting_take(outputs: Mapping[str, str]):
    assert told(outputs, OF_SHARED, user="shop-signed", database="archive") == Told(BY_IAM)


def test_a_user_that_was_renamed_logs_in_by_its_name_with_the_secret_of_its_first_one():
    outputs = {"DatabaseShop": "shop", "SecretOld": SECRET, "RenamedUsers": "shop=old"}
    assert told(outputs, OF_SHARED).values == BY_PASSWORD


@pytest.mark.parametrize("shared", [OF_SHARED, {"DatabaseServer": ARN}])
def test_databases_called_as_parts_of_an_address_hide_none(shared: Mapping[str, str]):
    databases = tuple(map(TenantDatabase, ("host", "port", "resource-id")))
    outputs = {"DatabaseHost": "host", "DatabasePort": "port", "DatabaseResourceId": "resource-id", "SecretA": SECRET}
    tenant = Tenant("a", databases, (TenantUser("a"),))
    login = chosen(Configuration(CLUSTER, (tenant,)), "a", user=None, database=None)
    values = values_of(login, outputs, shared, CLUSTER).values
    assert {**values, "DATABASE_NAME": "shop", "DATABASE_USER": "shop"} == {
        name: value for name, value in BY_PASSWORD.items() if name not in ADDRESS or shared == OF_SHARED
    }
    assert values["DATABASE_NAME"] == "host"


def test_what_an_older_shared_stack_does_not_say_is_left_out_and_said():
    shared = {"DatabaseServer": ARN, "DatabasePort": "3306"}
    why = "stack shared does not say where its cluster is; the Data API does not need it"
    notice = Problem("old-shared-stack", "DATABASE_HOST is left out", why, DEPLOY)
    assert told(OF_SHOP, shared) == Told(FOR_DATA_API | {"DATABASE_USER": "shop", "DATABASE_PORT": "3306"}, (notice,))


@pytest.mark.parametrize("shared", ["does not exist", "User: x is not authorized to perform"])
def test_a_tenant_that_says_itself_which_cluster_it_is_on_needs_no_shared_stack(shared: str):
    values, notices = asked({"shared-shop": BEFORE, "shared": shared})
    assert values == FOR_DATA_API | {"DATABASE_USER": "shop"}
    assert [notice.what for notice in notices] == ["DATABASE_HOST and DATABASE_PORT are left out"]


def test_any_other_tenant_needs_it():
    with pytest.raises(AwsError, match="read stack shared"):
        asked({"shared-shop": OF_SHOP, "shared": "User: x is not authorized to perform"})
    with pytest.raises(AwsError, match="does not say where its cluster is"):
        asked({"shared-shop": OF_SHOP})


def test_a_token_cannot_be_signed_without_the_address():
    with pytest.raises(AwsError) as caught:
        told(OF_SHOP, {"DatabaseServer": ARN}, user="shop-signed")
    assert caught.value.problems == (
        Problem(
            "old-shared-stack",
            "stack shared does not say where its cluster is",
            "its outputs lack DatabaseHost, DatabasePort, DatabaseResourceId, which a login needs",
            DEPLOY,
        ),
    )


@pytest.mark.parametrize(
    ("members", "notices"), [([True], ["the cluster has no reader now"]), ([True, False], []), ([], None)]
)
@pytest.mark.parametrize("shared", [OF_SHARED, {"DatabaseServer": ARN}])
def test_the_reader_endpoint_is_the_clusters_own(
    members: list[bool], notices: list[str] | None, shared: Mapping[str, str]
):
    described = {"Port": 3307, "DBClusterMembers": [{"IsClusterWriter": writes} for writes in members]}
    cluster = described | ({} if notices is None else {"ReaderEndpoint": "shared.cluster-ro-x.example"})
    aws = aws_that_answers({"shared-shop": OF_SHOP, "shared": shared}, cluster)
    wanted: Any = {"user": None, "database": None, "to_reader": True}
    if notices is None:
        with pytest.raises(AwsError, match="cluster shared-databaseserver has no reader endpoint"):
            environment(aws, Configuration(CLUSTER, (SHOP,)), "shop", **wanted)
        return
    values, said = environment(aws, Configuration(CLUSTER, (SHOP,)), "shop", **wanted)
    assert values == BY_PASSWORD | {"DATABASE_HOST": "shared.cluster-ro-x.example", "DATABASE_PORT": "3307"}
    assert [notice.what for notice in said] == notices


@pytest.mark.parametrize(("user", "missing"), [("shop", "SecretShop"), ("shop-signed", "UserShopSigned")])
def test_a_user_whose_login_was_changed_in_the_file_alone_is_not_deployed_yet(user: str, missing: str):
    outputs = {name: value for name, value in OF_SHOP.items() if name != missing}
    with pytest.raises(AwsError) as caught:
        asked({"shared-shop": outputs, "shared": OF_SHARED}, user=user)
    assert caught.value.problems[0].code == "not-deployed"


@pytest.mark.parametrize("wanted", [{"user": "x"}, {"database": "x"}, {"user": ""}])
def test_a_name_that_the_file_does_not_have_is_refused_before_anything_is_asked(wanted: dict[str, str]):
    with pytest.raises(InvalidUsage):
        asked({}, **wanted)
