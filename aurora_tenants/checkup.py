"""Reads everything that `doctor` looks at, and has it looked at. Never stops at the first failing call.

    findings = check_up(Request(file=None, region="eu-west-1"))

Only what cannot be left out (credentials, a region, an answer) makes the rest be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from aurora_tenants import config, data
from aurora_tenants.aws import account, code, deployed, quotas
from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.aws.clusters import remembered
from aurora_tenants.aws.code import CODE_BUCKET
from aurora_tenants.aws.stacks import read_deployed, read_stack, read_template_text
from aurora_tenants.aws.usable import usable
from aurora_tenants.aws.whose import compare
from aurora_tenants.doctor import Facts, Known, NoAccess, examine, names, permissions, templates
from aurora_tenants.doctor.caller import Caller, Clock
from aurora_tenants.doctor.cluster import ClusterFacts, NoCluster
from aurora_tenants.doctor.finding import Finding, Skipped, Unread
from aurora_tenants.doctor.permissions import Permissions, Place
from aurora_tenants.doctor.region import Quota
from aurora_tenants.doctor.shared import DataApiAnswer, SharedFacts
from aurora_tenants.doctor.templates import FileFacts, TenantTemplates, Validated
from aurora_tenants.errors import AwsError, InvalidFile
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.stack import Deployed, Shared, Stack, failed_rollback

T = TypeVar("T")

_BAD_NAME = Skipped("no shared stack may have this name, as names says")
_NO_FILE = Skipped("there is no tenants.yaml here, and no other file was named")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. file: None where there is none. stack, region: None for the file's, or the usual ones.

    cluster: identifier or ARN of one to be looked at as well.
    """

    file: Path | None
    default_stack: str
    stack: str | None = None
    region: str | None = None
    profile: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. account and region: empty where they could not be found out."""

    findings: tuple[Finding, ...]
    stack: str
    account: str = ""
    region: str = ""


def check_up(request: Request) -> Report:
    """Raises nothing for what AWS answers, or does not."""
    file: Known[FileFacts] = _read_file(request.file) if request.file else _NO_FILE
    configuration = file.configuration if isinstance(file, FileFacts) else None
    cluster = configuration.cluster if configuration else Cluster(request.default_stack)
    stack = request.stack or cluster.stack
    begun = _Begun(request, stack, file, configuration)
    try:
        aws = connect(region=request.region or cluster.region, profile=request.profile, attempts=3)
    except AwsError as error:
        return begun.without_access(error)
    try:
        found, clock = account.read_caller(aws)
        if stack == cluster.stack:
            compare(found.account, cluster)
    except AwsError as error:
        if not account.is_throttled(error):
            return begun.without_access(error, aws)
        return _Reader(begun, aws, Unread.of(error.problems[0]), Skipped("the caller is not known")).report()
    return _Reader(begun, aws, found, clock).report()


def _read_file(path: Path) -> FileFacts:
    try:
        return FileFacts(str(path), config.load(path))
    except InvalidFile as error:
        return FileFacts(str(path), None, error.problems)


def _read(read: Callable[[], T]) -> T | Unread:
    try:
        return read()
    except AwsError as error:
        return Unread.of(error.problems[0])


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is known before AWS is asked."""

    request: Request
    stack: str
    file: Known[FileFacts]
    configuration: Configuration | None

    def without_access(self, error: AwsError, aws: Aws | None = None) -> Report:
        """The one problem, and everything else not checked."""
        found, clock = error.problems[0], account.refused_clock(error)
        rest: dict[str, Any] = dict.fromkeys((field.name for field in fields(Facts)), Skipped("AWS cannot be asked"))
        rest |= {"stack": self.stack, "file": self.file}
        fix = account.not_assumed(error) or found.fix
        fix = fix or "look at the AWS configuration: `aws configure list` says where each part of it comes from"
        if found.code == "wrong-credentials":
            fix += "; in a region that has to be enabled for the account, enable it"
        rest["caller"] = NoAccess(found.what, found.why, fix)
        if clock and clock.is_too_far:
            rest |= {"caller": Skipped("AWS refuses the signature because of the clock"), "clock": clock}
        return Report(examine(Facts(**rest)), self.stack, region=aws.region if aws else "")


