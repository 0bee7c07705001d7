"""The difference between the file, CloudFormation and MySQL: every row of the table in plan.py, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants.errors import InvalidUsage, Notice, Problem
from aurora_tenants.model import Configuration, Ignore, Privilege, RoleGrant, Tenant, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.plan import make_plan
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.tenant.template import template
from tests.values import (
    CLUSTER,
    EMPTY,
    NOTHING_DEPLOYED,
    SERVER,
    SHOP,
    Brief,
    bare,
    brief,
    deployed,
    lines_of,
    live_after,
    planned,
    tenant,
    with_stack,
    without_user,
)

STACK = "shared-shop"
SHOP_ACCOUNT = Account("shop")
ON_SHOP = Scope("DATABASE", "shop")
RECORD = "REPLACE INTO aurora_tenants.`databases` VALUES "
OF_USER = "REPLACE INTO aurora_tenants.`users` VALUES ('shop@%', 'shared-shop', 'UserShop', "
RECORD_USER = Change("record", "user shop", f"{OF_USER}'/shared/database/shop', 0, 0, '')")
CREATE_USER = Change(
    "create",
    "user shop",
    "CREATE USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` BY '***' ATTRIBUTE '{\"aurora_tenants\": "
    '{"stack": "shared-shop", "resource": "UserShop"}}\'',
)
GRANT_ALL = Change("grant", "user shop", "GRANT ALL PRIVILEGES ON `shop`.* TO `shop`@`%`")
EVERYTHING = (
    Change("record", "database shop", f"{RECORD}('shop', 'shared-shop', 'DatabaseShop', '', 0, 0, '')"),
    Change("create", "database shop", "CREATE DATABASE `shop`"),
    RECORD_USER,
    CREATE_USER,
    GRANT_ALL,
)
DROP_USER = (
    Change("drop", "user shop", "DROP USER IF EXISTS `shop`@`%`"),
    Change("record", "user shop", "DELETE FROM aurora_tenants.`users` WHERE name = 'shop@%'"),
)
KEEP_DATABASE = Change(
    "release",
    "database shop",
    f"{RECORD}('shop', 'shared-shop', 'DatabaseShop', '', 0, 1, '')",
    "on_remove is retain, so it is kept",
)


def shop_plan(action: str, **rest: object) -> Brief:
    return Brief("shop", STACK, action, **({"template": template(CLUSTER, SHOP)} | rest))


def live_with(*, databases: tuple[Database, ...] = (), users: tuple[User, ...] = ()) -> Live:
    return Live(SERVER, State({it.name: it for it in databases}, {it.account: it for it in users}))


# What happens to a tenant


def test_a_new_tenant_is_created_with_every_statement_shown():
    made = planned(SHOP)
    assert [brief(it) for it in made.tenants] == [shop_plan("create", changes=EVERYTHING)]
    assert (made.problems, made.notices, made.deployed) == ((), (), 0)


def test_an_applied_tenant_has_nothing_to_do():
    made = planned(SHOP, live=live_after(SHOP), deployed=deployed(SHOP))
    assert [brief(it) for it in made.tenants] == [shop_plan("none", origin="drift", status="CREATE_COMPLETE")]
    assert (made.problems, made.notices, made.deployed) == ((), (), 1)
    assert made.changed == ()


def test_a_changed_file_is_an_update_whose_revision_grows():
    reader = replace(SHOP, users=(TenantUser("shop", (Privilege(("SELECT",), "shop"),)),))
    (made,) = planned(SHOP, live=live_after(reader), deployed=deployed(reader)).tenants
    granted = (
        "ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, CREATE VIEW, DELETE, DROP, EVENT,"
        " EXECUTE, INDEX, INSERT, LOCK TABLES, REFERENCES, SHOW VIEW, TRIGGER, UPDATE"
    )
    assert brief(made) == shop_plan(
        "update",
        origin="file",
        changes=(Change("grant", "user shop", f"GRANT {granted} ON `shop`.* TO `shop`@`%`"),),
        revision=2,
        status="CREATE_COMPLETE",
    )


def test_a_change_that_mysql_never_sees_leaves_the_revision_alone():
    rarely = replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=90),))
    (made,) = planned(SHOP, live=live_after(SHOP), deployed=deployed(rarely)).tenants
    assert brief(made) == shop_plan("update", origin="file", revision=1, status="CREATE_COMPLETE")


def test_a_revoked_privilege_is_drift_and_a_higher_revision_makes_the_provider_look_again():
    live = live_after(SHOP)
    live = live._replace(state=replace(live.state, grants=live.state.grants - {Grant(SHOP_ACCOUNT, ON_SHOP, "DROP")}))
    (made,) = planned(SHOP, live=live, deployed=with_stack(SHOP, revision="7")).tenants
    assert brief(made) == shop_plan(
        "update",
        origin="drift",
        changes=(Change("grant", "user shop", "GRANT DROP ON `shop`.* TO `shop`@`%`"),),
        revision=8,
        status="CREATE_COMPLETE",
    )


def test_a_privilege_that_the_file_does_not_mention_is_revoked():
    live = live_after(SHOP)
    extra = Grant(SHOP_ACCOUNT, Scope("GLOBAL"), "PROCESS")
    live = live._replace(state=replace(live.state, grants=live.state.grants | {extra}))
    (made,) = planned(SHOP, live=live, deployed=deployed(SHOP)).tenants
    assert (made.stack.origin, bare(made)) == (
        "drift",
        (Change("revoke", "user shop", "REVOKE PROCESS ON *.* FROM `shop`@`%`"),),
    )


def test_a_user_dropped_behind_our_back_is_made_again_with_its_grants():
    live = without_user(live_after(SHOP), "shop")
    (made,) = planned(SHOP, live=live, deployed=deployed(SHOP)).tenants
    assert (made.stack.action, made.stack.origin, bare(made)) == (
        "update",
        "drift",
        (RECORD_USER, CREATE_USER, GRANT_ALL),
    )


def test_the_spelling_of_a_database_follows_partial_revokes():
    it = tenant("a_b")
    literal = live_after(it)
    patterns = literal._replace(server=SERVER._replace(partial_revokes=False))
    (made,) = planned(it, live=patterns, deployed=deployed(it)).tenants
    assert bare(made) == (
        Change("grant", "user a_b", "GRANT ALL PRIVILEGES ON `a\\_b`.* TO `a_b`@`%`"),
        Change(
            "revoke",
            "user a_b",
            "REVOKE ALL PRIVILEGES ON `a_b`.* FROM `a_b`@`%`",
            "spelled a_b, it also matches other databases",
        ),
    )


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_can_only_be_deleted_is_replaced(status: str):
    (made,) = planned(SHOP, deployed=with_stack(SHOP, status=status)).tenants
    assert brief(made) == shop_plan("replace", changes=EVERYTHING, status=status)


def test_a_stack_that_was_never_begun_is_created():
    (made,) = planned(SHOP, deployed=with_stack(SHOP, status="REVIEW_IN_PROGRESS")).tenants
    assert brief(made) == shop_plan("create", changes=EVERYTHING)


def test_a_stack_that_failed_to_roll_back_is_updated_though_mysql_is_as_it_should_be():
    stuck = with_stack(SHOP, status="UPDATE_ROLLBACK_FAILED")
    (made,) = planned(SHOP, live=live_after(SHOP), deployed=stuck).tenants
    assert brief(made) == shop_plan("update", origin="drift", status="UPDATE_ROLLBACK_FAILED")


def test_a_stack_that_was_rolled_back_to_what_the_file_says_has_nothing_to_do():
    rolled_back = with_stack(SHOP, status="UPDATE_ROLLBACK_COMPLETE")
    assert planned(SHOP, live=live_after(SHOP), deployed=rolled_back).changed == ()


def test_a_busy_stack_is_a_problem():
    made = planned(SHOP, live=live_after(SHOP), deployed=with_stack(SHOP, status="UPDATE_IN_PROGRESS"))
    assert made.problems == (
        Problem(
            "stack-busy",
            "stack shared-shop is in the middle of an operation: UPDATE_IN_PROGRESS",
            context="tenant shop",
            fix="wait until it has ended, then try again",
        ),
    )


def test_a_revision_that_is_no_number_counts_from_nought():
    (made,) = planned(SHOP, live=EMPTY, deployed=with_stack(SHOP, revision="today")).tenants
    assert brief(made).revision == 1


# Tenants that are no longer in the file


def test_a_tenant_taken_out_of_the_file_loses_its_user_and_keeps_its_database():
    made = planned(live=live_after(SHOP), deployed=deployed(SHOP))
    gone = Brief("shop", STACK, "delete", changes=(*DROP_USER, KEEP_DATABASE), status="CREATE_COMPLETE")
    assert [brief(it) for it in made.tenants] == [gone]


def test_a_database_whose_on_remove_was_drop_is_dropped():
    shop = tenant("shop", on_remove="drop")
    (made,) = planned(live=live_after(shop), deployed=deployed(shop)).tenants
    assert (bare(made), made.stack.drops) == (
        (
            *DROP_USER,
            Change("drop", "database shop", "DROP DATABASE `shop`"),
            Change("record", "database shop", "DELETE FROM aurora_tenants.`databases` WHERE name = 'shop'"),
        ),
        ("shop",),
    )


def test_a_server_that_folds_names_drops_what_the_file_called_otherwise():
    """Leave to drop goes by the file's name: the template that the provider reads it from says that one."""
    shop = tenant("Shop", on_remove="drop")
    live = live_after(shop)
    (database,) = live.state.databases.values()
    folded = State({"shop": database._replace(name="shop")}, live.state.users, live.state.grants)
    live = Live(SERVER._replace(lower_case_names=True), folded)
    (made,) = planned(live=live, deployed=deployed(shop)).tenants
    assert made.stack.drops == ("Shop",)
    assert "DROP DATABASE `shop`" in [change.statement for change in bare(made)]


