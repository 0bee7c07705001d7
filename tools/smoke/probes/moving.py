"""What CloudFormation does with a secret that goes from one stack to another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aurora_tenants.aws import stacks
from aurora_tenants.aws.importing import import_secrets
from aurora_tenants.errors import AuroraTenantsError
from aurora_tenants.stack import StackPlan, Template
from tools.smoke.probe import Probe
from tools.smoke.world import World

Json = Any
SECTION = "CloudFormation and a new cluster"
_HANDLE = {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def _resources(world: World, **more: str) -> dict[str, Any]:
    """A secret as a tenant's stack has it, attached to the cluster."""
    generated = {
        "SecretStringTemplate": json.dumps({"username": "smoke"}),
        "GenerateStringKey": "password",
        "ExcludePunctuation": True,
    }
    named = {"Name": f"/{world.name}/database/smoke-moves", "GenerateSecretString": generated}
    attached = {
        "SecretId": {"Ref": "Secret"},
        "TargetId": world.outputs()["DatabaseServer"],
        "TargetType": "AWS::RDS::DBCluster",
    }
    return {
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": named, **more},
        "Attachment": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": attached, **more},
    }


def _look(world: World, arn: str) -> tuple[str, dict[str, Any]]:
    """The id of the secret's version, and what is in it, which is never recorded."""
    found = world.client("secretsmanager").get_secret_value(SecretId=arn)
    content: dict[str, Any] = json.loads(found["SecretString"])
    world.secret_values.add(str(content["password"]))
    return found["VersionId"], content


def _moved(world: World) -> Json:
    client, role = world.aws().cloudformation, world.outputs()["CloudFormationRole"]

    def plan(name: str, resources: Mapping[str, Any], **more: Any) -> StackPlan:
        template = Template.of({"Resources": resources})
        tags = {"aurora-tenants:cluster": world.name}
        full_name = f"{world.name}-{name}"
        return StackPlan(full_name, name, name, "update", template=template, tags=tags, role_arn=role, **more)

    def deploy(name: str, resources: Mapping[str, Any]) -> None:
        stacks.deploy(client, plan(name, resources), tell=lambda event: None)

    deploy("gives", _resources(world))
    arn = world.client("secretsmanager").describe_secret(SecretId=f"/{world.name}/database/smoke-moves")["ARN"]
    before, content = _look(world, arn)
    deploy("gives", _resources(world, **_KEPT))
    deploy("gives", _HANDLE)
    kept, _ = _look(world, arn)
    seen: dict[str, Any] = {"kept": kept == before}
    try:
        import_secrets(client, plan("takes", _resources(world), imports={"Secret": arn}), tell=lambda event: None)
        imported, _ = _look(world, arn)
        seen |= {"imported": imported == before}
        deploy("takes", _resources(world))
    except AuroraTenantsError as error:
        return seen | {"refused": [problem.what for problem in error.problems]}
    _, after = _look(world, arn)
    return seen | {"password": after["password"] == content["password"], "fields": sorted(after)}


def _expect_moved(answer: Json) -> str:
    if not answer["kept"]:
        return "a stack that lets its secret go changes what is in it"
    if "refused" in answer:
        return f"the other stack is refused: {'; '.join(answer['refused'])}"
    if not answer["imported"]:
        return "the import generates another value"
    if not answer["password"]:
        return "the update after the import generates another password"
    wanted = {"dbClusterIdentifier", "engine", "host", "password", "port", "username"}
    lacks = sorted(wanted - set(answer["fields"]))
    return f"after the move the secret lacks {', '.join(lacks)}" if lacks else ""


PROBES = (
    Probe(
        "secret-changes-stacks",
        SECTION,
        "A stack that lets a secret and its attachment go by DeletionPolicy Retain leaves both as they are; another "
        "takes the secret in by a change set of type IMPORT, with the tags and the role that it has, generates no "
        "other value though its template says how, and attaches it again.",
        "A user that moves to another tenant gets another password, or `apply` ends with CloudFormation's sentence, "
        "and the next one goes on from there.",
        "move a user with `moved_from`, then `aws secretsmanager list-secret-version-ids`",
        "the same password, host and port",
        _moved,
        _expect_moved,
        takes_seconds=240,
    ),
)