@dataclass(slots=True)
class _Reader:
    """Reads the facts of an account that answers. caller: Unread if it could not be found out."""

    begun: _Begun
    aws: Aws
    caller: Caller | Unread
    clock: Clock | Skipped

    def report(self) -> Report:
        aws, request = self.aws, self.begun.request
        shared, held = self._stacks()
        stack = shared.stack if isinstance(shared, SharedFacts) else None
        usage = _usable(shared, held)
        use, deployment = self._permissions(usage)
        shared_cluster = self._of_usable(usage, lambda it: _shared_cluster(aws, it, stack))
        facts = Facts(
            stack=self.begun.stack,
            file=self.begun.file,
            region=aws.region,
            caller=self.caller,
            clock=self.clock,
            permissions=deployment,
            use=use,
            shared_template=_read(lambda: account.validate_template(aws, "the shared stack", _template(stack))),
            tenant_templates=self._tenant_templates(),
            engine=_read(lambda: account.read_offer(aws, data.text("cluster.yml"), _deployed_version(shared_cluster))),
            zones=self._for_new_cluster(shared, lambda: account.read_zones(aws)),
            stack_quota=self._stack_quota(held),
            vpc_quota=self._for_new_cluster(shared, lambda: quotas.vpcs(aws)),
            role_quota=self._before_deployment(shared, lambda: quotas.roles(aws)),
            shared=shared,
            shared_cluster=shared_cluster,
            data_api=self._data_api(usage, shared_cluster, use),
            functions=self._functions(shared),
            inspector=self._of_usable(usage, lambda it: deployed.read_inspector(aws, it)),
            dead_letters=self._lost_events(usage),
            tenant_stacks=held if isinstance(held, Unread) else held.tenants,
            cluster=_read(lambda: deployed.read_cluster_facts(aws, name))
            if (name := request.cluster)
            else Skipped("no cluster of your own was named with --cluster"),
        )
        number = self.caller.account if isinstance(self.caller, Caller) else ""
        return Report(examine(facts), self.begun.stack, number, aws.region)

    def _stacks(self) -> tuple[Known[SharedFacts], Deployed | Unread]:
        aws, name = self.aws, self.begun.stack
        held = _read(lambda: read_deployed(aws.cloudformation, Cluster(name)))
        if isinstance(held, Unread):
            return held, held
        if held.shared is None:
            return SharedFacts(name, None, made=held.made) if names.can_be_deployed(name) else _BAD_NAME, held
        stack = _read(lambda: read_stack(aws.cloudformation, name))
        if isinstance(stack, Unread):
            return stack, held
        return replace(self._shared(stack, held), made=held.made), held

    def _shared(self, stack: Stack | None, held: Deployed) -> SharedFacts:
        try:
            shared = usable(Cluster(self.begun.stack), held)
        except AwsError as error:
            return SharedFacts(self.begun.stack, stack, error.problems[0])
        if shared.has_failed:
            return SharedFacts(self.begun.stack, stack, failed_rollback(self.begun.stack))
        text = _read(lambda: read_template_text(self.aws.cloudformation, self.begun.stack))
        is_current = isinstance(text, Unread) or text.strip() == _template(stack).strip()
        return SharedFacts(self.begun.stack, stack, inspector_problem=shared.inspector_problem, is_current=is_current)

    def _permissions(self, usage: Shared | Skipped | Unread) -> tuple[Known[Permissions], Known[Permissions]]:
        """What the use of a shared stack needs, and its deployment."""
        if isinstance(self.caller, Unread):
            return (skipped := Skipped("the caller is not known")), skipped
        if not names.can_be_deployed(self.begun.stack):
            return _BAD_NAME, _BAD_NAME
        if not self.caller.source:
            return (unread := permissions.not_simulated(self.caller)), unread
        shared = usage if isinstance(usage, Shared) else None
        known, place = self.caller, self._place(self.caller, shared)

        def simulated() -> Permissions:
            return account.simulate(self.aws, known, permissions.needed(place))

        found = _read(simulated)
        if shared or isinstance(found, Unread):
            return found, found
        return Skipped("there is no shared stack yet that these permissions could be on"), found

    def _place(self, known: Caller, shared: Shared | None) -> Place:
        region, partition = self.aws.region, known.arn.split(":")[1]
        place = Place(partition, region, known.account, self.begun.stack)
        if shared is None:
            place = replace(place, makes_cluster=not self.begun.request.cluster)
            return replace(place, has_rds_role=account.has_rds_role(self.aws)) if place.makes_cluster else place
        queue = shared.pause_dead_letters.rpartition("/")[2]
        letters = place.arn("sqs", queue) if queue else ""
        return replace(
            place,
            cluster_arn=shared.cluster_arn,
            inspector_secret=shared.inspector_secret,
            role_arn=shared.role_arn,
            dead_letters=letters,
        )

    def _tenant_templates(self) -> Known[TenantTemplates]:
        configuration = self.begun.configuration
        if configuration is None:
            return Skipped("there is no valid file")
        all_of_them = templates.templates_of(configuration, Cluster(self.begun.stack))

        def validate(about: str, body: str) -> Validated:
            return account.validate_template(self.aws, about, body)

        return _read(lambda: templates.validated(all_of_them, validate))

    def _stack_quota(self, held: Deployed | Unread) -> Known[Quota]:
        if isinstance(held, Unread):
            return held
        there = int(held.pause_schedule is not None)
        used = len(held.others) + len(held.tenants) + there
        return quotas.stacks(self.aws, used=used, wanted=self._wanted(held))

    def _wanted(self, held: Deployed) -> int:
        """How many stacks are to be made: the shared one, and those of the file."""
        wanted = int(held.shared is None)
        if configuration := self.begun.configuration:
            wanted += sum(tenant.name not in held.tenants for tenant in configuration.tenants)
            wanted += int(configuration.cluster.pause_schedule is not None and held.pause_schedule is None)
        return wanted

    def _before_deployment(self, shared: Known[SharedFacts], read: Callable[[], T]) -> Known[T]:
        """A fact that only the first deployment depends on."""
        if isinstance(shared, SharedFacts) and shared.stack is not None and not shared.stack.is_only_to_delete:
            return Skipped(f"it counts for the first deployment alone, and stack {shared.name} is there")
        return _read(read)

    def _for_new_cluster(self, shared: Known[SharedFacts], read: Callable[[], T]) -> Known[T]:
        """A fact that only a cluster depends on that is still to be made."""
        if self.begun.request.cluster:
            return Skipped(f"it counts for a new cluster, and {self.begun.request.cluster} is there")
        return self._before_deployment(shared, read)

    def _of_usable(self, usage: Shared | Skipped | Unread, read: Callable[[Shared], T]) -> Known[T]:
        return _read(lambda: read(usage)) if isinstance(usage, Shared) else _as_skipped(usage)

    def _functions(self, shared: Known[SharedFacts]) -> Known[Any]:
        if isinstance(shared, Unread | Skipped):
            return _as_skipped(shared)
        if not shared.is_usable or shared.stack is None:
            return Skipped("there is no shared stack that could be used")
        stack = shared.stack
        return _read(lambda: deployed.read_functions(self.aws, stack))

    def _lost_events(self, usage: Shared | Skipped | Unread) -> Known[int]:
        if isinstance(usage, Shared) and not usage.pause_dead_letters:
            return Skipped("the shared stack is from before the pause schedule")
        return self._of_usable(usage, lambda it: deployed.read_lost_events(self.aws, it))

    def _data_api(
        self, usage: Shared | Skipped | Unread, cluster: Known[Any], use: Known[Permissions]
    ) -> Known[DataApiAnswer]:
        if not isinstance(usage, Shared):
            return _as_skipped(usage)
        if isinstance(cluster, ClusterFacts) and not (cluster.has_data_api and cluster.status == "available"):
            return Skipped("the cluster cannot answer, as shared-cluster says")
        answer = _read(lambda: deployed.ask_mysql(self.aws, usage))
        if isinstance(answer, Unread) and answer.is_denied and not isinstance(use, Permissions):
            return DataApiAnswer.denied(answer.found, answer.fix)  # nothing else says it
        return answer