def test_what_was_adopted_is_released_and_never_dropped():
    shop = tenant("shop", on_remove="drop")
    owner = Owner(STACK, "DatabaseShop", adopted=True)
    user = User(SHOP_ACCOUNT, Owner(STACK, "UserShop", "/shared/database/shop", adopted=True))
    live = live_with(databases=(Database("shop", owner=owner),), users=(user,))
    (made,) = planned(live=live, deployed=deployed(shop)).tenants
    why = "it was adopted, so it is kept"
    assert (bare(made), made.stack.drops) == (
        (
            Change("release", "user shop", f"{OF_USER}'/shared/database/shop', 1, 1, '')", why),
            Change("release", "database shop", f"{RECORD}('shop', 'shared-shop', 'DatabaseShop', '', 1, 1, '')", why),
        ),
        (),
    )


def test_a_database_taken_out_of_its_tenant_is_let_go_of():
    without = replace(SHOP, databases=(), users=(TenantUser("shop"),))
    (made,) = planned(without, live=live_after(SHOP), deployed=deployed(SHOP)).tenants
    revoke = Change("revoke", "user shop", "REVOKE ALL PRIVILEGES ON `shop`.* FROM `shop`@`%`")
    assert brief(made) == Brief(
        *("shop", STACK, "update", "file", (revoke, KEEP_DATABASE)),
        template=template(CLUSTER, without),
        revision=2,
        status="CREATE_COMPLETE",
    )


