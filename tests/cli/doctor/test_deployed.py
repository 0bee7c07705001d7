"""The file, the names, what is deployed, and a cluster of one's own."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.session import Session

from tests.cli.conftest import CommandLine
from tests.cli.doctor.conftest import Examine, bad, only_problem, result_of
from tests.cli.test_policies import role_of
from tests.cli.test_shared import PARAMETERS, shared_template, template
from tests.cloud import PROVIDER, SHARED, Cloud
from tests.endpoint import Endpoint, until

# The file and the names


def test_world_6_the_file_is_invalid_and_the_rest_is_checked(examine: Examine, run: CommandLine):
    run.file("  shop: {databases: {shop_%: {}}, owner: me}\n")
    code, checks = examine("--file tenants.yaml")
    problem = only_problem(code, checks)
    assert problem["found"].startswith("tenants.yaml has 2 problems; the first: ")
    assert problem["fix"] == "run: aurora-tenants validate --file tenants.yaml"
    assert result_of(checks, "data-api") == "ok"
    assert result_of(checks, "tenant-templates") == "not-checked"


def test_a_file_that_is_not_there_is_a_problem_only_if_it_was_named(examine: Examine):
    assert examine()[0] == 0
    assert only_problem(*examine("--file other.yaml"))["found"] == "other.yaml does not exist"


def test_world_7_the_stacks_name_is_too_long(in_bare: Examine):
    assert in_bare("--stack " + "s" * 39)[0] == 0
    problem = only_problem(*in_bare("--stack " + "s" * 40))
    assert (problem["check"], problem["fix"]) == ("names", "shorten it by 1 character, to 39 at most")


@pytest.mark.parametrize("name", ["a b", "s" * 40])
def test_nothing_is_said_of_a_stack_that_nobody_can_make(in_bare: Examine, name: str):
    code, checks = in_bare(f"--stack '{name}'")
    assert only_problem(code, checks)["check"] == "names"
    assert result_of(checks, "shared-stack") == result_of(checks, "may-deploy-shared") == "not-checked"


# What is deployed


def test_world_8_the_data_api_is_off_and_the_fix_switches_it_on(examine: Examine, cloud: Cloud):
    rds = cloud.client("rds")
    arn = rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    rds.disable_http_endpoint(ResourceArn=arn)
    code, checks = examine()
    problem = only_problem(code, checks)
    assert problem["check"] == "shared-cluster"
    assert result_of(checks, "data-api") == "not-checked"
    aws, service, command, option, value = shlex.split(problem["fix"].removeprefix("run: "))
    assert (aws, service, command, option) == ("aws", "rds", "enable-http-endpoint", "--resource-arn")
    rds.enable_http_endpoint(ResourceArn=value)
    assert examine()[0] == 0


def test_world_9_a_function_is_of_an_old_runtime_and_was_deleted(examine: Examine, cloud: Cloud):
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    secret = cloud.client("secretsmanager").describe_secret(SecretId=f"/{SHARED}/database/aurora_tenants_inspector")
    mine = shared_template()
    mine["Resources"] |= role_of("Old", [])
    del mine["Resources"]["Old"]  # the stack could not be deleted without its function
    mine["Resources"]["OldFunction"]["Properties"] |= {"Runtime": "python3.9", "FunctionName": "old"}
    outputs = {
        "ProviderVersion": "5",
        "DatabaseServer": cluster,
        "InspectorSecret": secret["ARN"],
        "DatabaseServiceToken": {"Fn::GetAtt": ["OldFunction", "Arn"]},
        "DatabaseSecretRotationLambda": f"arn:aws:lambda:eu-west-1:123456789012:function:{PROVIDER}",
    }
    mine["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    assert cloud.deploy("mine", mine, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    code, checks = examine("--stack mine")
    assert (code, bad(checks)) == (1, {"functions": ["function old runs on python3.9"]})
    # Its template is another's.
    assert bad(checks, "warning").keys() == {"shared-stack"}
    cloud.client("lambda").delete_function(FunctionName="old")
    code, checks = examine("--stack mine")
    assert (code, bad(checks)) == (1, {"functions": ["function old is not there"]})


def test_world_10_the_first_deployment_was_rolled_back(in_bare: Examine, bare: Endpoint):
    failing = template(fails=True, **PARAMETERS)
    assert bare.deploy("half", failing) == "ROLLBACK_COMPLETE"
    problem = only_problem(*in_bare("--stack half"))
    assert problem["check"] == "shared-stack"
    assert problem["fix"] == "run: aurora-tenants shared deploy --stack half, which goes on with it or makes it again"


def test_world_11_the_stack_is_something_else(examine: Examine, cloud: Cloud):
    cloud.deploy("other", template())
    assert only_problem(*examine("--stack other"))["found"] == "stack other is not a shared stack"


def test_world_12_the_shared_stack_is_too_old(examine: Examine, cloud: Cloud):
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    old = shared_template() | {"Outputs": {"ProviderVersion": {"Value": "1"}, "DatabaseServer": {"Value": cluster}}}
    assert cloud.deploy("old", old) == "CREATE_COMPLETE"
    problem = only_problem(*examine("--stack old"))
    assert (problem["check"], "shared deploy --stack old" in problem["fix"]) == ("shared-stack", True)


def test_world_13_the_inspector_cannot_log_in(examine: Examine, cloud: Cloud):
    cloud.sql("ALTER USER aurora_tenants_inspector ACCOUNT LOCK")
    try:
        problem = only_problem(*examine())
    finally:
        cloud.sql("ALTER USER aurora_tenants_inspector ACCOUNT UNLOCK")
    assert problem["check"] == "data-api"


def test_lost_events_are_a_warning(examine: Examine, cloud: Cloud):
    stack = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]
    url = next(it["OutputValue"] for it in stack["Outputs"] if it["OutputKey"] == "PauseScheduleDeadLetters")
    sqs = cloud.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        code, checks = examine()
    finally:
        sqs.purge_queue(QueueUrl=url)
    assert (code, [*bad(checks, "warning")]) == (0, ["lost-events"])


def wake(cloud: Cloud) -> None:
    cluster, data = cloud.client("rds").describe_db_clusters()["DBClusters"][0], cloud.client("rds-data")
    call: Mapping[str, str] = {
        "resourceArn": cluster["DBClusterArn"],
        "secretArn": cluster["MasterUserSecret"]["SecretArn"],
        "sql": "SELECT 1",
    }

    def answers() -> bool:
        try:
            data.execute_statement(**call)
        except data.exceptions.DatabaseResumingException:
            return False
        return True

    until(answers)


@pytest.fixture
def may_pause(cloud: Cloud) -> None:
    """Whatever range a pause schedule has left it with."""
    rds = cloud.client("rds")
    cluster = rds.describe_db_clusters()["DBClusters"][0]
    if cluster["ServerlessV2ScalingConfiguration"]["MinCapacity"]:
        scaling = {"MinCapacity": 0, "MaxCapacity": 2, "SecondsUntilAutoPause": 300}
        rds.modify_db_cluster(
            DBClusterIdentifier=cluster["DBClusterIdentifier"], ServerlessV2ScalingConfiguration=scaling
        )


@pytest.mark.usefixtures("may_pause")
def test_a_paused_cluster_is_left_asleep(examine: Examine, cloud: Cloud):
    cloud.post("pause", {"seconds": 0})
    before = cloud.calls()["rds-data:ExecuteStatement"]
    code, checks = examine()
    assert (code, result_of(checks, "data-api")) == (0, "not-checked")
    assert cloud.calls()["rds-data:ExecuteStatement"] == before
    wake(cloud)


def hook(monkeypatch: pytest.MonkeyPatch, event: str, handle: Callable[..., None]) -> None:
    """Has this called at an event of every client: CloudWatch's values are a minute or two late on AWS, never here."""
    make = Session.create_client

    def client(self: Session, name: str, **options: Any) -> Any:
        made = make(self, name, **options)
        made.meta.events.register(event, handle)
        return made

    monkeypatch.setattr(Session, "create_client", client)


