"""The query protocol: form fields in, in the body or the address of a presigned request; XML out.

    Action=CreateStack&StackName=shop&Tags.member.1.Key=team…     {"StackName": "shop", "Tags": [{"Key": "team", …}]}
    {"StackId": "arn:…"}     <CreateStackResponse><CreateStackResult><StackId>arn:…

An empty list is sent as an empty field.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from botocore.model import OperationModel, ServiceModel, Shape

from aurora_sandbox.clock import utc
from aurora_sandbox.wire.scalars import from_text, name_of
from aurora_sandbox.wire.values import Answer, Request, ServiceError

# XML 1.0 cannot say these at all, not even as character references: the reader would refuse the whole answer.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    """The operation and its parameters. Raises ServiceError."""
    pairs = fields(request)
    form = dict(pairs)
    if len(form) < len(pairs):
        raise ServiceError("MalformedInput", "A form field may be there once.")
    action = form.get("Action", "")
    if action not in model.operation_names:
        raise ServiceError("InvalidAction", f"Could not find operation {action} for version {model.api_version}")
    operation = model.operation_model(action)
    if operation.input_shape is None:
        return operation, {}
    try:
        return operation, _from_fields(operation.input_shape, _tree(form))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServiceError("MalformedInput", f"The form fields do not make up {action}'s parameters.") from error


def fields(request: Request) -> list[tuple[str, str]]:
    """The names and values of a form, in their order. Not of one in several parts, which moto reads otherwise."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        return []
    form = f"{request.target.partition('?')[2]}&{request.body.decode(errors='replace')}"
    return parse_qsl(form, keep_blank_values=True)


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
        named = ((member, name_of(inner, member), inner) for member, inner in shape.members.items())
        return {member: _from_fields(inner, node[name]) for member, name, inner in named if name in node}
    if shape.type_name == "list":
        if node == "":
            return []
        elements = node[name_of(shape.member, "member")]
        return [_from_fields(shape.member, elements[key]) for key in sorted(elements, key=int)]
    if shape.type_name == "map":
        entries = node["entry"]
        key_name, value_name = name_of(shape.key, "key"), name_of(shape.value, "value")
        in_order = (entries[key] for key in sorted(entries, key=int))
        return {entry[key_name]: _from_fields(shape.value, entry[value_name]) for entry in in_order}
    return from_text(shape, node)


def answer(operation: OperationModel, result: Mapping[str, Any], request_id: str) -> Answer:
    """Raises KeyError for a member that the model does not have."""
    return _xml(200, request_id, _result(operation, result, request_id))


def refusal(model: ServiceModel, error: ServiceError, request_id: str) -> Answer:
    return _xml(error.status, request_id, _error(model, error, request_id))


def ec2_refusal(error: ServiceError, request_id: str) -> Answer:
    """The same of EC2, whose protocol is this one but for lists and errors."""
    root = ElementTree.Element("Response")
    element = ElementTree.SubElement(ElementTree.SubElement(root, "Errors"), "Error")
    ElementTree.SubElement(element, "Code").text = error.code
    ElementTree.SubElement(element, "Message").text = _NOT_XML.sub("\ufffd", error.message)
    ElementTree.SubElement(root, "RequestID").text = request_id
    return _xml(error.status, request_id, root)


def s3_refusal(error: ServiceError, request_id: str) -> Answer:
    """The same of S3, whose errors alone are known here."""
    root = ElementTree.Element("Error")
    ElementTree.SubElement(root, "Code").text = error.code
    ElementTree.SubElement(root, "Message").text = _NOT_XML.sub("\ufffd", error.message)
    ElementTree.SubElement(root, "RequestId").text = request_id
    return _xml(error.status, request_id, root)


def _result(operation: OperationModel, result: Mapping[str, Any], request_id: str) -> ElementTree.Element:
    root = ElementTree.Element(f"{operation.name}Response", xmlns=operation.service_model.metadata["xmlNamespace"])
    shape = operation.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        _add_members(ElementTree.SubElement(root, wrapper) if wrapper else root, shape, result)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = request_id
    return root


def _error(model: ServiceModel, error: ServiceError, request_id: str) -> ElementTree.Element:
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
            _add(parent, name_of(shape.members[member], member), shape.members[member], inner)


def _add(parent: ElementTree.Element, name: str, shape: Shape, value: Any) -> None:
    node = ElementTree.SubElement(parent, name)
    if shape.type_name == "structure":
        _add_members(node, shape, value)
    elif shape.type_name == "list":
        for element in value:
            _add(node, name_of(shape.member, "member"), shape.member, element)
    elif shape.type_name == "map":
        for key, inner in value.items():
            entry = ElementTree.SubElement(node, "entry")
            _add(entry, name_of(shape.key, "key"), shape.key, key)
            _add(entry, name_of(shape.value, "value"), shape.value, inner)
    else:
        node.text = _to_text(shape, value)


def _to_text(shape: Shape, value: Any) -> str:
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "timestamp":
        return utc(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return _NOT_XML.sub("\ufffd", str(value))


def _xml(status: int, request_id: str, document: ElementTree.Element) -> Answer:
    # Asked for bytes, ElementTree would be half as fast.
    text = f"<?xml version='1.0' encoding='utf-8'?>\n{ElementTree.tostring(document, encoding='unicode')}"
    # A reader turns a bare carriage return into a line feed; ElementTree writes it bare in text.
    body = text.replace("\r", "&#13;").encode()
    return Answer(status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body)
