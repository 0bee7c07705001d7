"""A running sandbox asked over its own endpoints, which control.py answers: what it is, and what time.

    remote.at("http://127.0.0.1:40123", key)     a Running, None where nothing or something else answers
    remote.status(running)["stacks"]        [{"name": "shared-global", "status": "CREATE_COMPLETE"}]
    remote.clock(running, "+10h")["fired"]
    remote.meet(running, {"name": "throttle", "service": "cloudformation", "rate": 0.2})

No proxy is asked, and nothing of the `sandbox` extra is needed.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aurora_sandbox.errors import Problem, SandboxError
from aurora_sandbox.keys import AccessKey
from aurora_sandbox.state import Running


def at(endpoint: str, key: AccessKey) -> Running | None:
    """The sandbox that answers at this URL, to this key; None if there is none."""
    try:
        where = urlsplit(endpoint)
        if (where.scheme, where.hostname) != ("http", "127.0.0.1"):  # a sandbox is nowhere else
            return None
        return described(_ask(endpoint, key), key)
    except (OSError, ValueError, KeyError):  # nothing answers, or something that is no sandbox
        return None


def status(running: Running) -> dict[str, Any]:
    """What a sandbox says of itself; for its keys see `Sandbox.status`. Raises SandboxError."""
    try:
        return _ask(running.endpoint, running.key)
    except (OSError, ValueError) as error:
        raise _silent(running, error) from error


def clock(running: Running, to: str | None = None) -> dict[str, Any]:
    """A sandbox's time ("now", "ahead_seconds"), after it was moved forward to a time or by a duration: then with what
    happened on the way ("fired", "rotated").

    to: "+10h" or "2026-03-29T00:00Z"; see `aurora_sandbox.clock.destination`. Raises SandboxError.
    """
    try:
        return _ask(running.endpoint, running.key, "clock", None if to is None else {"to": to})
    except urllib.error.HTTPError as error:
        why = str(json.load(error)["error"])
        what, fix = f"the clock cannot be moved to {to}", "for example: aurora-tenants sandbox clock +10h"
        raise SandboxError(Problem("clock-not-moved", what, why, fix)) from error
    except (OSError, ValueError) as error:
        raise _silent(running, error) from error


def faults(running: Running) -> list[dict[str, Any]]:
    """What is on: each fault's fields, how many calls were "counted" for it, how many it "happened" to."""
    on: list[dict[str, Any]] = _faults(running, None)["faults"]
    return on


def meet(running: Running, fault: Mapping[str, Any]) -> dict[str, Any]:
    """The fault that is on from now on; see `aurora_sandbox.faults.Fault`. Raises SandboxError for what is none."""
    on: dict[str, Any] = _faults(running, {"set": fault})["set"]
    return on


def clear(running: Running, name: str | None = None) -> list[dict[str, Any]]:
    """Ends the faults of this name, or all: those that were on. Raises SandboxError for no name of one."""
    ended: list[dict[str, Any]] = _faults(running, {"clear": {"name": name}})["cleared"]
    return ended


def _faults(running: Running, document: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        return _ask(running.endpoint, running.key, "faults", document)
    except urllib.error.HTTPError as error:
        why, fix = str(json.load(error)["error"]), "see: aurora-tenants sandbox fault --help"
        raise SandboxError(Problem("no-such-fault", "nothing was switched", why, fix)) from error
    except (OSError, ValueError) as error:
        raise _silent(running, error) from error


def described(status: Mapping[str, Any], key: AccessKey) -> Running:
    """The sandbox that says this of itself and has this key. Raises KeyError."""
    return Running(
        id=status["id"],
        pid=status["pid"],
        endpoint=status["endpoint"],
        region=status["region"],
        started=status["started"],
        mysqld_port=status["mysqld"]["port"],
        mysqld_socket=status["mysqld"]["socket"],
        access_key_id=key.id,
        secret_access_key=key.secret,
    )


def _silent(running: Running, error: Exception) -> SandboxError:
    what = f"the sandbox does not answer at {running.endpoint}"
    return SandboxError(Problem("does-not-answer", what, why=str(error), fix=f"kill {running.pid}"))


def _ask(
    endpoint: str, key: AccessKey, what: str = "status", document: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The answer to a question, or to a document. Raises OSError, ValueError."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.addheaders = [("Authorization", key.basic)]
    body = None if document is None else json.dumps(document).encode()
    # What it is told to do takes as long as it takes: a clock that moves by a year fires hundreds of schedules.
    with direct.open(f"{endpoint}/_sandbox/{what}", body, timeout=10 if body is None else None) as answer:
        told: dict[str, Any] = json.load(answer)
        return told
