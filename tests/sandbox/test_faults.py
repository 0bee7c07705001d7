from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from aurora_sandbox.faultform import fault_of
from aurora_sandbox.faults import SPARED, Fault, Faults, Struck
from aurora_sandbox.server import Sandbox
from aurora_sandbox.wire import Broken, ServiceError
from tests import endpoint

CHANGE_SET = ("cloudformation", "CreateChangeSet")


def code_of(faults: Faults, service: str, operation: str) -> str | None:
    instead = faults.strike(service, operation).instead
    return instead.code if isinstance(instead, ServiceError) else None


def met(faults: Faults, calls: int) -> list[int]:
    """Which of so many calls are not served as they should be, counted from 1."""
    return [number for number in range(1, calls + 1) if faults.strike(*CHANGE_SET) != SPARED]


def on(*faults: Fault) -> Faults:
    result = Faults()
    for fault in faults:
        result.set(fault)
    return result


def test_as_many_calls_are_throttled_as_were_asked_for():
    assert met(on(Fault("throttle", *CHANGE_SET, times=2)), 5) == [1, 2]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7]),
        ({"nth": 3}, [3]),
        ({"nth": 2, "every": 3}, [2, 5]),
        ({"every": 3}, [3, 6]),
        ({"every": 1, "times": 2}, [1, 2]),
        ({"rate": 1.0, "nth": 4}, [4]),
    ],
)
def test_the_nth_call_from_now_on_meets_a_fault_or_each_so_many(turns: dict[str, Any], expected: list[int]):
    assert met(on(Fault("drop-before", **turns)), 7) == expected


def test_a_share_of_the_calls_is_drawn_alike_from_the_same_seed_and_otherwise_from_another():
    first, again, other = (met(on(Fault("throttle", rate=0.2, seed=seed)), 1000) for seed in (7, 7, 8))
    assert first == again != other
    assert 150 < len(first) < 250


def test_a_seed_that_nobody_gave_is_told():
    told = Faults().set(Fault("throttle", rate=0.5))
    assert isinstance(told.document()["seed"], int)


def test_a_limit_lets_so_many_calls_of_any_second_pass_and_counts_none_of_the_others():
    now = 0.0
    faults = Faults(clock=lambda: now)
    faults.set(Fault("limit", "cloudformation", per_second=2))
    assert met(faults, 5) == [3, 4, 5]
    now = 0.9
    assert met(faults, 1) == [1]
    now = 1.0
    assert met(faults, 3) == [3]


def test_a_fault_is_for_its_service_its_operation_and_whoever_calls():
    faults = on(Fault("throttle", "rds-data", "BeginTransaction"), Fault("5xx", "sts", by="user"))
    assert faults.strike("rds-data", "ExecuteStatement") == SPARED
    assert faults.strike("sts", "GetCallerIdentity", by="function") == SPARED
    assert faults.strike("rds-data", "BeginTransaction", by="function") != SPARED
    assert faults.strike("sts", "AssumeRole", by="user") != SPARED


def test_a_fault_ends_when_it_is_cleared_and_tells_how_often_it_was_met():
    faults = on(Fault("throttle", "rds-data", nth=2), Fault("5xx", "rds-data", nth=9))
    for _ in range(3):
        faults.strike("rds-data", "ExecuteStatement")
    assert [(told.fault.name, told.counted, told.happened) for told in faults.all()] == [
        ("throttle", 3, 1),
        ("5xx", 2, 0),  # a call that is refused gets no further
    ]
    assert [told.fault.name for told in faults.clear("throttle")] == ["throttle"]
    assert [told.fault.name for told in faults.clear()] == ["5xx"]
    assert not faults.are_on()


def test_a_call_may_meet_several_faults():
    faults = on(Fault("slow", seconds=2), Fault("drop-after"), Fault("slow", "cloudformation", seconds=1))
    assert faults.strike(*CHANGE_SET) == Struck(None, 3, "dropped")
    faults.set(Fault("drop-before"))
    assert isinstance(faults.strike(*CHANGE_SET).instead, Broken)


