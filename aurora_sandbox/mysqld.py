"""A private MySQL server: started on data of its own, reachable from this machine alone, gone when it is stopped.

Never touches a MySQL that is already running here, its configuration or its data, and needs no root.

    with start(find()) as server:
        server.connect().cursor().execute("SELECT 1")

MySQL's own root is for whoever may read the server's directory, which is its owner: the password is random, and lies
there beside the socket. Without one anybody on this machine could log in over TCP; MySQL takes 127.0.0.1 for localhost,
and the plugin that lets root in by the socket alone is not in every package.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pymysql
from pymysql.constants import CR

from aurora_sandbox import certificates, iam_plugin, private
from aurora_sandbox.binary import Binary, default_cache, find, publish
from aurora_sandbox.errors import Problem, SandboxError

__all__ = ["Binary", "Server", "as_root", "default_cache", "find", "initialised", "start"]

START_SECONDS = 60.0
# Of an address of a Unix socket, with the byte that ends it: 104 on macOS, 108 on Linux.
LONGEST_SOCKET = 103
ROOT = "root-password"  # the name of a file

_SMALL = (
    "--bind-address=127.0.0.1",
    "--loose-mysqlx=OFF",
    "--secure-file-priv=NULL",  # Debian's compiled-in directory does not exist here, and mysqld would not start
    "--loose-innodb-redo-log-capacity=8M",  # 8.0.30
    "--innodb-buffer-pool-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--performance-schema=OFF",
    "--skip-log-bin",
)
_LOWER_CASE = ("--lower-case-table-names=1",)
# The server ends with whoever started it. This shell waits on a pipe that closes when the starter ends, however it
# ends; both are in one process group, whose number cannot be reused meanwhile. (Linux' PR_SET_PDEATHSIG would fire as
# soon as the *thread* that started the server is done.)
_WATCHER = """
trap '' TERM INT HUP
read -r _
kill -TERM 0
sleep 3
rm -rf -- "$1"
kill -KILL 0
"""


def initialised(binary: Binary, cache: Path, *, lower_case_names: bool = False) -> Path:
    """The cached data directory of this version, made on first use (3 s); root has no password in it yet.

    lower_case_names: made with lower_case_table_names=1, which holds for the whole life of a data directory.
    Raises SandboxError with the end of the server's log if it cannot be made, and if others could have changed it.
    """
    place = private.cache(cache) / f"data-{binary.version}{'-lower-case' if lower_case_names else ''}"
    if place.is_dir():
        private.require_ours(place, cache=cache)
        return place
    with tempfile.TemporaryDirectory(dir=cache, prefix=".initialising-") as scratch:
        data, log = Path(scratch) / "data", Path(scratch) / "error.log"
        case = _LOWER_CASE if lower_case_names else ()
        options = ("--initialize-insecure", f"--datadir={data}", f"--log-error={log}", *_SMALL, *case)
        done = subprocess.run(binary.argv(*options), capture_output=True, text=True, check=False)
        if done.returncode:
            raise _failed("cannot make its data directory", log, done.stderr)
        publish(data, place)
    return place


def _failed(what: str, log: Path, otherwise: str = "") -> SandboxError:
    text = log.read_text(errors="replace") if log.exists() else otherwise
    errors = [line for line in text.splitlines() if "[ERROR]" in line] or text.splitlines()
    return SandboxError(
        Problem(
            code="mysqld-failed",
            what=f"the sandbox's MySQL server {what}",
            why="\n".join(errors[-5:]),
            fix="free some disk space and memory, or choose another server with --mysqld",
        )
    )


class Server:
    """A running mysqld, which nothing but this machine reaches; `root` by its socket. Stops when the block ends."""

    def __init__(
        self,
        directory: Path,
        port: int,
        version: str,
        process: subprocess.Popen[bytes],
        watcher: subprocess.Popen[bytes],
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.version = version
        self.directory = directory
        self.socket = directory / "socket"
        self._process = process
        self._watcher = watcher

    def connect(self, user: str = "root", password: str = "", database: str | None = None) -> pymysql.Connection[Any]:
        """A new connection with autocommit; root's by the socket, with its own password, all others over TCP.

        Raises pymysql.MySQLError. Without TLS: 1 ms rather than 35.
        """
        over_tcp = {"host": self.host, "port": self.port, "user": user, "password": password, "ssl_disabled": True}
        return pymysql.connect(
            **(as_root(self.socket) if user == "root" else over_tcp),
            database=database,
            charset="utf8mb4",
            autocommit=True,
        )

    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the server and removes its data; may be called twice.

        By SIGKILL: an orderly shutdown takes up to 4 s, all of it for the sake of data that is deleted here anyway.
        """
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def end(self) -> None:
        """Ends the processes and keeps the data: what `stop` does first, and all that a failed start needs."""
        for process in (self._process, self._watcher):
            process.kill()
            process.wait()
        if self._watcher.stdin:
            self._watcher.stdin.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def as_root(socket: str | Path) -> dict[str, Any]:
    """What pymysql.connect needs to be root at the server behind this socket.

    Raises pymysql.OperationalError, as it would itself, if there is no server any more.
    """
    try:
        password = (Path(socket).parent / ROOT).read_text()
    except FileNotFoundError as error:
        raise pymysql.OperationalError(CR.CR_CONNECTION_ERROR, f"there is no MySQL server at {socket}") from error
    return {"unix_socket": str(socket), "user": "root", "password": password, "ssl_disabled": True}


