"""What other stacks import of a tenant's: it stays, also what new tenants do not export any more."""

from __future__ import annotations

import json

import pytest

from aurora_tenants.tenant import plan, template
from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

SHOP = """
  shop:
    databases: {%s: {}}
    users:
      shop: {privileges: [{permission: ALL, database: %s}]}
"""
SERVICE = {
    "Resources": {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"Tags": [{"Key": "of", "Value": {"Fn::ImportValue": "shared-global-shop-DatabaseServer"}}]},
        }
    }
}
OUTPUT = "DatabaseServer"


def outputs(cloud: Cloud) -> set[str]:
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName="shared-global-shop")["Stacks"]
    return {it["OutputKey"] for it in stack["Outputs"]}


def test_a_tenant_that_was_deployed_with_it_keeps_the_export_of_the_cluster(
    run: CommandLine, cloud: Cloud, clean: None, monkeypatch: pytest.MonkeyPatch
):
    run.file(SHOP % ("shop", "shop"))
    with monkeypatch.context() as before:
        before.setattr(plan, "template", lambda *of, **_: template.template(*of, keeps_server=True))
        assert run("aurora-tenants apply --yes").code == 0
    assert cloud.deploy("service", SERVICE) == "CREATE_COMPLETE"
    ended = run("aurora-tenants plan --detailed-exitcode")
    assert (ended.code, "No changes" in ended.out) == (0, True), ended
    env = run("aurora-tenants env shop")
    run.file(SHOP % ("shop: {}, other", "shop"))
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, OUTPUT in outputs(cloud)) == (0, True), ended
    assert run("aurora-tenants env shop") == env


def test_a_new_tenant_exports_no_more_than_what_is_its_own(run: CommandLine, cloud: Cloud, clean: None):
    run.file(SHOP % ("shop", "shop"))
    assert run("aurora-tenants apply --yes").code == 0
    assert outputs(cloud) == {"DatabaseShop", "SecretShop", "Digest"}
    ended = run("aurora-tenants env shop")
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    assert (ended.code, f"export DATABASE_RESOURCE={cluster}\n" in ended.out) == (0, True), ended


def parameters(cloud: Cloud) -> dict[str, str]:
    pages = cloud.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/shared-global/", Recursive=True)
    return {it["Name"]: it["Value"] for page in pages for it in page["Parameters"]}


def test_parameters_say_what_env_says_and_go_with_what_they_are_about(run: CommandLine, cloud: Cloud, clean: None):
    run.file("\n  shop:\n    outputs: ssm" + (SHOP % ("shop: {}, other", "shop")).removeprefix("\n  shop:"))
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, "+ path /shared-global/shop/  parameters: DATABASE_HOST, " in ended.out) == (0, True), ended
    env = json.loads(run("aurora-tenants env shop --format json").out)
    own = {"databases/shop": ["NAME"], "users/shop": ["SECRET", "USER"]}
    of_each = {f"{path}/DATABASE_{name}": env[f"DATABASE_{name}"] for path, names in own.items() for name in names}
    of_each["databases/other/DATABASE_NAME"] = "other"
    assert parameters(cloud) == {f"/shared-global/shop/{name}": value for name, value in (env | of_each).items()}
    assert run("aurora-tenants plan --detailed-exitcode").code == 0

    cloud.client("secretsmanager").delete_secret(SecretId=env["DATABASE_SECRET"], ForceDeleteWithoutRecovery=True)
    assert run("aurora-tenants apply --yes").code == 0
    made_again = json.loads(run("aurora-tenants env shop --format json").out)["DATABASE_SECRET"]
    found = parameters(cloud)
    assert made_again != env["DATABASE_SECRET"]
    assert {found[f"/shared-global/shop/{path}DATABASE_SECRET"] for path in ("", "users/shop/")} == {made_again}

    run.file(SHOP % ("shop", "shop"))
    ended = run("aurora-tenants plan")
    assert "  - path /shared-global/shop/  taken away: DATABASE_HOST, " in ended.out
    assert "newer version" not in ended.out
    assert run("aurora-tenants apply --yes").code == 0
    assert parameters(cloud) == {}
