"""Values that one stack offers and others read."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .fakes import Sandbox, queue, template

IMPORTER = template({"B": queue("b", RedrivePolicy={"deadLetterTargetArn": {"Fn::ImportValue": "mail"}})})


def exporter(name: str = "a", export: str = "mail") -> dict[str, Any]:
    outputs = {"Q": {"Value": {"Ref": "A"}, "Export": {"Name": export}}}
    return template({"A": queue(name)}, Outputs=outputs)


def test_an_export_is_read_by_another_stack(aws: Sandbox) -> None:
    """Statement 39."""
    aws.create("one", exporter())
    assert aws.create("two", IMPORTER) == "CREATE_COMPLETE"
    assert aws.queues.live["b"]["RedrivePolicy"] == {"deadLetterTargetArn": "a"}
    assert aws.aws.list_exports()["Exports"] == [
        {"ExportingStackId": aws.stack("one")["StackId"], "Name": "mail", "Value": "a"}
    ]
    assert aws.aws.list_imports(ExportName="mail")["Imports"] == ["two"]


def test_an_export_that_is_missing_rolls_the_stack_back(aws: Sandbox) -> None:
    """Statement 37: at the stack, before any resource is begun."""
    assert aws.create("two", IMPORTER) == "ROLLBACK_COMPLETE"
    reason = aws.reason("two", "two", "ROLLBACK_IN_PROGRESS")
    assert reason == "No export named mail found. Rollback requested by user."
    assert aws.queues.requests == []


def test_a_name_of_an_export_can_be_made_of_parameters(aws: Sandbox) -> None:
    """Statement 37."""
    aws.create("one", exporter())
    name = {"Fn::ImportValue": {"Fn::Sub": "${What}"}}
    wanted = template(
        {"B": queue("b", RedrivePolicy={"deadLetterTargetArn": name})},
        Parameters={"What": {"Type": "String", "Default": "mail"}},
    )
    assert aws.create("two", wanted) == "CREATE_COMPLETE"


def test_an_export_in_use_keeps_its_stack_from_being_deleted(aws: Sandbox) -> None:
    """Statement 38."""
    aws.create("one", exporter())
    aws.create("two", IMPORTER)
    assert aws.delete("one") == "DELETE_FAILED"
    assert aws.stack("one")["StackStatusReason"] == "Export mail cannot be deleted as it is in use by two"
    assert "a" in aws.queues.live
    aws.delete("two")
    assert aws.delete("one") == "DELETE_COMPLETE"


def test_an_export_in_use_cannot_change(aws: Sandbox) -> None:
    """Statement 38."""
    aws.create("one", exporter())
    aws.create("two", IMPORTER)
    assert aws.update("one", exporter("other")) == "UPDATE_ROLLBACK_COMPLETE"
    reason = aws.reason("one", "one", "UPDATE_ROLLBACK_IN_PROGRESS")
    assert reason == "Export mail cannot be updated as it is in use by two"
    assert aws.outputs("one") == {"Q": "a"}
    assert "other" not in aws.queues.live


def test_an_export_in_use_cannot_go(aws: Sandbox) -> None:
    """Statement 38."""
    aws.create("one", exporter())
    aws.create("two", IMPORTER)
    assert aws.update("one", template({"A": queue("a")})) == "UPDATE_ROLLBACK_COMPLETE"
    reason = aws.reason("one", "one", "UPDATE_ROLLBACK_IN_PROGRESS")
    assert reason == "Export mail cannot be deleted as it is in use by two"


def test_an_export_that_nobody_reads_any_more_can_go(aws: Sandbox) -> None:
    """Statement 38."""
    aws.create("one", exporter())
    aws.create("two", IMPORTER)
    assert aws.update("two", template({"B": queue("b")})) == "UPDATE_COMPLETE"
    assert aws.update("one", exporter("other", "post")) == "UPDATE_COMPLETE"
    assert [item["Name"] for item in aws.aws.list_exports()["Exports"]] == ["post"]


def test_an_update_that_fails_does_not_count_as_a_reader(aws: Sandbox) -> None:
    """Statement 38."""
    aws.create("one", exporter())
    aws.create("two", template({"C": queue("c")}))
    aws.queues.fails["create", "B"] = "no"
    assert aws.update("two", IMPORTER) == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="Export 'mail' is not imported by any stack"):
        aws.aws.list_imports(ExportName="mail")
    assert aws.delete("one") == "DELETE_COMPLETE"


def test_two_stacks_cannot_export_the_same_name(aws: Sandbox) -> None:
    """Statement 39."""
    aws.create("one", exporter())
    assert aws.create("two", exporter("b")) == "ROLLBACK_COMPLETE"
    reason = aws.reason("two", "two", "ROLLBACK_IN_PROGRESS")
    assert reason.startswith("Export with name mail is already exported by stack one.")


def test_an_export_goes_with_its_stack(aws: Sandbox) -> None:
    """Statement 39."""
    aws.create("one", exporter())
    aws.delete("one")
    assert aws.aws.list_exports()["Exports"] == []
    assert aws.create("two", exporter()) == "CREATE_COMPLETE"
