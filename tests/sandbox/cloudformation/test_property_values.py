"""Change sets with the values of properties, and which values they never tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .fakes import Sandbox, answer, database, queue, template

SECRET = "hunter2-in-the-clear"
MASK = "****"
PASSWORD = {"Password": {"Type": "String", "NoEcho": True}}


def parameters(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def values(aws: Sandbox, wanted: dict[str, Any], **more: Any) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By resource and property: kind of change, value before and value after, as a new change set of stack shop says.

    Whatever it says, the secret is nowhere in it.
    """
    aws.aws.create_change_set(StackName="shop", ChangeSetName="c", TemplateBody=json.dumps(wanted), **more)
    told = aws.aws.describe_change_set(StackName="shop", ChangeSetName="c", IncludePropertyValues=True)
    assert SECRET not in json.dumps(told, default=str)
    aws.aws.delete_change_set(StackName="shop", ChangeSetName="c")
    return {
        (change["LogicalResourceId"], target["Path"].removeprefix("/Properties/")): (
            target["AttributeChangeType"],
            target.get("BeforeValue"),
            target.get("AfterValue"),
        )
        for change in (entry["ResourceChange"] for entry in told["Changes"])
        for target in (detail["Target"] for detail in change["Details"])
    }


def test_a_property_that_is_changed_added_or_removed_has_its_values(aws: Sandbox) -> None:
    """Statement 53."""
    aws.create("shop", template({"A": queue("a", DelaySeconds=1, MessageRetentionPeriod=60)}))
    wanted = template({"A": queue("a", DelaySeconds=2, VisibilityTimeout=5)})
    assert values(aws, wanted) == {
        ("A", "DelaySeconds"): ("Modify", "1", "2"),
        ("A", "MessageRetentionPeriod"): ("Remove", "60", None),
        ("A", "VisibilityTimeout"): ("Add", None, "5"),
    }


def test_without_being_asked_for_there_are_no_values(aws: Sandbox) -> None:
    """Statement 53."""
    aws.create("shop", template({"A": queue("a", DelaySeconds=1)}))
    aws.aws.create_change_set(
        StackName="shop", ChangeSetName="c", TemplateBody=json.dumps(template({"A": queue("a", DelaySeconds=2)}))
    )
    (change,) = aws.aws.describe_change_set(StackName="shop", ChangeSetName="c")["Changes"]
    (detail,) = change["ResourceChange"]["Details"]
    assert detail["Target"] == {"Attribute": "Properties", "Name": "DelaySeconds", "RequiresRecreation": "Never"}


def test_a_value_that_only_the_deployment_knows_is_said_to_be_known_then(aws: Sandbox) -> None:
    """Statement 53."""
    aws.create("shop", template({"A": queue("a"), "D": database("d", Of={"Fn::GetAtt": "A.Arn"})}))
    wanted = template({"A": queue("b"), "D": database("d", Of={"Fn::GetAtt": "A.Arn"})})
    before, after = "arn:aws:sqs:eu-west-1:123456789012:a", "{{changeSet:KNOWN_AFTER_APPLY}}"
    assert values(aws, wanted)["D", "Of"] == ("Modify", before, after)


def test_a_list_or_an_object_is_told_as_json(aws: Sandbox) -> None:
    """Statement 53."""
    aws.create("shop", template({"D": database("d", Tables=["a", "b"])}))
    found = values(aws, template({"D": database("d", Tables={"c": "1"})}))
    assert found == {("D", "Tables"): ("Modify", '["a", "b"]', '{"c": "1"}')}


def test_a_secret_parameter_is_masked_before_and_after(aws: Sandbox) -> None:
    """Statement 53."""
    wanted = template({"D": database("d", Login={"Fn::Sub": "admin:${Password}"})}, Parameters=PASSWORD)
    aws.create("shop", wanted, Parameters=parameters(Password=SECRET))
    found = values(aws, wanted, Parameters=parameters(Password=f"{SECRET}-2"))
    assert found == {("D", "Login"): ("Modify", MASK, MASK)}


