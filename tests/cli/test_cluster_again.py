"""A new cluster whose creation failed: it is gone on with, made again where nothing is left of it, and never lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_tenants import data
from tests.cli.conftest import CommandLine, Terminal, command_line
from tests.cloud import CLUSTER, SHARED, Cloud, empty
from tests.endpoint import Endpoint, is_busy, until

pytestmark = pytest.mark.long

DEPLOY = "aurora-tenants shared deploy --yes"
NEW = f"{DEPLOY} --new-cluster --parameter MinCapacity=4"
PLAN = "aurora-tenants shared deploy --plan"
DELETE = "aurora-tenants shared delete --with-cluster --yes"
LEAVES = "Nothing was changed.\n"
TOO_SMALL = "DatabaseServer: The minimum capacity 4 is greater than the maximum capacity 2."
TOO_LATE = "#/PromotionTier: failed validation constraint for keyword [maximum]"
# The template of another day, whose instance no schema allows: the cluster is made, and nothing after it.
BROKEN = data.text("cluster.yml").replace(
    "DBInstanceClass: db.serverless,", "DBInstanceClass: db.serverless, PromotionTier: 99,"
)
TAGS = [{"Key": "aurora-tenants:cluster", "Value": SHARED}, {"Key": "aurora-tenants:part", "Value": "cluster"}]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with empty(tmp_path_factory.mktemp("again")) as cloud:
        yield cloud


@pytest.fixture
def cloud(own: Cloud) -> Iterator[Cloud]:
    """A sandbox with nothing in it before and after a test."""
    yield own
    rds, cloudformation = own.client("rds"), own.client("cloudformation")
    for cluster in clusters(own):
        rds.modify_db_cluster(DBClusterIdentifier=cluster, DeletionProtection=False, ApplyImmediately=True)
    for name in (SHARED, CLUSTER):
        cloudformation.delete_stack(StackName=name)
        assert settled(own, name) == "gone"
    assert clusters(own) == []


@pytest.fixture
def run(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return command_line(cloud, tmp_path, monkeypatch, capsys)


def clusters(cloud: Cloud) -> list[str]:
    return [found["DBClusterIdentifier"] for found in cloud.client("rds").describe_db_clusters()["DBClusters"]]


def stacks(cloud: Cloud) -> dict[str, str]:
    """The status of every stack, also of the shared one and its cluster's."""
    return Endpoint.stacks(cloud)


def settled(cloud: Cloud, name: str) -> str:
    return until(lambda: None if is_busy(status := stacks(cloud).get(name, "gone")) else status)


def by_hand(cloud: Cloud, template: str = BROKEN, *, protected: bool = False, **options: Any) -> str:
    """The cluster's stack, made without this program; the status it ends with."""
    values = [{"ParameterKey": "DeletionProtection", "ParameterValue": str(protected).lower()}]
    cloud.client("cloudformation").create_stack(
        StackName=CLUSTER, TemplateBody=template, Tags=TAGS, Parameters=values, **options
    )
    return settled(cloud, CLUSTER)


def resources(cloud: Cloud) -> dict[str, str]:
    """The physical id of each resource that the cluster's stack has made."""
    found = cloud.client("cloudformation").describe_stack_resources(StackName=CLUSTER)["StackResources"]
    return {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in found if "PhysicalResourceId" in entry}


def protect(cloud: Cloud, *, on: bool) -> None:
    """By hand."""
    (cluster,) = clusters(cloud)
    cloud.client("rds").modify_db_cluster(DBClusterIdentifier=cluster, DeletionProtection=on, ApplyImmediately=True)


# Its creation failed


def test_a_wrong_parameter_is_told_shown_and_put_right(run: CommandLine, cloud: Cloud):
    ended = run(NEW)
    assert (ended.code, stacks(cloud), clusters(cloud)) == (1, {CLUSTER: "CREATE_FAILED"}, [])
    assert ended.err.endswith(
        f"error: {TOO_SMALL}  [stack-failed]\n    stack {CLUSTER}\n"
        f"    why: stack {CLUSTER} ended as CREATE_FAILED, with what it has made; the next deployment goes on\n"
    )
    made = resources(cloud)
    found = f"Stack {CLUSTER} is CREATE_FAILED: its creation failed at {TOO_SMALL} It is gone on with."

    ended = run(f"{PLAN} --parameter MaxCapacity=8")
    assert found in ended.err.splitlines()
    assert ended.out.startswith(
        f"stack {CLUSTER}  (2 resources)\n"
        "  + create  DatabaseInstance  AWS::RDS::DBInstance\n"
        "  + create  DatabaseServer  AWS::RDS::DBCluster\n"
        f"stack {SHARED}  (new, 23 resources)\n"
    )
    assert "A month: $408.80 to $817.60 for 4 to 8 ACU on 1 instance; $0.80 more for 2 secrets." in ended.out
    assert json.loads(run(f"{PLAN} --output json --parameter MaxCapacity=8").out)["found"] == [found]
    assert stacks(cloud) == {CLUSTER: "CREATE_FAILED"}

    ended = run(f"{DEPLOY} --parameter MaxCapacity=8")
    assert found in ended.err.splitlines()
    assert (ended.code, ended.out) == (0, f"Stack {SHARED} is deployed.\n"), ended.err
    assert stacks(cloud) == {CLUSTER: "UPDATE_COMPLETE", SHARED: "CREATE_COMPLETE"}
    assert (len(clusters(cloud)), resources(cloud).items() >= made.items()) == (1, True)
    for tenants in ("  shop:\n    databases: {shop: {}}\n", "  {}\n"):
        run.file(tenants)
        assert run("aurora-tenants apply --yes --allow-mass-removal").code == 0


