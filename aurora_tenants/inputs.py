"""Reads what a plan is made of: the file, CloudFormation, and MySQL as the read-only inspector."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from aurora_tenants import config
from aurora_tenants.aws import scaling
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.logins import with_logins
from aurora_tenants.aws.resting import await_rest
from aurora_tenants.aws.secrets import read_secrets
from aurora_tenants.aws.stacks import read_template, shared_of
from aurora_tenants.aws.usable import no_inspector, repair_command, usable
from aurora_tenants.aws.whose import compare, require_account
from aurora_tenants.begun import Begun, begin_at_glance, begin_reading
from aurora_tenants.beside import Gate, begin
from aurora_tenants.config import yaml_file
from aurora_tenants.config.glance import is_same_place
from aurora_tenants.errors import AwsError, DatabaseError, Problem
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.objects import NOTHING, Asked
from aurora_tenants.mysql.reading import read
from aurora_tenants.mysql.state import Live, Server
from aurora_tenants.schedule.plan import LivePause
from aurora_tenants.stack import Deployed, Shared, Stack, StackPlan, Template
from aurora_tenants.status import state_of
from aurora_tenants.tenant.missing import asked
from aurora_tenants.tenant.secrets import Secrets

# CloudFormation's APIs begin to refuse at about ten calls at once.
_AT_ONCE = 5
# Access denied to a user: its password is another (1045) or has expired (1820, 1862), or the account is locked (3118).
_NO_LOGIN = (1045, 1820, 1862, 3118)
# No right to a schema (1044), a table or view (1142, 1143) or a routine (1370); no such schema (1049), table (1146) or
# routine (1305); a view whose table, column or definer is gone (1356, 1449).
_NO_ACCESS = (1044, 1049, 1142, 1143, 1146, 1305, 1356, 1370, 1449)
_NO_SECRET = ("SecretsErrorException", "InvalidSecretException")


@dataclass(frozen=True, slots=True)
class Reading:
    """How MySQL is read. secret: of another user to read it as, instead of the inspector.

    wait_seconds: how long a cluster may take to wake, or to become available. may_wake: False refuses a paused cluster
    instead. woken: called when a paused cluster wakes; waiting: with the reason of any other wait. logins: whether each
    user's login is tried. awaits_shared: an operation on the shared stack is waited for, as long, before anything else
    is read; busy: called meanwhile with the status of stacks that are waited for.
    """

    secret: str | None = None
    wait_seconds: float = 180.0
    may_wake: bool = True
    woken: Callable[[], None] = lambda: None
    waiting: Callable[[str], None] = lambda _: None
    logins: bool = False
    awaits_shared: bool = False
    busy: Callable[[Mapping[str, str]], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a plan compares, and the clients it was read with.

    woke: reading it woke a paused cluster. pause: None where there is no pause schedule, in the file or deployed.
    account: the number of the AWS account. secrets: of the users; None where they were not asked for.
    """

    aws: Aws
    configuration: Configuration
    shared: Shared
    deployed: Deployed
    live: Live
    account: str
    woke: bool = False
    pause: LivePause | None = None
    secrets: Secrets | None = None


def read_inputs(
    file: Path,
    *,
    region: str | None,
    profile: str | None,
    reading: Reading,
    with_schedule: bool,
    with_secrets: bool = True,
    located: Callable[[str, str], None] = lambda account, region: None,
    check: Callable[[Configuration], object] = lambda configuration: None,
    expected: str | None = None,
) -> Inputs:
    """The file and the world. Meanwhile AWS is asked (`begin_at_glance`), but not MySQL, which may be asleep.

    So what is wrong with the file is told first, whatever AWS says; then what is wrong with the account.
    check: raises InvalidUsage for a file that lacks what the command line asks for. located: called with account and
    region before anything of AWS is told. expected: the number of the account; nothing is asked of another meanwhile.
    Raises InvalidFile, AwsError, DatabaseError.
    """
    text = yaml_file.read(file)
    begun = begin_at_glance(text, region=region, profile=profile, account=expected, with_secrets=with_secrets)
    configuration = config.parse(text, str(file))
    check(configuration)
    cluster = configuration.cluster
    if begun and is_same_place(begun.cluster, cluster):
        aws, account = begun.aws.result(), begun.account.result()
        compare(account, cluster)
    else:
        aws, begun = connect(region=region or cluster.region, profile=profile), None
        account = require_account(aws, cluster)
    located(account, aws.region)
    return read_world(
        aws,
        configuration,
        reading,
        account=account,
        with_schedule=with_schedule,
        with_secrets=with_secrets,
        begun=begun,
    )


