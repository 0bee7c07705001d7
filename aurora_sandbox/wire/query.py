"""The query protocol: form fields in, in the body or the address of a presigned request; XML out.

    Action=CreateStack&StackName=shop&Tags.member.1.Key=team…     {"StackName": "shop", "Tags": [{"Key": "team", …}]}
    {"StackId": "arn:…"}     <CreateStackResponse><CreateStackResult><StackId>arn:…

An empty list is sent as an empty field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import OperationModel, ServiceModel, Shape

from aurora_sandbox.wire import xml
from aurora_sandbox.wire.scalars import from_text, name_of
from aurora_sandbox.wire.values import Answer, Request, ServiceError
from aurora_sandbox.wire.xml import element


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
    shape, text = operation.output_shape, ""
    if shape is not None:
        text = xml.inside(shape)(result)
        wrapper = shape.serialization.get("resultWrapper")
        text = element(wrapper, text) if wrapper else text
    metadata = element("ResponseMetadata", element("RequestId", request_id))
    return _xml(200, request_id, f"{operation.name}Response", text + metadata, operation.service_model)


def refusal(model: ServiceModel, error: ServiceError, request_id: str) -> Answer:
    kind = element("Type", "Sender" if error.status < 500 else "Receiver")
    said = element("Error", kind + _said(error))
    return _xml(error.status, request_id, "ErrorResponse", said + element("RequestId", request_id), model)


def ec2_refusal(error: ServiceError, request_id: str) -> Answer:
    """The same of EC2, whose protocol is this one but for lists and errors."""
    said = element("Errors", element("Error", _said(error)))
    return _xml(error.status, request_id, "Response", said + element("RequestID", request_id))


def s3_refusal(error: ServiceError, request_id: str) -> Answer:
    """The same of S3, whose errors alone are known here."""
    return _xml(error.status, request_id, "Error", _said(error) + element("RequestId", request_id))


def _said(error: ServiceError) -> str:
    return element("Code", xml.escaped(error.code)) + element("Message", xml.escaped(error.message))


def _xml(status: int, request_id: str, root: str, text: str, model: ServiceModel | None = None) -> Answer:
    namespace = f' xmlns="{model.metadata["xmlNamespace"]}"' if model else ""
    body = f"<?xml version='1.0' encoding='utf-8'?>\n<{root}{namespace}>{text}</{root}>".encode()
    return Answer(status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body)
