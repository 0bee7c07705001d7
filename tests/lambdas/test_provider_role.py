"""Custom::DatabaseRole for real, and users that are granted roles."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from tests.lambdas.world import World, after, database, failing, fresh, on, ref, role, user


@pytest.fixture
def shop(either_world: World) -> str:
    """A database with rows that belongs to nobody."""
    either_world.make_database(name := fresh("shop"))
    return name


def member(name: str, **more: Any) -> dict[str, Any]:
    return {"Role": name, **more}


def defaults(world: World, name: str) -> set[str]:
    return {role.user for role in world.accounts(name)["%"].default_roles}


def test_role_is_made_with_exactly_its_privileges_and_nobody_can_log_in_to_it(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("reader")
    resource = role(name, on(shop, "SELECT"), Comment="who reads")
    ended = world.deploy(stack, {"Reader": resource}, {"Role": ref("Reader")})
    assert (ended.failures, ended.outputs) == ({}, {"Role": f"role:{name}"})
    [made] = world.accounts(name).values()
    assert (made.is_role, made.options.is_locked, made.options.comment) == (True, True, "who reads")
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}
    assert world.entries(name) == {"%": Owner(stack, "Reader")}
    world.sql(f"ALTER USER `{name}` ACCOUNT UNLOCK", f"GRANT DROP ON `{shop}`.* TO `{name}`")
    ended = world.deploy(stack, {"Reader": role(name, on(shop, "INSERT"), Revision="2")})
    assert (ended.failures, world.accounts(name)) == ({}, {"%": made})
    assert world.grants(name) == {f"GRANT INSERT ON `{shop}`.* TO `{name}`@`%`"}
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_user(name), world.entries(name)) == (False, {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "'' cannot be the name of a role: use 1 to 32 characters of A-Z a-z 0-9 _ $ -"),
        ("r%", "'r%' cannot be the name of a role: use 1 to 32 characters of A-Z a-z 0-9 _ $ -"),
        ("AWS_LAMBDA_ACCESS", "AWS_LAMBDA_ACCESS cannot be the name of a role: it is reserved"),
        ("rds_superuser_role", "rds_superuser_role cannot be the name of a role: it is reserved"),
        ("admin", "role admin cannot be created: there is a user of this name"),
    ],
)
def test_role_name_that_cannot_be_is_refused(world: World, name: str, reason: str) -> None:
    ended = world.deploy(fresh("stack"), {"Reader": role(name, Adopt=True)})
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"Reader": reason})


def test_role_that_fails_is_not_half_made(world: World, either_world: World, shop: str) -> None:
    name = fresh("reader")
    missing = on(shop, "SELECT", Table="missing")
    ended = either_world.deploy(fresh("stack"), {"Reader": role(name, on(shop), missing)})
    assert ended.failures == {"Reader": f"Table '{shop}.missing' doesn't exist"}
    assert (either_world.has_user(name), either_world.entries(name)) == (False, {})


def test_role_with_members_is_dropped_and_they_lose_what_it_gave(world: World, shop: str) -> None:
    stack, name, app = fresh("stack"), fresh("reader"), fresh("app")
    world.deploy(stack, {"Reader": role(name, on(shop, "SELECT")), "Db": database(fresh("db"))})
    arn = world.secret(app)
    world.deploy(fresh("stack"), {"App": user(arn)})
    world.sql(f"GRANT `{name}` TO `{app}`", f"SET DEFAULT ROLE `{name}` TO `{app}`")
    assert world.deploy(stack, {"Db": database(fresh("db"))}).status == "UPDATE_COMPLETE"
    assert (world.has_user(name), world.grants(app), defaults(world, app)) == (False, set(), set())


def test_rename_of_a_role_is_rolled_back(either_world: World, shop: str) -> None:
    world, stack, name, new, app = either_world, fresh("stack"), fresh("reader"), fresh("reader"), fresh("app")
    arn = world.secret(app)

    def resources(name: str) -> dict[str, Any]:
        member_of = after(user(arn, Roles=[member(name)]), "Reader")
        return {"Reader": role(name, on(shop, "SELECT")), "App": member_of}

    world.deploy(stack, resources(name))
    before = (world.grants(name), world.grants(app), world.accounts(app), world.entries(name))
    ended = world.deploy(stack, {**resources(new), "Bad": failing("App")})
    assert (ended.status, world.has_user(new)) == ("UPDATE_ROLLBACK_COMPLETE", False)
    assert (world.grants(name), world.grants(app), world.accounts(app), world.entries(name)) == before
    assert world.deploy(stack, resources(new)).failures == {}
    assert (world.has_user(name), defaults(world, app)) == (False, {new})
    world.delete(stack)
    assert (world.has_user(new), world.entries(new)) == (False, {})


def test_role_of_somebody_else_needs_adopt_and_is_never_dropped(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE ROLE `{name}`", f"GRANT DROP ON `{shop}`.* TO `{name}`")
    before = (world.accounts(name), world.grants(name))
    ended = world.deploy(fresh("stack"), {"Reader": role(name, on(shop, "SELECT"))})
    reason = f"role {name} exists already and belongs to nobody; set adopt: true to take it over as it is"
    assert (ended.failures, world.grants(name)) == ({"Reader": reason}, before[1])
    missing = role(name, on(shop, "SELECT", Table="missing"), Adopt=True, Comment="ours")
    ended = world.deploy(fresh("stack"), {"Reader": missing})
    assert ended.failures == {"Reader": f"Table '{shop}.missing' doesn't exist"}
    assert (world.accounts(name), world.grants(name), world.entries(name)) == (*before, {})
    assert world.deploy(stack, {"Reader": role(name, on(shop, "SELECT"), Adopt=True)}).failures == {}
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}
    other = fresh("stack")
    ended = world.deploy(other, {"Mine": role(name, Adopt=True)})
    assert ended.failures == {"Mine": f"role {name} belongs to stack {stack}, resource Reader"}
    world.delete(stack)
    assert world.entries(name) == {"%": Owner(stack, "Reader", adopted=True, released=True)}
    assert world.has_user(name)


def test_user_is_no_role_and_a_role_no_user(world: World) -> None:
    person, reader = fresh("legacy"), fresh("reader")
    world.sql(f"CREATE USER `{person}` IDENTIFIED BY 'hush-old'", f"CREATE ROLE `{reader}`")
    ended = world.deploy(fresh("stack"), {"Reader": role(person, Adopt=True)})
    assert ended.failures == {"Reader": f"role {person} cannot be created: there is a user of this name"}
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(reader), Adopt=True)})
    assert ended.failures == {"App": f"user {reader} cannot be created: there is a role of this name"}
    assert (world.takes(person, "hush-old"), world.accounts(reader)["%"].is_role) == (True, True)


def test_events_of_a_role_may_come_twice(world: World, shop: str) -> None:
    stack, name, new = fresh("stack"), fresh("reader"), fresh("reader")
    world.fault("twice")
    try:
        for of, rights in ((name, "SELECT"), (name, "INSERT, DROP"), (new, "INSERT")):
            assert world.deploy(stack, {"Reader": role(of, on(shop, rights))}).failures == {}
        assert (world.has_user(name), len(world.grants(new))) == (False, 1)
        world.delete(stack)
    finally:
        world.fault(None)
    assert (world.has_user(new), world.entries(new), world.entries(name)) == (False, {}, {})


def test_role_that_is_mandatory_cannot_be_deleted_and_the_reason_is_told(world: World) -> None:
    stack, name = fresh("stack"), fresh("reader")
    world.deploy(stack, {"Reader": role(name)})
    world.sql(f"SET GLOBAL mandatory_roles = '`{name}`'")
    try:
        ended = world.delete(stack)
        assert ended.status == "DELETE_FAILED"
        assert ended.failures["Reader"].startswith(f"The role `{name}`@`%` is a mandatory role and can't be revoked")
    finally:
        world.sql("SET GLOBAL mandatory_roles = ''")
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert not world.has_user(name)


# Members


def test_roles_of_a_user_converge_with_their_options_and_defaults(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    one, two = fresh("reader"), fresh("writer")
    arn = world.secret(name)
    roles = {"One": role(one, on(shop, "SELECT")), "Two": role(two, on(shop, "INSERT"))}

    def deployed(**properties: Any) -> tuple[set[str], set[str]]:
        app = after(user(arn, **properties), "One", "Two")
        assert world.deploy(stack, {**roles, "App": app}).failures == {}
        return world.grants(name), defaults(world, name)

    to = f"TO `{name}`@`%`"
    assert deployed(Roles=[member(one)]) == ({f"GRANT `{one}`@`%` {to}"}, {one})
    both = {f"GRANT `{one}`@`%`,`{two}`@`%` {to}"}
    assert deployed(Roles=[member(one), member(two)], DefaultRoles=[two]) == (both, {two})
    assert deployed(Roles=[member(one), member(two)], DefaultRoles=[]) == (both, set())
    with_option = {f"GRANT `{two}`@`%` {to}", f"GRANT `{one}`@`%` {to} WITH ADMIN OPTION"}
    assert deployed(Roles=[member(one, AdminOption=True), member(two)]) == (with_option, {one, two})
    world.sql(f"SET DEFAULT ROLE NONE TO `{name}`", f"REVOKE `{two}` FROM `{name}`")
    again = {"Revision": "2"}
    assert deployed(Roles=[member(one, AdminOption=True), member(two)], **again) == (with_option, {one, two})
    assert deployed(Roles=[member(one), member(two)]) == (both, {one, two})
    assert deployed() == (set(), set())


def test_roles_of_aurora_can_be_granted(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    resource = user(world.secret(name), Roles=[member("AWS_LAMBDA_ACCESS")])
    assert world.deploy(stack, {"App": resource}).failures == {}
    assert world.accounts(name)["%"].default_roles == {Account("AWS_LAMBDA_ACCESS")}
    world.delete(stack)
    assert world.has_user("AWS_LAMBDA_ACCESS")


def test_change_of_roles_is_rolled_back(either_world: World, shop: str) -> None:
    world, stack, name, one, two = either_world, fresh("stack"), fresh("app"), fresh("reader"), fresh("writer")
    arn = world.secret(name)
    roles = {"One": role(one), "Two": role(two)}
    world.deploy(stack, {**roles, "App": after(user(arn, Roles=[member(one, AdminOption=True)]), *roles)})
    before = (world.grants(name), world.accounts(name))
    changed = user(arn, Roles=[member(one), member(two)], DefaultRoles=[two])
    missing = user(arn, on(shop, "SELECT", Table="missing"), Roles=[member(two)])
    for resources in ({"App": changed, "Bad": failing("App")}, {"App": missing}):
        assert world.deploy(stack, {**roles, **resources}).status == "UPDATE_ROLLBACK_COMPLETE"
        assert (world.grants(name), world.accounts(name)) == before


def test_role_granted_to_itself_is_a_sentence(world: World) -> None:
    name = fresh("app")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), Roles=[member(name)])})
    assert ended.failures == {"App": f"there is no role {name} to grant: create it first"}


def test_what_is_no_role_of_a_stacks_cannot_be_granted(world: World, shop: str) -> None:
    """To MySQL every account is a role: with the master user as one, whoever deploys a stack would be the master."""
    name, other, nobodys = fresh("app"), fresh("app"), fresh("dba")
    arn = world.secret(name)
    world.deploy(fresh("stack"), {"Other": user(world.secret(other), on(shop))})
    elsewhere, reader = fresh("stack"), fresh("reader")
    world.deploy(elsewhere, {"Reader": role(reader)})
    theirs = f"it belongs to stack {elsewhere}, resource Reader, and only there it is granted"
    world.sql(f"CREATE ROLE `{nobodys}`", f"GRANT CREATE USER ON *.* TO `{nobodys}`")
    for what, reason in (
        ("admin", "admin cannot be granted as a role: it is a user"),
        (other, f"{other} cannot be granted as a role: it is a user"),
        (reader, f"role {reader} cannot be granted: {theirs}"),
        (nobodys, f"role {nobodys} cannot be granted: it belongs to nobody, and must belong to a stack"),
    ):
        ended = world.deploy(fresh("stack"), {"App": user(arn, Roles=[member(what)])})
        assert (ended.failures, world.has_user(name)) == ({"App": reason}, False)


def test_role_that_lost_its_entry_stays_with_who_has_it(world: World, shop: str) -> None:
    name, reader = fresh("app"), fresh("reader")
    arn, stack = world.secret(name), fresh("stack")
    both = {"Reader": role(reader), "App": after(user(arn, Roles=[member(reader)]), "Reader")}
    world.deploy(stack, both)
    world.sql(f"DELETE FROM aurora_tenants.users WHERE name = '{reader}@%'")
    assert world.deploy(stack, {**both, "App": user(arn, on(shop), Roles=[member(reader)])}).failures == {}
    assert defaults(world, name) == {reader}
