"""Resources of stacks that the provider serves in a test's own process, where what it asks of MySQL can be seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas import provider
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.mysql.dataapi import LOST, DataApi
from aurora_tenants.mysql.live import Execute, Row
from tests.lambdas.world import PREFIX, World, fresh
from tests.mysql_server import hashes

IS_READ = ("SELECT ", "SHOW ")


class Losing:
    """Loses the answer to one of the statements that change something, or from that one on to every one.

    statements: those that there were so far.
    """

    def __init__(self, execute: Execute, lost: int, *, ran: bool, for_good: bool = False) -> None:
        self._execute, self._lost, self._ran, self._for_good = execute, lost, ran, for_good
        self.statements: list[str] = []

    def __call__(self, statement: str) -> list[Row]:
        if statement.startswith(IS_READ):
            return list(self._execute(statement))
        self.statements.append(statement)
        number = len(self.statements)
        is_lost = 0 < self._lost <= number if self._for_good else number == self._lost
        rows = list(self._execute(statement)) if self._ran or not is_lost else []
        if is_lost:
            raise DatabaseError(Problem("answer-lost", "the answer was lost"), code=LOST)
        return rows


class Stack:
    """One resource of a stack, served in this process as the sandbox's master."""

    def __init__(
        self,
        world: World,
        master: DataApi,
        kind: str,
        secret: Secret | None = None,
        *,
        execute: Execute | None = None,
        name: str = "",
    ) -> None:
        self.world, self._master, self._kind, self.secret = world, master, kind, secret
        self._execute = execute or master.execute
        self._name, self._id = name or fresh("stack"), ""
        self._properties: Mapping[str, Any] = {}
        self.logical_id = "App"

    def serve(self, event: str, lost: int = 0, *, ran: bool = True, for_good: bool = False, **properties: Any) -> int:
        """How many statements of this event change something. lost: the first whose answer is lost, 0 for none."""
        losing = Losing(self._execute, lost, ran=ran, for_good=for_good)
        request = Request(
            {
                "RequestType": event,
                "ResourceType": self._kind,
                "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{self._name}/1",
                "LogicalResourceId": self.logical_id,
                "ResourceProperties": properties,
                **({"PhysicalResourceId": self._id, "OldResourceProperties": self._properties} if self._id else {}),
            },
            losing,
            lambda arn: DataApi(self._master.client, self._master.cluster_arn, arn).execute,
            lambda _: self.secret or Secret("", "", "", {}),
            self._master.cluster_arn,
            math.inf,
        )
        self.world.consent(self._name, {"App": {"Properties": properties}})
        self._id = provider._serve(request, self._id).physical_id
        self._properties = properties
        return len(losing.statements)


def user_of(world: World, name: str = "") -> Secret:
    name = name or fresh("app")
    return Secret(world.secret(name), f"{PREFIX}{name}", name, hashes("hush-0"))
