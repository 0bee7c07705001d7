"""The shared stack as a whole: deploying, showing and deleting it."""

from __future__ import annotations

from collections.abc import Mapping

from aurora_tenants import data
from aurora_tenants.aws import stacks
from aurora_tenants.aws.clients import asking, connect
from aurora_tenants.errors import AwsError, Problem


def deploy(
    *, region: str | None, profile: str | None, stack: str, parameters: Mapping[str, str], tell: stacks.Tell
) -> bool:
    """Creates or updates the shared stack; False when there was nothing to change.

    A parameter that is not given keeps the value it was deployed with. Raises StackFailed, AwsError.
    """
    cloudformation = connect(region=region, profile=profile).cloudformation
    template = data.text("shared.yml")
    before = stacks.read_stack(cloudformation, stack)
    with asking("check the shared stack's template"):
        declared = {
            entry["ParameterKey"] for entry in cloudformation.get_template_summary(TemplateBody=template)["Parameters"]
        }
    unknown = sorted(parameters.keys() - declared)
    if unknown:
        fix = f"the template has: {', '.join(sorted(declared))}"
        raise AwsError(Problem("unknown-parameter", f"the shared stack has no parameter {unknown[0]}", fix=fix))
    kept = {name: value for name, value in (before.parameters if before else {}).items() if name in declared}
    return stacks.deploy(cloudformation, stack, template, parameters=kept | dict(parameters), tags={}, tell=tell)


def status(*, region: str | None, profile: str | None, stack: str) -> dict[str, str]:
    """The stack's status and outputs. Raises AwsError when there is no such stack."""
    found = stacks.read_stack(connect(region=region, profile=profile).cloudformation, stack)
    if found is None:
        fix = f"run: aurora-tenants shared deploy --stack {stack}"
        raise AwsError(Problem("no-shared-stack", f"there is no stack {stack}", fix=fix))
    return {"Stack": found.name, "Status": found.status, **dict(sorted(found.outputs.items()))}


def delete(*, region: str | None, profile: str | None, stack: str, tell: stacks.Tell) -> None:
    """Deletes the shared stack. Raises AwsError while tenants are deployed on it, before anything is touched."""
    from aurora_tenants.model import Cluster

    cloudformation = connect(region=region, profile=profile).cloudformation
    status(region=region, profile=profile, stack=stack)
    tenants = sorted(stacks.read_deployed(cloudformation, Cluster(stack)).tenants)
    if tenants:
        what = f"{len(tenants)} tenants are deployed on stack {stack}: {', '.join(tenants[:10])}"
        fix = "remove them from tenants.yaml and apply that first"
        raise AwsError(Problem("tenants-deployed", what, "their databases are in its cluster", fix))
    stacks.delete(cloudformation, stack, tell=tell)
