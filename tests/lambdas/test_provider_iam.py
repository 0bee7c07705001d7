"""Users that log in with IAM's tokens, for real, and users that change between a password and IAM in place."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_tenants.mysql.options import IAM_PLUGIN, Options, Require
from aurora_tenants.mysql.owners import Owner
from tests.lambdas.world import PREFIX, World, failing, fresh, iam_user, on, ref, secret, user

IAM = Options(require=Require("SSL"), plugin=IAM_PLUGIN, comment="")
PASSWORD = Options(plugin="caching_sha2_password", comment="")


@pytest.fixture
def iam(either_world: World) -> World:
    """A cluster with EnableIAMDatabaseAuthentication, in which the plugin is a stand-in that lets nobody in."""
    either_world.iam(on=True)
    return either_world


@pytest.fixture
def shop(either_world: World) -> str:
    """A database with rows that belongs to nobody."""
    either_world.make_database(name := fresh("shop"))
    return name


def with_password(name: str, *rights: Any, **properties: Any) -> dict[str, Any]:
    """A stack's resources: a user and its secret, as a tenant has them."""
    return {"Secret": secret(name, name), "App": user(ref("Secret"), *rights, **properties)}


def with_iam(name: str, *rights: Any, **properties: Any) -> dict[str, Any]:
    return {"App": iam_user(name, *rights, **properties)}