@pytest.mark.parametrize(
    ("name", "service", "expected"),
    [
        ("throttle", "cloudformation", ("Throttling", 400, "Rate exceeded")),
        ("throttle", "iam", ("Throttling", 400, "Rate exceeded")),
        ("throttle", "ec2", ("RequestLimitExceeded", 503, "Request limit exceeded.")),
        ("throttle", "rds-data", ("ThrottlingException", 400, "Rate exceeded")),
        ("throttle", "lambda", ("TooManyRequestsException", 429, "Rate exceeded")),
        ("throttle", "s3", ("SlowDown", 503, "Please reduce your request rate.")),
        (
            "expired-credentials",
            "cloudformation",
            ("ExpiredToken", 403, "The security token included in the request is expired"),
        ),
        (
            "expired-credentials",
            "secretsmanager",
            ("ExpiredTokenException", 400, "The security token included in the request is expired"),
        ),
        (
            "expired-credentials",
            "rds-data",
            ("ExpiredTokenException", 403, "The security token included in the request is expired"),
        ),
        (
            "5xx",
            "cloudformation",
            ("ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."),
        ),
        (
            "5xx",
            "rds-data",
            ("ServiceUnavailableError", 503, "The request has failed due to a temporary failure of the server."),
        ),
        ("oversize", "rds-data", ("BadRequestException", 400, "Database response exceeded size limit")),
    ],
)
def test_each_service_refuses_in_its_own_words(name: str, service: str, expected: tuple[str, int, str]):
    instead = on(Fault(name, service)).strike(service, "ExecuteStatement").instead
    assert isinstance(instead, ServiceError)
    assert (instead.code, instead.status, instead.message) == expected


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "there is no fault : "),
        ({"name": "throtle"}, "there is no fault throtle; did you mean throttle?"),
        ({"name": "throttle", "service": "cloudfromation"}, "no service cloudfromation; did you mean cloudformation?"),
        ({"name": "throttle", "operation": "CreateStack"}, "the operation CreateStack is of which service?"),
        (
            {"name": "throttle", "service": "cloudformation", "operation": "create_stack"},
            "cloudformation has no operation create_stack; did you mean CreateStack?",
        ),
        ({"name": "throttle", "rate": 20}, "rate is a share of more than nothing, up to 1, and not 20"),
        ({"name": "throttle", "nth": 0}, "nth is a whole number from 1, and not 0"),
        ({"name": "throttle", "per_second": 5}, "only a limit has so many calls a second"),
        ({"name": "limit"}, "a limit needs how many calls a second pass, for example 5/s"),
        ({"name": "limit", "per_second": 5, "rate": 0.5}, "a limit has no share of the calls"),
        ({"name": "oversize", "service": "rds"}, "oversize is for rds-data ExecuteStatement alone"),
        (
            {"name": "slow-stacks", "service": "cloudformation"},
            "slow-stacks is for no service's calls, so it has no service",
        ),
        ({"name": "throttle", "seconds": 5}, "throttle takes no seconds"),
        ({"name": "slow", "seconds": True}, "seconds is more than 0, up to 3600, and not True"),
        ({"name": "slow", "status": 500}, "slow has no status; only 5xx has"),
        ({"name": "5xx", "status": 418}, "status is 500 or 503, and not 418"),
        ({"name": "throttle", "seed": 1}, "a seed is for what is drawn, so it needs a rate"),
        ({"name": "throttle", "sevice": "rds"}, "a fault has no sevice; did you mean service?"),
    ],
)
def test_what_is_no_fault_is_refused_with_a_sentence(document: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        fault_of(document)


# In a sandbox


@pytest.fixture
def account(sandbox: Sandbox) -> Iterator[endpoint.Endpoint]:
    running = endpoint.Endpoint(sandbox.endpoint_url, sandbox.environment(), sandbox.mysql.port, "")
    yield running
    running.clear()


def topic(name: str = "t") -> dict[str, Any]:
    """A stack of two resources, the second after the first, that costs nothing."""
    secret: dict[str, Any] = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": name}}
    return {"Resources": {"First": secret, "Second": {**secret, "DependsOn": "First"}}}


def test_an_answer_is_lost_before_or_after_a_call_took_effect(account: endpoint.Endpoint):
    for name, is_there in (("drop-before", False), ("drop-after", True)):
        account.meet(name, service="cloudformation", operation="CreateStack")
        with pytest.raises(ConnectionClosedError):
            account.deploy(name, topic())
        assert (name in account.stacks()) is is_there
        account.clear()
    assert account.settled("drop-after") == "CREATE_COMPLETE"
    account.client("cloudformation").delete_stack(StackName="drop-after")


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "GetCallerIdentity", "Throttling"),
        ("iam", "ListRoles", "Throttling"),
        ("logs", "DescribeLogGroups", "ThrottlingException"),
        ("sqs", "ListQueues", "RequestThrottled"),
        ("lambda", "ListFunctions", "TooManyRequestsException"),
        ("s3", None, "SlowDown"),
    ],
)
def test_every_service_has_faults_also_those_of_moto(
    account: endpoint.Endpoint, service: str, operation: str | None, code: str
):
    client = account.client(service)
    method = "list_buckets" if operation is None else endpoint.method_of(client, operation)
    account.meet("throttle", service=service, operation=operation, times=1)
    with pytest.raises(ClientError) as caught:
        getattr(client, method)()
    assert caught.value.response["Error"]["Code"] == code
    getattr(client, method)()


