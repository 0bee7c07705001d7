"""AWS's wire protocols seen from the server: a request becomes plain parameters, a result becomes an answer.

Everything that differs between services (names, types, list and map spelling, result wrappers, namespaces) is read
from botocore's public service models, so a service of the sandbox deals in what a boto3 caller passes and receives
and never sees XML, JSON or base64. Three protocols, each the only one its services list:

    query      cloudformation, rds           form fields in, XML out
    json       secretsmanager                X-Amz-Target and JSON in, JSON out
    rest-json  rds-data, scheduler, lambda   the path, its query and JSON in, JSON out

A client of cloudwatch chooses between the first two. Only what these models use is here: no flattened lists, no
parameters in headers, no streams.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator

from aurora_sandbox import rest

# XML 1.0 cannot say these at all, not even as character references: the reader would refuse the whole answer.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ServiceError(Exception):
    """An answer AWS would give instead of a result: its code, its message, its HTTP status."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class UnknownProtocol(Exception):
    """A service whose requests this module cannot read."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request."""

    access_key: str


class Service(Protocol):
    """One AWS service of the sandbox: takes what a boto3 caller passes, gives what a boto3 caller receives."""

    name: str

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; target is the path with its query, header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; Content-Length is left to the HTTP server."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@lru_cache
def service_model(name: str, protocol: str = "") -> ServiceModel:
    """botocore's model of a service, for example "rds-data"; of a service that has several protocols, in this one."""
    session = botocore.session.get_session()
    if not protocol:
        return session.get_service_model(name)
    # A copy: who else read this file of botocore's may hold the same mapping.
    description = session.get_service_data(name)
    metadata = {**description["metadata"], "protocol": protocol, "protocols": [protocol]}
    return ServiceModel({**description, "metadata": metadata}, name)


def spoken(name: str, request: Request) -> ServiceModel:
    """The model of a service in the protocol that this request speaks, which is the client's choice where it has one.

    Versions of botocore differ in what they choose for cloudwatch: query (1.37), json (1.44).
    """
    offered = service_model(name).metadata.get("protocols", ())
    if len(offered) < 2:
        return service_model(name)
    if "x-amz-target" in request.headers:
        return service_model(name, "json")
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return service_model(name, "query" if is_form else offered[0])


