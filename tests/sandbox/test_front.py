from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from aurora_sandbox.faults import Faults
from aurora_sandbox.front import Front
from aurora_sandbox.iam import Guard, Policies
from aurora_sandbox.wire import Answer, Caller, Request

HEADER = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/rds-data/aws4_request, SignedHeaders=host, Signature=00"


class Data:
    """A Data API that does whatever a test says."""

    name = "rds-data"

    def __init__(self, work: Callable[[], dict[str, Any]]) -> None:
        self._work = work

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return self._work()


def front(work: Callable[[], dict[str, Any]]) -> Front:
    return Front(
        {"rds-data": Data(work)},
        region="eu-west-1",
        moto=lambda request: Answer(404, {}, b""),
        own=lambda request: Answer(404, {}, b""),
        guard=Guard(
            Policies(lambda: None),
            function_of=lambda key: None,
            arn_prefix=lambda service: "",
            secret=lambda secret_id: None,
        ),
        faults=Faults(),
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


def test_calls_are_counted_by_service_and_operation_even_if_they_fail():
    counting = front(lambda: {}["missing"])
    counting.respond(REQUEST)
    counting.respond(REQUEST)
    assert counting.calls == {("rds-data", "ExecuteStatement"): 2}
