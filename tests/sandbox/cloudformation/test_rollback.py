"""What happens when an operation fails half way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import DEADLINE_SECONDS, Event, Sandbox, answer, database, named, queue, sandbox, template


@pytest.fixture(params=["update", "restore"])
def style(request: pytest.FixtureRequest) -> str:
    """Each way of rolling back a replaced custom resource."""
    return str(request.param)


@pytest.fixture
def either(style: str) -> Iterator[Sandbox]:
    made = sandbox(rollback_style=style)
    yield made
    made.cloudformation.close()


def failing(request_type: str, logical_id: str, **members: Any) -> Any:
    """A function that fails such an event the first time, and answers every other properly."""
    left = [1]

    def code(event: Event) -> Any:
        if left and (event["RequestType"], event["LogicalResourceId"]) == (request_type, logical_id):
            left.pop()
            return answer(event, "FAILED", Reason="no", **members)
        return named(event)

    return code


def test_siblings_in_flight_are_cancelled_and_everything_made_goes_in_reverse_order(aws: Sandbox) -> None:
    """Statement 18."""
    release = aws.queues.hold("create", "Slow")
    fail = aws.queues.hold("create", "Bad")
    aws.queues.fails["create", "Bad"] = "no"
    resources = {"A": queue("a"), "B": queue("b", DependsOn="A"), "Slow": queue("slow"), "Bad": queue(DependsOn="B")}
    aws.begin("shop", template(resources))
    assert aws.queues.begun["create", "Slow"].wait(DEADLINE_SECONDS)
    fail.set()
    aws.until("shop", lambda stack: stack.resources["Slow"].status == "CREATE_FAILED")
    release.set()
    assert aws.settled("shop") == "ROLLBACK_COMPLETE"
    assert aws.reason("shop", "Slow", "CREATE_FAILED") == "Resource creation cancelled"
    assert aws.reason("shop", "shop", "ROLLBACK_IN_PROGRESS") == (
        "The following resource(s) failed to create: [Bad, Slow]. Rollback requested by user."
    )
    deleted = [name for verb, name in aws.queues.calls() if verb == "delete"]
    assert deleted.index("B") < deleted.index("A")
    assert aws.queues.live == {}


def test_nothing_is_begun_any_more_after_a_failure(aws: Sandbox) -> None:
    """Statement 18."""
    release = aws.queues.hold("create", "Slow")
    aws.queues.fails["create", "Bad"] = "no"
    aws.begin("shop", template({"Slow": queue(), "Bad": queue(), "Next": queue(DependsOn="Slow")}))
    aws.until("shop", lambda stack: any(event.reason == "Resource creation cancelled" for event in stack.events))
    release.set()
    assert aws.settled("shop") == "ROLLBACK_COMPLETE"
    assert "Next" not in aws.resources("shop")


def test_a_resource_that_was_not_begun_leaves_no_trace(aws: Sandbox) -> None:
    """Statement 18."""
    aws.queues.fails["create", "A"] = "no"
    aws.create("shop", template({"A": queue(), "B": queue(DependsOn="A")}))
    assert aws.resources("shop") == {"A": "DELETE_COMPLETE"}


def test_a_stack_that_was_rolled_back_on_creation_can_only_be_deleted(aws: Sandbox) -> None:
    """Statement 19."""
    aws.queues.fails["create", "A"] = "no"
    assert aws.create("shop", template({"A": queue()})) == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        aws.update("shop", template({"A": queue("a")}))
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        aws.aws.create_change_set(
            StackName="shop", ChangeSetName="c", TemplateBody=json.dumps(template({"A": queue("a")}))
        )
    assert aws.delete("shop") == "DELETE_COMPLETE"


@pytest.mark.parametrize("wish", [{"DisableRollback": True}, {"OnFailure": "DO_NOTHING"}])
def test_without_rollback_the_resources_stay(aws: Sandbox, wish: dict[str, Any]) -> None:
    """Statement 20."""
    aws.queues.fails["create", "B"] = "no"
    assert aws.create("shop", template({"A": queue("a"), "B": queue(DependsOn="A")}), **wish) == "CREATE_FAILED"
    assert aws.resources("shop") == {"A": "CREATE_COMPLETE", "B": "CREATE_FAILED"}
    assert set(aws.queues.live) == {"a"}


def test_a_stack_that_was_not_rolled_back_can_be_mended_by_an_update(aws: Sandbox) -> None:
    """Statement 20."""
    aws.queues.fails["create", "B"] = "no"
    wanted = template({"A": queue("a"), "B": queue("b", DependsOn="A")})
    aws.create("shop", wanted, DisableRollback=True)
    aws.queues.fails.clear()
    assert aws.update("shop", wanted, DisableRollback=True) == "UPDATE_COMPLETE"
    assert set(aws.queues.live) == {"a", "b"}


@pytest.mark.parametrize(("failed_id", "deleted"), [("d", []), ("failed:d", [("Delete", "D", "failed:d")])])
def test_what_a_mended_creation_had_left_is_deleted_unless_it_is_the_same(
    aws: Sandbox, failed_id: str, deleted: list[tuple[str, str, str]]
) -> None:
    """Statement 20."""
    aws.function.code = failing("Create", "D", PhysicalResourceId=failed_id)
    wanted = template({"D": database("d")})
    assert aws.create("shop", wanted, DisableRollback=True) == "CREATE_FAILED"
    assert aws.update("shop", wanted, DisableRollback=True) == "UPDATE_COMPLETE"
    assert aws.function.received() == [("Create", "D", None), ("Create", "D", None), *deleted]


def test_an_update_without_rollback_stays_failed_and_the_next_one_tries_again(aws: Sandbox) -> None:
    """Statement 20."""
    aws.create("shop", template({"A": queue("a", DelaySeconds=1)}))
    aws.queues.fails["update", "A"] = "no"
    wanted = template({"A": queue("a", DelaySeconds=2)})
    assert aws.update("shop", wanted, DisableRollback=True) == "UPDATE_FAILED"
    aws.queues.fails.clear()
    assert aws.update("shop", wanted, DisableRollback=True) == "UPDATE_COMPLETE"
    assert aws.queues.live["a"]["DelaySeconds"] == 2


def test_going_back_after_a_failed_update_updates_what_failed_half_way(aws: Sandbox) -> None:
    """Statement 20: nobody knows what the failed update has left, so the old properties are sent again."""
    before, after = (template({"A": queue("a", DelaySeconds=seconds)}) for seconds in (1, 2))
    aws.create("shop", before)
    aws.queues.fails["update", "A"] = "no"
    aws.update("shop", after, DisableRollback=True)
    aws.queues.fails.clear()
    assert aws.update("shop", before, DisableRollback=True) == "UPDATE_COMPLETE"
    assert aws.queues.calls() == [("create", "A"), ("update", "A"), ("update", "A")]


@pytest.mark.parametrize("status", ["CREATE_FAILED", "UPDATE_FAILED"])
def test_a_failed_stack_takes_no_update_that_would_be_rolled_back(aws: Sandbox, status: str) -> None:
    """Statement 52."""
    one, two = (template({"A": queue("a", DelaySeconds=seconds)}) for seconds in (1, 2))
    if status == "UPDATE_FAILED":
        aws.create("shop", one)
    aws.queues.fails.update({("create", "A"): "no", ("update", "A"): "no"})
    begin = aws.create if status == "CREATE_FAILED" else aws.update
    assert begin("shop", two, DisableRollback=True) == status
    aws.queues.fails.clear()
    sentence = (
        f"This stack is currently in a non-terminal [{status}] state. To update the stack from this state, please use "
        "the disable-rollback parameter with update-stack API. To rollback to the last known good state, use the "
        "rollback-stack API"
    )
    for more in ({}, {"DisableRollback": False}):
        with pytest.raises(ClientError, match=re.escape(sentence)):
            aws.update("shop", two, **more)
    aws.aws.create_change_set(StackName="shop", ChangeSetName="c", TemplateBody=json.dumps(two))
    with pytest.raises(ClientError, match=re.escape(sentence)):
        aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")
    assert aws.stack("shop")["StackStatus"] == status
    aws.aws.execute_change_set(StackName="shop", ChangeSetName="c", DisableRollback=True)
    assert (aws.settled("shop"), aws.queues.live["a"]["DelaySeconds"]) == ("UPDATE_COMPLETE", 2)


@pytest.mark.parametrize("is_change_set", [False, True])
def test_a_stack_that_was_created_to_do_nothing_on_failure_is_never_updated_from_it(
    aws: Sandbox, is_change_set: bool
) -> None:
    """Statement 52."""
    aws.queues.fails["create", "A"] = "no"
    wanted = template({"A": queue("a")})
    if is_change_set:
        aws.aws.create_change_set(
            StackName="shop",
            ChangeSetName="c",
            ChangeSetType="CREATE",
            OnStackFailure="DO_NOTHING",
            TemplateBody=json.dumps(wanted),
        )
        aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")
        assert aws.settled("shop") == "CREATE_FAILED"
    else:
        assert aws.create("shop", wanted, OnFailure="DO_NOTHING") == "CREATE_FAILED"
    sentence = (
        "This stack cannot be updated from [CREATE_FAILED] state because it contains [on-failure: DO_NOTHING]. "
        "Please use disable-rollback option instead during stack creation."
    )
    with pytest.raises(ClientError, match=re.escape(sentence)):
        aws.update("shop", wanted, DisableRollback=True)
    assert aws.delete("shop") == "DELETE_COMPLETE"


def test_nothing_is_replaced_without_rollback(aws: Sandbox) -> None:
    """Statement 52: neither in a failed stack nor in a sound one."""
    aws.create("shop", template({"A": queue("a"), "B": queue("b")}))
    wanted = template({"A": queue("other"), "B": queue("b", DelaySeconds=1, DependsOn="A")})
    assert aws.update("shop", wanted, DisableRollback=True) == "UPDATE_FAILED"
    sentence = "Replacement type updates not supported on stack with disable-rollback."
    assert aws.reason("shop", "A", "UPDATE_FAILED") == sentence
    assert set(aws.queues.live) == {"a", "b"}
    assert aws.update("shop", template({"A": queue("a"), "B": queue("b")}), DisableRollback=True) == "UPDATE_COMPLETE"


def test_going_back_to_a_template_without_what_failed_is_a_change(aws: Sandbox) -> None:
    """Statement 52."""
    before = template({"A": queue("a")})
    aws.create("shop", before)
    aws.queues.fails["create", "B"] = "no"
    assert aws.update("shop", template({"A": queue("a"), "B": queue("b")}), DisableRollback=True) == "UPDATE_FAILED"
    aws.aws.create_change_set(StackName="shop", ChangeSetName="c", TemplateBody=json.dumps(before))
    aws.aws.execute_change_set(StackName="shop", ChangeSetName="c", DisableRollback=True)
    assert (aws.settled("shop"), aws.resources("shop")) == ("UPDATE_COMPLETE", {"A": "CREATE_COMPLETE"})


def test_what_to_do_on_failure_is_said_once(aws: Sandbox) -> None:
    """Statement 52."""
    body = json.dumps(template({"A": queue("a")}))
    for wish in (True, False):
        with pytest.raises(ClientError, match=r"Either DisableRollback or OnFailure can be specified, not both\."):
            aws.aws.create_stack(StackName="s", TemplateBody=body, DisableRollback=wish, OnFailure="DELETE")
    made = aws.aws.create_change_set(
        StackName="shop", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body, OnStackFailure="ROLLBACK"
    )
    sentence = (
        "Either DisableRollback or OnStackFailure can be specified, but not both. Validation error as OnStackFailure "
        "parameter was specified during CreateChangeSet."
    )
    for wish in (True, False):
        with pytest.raises(ClientError, match=re.escape(sentence)):
            aws.aws.execute_change_set(ChangeSetName=made["Id"], DisableRollback=wish)
    assert aws.aws.describe_change_set(ChangeSetName=made["Id"])["OnStackFailure"] == "ROLLBACK"
    assert aws.stack("shop")["StackStatus"] == "REVIEW_IN_PROGRESS"


def test_only_a_change_set_that_creates_may_delete_on_failure(aws: Sandbox) -> None:
    """Statement 52."""
    aws.create("shop", template({"A": queue("a")}))
    for kind in ({}, {"ChangeSetType": "UPDATE"}):
        with pytest.raises(ClientError, match="OnStackFailure DELETE is only valid when ChangeSetType is CREATE"):
            aws.aws.create_change_set(
                StackName="shop",
                ChangeSetName="c",
                TemplateBody=json.dumps(template({"A": queue("b")})),
                OnStackFailure="DELETE",
                **kind,
            )
    aws.queues.fails["create", "B"] = "no"
    aws.aws.create_change_set(
        StackName="new",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template({"B": queue("b")})),
        OnStackFailure="DELETE",
    )
    aws.aws.execute_change_set(StackName="new", ChangeSetName="c")
    assert aws.settled("new") == "DELETE_COMPLETE"


def test_on_failure_delete_leaves_nothing(aws: Sandbox) -> None:
    """Statement 20."""
    aws.queues.fails["create", "B"] = "no"
    resources = {"A": queue("a"), "B": queue(DependsOn="A")}
    assert aws.create("shop", template(resources), OnFailure="DELETE") == "DELETE_COMPLETE"
    assert aws.queues.live == {}


def test_a_rollback_that_fails_says_so(aws: Sandbox) -> None:
    """Statement 18."""
    aws.queues.fails.update({("create", "B"): "no", ("delete", "A"): "never"})
    assert aws.create("shop", template({"A": queue(), "B": queue(DependsOn="A")})) == "ROLLBACK_FAILED"
    assert aws.stack("shop")["StackStatusReason"] == "The following resource(s) failed to delete: [A]. "


@pytest.mark.parametrize(
    ("policy", "flag", "left"),
    [("Retain", False, {"a"}), ("RetainExceptOnCreate", False, set()), ("Retain", True, set())],
)
def test_retention_and_the_rollback_of_a_creation(aws: Sandbox, policy: str, flag: bool, left: set[str]) -> None:
    """Statement 32: RetainExceptOnCreate, as a policy or as a wish of the request, does not keep what is new."""
    aws.queues.fails["create", "B"] = "no"
    resources = {"A": queue("a", DeletionPolicy=policy), "B": queue(DependsOn="A")}
    assert aws.create("shop", template(resources), RetainExceptOnCreate=flag) == "ROLLBACK_COMPLETE"
    assert set(aws.queues.live) == left


@pytest.mark.parametrize(("policy", "left"), [("Retain", {"a", "b"}), ("RetainExceptOnCreate", {"a"})])
def test_retention_and_the_rollback_of_an_update(aws: Sandbox, policy: str, left: set[str]) -> None:
    """Statement 32: the same rule holds for what a failed update has added."""
    aws.create("shop", template({"A": queue("a")}))
    aws.queues.fails["create", "C"] = "no"
    wanted = template({"A": queue("a"), "B": queue("b", DeletionPolicy=policy), "C": queue(DependsOn="B")})
    assert aws.update("shop", wanted) == "UPDATE_ROLLBACK_COMPLETE"
    assert (set(aws.queues.live), set(aws.resources("shop"))) == (left, {"A"})


def test_a_failed_update_in_place_is_updated_back(aws: Sandbox) -> None:
    """Statement 24: old and new properties change places, the id stays."""
    aws.create("shop", template({"D": database("d", Size=1)}))
    aws.function.code = failing("Update", "D", PhysicalResourceId="d")
    assert aws.update("shop", template({"D": database("d", Size=2)})) == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.function.received()[1:] == [("Update", "D", "d"), ("Update", "D", "d")]
    first, back = aws.function.events[1:]
    assert back["ResourceProperties"] == first["OldResourceProperties"]
    assert back["OldResourceProperties"] == first["ResourceProperties"]
    assert aws.reason("shop", "shop", "UPDATE_ROLLBACK_IN_PROGRESS") == (
        "The following resource(s) failed to update: [D]. "
    )


def test_a_failed_update_that_gives_another_id_is_deleted_and_not_updated_back(either: Sandbox) -> None:
    """Statement 25."""
    either.create("shop", template({"D": database("old")}))
    either.function.code = failing("Update", "D", PhysicalResourceId="half-made")
    assert either.update("shop", template({"D": database("new")})) == "UPDATE_ROLLBACK_COMPLETE"
    assert either.function.received()[1:] == [("Update", "D", "old"), ("Delete", "D", "half-made")]
    detail = either.aws.describe_stack_resource(StackName="shop", LogicalResourceId="D")["StackResourceDetail"]
    assert detail["PhysicalResourceId"] == "old"


def test_siblings_that_were_updated_are_updated_back(aws: Sandbox) -> None:
    """Statement 26."""
    aws.create("shop", template({"D": database("d", Size=1), "Q": queue("q", DelaySeconds=1)}))
    aws.queues.fails["update", "Q"] = "no"
    wanted = template({"D": database("d", Size=2), "Q": queue("q", DelaySeconds=2, DependsOn="D")})
    aws.aws.update_stack(StackName="shop", TemplateBody=json.dumps(wanted))
    # The queue's type goes on failing, so its rollback fails as well: only the sibling is looked at here.
    aws.settled("shop")
    sizes = [event["ResourceProperties"]["Size"] for event in aws.function.events]
    assert sizes == ["1", "2", "1"]


def test_a_replaced_sibling_goes_back_and_its_new_one_is_deleted(either: Sandbox) -> None:
    """Statement 26: in both styles the last thing is Delete of the new id."""
    either.create("shop", template({"D": database("old")}))
    either.queues.fails["create", "Q"] = "no"
    wanted = template({"D": database("new"), "Q": queue(DependsOn="D")}, Outputs={"D": {"Value": {"Ref": "D"}}})
    assert either.update("shop", wanted) == "UPDATE_ROLLBACK_COMPLETE"
    received = either.function.received()[1:]
    assert received[0] == ("Update", "D", "old")
    assert received[-1] == ("Delete", "D", "new")
    assert either.function.events[-1]["ResourceProperties"]["Name"] == "new"
    detail = either.aws.describe_stack_resource(StackName="shop", LogicalResourceId="D")["StackResourceDetail"]
    assert detail["PhysicalResourceId"] == "old"


def test_the_style_decides_whether_the_old_properties_are_sent_again(either: Sandbox, style: str) -> None:
    """Statement 26."""
    either.create("shop", template({"D": database("old")}))
    either.queues.fails["create", "Q"] = "no"
    either.update("shop", template({"D": database("new"), "Q": queue(DependsOn="D")}))
    back = [("Update", "D", "new")] if style == "update" else []
    assert either.function.received()[2:] == [*back, ("Delete", "D", "new")]


def test_a_replaced_queue_goes_back_to_the_old_one(aws: Sandbox) -> None:
    """Statement 26: what AWS itself replaces is never updated back."""
    aws.create("shop", template({"A": queue("old")}))
    aws.queues.fails["create", "B"] = "no"
    wanted = template({"A": queue("new"), "B": queue(DependsOn="A")})
    assert aws.update("shop", wanted) == "UPDATE_ROLLBACK_COMPLETE"
    assert set(aws.queues.live) == {"old"}
    assert ("update", "A") not in aws.queues.calls()


def test_what_a_failed_update_added_is_deleted_in_the_cleanup_of_the_rollback(aws: Sandbox) -> None:
    """Statement 27."""
    aws.create("shop", template({"A": queue("a")}))
    aws.queues.fails["create", "C"] = "no"
    wanted = template({"A": queue("a"), "B": queue("b"), "C": queue(DependsOn="B")})
    assert aws.update("shop", wanted) == "UPDATE_ROLLBACK_COMPLETE"
    told = aws.told("shop")
    cleanup = told.index(("shop", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert cleanup < told.index(("B", "DELETE_IN_PROGRESS")) < told.index(("shop", "UPDATE_ROLLBACK_COMPLETE"))
    assert (set(aws.queues.live), aws.resources("shop")) == ({"a"}, {"A": "CREATE_COMPLETE"})


def test_after_a_rollback_template_and_parameters_are_the_old_ones(aws: Sandbox) -> None:
    declared = {"P": {"Type": "String", "Default": "1"}}
    aws.create("shop", template({"A": queue("a")}, Parameters=declared))
    aws.queues.fails["create", "B"] = "no"
    wanted = template({"A": queue("a"), "B": queue()}, Parameters=declared)
    aws.update("shop", wanted, Parameters=[{"ParameterKey": "P", "ParameterValue": "2"}])
    assert aws.stack("shop")["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "1"}]
    assert "B" not in aws.aws.get_template(StackName="shop")["TemplateBody"]["Resources"]


def broken_rollback(aws: Sandbox) -> None:
    """A stack in UPDATE_ROLLBACK_FAILED: D cannot be brought back."""
    aws.create("shop", template({"D": database("d", Size=1), "E": database("e", Size=1, DependsOn="D")}))
    aws.function.code = lambda e: (
        answer(e, "FAILED", Reason="stuck")
        if (e["RequestType"], e["LogicalResourceId"]) == ("Update", "D")
        else named(e)
    )
    aws.update("shop", template({"D": database("d", Size=2), "E": database("e", Size=1, DependsOn="D")}))


def test_a_failure_while_rolling_back_stops_there(aws: Sandbox) -> None:
    """Statement 28."""
    broken_rollback(aws)
    assert aws.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert aws.stack("shop")["StackStatusReason"] == "The following resource(s) failed to update: [D]. "
    with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_FAILED state and can not be updated"):
        aws.update("shop", template({"D": database("d", Size=3)}))


def test_a_rollback_can_be_continued_once_the_cause_is_gone(aws: Sandbox) -> None:
    """Statement 28."""
    broken_rollback(aws)
    aws.function.code = named
    aws.aws.continue_update_rollback(StackName="shop")
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.function.events[-1]["ResourceProperties"]["Size"] == "1"


def test_a_rollback_can_be_continued_without_a_resource(aws: Sandbox) -> None:
    """Statement 28."""
    broken_rollback(aws)
    before = len(aws.function.events)
    with pytest.raises(ClientError, match=r"ResourcesToSkip must have failed to roll back.*\[E\]"):
        aws.aws.continue_update_rollback(StackName="shop", ResourcesToSkip=["E"])
    aws.aws.continue_update_rollback(StackName="shop", ResourcesToSkip=["D"])
    assert aws.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert len(aws.function.events) == before
    assert aws.resources("shop")["D"] == "UPDATE_COMPLETE"


def test_a_stack_whose_rollback_failed_can_be_deleted(aws: Sandbox) -> None:
    """Statement 28."""
    broken_rollback(aws)
    assert aws.delete("shop") == "DELETE_COMPLETE"


def test_only_a_failed_rollback_can_be_continued(aws: Sandbox) -> None:
    """Statement 28."""
    aws.create("shop", template({"A": queue()}))
    with pytest.raises(ClientError, match="CREATE_COMPLETE state and can not continue an update rollback"):
        aws.aws.continue_update_rollback(StackName="shop")


def test_a_bug_ends_the_stack_instead_of_hanging_it(aws: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    aws.create("shop", template({"A": queue("a")}))
    aws.cloudformation.region.withdraw = None  # type: ignore[assignment,method-assign] # a mistake inside the engine
    assert aws.delete("shop") == "DELETE_FAILED"
    assert aws.stack("shop")["StackStatusReason"].startswith("Internal Failure: TypeError")
    assert "Traceback" in caplog.text
