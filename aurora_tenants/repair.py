"""Brings back what somebody changed by hand in the shared stack and in its schema in MySQL.

damage = look(aws, "shared-global", Reading())
damage.said                             a sentence for each thing that is seen to be broken
deployment = prepare(damage, …)         the stack as the template says, with what was changed by hand set back
execute(deployment, damage, operator)   the functions' code, the inspector, the schema, its tables and views
find_lost(aws, "shared-global", …)      tenants whose things belong to nobody since the tables were made again
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from aurora_tenants.apply import Pace, Result, Step, apply
from aurora_tenants.aws import healing, preparation, rollout, stacks
from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.deployed import read_functions, read_inspector
from aurora_tenants.aws.preparation import INSPECTOR, Deployment
from aurora_tenants.aws.shared import require_shared, require_updatable
from aurora_tenants.aws.usable import deploy_command, existing, inspector_problem
from aurora_tenants.doctor.shared import SecretFacts, check_functions, check_inspector
from aurora_tenants.errors import AwsError, DatabaseError, NotConverged, Notice, Problem, Refused
from aurora_tenants.inputs import Reading, read_live, read_templates
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.mysql.state import Live
from aurora_tenants.plan import Plan, Proposal
from aurora_tenants.stack import Shared
from aurora_tenants.tenant.entries import lost_entries, without_entries
from aurora_tenants.tenant.plan import untouched
from aurora_tenants.tenant.reasons import explain

# The template's parameter of which another value has the inspector made again.
_REPAIR = "Repair"
_INSPECTOR_USER = "aurora_tenants_inspector"  # unless a parameter says another
_SERVICES = ("database-service-token", "database-user-service-token")


@dataclass(frozen=True, slots=True)
class Damage:
    """What was found. said: a sentence for each thing that is broken; the functions' code cannot be looked at.

    functions: the names of those that are there. secret: the inspector's. live: what the inspector reads, None when it
    cannot.
    """

    shared: Shared
    said: tuple[str, ...]
    functions: tuple[str, ...]
    secret: SecretFacts
    live: Live | None


def look(aws: Aws, stack: str, reading: Reading) -> Damage:
    """What is broken, as far as it can be seen; changes nothing.

    Raises AwsError when there is no such stack or it cannot be read, Refused for a stack that is none of ours or was
    never made to its end, DatabaseError when MySQL does not answer at all.
    """
    found, held = existing(aws.cloudformation, stack), stacks.read_deployed(aws.cloudformation, Cluster(stack))
    require_shared(found, "only a shared stack is repaired by this command")
    require_updatable(found)
    shared = held.shared
    if shared is None or not shared.inspector_secret or found.status in ("CREATE_FAILED", "ROLLBACK_COMPLETE"):
        what, why = f"stack {stack} cannot be repaired: it is {found.status}", "it was never made to its end"
        raise Refused(Problem("not-deployed", what, why, f"run: {deploy_command(stack)}"))
    functions, secret = read_functions(aws, found), read_inspector(aws, shared)
    verdicts = (*check_functions(functions), *check_inspector(secret))
    said = [verdict.found for verdict in verdicts if verdict.result in ("problem", "warning")]
    if secret.has_pending and not said:
        said.append(f"a version of the inspector's secret {secret.name} waits to become the current one")
    if shared.has_failed:
        said.insert(0, f"stack {stack} is {shared.status}")
    if shared.inspector_problem:
        said.append(f"the inspector could not be made as it should be: {shared.inspector_problem}")
    live = None
    if secret.is_there:
        try:
            live = read_live(aws, replace(shared, inspector_problem=""), reading)
        except DatabaseError as error:
            (problem,) = error.problems
            if problem.code != "no-inspector":
                raise
            said.append(f"the inspector cannot read MySQL, {problem.why}: {problem.what}")
    there = tuple(each.name for each in functions.functions if each.state)
    return Damage(shared, tuple(said), there, secret, live)


def restore(aws: Aws, damage: Damage, reading: Reading) -> Damage:
    """Keeps the inspector's secret, which is marked for deletion, and looks again."""
    healing.restore(aws, damage.secret.name)
    return look(aws, damage.shared.stack, reading)


