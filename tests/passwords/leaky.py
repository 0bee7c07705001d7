"""Tests that show passwords, each in its own way: tests/test_passwords.py runs them by themselves, to be caught."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.secretsmanager.service import NOBODY, SecretsManager
from aurora_sandbox.server import Sandbox
from tests.endpoint import client

FUNCTION = """
import boto3, cfnresponse

def handler(event, context):
    password = boto3.client("secretsmanager").get_random_password(ExcludePunctuation=True)["RandomPassword"]
    print("made", password)
    cfnresponse.send(event, context, cfnresponse.FAILED, {}, "none", reason=f"{password} is taken")
"""
LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
MAY = {"Effect": "Allow", "Action": "secretsmanager:GetRandomPassword", "Resource": "*"}
STACK = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [LAMBDA]},
                "Policies": [
                    {"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": [MAY]}},
                ],
            },
        },
        "Talks": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "talks",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": FUNCTION},
            },
        },
        "Told": {"Type": "Custom::Told", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Talks", "Arn"]}}},
    }
}
# A sandbox's Secrets Manager in a process of its own, where nobody has installed anything.
ELSEWHERE = """
import sys
from aurora_sandbox.secretsmanager.service import NOBODY, SecretsManager
service = SecretsManager(account="123456789012", region="eu-west-1", invoke=lambda function, event: None)
sys.stdout.write(service.handle("GetRandomPassword", {}, NOBODY)["RandomPassword"])
"""


@pytest.fixture(scope="module")
def password() -> str:
    service = SecretsManager(account="123456789012", region="eu-west-1", invoke=lambda function, event: None)
    made = service.handle("GetRandomPassword", {}, NOBODY)["RandomPassword"]
    service.handle("CreateSecret", {"Name": "/app", "SecretString": json.dumps({"password": made})}, NOBODY)
    return str(made)


def test_is_silent(password: str, tmp_path: Path) -> None:
    sys.stdout.write(password[1:])
    (tmp_path / "short").write_text(password[:-1])


def test_prints(password: str) -> None:
    sys.stdout.write(f"KEY={password}")


def test_reads_its_own_output(password: str, capsys: pytest.CaptureFixture[str]) -> None:
    sys.stderr.write(json.dumps({"why": f"\n{password}"}))
    capsys.readouterr()


def test_leaves_a_file(password: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(f"{{\nhttps://x/?p={urllib.parse.quote(password, safe='')}\n}}\n")


def test_runs_a_program() -> None:
    subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, check=True)


def test_deploys_a_function_that_talks(mysqld_binary: mysqld.Binary) -> None:
    with Sandbox.start(binary=mysqld_binary) as sandbox:
        cloudformation = client(sandbox.environment(), "cloudformation")
        cloudformation.create_stack(
            StackName="told", TemplateBody=json.dumps(STACK), Capabilities=["CAPABILITY_IAM"], OnFailure="DO_NOTHING"
        )
        with pytest.raises(Exception, match="CREATE_FAILED"):
            cloudformation.get_waiter("stack_create_complete").wait(
                StackName="told", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
            )
