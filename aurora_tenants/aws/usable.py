"""Which stack is meant by the name of a shared stack: whether it can be used, and what is said where there is none."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from aurora_tenants.aws import stacks
from aurora_tenants.aws.clients import Aws
from aurora_tenants.errors import AwsError, Problem, Refused
from aurora_tenants.model import Cluster
from aurora_tenants.stack import FAILED_ROLLBACK, Deployed, Shared, Stack, failed

# The version of the provider that this command line needs; lambdas/provider.py has its own.
PROVIDER_VERSION = 5
# More names than this are only counted.
_MOST_NAMES = 10
# How much of two names must be alike. `shraed-global` and `shared-global` have 0.92, `team-a` and `team-b` 0.83.
_NEAR = 0.75


def usable(cluster: Cluster, deployed: Deployed) -> Shared:
    """The shared stack. Raises AwsError if it does not exist, is not a shared stack, is incomplete or too old.

    One whose last update could not be rolled back (`Shared.has_failed`) can be read from, and nothing else.
    """
    name, shared = cluster.stack, deployed.shared
    if shared is None:
        if made := deployed.made:
            what = f"there is no stack {name} yet; the stack of its cluster, {made.name}, is {made.status}"
            raise AwsError(failed(made, name) or Problem("no-shared-stack", what, fix=f"run: {deploy_command(name)}"))
        why = "cluster.stack in tenants.yaml names it; it holds the functions that manage MySQL"
        raise missing(name, deployed.shared_stacks, why)
    is_whole = shared.status.endswith(("_COMPLETE", "UPDATE_IN_PROGRESS")) and not shared.status.startswith("ROLLBACK")
    if not is_whole and shared.status != FAILED_ROLLBACK:
        if problem := failed(Stack(name, shared.status), name):
            raise AwsError(problem)
        what = f"stack {name} cannot be used: it is {shared.status}"
        why, fix = "its last operation has not finished", f"run: aurora-tenants shared status --stack {name}"
        raise AwsError(Problem("no-shared-stack", what, why, fix))
    if not shared.cluster_arn or shared.version is None:
        lacks = "ProviderVersion" if shared.cluster_arn else "DatabaseServer"
        what, why = f"stack {name} is not a shared stack", f"it has no output {lacks}"
        raise AwsError(Problem("no-shared-stack", what, why, "name the shared stack in cluster.stack of tenants.yaml"))
    if shared.version < PROVIDER_VERSION:
        what = f"stack {name} is too old: its provider has version {shared.version}"
        fix = f"run: {deploy_command(name)}"
        raise AwsError(Problem("old-shared-stack", what, f"this program needs version {PROVIDER_VERSION}", fix))
    return shared


def status(aws: Aws, stack: str) -> dict[str, str]:
    """The stack's status and outputs. Raises AwsError when there is no such stack."""
    there = existing(aws.cloudformation, stack)
    return {"Stack": there.name, "Status": there.status, **dict(sorted(there.outputs.items()))}


def existing(cloudformation: Any, stack: str) -> Stack:
    """The stack of this name. Raises AwsError, which lists the shared stacks that there are, when there is none."""
    found = stacks.read_stack(cloudformation, stack)
    if found is None:
        raise missing(stack, _shared_stacks(cloudformation))
    return found


def missing(stack: str, others: Collection[str], why: str = "") -> AwsError:
    """That there is no such stack. others: the shared stacks that there are.

    Only where there is none is a deployment suggested: a name that is not there is otherwise more likely misspelt.
    """
    what = f"there is no stack {stack}"
    if not others:
        return AwsError(Problem("no-shared-stack", what, why, f"run: {deploy_command(stack)}"))
    there = f"shared stacks of this account and region: {_listed(others)}"
    guess = near(stack, others)
    fix = f"did you mean {guess}? {there}" if guess else f"name one of the {there}; or look in another region"
    return AwsError(Problem("no-shared-stack", what, why, fix))


def near(name: str, others: Iterable[str]) -> str | None:
    """The one of the others that was probably meant; None when none is near in spelling."""
    by_lower = {other.lower(): other for other in sorted(others, reverse=True)}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=_NEAR)
    return by_lower[close[0]] if close else None


def require_new_name(cloudformation: Any, stack: str, *, is_meant: bool) -> None:
    """Raises Refused for the name of a new shared stack that would harm an existing one, or is near that of one.

    is_meant: a near name is no misspelling; one that begins another's is refused all the same.
    """
    others = _shared_stacks(cloudformation)
    for other in others:
        shorter, longer = sorted((stack, other), key=len)
        if longer.startswith(f"{shorter}-"):
            what = f"a shared stack cannot be called {stack} beside {other}"
            why = f"the policies for CI of {shorter} allow what begins with {shorter}-, and {longer} does"
            raise Refused(Problem("overlapping-name", what, why, "choose a name that neither begins the other"))
    guess = near(stack, others)
    if guess and not is_meant:
        what, why = f"there is no stack {stack}, but there is a shared stack {guess}", "the names are near"
        fix = f"did you mean --stack {guess}? If {stack} is to be one more shared stack, pass --new-stack"
        raise Refused(Problem("near-name", what, why, fix))


def deploy_command(stack: str) -> str:
    """What makes or updates a shared stack."""
    return f"aurora-tenants shared deploy --stack {stack}"


def repair_command(stack: str) -> str:
    """What brings back what somebody changed by hand in a shared stack."""
    return f"aurora-tenants shared repair --stack {stack}"


def with_repair(problem: Problem, shared: str) -> Problem:
    """A failure of the shared stack's functions with what to do about them; any other problem as it is."""
    if problem.code != "function-failed":
        return problem
    why = f"a function of stack {shared} is gone, or its code or its rights were changed; {problem.why}"
    return replace(problem, why=why, fix=f"run: {repair_command(shared)}")


def no_inspector(stack: str, refused: str) -> Problem:
    """That the shared stack's deployment could not make the user that plans read with. refused: why, a sentence."""
    what = f"the inspector of stack {stack} could not be made as it should be"
    fix = (
        f"when the cause is gone, run: {repair_command(stack)}; or pass --secret with the ARN of a secret whose user"
        " may read the schema mysql"
    )
    return Problem("no-inspector", what, refused, fix)


def inspector_problem(stack: Stack) -> Problem | None:
    """What a deployed shared stack says of the user that plans read with; None when all is well with it."""
    refused = stack.outputs.get("InspectorProblem", "none")
    return None if refused == "none" else no_inspector(stack.name, refused)


def _shared_stacks(cloudformation: Any) -> tuple[str, ...]:
    return stacks.shared_stacks(stacks.read_all(cloudformation))


def _listed(names: Collection[str]) -> str:
    first = sorted(names)[:_MOST_NAMES]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
