"""Change sets of type IMPORT: what is there already becomes a stack's, and nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import Sandbox, database, queue, template
from .test_change_sets import announced

KEPT = queue("b", DeletionPolicy="Retain", DelaySeconds=7)
BEFORE = template({"A": queue("a"), "Data": database("data")}, Outputs={"Name": {"Value": {"Ref": "A"}}})


def entry(logical_id: str = "B", url: str = "b", **other: Any) -> dict[str, Any]:
    identifier = {"QueueUrl": url}
    return {
        "ResourceType": "AWS::SQS::Queue", "LogicalResourceId": logical_id, "ResourceIdentifier": identifier, **other
    }  # fmt: skip


def importing(aws: Sandbox, wanted: dict[str, Any], *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The description of a new change set of stack shop."""
    given = {"TemplateBody": json.dumps(wanted), "ResourcesToImport": list(entries), "ChangeSetType": "IMPORT", **more}
    aws.aws.create_change_set(StackName="shop", ChangeSetName="c", **given)
    described: dict[str, Any] = aws.aws.describe_change_set(StackName="shop", ChangeSetName="c")
    return described


def refusal(aws: Sandbox, wanted: dict[str, Any], *entries: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ClientError) as refused:
        importing(aws, wanted, *entries, **more)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert aws.aws.list_change_sets(StackName="shop")["Summaries"] == []
    return str(refused.value.response["Error"]["Message"])


def execute(aws: Sandbox) -> str:
    aws.aws.execute_change_set(StackName="shop", ChangeSetName="c")
    return aws.settled("shop")


def with_b(**more: Any) -> dict[str, Any]:
    return {**BEFORE, "Resources": {**BEFORE["Resources"], "B": {**KEPT, **more}}}


@pytest.fixture
def shop(aws: Sandbox) -> Sandbox:
    """A stack shop, and a queue b that belongs to nobody."""
    aws.create("shop", BEFORE)
    aws.queues.live["b"] = {"QueueName": "b", "DelaySeconds": 3}
    aws.queues.requests.clear()
    return aws


def test_what_is_there_becomes_the_stacks_and_nothing_else_is_touched(shop: Sandbox) -> None:
    described = importing(shop, with_b(), entry())
    assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert described["StatusReason"].startswith("Verify that resources and their properties")
    imported = {"Action": "Import", "LogicalResourceId": "B", "PhysicalResourceId": "b",
                "ResourceType": "AWS::SQS::Queue", "Scope": [], "Details": []}  # fmt: skip
    assert announced(described) == [imported]
    before = len(shop.events("shop"))
    asked = len(shop.function.events)
    assert execute(shop) == "IMPORT_COMPLETE"
    assert [(e["LogicalResourceId"], e["ResourceStatus"]) for e in shop.events("shop")[before:]] == [
        ("shop", "IMPORT_IN_PROGRESS"),
        ("B", "IMPORT_IN_PROGRESS"),
        ("B", "IMPORT_COMPLETE"),
        ("B", "UPDATE_IN_PROGRESS"),
        ("B", "UPDATE_COMPLETE"),
        ("shop", "IMPORT_COMPLETE"),
    ]
    # The update that follows an import has the template's properties as the old ones, too.
    ((verb, request),) = shop.queues.requests
    assert (verb, request.old_properties) == ("update", request.properties)
    assert request.tags["aws:cloudformation:logical-id"] == "B"
    assert len(shop.function.events) == asked
    assert shop.outputs("shop") == {"Name": "a"}


def test_what_was_imported_is_updated_and_deleted_as_the_rest(shop: Sandbox) -> None:
    importing(shop, with_b(), entry())
    execute(shop)
    assert shop.update("shop", with_b(DeletionPolicy="Delete")) == "UPDATE_COMPLETE"
    assert shop.update("shop", BEFORE) == "UPDATE_COMPLETE"
    assert set(shop.queues.live) == {"a"}


def test_what_a_stack_retained_is_imported_by_another(shop: Sandbox) -> None:
    shop.create("giver", template({"Given": queue("given", DeletionPolicy="Retain"), "Other": queue("other")}))
    wanted = template({**BEFORE["Resources"], "B": {**KEPT, "Properties": {"QueueName": "given"}}})
    wanted = {**wanted, "Outputs": BEFORE["Outputs"]}
    owner = shop.stack("giver")["StackId"]
    described = importing(shop, wanted, entry(url="given"))
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert (described["StatusReason"], described["Changes"]) == (f"given already exists in stack {owner}", [])
    shop.aws.delete_change_set(StackName="shop", ChangeSetName="c")
    assert shop.update("giver", template({"Other": queue("other")})) == "UPDATE_COMPLETE"
    importing(shop, wanted, entry(url="given"))
    assert execute(shop) == "IMPORT_COMPLETE"
    assert shop.delete("giver") == "DELETE_COMPLETE"
    assert "given" in shop.queues.live


def test_what_is_not_there_fails_the_change_set(shop: Sandbox) -> None:
    described = importing(shop, with_b(), entry(url="gone"))
    assert (described["Status"], described["Changes"]) == ("FAILED", [])
    assert described["StatusReason"] == "Resource of type 'AWS::SQS::Queue' with identifier 'gone' was not found."


