"""The custom resource protocol, from the event to the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .fakes import DEADLINE_SECONDS, TOKEN, Event, Sandbox, answer, database, named, queue, sandbox, template


def test_a_create_event_has_exactly_the_documented_members(aws: Sandbox) -> None:
    """Statement 6: and no PhysicalResourceId."""
    aws.create("shop", template({"D": database("d")}))
    (event,) = aws.function.events
    assert event == {
        "RequestType": "Create",
        "ServiceToken": TOKEN,
        "ResponseURL": event["ResponseURL"],
        "StackId": aws.stack("shop")["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": "D",
        "ResourceType": "Custom::Database",
        "ResourceProperties": {"ServiceToken": TOKEN, "Name": "d"},
    }
    assert event["ResponseURL"].startswith("http://127.0.0.1:1/_sandbox/cfn-response/")


def test_every_scalar_arrives_as_text(aws: Sandbox) -> None:
    """Statement 7: nested ones too."""
    aws.create("shop", template({"D": database("d", Port=5, Adopt=True, Rate=0.5, List=[{"Deep": False}, 1])}))
    properties = aws.function.events[0]["ResourceProperties"]
    assert {key: properties[key] for key in ("Port", "Adopt", "Rate", "List")} == {
        "Port": "5",
        "Adopt": "true",
        "Rate": "0.5",
        "List": [{"Deep": "false"}, "1"],
    }


def test_only_the_answer_counts_and_not_what_the_function_returns(aws: Sandbox) -> None:
    """Statement 8: the stack goes on waiting after the function has been invoked, until somebody answers."""
    aws.function.code = lambda event: None
    aws.begin("shop", template({"D": database("d")}))
    assert aws.function.was_invoked.wait(DEADLINE_SECONDS)
    assert aws.stack("shop")["StackStatus"] == "CREATE_IN_PROGRESS"
    aws.function.put(aws.function.events[0], answer(aws.function.events[0], PhysicalResourceId="d"))
    assert aws.settled("shop") == "CREATE_COMPLETE"


def test_an_answer_that_nobody_waits_for_is_lost(aws: Sandbox) -> None:
    """Statement 8: a Lambda that is retried may answer twice."""

    def twice(event: Event) -> Any:
        aws.function.put(event, answer(event, PhysicalResourceId="first"))
        return answer(event, "FAILED", Reason="second")

    aws.function.code = twice
    assert aws.create("shop", template({"D": database("d")}, Outputs={"D": {"Value": {"Ref": "D"}}})) == (
        "CREATE_COMPLETE"
    )
    assert aws.outputs("shop") == {"D": "first"}


def test_ref_is_the_physical_id_and_get_att_reads_the_data(aws: Sandbox) -> None:
    """Statement 9."""
    outputs = {"Id": {"Value": {"Ref": "D"}}, "Server": {"Value": {"Fn::GetAtt": ["D", "Server"]}}}
    aws.create("shop", template({"D": database("d")}, Outputs=outputs))
    assert aws.outputs("shop") == {"Id": "d", "Server": "server-of-d"}


def test_an_attribute_that_the_answer_does_not_have_fails_who_needs_it(aws: Sandbox) -> None:
    """Statement 9."""
    wanted = template(
        {"D": database("d"), "Q": queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["D", "Nothing"]}})}
    )
    assert aws.create("shop", wanted) == "ROLLBACK_COMPLETE"
    reason = aws.reason("shop", "Q", "CREATE_FAILED")
    assert "Vendor response doesn't contain Nothing attribute" in reason


def test_an_attribute_that_only_an_output_needs_fails_the_stack(aws: Sandbox) -> None:
    """Statement 9."""
    wanted = template({"D": database("d")}, Outputs={"O": {"Value": {"Fn::GetAtt": ["D", "Nothing"]}}})
    assert aws.create("shop", wanted) == "ROLLBACK_COMPLETE"
    assert "Vendor response doesn't contain Nothing" in aws.reason("shop", "shop", "ROLLBACK_IN_PROGRESS")


def on_create(body: Any) -> Any:
    """A function that answers Create with this body, or what it makes of the event, and the rest properly."""

    def code(event: Event) -> Any:
        return body(event) if event["RequestType"] == "Create" else named(event)

    return code


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda e: answer(e, PhysicalResourceId="d", Data={"x": "y" * 4096}), "Response object is too long."),
        (lambda e: {**answer(e, PhysicalResourceId="d"), "RequestId": "other"}, "Invalid RequestId"),
        (lambda e: {**answer(e, PhysicalResourceId="d"), "StackId": "other"}, "Invalid StackId"),
        (lambda e: {**answer(e, PhysicalResourceId="d"), "LogicalResourceId": "other"}, "Invalid LogicalResourceId"),
        (lambda e: answer(e), "Invalid PhysicalResourceId"),
        (lambda e: answer(e, PhysicalResourceId=""), "Invalid PhysicalResourceId"),
        (lambda e: answer(e, PhysicalResourceId="d" * 1025), "Invalid PhysicalResourceId"),
        (lambda e: answer(e, "DONE", PhysicalResourceId="d"), "Invalid Status"),
        (lambda e: b"<html>", "Response is not valid JSON."),
    ],
    ids=["long", "request id", "stack id", "logical id", "no id", "empty id", "long id", "status", "no JSON"],
)
def test_an_improper_answer_fails_the_resource(aws: Sandbox, body: Any, reason: str) -> None:
    """Statements 10, 11 and 12."""
    aws.function.code = on_create(body)
    assert aws.create("shop", template({"D": database("d")})) == "ROLLBACK_COMPLETE"
    assert aws.reason("shop", "D", "CREATE_FAILED").startswith(reason)


def test_an_answer_of_4096_bytes_is_not_too_long(aws: Sandbox) -> None:
    """Statement 10."""

    def code(event: Event) -> bytes:
        body = json.dumps(answer(event, PhysicalResourceId="d")).encode()
        return body + b" " * (4096 - len(body))

    aws.function.code = code
    assert aws.create("shop", template({"D": database("d")})) == "CREATE_COMPLETE"


def test_silence_fails_the_resource_after_its_service_timeout() -> None:
    """Statements 13 and 14: a crash of the function is nothing but silence to CloudFormation."""
    aws = sandbox(time_scale=1000)
    aws.function.code = on_create(lambda event: None)
    assert aws.create("shop", template({"D": database("d", ServiceTimeout=20)})) == "ROLLBACK_COMPLETE"
    reason = aws.reason("shop", "D", "CREATE_FAILED")
    assert reason.startswith("CloudFormation did not receive a response from your Custom Resource.")
    assert aws.function.events[0]["RequestId"] in reason
    aws.cloudformation.close()


@pytest.mark.parametrize("timeout", [0, 3601, "soon"])
def test_a_service_timeout_is_a_number_of_seconds_up_to_an_hour(aws: Sandbox, timeout: object) -> None:
    """Statement 13."""
    assert aws.create("shop", template({"D": database("d", ServiceTimeout=timeout)})) == "ROLLBACK_COMPLETE"
    assert "Invalid ServiceTimeout" in aws.reason("shop", "D", "CREATE_FAILED")
    assert aws.function.events == []


def test_a_function_that_is_not_there_fails_the_resource(aws: Sandbox) -> None:
    wanted = template({"D": database("d", ServiceToken=f"{TOKEN}-gone")})
    assert aws.create("shop", wanted, OnFailure="DO_NOTHING") == "CREATE_FAILED"
    assert aws.reason("shop", "D", "CREATE_FAILED") == f"Function not found: {TOKEN}-gone"


def test_a_failed_answer_is_told_in_cloudformations_words(aws: Sandbox) -> None:
    """Statement 15."""
    aws.function.code = on_create(lambda event: answer(event, "FAILED", Reason="name is taken"))
    aws.create("shop", template({"D": database("d")}))
    assert aws.reason("shop", "D", "CREATE_FAILED") == (
        "Received response status [FAILED] from custom resource. Message returned: name is taken "
        f"(RequestId: {aws.function.events[0]['RequestId']})"
    )


def test_a_failed_create_is_deleted_with_the_id_it_gave(aws: Sandbox) -> None:
    """Statement 16."""
    aws.function.code = on_create(lambda e: answer(e, "FAILED", Reason="no", PhysicalResourceId="failed:d"))
    assert aws.create("shop", template({"D": database("d")})) == "ROLLBACK_COMPLETE"
    assert aws.function.received() == [("Create", "D", None), ("Delete", "D", "failed:d")]


def test_a_failed_create_is_deleted_with_an_id_made_up_if_it_gave_none(aws: Sandbox) -> None:
    """Statement 17."""
    aws.function.code = on_create(lambda event: answer(event, "FAILED", Reason="no"))
    assert aws.create("shop", template({"D": database("d")})) == "ROLLBACK_COMPLETE"
    (_, delete) = aws.function.events
    assert delete["RequestType"] == "Delete"
    assert delete["PhysicalResourceId"].startswith("shop-D-")
    assert delete["ResourceProperties"] == {"ServiceToken": TOKEN, "Name": "d"}


def test_an_update_event_has_the_old_properties_and_the_id(aws: Sandbox) -> None:
    """Statement 21: the same id in the answer is a change in place."""
    aws.create("shop", template({"D": database("d", Size=1)}))
    assert aws.update("shop", template({"D": database("d", Size=2)})) == "UPDATE_COMPLETE"
    update = aws.function.events[1]
    assert (update["RequestType"], update["PhysicalResourceId"]) == ("Update", "d")
    assert update["ResourceProperties"] == {"ServiceToken": TOKEN, "Name": "d", "Size": "2"}
    assert update["OldResourceProperties"] == {"ServiceToken": TOKEN, "Name": "d", "Size": "1"}
    assert len(aws.function.events) == 2


def test_another_id_means_replacement_and_the_old_one_goes_last(aws: Sandbox) -> None:
    """Statement 22: Delete has the old id and the old properties, after everything else has succeeded."""
    aws.create("shop", template({"D": database("old")}))
    wanted = template({"D": database("new"), "Q": queue(RedrivePolicy={"deadLetterTargetArn": {"Ref": "D"}})})
    assert aws.update("shop", wanted) == "UPDATE_COMPLETE"
    assert aws.function.received()[1:] == [("Update", "D", "old"), ("Delete", "D", "old")]
    assert aws.function.events[2]["ResourceProperties"]["Name"] == "old"
    told = aws.told("shop")
    assert told.index(("Q", "CREATE_COMPLETE")) < told.index(("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert told.index(("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < told.index(("D", "DELETE_IN_PROGRESS"))
    assert aws.queues.requests[0][1].properties == {"RedrivePolicy": {"deadLetterTargetArn": "new"}}


def test_a_failure_in_cleanup_does_not_fail_the_update(aws: Sandbox) -> None:
    """Statement 23."""
    aws.create("shop", template({"D": database("old")}))
    aws.function.code = lambda e: answer(e, "FAILED", Reason="no") if e["RequestType"] == "Delete" else named(e)
    assert aws.update("shop", template({"D": database("new")})) == "UPDATE_COMPLETE"
    assert ("D", "DELETE_FAILED") in aws.told("shop")
    assert aws.resources("shop") == {"D": "UPDATE_COMPLETE"}


def test_the_service_token_cannot_change(aws: Sandbox) -> None:
    """Statement 29: the function is not even asked."""
    aws.create("shop", template({"D": database("d")}))
    assert aws.update("shop", template({"D": database("d", ServiceToken=f"{TOKEN}2")})) == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.reason("shop", "D", "UPDATE_FAILED") == "Modifying service token is not allowed."
    assert len(aws.function.events) == 1
    assert aws.resources("shop") == {"D": "UPDATE_COMPLETE"}


def test_deletion_sends_delete_in_reverse_order(aws: Sandbox) -> None:
    """Statement 30."""
    aws.create("shop", template({"A": database("a"), "B": database("b", Of={"Ref": "A"})}))
    aws.function.events.clear()
    assert aws.delete("shop") == "DELETE_COMPLETE"
    assert aws.function.received() == [("Delete", "B", "b"), ("Delete", "A", "a")]


def test_no_event_is_sent_where_nothing_changes(aws: Sandbox) -> None:
    aws.create("shop", template({"D": database("d", Port=5)}))
    assert aws.update("shop", template({"D": database("d", Port="5"), "Q": queue()})) == "UPDATE_COMPLETE"
    assert len(aws.function.events) == 1


def test_a_retained_custom_resource_gets_no_delete(aws: Sandbox) -> None:
    """Statement 32."""
    aws.create("shop", template({"D": database("d", DeletionPolicy="Retain")}))
    assert aws.delete("shop") == "DELETE_COMPLETE"
    assert aws.function.received() == [("Create", "D", None)]


def test_closing_ends_what_waits_for_an_answer(aws: Sandbox) -> None:
    aws.function.code = lambda event: None
    aws.begin("shop", template({"D": database("d")}), OnFailure="DO_NOTHING")
    assert aws.function.was_invoked.wait(DEADLINE_SECONDS)
    assert aws.function.custom is not None
    aws.function.custom.close()
    assert aws.settled("shop") == "CREATE_FAILED"
    assert aws.reason("shop", "D", "CREATE_FAILED") == "the sandbox is stopping"
