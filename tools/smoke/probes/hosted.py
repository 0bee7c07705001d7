"""What cfn/hosted-rotation.yml rests on: what AWS's transform makes of it. Nothing of it is deployed."""

from __future__ import annotations

from typing import Any

from aurora_tenants import data
from aurora_tenants.aws.stacks import read_stack
from tools.smoke.clock import until
from tools.smoke.probe import NotRun, Probe
from tools.smoke.world import World

Json = Any
SECTION = "Rotation of passwords"
_MADE_SECONDS = 120
_NESTED = "Add RotationHostedRotationLambda AWS::CloudFormation::Stack"


def _transformed(world: World) -> Json:
    """What a change set announces that would make the stack beside the run's shared stack."""
    client, name = world.aws().cloudformation, f"{world.name}-hosted-rotation"
    network = read_stack(client, f"{world.name}-cluster")
    if network is None:
        raise NotRun("the cluster has no stack of cfn/cluster.yml, which tells its network")
    given = {
        "SharedStack": world.name,
        "CloudFormationRole": world.outputs()["CloudFormationRole"],
        "VpcId": network.outputs["VPC"],
        "VpcCidr": "10.192.0.0/16",
        "SubnetIds": network.outputs["Subnets"],
        "ClientSecurityGroupId": network.outputs["SecurityGroup"],
    }
    client.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=data.text("hosted-rotation.yml"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    try:

        def made() -> Json:
            found = client.describe_change_set(StackName=name, ChangeSetName="first")
            return found if found["Status"] in ("CREATE_COMPLETE", "FAILED") else None

        found = until(made, world.clock.pause, every=2, at_most=_MADE_SECONDS) or {}
    finally:
        client.delete_stack(StackName=name)
    changes = (it["ResourceChange"] for it in found.get("Changes", ()))
    told = sorted(f"{it['Action']} {it['LogicalResourceId']} {it['ResourceType']}" for it in changes)
    return {"status": found.get("Status", ""), "reason": found.get("StatusReason", ""), "changes": told}


def _expect_transformed(answer: Json) -> str:
    if answer["status"] != "CREATE_COMPLETE":
        return f"the change set is {answer['status'] or 'not made'}: {answer['reason']}"
    return "" if _NESTED in answer["changes"] else f"there is no {_NESTED}: {', '.join(answer['changes'])}"


PROBES = (
    Probe(
        "hosted-rotation-function",
        SECTION,
        "AWS's transform takes `cfn/hosted-rotation.yml`, with parameters and a condition in it, and adds the nested "
        "stack with the function beside the schedule.",
        "`aws cloudformation deploy` of it ends with the transform's sentence; nothing else needs it.",
        "`aws cloudformation create-change-set` with it, and `describe-change-set`",
        "Add RotationHostedRotationLambda, a stack",
        _transformed,
        _expect_transformed,
        takes_seconds=10,
    ),
)