def read_world(
    aws: Aws,
    configuration: Configuration,
    reading: Reading,
    *,
    account: str,
    with_schedule: bool,
    with_secrets: bool = True,
    begun: Begun | None = None,
) -> Inputs:
    """CloudFormation, secrets and MySQL, now and beside each other, for a file that was read before.

    begun: what of it is being read already. Raises AwsError, DatabaseError: first what is wrong with the stacks.
    """
    cluster, woke = configuration.cluster, list[bool]()
    start = partial(begin_reading, aws, cluster, account, with_secrets=with_secrets)
    begun = begun or start()

    def woken() -> None:
        woke.append(True)
        reading.woken()

    with _Mysql(aws, configuration, replace(reading, woken=woken)) as mysql:
        mysql.begin_early(begun.shared)
        deployed = begun.deployed.result()
        if reading.awaits_shared and deployed.shared and state_of(deployed.shared.status).way == "wait":
            _await_shared(aws, cluster, reading)
            begun = start()
            deployed = begun.deployed.result()
        shared = usable(cluster, deployed)
        deployed = with_edited(aws, deployed)
        if not reading.may_wake:
            _require_available(aws, shared)
            scaling.require_awake(aws, shared.cluster_arn)
        mysql.begin(shared, deployed)
        pause = None
        if with_schedule and (cluster.pause_schedule or deployed.pause_schedule):
            pause = scaling.read_pause(aws, cluster, shared)
        live = mysql.result()
    secrets = None
    if with_secrets:
        listed = begun.secrets.result() or read_secrets(aws, cluster)
        secrets = listed._replace(function=shared.rotation_function)
    if secrets and reading.logins:
        secrets = with_logins(aws, configuration, deployed, shared, live.state, secrets)
    return Inputs(
        aws=aws,
        configuration=configuration,
        shared=shared,
        deployed=deployed,
        live=live,
        account=account,
        woke=bool(woke),
        pause=pause,
        secrets=secrets,
    )


class _Mysql:
    """MySQL as it is read beside CloudFormation, from when the shared stack is known. Tells nothing after the end."""

    def __init__(self, aws: Aws, configuration: Configuration, reading: Reading) -> None:
        self._aws, self._configuration, self._reading = aws, configuration, reading
        self._gate, self._deployed = Gate(), Future[Deployed]()
        self._shared: Shared | None = None
        self._live: Future[Live] | None = None

    def __enter__(self) -> _Mysql:
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.close()
        self._deployed.cancel()  # who waits for it in vain ends

    def begin_early(self, shared: Future[Stack | None]) -> None:
        """Once the shared stack is known by its name, where nothing can forbid it that only all of the stacks tell."""
        try:
            stack = shared.result()
            found = usable(self._configuration.cluster, Deployed(shared_of(stack) if stack else None, {}))
        except AwsError:  # told with the stacks that there are
            return
        is_busy = state_of(found.status).way == "wait" and self._reading.awaits_shared
        if self._reading.may_wake and not is_busy:
            self._begin(found)

    def begin(self, shared: Shared, deployed: Deployed) -> None:
        """With the stack as it was read with the others. What was read of another one is of no use."""
        if shared != self._shared:
            self._gate.close()
            self._gate = Gate()
            self._begin(shared)
        self._deployed.set_result(deployed)

    def result(self) -> Live:
        """Raises what `read_live` does."""
        assert self._live  # it has begun
        return self._live.result()

    def _begin(self, shared: Shared) -> None:
        tells = self._gate.through
        reading = replace(self._reading, woken=tells(self._reading.woken), waiting=tells(self._reading.waiting))
        self._shared = shared

        def looked_for(server: Server) -> Asked:
            return asked(self._configuration, self._deployed.result(), server)

        self._live = begin(lambda: read_live(self._aws, shared, reading, looked_for))


