"""RollbackStack and CancelUpdateStack: going back because somebody asks for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import DEADLINE_SECONDS, Sandbox, answer, database, named, queue, sandbox, template


def queues(**seconds: int) -> dict[str, Any]:
    """A template of queues with these delays."""
    return template({name: queue(name.lower(), DelaySeconds=delay) for name, delay in seconds.items()})


def delays(aws: Sandbox) -> dict[str, Any]:
    return {name: properties["DelaySeconds"] for name, properties in aws.queues.live.items()}


def begin_update(aws: Sandbox, wanted: Mapping[str, Any], held: tuple[str, str], **more: Any) -> Any:
    """An update that waits in this call; set what is returned to let it go on."""
    release = aws.queues.hold(*held)
    aws.aws.update_stack(StackName="shop", TemplateBody=json.dumps(wanted), **more)
    assert aws.queues.begun[held].wait(DEADLINE_SECONDS)
    return release


# CancelUpdateStack


def test_a_cancelled_update_is_taken_back_once_what_it_began_has_ended(aws: Sandbox) -> None:
    """Also of a resource that succeeds after all, and without rollback; nothing is begun any more."""
    aws.create("shop", queues(A=1, B=1))
    wanted = template(
        {
            "A": queue("a", DelaySeconds=2),
            "B": queue("b", DelaySeconds=2),
            "New": queue("new", DelaySeconds=2),
            "Later": queue("later", DependsOn="B"),
        }
    )
    release = begin_update(aws, wanted, ("update", "B"), DisableRollback=True, ClientRequestToken="update")
    aws.until(
        "shop", lambda stack: {"CREATE_COMPLETE", "UPDATE_COMPLETE"} <= {r.status for r in stack.resources.values()}
    )
    aws.aws.cancel_update_stack(StackName="shop", ClientRequestToken="cancel")
    assert aws.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert aws.reason("shop", "B", "UPDATE_FAILED") == "Resource update cancelled"
    assert ("create", "Later") not in aws.queues.calls()
    assert delays(aws)["a"] == 2
    release.set()
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert delays(aws) == {"a": 1, "b": 1}
    assert aws.reason("shop", "shop", "UPDATE_ROLLBACK_IN_PROGRESS") == "User Initiated"
    tokens = [event["ClientRequestToken"] for event in aws.events("shop") if "ClientRequestToken" in event]
    assert list(dict.fromkeys(tokens)) == ["update", "cancel"]


def test_a_custom_resource_in_flight_is_waited_for_and_updated_back(aws: Sandbox) -> None:
    aws.create("shop", template({"D": database("d", Size=1)}))
    aws.function.was_invoked.clear()
    aws.function.code = lambda event: None
    aws.aws.update_stack(StackName="shop", TemplateBody=json.dumps(template({"D": database("d", Size=2)})))
    assert aws.function.was_invoked.wait(DEADLINE_SECONDS)
    aws.aws.cancel_update_stack(StackName="shop")
    aws.function.code = named
    aws.function.put(aws.function.events[-1], answer(aws.function.events[-1], PhysicalResourceId="d"))
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert [event["ResourceProperties"]["Size"] for event in aws.function.events] == ["1", "2", "1"]


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_COMPLETE"])
def test_only_an_update_that_goes_on_can_be_cancelled(aws: Sandbox, status: str) -> None:
    release = aws.queues.hold("create", "A")
    if status != "CREATE_IN_PROGRESS":
        release.set()
    aws.begin("shop", queues(A=1))
    if status != "CREATE_IN_PROGRESS":
        aws.settled("shop")
    if status == "UPDATE_COMPLETE":
        aws.update("shop", queues(A=2))
    with pytest.raises(ClientError, match="CancelUpdateStack cannot be called from current stack status") as refused:
        aws.aws.cancel_update_stack(StackName="shop")
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert aws.stack("shop")["StackStatus"] == status
    release.set()


# RollbackStack


def test_a_failed_update_is_rolled_back_to_what_was_there_when_the_stack_last_settled(aws: Sandbox) -> None:
    """However many updates have failed since, and whatever each of them changed, added or failed to touch."""
    aws.create("shop", queues(A=1, B=1, C=1))
    aws.queues.fails["update", "B"] = "no"
    assert aws.update("shop", queues(A=2, B=2, C=1, New=2), DisableRollback=True) == "UPDATE_FAILED"
    assert aws.update("shop", queues(A=3, B=3, C=3), DisableRollback=True) == "UPDATE_FAILED"
    assert delays(aws)["a"] == 3
    aws.queues.fails.clear()
    aws.aws.rollback_stack(StackName="shop", ClientRequestToken="back")
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert delays(aws) == {"a": 1, "b": 1, "c": 1}
    assert aws.reason("shop", "shop", "UPDATE_ROLLBACK_IN_PROGRESS") == "User Initiated"
    assert aws.events("shop")[-1]["ClientRequestToken"] == "back"
    assert aws.update("shop", queues(A=4, B=1, C=1)) == "UPDATE_COMPLETE"


@pytest.mark.parametrize("style", ["update", "restore"])
def test_a_custom_resource_that_failed_updates_replaced_goes_back_to_the_first(style: str) -> None:
    aws = sandbox(rollback_style=style)
    first, second, third = (template({"D": database(name), "Q": queue("q", DependsOn="D")}) for name in "abc")
    aws.create("shop", first)
    for wanted in (second, third):
        aws.queues.fails["update", "Q"] = "no"
        changed = {**wanted["Resources"], "Q": queue("q", DelaySeconds=1, DependsOn="D")}
        assert aws.update("shop", template(changed), DisableRollback=True) == "UPDATE_FAILED"
    aws.queues.fails.clear()
    aws.aws.rollback_stack(StackName="shop")
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    resource = aws.aws.describe_stack_resource(StackName="shop", LogicalResourceId="D")["StackResourceDetail"]
    assert resource["PhysicalResourceId"] == "a"
    deleted = {gone for request, _, gone in aws.function.received() if request == "Delete"}
    assert deleted == {"b", "c"}
    aws.cloudformation.close()


def test_a_rollback_that_fails_can_be_continued(aws: Sandbox) -> None:
    aws.create("shop", queues(A=1))
    aws.queues.fails["update", "A"] = "no"
    assert aws.update("shop", queues(A=2), DisableRollback=True) == "UPDATE_FAILED"
    aws.aws.rollback_stack(StackName="shop")
    assert aws.settled("shop") == "UPDATE_ROLLBACK_FAILED"
    aws.queues.fails.clear()
    aws.aws.continue_update_rollback(StackName="shop")
    assert (aws.settled("shop"), delays(aws)) == ("UPDATE_ROLLBACK_COMPLETE", {"a": 1})


@pytest.mark.parametrize(("more", "left"), [({}, {"a"}), ({"RetainExceptOnCreate": True}, set[str]())])
def test_a_failed_creation_is_rolled_back_to_nothing(aws: Sandbox, more: dict[str, Any], left: set[str]) -> None:
    """Once an update of it has failed, too. What is to be retained stays, unless it says that what is new shall go."""
    aws.queues.fails["create", "C"] = "no"
    wanted = {"A": queue("a", DeletionPolicy="Retain"), "B": queue("b"), "C": queue("c", DependsOn=["A", "B"])}
    assert aws.create("shop", template(wanted), DisableRollback=True) == "CREATE_FAILED"
    aws.update("shop", template({**wanted, "B": queue("b", DelaySeconds=1)}), DisableRollback=True)
    aws.aws.rollback_stack(StackName="shop", **more)
    assert aws.settled("shop") == "ROLLBACK_COMPLETE"
    assert set(aws.queues.live) == left
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        aws.update("shop", queues(A=2))


def test_only_a_failed_stack_can_be_rolled_back(aws: Sandbox) -> None:
    aws.create("shop", queues(A=1))
    arn = aws.stack("shop")["StackId"]
    with pytest.raises(ClientError, match=re.escape(f"Stack:{arn} is in CREATE_COMPLETE state")):
        aws.aws.rollback_stack(StackName="shop")