def test_a_database_that_was_let_go_of_before_is_not_let_go_of_again():
    released = Database("shop", owner=Owner(STACK, "DatabaseShop", released=True))
    (made,) = planned(live=live_with(databases=(released,)), deployed=deployed(SHOP)).tenants
    assert bare(made) == ()


def test_a_tenant_taken_out_of_the_file_whose_stack_was_never_begun_is_removed():
    made = planned(live=EMPTY, deployed=with_stack(SHOP, status="REVIEW_IN_PROGRESS"))
    assert [brief(it) for it in made.tenants] == [Brief("shop", STACK, "delete", status="REVIEW_IN_PROGRESS")]
    assert (made.notices, made.problems, made.deployed) == ((), (), 1)


def test_a_busy_stack_is_not_removed():
    made = planned(live=EMPTY, deployed=with_stack(SHOP, status="DELETE_IN_PROGRESS"))
    assert [problem.code for problem in made.problems] == ["stack-busy"]


# What is not the tenant's to take


def exists_already(what: str) -> Problem:
    return Problem(
        "exists-already",
        f"{what} exists already and belongs to nobody; set adopt: true to take it over as it is",
        context="tenant shop",
        why="what another owner made is never changed unless that is asked for",
        fix="add `adopt: true` to it in tenants.yaml, or choose another name",
    )


