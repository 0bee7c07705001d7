"""The stacks of the article that this product grew from, as teams deployed them in 2020, in the sandbox.

tests/lambdas/article/service.yml      its service's template, word for word
tests/lambdas/article/shared/*.yml     the parts of its serverless-shared.yml, word for word
tests/lambdas/article/stand_ins/*.py   its two functions, which are in Node, in Python

`shared_stack()` says one by one what has to be different here, and why. Everything else is deployed as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aurora_sandbox.cloudformation.yaml import load
from tests.endpoint import Endpoint
from tests.published import zipped

ARTICLE = Path(__file__).parent / "lambdas" / "article"
SERVICE = ARTICLE / "service.yml"
PARTS = [ARTICLE / "shared" / f"{name}.yml" for name in ("network", "cluster", "rotation", "database", "user")]
BUCKET, KEY = "published", "rotation.zip"
# Its stack: the service `shared` in the stage `global`.
OLD = "shared-global"


def shared_stack() -> dict[str, Any]:
    """The article's shared stack, its cluster since moved to Serverless v2, as far as the sandbox has to have it so."""
    template: dict[str, Any] = {"Resources": {}, "Outputs": {}}
    for part in PARTS:
        read = load(part.read_text())
        template["Resources"] |= read["Resources"]
        template["Outputs"] |= read.get("Outputs", {})
    _move_to_v2(template["Resources"])
    _call_the_master_admin(template["Resources"])
    _expand_functions(template["Resources"])
    _expand_rotation(template)
    return template


def _move_to_v2(resources: dict[str, Any]) -> None:
    """The team's own work since: Serverless v1 is no more."""
    server = resources["DatabaseServer"]["Properties"]
    assert server.pop("EngineMode") == "serverless"
    del server["ScalingConfiguration"]
    server["EngineVersion"] = "8.0.mysql_aurora.3.10.6"
    server["ServerlessV2ScalingConfiguration"] = {"MinCapacity": 0.5, "MaxCapacity": 2}
    resources["DatabaseInstance"] = {
        "Type": "AWS::RDS::DBInstance",
        "Properties": {
            "DBClusterIdentifier": {"Ref": "DatabaseServer"},
            "DBInstanceClass": "db.serverless",
            "Engine": "aurora-mysql",
        },
    }


def _call_the_master_admin(resources: dict[str, Any]) -> None:
    """The sandbox's MySQL keeps root for itself."""
    generated = resources["DatabaseSecret"]["Properties"]["GenerateSecretString"]
    assert generated["SecretStringTemplate"] == '{"username": "root"}'
    generated["SecretStringTemplate"] = '{"username": "admin"}'


def _expand_functions(resources: dict[str, Any]) -> None:
    """AWS::Serverless::Function becomes what its transform makes of it; code and runtime alone are others."""
    for name, code in (("DatabaseResourceLambda", "database"), ("DatabaseUserResourceLambda", "user")):
        function = resources[name]
        assert (function["Type"], function["Properties"]["Runtime"]) == ("AWS::Serverless::Function", "nodejs12.x")
        function["Type"] = "AWS::Lambda::Function"
        del function["Properties"]["InlineCode"]
        text = (ARTICLE / "stand_ins" / f"{code}.py").read_text()
        # 3 s are enough for Node; a function in Python has to import boto3 first.
        function["Properties"] |= {"Runtime": "python3.13", "Code": {"ZipFile": text}, "Timeout": 30}


def _expand_rotation(template: dict[str, Any]) -> None:
    """HostedRotationLambda becomes what its transform makes of it: AWS's published function, its role, its permission.

    The sandbox has no network for it to be in, so that it needs no way out of one either.
    """
    resources = template["Resources"]
    del resources["VpcSecretManagerEndpoint"]
    rotation = resources["DatabaseSecretRotation"]
    name = rotation["Properties"].pop("HostedRotationLambda")["RotationLambdaName"]
    rotation["Properties"]["RotationLambdaARN"] = PUBLISHED
    rotation["DependsOn"] = ["DatabaseSecretAttachment", "DatabaseInstance", "HostedRotationPermission"]
    resources |= published_rotation(name, {"Effect": "Allow", "Action": [*ON_SECRETS, _RANDOM], "Resource": "*"})
    template["Outputs"]["DatabaseSecretRotationLambda"]["Value"] = PUBLISHED


PUBLISHED = {"Fn::GetAtt": ["HostedRotationLambda", "Arn"]}
ON_SECRETS = tuple(
    f"secretsmanager:{it}" for it in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
)
_RANDOM = "secretsmanager:GetRandomPassword"


def published_rotation(name: Any, *may: dict[str, Any]) -> dict[str, Any]:
    """AWS's published function under this name, with a role that may do this, and leave for Secrets Manager to call it.

    Its code is where `upload_rotation` puts it.
    """
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    endpoint = {"Fn::Sub": "https://secretsmanager.${AWS::Region}.amazonaws.com"}
    return {
        "HostedRotationRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": _document(assume),
                "Policies": [{"PolicyName": "rotation", "PolicyDocument": _document(*may)}],
            },
        },
        "HostedRotationLambda": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "lambda_function.lambda_handler",
                "Timeout": 30,
                "Role": {"Fn::GetAtt": ["HostedRotationRole", "Arn"]},
                "Code": {"S3Bucket": BUCKET, "S3Key": KEY},
                "Environment": {"Variables": {"SECRETS_MANAGER_ENDPOINT": endpoint, "EXCLUDE_CHARACTERS": ":/@\"'\\"}},
            },
        },
        "HostedRotationPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": PUBLISHED,
                "Action": "lambda:InvokeFunction",
                "Principal": "secretsmanager.amazonaws.com",
            },
        },
    }


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def upload_rotation(endpoint: Endpoint) -> None:
    """Puts AWS's published rotation function where `shared_stack` has its code from."""
    s3 = endpoint.client("s3")
    s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.environment["AWS_REGION"]}
    )
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=zipped())


def patched(text: str, diff: str) -> str:
    """The text after a diff of a document, whose hunks stand apart by `@@` and say no line numbers.

    Raises AssertionError for a hunk whose old lines are not there exactly once.
    """
    for old, new in _hunks(diff):
        assert text.count(old) == 1, f"{text.count(old)} times in the text:\n{old}"
        text = text.replace(old, new)
    return text


def _hunks(diff: str) -> Iterator[tuple[str, str]]:
    """The lines before and after of each."""
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        if lines:
            yield (
                "".join(line[1:] for line in lines if line[0] in " -"),
                "".join(line[1:] for line in lines if line[0] in " +"),
            )
