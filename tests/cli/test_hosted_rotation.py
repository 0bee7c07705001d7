"""Users are rotated by a hosted function, of a stack beside the shared one, and by the shared stack's again.

By the sandbox's stand-in, which cfn/hosted-rotation.yml deploys there, and by AWS's code as it was published.
"""

from __future__ import annotations

import json

import pymysql
import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import SHARED, Cloud
from tests.endpoint import until
from tests.hosted import FUNCTION, STACK, deploy_hosted

pytestmark = pytest.mark.usefixtures("clean")

TENANTS = """
  shop:
    databases: {shop: {}}
    users:
      app: {rotation: %s, privileges: [{permission: ALL, database: shop}]}
      report: {privileges: [{permission: SELECT, database: shop}]}
"""
SECRET = f"/{SHARED}/database/app"


def password(cloud: Cloud) -> str:
    return str(json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"])["password"])


def rotated_by(cloud: Cloud) -> str:
    return str(cloud.client("secretsmanager").describe_secret(SecretId=SECRET)["RotationLambdaARN"].rpartition(":")[2])


@pytest.mark.parametrize(
    ("is_published", "cost"),
    [(False, "its endpoint costs $24.09 a month for 3 zones"), (True, "it has no endpoint of its own")],
)
def test_the_hosted_function_rotates_whom_the_file_says(run: CommandLine, cloud: Cloud, is_published: bool, cost: str):
    run.file(TENANTS % "hosted")
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, "[hosted-rotation-missing]" in ended.err, cloud.stacks()) == (1, True, {})
    deploy_hosted(cloud, is_published=is_published)
    planned = json.loads(run("aurora-tenants plan --output json").out)
    assert [it["code"] for it in planned["notices"]] == ["hosted-rotation"]
    assert cost in planned["notices"][0]["text"]
    items = {it["name"]: it["text"] for it in planned["tenants"][0]["items"]}
    assert "secret, rotates every 30 days, by AWS's hosted function" in items["app"]
    assert "hosted" not in items["report"]
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended.err
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
    assert rotated_by(cloud) == FUNCTION

    before, secrets = password(cloud), cloud.client("secretsmanager")
    # The schedule is tried first, when it is made.
    until(lambda: "AWSPENDING" not in str(secrets.describe_secret(SecretId=SECRET)["VersionIdsToStages"]))
    secrets.rotate_secret(SecretId=SECRET)
    until(lambda: password(cloud) != before)
    cloud.connect("app", password(cloud)).close()
    with pytest.raises(pymysql.OperationalError):  # what the shared stack's function would have kept
        cloud.connect("app", before)

    run.file(TENANTS % "own")
    ended = run("aurora-tenants plan")
    assert "rotated by: AWS's hosted function → the shared stack's function" in " ".join(ended.out.split())
    assert run("aurora-tenants apply --yes").code == 0
    assert rotated_by(cloud) == f"{SHARED}-database-secret-rotation"
    cloud.client("cloudformation").delete_stack(StackName=STACK)
    until(lambda: STACK not in cloud.stacks())
