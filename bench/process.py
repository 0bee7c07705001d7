"""What a process costs: one command, run to its end, with what the kernel has counted of it and of its children."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# ru_maxrss is in KiB on Linux and in bytes on macOS: getrusage(2) of each.
_PER_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """wall, cpu: seconds; cpu of user and system together. memory: the most it held at once, in MiB.

    Linux counts to a process what its parent held when it started it, so that memory below this process's own is not
    told apart: keep what measures small.
    """

    wall: float
    cpu: float
    memory: float


def measured(
    command: Sequence[str],
    *,
    exits: int = 0,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Cost:
    """The cost of a command whose standard output nobody reads. exits: the exit code that is expected.

    directory: where it runs, as Python looks there first for what `-m` names.

    Raises CalledProcessError, with what it said, if it ends otherwise.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_compiling(os.environ if environment is None else environment),
        cwd=directory,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != exits:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / _PER_MIB)


def _compiling(environment: Mapping[str, str]) -> dict[str, str]:
    """As users have it: Python keeps what it has compiled, and a command does not compile all of it each time."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
