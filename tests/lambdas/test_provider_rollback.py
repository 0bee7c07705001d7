"""Updates that fail half way, in both ways CloudFormation may roll back a replaced custom resource.

Whatever an update had done, the stack ends where it was, and nothing that was there before it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from tests.lambdas.world import World, after, database, failing, fresh, on, ref, secret, until, user

Resources = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Shop:
    """A deployed stack: two databases with rows, and a user with rights on both, whose secret is in the stack."""

    world: World
    stack: str
    one: str
    two: str
    app: str

    def resources(self, *, one: str = "", two: str = "", app: str = "", permission: str = "SELECT") -> Resources:
        """Its resources, some of them under other names or with other rights."""
        app = app or self.app
        rights = [on(ref("One"), permission), on(ref("Two"), "INSERT")]
        return {
            "One": database(one or self.one, OnRemove="drop"),
            "Two": database(two or self.two),
            "Secret": secret(app, app),
            "App": user(ref("Secret"), *rights, Revision=permission),
        }

    def is_as_before(self) -> tuple[int | None, int | None, set[str], bool]:
        """The rows of both databases, and the user's grants and login: all that an update must not lose."""
        world = self.world
        logs_in = world.takes(self.app, "hush-stack")
        return world.rows(self.one), world.rows(self.two), world.grants(self.app), logs_in


@pytest.fixture
def shop(either_world: World) -> Shop:
    shop = Shop(either_world, fresh("stack"), fresh("one"), fresh("two"), fresh("app"))
    assert either_world.deploy(shop.stack, shop.resources()).status == "CREATE_COMPLETE"
    either_world.make_table(shop.one)
    either_world.make_table(shop.two)
    return shop


