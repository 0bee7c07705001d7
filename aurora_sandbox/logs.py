"""Amazon CloudWatch Logs, as far as functions print something: FilterLogEvents. Everything else of it is moto's.

logs.handle("FilterLogEvents", {"logGroupName": "/aws/lambda/provider", "filterPattern": '"Create"'}, caller)

A function has one stream. Its events are the lines that it printed, in their order. When each was printed is not known
here: all have the time at which they are asked for, and nobody may ask for those of some time. A pattern is a phrase
in quotation marks. ("Filter pattern syntax for metric filters…", CloudWatch Logs User Guide)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aurora_sandbox.functions import Functions
from aurora_sandbox.wire import Caller, ServiceError

_GROUP = "/aws/lambda/"
_PHRASE = re.compile(r'"([^"]*)"')
_MOST = 10_000  # events of a page; "limit", FilterLogEvents, CloudWatch Logs API Reference


class Logs:
    """Service "logs". now: real time."""

    name = "logs"
    only = frozenset({"FilterLogEvents"})

    def __init__(self, functions: Functions, now: Callable[[], datetime]) -> None:
        self._functions, self._now = functions, now

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """The answer to one request. Raises ServiceError with AWS's code."""
        unknown = parameters.keys() - {"logGroupName", "filterPattern", "limit", "nextToken"}
        if unknown:
            message = f"The sandbox does not imitate {', '.join(sorted(unknown))} of FilterLogEvents."
            raise ServiceError("NotImplemented", message, status=501)
        group = parameters.get("logGroupName", "")
        name = group.removeprefix(_GROUP)
        if group == name or self._functions.get(name) is None:
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        found = self._found(name, parameters.get("filterPattern", ""))
        begin, most = int(parameters.get("nextToken", 0)), parameters.get("limit", _MOST)
        more = {"nextToken": str(begin + most)} if begin + most < len(found) else {}
        return {"events": found[begin : begin + most], "searchedLogStreams": [], **more}

    def _found(self, name: str, pattern: str) -> list[dict[str, Any]]:
        phrase = _PHRASE.fullmatch(pattern)
        if pattern and not phrase:
            message = f"The sandbox does not imitate the filter pattern {pattern}: give one phrase in quotation marks."
            raise ServiceError("NotImplemented", message, status=501)
        now = int(self._now().timestamp() * 1000)
        return [
            {"logStreamName": name, "timestamp": now, "ingestionTime": now, "message": line, "eventId": f"{number:056}"}
            for number, line in enumerate(self._functions.logs(name).splitlines())
            if phrase is None or phrase[1] in line
        ]