@pytest.mark.parametrize(
    ("changed", "entries", "sentence"),
    [
        ({}, [], "Must Provide at least one resource to import"),
        ({}, [entry(), entry()], "Every resource to import must have unique LogicalResourceId"),
        (
            {},
            [entry("C")],
            "The logical resource ids [C] provided in ResourceToImport do not exist in the template.",
        ),
        (
            {},
            [entry(ResourceIdentifier={"QueueName": "b"})],
            "Invalid resource identifier for resource type AWS::SQS::Queue. Expected [QueueUrl]",
        ),
        (
            {},
            [entry(ResourceType="AWS::SSM::Parameter", ResourceIdentifier={"Name": "b"})],
            "Resource type of [B] passed in ResourceToImport does not match with resource type defined in the "
            "template. Resource type in ResourceToImport: AWS::SSM::Parameter; "
            "Resource type in Template: AWS::SQS::Queue.",
        ),
        (
            {"Data": database("data"), "More": database("more", DeletionPolicy="Retain")},
            [entry("More", ResourceType="Custom::Database")],
            "The following resource types are not supported for resource import: Custom::Database",
        ),
        ({"B": None}, [entry("A")], "The template should contain at least one new resource to import."),
        (
            {},
            [entry("A")],
            "Resources [A] passed in ResourceToImport are already in a stack and cannot be imported.",
        ),
        ({"C": queue("c")}, [entry()], "Resources [C] is missing from ResourceToImport list"),
        (
            {"A": queue("a", DelaySeconds=1)},
            [entry()],
            "You have modified resources [A] in your template that are not being imported. Update, create or delete "
            "operations cannot be executed during import operations.",
        ),
        (
            {"Data": None},
            [entry()],
            "You have modified resources [Data] in your template that are not being imported. Update, create or delete "
            "operations cannot be executed during import operations.",
        ),
        (
            {"B": queue("b")},
            [entry()],
            "The following resources to import [B] must have DeletionPolicy attribute specified in the template.",
        ),
    ],
)
def test_an_import_is_refused_in_aws_words(
    shop: Sandbox, changed: dict[str, Any], entries: list[dict[str, Any]], sentence: str
) -> None:
    resources = {name: item for name, item in {**with_b()["Resources"], **changed}.items() if item}
    assert refusal(shop, {**BEFORE, "Resources": resources}, *entries) == sentence


def test_neither_outputs_nor_role_nor_tags_change_with_an_import(shop: Sandbox) -> None:
    other = {**with_b(), "Outputs": {"Name": {"Value": {"Ref": "B"}}}}
    begin = "As part of the import operation, you cannot modify or add "
    assert refusal(shop, other, entry()) == f"{begin}[Outputs]"
    tags = [{"Key": "team", "Value": "a"}]
    role = "arn:aws:iam::123456789012:role/deploy"
    assert refusal(shop, with_b(), entry(), Tags=tags, RoleARN=role) == f"{begin}[RoleArn, Tags]"
    shop.update("shop", BEFORE, Tags=tags, RoleARN=role)
    importing(shop, with_b(), entry(), Tags=tags, RoleARN=role)
    assert execute(shop) == "IMPORT_COMPLETE"


def test_an_import_that_fails_half_way_leaves_the_stack_as_it_was(shop: Sandbox) -> None:
    importing(shop, with_b(), entry())
    shop.queues.fails["update", "B"] = "not now"
    assert execute(shop) == "IMPORT_ROLLBACK_COMPLETE"
    assert shop.reason("shop", "B", "UPDATE_FAILED") == "not now"
    assert "B" not in shop.resources("shop")
    assert shop.aws.get_template(StackName="shop")["TemplateBody"] == BEFORE
    assert "b" in shop.queues.live
    del shop.queues.fails["update", "B"]
    shop.aws.delete_change_set(StackName="shop", ChangeSetName="c")
    importing(shop, with_b(), entry())
    assert execute(shop) == "IMPORT_COMPLETE"
    assert shop.update("shop", BEFORE) == "UPDATE_COMPLETE"


def test_a_stack_that_failed_or_is_not_there_yet_takes_no_import(aws: Sandbox) -> None:
    aws.queues.live["b"] = {"QueueName": "b"}
    with pytest.raises(ClientError, match=r"Stack \[shop\] does not exist"):
        importing(aws, with_b(), entry())
    aws.aws.create_change_set(
        StackName="shop", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(BEFORE)
    )
    with pytest.raises(ClientError, match="does not imitate an import into a stack that is not there yet"):
        importing(aws, with_b(), entry())
    aws.queues.fails["create", "A"] = "not now"
    aws.aws.execute_change_set(StackName="shop", ChangeSetName="first")
    assert aws.settled("shop") == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        importing(aws, with_b(), entry())


def test_only_an_import_imports(shop: Sandbox) -> None:
    with pytest.raises(ClientError, match="does not imitate imports by change sets of type UPDATE"):
        importing(shop, with_b(), entry(), ChangeSetType="UPDATE")
    with pytest.raises(ClientError, match="does not imitate drift-aware change sets of type IMPORT"):
        importing(shop, with_b(), entry(), DeploymentMode="REVERT_DRIFT")