@pytest.mark.parametrize("declares", [False, True])
def test_a_secret_is_not_told_by_a_template_that_no_longer_asks_for_it(aws: Sandbox, declares: bool) -> None:
    """Statement 53: neither where the parameter is gone, nor where it is only no longer referred to."""
    wanted = template({"D": database("d", Login={"Ref": "Password"})}, Parameters=PASSWORD)
    aws.create("shop", wanted, Parameters=parameters(Password=SECRET))
    again = {"Parameters": parameters(Password=SECRET)} if declares else {}
    sections = {"Parameters": PASSWORD} if declares else {}
    found = values(aws, template({"D": database("d", Login="open")}, **sections), **again)
    assert found == {("D", "Login"): ("Modify", MASK, "open")}
    assert values(aws, template({"D": database("d")}, **sections), **again) == {("D", "Login"): ("Remove", MASK, None)}


def test_what_becomes_secret_is_masked_as_it_was_too(aws: Sandbox) -> None:
    """Statement 53."""
    aws.create("shop", template({"D": database("d", Login=SECRET)}))
    wanted = template({"D": database("d", Login={"Ref": "Password"})}, Parameters=PASSWORD)
    found = values(aws, wanted, Parameters=parameters(Password="other"))
    assert found == {("D", "Login"): ("Modify", MASK, MASK)}


def test_a_secret_in_a_branch_is_masked_whichever_branch_is_taken_now(aws: Sandbox) -> None:
    """Statement 53."""
    sections = {
        "Parameters": {**PASSWORD, "Is": {"Type": "String"}},
        "Conditions": {"Secret": {"Fn::Equals": [{"Ref": "Is"}, "secret"]}},
    }
    wanted = template({"D": database("d", Login={"Fn::If": ["Secret", {"Ref": "Password"}, "open"]})}, **sections)
    aws.create("shop", wanted, Parameters=parameters(Password=SECRET, Is="secret"))
    found = values(aws, wanted, Parameters=parameters(Password=SECRET, Is="open"))
    assert found == {("D", "Login"): ("Modify", MASK, "open")}


def test_a_secret_is_masked_where_the_new_value_is_not_known_yet(aws: Sandbox) -> None:
    """Statement 53."""
    first = template({"A": queue("a"), "D": database("d", Login={"Ref": "Password"})}, Parameters=PASSWORD)
    aws.create("shop", first, Parameters=parameters(Password=SECRET))
    wanted = template({"A": queue("b"), "D": database("d", Login={"Fn::GetAtt": "A.Arn"})})
    assert values(aws, wanted)["D", "Login"] == ("Modify", MASK, "{{changeSet:KNOWN_AFTER_APPLY}}")


def test_a_secret_stays_one_in_a_stack_whose_update_failed(aws: Sandbox) -> None:
    """Statement 53: the stack's template is then no longer the one that the resource was made from."""
    first = template({"D": database("d", Login={"Ref": "Password"})}, Parameters=PASSWORD)
    aws.create("shop", first, Parameters=parameters(Password=SECRET))
    aws.function.code = lambda event: answer(event, "FAILED", Reason="no", PhysicalResourceId="d")
    wanted = template({"D": database("d", Login="open")})
    assert aws.update("shop", wanted, DisableRollback=True) == "UPDATE_FAILED"
    assert values(aws, wanted) == {("D", "Login"): ("Modify", MASK, "open")}


def test_a_dynamic_reference_is_told_as_it_is_written(aws: Sandbox) -> None:
    """Statement 53."""
    aws.secrets.update({"boss:password": SECRET, "boss:user": "admin"})
    reference = "{{{{resolve:secretsmanager:boss:SecretString:{}}}}}".format
    aws.create("shop", template({"A": queue("a", KmsMasterKeyId=reference("password"))}))
    found = values(aws, template({"A": queue("a", KmsMasterKeyId=reference("user"))}))
    assert found == {("A", "KmsMasterKeyId"): ("Modify", reference("password"), reference("user"))}
