"""The least that a plan can cost: the same file compared with the same server, by nothing that could be left out.

    MYSQL_PWD=… .venv/bin/python bench/lean.py tenants.yaml SOCKET [SECONDS]

It is a process of its own, so that start-up counts. The file is read from the events of ruamel's C parser and believed
as it is; MySQL is asked nine statements over one connection, as root; both become sets, whose differences it prints.
The garbage collector is off, and the process ends without taking itself apart. It leaves out what makes a plan one: the
check of the file, CloudFormation, secrets, owners, options of accounts, isolation, reasons. SECONDS: to wait at the
login and at each statement, as for the way to AWS.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":
    gc.disable()
    # PyMySQL loads it for logins over TCP, which takes as long as all else here together.
    sys.modules["cryptography"] = None  # type: ignore[assignment]

import pymysql
from ruamel.yaml import events
from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]

Grant = tuple[str, str, str]  # user, `database[.table[.column]]`, privilege

_FLAGS = {
    **{f"{name}_priv": name.upper() for name in ("Select", "Insert", "Update", "Delete", "Create", "Drop")},
    **{f"{name}_priv": name.upper() for name in ("References", "Index", "Alter", "Execute", "Event", "Trigger")},
    "Create_tmp_table_priv": "CREATE TEMPORARY TABLES",
    "Lock_tables_priv": "LOCK TABLES",
    "Create_view_priv": "CREATE VIEW",
    "Show_view_priv": "SHOW VIEW",
    "Create_routine_priv": "CREATE ROUTINE",
    "Alter_routine_priv": "ALTER ROUTINE",
}
_ALL = tuple(_FLAGS.values())
STATEMENTS = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'partial_revokes')",
    "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA",
    "SELECT User, Host, plugin, account_locked FROM mysql.user",
    f"SELECT User, Db, {', '.join(_FLAGS)} FROM mysql.db",
    "SELECT User, Db, Table_name, Table_priv FROM mysql.tables_priv WHERE Table_priv <> ''",
    "SELECT User, Db, Table_name, Column_name, Column_priv FROM mysql.columns_priv",
    "SELECT User, Db, Routine_name, Proc_priv FROM mysql.procs_priv",
    "SELECT TO_USER, FROM_USER FROM mysql.role_edges",
    "SELECT USER, PRIV FROM mysql.global_grants",
)


def main(file: str, socket: str, seconds: float) -> None:
    databases, users, grants = desired(file)
    live_databases, live_users, live_grants = live(socket, seconds)
    ours = {grant for grant in live_grants if grant[0] in users}
    found = [*databases - live_databases, *users - live_users, *grants - ours, *ours - grants]
    print(*sorted(map(str, found)) or ["nothing to do"], sep="\n", flush=True)
    os._exit(2 if found else 0)


def desired(file: str) -> tuple[set[str], set[str], set[Grant]]:
    """What the file asks for: names of databases, of users, and grants."""
    with open(file) as stream:  # noqa: PTH123 - a module less
        next_event = CParser(stream.read()).get_event
    next_event(), next_event()  # the stream begins, and the document
    tenants = value(next_event, next_event())["tenants"].values()
    databases: set[str] = set()
    users: set[str] = set()
    grants: set[Grant] = set()
    for tenant in tenants:
        databases.update(tenant["databases"])
        for user, about in tenant["users"].items():
            users.add(user)
            for entry in about["privileges"]:
                asked = entry["permission"]
                privileges = _ALL if asked == "ALL" else (asked,) if isinstance(asked, str) else asked
                place = ".".join((entry["database"], entry["table"])) if "table" in entry else entry["database"]
                places = [f"{place}.{column}" for column in entry["columns"]] if "columns" in entry else [place]
                grants.update((user, place, privilege) for place in places for privilege in privileges)
    return databases, users, grants


def value(next_event: Callable[[], Any], event: Any) -> Any:
    """What begins with an event: a text, a mapping or a list."""
    kind = type(event)
    if kind is events.ScalarEvent:
        return event.value
    if kind is events.MappingStartEvent:
        found = {}
        while type(key := next_event()) is not events.MappingEndEvent:
            found[key.value] = value(next_event, next_event())
        return found
    items = []
    while type(item := next_event()) is not events.SequenceEndEvent:
        items.append(value(next_event, item))
    return items


class Connection(pymysql.Connection):
    """Asks each statement so many seconds late."""

    seconds = 0.0

    def rows(self, statement: str) -> tuple[tuple[str, ...], ...]:
        time.sleep(self.seconds)
        with self.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


def live(socket: str, seconds: float) -> tuple[set[str], set[str], set[Grant]]:
    """What the server holds: names of databases, of users, and grants."""
    time.sleep(seconds)
    connection = Connection(
        unix_socket=socket, user="root", password=os.environ["MYSQL_PWD"], ssl_disabled=True, autocommit=None
    )
    connection.seconds = seconds
    _, schemata, accounts, of_databases, *below, routines, roles, dynamic = map(connection.rows, STATEMENTS)
    grants = {
        (user, db.replace("\\", ""), privilege)
        for user, db, *flags in of_databases
        for privilege, flag in zip(_ALL, flags, strict=True)
        if flag == "Y"
    }
    for user, *place, privileges in (*below[0], *below[1], *routines):
        grants.update((user, ".".join(place), name.upper()) for name in privileges.split(","))
    grants.update((user, "", name) for user, name in (*roles, *dynamic))
    return {name for (name,) in schemata}, {row[0] for row in accounts}, grants


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
