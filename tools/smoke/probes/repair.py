"""What `shared repair` rests on: drift-aware change sets, and a rotation right after another."""

from __future__ import annotations

from typing import Any

from tools.smoke.probe import Probe
from tools.smoke.world import World

Json = Any
SECTION = "Repairs of the shared stack"
_ACTIONS = ("Add", "Modify")


def _drift(world: World) -> Json:
    """A function that was deleted, as a drift-aware change set announces it; then a repair of it."""
    function = world.outputs()["DatabaseSecretRotationLambda"].rpartition(":")[2]
    world.client("lambda").delete_function(FunctionName=function)
    announced = _announced(world)
    ended = world.run(f"shared repair --yes --stack {world.name}")
    found = world.client("lambda").get_function_configuration(FunctionName=function)
    return {"announced": announced, "exit": ended.code, "text": _text(ended), "state": found.get("State")}


def _announced(world: World) -> Json:
    """What a change set that sets back drift says of the function; it is deleted again."""
    client, name = world.aws().cloudformation, "smoke-drift"
    parameters = client.describe_stacks(StackName=world.name)["Stacks"][0]["Parameters"]
    client.create_change_set(
        StackName=world.name,
        ChangeSetName=name,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in parameters],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        DeploymentMode="REVERT_DRIFT",
    )
    client.get_waiter("change_set_create_complete").wait(StackName=world.name, ChangeSetName=name)
    changes = client.describe_change_set(StackName=world.name, ChangeSetName=name)["Changes"]
    client.delete_change_set(StackName=world.name, ChangeSetName=name)
    of_resources: list[Json] = [each["ResourceChange"] for each in changes]
    for change in of_resources:
        if change["LogicalResourceId"] == "DatabaseSecretRotation":
            return {"action": change["Action"], "status": change.get("ResourceDriftStatus")}
    return {"action": None, "status": None}


def _expect_drift(answer: Json) -> str:
    said = answer["announced"]
    if said["status"] != "DELETED" or said["action"] not in _ACTIONS:
        return f"the change set says {said['action']} and {said['status']} of the deleted function"
    return _expect_repair(answer)


def _secret(world: World) -> Json:
    """The inspector's secret deleted without a way back, and a repair of that."""
    secrets, arn = world.client("secretsmanager"), world.outputs()["InspectorSecret"]
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    ended = world.run(f"shared repair --yes --stack {world.name}")
    world.forget("outputs")  # the secret has another ARN
    plan = world.run("plan")
    return {"exit": ended.code, "text": _text(ended), "plan": plan.code, "state": "Active"}


def _expect_secret(answer: Json) -> str:
    return _expect_repair(answer) or (f"plan exits {answer['plan']}" if answer["plan"] else "")


def _expect_repair(answer: Json) -> str:
    if answer["exit"]:
        return f"shared repair exits {answer['exit']}: {answer['text']}"
    return "" if answer["state"] in ("Active", "Pending") else f"the function is {answer['state']}"


def _text(ended: Any) -> str:
    return (ended.out + ended.err)[-2000:] if ended.code else ""


PROBES = (
    Probe(
        "revert-drift",
        SECTION,
        "A change set with `DeploymentMode: REVERT_DRIFT` announces a function that was deleted as DELETED, and "
        "makes it again, with its permission, under the same name. It may change a parameter at the same time.",
        "`shared repair` ends with CloudFormation's sentence, and what was deleted has to be made by hand.",
        "`aws lambda delete-function` of the rotation function, then `aurora-tenants shared repair`",
        "DELETED, then exit 0",
        _drift,
        _expect_drift,
        takes_seconds=60,
    ),
    Probe(
        "repair-of-a-secret",
        SECTION,
        "The inspector's secret is made again under its name right after it was deleted without recovery, and its "
        "rotation can begin while Secrets Manager still tries out the new schedule.",
        "`shared repair` ends with AWS's sentence; run it again in a few minutes.",
        "`aws secretsmanager delete-secret --force-delete-without-recovery` of the inspector's secret, then "
        "`aurora-tenants shared repair` and `plan`",
        "exit 0 of both",
        _secret,
        _expect_secret,
        takes_seconds=60,
        needs=("tenant-by-service-role",),
    ),
)
