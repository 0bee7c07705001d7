"""A bare sandbox as the account that `script/smoke` is run in, and what is in it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from aurora_sandbox import lifecycle
from aurora_sandbox.mysqld import Binary
from aurora_tenants.aws.clients import Aws, connect
from tests.cli.conftest import models_read_once as models_read_once
from tests.endpoint import Endpoint, environment
from tests.quick import look_often
from tools.smoke import run, world
from tools.smoke.__main__ import main
from tools.smoke.probe import Probe
from tools.smoke.probes import PROBES


class Ended(NamedTuple):
    """What came of `script/smoke`."""

    code: int
    out: str

    def of(self, kind: str) -> set[str]:
        """The probes of which it was said as they ended: same, differs or not run."""
        lines = self.out.partition("\n\n")[0].splitlines()
        return {line[9:].strip() for line in lines if line.startswith(f"{kind} ") and line[9:10].strip()}


class Account(Endpoint):
    """The sandbox."""

    def smoke(self, *arguments: str, probes: Sequence[Probe] = PROBES) -> Ended:
        out = io.StringIO()
        with environment(self.environment), pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
            look_often(patch)
            code = main(arguments, probes)
        return Ended(code, out.getvalue())

    def contents(self) -> dict[str, Any]:
        """All that a run could leave behind."""
        groups = self.client("scheduler").list_schedule_groups()["ScheduleGroups"]
        logs = self.client("logs").describe_log_groups()["logGroups"]
        return {
            "stacks": self.stacks(),
            "secrets": [*self.secrets()],
            "buckets": [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]],
            "groups": sorted(group["Name"] for group in groups),
            "logs": [group["logGroupName"] for group in logs],
            "roles": [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]],
            "clusters": self.client("rds").describe_db_clusters()["DBClusters"],
            "snapshots": self.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"],
            "users": sorted(map(str, self.sql("SELECT User, Host FROM mysql.user"))),
            "databases": sorted(str(name) for (name,) in self.sql("SHOW DATABASES")),
        }


class Refused(NamedTuple):
    """An answer of AWS's that is none."""

    code: str
    message: str = "not authorized to perform this"
    status: int = 403


@contextmanager
def answering(answers: Mapping[str, Callable[[dict[str, Any]], Refused | Exception | None]]) -> Iterator[Counter[str]]:
    """Calls of smoke that fail before they are sent, by `service.Operation`; None: that one is sent. Counts them.

    The sandbox denies the command line nothing and is always there, so botocore's own hook says it in its place.
    """
    counts: Counter[str] = Counter()

    def register(client: Any) -> Any:
        for operation, answer in answers.items():

            def before(*, params: dict[str, Any], operation: str = operation, answer: Any = answer, **_: Any) -> Any:
                counts[operation] += 1
                given = answer(params)
                if isinstance(given, Exception):
                    raise given
                if given is None:
                    return None
                facts = {"HTTPStatusCode": given.status, "HTTPHeaders": {}}
                error = {"Code": given.code, "Message": given.message}
                return SimpleNamespace(status_code=given.status), {"Error": error, "ResponseMetadata": facts}

            client.meta.events.register(f"before-call.{operation}", before)
        return client

    def connected(**options: Any) -> Aws:
        aws = connect(**options)
        return replace(
            aws,
            cloudformation=register(aws.cloudformation),
            rds_data=register(aws.rds_data),
            client=lambda name: register(aws.client(name)),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "connect", connected)
        patch.setattr(run, "connect", connected)
        yield counts


@pytest.fixture(scope="session")
def account(mysqld_binary: Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    directory = tmp_path_factory.mktemp("smoke") / "state"
    running = lifecycle.up(mysqld=None, tell=lambda _: None, directory=directory)
    try:
        variables = lifecycle.environment(running)
        yield Account(running.endpoint, variables, running.mysqld_port, running.mysqld_socket)
    finally:
        lifecycle.down(directory=directory)


@pytest.fixture(scope="session")
def empty(account: Account) -> dict[str, Any]:
    """What is in the account while nobody has been there."""
    return account.contents()
