"""Reads what a plan is made of: the file, CloudFormation, and MySQL as the read-only inspector."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from aurora_tenants import config
from aurora_tenants.aws import scaling
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.clusters import require_available
from aurora_tenants.aws.logins import with_logins
from aurora_tenants.aws.resting import await_rest
from aurora_tenants.aws.secrets import read_secrets
from aurora_tenants.aws.stacks import read_deployed, read_template
from aurora_tenants.aws.usable import no_inspector, repair_command, usable
from aurora_tenants.aws.whose import require_account
from aurora_tenants.errors import AwsError, DatabaseError, Problem
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.objects import NOTHING, Asked
from aurora_tenants.mysql.reading import read
from aurora_tenants.mysql.state import Live, Server
from aurora_tenants.schedule.plan import LivePause
from aurora_tenants.stack import Deployed, Shared, StackPlan, Template
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
) -> Inputs:
    """The file first, so that nothing is asked of AWS for a file that cannot be used; then which account it is.

    check: raises InvalidUsage for a file that lacks what the command line asks for. located: called with account and
    region before anything else is asked of AWS.
    Raises InvalidFile, AwsError, DatabaseError.
    """
    configuration = config.load(file)
    check(configuration)
    aws = connect(region=region or configuration.cluster.region, profile=profile)
    account = require_account(aws, configuration.cluster)
    located(account, aws.region)
    return read_world(
        aws, configuration, reading, account=account, with_schedule=with_schedule, with_secrets=with_secrets
    )


def read_world(
    aws: Aws,
    configuration: Configuration,
    reading: Reading,
    *,
    account: str,
    with_schedule: bool,
    with_secrets: bool = True,
) -> Inputs:
    """CloudFormation, secrets and MySQL, now, beside a file that was read before. Raises AwsError, DatabaseError."""
    cluster, woke = configuration.cluster, list[bool]()
    deployed = read_deployed(aws.cloudformation, cluster)
    if reading.awaits_shared and deployed.shared and state_of(deployed.shared.status).way == "wait":
        _await_shared(aws, cluster, reading)
        deployed = read_deployed(aws.cloudformation, cluster)
    shared = usable(cluster, deployed)
    deployed = _with_edited(aws, deployed)
    if not reading.may_wake:
        require_available(aws, shared.cluster_arn)
        scaling.require_awake(aws, shared.cluster_arn)

    def woken() -> None:
        woke.append(True)
        reading.woken()

    pause = None
    if with_schedule and (cluster.pause_schedule or deployed.pause_schedule):
        pause = scaling.read_pause(aws, cluster, shared)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(read_secrets, aws, cluster, shared) if with_secrets else None
        live = read_live(aws, shared, replace(reading, woken=woken), partial(asked, configuration, deployed))
        secrets = pending.result() if pending else None
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


def _await_shared(aws: Aws, cluster: Cluster, reading: Reading) -> None:
    """Raises AwsError if the operation on the shared stack has not ended in time."""
    until = time.monotonic() + reading.wait_seconds
    busy = await_rest(aws.cloudformation, {cluster.stack}, until=until, stop=threading.Event(), tell=reading.busy)
    if busy:
        what = f"stack {cluster.stack} is in the middle of an operation: {busy[cluster.stack]}"
        why = f"what makes databases and users is in it, and it has not come to rest in {reading.wait_seconds:.0f} s"
        raise AwsError(Problem("stack-busy", what, why, "wait until it has ended, or pass a longer --wait"))


def _with_edited(aws: Aws, deployed: Deployed) -> Deployed:
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


def read_live(
    aws: Aws, shared: Shared, reading: Reading, looked_for: Callable[[Server], Asked] = lambda _: NOTHING
) -> Live:
    """What MySQL holds, read as the inspector or with the secret given. looked_for: on such a server."""
    secret = reading.secret
    if shared.inspector_problem and not secret:
        raise DatabaseError(no_inspector(shared.stack, shared.inspector_problem))

    def waiting(reason: str) -> None:
        require_available(aws, shared.cluster_arn)  # a stopped cluster is not worth a wait
        reading.waiting(reason)

    api = DataApi(
        aws.rds_data,
        shared.cluster_arn,
        secret or shared.inspector_secret,
        wait_seconds=reading.wait_seconds,
        woken=reading.woken,
        waiting=waiting,
    )
    try:
        with asking("read MySQL"):
            return read(api, looked_for)
    except DatabaseError as error:
        why = "" if secret else _damage(error)
        if not why:
            raise
        (problem,) = error.problems
        broken = Problem("no-inspector", problem.what, why, f"run: {repair_command(shared.stack)}")
        raise DatabaseError(broken, number=error.number, code=error.code) from error


def _damage(error: DatabaseError) -> str:
    """What somebody did by hand, so that the inspector cannot read; empty where the error has another cause."""
    if error.number in _NO_LOGIN:
        return "somebody dropped the inspector's user, or changed its password without its secret"
    if error.number in _NO_ACCESS:
        return "somebody took rights from the inspector's user, or something out of the schema aurora_tenants"
    if error.code in _NO_SECRET:
        return "somebody deleted or changed the inspector's secret, or you may not read it"
    return ""