def test_a_slow_stack_is_in_progress_all_the_time_and_its_events_come_one_after_the_other(account: endpoint.Endpoint):
    account.meet("slow-stacks", seconds=0.6)
    begun = time.monotonic()
    assert account.deploy("slow", topic()) == "CREATE_COMPLETE"
    assert 0.6 <= time.monotonic() - begun < 5
    events = account.client("cloudformation").describe_stack_events(StackName="slow")["StackEvents"][::-1]
    times = {(event["LogicalResourceId"], event["ResourceStatus"]): event["Timestamp"] for event in events}
    begins = times["slow", "CREATE_IN_PROGRESS"]
    spread = [
        (times[name, status] - begins).total_seconds()
        for name, status in (("First", "CREATE_COMPLETE"), ("Second", "CREATE_COMPLETE"), ("slow", "CREATE_COMPLETE"))
    ]
    assert spread[0] >= 0.3
    assert spread[1] >= 0.6
    assert spread[2] >= 0.6
    begun = time.monotonic()
    account.client("cloudformation").delete_stack(StackName="slow")
    assert account.settled("slow") == "gone"
    assert time.monotonic() - begun >= 0.6


def test_what_is_on_is_told_with_how_often_it_was_met(account: endpoint.Endpoint):
    account.meet("5xx", service="sts", nth=2, status=500)
    sts = account.client("sts")
    sts.get_caller_identity()
    with pytest.raises(ClientError, match="InternalFailure"):
        sts.get_caller_identity()
    assert account.faults() == [{"name": "5xx", "service": "sts", "nth": 2, "status": 500, "counted": 2, "happened": 1}]


WORKER = """\
import json
import urllib.request


def handler(event, context):
    print(event["RequestType"], "is done")
    told = ("StackId", "RequestId", "LogicalResourceId")
    answer = {name: event[name] for name in told} | {"Status": "SUCCESS", "PhysicalResourceId": "one"}
    for _ in range(2):
        request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
        try:
            with urllib.request.urlopen(request):
                print("it was told")
                return
        except OSError:
            print("nobody heard of it")
"""
ASSUMED = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
CUSTOM = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [ASSUMED]}},
        },
        "Worker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "the-worker",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": WORKER},
            },
        },
        "Custom": {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Worker", "Arn"]}}},
    }
}


def test_a_function_works_again_after_a_crash_that_lost_its_answer_and_answers_again_what_nobody_confirmed(
    account: endpoint.Endpoint,
):
    account.meet("crash-after", times=1)
    assert account.deploy("custom", CUSTOM, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    account.clear()
    with pytest.raises(HTTPError):
        account.meet("answer-twice", function="nobody")
    account.meet("answer-twice", function="worker")
    account.client("cloudformation").delete_stack(StackName="custom")
    assert account.settled("custom") == "gone"
    assert account.faults() == [{"name": "answer-twice", "function": "worker", "counted": 1, "happened": 1}]
    said = [line for line in account.log("the-worker").splitlines() if "RequestId" not in line]
    assert said == [
        "Create is done",  # and here it ends
        "Create is done",
        "it was told",
        "Delete is done",
        "nobody heard of it",
        "it was told",
    ]
