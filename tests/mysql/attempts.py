"""Tries on a real server what an account can get into: real logins, every choice of roles, several statements.

The judge of the computed access; it shares no code with it.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from functools import cache
from itertools import product
from typing import Any

import pymysql

from aurora_sandbox.mysqld import Server
from aurora_tenants.mysql.names import Account

# Each needs one privilege alone and changes nothing. Every database that is tried holds t, p and f (see `fill`).
STATEMENTS = {
    "SELECT": "SELECT a FROM {}.t",
    "INSERT": "INSERT INTO {}.t (a) SELECT 1 FROM DUAL WHERE FALSE",
    "UPDATE": "UPDATE {}.t SET a = 1 WHERE FALSE",
    "DELETE": "DELETE FROM {}.t WHERE FALSE",
    "CREATE": "CREATE TABLE IF NOT EXISTS {}.t (a INT)",
    "EXECUTE p": "CALL {}.p()",
    "EXECUTE f": "SELECT {}.f()",
}
# Access denied to a database, a table, a column, a routine; it says nothing else to who may not know.
DENIED = (1044, 1142, 1143, 1370)
# No account of this user name for this client; of no user name.
NO_LOGIN = (1045, 1130)
NOBODY = "nobody in particular"


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def fill(execute: Any, database: str) -> None:
    """Makes a database with something to try in it."""
    name = quoted(database)
    execute(f"CREATE DATABASE {name}")
    execute(f"CREATE TABLE {name}.t (a INT, b INT)")
    execute(f"CREATE PROCEDURE {name}.p() SELECT 1")
    execute(f"CREATE FUNCTION {name}.f() RETURNS INT DETERMINISTIC RETURN 1")


def login(server: Server, account: Account, client: str) -> pymysql.Connection[Any] | None:
    """A connection from this address of the machine, without a password; None if MySQL takes it for another account."""
    try:
        connection = pymysql.connect(
            host="127.0.0.1",
            port=server.port,
            user=account.user or NOBODY,
            bind_address=client,
            autocommit=True,
            ssl_disabled=True,
        )
    except pymysql.MySQLError as error:
        if error.args[0] not in NO_LOGIN:
            raise
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        if cursor.fetchall() == ((f"{account.user}@{account.host}",),):
            return connection
    connection.close()
    return None


@cache
def has_address(client: str) -> bool:
    """Whether this machine can connect from that address: all of 127.0.0.0/8 on Linux, the first alone on macOS."""
    with closing(socket.socket()) as probe:
        try:
            probe.bind((client, 0))
        except OSError:
            return False
    return True


def attempt(
    server: Server, account: Account, databases: Collection[str], roles: Iterable[Account], clients: Sequence[str]
) -> dict[str, set[str]]:
    """What the account can do, by database, in one session or another; nothing for a database it cannot get into.

    clients: addresses to come from; only sessions that MySQL takes for this very account count.
    Raises AssertionError when there is none.
    """
    single = [f"{quoted(role.user)}@{quoted(role.host)}" for role in roles]
    choices = ["NONE", "DEFAULT", "ALL", *single] if single else ["NONE"]
    done: dict[str, set[str]] = {}
    tried = False
    for client, some in product(clients, told_apart(databases)):
        connection = login(server, account, client)
        if connection is None:
            continue
        tried = True
        with connection, connection.cursor() as cursor:
            for choice in choices:
                cursor.execute(f"SET ROLE {choice}")
                for database in some:
                    for what, statement in STATEMENTS.items():
                        if what not in done.get(database, ()) and succeeds(cursor, statement.format(quoted(database))):
                            done.setdefault(database, set()).add(what)
    assert tried, f"no client is taken for {account}"
    return done


def told_apart(databases: Iterable[str]) -> list[list[str]]:
    """The databases in as many lists as needed so that no two in a list differ by case alone.

    A session that has called `Shop`.f() finds that function again when it calls `shop`.f() (MySQL 9.7).
    """
    lists: list[dict[str, str]] = []
    for name in databases:
        free = next((one for one in lists if name.lower() not in one), None)
        if free is None:
            lists.append(free := {})
        free[name.lower()] = name
    return [list(one.values()) for one in lists]


def succeeds(cursor: Any, statement: str) -> bool:
    """Whether a statement is allowed. Raises pymysql.MySQLError for any other trouble."""
    try:
        cursor.execute(statement)
        cursor.fetchall()
    except pymysql.MySQLError as error:
        if error.args[0] not in DENIED:
            raise
        return False
    return True
