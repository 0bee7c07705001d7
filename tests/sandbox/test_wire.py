"""Round trips: a real boto3 client on one side, the wire and a service that records and repeats on the other."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurora_sandbox import wire
from aurora_sandbox.front import Listener

SERVICES = ("cloudformation", "secretsmanager", "rds-data", "scheduler", "cloudwatch")
# botocore parses a template into an object, so what the caller receives is not what was sent.
REWRITTEN_BY_BOTOCORE = {"GetTemplate"}


class Echo:
    """Answers every request of one service with `result`, or refuses with `error`; keeps the parameters it received."""

    def __init__(self, name: str) -> None:
        self.name, self.model = name, wire.service_model(name)
        self.result: dict[str, Any] = {}
        self.error: wire.ServiceError | None = None
        self.received: tuple[str, dict[str, Any]] | None = None

    def answer(self, request: wire.Request) -> wire.Answer:
        self.model = wire.spoken(self.name, request)
        try:
            operation, parameters = wire.read(self.model, request)
            self.received = operation.name, parameters
            if self.error is not None:
                raise self.error
            return wire.answer(operation, self.result)
        except wire.ServiceError as error:
            return wire.refusal(self.model, error)


class Talk:
    """One service's echo and a boto3 client that reaches it."""

    def __init__(self, echo: Echo, endpoint_url: str) -> None:
        self.echo = echo
        self.client = boto3.client(
            echo.model.service_name,
            endpoint_url=endpoint_url,
            region_name="eu-west-1",
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self._methods = {api: method for method, api in self.client.meta.method_to_api_mapping.items()}

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        result = getattr(self.client, self._methods[operation])(**parameters)
        del result["ResponseMetadata"]
        return result


@contextmanager
def listening(echo: Echo) -> Iterator[str]:
    listener = Listener()
    listener.serve(echo.answer, refusal=lambda request: None)
    try:
        yield listener.url
    finally:
        listener.close()


@pytest.fixture(scope="module")
def talks() -> Iterator[dict[str, Talk]]:
    echoes = {name: Echo(name) for name in SERVICES}
    with ExitStack() as ends:
        yield {name: Talk(echo, ends.enter_context(listening(echo))) for name, echo in echoes.items()}


@pytest.fixture(autouse=True)
def forget(request: pytest.FixtureRequest) -> None:
    if "talks" in request.fixturenames:
        for talk in request.getfixturevalue("talks").values():
            talk.echo.result, talk.echo.error, talk.echo.received = {}, None, None


def values(shape: Shape, *, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a shape. Structures and maps are never empty: the query protocol has no way to say an empty one."""
    if shape.type_name == "structure":
        return structures(shape, depth=depth)
    if shape.type_name == "list":
        smallest = min(shape.metadata.get("min", 0), 2)
        return st.lists(values(shape.member, depth=depth + 1), min_size=smallest, max_size=max(smallest, 2))
    if shape.type_name == "map":
        return st.dictionaries(
            values(shape.key, depth=depth + 1), values(shape.value, depth=depth + 1), min_size=1, max_size=2
        )
    return scalars(shape)


def structures(shape: Shape, *, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    if getattr(shape, "is_tagged_union", False):
        return st.one_of(
            st.fixed_dictionaries({name: st.deferred(lambda m=member: values(m, depth=depth + 1))})
            for name, member in shape.members.items()
            if depth < 4 or member.type_name not in ("structure", "list", "map")
        )
    # botocore fills an idempotency token in when the caller leaves it out, so one is always given here.
    needed = {*shape.required_members, *(n for n, m in shape.members.items() if m.metadata.get("idempotencyToken"))}
    if not needed and depth:
        needed = set(list(shape.members)[:1])
    optional = {} if depth > 3 else {n: m for n, m in shape.members.items() if n not in needed}
    return st.fixed_dictionaries(
        {name: st.deferred(lambda m=shape.members[name]: values(m, depth=depth + 1)) for name in sorted(needed)},
        optional={
            name: st.deferred(lambda m=member: values(m, depth=depth + 1))
            for name, member in list(optional.items())[:6]
        },
    )


def scalars(shape: Shape) -> st.SearchStrategy[Any]:
    smallest = shape.metadata.get("min", 0)
    if shape.type_name == "string":
        printable = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
        return st.text(st.one_of(printable, st.sampled_from("<&>\"'\r\n\t")), min_size=smallest, max_size=smallest + 20)
    if shape.type_name == "timestamp":
        start = datetime(2020, 1, 1, tzinfo=UTC)
        return st.integers(0, 10**9).map(lambda seconds: start + timedelta(seconds=seconds))
    if shape.type_name == "blob":
        return st.binary(min_size=smallest, max_size=smallest + 20)
    if shape.type_name in ("float", "double"):
        return st.floats(allow_nan=False, allow_infinity=False, width=32)
    if shape.type_name == "boolean":
        return st.booleans()
    return st.integers(max(smallest, 0), 2**31 - 1)


def operations(service: str) -> list[OperationModel]:
    model = wire.service_model(service)
    return [model.operation_model(name) for name in model.operation_names if name not in REWRITTEN_BY_BOTOCORE]


@pytest.mark.parametrize("service", SERVICES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_parameters_arrive_as_the_caller_passed_them(service: str, talks: dict[str, Talk], data: st.DataObject):
    talk = talks[service]
    operation = data.draw(st.sampled_from([o for o in operations(service) if o.input_shape is not None]))
    parameters = data.draw(values(operation.input_shape))
    talk.echo.result = data.draw(least(operation))
    talk.call(operation.name, parameters)
    assert talk.echo.received == (operation.name, parameters)


@pytest.mark.parametrize("service", SERVICES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_result_is_received_as_the_service_gave_it(service: str, talks: dict[str, Talk], data: st.DataObject):
    talk = talks[service]
    operation = data.draw(st.sampled_from([o for o in operations(service) if o.output_shape is not None]))
    talk.echo.result = data.draw(values(operation.output_shape))
    parameters = {} if operation.input_shape is None else data.draw(structures(operation.input_shape, depth=9))
    assert talk.call(operation.name, parameters) == talk.echo.result


def least(operation: OperationModel) -> st.SearchStrategy[dict[str, Any]]:
    return st.just({}) if operation.output_shape is None else structures(operation.output_shape, depth=9)


@pytest.mark.parametrize("service", SERVICES)
def test_an_error_is_raised_with_its_code_message_and_status(service: str, talks: dict[str, Talk]):
    talk = talks[service]
    talk.echo.error = wire.ServiceError("ForbiddenException", "no <entry> & no way", status=403)
    operation, parameters = {
        "cloudformation": ("DescribeStacks", {}),
        "secretsmanager": ("GetSecretValue", {"SecretId": "x"}),
        "rds-data": (
            "ExecuteStatement",
            {"resourceArn": "arn:12345678901", "secretArn": "arn:12345678901", "sql": "DO 1"},
        ),
        "scheduler": ("GetSchedule", {"Name": "wake"}),
        "cloudwatch": ("DescribeAlarms", {}),
    }[service]
    with pytest.raises(ClientError) as caught:
        talk.call(operation, parameters)
    error = caught.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("ForbiddenException", "no <entry> & no way")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_modelled_error_is_raised_as_its_own_class(talks: dict[str, Talk]):
    talk = talks["rds-data"]
    talk.echo.error = wire.ServiceError("DatabaseResumingException", "resuming")
    with pytest.raises(talk.client.exceptions.DatabaseResumingException):
        talk.client.execute_statement(resourceArn="arn:12345678901", secretArn="arn:12345678901", sql="DO 1")


def test_text_that_xml_cannot_carry_does_not_break_the_answer(talks: dict[str, Talk]):
    talk = talks["cloudformation"]
    talk.echo.error = wire.ServiceError("ValidationError", "nul \0 and escape \x1b")
    with pytest.raises(ClientError, match="nul \ufffd and escape \ufffd"):
        talk.client.describe_stacks()


def form(**fields: str) -> wire.Request:
    return wire.Request("POST", "/", {}, urlencode(fields).encode())


def refused(service: str, request: wire.Request) -> str:
    with pytest.raises(wire.ServiceError) as caught:
        wire.parse(wire.service_model(service), request)
    return caught.value.code


@pytest.mark.parametrize(
    ("service", "request_", "code"),
    [
        ("cloudformation", form(Action="NoSuchThing"), "InvalidAction"),
        ("cloudformation", form(Action="CreateStack"), "ValidationError"),
        ("cloudformation", form(Action="DescribeEvents", Filters="x"), "MalformedInput"),
        (
            "cloudformation",
            form(**{"Action": "DescribeStacks", "StackName": "a", "StackName.b": "c"}),
            "MalformedInput",
        ),
        ("cloudformation", wire.Request("POST", "/", {}, b"\xff=\xfe"), "InvalidAction"),
        ("iam", wire.Request("POST", "/", {}, b"Action=CreateUser&UserName=x&Action=GetUser"), "MalformedInput"),
        ("iam", wire.Request("POST", "/?Action=GetUser", {}, b"Action=CreateUser&UserName=x"), "MalformedInput"),
        ("secretsmanager", wire.Request("POST", "/", {}, b"{}"), "UnknownOperationException"),
        ("scheduler", wire.Request("GET", "/schedules?MaxResults=many", {}, b""), "ValidationException"),
        ("scheduler", wire.Request("GET", "/schedules/a/b", {}, b""), "UnknownOperationException"),
        ("rds-data", wire.Request("POST", "/Nothing", {}, b"{}"), "UnknownOperationException"),
        ("rds-data", wire.Request("POST", "/Execute", {}, b"{"), "SerializationException"),
        ("rds-data", wire.Request("POST", "/Execute", {}, b"[]"), "SerializationException"),
        ("rds-data", wire.Request("POST", "/Execute", {}, b'{"sql": 5}'), "SerializationException"),
        ("rds-data", wire.Request("POST", "/Execute", {}, b'{"sql": "DO 1"}'), "ValidationException"),
    ],
)
def test_what_botocore_would_never_send_is_refused_and_not_a_crash(service: str, request_: wire.Request, code: str):
    assert refused(service, request_) == code


def test_a_blob_that_is_not_base64_is_refused():
    headers = {"x-amz-target": "secretsmanager.PutSecretValue"}
    body = json.dumps({"SecretId": "x", "SecretBinary": "%"}).encode()
    assert refused("secretsmanager", wire.Request("POST", "/", headers, body)) == "SerializationException"


def test_an_answer_may_only_hold_what_the_model_has():
    operation = wire.service_model("secretsmanager").operation_model("GetSecretValue")
    with pytest.raises(KeyError, match="Secrit"):
        wire.answer(operation, {"Secrit": "x"})


def test_a_blob_travels_as_base64():
    operation = wire.service_model("secretsmanager").operation_model("GetSecretValue")
    sent = json.loads(wire.answer(operation, {"SecretBinary": b"\0\xff"}).body)
    assert sent == {"SecretBinary": base64.b64encode(b"\0\xff").decode()}


def test_lists_of_rds_are_named_after_their_elements():
    operation = wire.service_model("rds").operation_model("DescribeDBClusters")
    body = wire.answer(operation, {"DBClusters": [{"DBClusterIdentifier": "one"}]}).body
    assert b"<DBClusters><DBCluster><DBClusterIdentifier>one</DBClusterIdentifier></DBCluster></DBClusters>" in body


def test_a_service_answers_in_the_protocol_that_its_client_chose():
    """Older versions of botocore speak query with cloudwatch, younger ones JSON."""
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    body = urlencode({"Action": "DescribeAlarms", "AlarmNames.member.1": "late"}).encode()
    by_form = wire.Request("POST", "/", headers, body)
    by_json = wire.Request(
        "POST", "/", {"x-amz-target": "GraniteServiceVersion20100801.DescribeAlarms"}, b'{"AlarmNames": ["late"]}'
    )
    types = []
    for request in (by_form, by_json):
        operation, parameters = wire.parse(wire.spoken("cloudwatch", request), request)
        assert (operation.name, parameters) == ("DescribeAlarms", {"AlarmNames": ["late"]})
        types.append(wire.answer(operation, {"MetricAlarms": []}).headers["Content-Type"])
    assert types == ["text/xml", "application/x-amz-json-1.0"]


def test_a_protocol_that_nobody_speaks_here_is_named():
    request = wire.Request("POST", "/service/x/operation/DescribeAlarms", {"smithy-protocol": "rpc-v2-cbor"}, b"")
    with pytest.raises(wire.UnknownProtocol, match="smithy-rpc-v2-cbor"):
        wire.parse(wire.spoken("cloudwatch", request), request)


def test_a_model_in_another_protocol_leaves_the_one_it_was_made_of_alone(monkeypatch: pytest.MonkeyPatch):
    session = botocore.session.get_session()
    description = session.get_service_data("cloudwatch")
    monkeypatch.setattr(botocore.session.Session, "get_service_data", lambda *_, **__: description)
    before = dict(description["metadata"])
    wire.service_model.cache_clear()
    assert wire.service_model("cloudwatch", "json").metadata["protocol"] == "json"
    assert description["metadata"] == before
