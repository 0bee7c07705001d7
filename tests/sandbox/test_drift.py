"""Drift of the resource types that CloudFormation can read: what was deleted or changed by hand comes back."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from aurora_sandbox.server import Sandbox
from tests.endpoint import client

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def policy(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


class Deployed:
    """A stack with a function, its permission and role, a secret, a queue and a log group."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.name = f"drift-{uuid.uuid4().hex[:8]}"
        self.cloudformation = client(sandbox.environment(), "cloudformation")
        function = {
            "FunctionName": self.name,
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "MemorySize": 256,
            "Timeout": 5,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
        }
        permission = {"FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunction"}
        self.template = {
            "Resources": {
                "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
                "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
                "Permission": {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {**permission, "Principal": "secretsmanager.amazonaws.com"},
                },
                "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {}}},
                "Policy": {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {"PolicyDocument": policy("sqs:SendMessage")},
                },
                "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": self.name}},
                "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": self.name}},
                "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
            }
        }
        self.cloudformation.create_stack(
            StackName=self.name, TemplateBody=json.dumps(self.template), Capabilities=["CAPABILITY_IAM"]
        )
        self.cloudformation.get_waiter("stack_create_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})

    def id(self, logical_id: str) -> str:
        found = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def prepared(self, name: str = "c", **more: Any) -> dict[str, Any]:
        self.cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            TemplateBody=json.dumps(self.template),
            Capabilities=["CAPABILITY_IAM"],
            **{"ChangeSetType": "UPDATE", "DeploymentMode": "REVERT_DRIFT", **more},
        )
        described: dict[str, Any] = self.cloudformation.describe_change_set(
            StackName=self.name, ChangeSetName=name, IncludePropertyValues=True
        )
        return described

    def executed(self) -> None:
        self.cloudformation.execute_change_set(StackName=self.name, ChangeSetName="c")
        self.cloudformation.get_waiter("stack_update_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})


@pytest.fixture
def stack(sandbox: Sandbox) -> Deployed:
    return Deployed(sandbox)


def announced(described: dict[str, Any]) -> dict[str, tuple[str, str]]:
    changes = [change["ResourceChange"] for change in described["Changes"]]
    return {item["LogicalResourceId"]: (item["Action"], item["ResourceDriftStatus"]) for item in changes}


def test_a_stack_without_drift_has_no_changes(stack: Deployed) -> None:
    described = stack.prepared()
    assert (described["Status"], described["StackDriftStatus"]) == ("FAILED", "IN_SYNC")
    assert "didn't contain changes" in described["StatusReason"]
    assert described["DeploymentMode"] == "REVERT_DRIFT"


def test_what_was_deleted_by_hand_is_made_again(stack: Deployed) -> None:
    old = stack.id("Secret")
    client(stack.sandbox.environment(), "lambda").delete_function(FunctionName=stack.name)
    client(stack.sandbox.environment(), "secretsmanager").delete_secret(SecretId=old, ForceDeleteWithoutRecovery=True)
    client(stack.sandbox.environment(), "sqs").delete_queue(QueueUrl=stack.id("Queue"))
    client(stack.sandbox.environment(), "logs").delete_log_group(logGroupName=stack.id("Log"))
    client(stack.sandbox.environment(), "scheduler").delete_schedule_group(Name=stack.name)
    described = stack.prepared()
    gone = ("Function", "Permission", "Secret", "Queue", "Log", "Group")
    assert announced(described) == dict.fromkeys(gone, ("Add", "DELETED"))
    assert described["StackDriftStatus"] == "DRIFTED"
    stack.executed()
    assert (
        client(stack.sandbox.environment(), "lambda").get_function_configuration(FunctionName=stack.name)["MemorySize"]
        == 256
    )
    assert stack.name in client(stack.sandbox.environment(), "lambda").get_policy(FunctionName=stack.name)["Policy"]
    assert stack.id("Secret") != old
    assert stack.prepared("after")["StackDriftStatus"] == "IN_SYNC"


def test_what_was_changed_by_hand_is_set_back(stack: Deployed) -> None:
    logs, group = client(stack.sandbox.environment(), "logs"), stack.id("Log")
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    described = stack.prepared()
    assert announced(described) == {"Log": ("Modify", "MODIFIED")}
    (detail,) = described["Changes"][0]["ResourceChange"]["Details"]
    target = detail["Target"]
    assert (target["BeforeValue"], target["AfterValue"], target["BeforeValueFrom"]) == ("30", "7", "ACTUAL_STATE")
    assert (target["Drift"]["PreviousValue"], target["Drift"]["ActualValue"]) == ("7", "30")
    stack.executed()
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7


def test_a_roles_policies_and_a_managed_policy_are_set_back(stack: Deployed) -> None:
    iam, role, arn = client(stack.sandbox.environment(), "iam"), stack.id("Role"), stack.id("Policy")
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=json.dumps(policy("s3:*")))
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(policy("sqs:*")), SetAsDefault=True)
    assert announced(stack.prepared()) == {"Policy": ("Modify", "MODIFIED")}
    stack.executed()
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert document == policy("sqs:SendMessage")
