"""Tokens of requests: what is made again because an answer was lost, and who caused which event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import DEADLINE_SECONDS, Sandbox, queue, template

ONE, TWO = json.dumps(template({"A": queue("a")})), json.dumps(template({"A": queue("a"), "B": queue("b")}))


def change_set(aws: Sandbox, **more: Any) -> str:
    """The ARN of change set c of stack shop, made with token t."""
    asked = {"StackName": "shop", "ChangeSetName": "c", "TemplateBody": TWO, "ClientToken": "t", **more}
    return str(aws.aws.create_change_set(**{key: value for key, value in asked.items() if value})["Id"])


def test_the_same_change_set_may_be_asked_for_again(aws: Sandbox) -> None:
    aws.create("shop", json.loads(ONE))
    assert change_set(aws) == change_set(aws)
    assert len(aws.aws.list_change_sets(StackName="shop")["Summaries"]) == 1


@pytest.mark.parametrize(
    ("more", "attribute"),
    [
        ({"ClientToken": "other"}, "ClientToken"),
        ({"ClientToken": None}, "ClientToken"),
        ({"TemplateBody": ONE}, "Template"),
        ({"Description": "another"}, "Description"),
    ],
)
def test_another_change_set_of_the_name_is_refused_for_what_differs(
    aws: Sandbox, more: dict[str, Any], attribute: str
) -> None:
    aws.create("shop", json.loads(ONE))
    change_set(aws)
    words = f"ChangeSet c cannot be created due to a mismatch with existing attribute {attribute}$"
    with pytest.raises(aws.aws.exceptions.AlreadyExistsException, match=words):
        change_set(aws, **more)


def test_without_a_token_the_same_change_set_is_another(aws: Sandbox) -> None:
    aws.create("shop", json.loads(ONE))
    change_set(aws, ClientToken=None)
    with pytest.raises(aws.aws.exceptions.AlreadyExistsException, match="mismatch with existing attribute ClientToken"):
        change_set(aws, ClientToken=None)


def test_the_name_of_an_executed_change_set_is_free(aws: Sandbox) -> None:
    aws.create("shop", json.loads(ONE))
    first = change_set(aws)
    aws.aws.execute_change_set(ChangeSetName=first)
    assert aws.settled("shop") == "UPDATE_COMPLETE"
    second = change_set(aws)
    assert second != first
    assert aws.aws.describe_change_set(StackName="shop", ChangeSetName="c")["ChangeSetId"] == second


def test_each_operation_may_be_asked_for_again_by_its_token_and_begins_once(aws: Sandbox) -> None:
    """Once while it goes on, and once after its end."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("create_stack", {"StackName": "shop", "TemplateBody": ONE}),
        ("update_stack", {"StackName": "shop", "TemplateBody": TWO}),
        ("execute_change_set", {"StackName": "shop", "ChangeSetName": "c"}),
        ("delete_stack", {"StackName": "shop"}),
    ]
    for operation, request in asked:
        if operation == "execute_change_set":
            change_set(aws, TemplateBody=ONE)
        request["ClientRequestToken"] = operation.replace("_", "-")
        answers = [getattr(aws.aws, operation)(**request).get("StackId") for _ in range(2)]
        aws.settled("shop")
        answers.append(getattr(aws.aws, operation)(**request).get("StackId"))
        assert len(set(answers)) == 1
    stack_id = aws.aws.list_stacks()["StackSummaries"][0]["StackId"]
    tokens = [event["ClientRequestToken"] for event in aws.events(stack_id)]
    assert list(dict.fromkeys(tokens)) == ["create-stack", "update-stack", "execute-change-set", "delete-stack"]
    begun = [event for event in aws.events(stack_id) if event.get("ResourceStatusReason") == "User Initiated"]
    assert [event["ClientRequestToken"] for event in begun] == list(dict.fromkeys(tokens))


