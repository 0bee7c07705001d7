"""lean.py and naive.py are plans, if poor ones: they find nothing to do where that is so, and see what was revoked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aurora_sandbox.mysqld import Server, as_root
from bench import lean
from bench.world import ROOT, text

GRANTS = (
    "ALL ON svc0000.* TO svc0000",
    "SELECT, INSERT, UPDATE, DELETE ON svc0000.* TO `svc0000-app`",
    *(f"SELECT ON svc0000.{table} TO `svc0000-report`" for table in "ab"),
    "SELECT (id, country) ON svc0000.c TO `svc0000-report`",
)


@pytest.fixture(scope="module")
def sql(server: Server) -> Iterator[Callable[[str], None]]:
    """A statement, on a server that holds what the file says."""
    users = [f"`svc0000{suffix}`" for suffix in ("", "-app", "-report")]
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE svc0000")
        for table in "abc":
            cursor.execute(f"CREATE TABLE svc0000.{table} (id INT, country INT)")
        cursor.execute(f"CREATE USER {', '.join(users)}")
        for grant in GRANTS:
            cursor.execute(f"GRANT {grant}")
        yield cursor.execute
        cursor.execute(f"DROP USER {', '.join(users)}")
        cursor.execute("DROP DATABASE svc0000")


def run(name: str, server: Server, directory: Path) -> tuple[int, str]:
    file = directory / "tenants.yaml"
    file.write_text(text(1))
    command = [sys.executable, str(ROOT / "bench" / f"{name}.py"), str(file), str(server.socket)]
    environment = os.environ | {"MYSQL_PWD": as_root(server.socket)["password"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["lean", pytest.param("naive", marks=pytest.mark.long)])
def test_a_reference_finds_nothing_to_do(name: str, server: Server, sql: Callable[[str], None], tmp_path: Path):
    assert run(name, server, tmp_path) == (0, "nothing to do\n")


@pytest.mark.parametrize("name", ["lean", pytest.param("naive", marks=pytest.mark.long)])
def test_a_reference_sees_what_was_revoked(name: str, server: Server, sql: Callable[[str], None], tmp_path: Path):
    sql("REVOKE DELETE ON svc0000.* FROM `svc0000-app`")
    try:
        code, said = run(name, server, tmp_path)
    finally:
        sql("GRANT DELETE ON svc0000.* TO `svc0000-app`")
    assert code == 2 and "DELETE" in said


def test_lean_asks_nine_statements():
    """What the goals are measured by: docs/performance.md says so."""
    assert len(lean.STATEMENTS) == 9
