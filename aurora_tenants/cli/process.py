"""A process that is one command line and nothing else: how it ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from aurora_tenants.cli import interrupts


def end(code: int) -> None:
    """Ends the process with this exit code, and lets the system throw away as a whole what Python would take apart.

    Comes back where only Python can end it: while another thread works, output is not written, or somebody looks on.
    """
    if code == interrupts.INTERRUPTED:
        interrupts.last()
    if _is_watched() or any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread()):
        return
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


def _is_watched() -> bool:
    """By a debugger, a profiler, a measurement of coverage, or a prompt that comes afterwards (python -i)."""
    monitoring = getattr(sys, "monitoring", None)  # of Python 3.12
    return bool(
        sys.gettrace()
        or sys.getprofile()
        or sys.flags.inspect
        or (monitoring and any(map(monitoring.get_tool, range(6))))
    )
