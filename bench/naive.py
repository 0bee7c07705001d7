"""A plan as it is written first: the same file compared with the same server, without a thought of what it costs.

    MYSQL_PWD=… .venv/bin/python bench/naive.py tenants.yaml SOCKET

Everything is imported, the file is read with its comments and checked by jsonschema, and each account is asked for its
grants by a statement of its own, whose text is taken apart. It leaves out what lean.py leaves out.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import boto3  # noqa: F401
import jsonschema
import pymysql
import rich  # noqa: F401
import typer  # noqa: F401
from ruamel.yaml import YAML

SCHEMA = Path(__file__).parents[1] / "schema" / "tenants.schema.json"
_ALL = frozenset({"ALL PRIVILEGES"})
_GRANT = re.compile(r"GRANT (?P<privileges>.+) ON (?P<place>.+) TO ")
_PRIVILEGE = re.compile(r"([A-Z ]+?)(?: \(([^)]*)\))?(?:, |$)")

Grant = tuple[str, str, str]  # user, `database`.`table` or `database`.*, privilege with its column


def main(file: str, socket: str) -> None:
    document = YAML().load(Path(file).read_text())
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(SCHEMA.read_text()))
    databases, users, grants = desired(document)
    password = os.environ["MYSQL_PWD"]
    with pymysql.connect(unix_socket=socket, user="root", password=password, ssl_disabled=True) as connection:
        found = [name for name in databases if not _rows(connection, "SHOW DATABASES LIKE %s", name)]
        live: set[Grant] = set()
        for user in users:
            if not _rows(connection, "SELECT 1 FROM mysql.user WHERE User = %s", user):
                found.append(user)
                continue
            for (line,) in _rows(connection, "SHOW GRANTS FOR %s@'%%'", user):
                live |= _grants_of(user, str(line))
    found += [str(grant) for grant in sorted(grants ^ live)]
    print(*found or ["nothing to do"], sep="\n")
    sys.exit(2 if found else 0)


def desired(document: Any) -> tuple[list[str], list[str], set[Grant]]:
    """What the file asks for: names of databases, of users, and grants."""
    databases: list[str] = []
    users: list[str] = []
    grants: set[Grant] = set()
    for tenant in document["tenants"].values():
        databases += tenant["databases"]
        for user, about in tenant["users"].items():
            users.append(user)
            for entry in about["privileges"]:
                asked = entry["permission"]
                place = f"`{entry['database']}`." + (f"`{entry['table']}`" if "table" in entry else "*")
                columns = [f" (`{column}`)" for column in entry.get("columns", ())] or [""]
                names = _ALL if asked == "ALL" else [asked] if isinstance(asked, str) else asked
                grants |= {(user, place, f"{name}{column}") for name in names for column in columns}
    return databases, users, grants


def _grants_of(user: str, line: str) -> set[Grant]:
    found = _GRANT.match(line)
    if found is None or found["privileges"] == "USAGE":
        return set()
    grants = set()
    for name, columns in _PRIVILEGE.findall(found["privileges"]):
        for column in columns.split(", ") if columns else [""]:
            grants.add((user, found["place"].replace("\\", ""), f"{name} ({column})" if column else name))
    return grants


def _rows(connection: Any, statement: str, *values: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
