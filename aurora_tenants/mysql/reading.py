"""All that a server holds, as mysql/live.py reads it one statement after the other, with up to four statements at once.

the variables, and what there is of the schema of owners     one statement, which waits for the cluster
accounts, their owners | databases, … | grants | grants      four lanes; in each of them one statement after the other
the tables, columns and routines that are looked for         where there are any

Neither is one transaction: what is changed meanwhile is seen, or not. But in a lane what is read later is newer. An
account's entry in the tables of owners is recorded before the account is made, and a database's before the database;
accounts and databases are read before their owners, so that none is taken for nobody's because it is new.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from aurora_tenants.beside import begin
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import (
    SCHEMA_AND_FUNCTION,
    SCHEMATA,
    VARIABLES,
    Execute,
    Query,
    Row,
    databases_from,
    look_for,
    parts_of,
    queries_of_users,
    read_definers,
    read_owners,
    read_shares,
    rows_of,
    server_of,
    together,
    users_of,
)
from aurora_tenants.mysql.objects import NOTHING, Asked
from aurora_tenants.mysql.state import Live, Server, State

T = TypeVar("T")


def read(api: DataApi, looked_for: Callable[[Server], Asked] = lambda _: NOTHING) -> Live:
    """What a server holds. api: nothing was executed with it yet; what it tells is told once, whichever lane is first.

    looked_for: on such a server; called when everything else is read. Raises DatabaseError, and what `api` and
    `looked_for` raise: of several lanes the first one's.
    """
    api, waited = replace(api, woken=_once(api.woken), waiting=_once(api.waiting)), list[float]()
    first = replace(api, sleep=_all(api.sleep, waited.append))
    variables, (schema,) = together(first.execute, [VARIABLES, SCHEMA_AND_FUNCTION])
    has_owners, has_shares, can_look = parts_of(schema)
    accounts, others, on_databases, on_tables, on_columns = queries_of_users(has_owners=has_owners)

    api = replace(api, wait_seconds=max(api.wait_seconds - sum(waited), 0.0))
    lanes = _Lanes(api)
    users = lanes.begin(lambda execute: (_rows(execute, accounts), read_owners(execute, "users") if has_owners else {}))
    databases = lanes.begin(
        lambda execute: (
            _rows(execute, SCHEMATA),
            read_shares(execute) if has_shares else {},
            read_owners(execute, "databases") if has_owners else {},
        )
    )
    grants = lanes.begin(
        lambda execute: (
            _rows(execute, on_databases),
            _rows(execute, others),
            read_definers(execute, has_owners=has_owners),
        )
    )
    more = lanes.begin(lambda execute: (_rows(execute, on_tables), _rows(execute, on_columns)))
    lanes.end()

    (rows_of_accounts, owners), (schemata, shares, of_databases) = users.result(), databases.result()
    rows_of_databases, rows_of_others, definers = grants.result()
    found = (rows_of_accounts, rows_of_others, rows_of_databases, *more.result())
    server = server_of(variables)
    state = State(databases_from(schemata, of_databases, shares), *users_of(found, owners), definers)
    return Live(server, look_for(api.execute, looked_for(server), state, can_look=can_look))


class _Abandoned(Exception):
    """Another lane has failed, and nobody waits for this one."""


class _Lanes:
    """Logins to one cluster, each of which waits for it by itself. Once one has failed, no other begins anything."""

    def __init__(self, api: DataApi) -> None:
        self._api, self._failed = api, threading.Event()
        self._lanes: list[Future[Any]] = []

    def begin(self, read: Callable[[Execute], T]) -> Future[T]:
        """What this reads, in a lane of its own."""
        api = replace(self._api, sleep=_all(self._go_on, self._api.sleep))

        def execute(statement: str) -> Sequence[Row]:
            self._go_on()
            return api.execute(statement)

        def call() -> T:
            try:
                return read(execute)
            except BaseException:
                self._failed.set()
                raise

        self._lanes.append(begin(call))
        return self._lanes[-1]

    def end(self) -> None:
        """Waits for all of them. Raises what the first of those that failed has raised."""
        for lane in self._lanes:
            error = lane.exception()
            if error and not isinstance(error, _Abandoned):
                raise error

    def _go_on(self, *_: object) -> None:
        if self._failed.is_set():
            raise _Abandoned


def _once(tell: Callable[..., None]) -> Callable[..., None]:
    """The same function, which does something the first time alone, in whatever thread that is."""
    left = [tell]

    def told(*arguments: object) -> None:
        try:
            first = left.pop()  # which only one thread can
        except IndexError:
            return
        first(*arguments)

    return told


def _all(*calls: Callable[[float], object]) -> Callable[[float], None]:
    """Calls each of these in order."""

    def call(seconds: float) -> None:
        for each in calls:
            each(seconds)

    return call


def _rows(execute: Execute, query: Query) -> list[Row]:
    return [*rows_of(execute, query)]
