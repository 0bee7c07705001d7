"""Databases, users and roles that move from one stack to another, for real: MovedTo, Delete, MovedFrom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.owners import Owner, let_go, offered
from tests.lambdas.test_lost_answers import EITHER_WAY, Stack, each, seen, user_of
from tests.lambdas.world import ONCE, PREFIX, PROVIDER, World, after, database, failing, fresh, iam_user, on, role, user

pytestmark = ONCE


class House(NamedTuple):
    """A giver with a database, a role and a user on it, whose password was changed, and one more user that stays."""

    world: World
    giver: str
    receiver: str
    shop: str
    reader: str
    app: str
    stays: str
    arn: str
    arn_of_stays: str

    def things(self, **properties: Any) -> dict[str, dict[str, Any]]:
        """What moves, in the giver's template and in the receiver's alike."""
        every = on(self.shop, GrantOption=True)
        return {
            "Db": database(self.shop, OnRemove="drop", **properties),
            "Reader": after(role(self.reader, on(self.shop, "SELECT"), **properties), "Db"),
            "App": after(user(self.arn, every, Roles=[{"Role": self.reader}], **properties), "Db", "Reader"),
        }

    def staying(self, permission: str = "SELECT", **properties: Any) -> dict[str, dict[str, Any]]:
        privileges = [on(self.shop, permission)] if permission else []
        return {"Stays": user(self.arn_of_stays, *privileges, **properties)}

    def deploy(self, stack: str, *parts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """What failed."""
        resources = {name: resource for part in parts for name, resource in part.items()}
        return dict(self.world.deploy(stack, resources, consent=False).failures)

    def give(self) -> None:
        """The first two steps: the giver offers, then lets go."""
        assert self.deploy(self.giver, self.things(MovedTo=self.receiver), self.staying()) == {}
        assert self.deploy(self.giver, self.staying()) == {}

    def entries(self) -> dict[str, Owner]:
        owners = {"Db": self.world.owner(self.shop), "Reader": None, "App": None}
        assert owners["Db"]
        stack, resource, adopted, released = owners["Db"]
        found = {"Db": Owner(stack, resource, "", bool(adopted), bool(released))}
        for logical_id, name in (("Reader", self.reader), ("App", self.app)):
            found[logical_id] = self.world.entries(name)["%"]
        return found

    def is_owned_by(self, stack: str) -> bool:
        return self.entries() == self.owned_by(stack)

    def owned_by(self, stack: str) -> dict[str, Owner]:
        secrets = {"App": f"{PREFIX}{self.app}"}
        return {it: Owner(stack, it, secrets.get(it, "")) for it in ("Db", "Reader", "App")}

    def offers(self) -> dict[str, Owner]:
        return {it: offered(owner, self.receiver) for it, owner in self.owned_by(self.giver).items()}

    def seen(self) -> tuple[Any, ...]:
        """All that is not to change: rows, both passwords, rights, roles, options."""
        what = "authentication_string, User_attributes, plugin, account_locked"
        password = self.world.sql(f"SELECT {what} FROM mysql.user WHERE User = '{self.app}'")
        rights = self.world.grants(self.app), self.world.grants(self.reader)
        return self.world.rows(self.shop), password, rights, self.world.accounts(self.app)


@pytest.fixture
def house(world: World) -> House:
    return make_house(world)


def make_house(world: World) -> House:
    names = [fresh(what) for what in ("giver", "receiver", "shop", "reader", "app", "stays")]
    house = House(world, *names, world.secret(names[4]), world.secret(names[5]))
    assert house.deploy(house.giver, house.things(), {"Stays": after(house.staying()["Stays"], "Db")}) == {}
    world.make_table(house.shop)
    world.sql(f"ALTER USER `{house.app}` IDENTIFIED BY 'hush-1' RETAIN CURRENT PASSWORD")
    world.put(house.arn, house.app, "hush-1")
    return house


def test_everything_moves_as_it_is_and_is_the_receivers_like_anything_it_has_made(house: House) -> None:
    world, before = house.world, house.seen()
    ids = [world.physical_id(house.giver, it) for it in house.things()]
    assert house.deploy(house.giver, house.things(MovedTo=house.receiver), house.staying()) == {}
    assert (house.entries(), house.seen()) == (house.offers(), before)
    assert [world.physical_id(house.giver, it) for it in house.things()] == ids
    assert house.deploy(house.giver, house.staying()) == {}
    assert (house.entries(), house.seen()) == (house.offers(), before)
    assert house.deploy(house.receiver, house.things(MovedFrom=house.giver)) == {}
    assert (house.is_owned_by(house.receiver), house.seen()) == (True, before)
    assert (world.takes(house.app, "hush-0"), world.takes(house.app, "hush-1")) == (True, True)
    # Whoever stays is not named in SharedWith.
    assert world.grants(house.stays) == set()
    assert house.deploy(house.giver, house.staying("INSERT")) == {}
    assert world.grants(house.stays) == set()
    assert world.delete(house.receiver).status == "DELETE_COMPLETE"
    assert (world.has_user(house.app), world.has_user(house.reader)) == (False, False)
    assert (world.rows(house.shop), world.owner(house.shop)) == (2, (house.receiver, "Db", 0, 1))


def test_a_giver_that_is_deleted_drops_nothing_whatever_it_may_drop(house: House) -> None:
    world, before = house.world, house.seen()
    offering = {**house.things(MovedTo=house.receiver), **house.staying()}
    offering["Db"] = database(house.shop, OnRemove="drop", AllowDrop=house.shop, MovedTo=house.receiver)
    assert house.deploy(house.giver, offering) == {}
    world.fault("twice")
    assert world.delete(house.giver).status == "DELETE_COMPLETE"
    world.fault(None)
    assert (house.entries(), house.seen()) == (house.offers(), before)
    assert not world.has_user(house.stays)
    # A new giver of that name gets nothing back, and a new receiver of that name everything.
    refused = house.deploy(house.giver, house.things())
    assert refused["Db"].startswith(f"database {house.shop} belongs to stack {house.giver}, which offers it to")
    assert (house.entries(), house.seen()) == (house.offers(), before)
    assert house.deploy(house.receiver, house.things(MovedFrom=house.giver)) == {}
    assert (house.is_owned_by(house.receiver), house.seen()) == (True, before)


def test_an_offer_is_rolled_back_and_taken_back(either_world: World) -> None:
    world, house = either_world, make_house(either_world)
    before = house.seen()
    offering = house.things(MovedTo=house.receiver)
    assert house.deploy(house.giver, offering, house.staying(), {"Bad": failing(*offering)}).keys() == {"Bad"}
    assert world.status(house.giver) == "UPDATE_ROLLBACK_COMPLETE"
    assert (house.is_owned_by(house.giver), house.seen()) == (True, before)
    assert house.deploy(house.giver, offering, house.staying()) == {}
    # To another stack, and back; rights of those who stay and come along were never touched.
    other = fresh("other")
    assert house.deploy(house.giver, house.things(MovedTo=other), house.staying()) == {}
    assert {owner.stack for owner in house.entries().values()} == {other}
    assert house.deploy(house.giver, house.things(), house.staying()) == {}
    assert (house.is_owned_by(house.giver), house.seen()) == (True, before)
    assert world.grants(house.stays) == {f"GRANT SELECT ON `{house.shop}`.* TO `{house.stays}`@`%`"}


def test_a_receiver_that_is_rolled_back_drops_nothing_and_tries_again(either_world: World) -> None:
    world, house = either_world, make_house(either_world)
    before = house.seen()
    house.give()
    taking = house.things(MovedFrom=house.giver)
    again = {it: let_go(owner, house.giver) for it, owner in house.owned_by(house.receiver).items()}
    assert house.deploy(house.receiver, taking, {"Bad": failing(*taking)}).keys() == {"Bad"}
    assert (world.status(house.receiver), house.entries()) == ("ROLLBACK_COMPLETE", again)
    assert house.seen() == before
    # Who gave it up can take it back, and offer it once more.
    assert house.deploy(house.giver, house.things(), house.staying()) == {}
    assert (house.is_owned_by(house.giver), house.seen()) == (True, before)
    house.give()
    world.delete(house.receiver)
    own = {"Own": database(fresh("own"))}
    assert house.deploy(house.receiver, own) == {}
    assert house.deploy(house.receiver, own, taking, {"Bad": failing(*taking)}).keys() == {"Bad"}
    assert (house.entries(), house.seen()) == (again, before)
    world.fault("twice")
    assert house.deploy(house.receiver, own, taking) == {}
    world.fault(None)
    assert (house.is_owned_by(house.receiver), house.seen()) == (True, before)


def test_a_user_that_cannot_be_taken_as_asked_is_offered_as_before(house: House) -> None:
    house.give()
    before, taking = house.seen(), house.things(MovedFrom=house.giver)
    missing = on(house.shop, "SELECT", Table="missing")
    taking["App"] = after(user(house.arn, missing, Hosts=["10.%"], MovedFrom=house.giver), "Db")
    assert house.deploy(house.receiver, taking).keys() == {"App"}
    assert (house.entries()["App"], house.seen()) == (house.offers()["App"], before)


def test_hosts_of_a_user_change_while_it_moves(house: House) -> None:
    world = house.world
    hosts = user(house.arn, on(house.shop), Hosts=["%", "10.%"])
    assert house.deploy(house.giver, {**house.things(), "App": after(hosts, "Db")}, house.staying()) == {}
    gone = {**house.things(MovedTo=house.receiver), "App": user(house.arn, MovedTo=house.receiver)}
    assert house.deploy(house.giver, gone, house.staying()) == {}
    assert {owner.stack for owner in world.entries(house.app).values()} == {house.receiver}
    moved = user(house.arn, on(house.shop), Hosts=["%", "11.%"], MovedFrom=house.giver)
    assert house.deploy(house.receiver, {**house.things(MovedFrom=house.giver), "App": after(moved, "Db")}) == {}
    assert world.accounts(house.app).keys() == world.entries(house.app).keys() == {"%", "11.%"}
    assert (world.takes(house.app, "hush-0"), world.takes(house.app, "hush-1")) == (True, True)


def test_what_is_offered_is_used_as_before_until_it_is_taken(house: House) -> None:
    """The giver's users get events in between, the receiver's wait."""
    house.give()
    world, select = house.world, f"GRANT SELECT ON `{house.shop}`.* TO `{house.stays}`@`%`"
    world.sql(f"REVOKE SELECT ON `{house.shop}`.* FROM `{house.stays}`")
    assert house.deploy(house.giver, house.staying(Revision="2")) == {}
    assert world.grants(house.stays) == {select}
    arn = world.secret(early := fresh("early"))
    refused = house.deploy(house.receiver, {"Early": user(arn, on(house.shop, "SELECT"))})
    assert refused["Early"].startswith(f"nothing can be granted on database {house.shop}: it belongs to stack")
    assert not world.has_user(early)
    world.delete(house.receiver)
    # Shared with the giver, what its users hold stays.
    taking = house.things(MovedFrom=house.giver)
    taking["Db"] = database(house.shop, SharedWith=[house.giver], MovedFrom=house.giver)
    assert house.deploy(house.receiver, taking) == {}
    assert world.grants(house.stays) == {select}
    assert house.deploy(house.giver, house.staying("SELECT, INSERT")) == {}


def test_who_is_not_asked_for_gets_nothing_and_who_does_not_ask_neither(house: House) -> None:
    world, before = house.world, house.seen()
    moved_from = house.things(MovedFrom=house.giver)
    assert house.deploy(house.receiver, {"Db": moved_from["Db"]}) == {
        "Db": f"database {house.shop} belongs to stack {house.giver}, which does not give it up"
    }
    world.delete(house.receiver)
    house.give()
    offer = f"belongs to stack {house.giver}, which offers it to stack {house.receiver}"
    third = fresh("third")
    for asked in ({"MovedFrom": house.giver}, {"Adopt": True}):
        things = database(house.shop, **asked), role(house.reader, **asked), user(house.arn, **asked)
        names = f"database {house.shop}", f"role {house.reader}", f"user {house.app}"
        for name, thing in zip(names, things, strict=True):
            assert house.deploy(third, {"Thing": thing}) == {"Thing": f"{name} {offer}"}
            world.delete(third)
    for asked in ({}, {"MovedFrom": third}):
        refused = house.deploy(house.receiver, {"Db": house.things(**asked)["Db"]})
        why = f"MovedFrom: {house.giver} takes it over (moved_from in tenants.yaml)"
        assert refused == {"Db": f"database {house.shop} {offer}; {why}"}
        world.delete(house.receiver)
    assert (house.entries(), house.seen()) == (house.offers(), before)


def test_nothing_is_given_to_what_is_no_other_stack(house: House) -> None:
    for name, to in (("MovedTo", house.giver), ("MovedTo", "a/b"), ("MovedTo", "a'b"), ("MovedFrom", "a`b")):
        refused = house.deploy(house.giver, house.things(**{name: to}), house.staying())
        assert set(refused.values()) == {f"{name} must be the name of another stack, not {to!r}"}
    assert (house.is_owned_by(house.giver), house.world.status(house.giver)) == (True, "UPDATE_ROLLBACK_COMPLETE")


def test_a_stack_gives_nothing_that_is_not_its_own(house: House) -> None:
    """Its update succeeds, so that no rollback can fail for it, and nothing has changed."""
    before, evil = house.seen(), fresh("evil")
    for things in ({"Mine": database(house.shop, MovedTo=evil)}, house.things(MovedTo=evil)):
        stack = fresh("stack")
        assert house.deploy(stack, things) == {}
        assert (house.is_owned_by(house.giver), house.seen()) == (True, before)
        assert house.world.delete(stack).status == "DELETE_COMPLETE"
        assert (house.is_owned_by(house.giver), house.seen()) == (True, before)


def test_a_name_that_is_offered_unasked_is_no_way_into_the_receiver(house: House) -> None:
    """Whoever makes the account knows its password, and rows of another host apply to accounts of the same name."""
    world, evil, name, later = house.world, fresh("evil"), fresh("next"), fresh("later")
    arn = world.secret(name, name=f"{PREFIX}{fresh('x')}")
    theirs = {"Db": database(later), "App": after(user(arn, on(later), Hosts=["10.%"]), "Db")}
    assert house.deploy(evil, theirs) == {}
    world.sql(f"DROP DATABASE `{later}`")
    assert house.deploy(evil, {"App": user(arn, Hosts=["10.%"], MovedTo=house.receiver)}) == {}
    # Neither does the account keep its rights on the receiver's database, nor is the name the receiver's.
    assert house.deploy(house.receiver, {"Db": database(later)}) == {}
    lines = [row[0] for row in world.sql(f"SHOW GRANTS FOR `{name}`@`10.%`")]
    assert lines == [f"GRANT USAGE ON *.* TO `{name}`@`10.%`"]
    own = user(world.secret(name), on(later))
    refused = house.deploy(house.receiver, {"Db": database(later), "App": own})
    assert refused["App"].startswith(f"there is a user {name}@10.% already, which was made by stack {evil}, which")
    assert world.accounts(name).keys() == {"10.%"}


def test_a_secret_that_is_gone_keeps_no_user_from_moving(house: House) -> None:
    house.world.secrets.delete_secret(SecretId=house.arn, ForceDeleteWithoutRecovery=True)
    before = house.seen()
    assert house.deploy(house.giver, house.things(MovedTo=house.receiver), house.staying()) == {}
    assert (house.entries(), house.seen()) == (house.offers(), before)


def test_what_was_adopted_moves_as_adopted_and_what_is_not_there_is_made(world: World) -> None:
    giver, receiver = fresh("giver"), fresh("receiver")
    world.make_database(shop := fresh("shop"))
    assert world.deploy(giver, {"Db": database(shop, Adopt=True)}).failures == {}
    assert world.deploy(giver, {"Db": database(shop, MovedTo=receiver)}).failures == {}
    world.delete(giver)
    new, name = fresh("new"), fresh("app")
    taking = {
        "Db": database(shop, MovedFrom=giver),
        "New": database(new, MovedFrom=giver),
        "App": after(user(world.secret(name), on(new), MovedFrom=giver), "New"),
    }
    assert world.deploy(receiver, taking, consent=False).failures == {}
    assert (world.owner(shop), world.rows(shop)) == ((receiver, "Db", 1, 0), 2)
    assert (world.owner(new), world.takes(name, "hush-0")) == ((receiver, "New", 0, 0), True)


def test_a_user_of_iam_moves_too(world: World, with_iam_plugin: None) -> None:
    giver, receiver, first, name = (fresh(what) for what in ("giver", "receiver", "first", "app"))
    world.iam(on=True)
    for resource in (
        iam_user(first),
        iam_user(name, RenamedFrom=first),
        iam_user(name, RenamedFrom=first, MovedTo=receiver),
    ):
        assert world.deploy(giver, {"App": resource}).failures == {}
    assert world.physical_id(giver, "App") == f"iam:{first}"
    world.delete(giver)
    assert world.deploy(receiver, {"User": iam_user(name, MovedFrom=giver)}).failures == {}
    assert (world.entries(name), world.physical_id(receiver, "User")) == ({"%": Owner(receiver, "User")}, f"iam:{name}")
    world.delete(receiver)
    assert not world.has_user(name)


@EITHER_WAY
def test_any_answer_is_lost_on_the_way(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, ran: bool
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)

    def served(lost: int) -> int:
        secret, hosts = user_of(world), ["%", "10.0.0.1"]
        giver, receiver = (Stack(world, master, "Custom::DatabaseUser", secret) for _ in range(2))
        asked = {"SecretId": secret.arn, "Hosts": hosts, "Privileges": []}
        giver.serve("Create", 0, ran=ran, **asked)
        before = seen(world, secret.user)
        giver.serve("Update", min(lost, 1), ran=ran, MovedTo=receiver._name, **asked)
        assert {owner.giver for owner in world.entries(secret.user).values()} == {giver._name}
        giver.serve("Delete", 0, ran=ran, **asked)
        changed = receiver.serve("Create", lost, ran=ran, MovedFrom=giver._name, **asked)
        assert seen(world, secret.user) == before
        assert {owner.giver for owner in world.entries(secret.user).values()} == {""}
        assert world.takes(secret.user, "hush-0")
        return changed

    each(served)
