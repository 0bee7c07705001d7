"""An apply that is ended at random moments by each signal in turn, and what is left once the next has gone through.

    .venv/bin/python bench/ends.py [N [SEED]]

Three tenants: of each round's file one is new, one has changed and one is gone. After the signal `apply` is repeated
until it exits with 0 (a stack may be busy for a while); then `plan` must find nothing, no stack may have a change set
or wait for one, and no secret may be left of a tenant that is gone.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from aurora_sandbox import mysqld
from aurora_sandbox.install import install
from aurora_sandbox.server import Sandbox
from aurora_tenants.aws.preparation import NewCluster
from aurora_tenants.aws.rollout import deploy

SHARED = "shared-global"
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TENANTS, _MOST_APPLIES = 3, 20


def main(rounds: int, seed: int) -> None:
    """Prints a line for each round in which something was left, and the sums."""
    moments, codes, applies = random.Random(seed), Counter[str](), Counter[int]()
    binary, left = mysqld.find() or install(mysqld.default_cache(), print), 0
    with Sandbox.start(binary=binary) as sandbox, tempfile.TemporaryDirectory() as directory:
        os.environ.update(sandbox.environment())
        deploy(region=None, profile=None, stack=SHARED, parameters={}, chosen=NewCluster())
        file = Path(directory) / "tenants.yaml"
        longest = 0.0
        for number in range(rounds + 1):
            file.write_text(_file(number))
            began = time.perf_counter()
            if number:  # the first one shows how long an apply takes
                which = SIGNALS[number % len(SIGNALS)]
                code = _ended(file, which, moments.uniform(0, longest))
                codes[f"{which.name} {code}"] += 1
            applies[_applied(file)] += 1
            longest = longest or time.perf_counter() - began
            found = [*_left(file, number)]
            left += bool(found)
            for what in found:
                print(f"round {number}: {what}", flush=True)
    print(f"{rounds} rounds, of which {left} left something. Exits: {dict(sorted(codes.items()))}")
    print(f"Applies until exit 0: {dict(sorted(applies.items()))}")


def _file(number: int) -> str:
    """Of each round: the oldest tenant of the one before is gone, the others have another rotation, and one is new."""
    lines = ["version: 1", f"cluster: {{stack: {SHARED}}}", "tenants:"]
    for n in range(number, number + _TENANTS):
        grant = f"{{permission: ALL, database: t{n}}}"
        lines.append(f"  t{n}: {{databases: {{t{n}: {{on_remove: drop}}}},")
        lines.append(f"    users: {{t{n}: {{rotate_after_days: {number % 900 + 1}, privileges: [{grant}]}}}}}}")
    return "\n".join(lines) + "\n"


def _command(file: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "aurora_tenants", *arguments, "--file", str(file)]


def _apply(file: Path) -> list[str]:
    gone = int(file.read_text().split("  t", 1)[1].split(":")[0]) - 1
    return _command(file, "apply", "--yes", "--allow-mass-removal", "--allow-drop", f"t{gone}")


def _ended(file: Path, which: signal.Signals, seconds: float) -> int:
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(_apply(file), **quiet) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(which)
            return process.wait()


def _applied(file: Path) -> int:
    """How many applies it takes. Raises RuntimeError after too many."""
    for number in range(1, _MOST_APPLIES + 1):
        ended = subprocess.run(_apply(file), capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return number
        time.sleep(1)
    raise RuntimeError(ended.stderr)


def _left(file: Path, number: int) -> Iterator[str]:
    cloudformation, secrets = boto3.client("cloudformation"), boto3.client("secretsmanager")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            yield f"stack {name} waits for a change set"
        for it in cloudformation.list_change_sets(StackName=name)["Summaries"]:
            yield f"change set {it['ChangeSetName']} of stack {name}"
    wanted = {f"/{SHARED}/database/t{n}" for n in range(number, number + _TENANTS)}
    pages = secrets.get_paginator("list_secrets").paginate()
    for name in (it["Name"] for page in pages for it in page["SecretList"]):
        if name.startswith(f"/{SHARED}/database/t") and name not in wanted:
            yield f"secret {name}"
    planned = subprocess.run(_command(file, "plan", "--detailed-exitcode"), capture_output=True, text=True, check=False)
    if planned.returncode:
        yield f"plan exits with {planned.returncode}: {planned.stdout.strip()} {planned.stderr.strip()}"


if __name__ == "__main__":
    main(*[int(given) for given in (*sys.argv[1:], *("60", "1")[len(sys.argv) - 1 :])][:2])