@pytest.mark.usefixtures("may_pause")
def test_a_cluster_that_pauses_while_doctor_looks_is_woken_and_that_is_told(
    examine: Examine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    hook(monkeypatch, "after-call.cloudwatch.GetMetricData", lambda **_: cloud.post("pause", {"seconds": 0}))
    code, checks = examine()
    woken = "the cluster had paused in the last minutes, and asking MySQL has woken it"
    assert (code, bad(checks), bad(checks, "warning")) == (0, {}, {"data-api": [woken]})
    wake(cloud)


@pytest.mark.usefixtures("may_pause")
def test_only_a_value_of_the_last_two_minutes_says_that_a_cluster_is_awake(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
):
    asked = list[datetime]()
    event = "provide-client-params.cloudwatch.GetMetricData"
    hook(monkeypatch, event, lambda params, **_: asked.append(params["StartTime"]))
    began = datetime.now(UTC)
    assert result_of(examine()[1], "data-api") == "ok"
    (start,) = asked
    assert began - timedelta(minutes=2) <= start


def test_a_tenants_stack_that_failed_is_a_warning(examine: Examine, cloud: Cloud):
    tags = [
        {"Key": "aurora-tenants:cluster", "Value": SHARED},
        {"Key": "aurora-tenants:tenant", "Value": "shop"},
    ]
    cloud.deploy(f"{SHARED}-shop", template(fails=True), Tags=tags)
    code, checks = examine()
    assert (code, bad(checks, "warning")) == (
        0,
        {"tenant-stacks": ["1 of 1 tenant stacks: shop (ROLLBACK_COMPLETE)"]},
    )


def test_a_throttled_call_costs_one_line(examine: Examine, cloud: Cloud):
    cloud.throttle("cloudformation", "DescribeAccountLimits", 3)
    cloud.meet("throttle", service="lambda", operation="GetFunctionConfiguration", times=3)
    code, checks = examine()
    assert (code, [*bad(checks, "warning")]) == (0, ["functions"])
    (quota,) = (check["found"] for check in checks if check["check"] == "stack-quota")
    assert "AWS's default: the account's own could not be read" in quota


# A cluster of one's own


def test_world_14_a_cluster_of_an_old_version_is_unfit(examine: Examine, cloud: Cloud):
    """moto's cluster: only RDS's description of one counts here."""
    rds = cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="legacy",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.04.1",
        MasterUsername="admin",
        MasterUserPassword="only-for-this-test",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1},
    )
    try:
        rds.create_db_instance(
            DBInstanceIdentifier="legacy-1",
            DBClusterIdentifier="legacy",
            DBInstanceClass="db.t3.medium",
            Engine="aurora-mysql",
        )
        code, checks = examine("--cluster legacy")
    finally:
        rds.delete_db_instance(DBInstanceIdentifier="legacy-1")
        rds.delete_db_cluster(DBClusterIdentifier="legacy", SkipFinalSnapshot=True)
    assert (code, bad(checks)) == (
        1,
        {
            "cluster": [
                "cluster legacy has engine version 8.0.mysql_aurora.3.04.1",
                "the Data API of cluster legacy is off",
                "the writer legacy-1 of cluster legacy is a db.t3.medium",
                "the master user's password of cluster legacy is not kept in Secrets Manager by RDS",
            ]
        },
    )
    assert bad(checks, "warning") == {"cluster": ["cluster legacy has no IAM authentication"]}