def test_an_engine_version_that_is_not_there_is_put_right(run: CommandLine, cloud: Cloud):
    wrong, right = "8.0.mysql_aurora.3.99.9", "8.0.mysql_aurora.3.10.6"
    ended = run(f"{DEPLOY} --new-cluster --parameter EngineVersion={wrong}")
    assert f"error: DatabaseServer: Cannot find version {wrong} for aurora-mysql  [stack-failed]\n" in ended.err
    assert (ended.code, stacks(cloud), clusters(cloud)) == (1, {CLUSTER: "CREATE_FAILED"}, [])
    ended = run(f"{DEPLOY} --parameter EngineVersion={right}")
    assert (ended.code, len(clusters(cloud))) == (0, 1), ended.err
    (cluster,) = cloud.client("rds").describe_db_clusters()["DBClusters"]
    assert cluster["EngineVersion"] == right


def test_one_that_fails_again_is_gone_on_with_again(run: CommandLine, cloud: Cloud):
    assert run(NEW).code == 1
    made = resources(cloud)
    ended = run(DEPLOY)
    assert (ended.code, stacks(cloud), clusters(cloud)) == (1, {CLUSTER: "UPDATE_FAILED"}, [])
    assert f"why: stack {CLUSTER} ended as UPDATE_FAILED, with what it has made; " in ended.err
    ended = run(f"{DEPLOY} --parameter MaxCapacity=8")
    assert f"Stack {CLUSTER} is UPDATE_FAILED: its last update failed at {TOO_SMALL} It is gone on with.\n" in ended.err
    assert (ended.code, len(clusters(cloud)), resources(cloud).items() >= made.items()) == (0, 1, True), ended.err
    assert stacks(cloud) == {CLUSTER: "UPDATE_COMPLETE", SHARED: "CREATE_COMPLETE"}


def test_a_cluster_that_was_made_is_kept_with_what_is_in_it(run: CommandLine, cloud: Cloud):
    assert by_hand(cloud, DisableRollback=True) == "CREATE_FAILED"
    (cluster,) = clusters(cloud)
    cloud.sql("CREATE DATABASE already", "CREATE TABLE already.there (id INT)", "INSERT INTO already.there VALUES (1)")
    ended = run(PLAN)
    assert ended.out.startswith(
        f"stack {CLUSTER}  (1 resource)\n  + create  DatabaseInstance  AWS::RDS::DBInstance\nstack {SHARED}  (new, "
    )
    assert "is CREATE_FAILED: its creation failed at DatabaseInstance: Properties validation failed" in ended.err
    assert f"{TOO_LATE}. It is gone on with.\n" in ended.err
    ended = run(DEPLOY)
    assert (ended.code, clusters(cloud)) == (0, [cluster]), ended.err
    assert cloud.sql("SELECT id FROM already.there") == [(1,)]


