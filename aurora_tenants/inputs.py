"""Reads what a plan is made of: the file, CloudFormation, and MySQL as the read-only inspector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from aurora_tenants import config
from aurora_tenants.aws import pausing
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.stacks import read_deployed
from aurora_tenants.errors import AwsError, DatabaseError, Problem
from aurora_tenants.model import Configuration, Deployed, Shared
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import read_server, read_state
from aurora_tenants.plan import Live

# The provider this command line needs; lambdas/provider.py counts its own.
PROVIDER_VERSION = 1
# Access denied to a user, because of its password (1045) or of a locked account (3118).
_NO_LOGIN = (1045, 3118)


@dataclass(frozen=True, slots=True)
class Reading:
    """How MySQL is read. secret: of another user to read it as, instead of the inspector.

    wait_seconds: how long a paused cluster may take to wake. may_wake: False refuses a paused cluster instead. woken:
    called when a paused cluster wakes.
    """

    secret: str | None = None
    wait_seconds: float = 180.0
    may_wake: bool = True
    woken: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a plan compares, and the clients it was read with. woke: reading it woke a paused cluster."""

    aws: Aws
    configuration: Configuration
    deployed: Deployed
    live: Live
    woke: bool = False


def read_inputs(file: Path, *, region: str | None, profile: str | None, reading: Reading) -> Inputs:
    """The file first, so that nothing is asked of AWS for a file that cannot be used.

    Raises InvalidFile, AwsError, DatabaseError.
    """
    configuration = config.load(file)
    aws = connect(region=region or configuration.cluster.region, profile=profile)
    return read_world(aws, configuration, reading)


def read_world(aws: Aws, configuration: Configuration, reading: Reading) -> Inputs:
    """CloudFormation and MySQL, now, beside a file that was read before. Raises AwsError, DatabaseError."""
    deployed = read_deployed(aws.cloudformation, configuration.cluster)
    shared, woke = usable(configuration, deployed), list[bool]()
    if not reading.may_wake:
        pausing.require_awake(aws, shared.cluster_arn)

    def woken() -> None:
        woke.append(True)
        reading.woken()

    live = read_live(aws, shared, replace(reading, woken=woken))
    return Inputs(aws, configuration, deployed, live, bool(woke))


def usable(configuration: Configuration, deployed: Deployed) -> Shared:
    """The shared stack. Raises AwsError when there is none, when it is none, not whole, or too old."""
    name, shared = configuration.cluster.stack, deployed.shared
    fix = f"run: aurora-tenants shared deploy --stack {name}"
    if shared is None:
        why = "cluster.stack in tenants.yaml names it; it holds the cluster and what makes databases and users"
        raise AwsError(Problem("no-shared-stack", f"there is no stack {name}", why, fix))
    if not shared.status.endswith(("_COMPLETE", "UPDATE_IN_PROGRESS")) or shared.status.startswith("ROLLBACK"):
        what = f"stack {name} cannot be used: it is {shared.status}"
        why, fix = "its creation or its deletion did not end well", f"aurora-tenants shared status --stack {name}"
        raise AwsError(Problem("no-shared-stack", what, why, fix))
    if not shared.cluster_arn or shared.version is None:
        missing = "ProviderVersion" if shared.cluster_arn else "DatabaseServer"
        what, why = f"stack {name} is not a shared stack", f"it has no output {missing}"
        raise AwsError(Problem("no-shared-stack", what, why, "name the shared stack in cluster.stack of tenants.yaml"))
    if shared.version < PROVIDER_VERSION:
        what = f"stack {name} is too old: its provider has version {shared.version}"
        raise AwsError(Problem("old-shared-stack", what, f"this program needs version {PROVIDER_VERSION}", fix))
    return shared


def read_live(aws: Aws, shared: Shared, reading: Reading) -> Live:
    """What MySQL holds, read as the inspector or with the secret given."""
    secret = reading.secret
    if shared.inspector_problem and not secret:
        what = "the inspector may not read MySQL's grant tables"
        fix = "pass --secret with the ARN of a secret whose user may read the schema mysql"
        raise DatabaseError(Problem("no-inspector", what, shared.inspector_problem, fix))
    api = DataApi(
        aws.rds_data,
        shared.cluster_arn,
        secret or shared.inspector_secret,
        wait_seconds=reading.wait_seconds,
        woken=reading.woken,
    )
    try:
        with asking("read MySQL"):
            return Live(read_server(api.execute), read_state(api.execute))
    except DatabaseError as error:
        if secret or error.number not in _NO_LOGIN:
            raise
        why = "its password or its rights were changed behind its secret's back"
        fix = f"aws secretsmanager rotate-secret --secret-id {shared.inspector_secret}, then try again"
        (problem,) = error.problems
        raise DatabaseError(Problem("no-inspector", problem.what, why, fix), number=error.number) from error
