"""A sandbox with the shared stack in it, as the command line meets an AWS account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aurora_sandbox import lifecycle
from aurora_tenants.aws.preparation import NewCluster
from aurora_tenants.aws.rollout import deploy
from aurora_tenants.mysql.live import Row
from aurora_tenants.mysql.names import Account, identifier
from tests.endpoint import Endpoint, environment, until

SHARED = "shared-global"
CLUSTER = f"{SHARED}-cluster"
PROVIDER = f"{SHARED}-database-provider"
ROTATION = f"{SHARED}-database-secret-rotation"
# With these, users without a limit have one, and all together have connections: no plan needs a notice of it.
LIMITS = ("SET GLOBAL max_connections = 100000", "SET GLOBAL max_user_connections = 100")


@dataclass(slots=True)
class Cloud(Endpoint):
    """What tests do from outside of the command line. Databases and users that are there at first are never removed."""

    databases: frozenset[str] = frozenset()
    accounts: frozenset[Row] = frozenset()

    def stacks(self) -> dict[str, str]:
        """The status of every stack but the shared one and its cluster's."""
        return {name: status for name, status in Endpoint.stacks(self).items() if name not in (SHARED, CLUSTER)}

    def clean(self) -> None:
        """Only the shared stack and what came with it is there afterwards, and no fault is on."""
        self.clear()
        cloudformation = self.client("cloudformation")
        while stacks := self.stacks():
            for name in stacks:
                self.settled(name)
                cloudformation.delete_stack(StackName=name)
            for name in stacks:
                self.settled(name)
        for (name,) in self.sql("SHOW DATABASES"):
            if name not in self.databases:
                self.sql(f"DROP DATABASE {identifier(str(name))}")
        for account in self.sql("SELECT User, Host FROM mysql.user"):
            if account not in self.accounts:
                self.sql(f"DROP USER {Account(*map(str, account))}")
        self.sql(
            "DELETE FROM aurora_tenants.`databases`", "DELETE FROM aurora_tenants.users WHERE stack <> 'shared-global'"
        )


@contextmanager
def empty(directory: Path, *, partial_revokes: bool = True, region: str | None = None) -> Iterator[Cloud]:
    """A new sandbox with nothing in it; its state is in this directory.

    It has a process of its own: what moto holds belongs to a process.
    """
    state = directory / "aurora-tenants" / "sandbox"
    running = lifecycle.up(
        mysqld=None, partial_revokes=partial_revokes, tell=lambda _: None, directory=state, region=region
    )
    variables = lifecycle.environment(running) | {"XDG_STATE_HOME": str(directory)}
    try:
        yield Cloud(running.endpoint, variables, running.mysqld_port, running.mysqld_socket)
    finally:
        lifecycle.down(directory=state)


@contextmanager
def deployed(
    directory: Path, *, partial_revokes: bool = True, at_first: Callable[[Cloud], None] = lambda _: None
) -> Iterator[Cloud]:
    """A new sandbox with the shared stack and a new cluster, deployed as `shared deploy` does it.

    Nothing is under way in it any more, so that a test may count the calls that it causes. at_first: is done before
    there is a shared stack.
    """
    with empty(directory, partial_revokes=partial_revokes) as cloud:
        at_first(cloud)
        with environment(cloud.environment):
            deploy(region=None, profile=None, stack=SHARED, parameters={}, chosen=NewCluster())
        # Secrets Manager goes on to try the inspector's rotation, which ends by the removal of a secret made for that.
        until(lambda: cloud.calls()["secretsmanager:DeleteSecret"])
        cloud.databases = frozenset(str(name) for (name,) in cloud.sql("SHOW DATABASES"))
        cloud.accounts = frozenset(cloud.sql("SELECT User, Host FROM mysql.user"))
        cloud.sql(*LIMITS)
        yield cloud