def test_what_belongs_to_nobody_is_not_taken_unasked():
    made = planned(SHOP, live=live_with(databases=(Database("shop"),), users=(User(SHOP_ACCOUNT),)))
    assert made.problems == (exists_already("database shop"), exists_already("user shop"))


def test_what_belongs_to_nobody_is_adopted_when_the_file_says_so():
    shop = User(SHOP_ACCOUNT, options=Options(plugin="caching_sha2_password"))
    live = live_with(databases=(Database("shop"),), users=(shop,))
    made = planned(tenant("shop", adopt=True), live=live)
    assert made.problems == ()
    assert bare(made.tenants[0]) == (
        Change("record", "database shop", f"{RECORD}('shop', 'shared-shop', 'DatabaseShop', '', 1, 0, '')"),
        Change("record", "user shop", f"{OF_USER}'/shared/database/shop', 1, 0, '')"),
        GRANT_ALL,
        Change(
            "alter",
            "user shop",
            "ALTER USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` BY '***' RETAIN CURRENT PASSWORD",
            "only if it does not have this password already; the one it has now keeps working until the first rotation",
        ),
    )


def test_a_role_does_not_take_the_place_of_a_user_nor_a_user_that_of_a_role():
    """With adopt too: the provider would refuse either once the plan is applied."""
    role = Tenant("shop", roles=(TenantRole("shop", adopt=True),))
    user = Tenant("shop", users=(TenantUser("shop", adopt=True),))
    told = [
        planned(it, live=live_with(users=(User(SHOP_ACCOUNT, is_role=is_role),))).problems
        for it, is_role in ((role, False), (user, True))
    ]
    why = "to MySQL a role is a user as well, and neither becomes the other"
    assert told == [
        (Problem("exists-already", what, why, "choose another name", context="tenant shop"),)
        for what in (
            "role shop cannot be created: there is a user of this name",
            "user shop cannot be created: there is a role of this name",
        )
    ]


def test_a_role_of_the_tenants_own_that_was_given_a_password_is_put_right():
    it = Tenant("shop", roles=(TenantRole("shop"),))
    live = live_after(it)
    altered = {account: user._replace(is_role=False) for account, user in live.state.users.items()}
    made = planned(it, live=live._replace(state=replace(live.state, users=altered)), deployed=deployed(it))
    assert made.problems == ()


def test_a_tenant_of_roles_alone_has_something_to_deploy():
    assert planned(Tenant("shop", roles=(TenantRole("shop-reader"),))).problems == ()


def test_the_master_user_is_neither_a_tenants_user_nor_its_role():
    shared = replace(NOTHING_DEPLOYED, shared=Shared("shared", "", "", 2, master_user="admin"))
    for it in (Tenant("a", users=(TenantUser("admin"),)), Tenant("a", roles=(TenantRole("admin", adopt=True),))):
        assert [problem.code for problem in planned(it, deployed=shared).problems] == ["master-user"]


def test_what_another_stack_owns_is_never_taken():
    made = planned(
        tenant("shop", adopt=True), live=live_with(databases=(Database("shop", owner=Owner("other", "Database")),))
    )
    assert made.problems == (
        Problem(
            "owned-by-another-stack",
            "database shop belongs to stack other, resource Database",
            context="tenant shop",
            why="what another owner made is never changed unless that is asked for",
            fix="remove it there first, or choose another name",
        ),
    )


def test_a_database_kept_by_the_same_tenant_comes_back_by_itself():
    kept = Database("shop", owner=Owner(STACK, "DatabaseShop", released=True))
    made = planned(SHOP, live=live_with(databases=(kept,)))
    assert (made.problems, bare(made.tenants[0])) == ((), (EVERYTHING[0], *EVERYTHING[2:]))


def test_a_stack_of_this_name_that_is_not_the_tenants_is_never_touched():
    """An update would take out of it everything that is in it."""
    foreign = Deployed(None, {}, others=frozenset({STACK, "network"}))
    assert planned(SHOP, deployed=foreign).problems == (
        Problem(
            "stack-not-ours",
            "there is a stack shared-shop that is not tenant shop's",
            "it has not the tags aurora-tenants:cluster=shared and aurora-tenants:tenant=shop",
            "rename the tenant, or deploy that stack under another name",
            context="tenant shop",
        ),
    )


