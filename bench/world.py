"""Sandboxes with N tenants, each in a process of its own, that are kept between runs or end with them.

Each tenant has one database with three tables and three users: an owner (ALL), an application (four privileges) and a
report (SELECT on two tables and on columns of a third). In a deployed world all of them are; in a fresh one there are
the databases with their tables, and the shared stack, for a first plan.

    ~/.cache/aurora-tenants/bench/1000-deployed/
        aurora-tenants/sandbox/     the sandbox's state: where it is, and its key
        tenants.yaml   log          what was said while it was made
        made-by                     what made it: a world is used again by the same code alone
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from aurora_sandbox import environment as variables
from aurora_sandbox import lifecycle, remote
from aurora_sandbox.errors import SandboxError
from aurora_sandbox.mysqld import as_root
from aurora_sandbox.state import Running, State

ROOT = Path(__file__).parents[1]
PROGRAM = (sys.executable, "-m", "aurora_tenants")
_MADE_BY, _LOG = "made-by", "log"
# A stack takes little but waiting for the sandbox, which two cores are enough for.
LANES = "20"
STACK = "shared-global"
# A cluster that pauses would be woken by a plan every now and then.
_SHARED = ("shared", "deploy", "--new-cluster", "--yes", "--parameter", "MinCapacity=0.5")


@dataclass(frozen=True, slots=True)
class World:
    """A running one. file: what is deployed in it, or is to be."""

    tenants: int
    directory: Path
    running: Running

    @property
    def file(self) -> Path:
        return self.directory / "tenants.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """Of a command that is to see it."""
        return variables.of_command(os.environ, lifecycle.environment(self.running))

    @property
    def mysql_version(self) -> str:
        return str(remote.status(self.running)["mysqld"]["version"])

    def calls(self) -> Counter[str]:
        """All that it was asked so far, as `service:Operation`."""
        return Counter(remote.status(self.running)["calls"])

    def connect(self) -> pymysql.Connection[Any]:
        """To its MySQL server, as root."""
        return pymysql.connect(**as_root(self.running.mysqld_socket), autocommit=True)

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Every call of the command line is answered so much later."""
        remote.meet(self.running, {"name": "slow", "seconds": seconds, "by": "user"})
        try:
            yield
        finally:
            remote.clear(self.running, "slow")

    @contextmanager
    def drifted(self) -> Iterator[None]:
        """A right of one tenant in a hundred, of one at least, is revoked by hand, and given back at the end."""
        self._by_hand("REVOKE DELETE ON {0}.* FROM `{0}-app`")
        try:
            yield
        finally:
            self._by_hand("GRANT DELETE ON {0}.* TO `{0}-app`")

    def _by_hand(self, statement: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for number in range(max(self.tenants // 100, 1)):
                cursor.execute(statement.format(_name(number)))

    def end(self) -> None:
        lifecycle.down(directory=_state(self.directory))
        shutil.rmtree(self.directory)


def text(tenants: int) -> str:
    """The tenants.yaml of so many."""
    lines = ["version: 1", f"cluster: {{stack: {STACK}}}", "tenants:"]
    for number in range(tenants):
        db = _name(number)
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


def _name(number: int) -> str:
    return f"svc{number:04}"


def default_cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "aurora-tenants" / "bench"


def world(tenants: int, *, is_deployed: bool, cache: Path) -> World:
    """The kept one if it is of this code and as it was left, else a new one. Raises RuntimeError."""
    directory = cache / f"{tenants}-{'deployed' if is_deployed else 'fresh'}"
    wanted = 0 if is_deployed else 2
    if found := _kept(directory, tenants):
        if plan_exits(found) == wanted:
            return found
        found.end()
    made_by, made = _code(), _started(directory, tenants)
    try:
        _run(made, *_SHARED)
        _make_databases(made)
        if is_deployed:
            _run(made, "apply", "--yes", "--parallel", LANES, "--file", str(made.file))
        if (exited := plan_exits(made)) != wanted:
            raise RuntimeError(f"a plan of {tenants} tenants exits {exited}, not {wanted}")
    except BaseException:
        made.end()
        raise
    (directory / _MADE_BY).write_text(made_by)
    return made


def plan_exits(of: World) -> int:
    """The exit code of a plan: 0 where nothing is to be done, 2 where something is."""
    command = [*PROGRAM, "plan", "--detailed-exitcode", "--file", str(of.file)]
    return subprocess.run(command, env=of.environment, capture_output=True).returncode


def _kept(directory: Path, tenants: int) -> World | None:
    state = State(_state(directory))
    if not state.is_locked():
        return None
    try:
        running = state.read()
        made_by = (directory / _MADE_BY).read_text()
    except (SandboxError, FileNotFoundError):
        made_by, running = "", None
    if running and made_by == _code():
        return World(tenants, directory, running)
    lifecycle.down(directory=state.directory)
    return None


def _started(directory: Path, tenants: int) -> World:
    """A new world with nothing in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    environment = os.environ | {"XDG_STATE_HOME": str(directory)}
    subprocess.run([*PROGRAM, "sandbox", "up", "--bare"], env=environment, stdout=subprocess.DEVNULL, check=True)
    running = State(_state(directory)).read()
    assert running is not None
    started = World(tenants, directory, running)
    started.file.write_text(text(tenants))
    return started


def _make_databases(of: World) -> None:
    """They are nobody's, as a migration has left them."""
    with of.connect() as connection, connection.cursor() as cursor:
        for number in range(of.tenants):
            cursor.execute(f"CREATE DATABASE {_name(number)}")
            for table in "abc":
                cursor.execute(f"CREATE TABLE {_name(number)}.{table} (id INT, country INT, more INT)")


def _state(directory: Path) -> Path:
    return directory / "aurora-tenants" / "sandbox"


def _code() -> str:
    """A digest of what makes a world: the sandbox's code, and the shared stack with the functions in it."""
    files = sorted([*(ROOT / "aurora_sandbox").rglob("*.py"), *(ROOT / "cfn").glob("*.yml"), Path(__file__)])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _run(of: World, *words: str) -> None:
    """A command about it. Raises RuntimeError with the end of what it said."""
    log = of.directory / _LOG
    with log.open("a") as output:
        done = subprocess.run([*PROGRAM, *words], env=of.environment, stdout=output, stderr=output)
    if done.returncode:
        raise RuntimeError(f"aurora-tenants {' '.join(words)} exits {done.returncode}:\n{log.read_text()[-2000:]}")
