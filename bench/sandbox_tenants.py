"""What tenants cost the sandbox: seconds of CPU for each, of the sandbox itself, its functions and its MySQL server.

    .venv/bin/python -m bench.sandbox_tenants [N …]        on Linux, which tells what each process has used

Each tenant has one database and three users, and is deployed by `apply --parallel 20`. CPU is what to compare, as other
work on the machine moves the seconds of the wall. It should stay the same from 10 tenants to 1,000.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aurora_sandbox import mysqld
from aurora_sandbox.install import install
from aurora_sandbox.server import Sandbox
from aurora_tenants.aws.preparation import NewCluster
from aurora_tenants.aws.rollout import deploy
from bench.process import measured
from bench.world import LANES, PROGRAM

TICKS = os.sysconf("SC_CLK_TCK")


def main(sizes: Sequence[int]) -> None:
    """Prints a line for each size."""
    binary = mysqld.find() or install(mysqld.default_cache(), print)
    print("CPU in ms for each tenant")
    print(
        "".join(f"{title:>10}" for title in ("tenants", "wall s", "sandbox", "functions", "mysqld", "these", "apply"))
    )
    for size in sizes:
        with Sandbox.start(binary=binary) as sandbox, tempfile.TemporaryDirectory() as directory:
            os.environ.update(sandbox.environment())
            deploy(region=None, profile=None, stack="shared-global", parameters={}, chosen=NewCluster())
            file = Path(directory) / "tenants.yaml"
            file.write_text(_file(size))
            before, began = _used(), time.perf_counter()
            applying = measured([*PROGRAM, "apply", "--yes", "--parallel", LANES, "--file", str(file)]).cpu
            wall, after = time.perf_counter() - began, _used()
            parts = [(after[name] - before[name]) * 1000 / size for name in after]
            figures = [*parts, sum(parts), applying * 1000 / size]
            print(f"{size:>10}{wall:>10.1f}" + "".join(f"{figure:>10.0f}" for figure in figures), flush=True)


def _file(size: int) -> str:
    lines = ["version: 1", "cluster: {stack: shared-global}", "tenants:"]
    for number in range(size):
        name = f"svc{number:04}"
        lines += [f"  {name}:", f"    databases: {{{name}: {{}}}}", "    users:"]
        for user, granted in (("", "ALL"), ("-app", "[SELECT, INSERT, UPDATE, DELETE]"), ("-report", "SELECT")):
            lines.append(f"      {name}{user}: {{privileges: [{{permission: {granted}, database: {name}}}]}}")
    return "\n".join(lines) + "\n"


def _used() -> dict[str, float]:
    """Seconds of CPU of this process, which is the sandbox, and of its children by what they are."""
    used = {"sandbox": sum(os.times()[:2]), "functions": 0.0, "mysqld": 0.0}
    for child in _children():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        name = "mysqld" if b"mysqld" in command else "functions"
        used[name] += sum(map(int, _stat(child)[11:13])) / TICKS
    return used


def _children() -> list[str]:
    return [path.name for path in Path("/proc").glob("[0-9]*") if _stat(path.name)[1] == str(os.getpid())]


def _stat(process: str) -> list[str]:
    """What /proc says of a process, from its state on; `man 5 proc` has the order."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["", ""]  # it has ended


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or (10, 100, 1000))
