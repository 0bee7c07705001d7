"""The protocols json and rest-json: JSON in, JSON out. The second has parameters in its path, query and headers too."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.model import OperationModel, ServiceModel, Shape

from aurora_sandbox.clock import utc
from aurora_sandbox.wire import rest
from aurora_sandbox.wire.scalars import from_text, name_of
from aurora_sandbox.wire.values import Answer, Kept, Request, ServiceError

_writers: dict[Shape, Callable[[Any], Any]] = {}  # botocore's shapes are the same objects for as long as their model


def read(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    """The operation that a header names, and its parameters. Raises ServiceError."""
    target = request.headers.get("x-amz-target", "")
    prefix, _, name = target.rpartition(".")
    if prefix != model.metadata["targetPrefix"] or name not in model.operation_names:
        raise ServiceError("UnknownOperationException", f"Unknown operation {target}")
    return model.operation_model(name), _parameters(model.operation_model(name), request.body)


def read_rest(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    """The same by method and path. Raises ServiceError."""
    found = rest.found(model, request.method, request.target, request.headers)
    if found is None:
        message = f"Unknown operation {request.method} {request.path}"
        raise ServiceError("UnknownOperationException", message, status=404)
    operation, texts = found
    members = operation.input_shape.members if operation.input_shape else {}
    try:
        placed = {
            name: text if isinstance(text, list) else from_text(members[name], text) for name, text in texts.items()
        }
    except ValueError as error:
        raise ServiceError("ValidationException", f"The path or its query cannot be read: {error}") from error
    payload = _payload(operation.input_shape)
    inside = {payload: request.body} if payload and request.body else {} if payload else None
    return operation, (_parameters(operation, request.body) if inside is None else inside) | placed


def answer(operation: OperationModel, result: Mapping[str, Any], request_id: str) -> Answer:
    """Raises KeyError for a member that the model does not have."""
    shape, headers = operation.output_shape, {"x-amzn-RequestId": request_id}
    members = shape.members if shape is not None else {}
    placed = {name: members[name].serialization.get("location") for name in result}
    headers |= {name_of(members[name], name): result[name] for name, where in placed.items() if where == "header"}
    status = next((result[name] for name, where in placed.items() if where == "statusCode"), _status(operation))
    payload = _payload(shape)
    if payload is not None:
        return Answer(status, {"Content-Type": "application/json", **headers}, result.get(payload) or b"")
    inside = {name: value for name, value in result.items() if placed[name] is None}
    body = _to_json(shape, inside) if shape is not None else {}
    return _json(operation.service_model, status, headers, body)


def _status(operation: OperationModel) -> int:
    return int(operation.http.get("responseCode", 200))


def _payload(shape: Shape | None) -> str | None:
    """The member that is the whole body of a request or an answer, as it is; in the models here always a blob."""
    name: str | None = None if shape is None else shape.serialization.get("payload")
    return name


def refusal(model: ServiceModel, error: ServiceError, request_id: str, *, has_type: bool) -> Answer:
    """has_type: the body says the error's code, beside the header that does; rest-json has the header alone."""
    body = {"message": error.message} | ({"__type": error.code} if has_type else {})
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    return _json(model, error.status, headers, body)


def _parameters(operation: OperationModel, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ServiceError("SerializationException", "The body is not a JSON object.")
    return {} if operation.input_shape is None else _from_json(operation.input_shape, document)


def _from_json(shape: Shape, value: Any) -> Any:
    """The value a piece of JSON stands for; what does not fit its shape is left as it is, for the validator to name."""
    match shape.type_name, value:
        case "structure", dict():
            named = ((member, value.get(name_of(inner, member)), inner) for member, inner in shape.members.items())
            return {member: _from_json(inner, piece) for member, piece, inner in named if piece is not None}
        case "list", list():
            return [_from_json(shape.member, element) for element in value]
        case "map", dict():
            return {key: _from_json(shape.value, inner) for key, inner in value.items()}
        case "blob", str():
            return _decoded(value)
        case "timestamp", int() | float():
            return datetime.fromtimestamp(value, UTC)
    return value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ServiceError("SerializationException", f"A blob is not base64: {error}") from error


def _to_json(shape: Shape, value: Any) -> Any:
    """What json.dumps takes."""
    if shape not in _writers:
        _writers[shape] = _writer(shape)
    return _writers[shape](value)


def _writer(shape: Any) -> Callable[[Any], Any]:
    """The same, as a function of this shape's values."""
    if shape.type_name == "structure":
        return _structure(shape)
    if shape.type_name == "list":
        return lambda value: [_to_json(shape.member, element) for element in value]
    if shape.type_name == "map":
        return lambda value: {key: _to_json(shape.value, inner) for key, inner in value.items()}
    if shape.type_name == "blob":
        return lambda value: base64.b64encode(value).decode()
    if shape.type_name == "timestamp":
        return lambda value: utc(value).timestamp()
    return lambda value: value


def _structure(shape: Any) -> Callable[[Any], Any]:
    members = _Members(shape)

    def write(value: Any) -> dict[str, Any]:
        named = [(*members[member], inner) for member, inner in value.items() if inner is not None]
        return {name: of_member(inner) if of_member else inner for name, of_member, inner in named}

    def write_once(value: Any) -> Any:
        if type(value) is not Kept:
            return write(value)
        of_shape, document = value.written
        if of_shape is not shape:
            document = write(value)
            value.written = shape, document
        return document

    return write_once


class _Members(dict[str, tuple[str, Callable[[Any], Any] | None]]):
    """How each member of a structure goes by name, and what writes it, None for what is written as it is.

    Made when it is needed first: a shape may have itself in it.
    """

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self._shape = shape

    def __missing__(self, member: str) -> tuple[str, Callable[[Any], Any] | None]:
        shape = self._shape.members[member]
        is_written = shape.type_name in ("structure", "list", "map", "blob", "timestamp")
        self[member] = made = name_of(shape, member), partial(_to_json, shape) if is_written else None
        return made


def _json(model: ServiceModel, status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
    version = model.metadata.get("jsonVersion")
    content_type = f"application/x-amz-json-{version}" if version else "application/json"
    return Answer(status, {"Content-Type": content_type, **headers}, json.dumps(body).encode())
