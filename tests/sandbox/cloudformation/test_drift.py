"""Drift-aware change sets: what was changed or deleted behind CloudFormation's back is shown, and set back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import Sandbox, database, queue, template
from .test_change_sets import NO_CHANGES, announced

BOTH = {
    "A": queue("a", DelaySeconds=5),
    "B": queue("b", Tags=[{"Key": "of", "Value": {"Fn::GetAtt": ["A", "Arn"]}}]),
    "Data": database("data"),
}


def reverting(aws: Sandbox, wanted: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The description of a new drift-aware change set of stack shop."""
    given = {"TemplateBody": json.dumps(wanted), "DeploymentMode": "REVERT_DRIFT"}
    aws.aws.create_change_set(StackName="shop", ChangeSetName="c", **given, **more)
    described: dict[str, Any] = aws.aws.describe_change_set(
        StackName="shop", ChangeSetName="c", IncludePropertyValues=True
    )
    return described


def execute(aws: Sandbox) -> str:
    aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")
    return aws.settled("shop")


def test_without_drift_there_is_nothing_to_do(aws: Sandbox) -> None:
    aws.create("shop", template(BOTH))
    described = reverting(aws, template(BOTH))
    assert (described["Status"], described["StatusReason"]) == ("FAILED", NO_CHANGES)
    assert (described["DeploymentMode"], described["StackDriftStatus"]) == ("REVERT_DRIFT", "IN_SYNC")


def test_what_was_deleted_is_made_again_with_what_hangs_on_it(aws: Sandbox) -> None:
    aws.create("shop", template(BOTH))
    del aws.queues.live["a"]
    described = reverting(aws, template(BOTH))
    first, second = announced(described)
    assert described["StackDriftStatus"] == "DRIFTED"
    assert (first["LogicalResourceId"], first["Action"], first["ResourceDriftStatus"]) == ("A", "Add", "DELETED")
    assert (second["LogicalResourceId"], second["Action"], second["ResourceDriftStatus"]) == ("B", "Modify", "IN_SYNC")
    assert execute(aws) == "UPDATE_COMPLETE"
    assert aws.queues.live["a"]["DelaySeconds"] == 5
    assert aws.resources("shop") == {"A": "CREATE_COMPLETE", "B": "CREATE_COMPLETE", "Data": "CREATE_COMPLETE"}


def test_a_property_that_was_changed_is_shown_with_all_three_values_and_set_back(aws: Sandbox) -> None:
    aws.create("shop", template(BOTH))
    aws.queues.live["a"] = {**aws.queues.live["a"], "DelaySeconds": 90, "FifoQueue": True}
    described = reverting(aws, template({**BOTH, "A": queue("a", DelaySeconds=7)}))
    (change,) = [each for each in announced(described) if each["LogicalResourceId"] == "A"]
    assert (change["Action"], change["ResourceDriftStatus"]) == ("Modify", "MODIFIED")
    (detail,) = change["Details"]
    target = detail["Target"]
    assert (target["Name"], target["BeforeValue"], target["AfterValue"]) == ("DelaySeconds", "90", "7")
    assert target["Drift"] == {"PreviousValue": "5", "ActualValue": "90"}
    assert (target["BeforeValueFrom"], target["AfterValueFrom"]) == ("ACTUAL_STATE", "TEMPLATE")
    assert execute(aws) == "UPDATE_COMPLETE"
    assert aws.queues.live["a"]["DelaySeconds"] == 7


def test_a_failure_leads_back_to_what_was_found(aws: Sandbox) -> None:
    aws.create("shop", template(BOTH))
    aws.queues.live["a"] = {**aws.queues.live["a"], "DelaySeconds": 90}
    aws.queues.fails["create", "C"] = "no more queues"
    reverting(aws, template({**BOTH, "C": queue("c", needs=["A"])}))
    assert execute(aws) == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.queues.live["a"]["DelaySeconds"] == 90


def test_of_a_custom_resource_nothing_is_seen(aws: Sandbox) -> None:
    aws.create("shop", template(BOTH))
    aws.function.events.clear()
    assert reverting(aws, template(BOTH))["Status"] == "FAILED"
    assert aws.function.events == []


def test_any_other_change_set_sees_no_drift(aws: Sandbox) -> None:
    aws.create("shop", template(BOTH))
    del aws.queues.live["a"]
    aws.aws.create_change_set(StackName="shop", ChangeSetName="c", TemplateBody=json.dumps(template(BOTH)))
    described = aws.aws.describe_change_set(StackName="shop", ChangeSetName="c")
    assert (described["Status"], described["StatusReason"]) == ("FAILED", NO_CHANGES)
    assert "DeploymentMode" not in described


def test_a_new_stack_has_no_drift_to_be_aware_of(aws: Sandbox) -> None:
    with pytest.raises(ClientError, match="does not imitate drift-aware change sets of type CREATE"):
        reverting(aws, template(BOTH), ChangeSetType="CREATE")
