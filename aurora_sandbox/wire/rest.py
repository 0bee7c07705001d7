"""Where the parameters of a rest-json request stand beside its body: in the path, in the query after it, in headers.

found(model, "PUT", "/schedules/wake?groupName=hours", headers)      the operation this is for, and {"Name": "wake", …}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qs, unquote

from botocore.model import OperationModel, ServiceModel

Placed = dict[str, str | list[str]]  # by member; a list where the member is one


def found(
    model: ServiceModel, method: str, target: str, headers: Mapping[str, str]
) -> tuple[OperationModel, Placed] | None:
    """None for a path that none of the service's operations has; one may end in a slash, as older clients send it."""
    path, _, query = target.partition("?")
    for name in model.operation_names:
        operation = model.operation_model(name)
        match = _path(operation.http["requestUri"].rstrip("/")).fullmatch(path.rstrip("/"))
        if match and operation.http["method"] == method:
            return operation, _placed(operation, match, query, headers)
    return None


@lru_cache(maxsize=1024)
def _path(template: str) -> re.Pattern[str]:
    """What paths of this form look like: /schedules/{Name}."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


def _placed(operation: OperationModel, path: re.Match[str], query: str, headers: Mapping[str, str]) -> Placed:
    given, placed = parse_qs(query, keep_blank_values=True), Placed()
    for member, shape in operation.input_shape.members.items() if operation.input_shape else ():
        location, name = shape.serialization.get("location"), str(shape.serialization.get("name", member))
        if location == "uri":
            placed[member] = unquote(path[name])
        elif location == "header" and name.lower() in headers:
            placed[member] = headers[name.lower()]
        elif location == "querystring" and name in given:
            placed[member] = given[name] if shape.type_name == "list" else given[name][0]
        elif location == "querystring" and member in operation.input_shape.required_members:
            placed[member] = []  # a list that is empty; nothing else can be sent like this
    return placed
