"""Puts the product into the account as a person would: the shared stack, then tenants from a tenants.yaml.

deploy(world)                  the shared stack; meanwhile a thread looks when the Data API answers first
tenants(world)                 Ended(0, …), once: apply of two tenants
apply(world, TENANTS…)         writes another file and applies it
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aurora_tenants.aws.clients import connect
from tools.smoke.clock import Clock
from tools.smoke.probe import NotRun
from tools.smoke.world import Ended, World, refusal

# Nothing of it may stay, so nothing may protect it.
PARAMETERS = {"DeletionProtection": "false", "BackupRetentionPeriod": "1"}
MAX_ACU = 2  # the template's default
USER, TLS_USER, CHANGING_USER = "smoke-a", "smoke-a-tls", "smoke-a-changing"

_TENANTS = """\
version: 1
cluster: {{stack: {name}, region: {region}}}
tenants:
  smoke-a:
    databases: {{smoke-a: {{}}}}
    roles:
      smoke-a-reader: {{privileges: [{{permission: SELECT, database: smoke-a}}]}}
    users:
      smoke-a: {{privileges: [{{permission: ALL, database: smoke-a}}]}}
      smoke-a-tls: {{require: SSL, roles: [smoke-a-reader]}}
      smoke-a-changing: {{{auth}privileges: [{{permission: SELECT, database: smoke-a}}{server}]}}
  smoke-b:
    databases: {{smoke-b: {{}}}}
    users:
      smoke-b: {{comment: "{comment}", privileges: [{{permission: ALL, database: smoke-b}}]}}
"""


def deploy(world: World) -> Ended:
    """`shared deploy`, with its progress in the answer."""
    parameters = " ".join(f"--parameter {name}={value}" for name, value in PARAMETERS.items())
    return world.run(f"shared deploy --yes --stack {world.name} --new-stack --new-cluster {parameters}")


def write_file(world: World, *, auth: str = "", server: str = "", comment: str = "first") -> None:
    """tenants.yaml. auth, server: more of user smoke-a-changing; comment: of user smoke-b."""
    values = {"name": world.name, "region": world.region, "auth": auth, "server": server, "comment": comment}
    world.file.write_text(_TENANTS.format(**values))


def apply(world: World, options: str = "", **changes: str) -> Ended:
    """`apply` of the file with these changes, after the tenants themselves."""
    need_tenants(world)
    write_file(world, **changes)
    return world.run(f"apply --yes {options}")


def tenants(world: World) -> Ended:
    """The first `apply`, once."""

    def first() -> Ended:
        world.outputs()
        write_file(world)
        return world.run("apply --yes")

    return world.once("tenants", first)


def need_tenants(world: World) -> None:
    """Raises NotRun if there are none to work with."""
    if (ended := tenants(world)).code:
        last = (ended.err.strip().splitlines() or ["without a word"])[0]
        raise NotRun(f"the tenants could not be deployed: {last}")


def user_secret(world: World, user: str) -> str:
    """The name of a tenant's user's secret."""
    return f"/{world.name}/database/{user}"


@dataclass(slots=True)
class Watch:
    """Looks, while the shared stack is being made, when the Data API answers first, and how until then.

    early: each answer before the first rows, with how often it came. instance_at, select_at: by the clock, seconds.
    """

    name: str
    region: str
    profile: str | None
    clock: Clock
    early: dict[tuple[str, str], int] = field(default_factory=dict)
    instance_at: float | None = None
    select_at: float | None = None
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._look, name="first select", daemon=True)
        self._thread.start()

    def wait(self, *, seconds: float = 30) -> None:
        """Until the first rows, or so many seconds of real time."""
        if self._thread:
            self._thread.join(seconds)

    def stop(self) -> None:
        """Ends it; afterwards its fields are what it saw."""
        self._end.set()
        if self._thread:
            self._thread.join(30)

    def _look(self) -> None:
        aws = connect(region=self.region, profile=self.profile)
        rds = aws.client("rds")
        while not self._end.is_set() and None in (self.select_at, self.instance_at):
            try:
                self._once(rds, aws.rds_data)
            except ClientError as error:
                self._count(refusal(error))
            except BotoCoreError as error:
                self._count({"code": type(error).__name__, "message": str(error)})
            self.clock.pause(2)

    def _once(self, rds: Any, rds_data: Any) -> None:
        clusters = _all(rds, "describe_db_clusters", "DBClusters")
        cluster = next((it for it in clusters if _is_of(self.name, it)), None)
        if cluster is None or "MasterUserSecret" not in cluster:
            return
        if self.instance_at is None:
            only = [{"Name": "db-cluster-id", "Values": [cluster["DBClusterIdentifier"]]}]
            instances = _all(rds, "describe_db_instances", "DBInstances", Filters=only)
            if any(it["DBInstanceStatus"] == "available" for it in instances):
                self.instance_at = self.clock.seconds()
        if self.select_at is None:
            secret = cluster["MasterUserSecret"]["SecretArn"]
            rds_data.execute_statement(resourceArn=cluster["DBClusterArn"], secretArn=secret, sql="SELECT 1")
            self.select_at = self.clock.seconds()

    def _count(self, said: dict[str, str]) -> None:
        key = (said["code"], said["message"])
        self.early[key] = self.early.get(key, 0) + 1


def _all(client: Any, operation: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
    """What all pages of a list hold: an account may have more than fit on one."""
    return [it for page in client.get_paginator(operation).paginate(**parameters) for it in page[key]]


def _is_of(name: str, cluster: dict[str, Any]) -> bool:
    """CloudFormation puts the stack's name before what it generates."""
    return str(cluster["DBClusterIdentifier"]).startswith(f"{name}-")
