"""The program inside a Lambda worker process: imports a handler once, then answers one event after another.

    python -I -u worker.py <directory of the code> <module.function> <file descriptor> <certificates>

Events come as JSON lines on standard input, answers leave as JSON lines on the file descriptor, so that whatever the
handler prints is its log. It runs outside the package and imports nothing but the standard library and the handler. The
first line it writes says that the import is done, be it well or not: a start is not counted against the timeout.

A handler that speaks to MySQL with PyMySQL meets what it would on AWS: a server that says it is of Aurora's version of
MySQL, whatever runs here, and Lambda's file of certificates, which has the authority of the sandbox's server in it.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO
from urllib.parse import urlsplit

SERVER_VERSION = "8.0.42"  # of MySQL, in Aurora MySQL 3.10
BUNDLE = "/etc/pki/tls/cert.pem"
_ASKS_VERSION = re.compile(r"\s*SELECT\s+(VERSION\s*\(\s*\)|@@version)\s*;?\s*", re.IGNORECASE)


class Context:
    """What Lambda hands to a handler beside the event."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["id"]
        self.invoked_function_arn: str = request["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = "128"
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + request["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def load(path: str) -> Callable[[dict[str, Any], Context], object]:
    """The handler of this dotted path, or one that always gives the error its import gave, named as Lambda names it."""
    module_name, _, function_name = path.rpartition(".")
    try:
        handler = getattr(importlib.import_module(module_name), function_name, None)
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        return lambda event, context: _failure("Runtime.ImportModuleError", message)
    except Exception as error:
        failure = _failure(type(error).__name__, str(error), error)
        return lambda event, context: failure
    if handler is None:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        return lambda event, context: _failure("Runtime.HandlerNotFound", message)
    return lambda event, context: _result(handler(event, context))


def answer(handler: Callable[[dict[str, Any], Context], object], request: dict[str, Any]) -> object:
    """{"result": …} or {"error": {"type", "message", "trace"}}."""
    try:
        return handler(request["event"], Context(request))
    except Exception as error:  # a handler may raise anything; it is an answer
        traceback.print_exc()
        return _failure(type(error).__name__, str(error), error)


def _result(value: object) -> dict[str, object]:
    try:
        json.dumps(value)
    except TypeError as error:
        return _failure("Runtime.MarshalError", f"Unable to marshal response: {error}")
    return {"result": value}


def _failure(kind: str, message: str, error: Exception | None = None) -> dict[str, object]:
    trace = traceback.format_exception(error) if error else []
    return {"error": {"type": kind, "message": message, "trace": trace}}


def pretend(authorities: str) -> None:
    """Puts Aurora's version of MySQL and Lambda's certificates into PyMySQL, if it is loaded and was not yet changed.

    PyMySQL alone, and not MySQL itself: a server cannot be told to call itself something else.
    """
    loaded: Any = sys.modules.get("pymysql.connections")
    if loaded is None or hasattr(loaded.Connection, "pretends"):
        return
    ask, trust = loaded.Connection.query, loaded.ssl.SSLContext.load_verify_locations

    def query(self: Any, sql: Any, unbuffered: bool = False) -> Any:
        asks = isinstance(sql, str) and _ASKS_VERSION.fullmatch(sql)
        return ask(self, f"SELECT '{SERVER_VERSION}'" if asks else sql, unbuffered)

    def load(self: Any, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        trust(self, authorities if cafile == BUNDLE else cafile, capath, cadata)

    loaded.Connection.query, loaded.Connection.pretends = query, True
    loaded.Connection.get_server_info = lambda self: SERVER_VERSION
    loaded.ssl.SSLContext.load_verify_locations = load


def _end_instead_of_answer(event: object) -> None:
    """Lets this process end at the moment when the handler would send a custom resource's answer: none arrives."""
    url = event.get("ResponseURL", "") if isinstance(event, dict) else ""
    if not url:
        return
    beginning = f"PUT {urlsplit(url).path}".encode()

    def look(name: str, arguments: tuple[object, ...]) -> None:
        # Raised by all that builds on http.client, as urllib, urllib3 and requests do.
        if name == "http.client.send" and isinstance(arguments[1], bytes) and arguments[1].startswith(beginning):
            os._exit(1)

    sys.addaudithook(look)


def serve(events: TextIO, answers: TextIO, handler_path: str, authorities: str) -> None:
    """Answers every event until there are no more."""

    # Lambda's runtime does the same, so that what a handler logs is in its log.
    logging.basicConfig(stream=sys.stdout, format="[%(levelname)s]\t%(asctime)s\t%(message)s")

    def write(value: object) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    handler = load(handler_path)
    write({"ready": True})
    for line in events:
        request = json.loads(line)
        if request["fault"] == "crash-before":
            os._exit(1)
        if request["fault"] == "hang":
            events.read()  # ends with the sandbox, if the timeout does not come first
        pretend(authorities)
        if request["fault"] == "crash-after":
            _end_instead_of_answer(request["event"])
        answered = answer(handler, request)
        if request["fault"] == "crash-after":
            os._exit(1)
        write(answered)


def main() -> None:
    directory, handler_path, descriptor, authorities = sys.argv[1:]
    sys.path.insert(0, directory)
    # The handler and its children see an empty standard input, not the events.
    events = os.fdopen(os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    with os.fdopen(int(descriptor), "w") as answers:
        serve(events, answers, handler_path, authorities)


if __name__ == "__main__":
    main()
