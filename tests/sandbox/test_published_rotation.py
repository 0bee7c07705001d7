"""AWS's published single-user rotation function for MySQL runs here as it is, with PyMySQL as its dependency.

published/lambda_function.py is SecretsManagerRDSMySQLRotationSingleUser/lambda_function.py of
aws-samples/aws-secrets-manager-rotation-lambdas at b4b8eca, under the licence MIT-0, which its header names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from botocore.config import Config

from aurora_sandbox import REGION
from aurora_sandbox.server import Sandbox
from tests.endpoint import client as client_of
from tests.endpoint import own, until
from tests.published import PUBLISHED, zipped

SHA256 = "edc20007f3929ab2845e4b4edcf7b750b46d39a933a8ad3ef937573e16bd5f74"
# What it logs of a rotation, step by step.
STEPS = (
    "createSecret: Successfully put secret for ARN",
    "setSecret: Successfully set password for user rotated in MySQL DB",
    "testSecret: Successfully signed into MySQL DB with AWSPENDING secret",
    "finishSecret: Successfully set AWSCURRENT stage to version",
)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def of(name: str, attribute: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}
# As the function's documentation asks for them.
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [f"secretsmanager:{verb}" for verb in ("DescribeSecret", "GetSecretValue", "PutSecretValue",
                                                             "UpdateSecretVersionStage")],
            "Resource": {"Ref": "Secret"},
        },
        {"Effect": "Allow", "Action": "secretsmanager:GetRandomPassword", "Resource": "*"},
    ],
}  # fmt: skip
TEMPLATE = {
    "Resources": {
        "Cluster": {
            **resource(
                "RDS::DBCluster",
                Engine="aurora-mysql",
                MasterUsername="admin",
                ManageMasterUserPassword=True,
                ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1},
            ),
            "DeletionPolicy": "Delete",
        },
        "Secret": resource(
            "SecretsManager::Secret",
            GenerateSecretString={"SecretStringTemplate": '{"username": "rotated"}', "GenerateStringKey": "password"},
        ),
        "Attachment": resource(
            "SecretsManager::SecretTargetAttachment",
            SecretId={"Ref": "Secret"},
            TargetId={"Ref": "Cluster"},
            TargetType="AWS::RDS::DBCluster",
        ),
        "Role": resource(
            "IAM::Role",
            AssumeRolePolicyDocument=TRUST,
            Policies=[{"PolicyName": "rotate", "PolicyDocument": RIGHTS}],
        ),
        "Rotation": resource(
            "Lambda::Function",
            FunctionName="published-rotation",
            Runtime="python3.13",
            Handler="lambda_function.lambda_handler",
            Timeout=30,
            Role=of("Role", "Arn"),
            Code={"S3Bucket": "published", "S3Key": "rotation.zip"},
            Environment={
                "Variables": {
                    "SECRETS_MANAGER_ENDPOINT": {"Fn::Sub": "https://secretsmanager.${AWS::Region}.amazonaws.com"},
                    "EXCLUDE_CHARACTERS": ":/@\"'\\",
                }
            },
        ),
        "Permission": resource(
            "Lambda::Permission",
            FunctionName=of("Rotation", "Arn"),
            Action="lambda:InvokeFunction",
            Principal="secretsmanager.amazonaws.com",
        ),
        "Schedule": {
            **resource(
                "SecretsManager::RotationSchedule",
                SecretId={"Ref": "Secret"},
                RotationLambdaARN=of("Rotation", "Arn"),
                RotationRules={"AutomaticallyAfterDays": 30},
                RotateImmediatelyOnUpdate=False,
            ),
            "DependsOn": ["Attachment", "Permission"],
        },
    },
    "Outputs": {"Secret": {"Value": {"Ref": "Secret"}}},
}


def client(sandbox: Sandbox, service: str) -> Any:
    return client_of(sandbox.environment(), service, config=Config(retries={"total_max_attempts": 1}))


def settled(stacks: Any, name: str, ask: Any, **request: Any) -> str:
    """The status that a stack ends with."""
    ask(StackName=name, **request)

    def status() -> str | None:
        found = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if found.endswith("_IN_PROGRESS") else str(found)

    return until(status)


@pytest.fixture(scope="module")
def secret(sandbox: Sandbox) -> Iterator[str]:
    """The ARN of the secret of a user who must use TLS; the published function rotates it, but did not yet."""
    s3, stacks = client(sandbox, "s3"), client(sandbox, "cloudformation")
    s3.create_bucket(Bucket="published", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="published", Key="rotation.zip", Body=zipped())
    resources = {name: each for name, each in TEMPLATE["Resources"].items() if name != "Schedule"}
    request = {"Capabilities": ["CAPABILITY_IAM"]}
    first = json.dumps({**TEMPLATE, "Resources": resources})
    assert settled(stacks, "published", stacks.create_stack, TemplateBody=first, **request) == "CREATE_COMPLETE"
    (output,) = stacks.describe_stacks(StackName="published")["Stacks"][0]["Outputs"]
    password = current(client(sandbox, "secretsmanager"), output["OutputValue"])["password"]
    with sandbox.mysql.connect() as root, root.cursor() as cursor:
        cursor.execute("CREATE USER rotated IDENTIFIED BY %s REQUIRE SSL", (password,))
        whole = json.dumps(TEMPLATE)
        assert settled(stacks, "published", stacks.update_stack, TemplateBody=whole, **request) == "UPDATE_COMPLETE"
        # Turning rotation on without rotating runs the step testSecret, on a version that goes again.
        secrets = client(sandbox, "secretsmanager")
        until(lambda: not is_rotating(secrets, output["OutputValue"]))
        yield output["OutputValue"]
        cursor.execute("DROP USER rotated")
    stacks.delete_stack(StackName="published")
    stacks.get_waiter("stack_delete_complete").wait(
        StackName="published", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )


def current(secrets: Any, secret: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    return value


def is_rotating(secrets: Any, secret: str) -> bool:
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].values()
    return any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages)


def lets_in(login: dict[str, Any]) -> bool:
    """Whether these words open the database, over TLS."""
    address = {"host": login["host"], "port": int(login["port"])}
    try:
        pymysql.connect(**address, user=login["username"], password=login["password"], ssl={"check": False}).close()
    except pymysql.OperationalError as error:
        assert error.args[0] == 1045
        return False
    return True


def test_the_function_is_the_published_one():
    assert hashlib.sha256(PUBLISHED.read_bytes()).hexdigest() == SHA256
    assert "SPDX-License-Identifier: MIT-0" in PUBLISHED.read_text()


def test_it_rotates_a_users_secret_through_all_four_steps_over_verified_tls(sandbox: Sandbox, secret: str):
    """REQUIRE SSL, so that its way out, a login without TLS when a certificate does not fit, is no way out here."""
    secrets = client(sandbox, "secretsmanager")
    before = current(secrets, secret)
    assert lets_in(before)
    version = secrets.rotate_secret(SecretId=secret)["VersionId"]
    until(lambda: "AWSCURRENT" in secrets.describe_secret(SecretId=secret)["VersionIdsToStages"][version])
    after = current(secrets, secret)
    assert after["password"] != before["password"]
    assert {**after, "password": ""} == {**before, "password": ""}
    assert (lets_in(after), lets_in(before)) == (True, False)
    log = own(sandbox.environment(), "logs/published-rotation")
    assert [step for step in STEPS if step not in log] == []
    assert "Successfully established SSL/TLS connection as user 'rotated'" in log
    assert "non SSL/TLS" not in log.partition(STEPS[0])[2].partition(STEPS[-1])[0]
    assert (before["password"] in log, after["password"] in log) == (False, False)


def test_a_step_that_nobody_asked_for_fails_in_its_own_words(sandbox: Sandbox, secret: str):
    functions = client(sandbox, "lambda")
    event = {"SecretId": secret, "ClientRequestToken": "0" * 32, "Step": "createSecret"}
    answer = functions.invoke(FunctionName="published-rotation", Payload=json.dumps(event))
    said = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert (said["errorType"], said["errorMessage"].partition(" for ")[0]) == (
        "ValueError",
        f"Secret version {'0' * 32} has no stage",
    )
