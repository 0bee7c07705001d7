"""Change sets through a real CloudFormation API: what is left of one that nobody wanted to execute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from aurora_tenants import data
from aurora_tenants.aws import changesets, operations, stacks
from aurora_tenants.aws.changesets import ChangeSet
from aurora_tenants.errors import AwsError, StackFailed
from aurora_tenants.preview import of_new
from aurora_tenants.stack import StackPlan
from tests.cloud import Cloud
from tests.quick import look_often

GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "of-a-change-set"}}
IMPORTS = {**GROUP, "Properties": {"LogGroupName": {"Fn::ImportValue": "gone"}}}
TEMPLATE = {"Resources": {"Log": GROUP}}


AN_HOUR = 3_600
MADE = 1_800_000_000


def described(updated: int | None, change_set: str = "") -> dict[str, Any]:
    """updated: seconds after MADE, which is when change sets of this program were made."""
    arn = f"arn:aws:cloudformation:eu-west-1:123456789012:changeSet/{change_set}/5a0c" if change_set else None
    at = None if updated is None else datetime.fromtimestamp(MADE + updated, UTC)
    return {key: value for key, value in {"LastUpdatedTime": at, "ChangeSetId": arn}.items() if value is not None}


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (described(None), False),
        (described(20, f"aurora-tenants-{MADE}000000000"), False),
        (described(AN_HOUR, f"aurora-tenants-{MADE}000000000"), True),
        (described(20), True),
        (described(20, "awscli-cloudformation-package-deploy-1800000000"), True),
        (described(20, "aurora-tenants-by-hand"), True),
    ],
    ids=["as created", "ours", "ours, and an update since", "no change set", "another's", "of a name like ours"],
)
def test_who_has_updated_a_stack_last_is_told_by_its_change_set(description: dict[str, Any], expected: bool):
    assert changesets.is_by_others(description) is expected


@pytest.fixture
def cloudformation(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    look_often(monkeypatch)
    yield cloud.client("cloudformation")
    cloud.throttle("cloudformation", "DescribeChangeSet", 0)
    cloud.clean()


def make(cloudformation: Any, template: dict[str, Any] = TEMPLATE) -> ChangeSet:
    before = stacks.read_stack(cloudformation, "log")
    plan = StackPlan("log", "log", "the log", template=json.dumps(template))
    made = changesets.make(cloudformation, plan, before, keeps_failed=True)
    assert made is not None
    return made


def test_the_empty_stack_that_was_made_with_one_goes_with_it(cloudformation: Any, cloud: Cloud):
    made = make(cloudformation)
    assert cloud.stacks() == {"log": "REVIEW_IN_PROGRESS"}
    changesets.discard(cloudformation, made)
    assert cloud.stacks() == {}


def test_a_stack_that_somebody_else_deploys_meanwhile_is_never_deleted(cloudformation: Any, cloud: Cloud):
    first, second = make(cloudformation), make(cloudformation)
    stacks.execute(cloudformation, second, tell=lambda event: None)
    changesets.discard(cloudformation, first)
    assert cloud.stacks() == {"log": "CREATE_COMPLETE"}


def test_a_stack_that_waits_for_somebody_else_stays_with_their_change_set(cloudformation: Any, cloud: Cloud):
    cloud.begin_change_set("log", TEMPLATE)
    changesets.discard(cloudformation, make(cloudformation))
    assert cloud.stacks() == {"log": "REVIEW_IN_PROGRESS"}
    assert [it["ChangeSetName"] for it in cloudformation.list_change_sets(StackName="log")["Summaries"]] == ["first"]


def test_a_stack_that_was_left_as_it_failed_is_gone_on_with(cloudformation: Any, cloud: Cloud):
    """Its creation, and then its update, which may not be rolled back either."""
    cloud.client("logs").create_log_group(logGroupName="of-a-change-set")
    for status in ("CREATE_FAILED", "UPDATE_FAILED"):
        with pytest.raises(StackFailed, match="Log: The specified log group already exists"):
            stacks.execute(cloudformation, make(cloudformation), tell=lambda event: None)
        assert cloud.stacks() == {"log": status}
        failed = operations.first_failure(cloudformation, "log")
        assert failed is not None
        assert (failed.resource, failed.status) == ("Log", "CREATE_FAILED")
    cloud.client("logs").delete_log_group(logGroupName="of-a-change-set")
    stacks.execute(cloudformation, make(cloudformation), tell=lambda event: None)
    assert cloud.stacks() == {"log": "UPDATE_COMPLETE"}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"Zones": "3", "ReaderInstances": "2"},
        {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2", "Zones": "3", "ReaderInstances": "5"},
    ],
)
def test_what_a_new_cluster_makes_is_known_before_there_is_a_change_set(
    cloudformation: Any, cloud: Cloud, parameters: dict[str, str]
):
    plan = StackPlan("log", "cluster", "the cluster", template=data.text("cluster.yml"), parameters=parameters)
    made = changesets.make(cloudformation, plan, None)
    assert made is not None
    assert of_new(plan) == changesets.read(cloudformation, made)
    changesets.discard(cloudformation, made)


def test_of_an_update_nothing_but_the_change_set_is_deleted(cloudformation: Any, cloud: Cloud):
    assert cloud.deploy("log", TEMPLATE) == "CREATE_COMPLETE"
    changesets.discard(cloudformation, make(cloudformation, {"Resources": {"Log": GROUP, "Other": {**GROUP}}}))
    assert cloudformation.list_change_sets(StackName="log")["Summaries"] == []
    assert cloud.stacks() == {"log": "CREATE_COMPLETE"}


def test_one_that_cannot_be_followed_or_made_leaves_no_stack(cloudformation: Any, cloud: Cloud):
    cloud.throttle("cloudformation", "DescribeChangeSet", 1)
    with pytest.raises(AwsError, match="Rate exceeded"):
        make(cloudformation)
    assert cloud.stacks() == {}
    with pytest.raises(StackFailed, match="No export named gone found"):
        make(cloudformation, {"Resources": {"Log": IMPORTS}})
    assert cloud.stacks() == {}
