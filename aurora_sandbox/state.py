"""What this machine remembers of the background sandbox: that it lives, where it listens, and the key to it.

That it lives is a lock on a file, held by the process itself and let go by the kernel however the process ends; the
rest is a file beside it. All of it is for its owner alone, in a directory that nobody else can look into or has made.

    ~/.local/state/aurora-tenants/sandbox/     $XDG_STATE_HOME instead of ~/.local/state, if that is set
        lock   state.json   log
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from aurora_sandbox.errors import Problem, SandboxError
from aurora_sandbox.keys import AccessKey


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox in the background. started: ISO 8601, UTC. mysqld_port: on 127.0.0.1; mysqld_socket: for root."""

    id: str
    pid: int
    endpoint: str
    region: str
    started: str
    mysqld_port: int
    mysqld_socket: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)

    @property
    def key(self) -> AccessKey:
        return AccessKey(self.access_key_id, self.secret_access_key)


class State:
    """The directory, made when it is first needed."""

    def __init__(self, directory: Path | None = None) -> None:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        self.directory = directory or base / "aurora-tenants" / "sandbox"
        self.log = self.directory / "log"
        self._file = self.directory / "state.json"

    @contextmanager
    def lock(self) -> Iterator[int | None]:
        """The descriptor of the lock, None if another process holds it.

        A process that inherits the descriptor holds the lock from then on, for as long as it lives.
        """
        self._make()
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        """Raises SandboxError for a directory that somebody else has put in our way, as in a XDG_STATE_HOME of /tmp."""
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            self.directory.mkdir(mode=0o700, exist_ok=True)
            if not stat.S_ISDIR(self.directory.lstat().st_mode):  # a link may lead to where somebody else wants it
                raise _not_yours(self.directory, "it is a link")
            self.directory.chmod(0o700)  # which its owner alone may do, and root
            if self.directory.stat().st_uid != os.geteuid():
                raise _not_yours(self.directory, "it belongs to somebody else")
        except (FileExistsError, PermissionError) as error:
            raise _not_yours(self.directory, str(error)) from error

    def open_log(self) -> IO[bytes]:
        """The log, empty."""
        return _open(self.log)

    def is_locked(self) -> bool:
        if not self.directory.is_dir():
            return False
        with self.lock() as descriptor:
            return descriptor is None

    def read(self) -> Running | None:
        """What was written last, whether it still lives or not. Raises SandboxError if another version wrote it."""
        try:
            found: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        try:
            return Running(**found)
        except TypeError as error:
            what = "a sandbox is running that another version of this program has started"
            raise SandboxError(Problem("another-version", what, fix=f"kill {found.get('pid')}")) from error

    def write(self, running: Running) -> None:
        """Puts the file in its place by one rename: a reader sees all of it or none."""
        new = self._file.with_suffix(".new")
        with _open(new) as file:
            file.write(json.dumps(asdict(running)).encode() + b"\n")
        new.replace(self._file)

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)


def _not_yours(directory: Path, why: str) -> SandboxError:
    what, fix = f"the sandbox's state cannot be kept in {directory}", "remove it, or set XDG_STATE_HOME elsewhere"
    return SandboxError(Problem("not-yours", what, why, fix))


def _open(path: Path) -> IO[bytes]:
    """A new, empty file in the place of what is there, for its owner alone."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
