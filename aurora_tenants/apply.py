"""Runs a plan: every tenant's stack, as many at once as are allowed; never MySQL itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

from aurora_tenants.aws import stacks
from aurora_tenants.errors import AuroraTenantsError, Problem
from aurora_tenants.pause.plan import SchedulePlan
from aurora_tenants.plan import Plan, TenantPlan
from aurora_tenants.template import REVISION, allowing_drops, tags


@dataclass(frozen=True, slots=True)
class Result:
    """How one tenant, or the pause schedule, ended. problems: empty when it was deployed."""

    tenant: TenantPlan | SchedulePlan
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What is happening to a tenant now: an event of its stack, or (event None) its end with a result."""

    tenant: str
    event: stacks.Event | None = None
    result: Result | None = None


def apply(
    plan: Plan,
    cloudformation: Any,
    *,
    parallel: int,
    allow_drop: Collection[str],
    tell: Callable[[Step], None],
    deploy_schedule: Callable[[stacks.Tell], None],
) -> tuple[Result, ...]:
    """Deploys every stack that has something to do, removals after everything else; one failure stops no other.

    tell: called from the threads that work. deploy_schedule: called if something is to be done to the pause schedule.
    Results come in the plan's order, the pause schedule's last.
    """
    results: dict[str, Result] = {}
    schedule = plan.schedule_todo
    removals = [tenant for tenant in plan.todo if tenant.action == "delete"]
    others = [tenant for tenant in plan.todo if tenant.action != "delete"]
    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="stack") as pool:
        try:
            for group in (others, removals):
                futures = [pool.submit(_run, plan, tenant, cloudformation, allow_drop, tell) for tenant in group]
                if schedule and group is others:
                    futures.append(pool.submit(_run_schedule, schedule, deploy_schedule, tell))
                for future in as_completed(futures):
                    result = future.result()
                    results[result.tenant.tenant] = result
                    tell(Step(result.tenant.tenant, result=result))
        except BaseException:
            # Interrupted: what is in flight comes to its end, nothing else begins.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(results[it.tenant] for it in (*plan.todo, *([schedule] if schedule else ())))


def _run_schedule(
    schedule: SchedulePlan, deploy: Callable[[stacks.Tell], None], tell: Callable[[Step], None]
) -> Result:
    try:
        deploy(lambda event: tell(Step(schedule.tenant, event)))
    except AuroraTenantsError as error:
        return Result(schedule, tuple(replace(it, context=it.context or "pause schedule") for it in error.problems))
    return Result(schedule)


def _run(
    plan: Plan, tenant: TenantPlan, cloudformation: Any, allow_drop: Collection[str], tell: Callable[[Step], None]
) -> Result:
    def on_event(event: stacks.Event) -> None:
        tell(Step(tenant.tenant, event))

    try:
        _allow_drops(plan, tenant, cloudformation, allow_drop, on_event)
        if tenant.action in ("delete", "replace"):
            stacks.delete(cloudformation, tenant.stack, tell=on_event)
        if tenant.action != "delete":
            stacks.deploy(
                cloudformation,
                tenant.stack,
                tenant.template,
                parameters={REVISION: str(tenant.revision)},
                tags=tags(plan.cluster, tenant.tenant),
                tell=on_event,
                role_arn=plan.role_arn,
            )
    except AuroraTenantsError as error:
        return Result(
            tenant, tuple(replace(it, context=it.context or f"tenant {tenant.tenant}") for it in error.problems)
        )
    return Result(tenant)


def _allow_drops(
    plan: Plan, tenant: TenantPlan, cloudformation: Any, allow_drop: Collection[str], tell: stacks.Tell
) -> None:
    """Writes the leave to drop into the stack first: a Delete event carries the properties that were deployed last.

    A stack whose deletion failed takes no update; the leave was written before its deletion began.
    """
    allowed = set(tenant.drops) & set(allow_drop)
    if allowed and tenant.status != "DELETE_FAILED":
        # Another revision would make every custom resource of a tenant that is to go converge once more.
        before = stacks.read_stack(cloudformation, tenant.stack)
        stacks.deploy(
            cloudformation,
            tenant.stack,
            allowing_drops(stacks.read_template(cloudformation, tenant.stack), allowed),
            parameters=before.parameters if before else {},
            tags=tags(plan.cluster, tenant.tenant),
            tell=tell,
            role_arn=plan.role_arn,
        )
