"""Lambda's API, as a client meets it: functions that a stack made are listed, described, invoked and deleted."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aurora_sandbox import ACCOUNT, REGION
from aurora_sandbox.awslambda import Lambda
from aurora_sandbox.functions import Functions
from aurora_sandbox.server import Sandbox
from aurora_sandbox.wire import Caller, ServiceError
from tests.endpoint import client as client_of
from tests.endpoint import own, until

CODE = """
def handler(event, context):
    print("got", event)
    if event == {"fail": 1}:
        raise ValueError("as asked")
    if event == {"hang": 1}:
        import time
        time.sleep(60)
    if event == {"exit": 1}:
        import os
        os._exit(3)
    return {"event": event}
"""
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
            ],
        }
    },
}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "FunctionName": "words",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": 1,
        "MemorySize": 256,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": CODE},
        "Environment": {"Variables": {"PLACE": "here", "PORT": 3000}},
    },
}
PERMISSION = {
    "Type": "AWS::Lambda::Permission",
    "Properties": {
        "FunctionName": {"Ref": "Function"},
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/daily",
    },
}
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:words"


def client(sandbox: Sandbox, service: str) -> Any:
    return client_of(sandbox.environment(), service, config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Any]:
    """A client, and one function that a stack made."""
    stacks = client(sandbox, "cloudformation")
    template = {"Resources": {"Role": ROLE, "Function": FUNCTION, "Permission": PERMISSION}}
    stacks.create_stack(StackName="words", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName="words", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    yield client(sandbox, "lambda")
    stacks.delete_stack(StackName="words")
    stacks.get_waiter("stack_delete_complete").wait(StackName="words", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})


def invoked(api: Any, event: Any, **how: Any) -> tuple[dict[str, Any], Any]:
    answer = api.invoke(FunctionName="words", Payload=json.dumps(event), **how)
    return answer, json.loads(answer["Payload"].read() or "null")


def log(sandbox: Sandbox) -> str:
    return own(sandbox.environment(), "logs/words")


def refusal(call: Any, **parameters: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer["Error"]["Message"], status


def test_functions_are_listed_and_described(api: Any):
    listed = [each for page in api.get_paginator("list_functions").paginate() for each in page["Functions"]]
    own = next(each for each in listed if each["FunctionName"] == "words")
    facts = {"FunctionArn": ARN, "Runtime": "python3.13", "MemorySize": 256, "Timeout": 1, "Handler": "index.handler"}
    assert facts.items() <= own.items()
    assert own["Environment"] == {"Variables": {"PLACE": "here", "PORT": "3000"}}, "every value is text"
    for name in ("words", ARN, f"{ACCOUNT}:function:words", "function:words", "words:$LATEST"):
        assert api.get_function(FunctionName=name)["Configuration"]["FunctionArn"] == ARN
        assert api.get_function_configuration(FunctionName=name)["CodeSha256"] == own["CodeSha256"]


def test_a_list_comes_in_pages(api: Any):
    pages = list(api.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1}))
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    assert "words" in names
    assert names == sorted(names)


def test_a_path_may_end_in_a_slash_as_older_clients_send_it(api: Any, sandbox: Sandbox):
    key = sandbox.environment()["AWS_ACCESS_KEY_ID"]
    header = f"AWS4-HMAC-SHA256 Credential={key}/20261127/{REGION}/lambda/aws4_request, SignedHeaders=host, Signature=0"
    url = f"{sandbox.endpoint_url}/2015-03-31/functions/"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": header})) as answer:
        assert "words" in [each["FunctionName"] for each in json.loads(answer.read())["Functions"]]


def test_an_invocation_gives_the_result_and_its_log(api: Any):
    answer, result = invoked(api, {"n": 1}, LogType="Tail")
    assert result == {"event": {"n": 1}}
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)
    assert base64.b64decode(answer["LogResult"]) == b"got {'n': 1}\n"
    assert invoked(api, [1, "two"])[1] == {"event": [1, "two"]}
    assert json.loads(api.invoke(FunctionName="words")["Payload"].read()) == {"event": {}}


def test_what_a_function_printed_is_in_its_log_group(api: Any, sandbox: Sandbox):
    logs, group = client_of(sandbox.environment(), "logs"), "/aws/lambda/words"
    invoked(api, {"n": 7})
    found = logs.filter_log_events(logGroupName=group, filterPattern="\"{'n': 7}\"")["events"]
    assert [each["message"] for each in found] == ["got {'n': 7}"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 1})
    every = [each for page in pages for each in page["events"]]
    assert [each["message"] for each in every] == log(sandbox).splitlines()
    assert found[0]["eventId"] in {each["eventId"] for each in every}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"logGroupName": "/aws/lambda/unknown"}, "ResourceNotFoundException"),
        ({"logGroupName": "words"}, "ResourceNotFoundException"),
        ({"logGroupName": "/aws/lambda/words", "filterPattern": "?ERROR"}, "NotImplemented"),
        ({"logGroupName": "/aws/lambda/words", "startTime": 1}, "NotImplemented"),
    ],
    ids=str,
)
def test_what_is_not_known_of_a_log_is_refused(api: Any, sandbox: Sandbox, asked: dict[str, Any], code: str):
    assert refusal(client_of(sandbox.environment(), "logs").filter_log_events, **asked)[0] == code


def test_a_function_that_fails_is_an_answer(api: Any):
    answer, error = invoked(api, {"fail": 1})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as asked")
    assert "in handler" in "".join(error["stackTrace"])


@pytest.mark.parametrize(("event", "kind"), [({"hang": 1}, "Sandbox.Timedout"), ({"exit": 1}, "Runtime.ExitError")])
def test_a_function_that_never_answers_is_one_too(api: Any, event: dict[str, int], kind: str):
    answer, error = invoked(api, event)
    assert (answer["FunctionError"], error["errorType"]) == ("Unhandled", kind)


def test_an_event_is_only_taken(api: Any, sandbox: Sandbox):
    answer, nothing = invoked(api, {"n": "later"}, InvocationType="Event")
    assert (answer["StatusCode"], nothing) == (202, None)
    until(lambda: "got {'n': 'later'}" in log(sandbox))


def test_a_dry_run_runs_nothing(api: Any, sandbox: Sandbox):
    before = log(sandbox)
    assert invoked(api, {"n": 1}, InvocationType="DryRun")[0]["StatusCode"] == 204
    assert log(sandbox) == before


def test_a_payload_is_json(api: Any):
    code, message, status = refusal(api.invoke, FunctionName="words", Payload=b"{n: 1}")
    assert (code, status) == ("InvalidRequestContentException", 400)
    assert message.startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(("kind", "most"), [("RequestResponse", 6_291_456), ("Event", 1_048_576)])
def test_a_payload_has_a_size(api: Any, kind: str, most: int):
    payload = b'"' + b"x" * (most - 1) + b'"'
    refused = refusal(api.invoke, FunctionName="words", Payload=payload, InvocationType=kind)
    said = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
    assert refused == ("RequestEntityTooLargeException", said, 413)


def test_the_policy_says_who_may_invoke_it(api: Any):
    (statement,) = json.loads(api.get_policy(FunctionName="words")["Policy"])["Statement"]
    assert statement.pop("Sid").startswith("words-Permission-")
    assert statement == {
        "Effect": "Allow",
        "Resource": ARN,
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Condition": {"ArnLike": {"AWS:SourceArn": PERMISSION["Properties"]["SourceArn"]}},
    }


def test_a_function_can_be_deleted(api: Any):
    api.delete_function(FunctionName="words")
    missing = ("ResourceNotFoundException", "Function not found: words", 404)
    for call in (api.delete_function, api.get_function, api.invoke, api.get_policy):
        assert refusal(call, FunctionName="words") == missing


def test_what_is_not_imitated_is_not_called_missing(api: Any):
    code, message, status = refusal(api.list_versions_by_function, FunctionName="words")
    assert (code, status) == ("NotImplemented", 501)
    assert message == "The sandbox does not imitate ListVersionsByFunction."
    assert refusal(api.get_function, FunctionName="words", Qualifier="live")[1] == "Function not found: words:live"


def test_every_other_operation_is_refused_with_a_sentence(api: Any):
    """None is passed on, where a function that exists would be called missing."""
    answered = {"DeleteFunction", "GetFunction", "GetFunctionConfiguration", "GetPolicy", "Invoke", "ListFunctions"}
    others = set(api.meta.service_model.operation_names) - answered - {"GetAccountSettings", "UpdateFunctionCode"}
    service = Lambda(Functions(endpoint_url="", region=REGION), s3=lambda: None, region=REGION)
    said = set()
    for operation in others:
        with pytest.raises(ServiceError) as caught:
            service.handle(operation, {}, Caller("test"))
        said.add((caught.value.code, caught.value.message == f"The sandbox does not imitate {operation}."))
    assert (said, len(others) > 50) == ({("NotImplemented", True)}, True)
