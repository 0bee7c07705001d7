"""What `sandbox clock` prints, on a sandbox of its own: its clock only goes forward, and the cluster pauses by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from aurora_sandbox import lifecycle, remote
from aurora_sandbox.state import Running
from aurora_tenants.cli import main
from tests.endpoint import endpoint_of, environment

HOUR = timedelta(hours=1)
MODIFY = "arn:aws:scheduler:::aws-sdk:rds:modifyDBCluster"
INPUT = {
    "DbClusterIdentifier": "shop",
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 2},
}


def template(start: datetime) -> dict[str, Any]:
    """A cluster, a schedule that changes it at `start`, and an hour later one that names no cluster."""
    trust = policy(Principal={"Service": "scheduler.amazonaws.com"}, Action="sts:AssumeRole")
    modifies = policy(Action="rds:ModifyDBCluster", Resource="*")
    cluster = {"DBClusterIdentifier": "shop", "Engine": "aurora-mysql", "MasterUsername": "admin"}
    role = {
        "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "schedule", "PolicyDocument": modifies}],
    }
    return {
        "Resources": {
            "Cluster": {"Type": "AWS::RDS::DBCluster", "Properties": {**cluster, "ManageMasterUserPassword": True}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Good": schedule("good", start, INPUT),
            "Poor": schedule("poor", start + HOUR, {}),
        }
    }


def policy(**statement: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def schedule(name: str, at: datetime, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Name": name,
            "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": MODIFY, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "Input": json.dumps(given)},
        },
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("clock")
    yield lifecycle.up(mysqld=None, tell=lambda _: None, directory=directory)
    lifecycle.down(directory=directory)


def run(running: Running, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with environment(lifecycle.environment(running)), pytest.raises(SystemExit) as ended:
        main(["sandbox", "clock", *arguments])
    printed = capsys.readouterr()
    return int(str(ended.value.code)), printed.out, printed.err


def shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def now(running: Running) -> datetime:
    return datetime.fromisoformat(remote.clock(running)["now"])


def test_the_command_moves_the_clock_and_says_what_fired(running: Running, capsys: pytest.CaptureFixture[str]):
    start = (now(running) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    sandbox = endpoint_of(running, lifecycle.environment(running))
    assert sandbox.deploy("clock", template(start), Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    code, out, err = run(running, capsys, shown(start + 2 * HOUR))
    lines = out.splitlines()
    assert (code, err, lines[0]) == (0, "", f"{shown(start)}  default/good  rds:modifyDBCluster")
    assert lines[1].startswith(f"{shown(start + HOUR)}  default/poor  failed: ValidationException: ")
    assert lines[-1].startswith(shown(start + 2 * HOUR)[:17])
    assert lines[-1].endswith(" ahead of real time")


def test_the_command_shows_the_clock_as_json(running: Running, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(running, capsys, "--output", "json")
    assert (code, json.loads(out).keys()) == (0, {"now", "ahead_seconds"})


def test_the_command_refuses_a_move_that_cannot_be(running: Running, capsys: pytest.CaptureFixture[str]):
    before = now(running)
    assert run(running, capsys, "soon") == (
        1,
        "",
        "error: the clock cannot be moved to soon  [clock-not-moved]\n"
        "    why: it is neither a duration like +10h nor a time like 2026-03-29T00:00Z\n"
        "    fix: for example: aurora-tenants sandbox clock +10h\n",
    )
    assert now(running) - before < HOUR


def test_a_refused_move_is_told_as_json_too(running: Running, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(running, capsys, "soon", "--output", "json")
    (problem,) = json.loads(out)["problems"]
    assert (code, problem["code"]) == (1, "clock-not-moved")


# A function that fails at a step if its secret says so.
FUNCTION = """
import boto3, json

def handler(event, context):
    secrets = boto3.client("secretsmanager")
    secret_id, token = event["SecretId"], event["ClientRequestToken"]
    if secrets.get_secret_value(SecretId=secret_id)["SecretString"] == "fails" and event["Step"] == "setSecret":
        raise ValueError("the database does not know this user")
    if event["Step"] == "createSecret":
        secrets.put_secret_value(SecretId=secret_id, ClientRequestToken=token, SecretString=token,
                                 VersionStages=["AWSPENDING"])
    if event["Step"] == "finishSecret":
        old = secrets.get_secret_value(SecretId=secret_id)["VersionId"]
        secrets.update_secret_version_stage(SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                            RemoveFromVersionId=old)
"""


def rotating(values: dict[str, str]) -> dict[str, Any]:
    """Secrets of these names and values, rotated between 2:00 and 3:00 in the night to Sunday."""
    trust = policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
    may = policy(Action="secretsmanager:*", Resource="*")
    role = {"AssumeRolePolicyDocument": trust, "Policies": [{"PolicyName": "rotate", "PolicyDocument": may}]}
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": 30,
        "Code": {"ZipFile": FUNCTION},
        "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
    }
    permission = {
        "FunctionName": {"Ref": "Function"},
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
    }
    resources: dict[str, Any] = {
        "FunctionRole": {"Type": "AWS::IAM::Role", "Properties": role},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
    }
    for name, value in values.items():
        schedule = {
            "SecretId": {"Ref": name},
            "RotationLambdaARN": {"Fn::GetAtt": ["Function", "Arn"]},
            "RotationRules": {"ScheduleExpression": "cron(0 2 ? * SUN *)", "Duration": "1h"},
            "RotateImmediatelyOnUpdate": False,
        }
        resources[name] = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, "SecretString": value}}
        resources[f"{name}Schedule"] = {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "DependsOn": "Permission",
            "Properties": schedule,
        }
    return {"Resources": resources}


def test_the_command_says_which_secrets_were_rotated_and_why_others_were_not(
    running: Running, capsys: pytest.CaptureFixture[str]
):
    sandbox = endpoint_of(running, lifecycle.environment(running))
    template = rotating({"sound": "works", "poor": "fails"})
    assert sandbox.deploy("rotating", template, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    today = now(running).replace(hour=0, minute=0, second=0, microsecond=0)
    sunday = today + timedelta(days=7 - today.isoweekday() % 7)
    code, out, err = run(running, capsys, shown(sunday + 3 * HOUR))
    failed = "secret poor  failed at setSecret: the database does not know this user"
    tries = [f"{shown(sunday + 2 * HOUR + number * HOUR / 4)}  {failed}" for number in range(4)]
    lines = [line for line in out.splitlines() if "  secret " in line]
    assert (code, err, lines) == (0, "", [tries[0], f"{shown(sunday + 2 * HOUR)}  secret sound  rotated", *tries[1:]])
    code, out, _ = run(running, capsys, "+1s", "--output", "json")
    assert (code, json.loads(out)["rotated"]) == (0, [])
