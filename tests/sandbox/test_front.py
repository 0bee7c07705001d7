from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from aurora_sandbox.clients import ITSELF
from aurora_sandbox.faults import Fault, Faults
from aurora_sandbox.front import Front
from aurora_sandbox.iam import Guard, Policies
from aurora_sandbox.wire import Answer, Caller, Request

HEADER = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/rds-data/aws4_request, SignedHeaders=host, Signature=00"


class Data:
    """A Data API that does whatever a test says."""

    name = "rds-data"
    only = None

    def __init__(self, work: Callable[[], dict[str, Any]]) -> None:
        self._work = work

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return self._work()


@dataclass(frozen=True)
class AsFunction:
    name: str = "words"
    role_arn: str = "arn:aws:iam::123456789012:role/words"


def front(
    work: Callable[[], dict[str, Any]],
    *,
    function_of: Any = lambda key: None,
    moto: Any = None,
    faults: Faults | None = None,
) -> Front:
    return Front(
        {"rds-data": Data(work)},
        region="eu-west-1",
        moto=moto or (lambda request: Answer(404, {}, b"")),
        own=lambda request: Answer(404, {}, b""),
        guard=Guard(
            Policies(lambda: None),
            function_of=function_of,
            arn_prefix=lambda service: "",
            secret=lambda secret_id: None,
        ),
        faults=faults or Faults(),
        iam_changed=lambda: None,
        assumed=lambda answer: None,
    )


STATEMENT = {"resourceArn": "arn:12345678901", "secretArn": "arn:12345678901", "sql": "DO 1"}
REQUEST = Request("POST", "/Execute", {"authorization": HEADER}, json.dumps(STATEMENT).encode())


def test_a_bug_in_a_service_reaches_the_caller_as_an_answer_and_the_log_as_a_traceback(
    caplog: pytest.LogCaptureFixture,
):
    answer = front(lambda: {}["missing"]).respond(REQUEST)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (500, "InternalFailure")
    assert json.loads(answer.body) == {"message": "The sandbox failed, this is a bug in it: KeyError: 'missing'"}
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/", {}, b"Action=DescribeVpcs&Action=CreateVpc"),
        Request("POST", "/?Action=CreateVpc", {}, b"Action=DescribeVpcs"),
        Request("POST", "/?Action=DescribeVpcs", {"content-type": "multipart/form-data; boundary=x"}, b"--x"),
    ],
)
def test_a_function_is_refused_a_request_that_may_ask_two_things(request_: Request):
    """moto would do one of them, and the role be asked about the other."""
    calls: list[Request] = []
    asked = front(dict, function_of=lambda key: AsFunction(), moto=calls.append)
    signed = {**request_.headers, "authorization": HEADER.replace("rds-data", "ec2")}
    answer = asked.respond(replace(request_, headers=signed))
    assert (answer.status, b"cannot tell what a role must allow" in answer.body, calls) == (403, True, [])


def test_calls_are_counted_by_service_and_operation_even_if_they_fail():
    counting = front(lambda: {}["missing"])
    counting.respond(REQUEST)
    counting.respond(REQUEST)
    assert counting.calls == {("rds-data", "ExecuteStatement"): 2}


def test_a_call_that_the_sandbox_makes_itself_meets_no_fault():
    faults = Faults()
    faults.set(Fault("throttle"))
    asked = front(lambda: {"records": [], "numberOfRecordsUpdated": 0}, faults=faults)
    itself = replace(REQUEST, headers={**REQUEST.headers, "user-agent": f"Boto3 {ITSELF}"})
    assert [asked.respond(request).status for request in (REQUEST, itself)] == [400, 200]


def test_an_answer_that_aws_would_not_give_is_a_bug_and_not_an_answer():
    wrong = front(lambda: {"records": [[{"numberValue": 1}]]})
    answer = wrong.respond(REQUEST)
    assert (answer.status, json.loads(answer.body)["message"].partition(": ")[2]) == (
        500,
        "TypeError: ExecuteStatement answers what is not in AWS's model: "
        "records.1.member.1.member.numberValue is not in the model",
    )
    assert wrong.checked == {}


def test_answers_that_were_compared_are_counted():
    right = front(lambda: {"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0})
    assert right.respond(REQUEST).status == 200
    assert right.checked == {("rds-data", "ExecuteStatement"): 1}


def test_a_request_that_breaks_the_model_reaches_no_service():
    asked = front(lambda: {}["missing"])
    request = Request("POST", "/Execute", {"authorization": HEADER}, json.dumps({**STATEMENT, "sql": None}).encode())
    answer = asked.respond(request)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "ValidationException")
    said = "1 validation error detected: Value null at 'sql' failed to satisfy constraint: Member must not be null"
    assert json.loads(answer.body) == {"message": said}
    assert asked.calls == {}