def test_a_no_leaves_a_failed_stack_as_it_is(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    assert run(NEW).code == 1
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = run("aurora-tenants shared deploy --parameter MaxCapacity=8")
    assert ended.err.endswith(
        f"Deploy stack {CLUSTER} and stack {SHARED}? Type yes to go on.\n"
        f"error: not confirmed  [not-confirmed]\n{LEAVES}"
    )
    assert (stacks(cloud), clusters(cloud)) == ({CLUSTER: "CREATE_FAILED"}, [])
    assert cloud.client("cloudformation").list_change_sets(StackName=CLUSTER)["Summaries"] == []


def test_what_would_be_replaced_in_it_is_refused_with_both_ways_out(run: CommandLine, cloud: Cloud):
    assert by_hand(cloud, DisableRollback=True) == "CREATE_FAILED"
    ended = run(f"{DEPLOY} --parameter VpcCidr=10.1.0.0/16")
    assert ended.code == 1
    assert ended.err.endswith(
        f"of stack {CLUSTER} would be replaced  [replaced-in-failed-stack]\n"
        "    why: a stack that has failed is gone on with as it is: CloudFormation replaces nothing in it\n"
        "    fix: take back the parameter that causes it; or run: aurora-tenants shared delete"
        f" --stack {SHARED} --with-cluster, and deploy again\n{LEAVES}"
    )
    assert stacks(cloud) == {CLUSTER: "CREATE_FAILED"}
    assert (run(DELETE).code, stacks(cloud), clusters(cloud)) == (0, {}, [])


def test_a_cluster_that_is_there_though_its_creation_failed_is_deleted_by_nobody_unasked(
    run: CommandLine, cloud: Cloud
):
    cloud.sql("SET GLOBAL super_read_only = ON")  # the cluster is there, and its master user cannot be made
    assert by_hand(cloud, data.text("cluster.yml"), DisableRollback=True) == "CREATE_FAILED"
    cloud.sql("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
    (cluster,) = clusters(cloud)
    for option in ("--yes", "--plan"):
        ended = run(f"aurora-tenants shared deploy {option}")
        assert "  ! replace DatabaseServer  AWS::RDS::DBCluster  loses data\n" in ended.out + ended.err
        assert ended.err.endswith(
            f"error: DatabaseServer of stack {CLUSTER} would be replaced  [data-lost]\n"
            "    why: it is an AWS::RDS::DBCluster, and what it holds is not carried over\n"
            f"    fix: take back what causes it, or allow it: --allow-replace DatabaseServer\n{LEAVES}"
        )
        assert (ended.code, clusters(cloud), stacks(cloud)) == (1, [cluster], {CLUSTER: "CREATE_FAILED"})
    assert (run(DELETE).code, stacks(cloud), clusters(cloud)) == (0, {}, [])


def test_one_that_came_as_far_as_a_protected_cluster_is_deleted_only_without_protection(run: CommandLine, cloud: Cloud):
    assert run(NEW).code == 1
    assert (run(DELETE).code, stacks(cloud)) == (0, {})  # it would have been protected, and was not made

    assert by_hand(cloud, protected=True, DisableRollback=True) == "CREATE_FAILED"
    ended = run(DELETE)
    assert f"error: the cluster of stack {CLUSTER} is protected from deletion  [deletion-protected]\n" in ended.err
    assert (ended.code, stacks(cloud), len(clusters(cloud))) == (1, {CLUSTER: "CREATE_FAILED"}, 1)
    assert run(f"{DEPLOY} --parameter DeletionProtection=false").code == 0
    assert (run(DELETE).code, stacks(cloud), clusters(cloud)) == (0, {}, [])


def test_another_cluster_may_be_chosen_instead(run: CommandLine, cloud: Cloud):
    assert run(NEW).code == 1
    ended = run("aurora-tenants shared deploy --plan --cluster orders")
    assert "error: there is no cluster orders in eu-west-1" in ended.err
    rds = cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.10.6",
        MasterUsername="boss",
        ManageMasterUserPassword=True,
        EnableHttpEndpoint=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4},
    )
    instance = {"DBInstanceIdentifier": "orders-1", "DBClusterIdentifier": "orders"}
    rds.create_db_instance(**instance, Engine="aurora-mysql", DBInstanceClass="db.serverless")
    ended = run("aurora-tenants shared deploy --plan --cluster orders")
    left = f"It is left as it is; `aws cloudformation delete-stack --stack-name {CLUSTER}` deletes it.\n"
    assert (ended.code, f"failed at {TOO_SMALL} {left}" in ended.err) == (0, True), ended.err
    rds.delete_db_instance(DBInstanceIdentifier="orders-1")
    rds.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)


# Its creation was rolled back


def test_one_that_was_rolled_back_is_deleted_and_made_again_once_that_is_agreed_to(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    assert (by_hand(cloud), clusters(cloud)) == ("ROLLBACK_COMPLETE", [])
    line = "aurora-tenants shared deploy --parameter ReaderInstances=1"
    for more in (" --plan", ""):
        monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
        ended = run(line + more)
        assert f"Stack {CLUSTER} is ROLLBACK_COMPLETE: its creation failed at DatabaseInstance: " in ended.err
        assert f"{TOO_LATE}. It is deleted and made again; it holds no cluster.\n" in ended.err
        assert f"stack {CLUSTER}  (new, 9 resources)\n" in ended.out + ended.err
        assert (ended.err.endswith(LEAVES), stacks(cloud)) == (True, {CLUSTER: "ROLLBACK_COMPLETE"})
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    ended = run(line)
    assert ended.err.count("Type yes to go on.") == 1
    assert (ended.code, len(clusters(cloud)), len(resources(cloud))) == (0, 1, 9), ended.err
    assert stacks(cloud) == {CLUSTER: "CREATE_COMPLETE", SHARED: "CREATE_COMPLETE"}


def test_a_cluster_that_the_rollback_left_is_never_deleted_by_it(run: CommandLine, cloud: Cloud):
    retained = BROKEN.replace("DeletionPolicy: Snapshot", "DeletionPolicy: Retain")
    assert by_hand(cloud, retained) == "ROLLBACK_COMPLETE"
    (cluster,) = clusters(cloud)
    ended = run(DEPLOY)
    assert ended.err.startswith(
        f"error: stack {CLUSTER} cannot be deployed: it is ROLLBACK_COMPLETE; it holds cluster {cluster}"
        "  [only-to-delete]\n    why: its creation failed and was rolled back, but not all of it was deleted\n"
    )
    assert (ended.code, clusters(cloud), stacks(cloud)) == (1, [cluster], {CLUSTER: "ROLLBACK_COMPLETE"})
    assert (run(DELETE).code, stacks(cloud), clusters(cloud)) == (0, {}, [cluster])
    cloud.client("rds").delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)