def prepare(damage: Damage, *, region: str | None, profile: str | None) -> Deployment:
    """The shared stack as this program's template says; the cluster's own is left alone. Raises as `shared deploy`."""
    stack = damage.shared.stack
    deployment = preparation.prepare(region=region, profile=profile, stack=stack, parameters={})
    parameters = deployment.stack.parameters
    before = parameters.get(_REPAIR, "0")
    again = {**parameters, _REPAIR: str(int(before) + 1 if before.isdecimal() else 1)}
    return replace(deployment, cluster=None, stack=replace(deployment.stack, parameters=again))


def execute(deployment: Deployment, damage: Damage, operator: rollout.Operator) -> bool:
    """Repairs the stack, and through it what is in MySQL; False if it was not agreed to.

    Raises StackFailed, AwsError, NotConverged when the inspector still cannot be made or its password not rotated.
    """
    aws, secret = deployment.aws, damage.secret

    def heal() -> None:
        healing.write_code(deployment, damage.functions)
        if secret.is_there:
            healing.complete(aws, secret.name, deployment.stack.parameters.get(INSPECTOR, _INSPECTOR_USER))
        if secret.has_pending:
            healing.end_rotation(aws, secret.name)

    if not rollout.repair(deployment, heal, operator):
        return False
    try:
        repaired = existing(aws.cloudformation, damage.shared.stack)
        if problem := inspector_problem(repaired):
            raise NotConverged(problem)
        # Shows that both functions work, and ends every other password that the inspector's user may have had. Nobody
        # holds one: every plan reads the secret.
        function = repaired.outputs["DatabaseSecretRotationLambda"]
        healing.rotate(aws, repaired.outputs["InspectorSecret"], function, forced=True)
    except AwsError as error:
        error.nothing_was_changed = False
        raise
    return True


def find_lost(aws: Aws, stack: str, reading: Reading, live: Live | None = None) -> Proposal:
    """What brings back the entries of tenants in the tables of owners; a plan without stacks when none is lost.

    live: what the inspector reads, if that was read already. Raises AwsError, DatabaseError.
    """
    cluster = Cluster(stack)
    deployed = stacks.read_deployed(aws.cloudformation, cluster)
    assert deployed.shared is not None  # it was there a moment ago
    live = live or read_live(aws, deployed.shared, reading)
    templates = read_templates(aws, (untouched(cluster, tenant, deployed) for tenant in deployed.tenants))
    lost = lost_entries(cluster, templates, live, deployed)
    notices = [Notice("entries-unclear", sentence) for sentence in lost.unclear]
    users = {name for service in _SERVICES for name in stacks.importers(aws.cloudformation, f"{stack}-{service}")}
    ours = {tenant.name for tenant in deployed.tenants.values()}
    notices += [
        Notice(
            "entries-of-other-stack",
            f"stack {name} uses the provider, and nothing in MySQL is said to be its: deploy it with another value of a"
            " property, such as Revision, in each of its custom resources, and that is recorded again",
        )
        for name in without_entries(users - ours, live.state)
    ]
    plan = Plan(cluster, lost.plans, notices=tuple(notices), deployed_count=len(deployed.tenants))
    lines = explain(lost.plans, Configuration(cluster, ()), live, deployed, {})
    return Proposal(plan, live, lines=lines)


def bring_back(aws: Aws, proposal: Proposal, tell: Callable[[Step | Pace], None]) -> tuple[Result, ...]:
    """Deploys the stacks of these tenants again, as they are."""
    return apply(proposal.plan.stacks, aws.cloudformation, parallel=5, allow_drop=(), tell=tell)
