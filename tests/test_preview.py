"""What a preview says before anybody says yes: what is lost, what is interrupted, what it costs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants import data
from aurora_tenants.preview import Action, Change, Difference, Preview, of_new, refusals, secrets
from aurora_tenants.render.preview import cost_text, preview_text
from aurora_tenants.schedule.cost import Size
from aurora_tenants.stack import StackPlan

CLUSTER, INSTANCE, SECRET = "AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret"


def preview(*changes: Change) -> Preview:
    return Preview("shared", is_new=False, changes=changes)


@pytest.mark.parametrize(
    ("kind", "action", "loses"),
    [
        (CLUSTER, "replace", True),
        (CLUSTER, "may replace", True),
        (CLUSTER, "delete", True),
        (CLUSTER, "change", False),
        (CLUSTER, "create", False),
        (SECRET, "delete", True),
        (INSTANCE, "delete", False),
        ("AWS::Lambda::Function", "replace", False),
    ],
)
def test_what_holds_data_is_not_replaced_or_deleted_unless_it_is_allowed(kind: str, action: Action, loses: bool):
    of = [preview(Change("It", kind, action))]
    assert [problem.code for problem in refusals(of, ())] == ["data-lost"] * loses
    assert (refusals(of, ("It",)), len(refusals(of, ("Other",)))) == ([], loses)


def test_only_properties_that_aws_says_so_of_interrupt():
    restarted = Change("It", CLUSTER, "change", (Difference("EngineVersion", "1", "2"),))
    assert restarted.interrupts
    assert not Change("It", CLUSTER, "change", (Difference("BackupRetentionPeriod", "7", "8"),)).interrupts
    assert not Change("It", CLUSTER, "create", (Difference("EngineVersion", "", "2"),)).interrupts


def test_a_new_shared_stack_is_all_of_its_template():
    """Which a change set would say only once there is its cluster."""
    resources = load(text := data.text("shared.yml"))["Resources"]
    found = of_new(StackPlan("new", "new", "new", template=text))
    made = {change.logical_id: change.type for change in found.changes}
    assert made == {logical_id: it["Type"] for logical_id, it in resources.items()}
    assert not any("Condition" in it for it in resources.values())


def test_a_long_value_is_cut_and_stays_on_its_line():
    code = "import boto3\n" * 20
    shown = preview_text([preview(Change("It", "AWS::Lambda::Function", "change", (Difference("Code", code, ""),)))])
    assert max(map(len, shown.plain.splitlines())) < 100
    assert len(shown.plain.splitlines()) == 3


def test_of_two_long_values_the_part_is_shown_where_they_differ():
    start = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "'
    changed = Change("It", "AWS::IAM::Role", "change", (Difference("Policies", f"{start}a:B", f"{start}c:D"),))
    shown = preview_text([preview(changed)]).plain
    assert 'Policies: …"Allow", "Action": "a:B -> …"Allow", "Action": "c:D' in shown


SMALL, LARGE = Size(Decimal(0), Decimal(2), 1, False), Size(Decimal("0.5"), Decimal(4), 3, False)


def test_a_month_is_counted_for_every_instance():
    assert SMALL.month("eu-west-1") == (Decimal("0.00"), Decimal("204.40"))
    assert LARGE.month("eu-west-1") == (Decimal("153.30"), Decimal("1226.40"))
    assert LARGE.month("eu-nowhere-1") is None


def test_the_cost_is_said_where_it_changes():
    both = cost_text(SMALL, LARGE, 0, "eu-west-1")
    assert both.startswith("A month: $153.30 to $1,226.40 for 0.5 to 4 ACU on 3 instances, before $0.00 to $204.40. ")
    assert "whose price in eu-nowhere-1 is not known here" in cost_text(None, SMALL, 0, "eu-nowhere-1")
    assert cost_text(SMALL, SMALL, 0, "eu-west-1") == ""
    assert cost_text(None, None, -2, "eu-west-1").startswith("A month: $0.80 less for 2 secrets. ")


def test_the_secret_that_rds_keeps_is_counted():
    created = [Change("A", CLUSTER, "create"), Change("B", SECRET, "create"), Change("C", INSTANCE, "create")]
    assert secrets([preview(*created)]) == 2
    assert secrets([preview(Change("B", SECRET, "delete"))]) == -1
