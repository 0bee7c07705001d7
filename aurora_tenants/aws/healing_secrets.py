"""What apply does about secrets that somebody changed by hand, around the deployment of their stack.

what differs                     is healed by
waits for its deletion           RestoreSecret
rotation stuck                   AWSPENDING is taken from its version
rotation on, and should not be   CancelRotateSecret
another has its name             that one is deleted, then as one that is gone
gone                             a drift-aware change set: CloudFormation makes it again, and what hangs on it
rotation off or another,         the template without these resources, then with them: CloudFormation compares its
fields or the value wrong        templates, and not what there is
password refused                 the deployment, in which the provider sets it
rotation due or stuck            RotateSecret
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aurora_tenants.aws import changesets, healing, stacks
from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.operations import StackBusy, Stopped
from aurora_tenants.aws.secrets import confirmed
from aurora_tenants.errors import AuroraTenantsError, AwsError, Problem
from aurora_tenants.model import Cluster
from aurora_tenants.naming import REVISION
from aurora_tenants.revision import counted_up
from aurora_tenants.stack import FAILED_ROLLBACK, Shared, Stack, StackPlan, Template
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.secrets import Heal, SecretDrift, Secrets, drifted, taken_apart

_NO_CHANGE_SET = (
    "a secret that is gone is made again by a drift-aware change set (DeploymentMode REVERT_DRIFT), which was refused"
)


@dataclass(frozen=True, slots=True)
class Healer:
    """Deploys stacks; the first time that it deploys one, it heals its secrets. function: ARN of what rotates them.

    left: what is still to be healed, by the stack's name.
    """

    aws: Aws
    cluster: Cluster
    function: str
    left: dict[str, tuple[SecretDrift, ...]] = field(default_factory=dict)

    def deploy(self, cloudformation: Any, plan: StackPlan, *, tell: stacks.Tell) -> bool:
        """As `stacks.deploy`. Raises NotConverged if a rotation does not end."""
        found = self.left.pop(plan.name, ())
        if not found:
            return stacks.deploy(cloudformation, plan, tell=tell)
        try:
            return self._heal(cloudformation, plan, found, tell)
        except (StackBusy, Stopped):
            self.left[plan.name] = found
            raise

    def _heal(self, cloudformation: Any, plan: StackPlan, found: tuple[SecretDrift, ...], tell: stacks.Tell) -> bool:
        self._before(found)
        before = stacks.read_stack(cloudformation, plan.name)
        if before:
            stacks.require_idle(before)
        if restored := _to(found, "restore"):
            found = self._looked_at_again(plan, before, found, restored)
        before = self._made_again(cloudformation, plan, before, found, tell)
        was_deployed = self._deploy(cloudformation, plan, before, found, tell)
        try:
            for secret in _to(found, "rotate"):
                healing.rotate(self.aws, secret, self.function)
        except AuroraTenantsError as error:
            error.nothing_was_changed = False
            raise
        return was_deployed

    def before_moving(self, plans: Iterable[StackPlan]) -> None:
        """Before anything is handed over: the giver's stack ends a rotation wherever it is, and CloudFormation takes no
        secret into a stack that waits for its deletion.
        """
        for plan in plans:
            found = self.left.get(plan.name, ()) if plan.imports else ()
            for secret in _to(found, "restore"):
                healing.restore(self.aws, secret)
            for secret in _to(found, "end-rotation"):
                healing.await_rotation(self.aws, secret)

    def take(self, plan: StackPlan) -> None:
        """A secret that is rotated already, or of which a version waits, gets no rotation in its new stack."""
        for secret in plan.imports.values():
            healing.stop_rotation(self.aws, secret)

    def _before(self, found: Collection[SecretDrift]) -> None:
        """What needs no deployment, or has to be done before it."""
        for secret in _to(found, "restore"):
            healing.restore(self.aws, secret)
        for secret in _to(found, "end-rotation"):
            healing.end_rotation(self.aws, secret)
        for secret in _to(found, "cancel"):
            healing.cancel_rotation(self.aws, secret)
        for secret in _to(found, "replace"):
            healing.delete(self.aws, secret)

    def _looked_at_again(
        self, plan: StackPlan, before: Stack | None, found: Iterable[SecretDrift], restored: Collection[str]
    ) -> tuple[SecretDrift, ...]:
        """The same with what differs of secrets that are restored: nobody says whether they are rotated as before."""
        others = tuple(drift for drift in found if drift.secret not in restored)
        if before is None or not isinstance(plan.template, Template):
            return others
        none = Secrets({}, self.function, datetime.now(UTC))
        now = drifted(plan.template.resources, before.outputs, confirmed(self.aws, self.cluster, none, restored))
        return (*others, *(drift for drift in now if drift.secret in restored))

    def _made_again(
        self,
        cloudformation: Any,
        plan: StackPlan,
        before: Stack | None,
        found: Collection[SecretDrift],
        tell: stacks.Tell,
    ) -> Stack | None:
        """The stack as it is once every secret is there, out of a rollback that failed."""
        if before and before.status == FAILED_ROLLBACK:
            stacks.continue_rollback(cloudformation, plan.name, tell, role_arn=plan.role_arn)
            before = stacks.read_stack(cloudformation, plan.name)
        if not _to(found, "remake"):
            return before
        try:
            made = changesets.make(cloudformation, plan, before, reverts_drift=True)
        except AwsError as error:
            raise AwsError(*(_without_change_set(problem, found) for problem in error.problems)) from error
        if made:
            stacks.execute(cloudformation, made, tell=tell)
        return stacks.read_stack(cloudformation, plan.name)

    def _deploy(
        self,
        cloudformation: Any,
        plan: StackPlan,
        before: Stack | None,
        found: Iterable[SecretDrift],
        tell: stacks.Tell,
    ) -> bool:
        """In two steps where something is to be made again; the users are compared with MySQL in the second."""
        apart = taken_apart(plan.template, found) if isinstance(plan.template, Template) else None
        if apart:
            parameters = {**plan.parameters, **({REVISION: counted_up(before.revision, ())} if before else {})}
            stacks.deploy(cloudformation, replace(plan, template=apart, parameters=parameters), tell=tell)
        return stacks.deploy(cloudformation, plan, tell=tell)


def healer(aws: Aws, shared: Shared, tenants: Iterable[TenantPlan]) -> Healer:
    """For the stacks of these tenants."""
    drifts = {each.stack.name: each.secrets for each in tenants if each.secrets}
    return Healer(aws, Cluster(shared.stack), shared.rotation_function, drifts)


def _to(found: Iterable[SecretDrift], heal: Heal) -> list[str]:
    return list(dict.fromkeys(drift.secret for drift in found if heal in drift.heals))


def _without_change_set(problem: Problem, found: Iterable[SecretDrift]) -> Problem:
    users = ", ".join(drift.user for drift in found if "remake" in drift.heals)
    fix = f"take {users} out of the file, apply, and put back: the user and its secret are then made anew"
    return replace(problem, why=_NO_CHANGE_SET, fix=problem.fix or fix)