def test_a_tenant_too_large_for_cloudformation_is_a_problem_with_a_way_out():
    many = Tenant("shop", users=tuple(TenantUser(f"user-{number}") for number in range(60)))
    (problem,) = planned(many).problems
    size = template(CLUSTER, many).size_bytes()
    assert problem == Problem(
        "tenant-too-large",
        f"the template of tenant shop has {size:,} bytes",
        "CloudFormation takes no more than 51,200",
        "spread its databases and users over several tenants",
    )


# Which tenants


def test_tenants_come_in_the_files_order_and_then_the_gone_ones_by_name():
    tenants = [tenant(name) for name in ("b", "a", "d", "c")]
    made = planned(*tenants[:2], live=live_after(*tenants), deployed=deployed(*tenants))
    assert [(it.tenant, it.stack.action) for it in made.tenants] == [
        ("b", "none"),
        ("a", "none"),
        ("c", "delete"),
        ("d", "delete"),
    ]


def test_a_plan_for_one_tenant_is_silent_about_all_others():
    live = live_after(SHOP, tenant("gone"))
    live.state.databases["stray"] = Database("stray")
    made = planned(SHOP, tenant("new"), live=live, deployed=deployed(SHOP, tenant("gone")), only="shop")
    assert [brief(it) for it in made.tenants] == [shop_plan("none", origin="drift", status="CREATE_COMPLETE")]
    assert (made.problems, made.notices, made.deployed, made.is_partial) == ((), (), 2, True)


def test_a_gone_tenant_may_be_named_too():
    made = planned(live=live_after(SHOP), deployed=deployed(SHOP), only="shop")
    assert [(it.tenant, it.stack.action) for it in made.tenants] == [("shop", "delete")]


@pytest.mark.parametrize(
    ("name", "fix"), [("shpo", "did you mean shop?"), ("x", "known: billing, shop")], ids=["near", "far"]
)
def test_an_unknown_tenant_is_wrong_usage(name: str, fix: str):
    with pytest.raises(InvalidUsage) as caught:
        planned(SHOP, deployed=deployed(tenant("billing")), only=name)
    assert caught.value.problems == (Problem("unknown-tenant", f"there is no tenant {name}", fix=fix),)


# What the provider does, in its order


def test_each_resource_is_planned_by_itself_as_the_provider_is_asked_for_it():
    """A role is updated before its users, and an account is altered when its rights are as they should be."""
    role = TenantRole("shop-reader", (Privilege(("INSERT",), "shop"),))
    before = replace(SHOP, roles=(role,), users=(replace(SHOP.users[0], roles=(RoleGrant("shop-reader"),)),))
    reader = replace(role, privileges=(Privilege(("SELECT",), "shop"),))
    user = replace(before.users[0], privileges=(Privilege(("DELETE",), "shop"),), options=Options(is_locked=True))
    now = replace(before, roles=(reader,), users=(user,))
    made = lines_of(now, live=live_after(before), deployed=deployed(before))
    assert [(line.change.action, line.about) for line in made] == [
        ("grant", "role shop-reader"),
        ("revoke", "role shop-reader"),
        ("revoke", "user shop"),
        ("alter", "user shop"),
    ]


def test_new_hosts_of_several_users_wait_where_the_provider_lets_them_wait():
    two = replace(SHOP, users=tuple(TenantUser(name) for name in ("one", "two")))
    more = replace(two, users=tuple(replace(user, hosts=("%", "10.%")) for user in two.users))
    made = planned(more, live=live_after(two), deployed=deployed(two))
    created = [change.statement for change in made.tenants[0].changes if change.action == "create"]
    assert [statement.split(" IDENTIFIED")[0] for statement in created] == [
        "CREATE USER `one`@`1.aurora-tenants.invalid`",
        "CREATE USER `two`@`1.aurora-tenants.invalid`",
    ]


def with_account(live: Live, **changed: Any) -> Live:
    """The user of SHOP is like this."""
    user = live.state.users[SHOP_ACCOUNT]._replace(**changed)
    return live._replace(state=replace(live.state, users={**live.state.users, SHOP_ACCOUNT: user}))


