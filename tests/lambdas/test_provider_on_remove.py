"""OnRemove of a Custom::DatabaseUser: what becomes of its accounts when its stack gives it up."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aurora_tenants.lambdas import provider
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.mysql.dataapi import DataApi
from tests.lambdas.world import ONCE, PREFIX, PROVIDER, World, failing, fresh, on, user

pytestmark = ONCE

GONE, KEPT, LOCKED = "gone", "kept", "locked"


def state(world: World, name: str) -> str:
    accounts = world.accounts(name)
    if not accounts:
        return GONE
    return LOCKED if accounts["%"].options.is_locked else KEPT


@pytest.mark.parametrize("adopted", [False, True], ids=["made", "adopted"])
@pytest.mark.parametrize(
    ("said", "made", "adoptee"),
    [(None, GONE, KEPT), ("drop", GONE, KEPT), ("keep", KEPT, KEPT), ("lock", LOCKED, LOCKED)],
)
def test_user_that_leaves_its_stack_and_comes_back(
    world: World, said: str | None, made: str, adoptee: str, adopted: bool
) -> None:
    stack, name, shop = fresh("stack"), fresh("app"), fresh("shop")
    world.make_database(shop)
    if adopted:
        world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-0'")
    how = {"OnRemove": said} if said else {}
    app = user(world.secret(name), on(shop, "SELECT"), Adopt=adopted, **how)
    other = user(world.secret(fresh("other")))
    assert world.deploy(stack, {"App": app, "Other": other}).status == "CREATE_COMPLETE"
    grants = world.grants(name)
    assert world.deploy(stack, {"Other": other}).status == "UPDATE_COMPLETE"
    expected = adoptee if adopted else made
    assert state(world, name) == expected
    if expected == GONE:
        assert world.entries(name) == {}
        return
    assert world.grants(name) == grants
    assert expected == LOCKED or world.takes(name, "hush-0")
    [entry] = world.entries(name).values()
    assert (entry.stack, entry.adopted, entry.released) == (stack, adopted, True)
    # What its own stack takes back is what it was before, also whether the stack may drop it.
    again = {**app, "Properties": {**app["Properties"], "Adopt": "false"}}
    assert world.deploy(stack, {"App": again, "Other": other}).status == "UPDATE_COMPLETE"
    [entry] = world.entries(name).values()
    assert (state(world, name), entry.adopted, entry.released) == (KEPT, adopted, False)
    assert (world.grants(name), world.takes(name, "hush-0")) == (grants, True)


def test_every_host_is_locked_and_only_by_the_stacks_own_delete(world: World) -> None:
    """An account at a host that is given up is dropped as always."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, Hosts=["%", "10.%", "127.%"], OnRemove="lock")})
    world.deploy(stack, {"App": user(arn, Hosts=["%", "10.%"], OnRemove="lock")})
    assert set(world.accounts(name)) == {"%", "10.%"}
    world.sql(f"DROP USER `{name}`@`10.%`")  # by hand: what is gone is no reason to fail
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert {host: it.options.is_locked for host, it in world.accounts(name).items()} == {"%": True}


@pytest.mark.parametrize("value", ["retain", "Lock", ["drop"]])
def test_wrong_value_is_a_sentence_and_changes_nothing(world: World, value: Any) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    ended = world.deploy(stack, {"App": user(arn, OnRemove=value)})
    reason = "OnRemove must be a text, not a list or a mapping"
    if isinstance(value, str):
        reason = f"OnRemove must be drop, lock or keep, not {value!r}"
    assert (ended.status, ended.failures) == ("UPDATE_ROLLBACK_COMPLETE", {"App": reason})
    assert state(world, name) == KEPT


def test_new_user_of_a_stack_that_fails_is_kept_if_it_says_so(world: World) -> None:
    """The same Delete as any other: nothing in it says that the stack never was."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    ended = world.deploy(stack, {"App": user(arn, OnRemove="keep"), "Bad": failing("App")})
    assert (ended.status, state(world, name)) == ("ROLLBACK_COMPLETE", KEPT)


@pytest.mark.parametrize("value", ["retain", ["drop"], {}])
def test_wrong_value_in_a_delete_keeps_the_user_and_fails_nothing(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    stack_id = world.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    event = {
        "RequestType": "Delete",
        "ResourceType": "Custom::DatabaseUser",
        "StackId": stack_id,
        "LogicalResourceId": "App",
        "PhysicalResourceId": arn,
        "ResourceProperties": {"SecretId": arn, "OnRemove": value},
    }
    its = Secret(arn, f"{PREFIX}{name}", name, {})
    request = Request(event, master.execute, lambda _: master.execute, lambda _: its, "arn", math.inf)
    provider._serve(request, arn)
    assert state(world, name) == KEPT
    [entry] = world.entries(name).values()
    assert entry.released
