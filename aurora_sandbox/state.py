"""What this machine remembers of the background sandbox: that it lives, and where it listens.

That it lives is a lock on a file, held by the process itself and let go by the kernel however the process ends; where
it listens is a file beside it. Both are for their owner alone.

    ~/.local/state/aurora-tenants/sandbox/     $XDG_STATE_HOME instead of ~/.local/state, if that is set
        lock   state.json   log
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox in the background. started: ISO 8601, UTC. mysqld_port: on 127.0.0.1, root without a password."""

    id: str
    pid: int
    endpoint: str
    region: str
    started: str
    mysqld_port: int


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
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
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

    def is_locked(self) -> bool:
        if not self.directory.is_dir():
            return False
        with self.lock() as descriptor:
            return descriptor is None

    def read(self) -> Running | None:
        """What was written last, whether it still lives or not."""
        try:
            return Running(**json.loads(self._file.read_text()))
        except FileNotFoundError:
            return None

    def write(self, running: Running) -> None:
        """Puts the file in its place by one rename: a reader sees all of it or none."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(asdict(running)) + "\n")
        new.replace(self._file)

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)