Change = Callable[[Shop], Mapping[str, Any]]
CHANGES: dict[str, Change] = {
    "other rights": lambda shop: shop.resources(permission="DELETE"),
    "a database renamed": lambda shop: shop.resources(one=fresh("new")),
    "both databases renamed": lambda shop: shop.resources(one=fresh("new"), two=fresh("new")),
    "the user renamed": lambda shop: shop.resources(app=fresh("new")),
    "everything renamed": lambda shop: shop.resources(one=fresh("new"), two=fresh("new"), app=fresh("new")),
    "one removed": lambda shop: {"Two": database(shop.two)},
    "one added": lambda shop: {**shop.resources(), "Three": database(fresh("new"), OnRemove="drop")},
    "a taken name": lambda shop: shop.resources(one="mysql", two=fresh("new")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_failed_update_ends_where_it_began(shop: Shop, change: str) -> None:
    world, before = shop.world, shop.is_as_before()
    assert before[:2] == (2, 2)
    resources = CHANGES[change](shop)
    ended = world.deploy(shop.stack, {**resources, "Bad": failing(*resources)})
    assert ended.status == "UPDATE_ROLLBACK_COMPLETE"
    assert shop.is_as_before() == before
    assert (world.owner(shop.one), world.owner(shop.two)) == ((shop.stack, "One", 0, 0), (shop.stack, "Two", 0, 0))


def test_stack_goes_on_after_a_failed_update(shop: Shop) -> None:
    """The correct update, then its deletion: what was renamed twice is where it should be, with its rows."""
    world, new, app = shop.world, fresh("new"), fresh("app")
    resources = shop.resources(one=new, app=app)
    world.deploy(shop.stack, {**resources, "Bad": failing(*resources)})
    assert world.deploy(shop.stack, resources).status == "UPDATE_COMPLETE"
    assert (world.rows(shop.one), world.owner(shop.one)) == (2, (shop.stack, "One", 0, 1))
    assert (world.owner(new), world.has_user(shop.app)) == ((shop.stack, "One", 0, 0), False)
    assert world.grants(app) == {
        f"GRANT SELECT ON `{new}`.* TO `{app}`@`%`",
        f"GRANT INSERT ON `{shop.two}`.* TO `{app}`@`%`",
    }
    assert world.delete(shop.stack).status == "DELETE_COMPLETE"
    assert (world.rows(shop.one), world.rows(shop.two), world.has_database(new)) == (2, 2, False)
    assert not world.has_user(app)


def test_names_may_be_swapped_and_swapped_back(shop: Shop) -> None:
    """Each takes what the other has just let go of, or has not yet; in the end none of it may be dropped."""
    world, swapped = shop.world, shop.resources(one=shop.two, two=shop.one)
    ended = world.deploy(shop.stack, {**swapped, "Bad": failing(*swapped)})
    assert (ended.status, shop.is_as_before()[:2]) == ("UPDATE_ROLLBACK_COMPLETE", (2, 2))
    assert world.deploy(shop.stack, swapped, {"One": ref("One")}).outputs == {"One": shop.two}
    assert world.deploy(shop.stack, shop.resources(), {"One": ref("One")}).outputs == {"One": shop.one}
    assert world.delete(shop.stack).status == "DELETE_COMPLETE"
    assert (world.rows(shop.one), world.rows(shop.two)) == (2, 2)


def test_rename_to_an_existing_database_is_rolled_back_and_harms_neither(shop: Shop) -> None:
    world = shop.world
    world.make_database(precious := fresh("precious"))
    before = shop.is_as_before()
    ended = world.deploy(shop.stack, shop.resources(one=precious))
    assert ended.failures["One"].startswith(f"database {precious} exists already and belongs to nobody")
    assert (ended.status, shop.is_as_before()) == ("UPDATE_ROLLBACK_COMPLETE", before)
    assert (world.rows(precious), world.owner(precious)) == (2, None)


def test_adoption_that_is_rolled_back_leaves_the_database_and_its_rows(shop: Shop) -> None:
    world = shop.world
    world.make_database(legacy := fresh("legacy"))
    adopted = database(legacy, Adopt=True, OnRemove="drop", AllowDrop=legacy)
    resources = {**shop.resources(), "One": adopted}
    ended = world.deploy(shop.stack, {**resources, "Bad": failing(*resources)})
    assert (ended.status, world.rows(legacy)) == ("UPDATE_ROLLBACK_COMPLETE", 2)
    assert world.deploy(shop.stack, resources).status == "UPDATE_COMPLETE"
    world.delete(shop.stack)
    assert (world.rows(legacy), world.rows(shop.one), world.rows(shop.two)) == (2, 2, 2)


def test_rename_back_that_is_rolled_back_keeps_what_came_back(shop: Shop) -> None:
    """What the stack let go of comes back for a moment, and is deleted again by the rollback."""
    world, new = shop.world, fresh("new")
    world.deploy(shop.stack, shop.resources(one=new))
    world.make_table(new)
    resources = shop.resources()
    ended = world.deploy(shop.stack, {**resources, "Bad": failing(*resources)})
    assert ended.status == "UPDATE_ROLLBACK_COMPLETE"
    assert (world.rows(shop.one), world.rows(new)) == (2, 2)
    assert (world.owner(shop.one), world.owner(new)) == ((shop.stack, "One", 0, 1), (shop.stack, "One", 0, 0))


def test_leave_to_drop_survives_a_failed_rename(shop: Shop) -> None:
    """It stands in the template that the stack goes back to, where the name is no longer that of anything new."""
    world = shop.world
    leave = {**shop.resources(), "One": database(shop.one, OnRemove="drop", AllowDrop=shop.one)}
    world.deploy(shop.stack, leave)
    renamed = {**leave, "One": database(fresh("new"), OnRemove="drop", AllowDrop=shop.one)}
    ended = world.deploy(shop.stack, {**renamed, "Bad": failing(*renamed)})
    assert (ended.status, world.rows(shop.one)) == ("UPDATE_ROLLBACK_COMPLETE", 2)


def test_name_that_changed_in_the_secret_is_rolled_back_with_it(shop: Shop) -> None:
    world, new, before = shop.world, fresh("new"), shop.is_as_before()
    resources = shop.resources(permission="UPDATE")
    resources["Secret"] = secret(shop.app, new)
    ended = world.deploy(shop.stack, {**resources, "Bad": failing(*resources)})
    assert (ended.status, shop.is_as_before()) == ("UPDATE_ROLLBACK_COMPLETE", before)
    assert not world.has_user(new)


def test_failed_creation_takes_back_what_it_made_and_can_be_repeated(either_world: World) -> None:
    world, stack, name, app = either_world, fresh("stack"), fresh("shop"), fresh("app")
    world.make_database(precious := fresh("precious"))
    resources = {
        "Db": database(name, OnRemove="drop"),
        "Kept": database(f"{name}-kept"),
        "Precious": database(precious, Adopt=True, OnRemove="drop", AllowDrop=precious),
        "App": user(world.secret(app), on(ref("Db"))),
    }
    assert world.deploy(stack, {**resources, "Bad": failing(*resources)}).status == "ROLLBACK_COMPLETE"
    assert (world.has_database(name), world.has_user(app), world.rows(precious)) == (False, False, 2)
    world.delete(stack)
    assert world.deploy(stack, resources).status == "CREATE_COMPLETE"
    assert world.owner(f"{name}-kept") == (stack, "Kept", 0, 0)


def test_crash_in_the_middle_of_a_rename_ends_with_both_databases(shop: Shop) -> None:
    """Every attempt of Lambda's crashes, in the update as in its rollback; then the rollback is continued."""
    world, before = shop.world, shop.is_as_before()
    world.deploy(shop.stack, {**shop.resources(), "One": database(shop.one, ServiceTimeout=60)})
    world.fault("crash")
    try:
        ended = world.deploy(shop.stack, {**shop.resources(), "One": database(fresh("new"), ServiceTimeout=60)})
    finally:
        world.fault(None)
    assert ended.failures["One"].startswith("CloudFormation did not receive a response")

    def is_rolled_back() -> bool:
        if world.status(shop.stack) == "UPDATE_ROLLBACK_FAILED":  # again if new workers take their time
            world.cloudformation.continue_update_rollback(StackName=shop.stack)
        return world.ended(shop.stack).status == "UPDATE_ROLLBACK_COMPLETE"

    until(is_rolled_back)
    assert shop.is_as_before() == before


# A walk


@dataclass(slots=True)
class Walk:
    """Random operations on one stack, and what must never be lost by them. precious: databases of before the walk."""

    world: World
    chance: Random
    stack: str = field(default_factory=lambda: fresh("walk"))
    precious: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    full: set[str] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def begin(self) -> None:
        for _ in range(3):
            self.precious.append(fresh("precious"))
            self.world.make_database(self.precious[-1])
        for _ in range(4):
            name = fresh("walker")
            self.secrets[name] = self.world.secret(name)
        self.names = [fresh("shop") for _ in range(5)]

    def step(self) -> None:
        chance, world = self.chance, self.world
        fault = chance.choice([*[None] * 6, "twice", "crash", "throttle"])
        status = world.status(self.stack)
        if status == "ROLLBACK_COMPLETE" or (status and chance.random() < 0.15):
            self.told.append("delete")
            status = world.delete(self.stack).status
        else:
            resources = self._resources()
            self.told.append(f"deploy {fault} {resources}")
            status = self._deploy(resources, fault)
        self._check(status)

    def _deploy(self, resources: Resources, fault: str | None) -> str:
        """Under a fault: throttled calls, every event twice, or a crash of whatever runs first."""
        world, crashes = self.world, self.world.log().count("Runtime exited")
        if fault == "throttle":
            world.throttle("secretsmanager", 2)
        else:
            world.fault(fault)
        try:
            world.begin(self.stack, resources)
            if fault == "crash":
                until(lambda: world.log().count("Runtime exited") > crashes)
                world.fault(None)
            return world.ended(self.stack).status
        finally:
            world.fault(None)
            world.throttle("secretsmanager", 0)

    def _resources(self) -> Resources:
        chance = self.chance
        resources: Resources = {}
        for logical_id in chance.sample(["One", "Two", "Three"], chance.randrange(1, 4)):
            name = chance.choice([*self.names, *self.precious])
            leave = {"AllowDrop": name} if name in self.precious and chance.random() < 0.5 else {}
            adopt, drop = chance.random() < 0.5, chance.choice(["drop", "retain"])
            charset = chance.choice(["utf8mb4", "latin1", "", "klingon"] if chance.random() < 0.3 else [""])
            resources[logical_id] = database(name, Adopt=adopt, OnRemove=drop, Charset=charset, **leave)
        databases = sorted(resources)
        for logical_id in chance.sample(["App", "Job"], chance.randrange(0, 3)):
            rights = [on(ref(chance.choice(databases)), chance.choice(["ALL", "SELECT", "INSERT", "UPDATE, DELETE"]))]
            if chance.random() < 0.2:
                rights.append(on(ref(databases[0]), "SELECT", Table=chance.choice(["t", "missing"])))
            resources[logical_id] = user(self.secrets[chance.choice(sorted(self.secrets))], *rights)
        resources[databases[0]]["Properties"]["Revision"] = str(chance.random())
        if chance.random() < 0.35:
            resources["Bad"] = failing(*chance.sample(sorted(resources), chance.randrange(1, len(resources) + 1)))
        return resources

    def _check(self, status: str) -> None:
        world, story = self.world, "\n".join(self.told)
        assert status in (
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
            "DELETE_COMPLETE",
            "ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
        ), story
        lost = {name for name in [*self.precious, *self.full] if world.rows(name) != 2}
        assert not lost, story
        for name in self.names:
            if name not in self.full and world.has_database(name) and self.chance.random() < 0.3:
                world.make_table(name)
                self.full.add(name)


def walk(world: World, seed: int, steps: int) -> Walk:
    walking = Walk(world, Random(seed))
    walking.begin()
    for _ in range(steps):
        walking.step()
    return walking


def test_no_sequence_of_deployments_loses_what_was_there(world: World, restoring_world: World) -> None:
    """Sixty random operations, half of them in each way of rolling back; a failure tells them all."""
    with ThreadPoolExecutor(2) as pool:
        walks = [pool.submit(walk, each, seed, 30) for seed, each in enumerate((world, restoring_world))]
        for each in walks:
            assert len(each.result().told) == 30


def test_resources_may_wait_for_each_other(either_world: World) -> None:
    names = [fresh("shop") for _ in range(4)]
    resources = {"D0": database(names[0])}
    resources |= {f"D{i}": after(database(names[i]), f"D{i - 1}") for i in range(1, 4)}
    assert either_world.deploy(fresh("stack"), resources).status == "CREATE_COMPLETE"
    assert all(either_world.has_database(name) for name in names)
