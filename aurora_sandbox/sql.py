"""One statement on a running sandbox's MySQL, as root or as a user who has a secret: `aurora-tenants sandbox sql`.

Goes straight to the server, past the Data API, so it works while the cluster is "paused".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from aurora_sandbox.clients import Clients
from aurora_sandbox.errors import Problem, SandboxError
from aurora_sandbox.state import Running

Cell = int | float | str | None


@dataclass(frozen=True, slots=True)
class Table:
    """What a statement gave; both are empty for one without a result.

    A cell is a number or text, None for NULL: times and decimals as MySQL writes them, bytes that are no text as 0x….
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def sql(running: Running, statement: str, *, user: str | None = None) -> Table:
    """The statement's result, as root, or as `user` with the password from the secret …/database/<user>.

    Raises SandboxError if there is no such secret, or more than one, and if MySQL refuses the login or the statement.
    """
    import pymysql  # part of the extra: without it there is no running sandbox to pass here
    from pymysql.converters import decoders

    from aurora_sandbox.mysqld import as_root

    numbers: dict[Any, Any] = {kind: decoder for kind, decoder in decoders.items() if decoder in (int, float)}
    name = user or "root"
    try:
        login = as_root(running.mysqld_socket) if user is None else _login(running, user)
        connection = pymysql.connect(**login, charset="utf8mb4", autocommit=True, conv=numbers)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows = tuple(tuple(_cell(value) for value in row) for row in cursor.fetchall())
            return Table(tuple(column[0] for column in cursor.description or ()), rows)
    except pymysql.MySQLError as error:
        message = " ".join(str(part) for part in error.args[1:])
        raise _problem("statement-failed", f"MySQL refused it, as {name}: {message} ({error.args[0]})") from error


def _cell(value: Any) -> Cell:
    if not isinstance(value, bytes):
        return cast(Cell, value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return text if all(character.isprintable() or character in "\t\n\r" for character in text) else f"0x{value.hex()}"


def _login(running: Running, user: str) -> dict[str, Any]:
    """What pymysql.connect needs to be this user, over TCP."""
    secrets = Clients(running.endpoint, region=running.region, key=running.key)("secretsmanager")
    suffix = f"/database/{user}"
    pages = secrets.get_paginator("list_secrets").paginate()
    names = sorted(s["Name"] for page in pages for s in page["SecretList"] if s["Name"].endswith(suffix))
    if not names:
        raise _problem(
            "no-such-user",
            f"no secret of the sandbox ends in {suffix}",
            fix="run: aurora-tenants sandbox sql -e 'SELECT User FROM mysql.user'",
        )
    if len(names) > 1:
        raise _problem("several-users", f"several secrets end in {suffix}: {', '.join(names)}")
    secret = json.loads(secrets.get_secret_value(SecretId=names[0])["SecretString"])
    return {
        "host": "127.0.0.1",
        "port": running.mysqld_port,
        "user": secret["username"],
        "password": secret["password"],
        "ssl": {"verify_mode": "none"},  # a user may have REQUIRE SSL
    }


def _problem(code: str, what: str, *, fix: str = "") -> SandboxError:
    return SandboxError(Problem(code=code, what=what, fix=fix))
