"""The seconds until the cluster pauses are sent beside a minimum of 0 and beside no other: RDS refuses them there."""

from __future__ import annotations

import json

import pytest

from aurora_tenants import data
from aurora_tenants.model import Capacity
from aurora_tenants.schedule import template
from aurora_tenants.schedule.template import scaling_input
from tests.cli.conftest import CommandLine
from tests.cli.pause_schedule.conftest import (
    ASLEEP,
    AWAKE,
    SHOP,
    STACK,
    forget_dead_letters,
    move_to,
    scaling,
    schedules,
    set_to,
)
from tests.cloud import Cloud

SAID = "SecondsUntilAutoPause can only be specified when minimum capacity is 0."
DEPLOY = "aurora-tenants shared deploy --yes --parameter"


def with_seconds(cluster_arn: str, capacity: Capacity) -> str:
    """What every schedule sent before."""
    sent = json.loads(scaling_input(cluster_arn, capacity))
    sent["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"] = capacity.pause_after_seconds
    return json.dumps(sent, sort_keys=True)


def test_schedules_that_still_send_the_seconds_are_told_apart_and_made_anew_by_the_next_apply(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(SHOP)
    move_to(cloud, 0, 20)
    with monkeypatch.context() as before:
        before.setattr(template, "scaling_input", with_seconds)
        set_to(run)
        assert run("aurora-tenants apply --yes").code == 0
    move_to(cloud, 1, 12)
    ended = run("aurora-tenants plan --detailed-exitcode")
    assert "1 change of the cluster's scaling failed in the last 14 days" in ended.out
    assert scaling(cloud) == ASLEEP
    assert (
        f"~ update pause schedule  (stack {STACK}: the file changed)\n"
        "    ~ alter   schedule awake-MON-FRI-0700: "
        "what it sends is 0.5 to 4 ACU with SecondsUntilAutoPause, which RDS refuses, not 0.5 to 4 ACU\n"
    ) in ended.out
    assert run("aurora-tenants apply --yes").code == 0
    assert "SecondsUntilAutoPause" not in schedules(cloud)["awake-MON-FRI-0700-r2"]["Target"]["Input"]
    move_to(cloud, 2, 12)
    assert scaling(cloud) == AWAKE
    assert "1 change of the cluster's scaling failed in the last 14 days" in run("aurora-tenants plan").out
    forget_dead_letters(cloud)


def test_the_shared_stack_sends_the_seconds_with_a_minimum_of_0_alone(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    text, read = data.text("cluster.yml"), data.text
    always = "!If [Pauses, !Ref SecondsUntilAutoPause, !Ref AWS::NoValue]"
    assert text.count(always) == 1
    with monkeypatch.context() as before:
        without = text.replace(always, "!Ref SecondsUntilAutoPause")
        before.setattr(data, "text", lambda name: without if name == "cluster.yml" else read(name))
        ended = run(f"{DEPLOY} MinCapacity=0.5")
    assert (ended.code, SAID in ended.err) == (1, True)
    for minimum, seconds, holds in [
        ("0.5", "600", {"MinCapacity": 0.5, "MaxCapacity": 2.0}),
        ("0", "600", {"MinCapacity": 0.0, "MaxCapacity": 2.0, "SecondsUntilAutoPause": 600}),
        ("0", "300", ASLEEP),
    ]:
        ended = run(f"{DEPLOY} MinCapacity={minimum} --parameter SecondsUntilAutoPause={seconds}")
        assert (ended.code, scaling(cloud)) == (0, holds), ended


@pytest.mark.parametrize("minimum", ["0.0", "00", "-0", "0e0", "0.3", "", ".5", "half"])
def test_a_minimum_that_could_be_taken_for_another_0_is_refused_before_anything_is_changed(
    run: CommandLine, cloud: Cloud, minimum: str
):
    ended = run(f"{DEPLOY} MinCapacity={minimum}")
    assert (ended.code, ended.out) == (1, "")
    assert "MinCapacity failed to satisfy constraint: write 0 (not 0.0), or 0.5 and more in halves" in ended.err
    assert scaling(cloud) == ASLEEP


@pytest.mark.parametrize("minimum", ["1.0", "1.50", "10"])
def test_a_minimum_that_earlier_stacks_were_deployed_with_is_still_taken(run: CommandLine, cloud: Cloud, minimum: str):
    try:
        ended = run(f"{DEPLOY} MinCapacity={minimum} --parameter MaxCapacity=16")
        assert (ended.code, scaling(cloud)["MinCapacity"]) == (0, float(minimum)), ended
    finally:
        assert run(f"{DEPLOY} MinCapacity=0 --parameter MaxCapacity=2").code == 0
