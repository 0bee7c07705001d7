"""Where the parameters of a rest-json request stand beside its body: in the path and in the query after it.

found(model, request)      the operation PUT /schedules/wake?groupName=hours is for, and {"Name": "wake", …}
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qs, unquote

from botocore.model import OperationModel, ServiceModel

Placed = dict[str, str | list[str]]  # by member; a list where the member is one


def found(model: ServiceModel, method: str, target: str) -> tuple[OperationModel, Placed] | None:
    """None for a path that none of the service's operations has."""
    path, _, query = target.partition("?")
    for name in model.operation_names:
        operation = model.operation_model(name)
        match = _path(operation.http["requestUri"]).fullmatch(path)
        if match and operation.http["method"] == method:
            return operation, _placed(operation, match, query)
    return None


@lru_cache(maxsize=1024)
def _path(template: str) -> re.Pattern[str]:
    """What paths of this form look like: /schedules/{Name}."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


def _placed(operation: OperationModel, path: re.Match[str], query: str) -> Placed:
    given, placed = parse_qs(query, keep_blank_values=True), Placed()
    for member, shape in operation.input_shape.members.items() if operation.input_shape else ():
        location, name = shape.serialization.get("location"), str(shape.serialization.get("name", member))
        if location == "uri":
            placed[member] = unquote(path[name])
        elif location == "querystring" and name in given:
            placed[member] = given[name] if shape.type_name == "list" else given[name][0]
        elif location == "querystring" and member in operation.input_shape.required_members:
            placed[member] = []  # a list that is empty; nothing else can be sent like this
    return placed
