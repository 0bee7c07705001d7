"""Who is connected now, and how often each user has logged in since the server's start.

Only PROCESS shows other people's connections, and with them their statements. So a function of the shared stack looks,
as its definer, and the inspector alone may execute it: it tells whose they are and nothing else.

    SELECT aurora_tenants.connections_1()      [["shop", "shop"], [["shop", 12], ["billing", 4]]]

MySQL writes down no time of a login. performance_schema counts logins from the server's start, so from zero when a
cluster has woken. Where it is off, nobody counts them. Both numbers are of the one instance that is asked, the writer.

Sources: "The INFORMATION_SCHEMA PROCESSLIST Table", "Performance Schema Connection Tables", MySQL Reference Manual.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.live import Execute, Row, select
from aurora_tenants.mysql.owners import OWNERS, defined

CONNECTIONS = "connections_1"


class Counted(NamedTuple):
    """Of one user, at whatever host. connections: now. logins: since the server's start, those that are over too."""

    connections: int
    logins: int


class Sessions(NamedTuple):
    """connections: of all users together, now. uptime_seconds: since the server's start.

    counts_logins: whether performance_schema is on. by_user: of those with a connection or a login; None where the
    inspector may not see it, as on a shared stack from before.
    """

    connections: int
    uptime_seconds: int
    counts_logins: bool
    by_user: Mapping[str, Counted] | None

    def of(self, user: str) -> Counted | None:
        """None where it is not known. logins: 0 where nobody counts them."""
        return None if self.by_user is None else self.by_user.get(user, Counted(0, 0))


def create_sessions() -> str:
    """The statement that creates the function, which must not be there yet (1304). See accounts.create_function.

    The connection that asks is counted as its definer's.
    """
    return defined(
        CONNECTIONS,
        "JSON_ARRAY((SELECT JSON_ARRAYAGG(USER) FROM information_schema.PROCESSLIST),"
        " (SELECT JSON_ARRAYAGG(JSON_ARRAY(USER, TOTAL_CONNECTIONS)) FROM performance_schema.users))",
    )


def read_sessions(execute: Execute) -> Sessions:
    """In one statement, or in two where the function is not there or may not be executed. Raises DatabaseError."""
    try:
        return _sessions(execute(_asked(f"{OWNERS}.{CONNECTIONS}()"))[0])
    except DatabaseError as error:
        if not error.is_of_mysql:
            raise
    return _sessions(execute(_asked("NULL"))[0])._replace(by_user=None)


def _asked(counted: str) -> str:
    def value(name: str, of: str) -> str:
        return f"(SELECT VARIABLE_VALUE FROM performance_schema.global_{of} WHERE VARIABLE_NAME = '{name}')"

    # For both tables nothing has to be granted, and they are there with performance_schema = OFF.
    columns = (
        value("Threads_connected", "status"),
        value("Uptime", "status"),
        value("performance_schema", "variables"),
    )
    return select((*columns, counted), "FROM DUAL")


def _sessions(row: Row) -> Sessions:
    connected, uptime, is_on, counted = row
    users, logins = json.loads(str(counted or "[[], []]"))
    now, since = Counter(users or ()), dict(logins or ())
    by_user = {name: Counted(now[name], int(since.get(name, 0))) for name in now.keys() | since.keys()}
    return Sessions(int(connected or 0), int(uptime or 0), is_on == "ON", by_user)
