"""Change sets: prepared, looked at, executed or thrown away, as `aws cloudformation deploy` does it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import Sandbox, database, queue, template

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def prepare(
    aws: Sandbox, wanted: dict[str, Any], *, name: str = "c", kind: str = "UPDATE", **more: Any
) -> dict[str, Any]:
    """The description of a new change set of stack shop."""
    aws.aws.create_change_set(
        StackName="shop", ChangeSetName=name, ChangeSetType=kind, TemplateBody=json.dumps(wanted), **more
    )
    described: dict[str, Any] = aws.aws.describe_change_set(StackName="shop", ChangeSetName=name)
    return described


def announced(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [change["ResourceChange"] for change in described["Changes"]]


def test_what_the_aws_cli_sends_for_deploy_works(aws: Sandbox) -> None:
    """Statement 35: describe, create, wait, execute, wait; twice, the second time as an update."""
    for kind, size in (("CREATE", 1), ("UPDATE", 2)):
        if kind == "CREATE":
            with pytest.raises(ClientError, match="Stack with id shop does not exist"):
                aws.stack("shop")
        made = aws.aws.create_change_set(
            ChangeSetName=f"awscli-cloudformation-package-deploy-{size}",
            StackName="shop",
            TemplateBody=json.dumps(template({"A": queue("a", DelaySeconds=size)})),
            ChangeSetType=kind,
            Parameters=[],
            Capabilities=[],
            Description="Created by AWS CLI at 2026-01-01T00:00:00 UTC",
            Tags=[],
        )
        aws.aws.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"], StackName=made["StackId"])
        aws.aws.execute_change_set(ChangeSetName=made["Id"], StackName=made["StackId"], DisableRollback=False)
        aws.settled("shop")
        aws.aws.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName="shop")
    assert aws.queues.live["a"]["DelaySeconds"] == 2


def test_nothing_to_change_is_a_failed_change_set_with_the_sentence_clients_compare(aws: Sandbox) -> None:
    """Statement 34."""
    aws.create("shop", template({"A": queue("a")}))
    described = prepare(aws, template({"A": queue("a")}))
    assert (described["Status"], described["ExecutionStatus"], described["StatusReason"]) == (
        "FAILED",
        "UNAVAILABLE",
        NO_CHANGES,
    )
    with pytest.raises(aws.aws.exceptions.InvalidChangeSetStatusException, match=r"current status of \[FAILED\]"):
        aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")


def test_a_change_set_of_type_create_makes_a_stack_that_waits(aws: Sandbox) -> None:
    """Statement 35."""
    described = prepare(aws, template({"A": queue("a")}), kind="CREATE")
    assert aws.stack("shop")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert announced(described) == [
        {"Action": "Add", "LogicalResourceId": "A", "ResourceType": "AWS::SQS::Queue", "Scope": [], "Details": []}
    ]
    assert aws.queues.requests == []


def test_executing_a_change_set_drops_the_others(aws: Sandbox) -> None:
    """Statement 35."""
    prepare(aws, template({"A": queue("a")}), name="one", kind="CREATE")
    prepare(aws, template({"A": queue("b")}), name="two", kind="CREATE")
    assert len(aws.aws.list_change_sets(StackName="shop")["Summaries"]) == 2
    aws.aws.execute_change_set(StackName="shop", ChangeSetName="two")
    assert aws.settled("shop") == "CREATE_COMPLETE"
    with pytest.raises(aws.aws.exceptions.ChangeSetNotFoundException, match=r"ChangeSet \[one\] does not exist"):
        aws.aws.describe_change_set(StackName="shop", ChangeSetName="one")
    assert set(aws.queues.live) == {"b"}
    with pytest.raises(aws.aws.exceptions.InvalidChangeSetStatusException):
        aws.aws.execute_change_set(StackName="shop", ChangeSetName="two")


def test_a_waiting_stack_can_be_deleted(aws: Sandbox) -> None:
    """Statement 35."""
    prepare(aws, template({"A": queue("a")}), kind="CREATE")
    with pytest.raises(ClientError, match="REVIEW_IN_PROGRESS state and can not be updated"):
        aws.update("shop", template({"A": queue("a")}))
    assert aws.delete("shop") == "DELETE_COMPLETE"
    assert aws.queues.requests == []


def test_types_that_do_not_fit_the_stack_are_refused(aws: Sandbox) -> None:
    """Statement 35."""
    with pytest.raises(ClientError, match=r"Stack \[shop\] does not exist"):
        prepare(aws, template({"A": queue("a")}))
    aws.create("shop", template({"A": queue("a")}))
    with pytest.raises(ClientError, match=r"already exists and cannot be created again with the changeSet \[c\]"):
        prepare(aws, template({"A": queue("a")}), kind="CREATE")


def test_added_modified_and_removed_resources_are_announced(aws: Sandbox) -> None:
    """Statement 36."""
    aws.create("shop", template({"A": queue("a", DelaySeconds=1), "B": queue("b"), "C": queue("c")}))
    described = prepare(aws, template({"A": queue("a", DelaySeconds=2), "B": queue("b"), "D": queue("d")}))
    assert announced(described) == [
        {
            "Action": "Modify",
            "LogicalResourceId": "A",
            "PhysicalResourceId": "a",
            "ResourceType": "AWS::SQS::Queue",
            "Replacement": "False",
            "Scope": ["Properties"],
            "Details": [
                {
                    "Target": {"Attribute": "Properties", "Name": "DelaySeconds", "RequiresRecreation": "Never"},
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                }
            ],
        },
        {
            "Action": "Remove",
            "LogicalResourceId": "C",
            "PhysicalResourceId": "c",
            "ResourceType": "AWS::SQS::Queue",
            "PolicyAction": "Delete",
            "Scope": [],
            "Details": [],
        },
        {"Action": "Add", "LogicalResourceId": "D", "ResourceType": "AWS::SQS::Queue", "Scope": [], "Details": []},
    ]
    assert aws.resources("shop") == dict.fromkeys("ABC", "CREATE_COMPLETE")


def test_a_replacement_is_announced_with_what_hangs_on_it(aws: Sandbox) -> None:
    """Statement 36: the new physical id is not known yet, so what refers to it changes dynamically."""
    resources = {
        "A": queue("a"),
        "B": queue("b", RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["A", "Arn"]}}, DelaySeconds=1),
    }
    aws.create("shop", template(resources))
    resources["A"] = queue("new")
    first, second = announced(prepare(aws, template(resources)))
    assert (first["Replacement"], first["PolicyAction"]) == ("True", "ReplaceAndDelete")
    assert first["Details"][0]["Target"]["RequiresRecreation"] == "Always"
    assert second["Replacement"] == "False"
    assert second["Details"] == [
        {
            "Target": {"Attribute": "Properties", "Name": "RedrivePolicy", "RequiresRecreation": "Never"},
            "Evaluation": "Dynamic",
            "ChangeSource": "ResourceAttribute",
            "CausingEntity": "A.Arn",
        }
    ]


def test_a_name_that_hangs_on_a_replaced_resource_may_replace(aws: Sandbox) -> None:
    """Statement 36."""
    resources = {"A": queue("a"), "B": queue({"Fn::Sub": "${A}-dead"})}
    aws.create("shop", template(resources))
    resources["A"] = queue("new")
    _, second = announced(prepare(aws, template(resources)))
    assert (second["Replacement"], second["Details"][0]["ChangeSource"]) == ("Conditional", "ResourceReference")


def test_a_parameter_is_named_as_the_cause(aws: Sandbox) -> None:
    """Statement 36."""
    wanted = template(
        {"A": queue("a", DelaySeconds={"Ref": "Delay"})}, Parameters={"Delay": {"Type": "Number", "Default": 1}}
    )
    aws.create("shop", wanted)
    (change,) = announced(prepare(aws, wanted, Parameters=[{"ParameterKey": "Delay", "ParameterValue": "2"}]))
    assert (change["Details"][0]["ChangeSource"], change["Details"][0]["CausingEntity"]) == (
        "ParameterReference",
        "Delay",
    )


def test_tags_are_announced_for_what_can_be_tagged(aws: Sandbox) -> None:
    """Statement 45."""
    wanted = template({"A": queue("a"), "D": database("d")})
    aws.create("shop", wanted)
    (change,) = announced(prepare(aws, wanted, Tags=[{"Key": "tenant", "Value": "shop"}]))
    assert (change["LogicalResourceId"], change["Scope"], change["Replacement"]) == ("A", ["Tags"], "False")


def test_a_custom_resource_never_announces_replacement(aws: Sandbox) -> None:
    """Statement 36: nobody knows before the function has answered."""
    aws.create("shop", template({"D": database("old")}))
    (change,) = announced(prepare(aws, template({"D": database("new")})))
    assert (change["Replacement"], change["Details"][0]["Target"]["RequiresRecreation"]) == ("False", "Never")
    assert len(aws.function.events) == 1


def test_secret_parameters_are_masked(aws: Sandbox) -> None:
    """Statement 45."""
    wanted = template({"A": queue({"Ref": "P"})}, Parameters={"P": {"Type": "String", "NoEcho": True}})
    described = prepare(aws, wanted, kind="CREATE", Parameters=[{"ParameterKey": "P", "ParameterValue": "hush"}])
    assert described["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "****"}]
    assert "hush" not in json.dumps(described, default=str)


def test_a_missing_export_fails_the_change_set(aws: Sandbox) -> None:
    """Statement 37."""
    aws.create("shop", template({"A": queue("a")}))
    described = prepare(aws, template({"A": queue({"Fn::ImportValue": "gone"})}))
    assert (described["Status"], described["StatusReason"]) == ("FAILED", "No export named gone found.")


def test_changes_come_in_pages(aws: Sandbox) -> None:
    first = prepare(aws, template({f"Q{n}": queue() for n in range(101)}), kind="CREATE")
    rest = aws.aws.describe_change_set(StackName="shop", ChangeSetName="c", NextToken=first["NextToken"])
    assert (len(first["Changes"]), len(rest["Changes"])) == (100, 1)


def test_a_change_set_can_be_thrown_away_and_made_again(aws: Sandbox) -> None:
    aws.create("shop", template({"A": queue("a")}))
    prepare(aws, template({"B": queue("b")}))
    with pytest.raises(aws.aws.exceptions.AlreadyExistsException, match="ChangeSet c cannot be created"):
        prepare(aws, template({"B": queue("b")}))
    aws.aws.delete_change_set(StackName="shop", ChangeSetName="c")
    aws.aws.delete_change_set(StackName="shop", ChangeSetName="c")
    assert prepare(aws, template({"B": queue("b")}))["Status"] == "CREATE_COMPLETE"


def test_a_change_set_is_obsolete_once_the_stack_was_updated_otherwise(aws: Sandbox) -> None:
    aws.create("shop", template({"A": queue("a")}))
    prepare(aws, template({"B": queue("b")}))
    aws.update("shop", template({"C": queue("c")}))
    assert aws.aws.describe_change_set(StackName="shop", ChangeSetName="c")["ExecutionStatus"] == "OBSOLETE"
    with pytest.raises(aws.aws.exceptions.InvalidChangeSetStatusException):
        aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")


def test_the_template_of_a_change_set_can_be_read(aws: Sandbox) -> None:
    wanted = template({"A": queue("a")})
    prepare(aws, wanted, kind="CREATE")
    assert aws.aws.get_template(StackName="shop", ChangeSetName="c")["TemplateBody"] == wanted
