"""What other stacks import of a tenant's: it stays, also what new tenants do not export any more."""

from __future__ import annotations

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
