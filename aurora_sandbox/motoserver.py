"""moto in this process: the AWS services that the sandbox does not imitate itself.

moto is imported on first use. Its backends belong to the process: two sandboxes in one share their roles, VPCs and so
on, and `running` empties them at its end.
"""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running() -> Iterator[tuple[str, int]]:
    """moto's server on a free port of 127.0.0.1; gives host and port."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would log every request to the user's terminal
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield host, port
    finally:
        reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset, timeout=10):
            server.stop()
