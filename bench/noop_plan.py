"""What a plan that finds nothing to do costs, at 10, 100 and 1,000 tenants: statements, calls, seconds; and what an
apply does after somebody has revoked a grant of one tenant in a hundred.

    script/bench [N …]

Each tenant has one database with three tables and three users: an owner (ALL), an application (four privileges) and a
report (SELECT on two tables and on columns of a third). Everything is deployed first, so it shows apply too.
Counts are what matters: against AWS each call takes 10 to 40 ms. Seconds are of this machine, the median of three.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from aurora_sandbox import mysqld
from aurora_sandbox.install import install
from aurora_sandbox.server import Sandbox
from aurora_tenants.aws.preparation import NewCluster
from aurora_tenants.aws.rollout import deploy

COUNTED = ("rds-data:ExecuteStatement", "cloudformation:DescribeStacks")


def main(sizes: Sequence[int]) -> None:
    """Prints a line for each size."""
    binary = mysqld.find() or install(mysqld.default_cache(), print)
    print(
        f"{'tenants':>8} {'apply s':>8} {'plan s':>7} {'statements':>11} {'DescribeStacks':>15} {'other calls':>12}"
        f" {'drifted':>8} {'statements':>11} {'of the provider':>16} {'apply s':>8}"
    )
    for size in sizes:
        with Sandbox.start(binary=binary) as sandbox, tempfile.TemporaryDirectory() as directory:
            _deploy_shared(sandbox)
            file = Path(directory) / "tenants.yaml"
            file.write_text(_file(size))
            _make_tables(sandbox, size)
            began = time.perf_counter()
            _run(sandbox, "apply", "--yes", "--parallel", "8", "--file", str(file))
            applied = time.perf_counter() - began
            seconds, before = [], _calls(sandbox)
            for _ in range(3):
                began = time.perf_counter()
                _run(sandbox, "plan", "--detailed-exitcode", "--file", str(file))
                seconds.append(time.perf_counter() - began)
            calls = {name: count // 3 for name, count in (_calls(sandbox) - before).items()}
            statements, stacks = (calls.pop(name, 0) for name in COUNTED)
            plan = statistics.median(seconds)
            rest = sum(calls.values())
            print(
                f"{size:>8} {applied:>8.1f} {plan:>7.2f} {statements:>11} {stacks:>15} {rest:>12}", end="", flush=True
            )
            _print_drift(sandbox, str(file), max(size // 100, 1), statements)


def _print_drift(sandbox: Sandbox, file: str, drifted: int, of_plan: int) -> None:
    """of_plan: how many statements a plan takes; an apply reads so before and after."""
    with sandbox.mysql.connect() as connection, connection.cursor() as cursor:
        for n in range(drifted):
            cursor.execute(f"REVOKE DELETE ON svc{n:04}.* FROM `svc{n:04}-app`")
    before, began = _calls(sandbox), time.perf_counter()
    _run(sandbox, "apply", "--yes", "--parallel", "8", "--file", file)
    seconds = time.perf_counter() - began
    statements = (_calls(sandbox) - before)["rds-data:ExecuteStatement"]
    print(f" {drifted:>8} {statements:>11} {statements - 2 * of_plan:>16} {seconds:>8.1f}", flush=True)


def _deploy_shared(sandbox: Sandbox) -> None:
    os.environ.update(sandbox.environment())
    deploy(region=None, profile=None, stack="shared-global", parameters={}, chosen=NewCluster())


def _file(size: int) -> str:
    lines = ["version: 1", "cluster: {stack: shared-global}", "tenants:"]
    for n in range(size):
        db = f"svc{n:04}"
        lines += [
            f"  {db}:",
            f"    databases: {{{db}: {{adopt: true}}}}",
            "    users:",
            f"      {db}: {{privileges: [{{permission: ALL, database: {db}}}]}}",
            f"      {db}-app: {{privileges: [{{permission: [SELECT, INSERT, UPDATE, DELETE], database: {db}}}]}}",
            f"      {db}-report:",
            "        privileges:",
            f"          - {{permission: SELECT, database: {db}, table: a}}",
            f"          - {{permission: SELECT, database: {db}, table: b}}",
            f"          - {{permission: SELECT, database: {db}, table: c, columns: [id, country]}}",
        ]
    return "\n".join(lines) + "\n"


def _make_tables(sandbox: Sandbox, size: int) -> None:
    with sandbox.mysql.connect() as connection, connection.cursor() as cursor:
        for n in range(size):
            cursor.execute(f"CREATE DATABASE svc{n:04}")
            for table in "abc":
                cursor.execute(f"CREATE TABLE svc{n:04}.{table} (id INT, country INT, more INT)")


def _run(sandbox: Sandbox, *arguments: str) -> None:
    command = [sys.executable, "-m", "aurora_tenants", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _calls(sandbox: Sandbox) -> Counter[str]:
    return Counter(sandbox.status()["calls"])


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or (10, 100, 1000))