def test_one_whose_rollback_or_deletion_failed_can_only_be_deleted_which_asks(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    assert by_hand(cloud, protected=True) == "ROLLBACK_FAILED"
    (cluster,) = clusters(cloud)
    ended = run(DEPLOY)
    command = f"aurora-tenants shared delete --stack {SHARED} --with-cluster"
    assert ended.err == (
        f"error: stack {CLUSTER} cannot be deployed: it is ROLLBACK_FAILED; it holds cluster {cluster}"
        "  [only-to-delete]\n"
        "    why: its creation failed, and so did its rollback; CloudFormation accepts only its deletion\n"
        f"    fix: run: {command}, which asks first; then deploy again\n{LEAVES}"
    )
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = run(command)
    assert "and the cluster with every database in it (a last snapshot is kept)? Type yes" in ended.err
    assert (ended.code, clusters(cloud)) == (1, [cluster])
    ended = run(DELETE)
    assert (ended.code, "DatabaseServer: Cannot delete protected Cluster" in ended.err) == (1, True), ended.err
    assert stacks(cloud) == {CLUSTER: "DELETE_FAILED"}
    ended = run(DEPLOY)
    assert "its deletion began and did not finish; CloudFormation accepts only another deletion" in ended.err
    protect(cloud, on=False)
    assert (run(DELETE).code, stacks(cloud), clusters(cloud)) == (0, {}, [])


# What others say of it


def test_plan_and_doctor_say_what_has_failed_and_what_goes_on_with_it(run: CommandLine, cloud: Cloud):
    assert run(NEW).code == 1
    run.file("  {}\n")
    what = f"stack {CLUSTER} is CREATE_FAILED: The following resource(s) failed to create: [DatabaseServer]."
    fix = f"run: aurora-tenants shared deploy --stack {SHARED}, which goes on with it or makes it again"
    ended = run("aurora-tenants plan")
    assert ended.err == (
        f"error: {what}  [failed-stack]\n"
        "    why: its creation failed; what it has made is kept\n"
        f"    fix: {fix}\n{LEAVES}"
    )
    ended = run("aurora-tenants doctor")
    assert (what in ended.out, fix in ended.out) == (True, True), ended.out


def test_plan_says_of_functions_whose_update_was_not_rolled_back_what_goes_on_with_them(run: CommandLine, cloud: Cloud):
    assert run(f"{DEPLOY} --new-cluster --parameter DeletionProtection=false").code == 0
    cloudformation = cloud.client("cloudformation")
    text = cloudformation.get_template(StackName=SHARED)["TemplateBody"]
    cloudformation.update_stack(
        StackName=SHARED,
        TemplateBody=text.replace("MaximumEventAgeInSeconds: 600", "MaximumEventAgeInSeconds: 60000"),
        Parameters=[
            {"ParameterKey": entry["ParameterKey"], "UsePreviousValue": True}
            for entry in cloudformation.describe_stacks(StackName=SHARED)["Stacks"][0]["Parameters"]
        ],
        Capabilities=["CAPABILITY_IAM"],
        DisableRollback=True,
    )
    assert settled(cloud, SHARED) == "UPDATE_FAILED"
    run.file("  {}\n")
    ended = run("aurora-tenants plan")
    assert f"error: stack {SHARED} is UPDATE_FAILED  [failed-stack]\n" in ended.err
    assert "    why: its last update failed and was not rolled back\n" in ended.err
    ended = run(DEPLOY)
    assert f"Stack {SHARED} is UPDATE_FAILED: its last update failed at ProviderEvents: " in ended.err
    assert (ended.code, stacks(cloud)[SHARED]) == (0, "UPDATE_COMPLETE"), ended.err
    assert run("aurora-tenants plan").code == 0
