"""Applies that are killed, interrupted, or lose whoever reads them, at random moments: what each run and the next say.

    .venv/bin/python -m bench.ends [TIMES [SEED]]

Every run is a process of its own, in a sandbox whose stacks take seconds. It changes between two files, so that tenants
are created, updated and removed. After each, the same file is applied again until that ends with 0: then plan must find
nothing, no change set and no empty stack may be left, and every user must be able to log in with its secret.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pymysql

from aurora_sandbox import mysqld
from aurora_sandbox.install import install
from aurora_sandbox.server import Sandbox
from aurora_tenants.aws.preparation import NewCluster
from aurora_tenants.aws.rollout import deploy
from bench.world import PROGRAM

STACK_SECONDS = 1.5
# A run that ended before its signal came has another exit code than one that was interrupted. While Python starts or
# ends, SIGINT ends the process itself, which a shell tells as 130.
EXPECTED = {
    "kill": {-signal.SIGKILL, 0},
    "int": {130, -signal.SIGINT, 0},
    "term": {130, 0},
    "hup": {130, 0},
    "int twice": {130, -signal.SIGINT, 0},
    "head": {0},
    "no stderr": {0},
}


def main(times: int, seed: int) -> int:
    """Prints a line for each kind of end. Returns 1 if anything was other than it should be."""
    chance, wrong = random.Random(seed), list[str]()
    codes, again = defaultdict[str, Counter[int]](Counter), defaultdict[str, Counter[int]](Counter)
    binary = mysqld.find() or install(mysqld.default_cache(), print)
    with Sandbox.start(binary=binary) as sandbox, tempfile.TemporaryDirectory() as directory:
        os.environ.update(sandbox.environment())
        deploy(region=None, profile=None, stack="shared-global", parameters={}, chosen=NewCluster())
        _run("sandbox", "fault", "slow-stacks", "--seconds", str(STACK_SECONDS))
        files = [_written(Path(directory) / f"{name}.yaml", name) for name in ("a", "b")]
        for file in (files[1], *files):
            if (ended := _run(*_words(file))).returncode:
                raise SystemExit(f"{file} cannot be applied:\n{ended.stderr}")
        longest = max(_timed(file) for file in reversed(files))
        for number in range(times):
            kind, file = [*EXPECTED][number % len(EXPECTED)], files[number % 2]
            delay = chance.uniform(0.3, longest)
            code = _ended(file, kind, delay)
            codes[kind][code] += 1
            runs = next((run for run in range(1, 6) if _apply(file) == 0), 0)
            again[kind][runs] += 1
            found = [f"exit {code}"] if code not in EXPECTED[kind] else []
            found += [] if runs else ["does not converge"]
            found += [*_left(sandbox, file)]
            wrong += [f"{number}: {kind} after {delay:.2f} s: {text}" for text in found]
            print(f"{number:>3} {kind:<10} after {delay:5.2f} s: exit {code}, then {runs} more", *found, flush=True)
    print(f"{'how it ended':<14} {'exit codes':<28} applies until 0")
    for kind, counted in codes.items():
        print(f"{kind:<14} {_shown(counted):<28} {_shown(again[kind])}")
    print("\n".join(wrong) if wrong else "Nothing else was seen.")
    return 1 if wrong else 0


def _shown(counted: Counter[int]) -> str:
    return ", ".join(f"{value} x{times}" for value, times in sorted(counted.items()))


def _written(path: Path, name: str) -> Path:
    """Six tenants, of which two are in one file alone; rights and databases differ between both."""
    lines = ["version: 1", "cluster: {stack: shared-global}", "tenants:"]
    for number in range(6):
        if number % 6 == {"a": 0, "b": 3}[name]:
            continue
        tenant, rights = f"svc{number}", "ALL" if (number + (name == "a")) % 2 else "[SELECT, INSERT]"
        more = f", {tenant}-more: {{on_remove: drop}}" if name == "a" and number == 1 else ""
        lines += [
            f"  {tenant}:",
            f"    databases: {{{tenant}: {{adopt: true}}{more}}}",
            "    users:",
            f"      {tenant}: {{privileges: [{{permission: {rights}, database: {tenant}}}]}}",
            f"      {tenant}-app: {{privileges: [{{permission: SELECT, database: {tenant}}}]}}",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=600)


def _words(file: Path) -> list[str]:
    return ["apply", "--yes", "--parallel", "3", "--allow-drop", "svc1-more", "--file", str(file)]


def _command(file: Path) -> list[str]:
    return [*PROGRAM, *_words(file)]


def _apply(file: Path) -> int:
    return subprocess.run(_command(file), capture_output=True, timeout=600).returncode


def _timed(file: Path) -> float:
    began = time.monotonic()
    _apply(file)
    return time.monotonic() - began


def _ended(file: Path, kind: str, delay: float) -> int:
    """The exit code of an apply that this happened to."""
    if kind in ("head", "no stderr"):
        redirected = "| head -1" if kind == "head" else "2>&-"
        command = f'"$@" {redirected}; exit ${{PIPESTATUS[0]}}'
        return subprocess.run(["bash", "-c", command, "bash", *_command(file)], capture_output=True).returncode
    process = subprocess.Popen(_command(file), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    time.sleep(delay)
    number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "hup": signal.SIGHUP}.get(kind, signal.SIGINT)
    process.send_signal(number)
    if kind == "int twice":
        time.sleep(0.5)
        process.send_signal(number)
    process.communicate(timeout=600)
    return process.returncode


def _left(sandbox: Sandbox, file: Path) -> Iterator[str]:
    """What is not as it should be once an apply has ended well."""
    plan = _run("plan", "--detailed-exitcode", "--file", str(file))
    if plan.returncode:
        yield f"plan exits {plan.returncode}: {plan.stdout[-300:]}{plan.stderr[-300:]}"
    cloudformation, secrets = boto3.client("cloudformation"), boto3.client("secretsmanager")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            yield f"stack {name} is empty"
        for change_set in cloudformation.list_change_sets(StackName=name)["Summaries"]:
            if change_set["ExecutionStatus"] == "AVAILABLE":
                yield f"stack {name} has change set {change_set['ChangeSetName']}"
    for secret in secrets.list_secrets(MaxResults=100)["SecretList"]:
        if "/database/" in secret["Name"]:
            yield from _refused(sandbox, json.loads(secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"]))


def _refused(sandbox: Sandbox, secret: dict[str, Any]) -> Iterator[str]:
    try:
        sandbox.mysql.connect(secret["username"], secret["password"]).close()
    except pymysql.OperationalError as error:
        yield f"user {secret['username']} cannot log in: {error}"


def _arguments(words: Sequence[str]) -> tuple[int, int]:
    times, seed = [*map(int, words), *(60, 1)[len(words) :]]
    return times, seed


if __name__ == "__main__":
    sys.exit(main(*_arguments(sys.argv[1:])))
