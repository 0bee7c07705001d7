"""A sandbox in a process of its own: what moto holds belongs to a process, and these tests need two sandboxes at once.

python -m tests.lambdas.process update      runs until its standard input ends; first says its status and variables
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pymysql

from aurora_sandbox import mysqld
from aurora_sandbox.cloudformation.rollout import RollbackStyle
from aurora_sandbox.server import Sandbox

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mysql:
    """The sandbox's MySQL server, directly; root by the socket."""

    host: str
    port: int
    socket: str

    def connect(self, user: str = "root", password: str | bytes = "", *, tls: bool = False) -> Any:
        """A connection that commits every statement; PyMySQL would send a password of text as latin-1."""
        over_tcp = {"host": self.host, "port": self.port, "user": user, "password": password, "ssl_disabled": not tls}
        return pymysql.connect(**(mysqld.as_root(self.socket) if user == "root" else over_tcp), autocommit=True)


@dataclass(frozen=True, slots=True)
class Remote:
    """A running sandbox, to which these variables lead."""

    environment: Mapping[str, str]
    mysql: Mysql


@contextmanager
def sandbox(style: RollbackStyle) -> Iterator[subprocess.Popen[str]]:
    """A sandbox that is on its way; see `arrived`. Times that AWS takes or waits pass forty times as fast."""
    command = [sys.executable, "-m", __name__, style]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # its end closes its standard input, and waits
        yield process


def arrived(process: subprocess.Popen[str]) -> Remote:
    """Waits until it answers."""
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    server = said["status"]["mysqld"]
    return Remote(said["environment"], Mysql(server["host"], server["port"], server["socket"]))


def main(style: Literal["update", "restore"]) -> None:
    binary = mysqld.find()
    assert binary is not None
    with Sandbox.start(binary=binary, rollback_style=style, time_scale=40.0) as running:
        sys.stdout.write(json.dumps({"status": running.status(), "environment": running.environment()}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main("restore" if sys.argv[1] == "restore" else "update")
