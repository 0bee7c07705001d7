"""Stacks in the middle of somebody else's operation: the others are applied, these are waited for and planned then."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import CommandLine, Meanwhile, Terminal
from tests.cloud import SHARED, Cloud
from tests.render.test_apply_schema import check

STACK = "shared-global-shop"
SHOP = "  shop: {databases: {shop: }%s}\n"
OTHER = "  other: {databases: {other: }}\n"
MORE = "  more: {databases: {more: }}\n"
GROUPS = """
rollout:
  groups:
    - {name: canary, tenants: [shop], pause: manual}
    - {name: next, tenants: [more]}
    - {name: rest, tenants: ["*"]}
"""
TOLD = f"Waiting up to 180 s until operations have ended: {STACK} (UPDATE_IN_PROGRESS).\n"


@pytest.fixture
def shop(run: CommandLine, cloud: Cloud) -> Iterator[None]:
    """It is deployed, and somebody is updating it; the file asks for a user besides, and for another tenant."""
    run.file(SHOP % "")
    assert run("aurora-tenants apply --yes").code == 0
    cloud.put(STACK, "UPDATE_IN_PROGRESS")
    run.file(SHOP % ", users: {shop: }" + OTHER)
    yield
    if cloud.stacks().get(STACK, "").endswith("_IN_PROGRESS"):
        cloud.put(STACK, "UPDATE_COMPLETE")
    cloud.clean()


def comes_to_rest(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str = STACK) -> Meanwhile:
    """As soon as it is told to be waited for."""
    told = Meanwhile(lambda: cloud.put(name, "UPDATE_COMPLETE"), "Waiting up to")
    monkeypatch.setattr(sys, "stderr", told)
    return told


@pytest.mark.usefixtures("shop")
def test_what_waits_is_planned_and_applied_once_it_has_come_to_rest(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    planned = run("aurora-tenants plan --detailed-exitcode")
    assert (planned.code, "+ tenant shop" in planned.out) == (2, False)
    assert "+ tenant other  new\n" in planned.out
    told = comes_to_rest(cloud, monkeypatch)
    monkeypatch.setattr(sys, "stdin", Terminal("yes\nyes\n"))
    looks = cloud.calls()["cloudformation:ListStacks"]
    ended = run("aurora-tenants apply")
    assert (ended.code, cloud.stacks()) == (0, {STACK: "UPDATE_COMPLETE", "shared-global-other": "CREATE_COMPLETE"})
    # Each is shown before it is asked for.
    assert ended.out.index("+ tenant other") < ended.out.index("~ tenant shop")
    assert [line.partition("?")[0] for line in told.getvalue().splitlines() if "?" in line] == ["Apply to 1 tenant"] * 2
    assert told.getvalue().count(TOLD) == 1
    assert cloud.calls()["cloudformation:ListStacks"] - looks <= 3
    assert ended.out.endswith("Applied: 2 of 2 tenants. MySQL holds what the file says of them.\n")


@pytest.mark.usefixtures("shop")
def test_who_is_still_busy_is_named_and_the_others_stay_applied(run: CommandLine, cloud: Cloud):
    ended = run("aurora-tenants apply --yes --wait 0 --output json")
    result = json.loads(ended.out)
    check(result)
    assert (ended.code, result["outcome"], result["left"]) == (1, "failed", ["shop"])
    assert [(each["tenant"], each["outcome"]) for each in result["stacks"]] == [("other", "applied")]
    assert [each["status"] for each in result["waiting"]] == ["UPDATE_IN_PROGRESS"]
    assert (result["again"], cloud.stacks()[STACK]) == ("aurora-tenants apply --tenant shop", "UPDATE_IN_PROGRESS")


@pytest.mark.usefixtures("shop")
def test_a_canary_that_had_to_wait_still_pauses_before_those_that_come_after_it(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(MORE)
    assert run("aurora-tenants apply --yes --tenant more").code == 0
    cloud.put("shared-global-more", "UPDATE_IN_PROGRESS")
    run.file(SHOP % ", users: {shop: }" + MORE + OTHER + GROUPS)
    told = comes_to_rest(cloud, monkeypatch)
    told.and_then(lambda: cloud.put("shared-global-more", "UPDATE_COMPLETE"), "[1/")
    ended = run("aurora-tenants apply --yes --wait 6")
    cloud.put("shared-global-more", "UPDATE_COMPLETE")
    assert (ended.code, "shared-global-other" in cloud.stacks()) == (1, False)
    assert "+ user shop" in ended.out
    assert "error: tenant other was not applied" in told.getvalue()


@pytest.mark.usefixtures("shop")
def test_a_saved_plan_says_nothing_of_it_so_it_is_left_out(run: CommandLine, cloud: Cloud):
    assert run("aurora-tenants plan --out plan.json").code == 0
    ended = run("aurora-tenants apply plan.json")
    assert (ended.code, cloud.stacks().keys()) == (1, {STACK, "shared-global-other"})
    assert "it was when the plan was saved, too, so nobody has reviewed what there is to do for it" in ended.err
    assert ended.err.endswith("aurora-tenants plan --out plan.json --tenant shop --region eu-west-1\n")


def test_a_busy_shared_stack_is_waited_for_before_anything_is_read(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(OTHER)
    cloud.put(SHARED, "UPDATE_IN_PROGRESS")
    refused = run("aurora-tenants apply --yes --wait 0")
    assert (refused.code, refused.out) == (1, "")
    assert f"error: stack {SHARED} is in the middle of an operation: UPDATE_IN_PROGRESS  [stack-busy]" in refused.err
    told = comes_to_rest(cloud, monkeypatch, SHARED)
    assert run("aurora-tenants apply --yes").code == 0
    assert told.getvalue().startswith(
        f"Waiting up to 180 s until operations have ended: {SHARED} (UPDATE_IN_PROGRESS).\n"
    )
    cloud.clean()
