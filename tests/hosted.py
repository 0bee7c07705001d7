"""The stack of AWS's hosted rotation function in the sandbox: cfn/hosted-rotation.yml as it is, or with AWS's code.

Its transform deploys the sandbox's stand-in. `published` is the same template with the transform done by hand: what it
would put into a nested stack is a resource of the stack itself there, and the function is AWS's, as it was published.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aurora_sandbox.cloudformation.yaml import load
from tests.article import ON_SECRETS, PUBLISHED, published_rotation, upload_rotation
from tests.cloud import SHARED, Cloud

FILE = Path(__file__).parents[1] / "cfn" / "hosted-rotation.yml"
STACK, FUNCTION = f"{SHARED}-hosted-rotation", f"{SHARED}-hosted-rotation"


def deploy_hosted(cloud: Cloud, *, is_published: bool) -> None:
    """Deploys it beside the shared stack; AWS's published code without an endpoint."""
    if is_published:
        upload_rotation(cloud)
    (shared,) = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in shared["Outputs"]}
    (cluster,) = cloud.client("cloudformation").describe_stacks(StackName=f"{SHARED}-cluster")["Stacks"]
    network = {output["OutputKey"]: output["OutputValue"] for output in cluster["Outputs"]}
    parameters = {
        "SharedStack": SHARED,
        "CloudFormationRole": outputs["CloudFormationRole"],
        "VpcId": network["VPC"],
        "VpcCidr": "10.192.0.0/16",
        "SubnetIds": network["Subnets"],
        "ClientSecurityGroupId": network["SecurityGroup"],
        "MakesEndpoint": "false" if is_published else "true",
    }
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    template, may = (
        published() if is_published else load(FILE.read_text()),
        ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    assert cloud.deploy(STACK, template, Parameters=given, Capabilities=may) == "CREATE_COMPLETE"


def published() -> dict[str, Any]:
    template = load(FILE.read_text())
    del template["Transform"]
    resources: dict[str, Any] = template["Resources"]
    del resources["Endpoint"]
    rotation = resources["Rotation"]
    name = rotation["Properties"].pop("HostedRotationLambda")["RotationLambdaName"]
    rotation["Properties"]["RotationLambdaARN"] = PUBLISHED
    rotation["DependsOn"] = ["User", "HostedRotationPermission"]
    only_its_own = {"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": _arn(name)}}
    resources |= published_rotation(
        name,
        {"Effect": "Allow", "Action": [*ON_SECRETS], "Resource": "*", "Condition": only_its_own},
        {"Effect": "Allow", "Action": "secretsmanager:GetRandomPassword", "Resource": "*"},
    )
    return template


def _arn(name: Mapping[str, str]) -> dict[str, str]:
    function = name["Fn::Sub"]
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{function}"}
