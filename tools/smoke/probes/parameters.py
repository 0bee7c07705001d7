"""What CloudFormation does with parameters of Systems Manager, in the role that it has for tenants' stacks."""

from __future__ import annotations

from typing import Any

from aurora_tenants.aws import stacks
from aurora_tenants.errors import AuroraTenantsError
from aurora_tenants.stack import StackPlan, Template
from aurora_tenants.tenant.parameters import TYPE
from tools.smoke.probe import Probe
from tools.smoke.world import World

Json = Any
SECTION = "CloudFormation and a new cluster"
# Ours, that is what apply sets on each tenant's stack.
_TAG = "aurora-tenants:cluster"


def _template(name: str, value: str) -> Template:
    properties = {"Name": name, "Type": "String", "Tier": "Standard", "Value": value}
    # A dot is what stands for a $ in the name of a user.
    return Template.of({"Resources": {"Parameter": {"Type": TYPE, "Properties": properties}}})


def _written(world: World) -> Json:
    """A parameter that a stack makes, changes and deletes in that role; what it says each time, and its tags."""
    aws, ssm, name = world.aws(), world.client("ssm"), f"/{world.name}/smoke/users/a.b/DATABASE_USER"
    seen: dict[str, Any] = {"values": []}
    try:
        for value in ("first", "second"):
            plan = StackPlan(
                f"{world.name}-parameters",
                "parameters",
                "parameters",
                "update",
                template=_template(name, value),
                tags={_TAG: world.name},
                role_arn=world.outputs()["CloudFormationRole"],
            )
            stacks.deploy(aws.cloudformation, plan, tell=lambda event: None)
            seen["values"].append(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except AuroraTenantsError as error:
        return seen | {"refused": [f"{problem.what} {problem.why}" for problem in error.problems]}
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    return seen | {"tags": sorted(tag["Key"] for tag in tags if not tag["Key"].startswith("aws:"))}


def _expect_written(answer: Json) -> str:
    if "refused" in answer:
        return f"CloudFormation is refused: {'; '.join(answer['refused'])}"
    if answer["values"] != ["first", "second"]:
        return f"the parameter says {', then '.join(answer['values'])}"
    return "" if _TAG in answer["tags"] else f"the parameter has not the stack's tag: {', '.join(answer['tags'])}"


PROBES = (
    Probe(
        "parameters",
        SECTION,
        "In the shared stack's CloudFormationRole, which may write parameters below `/<cluster.stack>/` alone, "
        "CloudFormation makes a parameter whose name has a dot in it, changes its value, and gives it the tags of "
        "its stack.",
        "`apply` of a tenant with `outputs: ssm` ends with CloudFormation's sentence, which names the permission "
        "or the name.",
        "`aws ssm get-parameters-by-path --recursive --path /shared-global/` after an `apply`",
        "first, then second, with the stack's tag",
        _written,
        _expect_written,
        takes_seconds=60,
    ),
)