def _await_shared(aws: Aws, cluster: Cluster, reading: Reading) -> None:
    """Raises AwsError if the operation on the shared stack has not ended in time."""
    until = time.monotonic() + reading.wait_seconds
    busy = await_rest(aws.cloudformation, {cluster.stack}, until=until, stop=threading.Event(), tell=reading.busy)
    if busy:
        what = f"stack {cluster.stack} is in the middle of an operation: {busy[cluster.stack]}"
        why = f"what makes databases and users is in it, and it has not come to rest in {reading.wait_seconds:.0f} s"
        raise AwsError(Problem("stack-busy", what, why, "wait until it has ended, or pass a longer --wait"))


def with_edited(aws: Aws, deployed: Deployed) -> Deployed:
    """With what became of the templates of the tenants' stacks that somebody else has updated: a call for each."""
    by_others = {tenant: stack.name for tenant, stack in deployed.tenants.items() if stack.is_by_others}
    edited = {
        tenant: replace(deployed.tenants[tenant], is_edited=Template.is_edited(body))
        for tenant, body in _templates(aws, by_others).items()
    }
    return replace(deployed, tenants={**deployed.tenants, **edited})


def read_templates(aws: Aws, stacks: Iterable[StackPlan]) -> dict[str, Mapping[str, Any]]:
    """What is deployed of these stacks, by the part that each is the stack of. Raises AwsError."""
    return _templates(aws, {stack.part: stack.name for stack in stacks})


def _templates(aws: Aws, names: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        templates = pool.map(lambda name: read_template(aws.cloudformation, name), names.values())
        return dict(zip(names, templates, strict=True))


def _require_available(aws: Aws, shared: Shared) -> None:
    """Raises AwsError for a cluster that does not become available by itself."""
    # Loaded where a cluster sleeps or does not answer: it brings all that `doctor` knows.
    from aurora_tenants.aws.clusters import require_available

    require_available(aws, shared.cluster_arn)


def read_live(
    aws: Aws, shared: Shared, reading: Reading, looked_for: Callable[[Server], Asked] = lambda _: NOTHING
) -> Live:
    """What MySQL holds, read as the inspector or with the secret given. looked_for: on such a server."""
    if shared.inspector_problem and not reading.secret:
        raise DatabaseError(no_inspector(shared.stack, shared.inspector_problem))
    try:
        with asking("read MySQL"):
            return read(login(aws, shared, reading), looked_for)
    except DatabaseError as error:
        why = "" if reading.secret else _damage(error)
        if not why:
            raise
        (problem,) = error.problems
        broken = Problem("no-inspector", problem.what, why, f"run: {repair_command(shared.stack)}")
        raise DatabaseError(broken, number=error.number, code=error.code) from error


def login(aws: Aws, shared: Shared, reading: Reading) -> DataApi:
    """MySQL as the inspector, or with the secret given."""

    def waiting(reason: str) -> None:
        _require_available(aws, shared)  # a stopped cluster is not worth a wait
        reading.waiting(reason)

    return DataApi(
        aws.rds_data,
        shared.cluster_arn,
        reading.secret or shared.inspector_secret,
        wait_seconds=reading.wait_seconds,
        woken=reading.woken,
        waiting=waiting,
    )


def _damage(error: DatabaseError) -> str:
    """What somebody did by hand, so that the inspector cannot read; empty where the error has another cause."""
    if error.number in _NO_LOGIN:
        return "somebody dropped the inspector's user, or changed its password without its secret"
    if error.number in _NO_ACCESS:
        return "somebody took rights from the inspector's user, or something out of the schema aurora_tenants"
    if error.code in _NO_SECRET:
        return "somebody deleted or changed the inspector's secret, or you may not read it"
    return ""