SET_PASSWORD = "ALTER USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` BY '***'"


def test_a_user_that_lost_its_password_gets_the_secrets_again():
    live = with_account(live_after(SHOP), options=Options(plugin="caching_sha2_password"), has_no_password=True)
    [line] = lines_of(SHOP, live=live, deployed=deployed(SHOP))
    why = "it has no password: whoever knows its name can log in"
    assert line.change == Change("alter", "user shop", SET_PASSWORD, why)
    assert line.origins == ("drift",)


def test_a_user_without_a_password_is_not_adopted():
    user = User(SHOP_ACCOUNT, options=Options(plugin="caching_sha2_password"), has_no_password=True)
    live = live_with(databases=(Database("shop"),), users=(user,))
    [problem] = planned(tenant("shop", adopt=True), live=live).problems
    assert problem == Problem(
        "no-password-to-keep",
        "user shop has no password and cannot be adopted",
        "the password of a user that is adopted goes on working beside the secret's, and it has none that could",
        "give it one, with which its clients log in: ALTER USER `shop`@`%` IDENTIFIED BY ...",
        context="tenant shop",
    )


def test_a_user_that_comes_back_gets_its_new_secrets_password():
    before = tenant("shop", adopt=True)
    owner = Owner(STACK, "UserShop", "/shared/database/shop", adopted=True, released=True)
    live = with_account(live_after(before), options=Options(plugin="caching_sha2_password"), owner=owner)
    gone = replace(before, users=())
    made = planned(before, live=live, deployed=deployed(gone))
    assert made.tenants[0].changes[-1] == Change(
        "alter", "user shop", SET_PASSWORD, "only if it does not have this password already"
    )


def test_an_account_that_gets_another_host_is_not_called_left_over():
    elsewhere = replace(SHOP, users=(replace(SHOP.users[0], hosts=("10.%",)),))
    made = planned(elsewhere, live=live_after(SHOP), deployed=deployed(SHOP))
    assert "rename" in {change.action for change in made.tenants[0].changes}
    assert made.notices == ()


# Notices

IGNORE_NOTHING = Ignore()


def notices(
    live: Live, *, ignore: Ignore = IGNORE_NOTHING, deployed: Deployed = NOTHING_DEPLOYED
) -> tuple[Notice, ...]:
    return make_plan(Configuration(CLUSTER, (SHOP,), ignore), live, deployed).notices


STRAYS = live_with(
    databases=(Database("old"), Database("kept", owner=Owner("shared-old", "DatabaseKept", released=True))),
    users=(
        User(Account("stray")),
        User(Account("shop", "10.0.0.1")),
        User(Account("left"), Owner("shared-left", "UserLeft", "s")),
    ),
)


def test_what_nobody_names_is_noticed_and_not_touched():
    assert notices(STRAYS) == (
        Notice(
            "left-over",
            "user left was made by stack shared-left, which does not name it any more, and was not dropped; "
            "to drop it, delete the secret s if it is still there, put it back into the file, apply, take it out, "
            "and apply again",
        ),
        Notice("kept-database", "database kept was kept when stack shared-old let go of it"),
        Notice("unmanaged-database", "database old belongs to nobody and is not in the file"),
        Notice(
            "unmanaged-user",
            "user shop@10.0.0.1 belongs to nobody, and who connects from its host logs in to it instead of the one in"
            " the file",
        ),
        Notice("unmanaged-user", "user stray belongs to nobody and is not in the file"),
    )


def test_what_the_file_ignores_is_not_noticed():
    ignore = Ignore(users=("st*", "left", "shop"), databases=("old", "kep?"))
    assert notices(STRAYS, ignore=ignore) == ()


def test_the_servers_own_and_other_stacks_things_are_not_noticed():
    live = live_with(
        databases=(Database("mysql"), Database("aurora_tenants"), Database("x", owner=Owner("service", "Database"))),
        users=(User(Account("rdsadmin", "localhost")), User(Account("service"), Owner("service", "DatabaseUser"))),
    )
    assert notices(live) == ()


def test_the_clusters_master_user_is_not_noticed():
    shared = Shared("shared", "arn", "secret", 1, master_user="admin")
    live = live_with(users=(User(Account("admin")),))
    assert notices(live, deployed=Deployed(shared, {})) == ()