def parse(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    """The operation a request asks for, and its parameters as a boto3 caller would have passed them.

    Raises ServiceError for an unknown operation, a body that cannot be read, and parameters that the model refuses
    (missing, of the wrong type, too short): a client other than botocore may send any of these. Raises UnknownProtocol
    for a service that speaks another protocol than the three.
    """
    read = _READERS.get(_protocol(model))
    if read is None:
        raise UnknownProtocol(_protocol(model))
    operation, parameters = read(model, request)
    if operation.input_shape is not None:
        report = ParamValidator().validate(parameters, operation.input_shape)
        if report.has_errors():
            code = "ValidationError" if _protocol(model) == "query" else "ValidationException"
            raise ServiceError(code, report.generate_report())
    return operation, parameters


def answer(operation: OperationModel, result: Mapping[str, Any]) -> Answer:
    """The HTTP answer for a result in the shape a boto3 caller receives, without ResponseMetadata.

    Raises KeyError for a member that the model does not have: a service must not answer what AWS would not.
    """
    request_id = str(uuid.uuid4())
    protocol = _protocol(operation.service_model)
    if protocol == "query":
        return _xml_answer(200, request_id, _result_document(operation, result, request_id))
    body = _to_json(operation.output_shape, result) if operation.output_shape is not None else {}
    return _json_answer(operation.service_model, 200, {"x-amzn-RequestId": request_id}, body)


def refusal(model: ServiceModel, error: ServiceError) -> Answer:
    """The HTTP answer for an error, in the form of the service's protocol."""
    request_id = str(uuid.uuid4())
    if _protocol(model) == "query":
        return _xml_answer(error.status, request_id, _error_document(model, error, request_id))
    body = {"message": error.message}
    if _protocol(model) == "json":
        body["__type"] = error.code
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    return _json_answer(model, error.status, headers, body)


def _protocol(model: ServiceModel) -> str:
    """The protocol botocore speaks with this service; older versions (1.37) do not choose, each service has one."""
    return str(getattr(model, "resolved_protocol", model.metadata["protocol"]))


# query: form fields in, XML out


def _read_query(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    action = fields.get("Action", "")
    if action not in model.operation_names:
        raise ServiceError("InvalidAction", f"Could not find operation {action} for version {model.api_version}")
    operation = model.operation_model(action)
    if operation.input_shape is None:
        return operation, {}
    try:
        return operation, _from_fields(operation.input_shape, _tree(fields))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServiceError("MalformedInput", f"The form fields do not make up {action}'s parameters.") from error


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """Form fields as nested mappings: A.member.1.B=x becomes {"A": {"member": {"1": {"B": "x"}}}}."""
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *parents, leaf = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def _from_fields(shape: Shape, node: Any) -> Any:
    """The value a node of the tree stands for. An empty list is sent as an empty field."""
    if isinstance(node, dict) != (shape.type_name in ("structure", "list", "map")) and node != "":
        raise TypeError(f"{shape.name} is a {shape.type_name}")
    if shape.type_name == "structure":
        named = ((member, _name(inner, member), inner) for member, inner in shape.members.items())
        return {member: _from_fields(inner, node[name]) for member, name, inner in named if name in node}
    if shape.type_name == "list":
        if node == "":
            return []
        elements = node[_name(shape.member, "member")]
        return [_from_fields(shape.member, elements[key]) for key in sorted(elements, key=int)]
    if shape.type_name == "map":
        entries = node["entry"]
        key_name, value_name = _name(shape.key, "key"), _name(shape.value, "value")
        in_order = (entries[key] for key in sorted(entries, key=int))
        return {entry[key_name]: _from_fields(shape.value, entry[value_name]) for entry in in_order}
    return _from_text(shape, node)


def _from_text(shape: Shape, text: str) -> Any:
    if shape.type_name == "boolean":
        return text == "true"
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name in ("float", "double"):
        return float(text)
    if shape.type_name == "timestamp":
        return parse_timestamp(text)
    if shape.type_name == "blob":
        return base64.b64decode(text, validate=True)
    return text


def _result_document(operation: OperationModel, result: Mapping[str, Any], request_id: str) -> ElementTree.Element:
    root = ElementTree.Element(f"{operation.name}Response", xmlns=operation.service_model.metadata["xmlNamespace"])
    shape = operation.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        _add_members(ElementTree.SubElement(root, wrapper) if wrapper else root, shape, result)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = request_id
    return root


def _error_document(model: ServiceModel, error: ServiceError, request_id: str) -> ElementTree.Element:
    root = ElementTree.Element("ErrorResponse", xmlns=model.metadata["xmlNamespace"])
    element = ElementTree.SubElement(root, "Error")
    ElementTree.SubElement(element, "Type").text = "Sender" if error.status < 500 else "Receiver"
    ElementTree.SubElement(element, "Code").text = error.code
    ElementTree.SubElement(element, "Message").text = _NOT_XML.sub("\ufffd", error.message)
    ElementTree.SubElement(root, "RequestId").text = request_id
    return root


def _add_members(parent: ElementTree.Element, shape: Shape, value: Mapping[str, Any]) -> None:
    for member, inner in value.items():
        if inner is not None:
            _add(parent, _name(shape.members[member], member), shape.members[member], inner)


def _add(parent: ElementTree.Element, name: str, shape: Shape, value: Any) -> None:
    node = ElementTree.SubElement(parent, name)
    if shape.type_name == "structure":
        _add_members(node, shape, value)
    elif shape.type_name == "list":
        for element in value:
            _add(node, _name(shape.member, "member"), shape.member, element)
    elif shape.type_name == "map":
        for key, inner in value.items():
            entry = ElementTree.SubElement(node, "entry")
            _add(entry, _name(shape.key, "key"), shape.key, key)
            _add(entry, _name(shape.value, "value"), shape.value, inner)
    else:
        node.text = _to_text(shape, value)


def _to_text(shape: Shape, value: Any) -> str:
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "timestamp":
        return _utc(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return _NOT_XML.sub("\ufffd", str(value))


def _xml_answer(status: int, request_id: str, document: ElementTree.Element) -> Answer:
    body = ElementTree.tostring(document, encoding="utf-8", xml_declaration=True)
    # A reader turns a bare carriage return into a line feed; ElementTree writes it bare in text.
    body = body.replace(b"\r", b"&#13;")
    return Answer(status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body)


def _name(shape: Shape, default: str) -> str:
    return str(shape.serialization.get("name", default))


# json and rest-json: JSON in, JSON out


def _read_json(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    target = request.headers.get("x-amz-target", "")
    prefix, _, name = target.rpartition(".")
    if prefix != model.metadata["targetPrefix"] or name not in model.operation_names:
        raise ServiceError("UnknownOperationException", f"Unknown operation {target}")
    return model.operation_model(name), _json_parameters(model.operation_model(name), request.body)


def _read_rest_json(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    found = rest.found(model, request.method, request.target)
    if found is None:
        said = f"Unknown operation {request.method} {request.path}"
        raise ServiceError("UnknownOperationException", said, status=404)
    operation, texts = found
    members = operation.input_shape.members if operation.input_shape else {}
    try:
        placed = {name: it if isinstance(it, list) else _from_text(members[name], it) for name, it in texts.items()}
    except ValueError as error:
        raise ServiceError("ValidationException", f"The path or its query cannot be read: {error}") from error
    return operation, _json_parameters(operation, request.body) | placed


def _json_parameters(operation: OperationModel, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ServiceError("SerializationException", "The body is not a JSON object.")
    return {} if operation.input_shape is None else _from_json(operation.input_shape, document)


def _from_json(shape: Shape, value: Any) -> Any:
    """The value a piece of JSON stands for; what does not fit its shape is left as it is, for the validator to name."""
    if shape.type_name == "structure" and isinstance(value, dict):
        named = ((member, value.get(_name(inner, member)), inner) for member, inner in shape.members.items())
        return {member: _from_json(inner, piece) for member, piece, inner in named if piece is not None}
    if shape.type_name == "list" and isinstance(value, list):
        return [_from_json(shape.member, element) for element in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _from_json(shape.value, inner) for key, inner in value.items()}
    if shape.type_name == "blob" and isinstance(value, str):
        return _decoded(value)
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ServiceError("SerializationException", f"A blob is not base64: {error}") from error


def _to_json(shape: Shape, value: Any) -> Any:
    if shape.type_name == "structure":
        pairs = ((member, shape.members[member], inner) for member, inner in value.items() if inner is not None)
        return {_name(inner_shape, member): _to_json(inner_shape, inner) for member, inner_shape, inner in pairs}
    if shape.type_name == "list":
        return [_to_json(shape.member, element) for element in value]
    if shape.type_name == "map":
        return {key: _to_json(shape.value, inner) for key, inner in value.items()}
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "timestamp":
        return _utc(value).timestamp()
    return value


def _json_answer(model: ServiceModel, status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
    version = model.metadata.get("jsonVersion")
    content_type = f"application/x-amz-json-{version}" if version else "application/json"
    return Answer(status, {"Content-Type": content_type, **headers}, json.dumps(body).encode())


def _utc(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken to be UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_READERS = {"query": _read_query, "json": _read_json, "rest-json": _read_rest_json}
