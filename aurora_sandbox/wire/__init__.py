"""AWS's wire protocols seen from the server: a request becomes plain parameters, a result becomes an answer.

Everything that differs between services (names, types, list and map spelling, result wrappers, namespaces) is read
from botocore's public service models, so a service of the sandbox deals in what a boto3 caller passes and receives
and never sees XML, JSON or base64. Three protocols, each the only one its services list:

    query      cloudformation, rds           query.py           form fields in, XML out
    json       secretsmanager                json.py            X-Amz-Target and JSON in, JSON out
    rest-json  rds-data, scheduler, lambda   json.py, rest.py   path, query, headers and JSON in, headers and JSON out

A client of cloudwatch chooses between the first two. Only what these models use is here: no flattened lists, no
streams but the payload of a function.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel

from aurora_sandbox.wire import constraints, json, query
from aurora_sandbox.wire.values import (
    Answer,
    Broken,
    Caller,
    Kept,
    Request,
    Service,
    ServiceError,
    UnknownProtocol,
    kept,
)

__all__ = [
    "Answer",
    "Broken",
    "Caller",
    "Kept",
    "Request",
    "Service",
    "ServiceError",
    "UnknownProtocol",
    "answer",
    "constraints",
    "kept",
    "names_operations",
    "parse",
    "query",
    "read",
    "refusal",
    "service_model",
    "spoken",
]

_READERS = {"query": query.read, "json": json.read, "rest-json": json.read_rest}


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

    Raises ServiceError for an unknown operation, a body that cannot be read, and parameters that break any constraint
    of the model (constraints.py): a client other than botocore sends what it likes, and botocore itself checks only
    what is required, types, and the least length. Members that the model does not have are left out, as AWS does.
    Raises UnknownProtocol for a service that speaks another protocol than the three.
    """
    operation, parameters = read(model, request)
    code = "ValidationError" if _protocol(model) == "query" else "ValidationException"
    if error := constraints.refusal(operation, parameters, code=code):
        raise error
    return operation, parameters


def read(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    """The same of parameters that may break constraints."""
    reader = _READERS.get(_protocol(model))
    if reader is None:
        raise UnknownProtocol(_protocol(model))
    return reader(model, request)


def names_operations(model: ServiceModel) -> bool:
    """Whether it can be told from a request to this service which operation it is for."""
    return _protocol(model) in (*_READERS, "ec2") or len(model.metadata.get("protocols", ())) > 1


def answer(operation: OperationModel, result: Mapping[str, Any]) -> Answer:
    """The HTTP answer for a result in the shape a boto3 caller receives, without ResponseMetadata.

    Raises KeyError for a member that the model does not have: a service must not answer what AWS would not.
    """
    if _protocol(operation.service_model) == "query":
        return query.answer(operation, result, str(uuid.uuid4()))
    return json.answer(operation, result, str(uuid.uuid4()))


def refusal(model: ServiceModel, error: ServiceError) -> Answer:
    """The HTTP answer for an error, in the form of the service's protocol."""
    if _protocol(model) == "ec2":
        return query.ec2_refusal(error, str(uuid.uuid4()))
    if _protocol(model) == "rest-xml":
        return query.s3_refusal(error, str(uuid.uuid4()))
    if _protocol(model) == "query":
        return query.refusal(model, error, str(uuid.uuid4()))
    return json.refusal(model, error, str(uuid.uuid4()), has_type=_protocol(model) == "json")


def _protocol(model: ServiceModel) -> str:
    """The protocol botocore speaks with this service; older versions (1.37) do not choose, each service has one."""
    return str(getattr(model, "resolved_protocol", model.metadata["protocol"]))