def test_user_of_iam_has_no_secret_and_exactly_its_privileges(iam: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    ended = iam.deploy(stack, with_iam(name, on(shop, "SELECT"), MaxUserConnections=3), {"App": ref("App")})
    assert (ended.failures, ended.outputs) == ({}, {"App": f"iam:{name}"})
    assert iam.options(name) == IAM._replace(max_user_connections=3)
    assert iam.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}
    assert iam.entries(name) == {"%": Owner(stack, "App")}
    assert iam.sql(f"SELECT authentication_string FROM mysql.user WHERE User = '{name}'") == [("RDS",)]
    iam.sql(f"ALTER USER `{name}` REQUIRE NONE", f"GRANT DROP ON `{shop}`.* TO `{name}`")
    assert iam.deploy(stack, with_iam(name, on(shop, "SELECT"), Revision="2")).failures == {}
    assert (iam.options(name), iam.grants(name)) == (IAM, {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"})
    assert iam.delete(stack).status == "DELETE_COMPLETE"
    assert (iam.has_user(name), iam.entries(name)) == (False, {})


def test_cluster_without_iam_says_how_to_switch_it_on_and_keeps_users_as_they_were(iam: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    reason = (
        "Plugin 'AWSAuthenticationPlugin' is not loaded (1524): IAM users need EnableIAMDatabaseAuthentication: true"
        " on the cluster (aws rds modify-db-cluster --enable-iam-database-authentication)"
    )
    iam.iam(on=False)
    try:
        assert iam.deploy(fresh("stack"), with_iam(name)).failures == {"App": reason}
        assert (iam.has_user(name), iam.entries(name)) == (False, {})
        iam.deploy(stack, with_password(name, on(shop)))
        before = (iam.accounts(name), iam.grants(name), iam.hash(name), iam.entries(name))
        assert iam.deploy(stack, with_iam(name, on(shop, "SELECT"))).failures == {"App": reason}
        assert (iam.accounts(name), iam.grants(name), iam.hash(name), iam.entries(name)) == before
        assert iam.takes(name, "hush-stack")
    finally:
        iam.iam(on=True)


@pytest.mark.parametrize("name", ["", "rdsadmin", "admin", "it's", "aurora_tenants_inspector"])
def test_user_name_that_cannot_be_is_refused(either_world: World, name: str) -> None:
    ended = either_world.deploy(fresh("stack"), with_iam(name))
    assert (ended.status, "cannot be" in ended.failures["App"]) == ("ROLLBACK_COMPLETE", True)


def test_user_changes_to_iam_in_place_and_is_deleted_under_the_id_it_has(iam: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    iam.deploy(stack, with_password(name, on(shop, "SELECT")))
    entries, physical_id = iam.entries(name), iam.physical_id(stack, "App")
    for rights in ("SELECT", "INSERT"):
        assert iam.deploy(stack, with_iam(name, on(shop, rights))).failures == {}
        assert (iam.options(name), iam.grants(name)) == (IAM, {f"GRANT {rights} ON `{shop}`.* TO `{name}`@`%`"})
        assert (iam.entries(name), iam.physical_id(stack, "App")) == (entries, physical_id)
    iam.delete(stack)
    assert (iam.has_user(name), iam.entries(name)) == (False, {})


def test_user_changes_to_a_password_in_place_and_is_deleted_under_the_id_it_has(iam: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    iam.deploy(stack, with_iam(name, on(shop, "SELECT")))
    for rights in ("SELECT", "INSERT"):
        assert iam.deploy(stack, with_password(name, on(shop, rights))).failures == {}
        assert (iam.options(name), iam.grants(name)) == (PASSWORD, {f"GRANT {rights} ON `{shop}`.* TO `{name}`@`%`"})
        assert (iam.takes(name, "hush-stack"), iam.physical_id(stack, "App")) == (True, f"iam:{name}")
        assert iam.entries(name) == {"%": Owner(stack, "App", f"{PREFIX}{name}")}
    iam.delete(stack)
    assert (iam.has_user(name), iam.entries(name)) == (False, {})


def test_user_changes_to_iam_and_back_although_its_secret_was_made_again(iam: World, shop: str) -> None:
    """The secret's ARN is another then, and the id of the resource goes on naming the first."""
    stack, name = fresh("stack"), fresh("app")
    iam.deploy(stack, with_password(name, on(shop)))
    physical_id = iam.physical_id(stack, "App")
    for _ in range(2):
        assert iam.deploy(stack, with_iam(name, on(shop))).failures == {}
        assert iam.deploy(stack, with_password(name, on(shop))).failures == {}
        assert (iam.takes(name, "hush-stack"), iam.physical_id(stack, "App")) == (True, physical_id)
    assert len(iam.grants(name)) == 1
    iam.delete(stack)
    assert not iam.has_user(name)


@pytest.mark.parametrize("hosts", [["%"], ["%", "localhost"]], ids=str)
@pytest.mark.parametrize("first", [with_password, with_iam])
def test_change_of_authentication_is_rolled_back(iam: World, shop: str, first: Any, hosts: list[str]) -> None:
    """Whether something else in the stack fails after it, or the change itself half way."""
    stack, name = fresh("stack"), fresh("app")
    second = with_iam if first is with_password else with_password
    iam.deploy(stack, first(name, on(shop, "SELECT"), Hosts=hosts))
    before = (iam.accounts(name), iam.grants(name) if hosts == ["%"] else None, iam.physical_id(stack, "App"))
    changed = second(name, on(shop, "INSERT"), Hosts=["%"])
    for update in (
        {**changed, "Bad": failing("App")},
        second(name, on(shop, "SELECT", Table="missing"), Hosts=hosts),
    ):
        ended = iam.deploy(stack, update)
        assert (ended.status, list(ended.failures)) == ("UPDATE_ROLLBACK_COMPLETE", [*update][-1:])
        now = (iam.accounts(name), iam.grants(name) if hosts == ["%"] else None, iam.physical_id(stack, "App"))
        assert now == before
        assert first is with_iam or iam.takes(name, "hush-stack")
    assert iam.deploy(stack, changed).failures == {}
    iam.delete(stack)
    assert (iam.has_user(name), iam.entries(name)) == (False, {})


@pytest.mark.parametrize("first", [with_password, with_iam])
@pytest.mark.parametrize("second", [with_password, with_iam])
def test_rename_makes_the_new_user_and_drops_the_old_one(iam: World, shop: str, first: Any, second: Any) -> None:
    """Also when the user came to be what it is from the other kind, and so bears the id of that."""
    stack, old, new = fresh("stack"), fresh("app"), fresh("app")
    other = with_iam if first is with_password else with_password
    for begin in (other, first):
        assert iam.deploy(stack, begin(old, on(shop))).failures == {}
    ended = iam.deploy(stack, {**second(new, on(shop)), "Bad": failing("App")})
    assert (ended.status, iam.has_user(new)) == ("UPDATE_ROLLBACK_COMPLETE", False)
    assert len(iam.grants(old)) == 1
    assert first is with_iam or iam.takes(old, "hush-stack")
    ended = iam.deploy(stack, second(new, on(shop)))
    assert (ended.status, iam.has_user(old), iam.entries(old)) == ("UPDATE_COMPLETE", False, {})
    assert (iam.entries(new).keys(), len(iam.grants(new))) == ({"%"}, 1)
    iam.delete(stack)
    assert (iam.has_user(new), iam.entries(new)) == (False, {})


def test_renamed_in_its_secret_a_user_that_was_of_iam_stays_and_its_name_is_put_back(iam: World) -> None:
    """Both would be this resource's from this secret, and a rollback could not tell which to delete."""
    stack, name, new = fresh("stack"), fresh("app"), fresh("app")
    iam.deploy(stack, with_iam(name))
    iam.deploy(stack, with_password(name))
    ended = iam.deploy(stack, {"Secret": secret(name, new), "App": user(ref("Secret"), Revision="2")})
    assert (ended.status, ended.failures) == ("UPDATE_COMPLETE", {})
    assert (iam.takes(name, "hush-stack"), iam.has_user(new)) == (True, False)
    assert f'"username": "{name}"' in iam.secrets.get_secret_value(SecretId=f"{PREFIX}{name}")["SecretString"]


def test_host_that_a_user_of_iam_gets_later_goes_with_the_others(iam: World, shop: str) -> None:
    """Its entry names the secret that the user was made from: the resource's id, and with it the Delete, does."""
    stack, name = fresh("stack"), fresh("app")
    iam.deploy(stack, with_password(name, on(shop)))
    assert iam.deploy(stack, with_iam(name, on(shop), Hosts=["%", "localhost"])).failures == {}
    assert {host: owner.secret for host, owner in iam.entries(name).items()} == dict.fromkeys(
        ("%", "localhost"), f"{PREFIX}{name}"
    )
    iam.delete(stack)
    assert (iam.has_user(name), iam.entries(name)) == (False, {})


def test_host_and_authentication_change_at_once(iam: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    iam.deploy(stack, with_iam(name, on(shop)))
    changed = with_password(name, on(shop), Hosts=["localhost"])
    ended = iam.deploy(stack, {**changed, "Bad": failing("App")})
    assert (ended.status, iam.accounts(name).keys(), iam.options(name)) == ("UPDATE_ROLLBACK_COMPLETE", {"%"}, IAM)
    assert iam.deploy(stack, changed).failures == {}
    assert (iam.takes(name, "hush-stack"), iam.entries(name).keys()) == (True, {"localhost"})
    ended = iam.deploy(stack, {**with_iam(name, on(shop)), "Bad": failing("App")})
    assert (ended.status, iam.takes(name, "hush-stack")) == ("UPDATE_ROLLBACK_COMPLETE", True)
    iam.delete(stack)
    assert (iam.has_user(name), iam.entries(name)) == (False, {})


def test_adopted_as_a_user_of_iam_its_passwords_end_unless_that_fails(iam: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    iam.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'")
    assert (
        iam.deploy(fresh("stack"), with_iam(name))
        .failures["App"]
        .startswith(f"user {name} exists already and belongs to")
    )
    missing = with_iam(name, on(shop, "SELECT", Table="missing"), Adopt=True)
    assert iam.deploy(fresh("stack"), missing).failures == {"App": f"Table '{shop}.missing' doesn't exist"}
    assert (iam.takes(name, "hush-old"), iam.options(name), iam.entries(name)) == (True, PASSWORD, {})
    assert iam.deploy(stack, with_iam(name, on(shop), Adopt=True)).failures == {}
    assert (iam.options(name), iam.entries(name)) == (IAM, {"%": Owner(stack, "App", adopted=True)})
    iam.delete(stack)
    assert iam.entries(name) == {"%": Owner(stack, "App", adopted=True, released=True)}


def test_events_of_a_user_of_iam_may_come_twice(iam: World, shop: str) -> None:
    stack, name, new = fresh("stack"), fresh("app"), fresh("app")
    iam.fault("twice")
    try:
        for resources in (with_iam(name, on(shop)), with_password(name, on(shop)), with_iam(name, on(shop))):
            assert iam.deploy(stack, resources).failures == {}
        assert (iam.options(name), iam.deploy(stack, with_iam(new)).failures) == (IAM, {})
    finally:
        iam.fault(None)
    assert iam.deploy(stack, with_iam(new, Revision="2")).failures == {}
    assert (iam.has_user(name), iam.has_user(new)) == (False, True)
    iam.delete(stack)
    assert (iam.has_user(new), iam.entries(name), iam.entries(new)) == (False, {}, {})


def test_entry_that_was_lost_does_not_hold_a_user_of_iam_up(iam: World, shop: str) -> None:
    """Refused, it would refuse the rollback to its old properties too, and the stack would be stuck."""
    stack, name = fresh("stack"), fresh("app")
    iam.deploy(stack, with_iam(name))
    iam.sql(f"DELETE FROM aurora_tenants.users WHERE name = '{name}@%'")
    assert iam.deploy(stack, with_iam(name, on(shop))).failures == {}
    assert iam.entries(name) == {"%": Owner(stack, "App", adopted=True)}
