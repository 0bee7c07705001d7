"""What could stand in the way: facts in, findings out. Pure; `checkup` reads the facts.

    examine(Facts(file=FileFacts(…), caller=Caller(…), zones=Skipped("…"), …))    (Finding("file", "ok", …), …)

A fact that could not be had is Unread, and its check a warning; one that nobody asked for is Skipped, and its check is
not checked. So one refused call costs one line.

    caller      who calls, the clock; permissions: what the caller may do
    region      engine, zones, quotas
    names       of the stack; templates: the file's, and CloudFormation's word on them
    cluster     one that is there; shared: the rest of what is deployed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

from aurora_tenants.doctor import caller, cluster, names, permissions, region, shared, templates
from aurora_tenants.doctor.caller import Caller, Clock
from aurora_tenants.doctor.cluster import ClusterFacts, NoCluster
from aurora_tenants.doctor.finding import Finding, Skipped, Unread, Verdict, problem, warning
from aurora_tenants.doctor.permissions import Permissions
from aurora_tenants.doctor.region import Offer, Quota, Zones
from aurora_tenants.doctor.shared import DataApiAnswer, Functions, SecretFacts, SharedFacts
from aurora_tenants.doctor.templates import FileFacts, TenantTemplates, Validated
from aurora_tenants.stack import Stack

T = TypeVar("T")
Known: TypeAlias = T | Unread | Skipped
_NEEDS_NO_PERMISSION = frozenset({"stack", "file", "region", "caller", "clock"})


@dataclass(frozen=True, slots=True)
class NoAccess:
    """In the place of the caller: no call can be made, or none is answered. So nothing else is checked."""

    found: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is looked at."""

    stack: str
    file: Known[FileFacts]
    region: Known[str]
    caller: Known[Caller | NoAccess]
    clock: Known[Clock]
    permissions: Known[Permissions]
    use: Known[Permissions]
    shared_template: Known[Validated]
    tenant_templates: Known[TenantTemplates]
    engine: Known[Offer]
    zones: Known[Zones]
    stack_quota: Known[Quota]
    vpc_quota: Known[Quota]
    role_quota: Known[Quota]
    shared: Known[SharedFacts]
    shared_cluster: Known[ClusterFacts | NoCluster]
    data_api: Known[DataApiAnswer]
    functions: Known[Functions]
    inspector: Known[SecretFacts]
    dead_letters: Known[int]
    tenant_stacks: Known[Mapping[str, Stack]]
    cluster: Known[ClusterFacts | NoCluster]


class Check(NamedTuple):
    """A check by its name. of: the fact that it needs. judge: what it says of the fact, a line each."""

    name: str
    of: Callable[[Facts], Any]
    judge: Callable[[Any], Iterator[Verdict]]


def _credentials(found: Caller | NoAccess) -> Iterator[Verdict]:
    if isinstance(found, NoAccess):
        yield problem(found.found, found.why, found.fix)
    else:
        yield from caller.check_credentials(found)


CHECKS = (
    Check("file", lambda facts: facts.file, templates.check_file),
    Check("credentials", lambda facts: facts.caller, _credentials),
    Check("region", lambda facts: facts.region, region.check_region),
    Check("clock", lambda facts: facts.clock, caller.check_clock),
    Check("may-plan", lambda facts: facts.use, permissions.check_plan),
    Check("may-apply", lambda facts: facts.use, permissions.check_apply),
    Check("may-deploy-shared", lambda facts: facts.permissions, permissions.check_deployment),
    Check("names", lambda facts: facts.stack, names.check_names),
    Check("shared-template", lambda facts: facts.shared_template, templates.check_shared_template),
    Check("tenant-templates", lambda facts: facts.tenant_templates, templates.check_tenant_templates),
    Check("engine", lambda facts: facts.engine, region.check_engine),
    Check("zones", lambda facts: facts.zones, region.check_zones),
    Check("stack-quota", lambda facts: facts.stack_quota, region.check_quota),
    Check("vpc-quota", lambda facts: facts.vpc_quota, region.check_quota),
    Check("role-quota", lambda facts: facts.role_quota, region.check_quota),
    Check("shared-stack", lambda facts: facts.shared, shared.check_shared),
    Check("shared-cluster", lambda facts: facts.shared_cluster, cluster.check_cluster),
    Check("data-api", lambda facts: facts.data_api, shared.check_data_api),
    Check("functions", lambda facts: facts.functions, shared.check_functions),
    Check("inspector-secret", lambda facts: facts.inspector, shared.check_inspector),
    Check("lost-events", lambda facts: facts.dead_letters, shared.check_dead_letters),
    Check("tenant-stacks", lambda facts: facts.tenant_stacks, shared.check_tenant_stacks),
    Check("cluster", lambda facts: facts.cluster, cluster.check_cluster),
)


def examine(facts: Facts) -> tuple[Finding, ...]:
    """What the checks say, in their order; each says at least one line."""
    if _is_denied_everything(facts):
        facts = _without_permissions(facts)
    return tuple(Finding(check.name, *verdict) for check in CHECKS for verdict in _verdicts(check, facts))


def _asked(facts: Facts) -> dict[str, Any]:
    """The facts that calls were made for which need permissions."""
    every = {each.name: getattr(facts, each.name) for each in fields(facts) if each.name not in _NEEDS_NO_PERMISSION}
    return {name: fact for name, fact in every.items() if not isinstance(fact, Skipped)}


def _is_denied_everything(facts: Facts) -> bool:
    """Whether nothing could be read for want of a permission; what a caller may do is not simulated for everybody."""
    asked = _asked(facts)
    denied = [
        isinstance(fact, Unread) and (fact.is_denied or name in ("permissions", "use")) for name, fact in asked.items()
    ]
    return isinstance(facts.caller, Caller) and bool(denied) and all(denied)


def _without_permissions(facts: Facts) -> Facts:
    """The same with one problem, and everything else not checked."""
    assert isinstance(facts.caller, Caller)
    found = f"{facts.caller.arn} may do nothing here: AWS denied every call but the one that tells who calls"
    fix = "name other credentials with --profile, or have these be allowed what docs/doctor.md says that doctor calls"
    rest: dict[str, Any] = dict.fromkeys(_asked(facts), Skipped("AWS denies every call of this caller"))
    return replace(facts, caller=NoAccess(found, fix=fix), **rest)


def _verdicts(check: Check, facts: Facts) -> Iterator[Verdict]:
    fact = check.of(facts)
    if isinstance(fact, Skipped):
        yield Verdict("not-checked", fact.reason)
    elif isinstance(fact, Unread):
        yield warning(fact.found, "so this could not be checked", fact.fix)
    else:
        yield from check.judge(fact)