def _usable(shared: Known[SharedFacts], held: Deployed | Unread) -> Shared | Skipped | Unread:
    """The shared stack, if it can be used."""
    if isinstance(held, Unread):
        return held
    if isinstance(shared, Unread | Skipped):
        return shared
    if shared.is_usable and held.shared:
        return held.shared
    return Skipped("there is no shared stack that could be used")


def _as_skipped(usage: Skipped | Unread) -> Skipped:
    """One call that failed is told once, by the check of shared-stack."""
    return usage if isinstance(usage, Skipped) else Skipped("the stacks could not be read")


def _shared_cluster(aws: Aws, shared: Shared, stack: Stack | None) -> ClusterFacts | NoCluster:
    """With a master secret that was made by hand, none that RDS keeps is needed."""
    found = deployed.read_cluster_facts(aws, shared.cluster_arn)
    has_own = (
        stack is not None and "ClusterArn" in stack.parameters and bool(remembered(stack.parameters).master_secret)
    )
    return found._replace(has_secret=True) if has_own and isinstance(found, ClusterFacts) else found


def _deployed_version(cluster: Known[Any]) -> str:
    return cluster.version if isinstance(cluster, ClusterFacts) else ""


def _template(stack: Stack | None) -> str:
    """The template that `shared deploy` would deploy: with the code where it is now."""
    parameters: Mapping[str, str] = stack.parameters if stack else {}
    bucket = parameters.get(CODE_BUCKET, "")
    return code.template(bucket, code.build()) if bucket else data.text("shared.yml")