def test_a_token_is_for_one_request_and_only_until_the_next_operation(aws: Sandbox) -> None:
    aws.create("shop", json.loads(ONE), ClientRequestToken="t1")
    others: list[tuple[str, dict[str, Any]]] = [
        ("update_stack", {"StackName": "shop", "TemplateBody": TWO}),
        ("create_stack", {"StackName": "shop", "TemplateBody": TWO}),
        ("create_stack", {"StackName": "other", "TemplateBody": ONE}),
        ("delete_stack", {"StackName": "shop"}),
    ]
    for operation, request in others:
        with pytest.raises(aws.aws.exceptions.TokenAlreadyExistsException, match="client request token already exists"):
            getattr(aws.aws, operation)(ClientRequestToken="t1", **request)
    aws.update("shop", json.loads(TWO), ClientRequestToken="t2")
    with pytest.raises(aws.aws.exceptions.TokenAlreadyExistsException):
        aws.aws.create_stack(StackName="shop", TemplateBody=ONE, ClientRequestToken="t1")


def test_a_token_is_free_while_nothing_began_with_it(aws: Sandbox) -> None:
    aws.create("shop", json.loads(ONE))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        aws.update("shop", json.loads(ONE), ClientRequestToken="t")
    aws.aws.delete_stack(StackName="nobody", ClientRequestToken="t")
    assert aws.delete("shop", ClientRequestToken="t") == "DELETE_COMPLETE"


def test_what_a_failure_causes_carries_the_token_too(aws: Sandbox) -> None:
    """Its rollback, and the cleanup after that."""
    aws.create("shop", json.loads(ONE), ClientRequestToken="made")
    aws.queues.fails["create", "C"] = "no"
    failing = template({"A": queue("a"), "B": queue("b"), "C": queue("c", DependsOn="B")})
    assert aws.update("shop", failing, ClientRequestToken="changed") == "UPDATE_ROLLBACK_COMPLETE"
    tokens = {event["ResourceStatus"]: event["ClientRequestToken"] for event in aws.events("shop")}
    assert {status for status, token in tokens.items() if token == "changed"} >= {
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "DELETE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
    }


def test_a_change_set_is_not_executed_while_its_stack_is_at_work(aws: Sandbox) -> None:
    """The code that is documented for it: InvalidChangeSetStatus, "or the stack status might be UPDATE_IN_PROGRESS"."""
    aws.create("shop", json.loads(ONE))
    change_set(aws)
    release = aws.queues.hold("delete", "A")
    aws.aws.delete_stack(StackName="shop")
    assert aws.queues.begun["delete", "A"].wait(DEADLINE_SECONDS)
    with pytest.raises(aws.aws.exceptions.InvalidChangeSetStatusException, match="DELETE_IN_PROGRESS state"):
        aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")
    release.set()
    assert aws.settled("shop") == "DELETE_COMPLETE"


def test_stacks_are_listed_by_status_a_hundred_a_page_with_those_that_are_gone(aws: Sandbox) -> None:
    for number in range(3):
        aws.create(f"gone{number}", template({"A": queue()}))
        aws.delete(f"gone{number}")
    for number in range(101):
        aws.begin(f"shop{number}", template({"A": queue()}))
    for number in range(101):
        aws.settled(f"shop{number}")
    pages = [page["StackSummaries"] for page in aws.aws.get_paginator("list_stacks").paginate()]
    assert [len(page) for page in pages] == [100, 4]
    gone = aws.aws.list_stacks(StackStatusFilter=["DELETE_COMPLETE", "DELETE_IN_PROGRESS"])["StackSummaries"]
    assert [item["StackName"] for item in gone] == ["gone2", "gone1", "gone0"]
    made = aws.aws.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
    rest = aws.aws.list_stacks(StackStatusFilter=["CREATE_COMPLETE"], NextToken=made["NextToken"])
    assert (len(made["StackSummaries"]), len(rest["StackSummaries"]), "NextToken" in rest) == (100, 1, False)