def start(
    binary: Binary,
    *,
    partial_revokes: bool = True,
    lower_case_names: bool = False,
    options: tuple[str, ...] = (),
    cache: Path | None = None,
) -> Server:
    """A running server on a fresh copy of the initialised data directory (about 1 s).

    lower_case_names: it folds the names of databases and tables (lower_case_table_names=1). Its plugins are those of
    the binary, and where it can be made a stand-in for AWS's, which aurora.switch_iam loads.
    Raises SandboxError with the end of the server's log if it does not come up within START_SECONDS.
    """
    template = initialised(binary, cache or default_cache(), lower_case_names=lower_case_names)
    directory = private.scratch("aurora-tenants-")
    try:
        _require_room(directory / "socket")
        shutil.copytree(template, directory / "data")
        settings = [
            f"--partial-revokes={'ON' if partial_revokes else 'OFF'}",
            f"--init-file={_give_password(directory)}",
        ]
        settings += _LOWER_CASE if lower_case_names else ()
        if plugins := iam_plugin.directory(binary.plugins, directory / iam_plugin.DIRECTORY):
            settings.append(f"--plugin-dir={plugins}")
        settings += certificates.options(directory)
        return _launch(binary, directory, (*_SMALL, *settings, *options))
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _require_room(socket: Path) -> None:
    if len(os.fsencode(socket)) > LONGEST_SOCKET:
        what = f"the path of the MySQL server's socket would be longer than {LONGEST_SOCKET} bytes"
        fix = "set TMPDIR to a directory with a shorter path"
        raise SandboxError(Problem("mysqld-failed", what, why=str(socket), fix=fix))


def _give_password(directory: Path) -> Path:
    """The file of statements that the server runs before it takes the first connection."""
    password, statements = secrets.token_hex(24), directory / "init.sql"
    for path, text in (
        (directory / ROOT, password),
        (statements, f"ALTER USER root@localhost IDENTIFIED BY '{password}';\n"),
    ):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    return statements


def _launch(binary: Binary, directory: Path, options: tuple[str, ...]) -> Server:
    log = directory / "error.log"
    for _ in range(5):  # another process may take the port between our asking for it and mysqld's binding it
        server = _spawn(binary, directory, options, log)
        try:
            if _came_up(server):
                return server
        except BaseException:
            server.end()
            raise
        server.end()
        if "Address already in use" not in log.read_text(errors="replace"):
            break
    raise _failed("does not start", log)


def _spawn(binary: Binary, directory: Path, options: tuple[str, ...], log: Path) -> Server:
    port = _free_port()
    nowhere = subprocess.DEVNULL  # or a pipe of our caller's would stay open for as long as the server runs
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _WATCHER, "sh", str(directory)],
        stdin=subprocess.PIPE,
        stdout=nowhere,
        stderr=nowhere,
        process_group=0,
    )
    argv = binary.argv(
        f"--datadir={directory / 'data'}",
        f"--tmpdir={directory}",
        f"--socket={directory / 'socket'}",
        f"--pid-file={directory / 'pid'}",
        f"--log-error={log}",
        f"--port={port}",
        *options,
    )
    with log.open("ab") as output:  # what is said before mysqld opens its log: a missing library, an unknown option
        process = subprocess.Popen(argv, stdin=nowhere, stdout=output, stderr=output, process_group=watcher.pid)
    return Server(directory, port=port, version=binary.version, process=process, watcher=watcher)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _came_up(server: Server) -> bool:
    """Whether root can log in before the server exits, which it does when another process has taken its port."""
    deadline = time.monotonic() + START_SECONDS
    while server.is_running() and time.monotonic() < deadline:
        try:
            server.connect().close()
            return True
        except pymysql.MySQLError:
            pass  # not listening yet
        time.sleep(0.02)
    return False
