"""Users with accounts at several hosts, for real: one secret, one set of rights, and a host that changes in place."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_tenants.mysql.owners import Owner
from tests.lambdas.world import PREFIX, World, failing, fresh, on, user

OFFICE, PLANT = "10.1.0.0/255.255.0.0", "%.plant.example.com"


@pytest.fixture
def shop(either_world: World) -> str:
    """A database with rows that belongs to nobody."""
    either_world.make_database(name := fresh("shop"))
    return name


def hashes(world: World, name: str) -> dict[str, Any]:
    """Password and second password of each account: what nothing but another password may change."""
    what = "Host, CONCAT(HEX(authentication_string), COALESCE(User_attributes->'$.additional_password', ''))"
    rows = world.sql(f"SELECT {what} FROM mysql.user WHERE User = '{name}'")
    return {str(host): password for host, password in rows}


def grants(world: World, name: str) -> dict[str, set[str]]:
    """SHOW GRANTS of each account, without its name."""
    found: dict[str, set[str]] = {}
    for (host,) in world.sql(f"SELECT Host FROM mysql.user WHERE User = '{name}'"):
        account = f" TO `{name}`@`{host}`"
        lines = {row[0].replace(account, "") for row in world.sql(f"SHOW GRANTS FOR `{name}`@`{host}`")}
        found[host] = lines - {"GRANT USAGE ON *.*"}
    return found


def test_every_host_has_the_same_password_rights_and_options(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn, hosts = world.secret(name), ["%", OFFICE, PLANT, "localhost"]
    world.deploy(stack, {"App": user(arn, on(shop, "SELECT"), Hosts=hosts, MaxUserConnections=7, Comment="ours")})
    select = {f"GRANT SELECT ON `{shop}`.*"}
    assert grants(world, name) == dict.fromkeys(hosts, select)
    assert {account.options.max_user_connections for account in world.accounts(name).values()} == {7}
    assert {account.options.comment for account in world.accounts(name).values()} == {"ours"}
    assert world.entries(name) == dict.fromkeys(hosts, Owner(stack, "App", f"{PREFIX}{name}"))
    assert world.takes(name, "hush-0")  # from localhost, as the most particular host that matches
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_user(name), world.entries(name)) == (False, {})


def test_host_that_changes_is_renamed_and_renamed_back(either_world: World, shop: str) -> None:
    """An account that is dropped and made again would lose the password that a rotation has left beside the new one."""
    world, stack, name = either_world, fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop))})
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-0' RETAIN CURRENT PASSWORD")
    before, rights = hashes(world, name), grants(world, name)
    moved = user(arn, on(shop), Hosts=[PLANT])
    ended = world.deploy(stack, {"App": moved, "Bad": failing("App")})
    assert (ended.status, hashes(world, name), grants(world, name)) == ("UPDATE_ROLLBACK_COMPLETE", before, rights)
    assert world.entries(name) == {"%": Owner(stack, "App", f"{PREFIX}{name}")}
    assert world.deploy(stack, {"App": moved}).failures == {}
    assert (hashes(world, name), grants(world, name)) == ({PLANT: before["%"]}, {PLANT: rights["%"]})
    assert world.entries(name) == {PLANT: Owner(stack, "App", f"{PREFIX}{name}")}
    world.delete(stack)
    assert (world.has_user(name), world.entries(name)) == (False, {})


def test_hosts_come_and_go_and_a_rollback_takes_them_back(either_world: World, shop: str) -> None:
    world, stack, name = either_world, fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop))})
    before, rights = hashes(world, name), grants(world, name)
    more = user(arn, on(shop), Hosts=["%", OFFICE, PLANT])
    ended = world.deploy(stack, {"App": more, "Bad": failing("App")})
    assert (ended.status, hashes(world, name), grants(world, name)) == ("UPDATE_ROLLBACK_COMPLETE", before, rights)
    assert world.deploy(stack, {"App": more}).failures == {}
    assert hashes(world, name).keys() == {"%", OFFICE, PLANT}
    fewer = user(arn, on(shop), Hosts=[PLANT])
    ended = world.deploy(stack, {"App": fewer, "Bad": failing("App")})
    assert ended.status == "UPDATE_ROLLBACK_COMPLETE"
    assert grants(world, name) == dict.fromkeys(("%", OFFICE, PLANT), rights["%"])
    assert world.takes(name, "hush-0")
    assert world.deploy(stack, {"App": fewer}).failures == {}
    assert (world.entries(name).keys(), grants(world, name)) == ({PLANT}, {PLANT: rights["%"]})


def test_update_that_fails_after_the_rename_ends_where_it_began(either_world: World, shop: str) -> None:
    world, stack, name = either_world, fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop), Hosts=["%", OFFICE])})
    before = (hashes(world, name), grants(world, name), world.entries(name), world.accounts(name))
    missing = user(arn, on(shop, "SELECT", Table="missing"), Hosts=[PLANT, "192.168.1.1", "192.168.1.2"])
    ended = world.deploy(stack, {"App": missing})
    assert ended.failures == {"App": f"Table '{shop}.missing' doesn't exist"}
    assert (hashes(world, name), grants(world, name), world.entries(name), world.accounts(name)) == before


def test_create_with_hosts_that_fails_leaves_none_of_them(either_world: World, shop: str) -> None:
    world, name = either_world, fresh("app")
    missing = on(shop, "SELECT", Table="missing")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), missing, Hosts=["%", OFFICE])})
    assert ended.failures == {"App": f"Table '{shop}.missing' doesn't exist"}
    assert (world.has_user(name), world.entries(name)) == (False, {})


def test_account_of_nobodys_at_a_new_host_needs_adopt(either_world: World, shop: str) -> None:
    """The user has been this resource all the time, the account at that host has not."""
    world, stack, name = either_world, fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop))})
    world.sql(
        f"CREATE USER `{name}`@localhost IDENTIFIED BY 'hush-theirs'", f"GRANT DROP ON `{shop}`.* TO `{name}`@localhost"
    )
    before = (hashes(world, name), grants(world, name))
    for hosts in (["%", "localhost"], ["localhost"]):
        ended = world.deploy(stack, {"App": user(arn, on(shop), Hosts=hosts)})
        reason = f"user {name}@localhost exists already and belongs to nobody; set adopt: true to take it over as it is"
        assert (ended.status, ended.failures) == ("UPDATE_ROLLBACK_COMPLETE", {"App": reason})
        assert (hashes(world, name), grants(world, name)) == before
    adopted = user(arn, on(shop), Hosts=["%", "localhost"], Adopt=True)
    assert world.deploy(stack, {"App": adopted}).failures == {}
    assert grants(world, name)["localhost"] == grants(world, name)["%"]
    assert (world.takes(name, "hush-theirs"), world.takes(name, "hush-0")) == (True, True)
    assert {host: owner.adopted for host, owner in world.entries(name).items()} == {"%": False, "localhost": True}
    world.delete(stack)
    assert hashes(world, name).keys() == {"localhost"}


def test_adopted_account_at_another_host_is_still_never_dropped(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop), Adopt=True)})
    assert world.deploy(stack, {"App": user(arn, on(shop), Adopt=True, Hosts=["localhost"])}).failures == {}
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-0")) == (True, True)
    world.delete(stack)
    entry = Owner(stack, "App", f"{PREFIX}{name}", adopted=True, released=True)
    assert (hashes(world, name).keys(), world.entries(name)) == ({"localhost"}, {"localhost": entry})


def test_host_that_was_let_go_of_comes_back(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    world.sql(f"CREATE USER `{name}`@localhost IDENTIFIED BY 'hush-old'")
    arn = world.secret(name)
    both, one = (user(arn, on(shop), Adopt=True, Hosts=hosts) for hosts in (["%", "localhost"], ["%"]))
    world.deploy(stack, {"App": both})
    assert world.deploy(stack, {"App": one}).failures == {}
    assert {host: owner.released for host, owner in world.entries(name).items()} == {"%": False, "localhost": True}
    world.sql(f"ALTER USER `{name}`@localhost IDENTIFIED BY 'hush-by-hand'")
    assert world.deploy(stack, {"App": both}).failures == {}
    assert {host: owner.released for host, owner in world.entries(name).items()} == {"%": False, "localhost": False}
    assert world.takes(name, "hush-0")


def test_host_that_somebody_dropped_is_made_again_or_forgotten(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    both = user(arn, on(shop), Hosts=["%", "localhost"])
    world.deploy(stack, {"App": both})
    world.sql(f"DROP USER `{name}`@localhost")
    assert world.deploy(stack, {"App": user(arn, on(shop), Hosts=["%", "localhost"], Revision="2")}).failures == {}
    assert (grants(world, name)["localhost"], world.takes(name, "hush-0")) == (grants(world, name)["%"], True)
    world.sql(f"DROP USER `{name}`@localhost")
    assert world.deploy(stack, {"App": user(arn, on(shop))}).failures == {}
    assert world.entries(name).keys() == {"%"}


def test_two_stacks_cannot_share_a_name(world: World, shop: str) -> None:
    """Not even at different hosts: what is granted to one at `%` applies to a client of the other's, too."""
    one, two, name = fresh("stack"), fresh("stack"), fresh("app")
    first, second = world.secret(name, "hush-1"), world.secret(name, "hush-2", name=f"{PREFIX}{fresh('other')}")
    world.deploy(one, {"App": user(first, on(shop, "SELECT"), Hosts=["%", OFFICE])})
    before, rights = hashes(world, name), grants(world, name)
    taken = f"belongs to stack {one}, resource App"
    for hosts in ([OFFICE, "localhost"], ["localhost"], ["10.%"]):
        ended = world.deploy(fresh("stack"), {"App": user(second, Hosts=hosts, Adopt=True)})
        assert taken in ended.failures["App"]
        assert (hashes(world, name), grants(world, name)) == (before, rights)
    world.delete(one)
    assert world.deploy(two, {"App": user(second, on(shop, "INSERT"), Hosts=["localhost"])}).failures == {}
    assert world.takes(name, "hush-2")
