"""A real server behind the one function that reading and changing MySQL takes: a statement in, rows out."""

from __future__ import annotations

from aurora_tenants.mysql.live import Execute, Row
from aurora_tenants.sandbox.mysqld import Server


def execute_as(server: Server, user: str = "root", password: str = "") -> Execute:
    """Runs statements as a user, on a connection of its own, straight on the server."""
    connection = server.connect(user, password)

    def execute(statement: str) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    return execute
