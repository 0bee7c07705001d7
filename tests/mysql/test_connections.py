"""How MySQL counts connections: each account by itself, and the server's own limit for those without one.

And what PROCESS shows of others.
"""

from __future__ import annotations

from contextlib import ExitStack

import pymysql
import pytest

from aurora_sandbox.mysqld import Server
from tests.mysql_variables import variables

PASSWORD = "Only-for-this-test-1"


def test_each_account_of_a_user_has_the_limit_for_itself(server: Server):
    hosts = ("localhost", "127.0.0.1")
    with server.connect() as root, root.cursor() as cursor, ExitStack() as ends:
        for host in hosts:
            cursor.execute(
                f"CREATE USER counted@'{host}' IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'"
                " WITH MAX_USER_CONNECTIONS 1"
            )
            ends.callback(cursor.execute, f"DROP USER counted@'{host}'")
        ways = ({"unix_socket": str(server.socket)}, {"host": server.host, "port": server.port})
        opened = [ends.enter_context(pymysql.connect(user="counted", password=PASSWORD, **way)) for way in ways]  # type: ignore[call-overload]
        assert len(opened) == 2
        for way in ways:
            with pytest.raises(pymysql.MySQLError) as caught:
                pymysql.connect(user="counted", password=PASSWORD, **way)  # type: ignore[call-overload]
            assert caught.value.args[0] == 1226


def test_the_servers_limit_is_that_of_an_account_without_one(server: Server):
    with server.connect() as root, root.cursor() as cursor:
        cursor.execute("CREATE USER uncounted IDENTIFIED BY ''")
        try:
            with variables(server, max_user_connections=1), server.connect("uncounted"):
                with pytest.raises(pymysql.MySQLError) as caught:
                    server.connect("uncounted")
                assert caught.value.args[0] in (1203, 1226)
        finally:
            cursor.execute("DROP USER uncounted")


def test_process_shows_the_values_in_others_statements(server: Server):
    with server.connect() as root, root.cursor() as cursor:
        cursor.execute("CREATE USER watcher IDENTIFIED BY ''")
        try:
            statement = "SELECT INFO FROM information_schema.PROCESSLIST WHERE USER = 'root' AND INFO LIKE '%told%'"
            with server.connect("watcher") as before, before.cursor() as seen:
                seen.execute("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'root'")
                assert seen.fetchall() == ((0,),)
            cursor.execute("GRANT PROCESS ON *.* TO watcher")
            with server.connect() as other, server.connect("watcher") as watching, watching.cursor() as seen:
                other._execute_command(3, "SELECT 'told', SLEEP(0.5)")  # sends it and does not wait for the answer
                rows: tuple[tuple[str, ...], ...] = ()
                for _ in range(10_000):
                    seen.execute(statement)
                    if rows := seen.fetchall():
                        break
                assert rows == (("SELECT 'told', SLEEP(0.5)",),)
                other._read_query_result()
        finally:
            cursor.execute("DROP USER watcher")
