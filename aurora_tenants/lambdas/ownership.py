"""How a resource uses the tables of owners: looks, creates them, takes things over, and recognizes its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.accounts import FUNCTION, create_function, create_views, show_definers
from aurora_tenants.mysql.dataapi import LOST
from aurora_tenants.mysql.live import (
    SCHEMA,
    VARIABLES,
    Execute,
    Query,
    Row,
    function_exists,
    is_complete,
    server_of,
    together,
)
from aurora_tenants.mysql.objects import OBJECTS, create_objects
from aurora_tenants.mysql.owners import Kind, Owner, claim, create_owners, forget_owner, record_owner
from aurora_tenants.mysql.sessions import CONNECTIONS, create_sessions
from aurora_tenants.mysql.state import Server

# A database exists (1007), a user exists or does not (1396, 1410), an entry exists (1062), a grant is gone (1141, 1147,
# 1403), a role is gone (3523) or not granted (3530): another event was faster, perhaps this one, sent twice. Then
# everything is read again, a few times.
NOT_THERE = (1141, 1147, 1403)
DONE_MEANWHILE = (1007, 1396, 1410, 1062, *NOT_THERE, 3523, 3530)
_ATTEMPTS = 3
# A statement whose answer was lost has run or not; reading again tells. More than so many are no accident any more.
_LOST_ANSWERS = 8
_FIRST_PAUSE_SECONDS = 0.1
T = TypeVar("T")


class Tries:
    """How often something may be begun again from what MySQL holds by then, after an error that may have changed it."""

    def __init__(self) -> None:
        self._left = {True: _LOST_ANSWERS, False: _ATTEMPTS}
        self._pause = _FIRST_PAUSE_SECONDS

    def allow(self, error: DatabaseError) -> bool:
        """Counts an error, and lets some time pass after an answer that was lost.

        An error of MySQL's without a number may be any, also one that another event caused.
        """
        is_lost = error.code == LOST
        may_help = is_lost or (error.number in DONE_MEANWHILE if error.number else error.is_of_mysql)
        self._left[is_lost] -= 1
        if not (may_help and self._left[is_lost] > 0):
            return False
        if is_lost:
            time.sleep(self._pause)
            self._pause *= 2
        return True


def until_heard(act: Callable[[], T]) -> T:
    """Begins again whenever an answer was lost. act: reads what there is before it changes anything."""
    tries = Tries()
    while True:
        try:
            return act()
        except DatabaseError as error:
            if error.code != LOST or not tries.allow(error):
                raise


class Seen(NamedTuple):
    """What one statement has shown: the master user's name, the server, and the rows of each query beside these."""

    master: str
    server: Server
    found: list[list[Row]]


def look(execute: Execute, *queries: Query) -> Seen:
    """Reads all of this at once. Creates the tables of owners and the views beside them, unless they exist.

    Without them, or with views of an older provider, the statement fails: so nobody looks for them before.
    """
    asked = (SCHEMA, VARIABLES, *queries)
    found: list[list[Row]] = []
    try:
        found = together(execute, asked)
    except DatabaseError as error:
        if not error.is_of_mysql:
            raise
    if not found or not is_complete(*found[0]):
        for statement in create_owners():
            until_heard(partial(execute, statement))  # each is safe to run again
        make_views(execute)
        found = together(execute, asked)
    schema, variables, *rest = found
    return Seen(str(schema[0][0]), server_of(variables), rest)


def make_views(execute: Execute) -> None:
    """Creates the views of MySQL's own tables, or replaces them: a new provider may bring new ones."""
    until_heard(partial(_make_views, execute))


def _make_views(execute: Execute) -> None:
    for statement in create_views():
        execute(statement)
    creates = {FUNCTION: create_function(), OBJECTS: create_objects(), CONNECTIONS: create_sessions()}
    for name, statement in creates.items():
        if not function_exists(execute, name):
            try:
                execute(statement)
            except DatabaseError as error:
                # Without it the inspector sees less, and everything else works.
                if not error.is_of_mysql:
                    raise
    if function_exists(execute):
        execute(show_definers())


def take(what: str, known: Owner | None, owner: Owner, *, adopt: bool, exists: bool, moved_from: str = "") -> Owner:
    """The owner to record, once `owner` takes something that may not exist yet, or not any more.

    known: its owner now, None for nobody. Raises ValueError when this resource may not have it.
    """
    if not exists and known is None:
        return owner
    taken = claim(what, known, owner, adopt=adopt or not exists, moved_from=moved_from)
    return taken._replace(adopted=taken.adopted and exists, stack_id=owner.stack_id)


def put_back(execute: Execute, kind: Kind, name: str, before: Owner | None) -> None:
    execute(record_owner(kind, name, before) if before else forget_owner(kind, name))


def is_mine(owner: Owner, mine: Owner) -> bool:
    """Whether this very stack owns it: a Delete may arrive late, when there is a new stack of the same name."""
    return owner.identity == mine.identity and not owner.released and owner.is_of(mine)
