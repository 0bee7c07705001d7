"""What this machine remembers of the background sandbox: that it lives, where it listens, and the key to it.

That it lives is a lock on a file, held by the process itself and let go by the kernel however the process ends; the
rest is a file beside it. All of it is for its owner alone, in a directory that nobody else can look into, has made, or
can put another in the place of: each one above it is the owner's or root's.

    ~/.local/state/aurora-tenants/sandbox/     $XDG_STATE_HOME instead of ~/.local/state, if that is set
        lock   state.json   log
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from aurora_sandbox import private
from aurora_sandbox.errors import Problem, SandboxError
from aurora_sandbox.keys import AccessKey

_FILE = "state.json"


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

    @contextmanager
    def lock(self) -> Iterator[int | None]:
        """The descriptor of the lock, None if another process holds it.

        A process that inherits the descriptor holds the lock from then on, for as long as it lives.
        """
        with self._opened() as place:
            descriptor = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=place)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the directory, which is made if it is not there.

        Raises SandboxError where somebody else has put something in our way, or could, as in a XDG_STATE_HOME of /tmp.
        """
        try:
            place = private.opened(self.directory)
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            raise _not_yours(self.directory, str(error)) from error
        try:
            os.fchmod(place, 0o700)
            yield place
        finally:
            os.close(place)

    def open_log(self) -> IO[bytes]:
        """The log, empty."""
        with self._opened() as place:
            return _open("log", place)

    def is_locked(self) -> bool:
        if not self.directory.is_dir():
            return False
        with self.lock() as descriptor:
            return descriptor is None

    def read(self) -> Running | None:
        """What was written last, whether it still lives or not. Raises SandboxError if another version wrote it."""
        try:
            with self._opened() as place:
                file = os.fdopen(os.open(_FILE, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=place))
        except FileNotFoundError:
            return None
        except OSError as error:  # a link, or a file that we may not read
            raise _not_yours(self.directory, str(error)) from error
        with file:
            facts = os.fstat(file.fileno())
            if facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
                raise _not_yours(self.directory, f"{_FILE} belongs to somebody else, or others may use it")
            found: dict[str, Any] = json.load(file)
        try:
            return Running(**found)
        except TypeError as error:
            what = "a sandbox is running that another version of this program has started"
            raise SandboxError(Problem("another-version", what, fix=f"kill {found.get('pid')}")) from error

    def write(self, running: Running) -> None:
        """Puts the file in its place by one rename: a reader sees all of it or none."""
        new = f"{_FILE}.new"
        with self._opened() as place:
            with _open(new, place) as file:
                file.write(json.dumps(asdict(running)).encode() + b"\n")
            os.replace(new, _FILE, src_dir_fd=place, dst_dir_fd=place)

    def clear(self) -> None:
        with self._opened() as place, suppress(FileNotFoundError):
            os.unlink(_FILE, dir_fd=place)


def _not_yours(directory: Path, why: str) -> SandboxError:
    what, fix = f"the sandbox's state cannot be kept in {directory}", "remove it, or set XDG_STATE_HOME elsewhere"
    return SandboxError(Problem("not-yours", what, why, fix))


def _open(name: str, place: int) -> IO[bytes]:
    """A new, empty file in the place of what is there, for its owner alone. place: a descriptor of its directory."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=place)
    return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place), "wb")
