"""Each call of CloudFormation's that an apply makes, dropped once before and once after it took effect, one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from aurora_tenants.apply import Result, apply
from aurora_tenants.aws.clients import connect
from aurora_tenants.stack import Action, StackPlan
from tests.cloud import Cloud
from tests.endpoint import environment
from tests.quick import look_often

GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "lost"}}
TEMPLATE = {"Resources": {"Log": GROUP}}
CHANGED = {"Resources": {"Log": GROUP}, "Outputs": {"Name": {"Value": {"Ref": "Log"}}}}


@pytest.fixture
def cloudformation(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Asked as the command line asks it, which repeats what was not answered."""
    look_often(monkeypatch)
    with environment(cloud.environment):
        yield connect(region=None, profile=None).cloudformation
    cloud.clear()
    cloud.clean()


def applied(cloudformation: Any, action: Action, template: Any = None) -> Result:
    plan = StackPlan("lost", "lost", "tenant lost", action, template=json.dumps(template) if template else None)
    (result,) = apply([plan], cloudformation, parallel=2, allow_drop=(), tell=lambda step: None)
    return result


def test_no_lost_answer_is_the_end_of_a_stack(cloudformation: Any, cloud: Cloud):
    steps: list[tuple[Action, Any, Any]] = [
        ("create", TEMPLATE, "CREATE_COMPLETE"),
        ("update", CHANGED, "UPDATE_COMPLETE"),
        ("delete", None, None),
    ]
    met = Counter[str]()
    for fault in ("drop-before", "drop-after"):
        for nth in range(1, 12):
            happened = 0
            for action, template, status in steps:
                before = cloud.calls()
                cloud.meet(fault, service="cloudformation", nth=nth)
                result = applied(cloudformation, action, template)
                assert (result.problems, result.ending) == ((), "applied"), f"{action}, call {nth}: {fault}"
                happened += sum(told["happened"] for told in cloud.faults())
                cloud.clear()
                assert cloud.stacks().get("lost") == status
                met += cloud.calls() - before
            if not happened:
                break
        else:
            raise AssertionError("an apply made more calls than were dropped")
    assert {"CreateStack", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteStack"} <= {
        name.removeprefix("cloudformation:") for name in met
    }


def test_a_rollback_whose_beginning_was_not_answered_is_followed(cloudformation: Any, cloud: Cloud):
    applied(cloudformation, "create", TEMPLATE)
    for fault in ("drop-before", "drop-after"):
        cloud.put("lost", "UPDATE_ROLLBACK_FAILED")
        cloud.meet(fault, service="cloudformation", operation="ContinueUpdateRollback", nth=1)
        result = applied(cloudformation, "update", CHANGED)
        assert result.problems == ()
        assert [told["happened"] for told in cloud.faults()] == [1]
        cloud.clear()
