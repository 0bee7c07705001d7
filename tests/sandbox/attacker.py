"""What somebody tries who has no key: a program of its own, so that another user of this machine can be made to run it.

    python attacker.py UID < attempts.json      {"name": ["http", 40123, "GET", "/", {}, ""], …} → {"name": "403 …", …}

It becomes that user itself, once everything is imported: another user may not be able to read the interpreter's files.
Each outcome is a sentence that begins with what came of it: the status of an answer, or the class of the error.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  this and threading are needed later, when they may be out of reach
import http.client
import json
import os
import socket
import sys
import threading  # noqa: F401
from pathlib import Path
from typing import Any

import pymysql


def http_(port: int, method: str, target: str, headers: dict[str, str], body: str, version: int = 11) -> str:
    """The answer, with its headers; a header Host is sent as it is given, and not at all where it is empty."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection._http_vsn, connection._http_vsn_str = version, f"HTTP/{version / 10}"  # type: ignore[attr-defined]
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Host": f"127.0.0.1:{port}"} | headers).items():
        if value:
            connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    return f"{answer.status} {answer.read().decode(errors='replace')} {dict(answer.getheaders())}"


def mysql(port: int, user: str, password: str) -> str:
    """Who MySQL takes us for, over TCP."""
    with pymysql.connect(host="127.0.0.1", port=port, user=user, password=password, ssl_disabled=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT CURRENT_USER()")
        return f"let in as {cursor.fetchone()}"


def connect(address: int | str) -> str:
    """Whether a port of 127.0.0.1, or a Unix socket, takes a connection."""
    is_port = isinstance(address, int)
    with socket.socket(socket.AF_INET if is_port else socket.AF_UNIX) as client:
        client.connect(("127.0.0.1", address) if is_port else address)
    return "connected"


def read(path: str) -> str:
    """What is in a file, or in a directory."""
    if Path(path).is_dir():
        return f"listed {list(Path(path).iterdir())}"
    with Path(path).open("rb") as file:
        return f"read {file.read(200)!r}"


def write(path: str) -> str:
    """Puts a file there."""
    with Path(path).open("wb") as file:
        return f"wrote {file.write(b'planted')}"


KINDS = {"http": http_, "mysql": mysql, "connect": connect, "read": read, "write": write}


def attempted(kind: str, *arguments: Any) -> str:
    try:
        return KINDS[kind](*arguments)  # type: ignore[operator]
    except Exception as error:  # whatever stopped it is the outcome
        return f"{type(error).__name__}: {error}"


def become(uid: int) -> None:
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


if __name__ == "__main__":
    become(int(sys.argv[1]))
    outcomes = {name: attempted(*attempt) for name, attempt in json.load(sys.stdin).items()}
    json.dump(outcomes | {"uid": str(os.getuid())}, sys.stdout)
