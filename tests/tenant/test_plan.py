"""What happens to one tenant: every row of the table in tenant/plan.py, with what its functions run in MySQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants.model import Privilege, RoleGrant, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Live, User
from tests.values import (
    EMPTY,
    OF_USER,
    RECORD,
    SERVER,
    SHOP,
    SHOP_STACK,
    bare,
    brief,
    deployed,
    lines_of,
    live_after,
    live_with,
    planned,
    shop_plan,
    tenant,
    with_stack,
    without_user,
)

SHOP_ACCOUNT = Account("shop")
ON_SHOP = Scope("DATABASE", "shop")
RECORD_USER = Change("record", "user shop", f"{OF_USER}'/shared/database/shop', 0, 0, '')")
CREATE_USER = Change(
    "create",
    "user shop",
    "CREATE USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` AS '***' ATTRIBUTE '{\"aurora_tenants\": "
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


def test_a_new_tenant_is_created_with_every_statement_shown():
    made = planned(SHOP)
    assert [brief(plan) for plan in made.tenants] == [shop_plan("create", changes=EVERYTHING)]
    assert (made.problems, made.notices, made.deployed_count) == ((), (), 0)


def test_an_applied_tenant_has_nothing_to_do():
    made = planned(SHOP, live=live_after(SHOP), deployed=deployed(SHOP))
    assert [brief(plan) for plan in made.tenants] == [shop_plan("none", origin="drift", status="CREATE_COMPLETE")]
    assert (made.problems, made.notices, made.deployed_count) == ((), (), 1)
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
    underscored = tenant("a_b")
    literal = live_after(underscored)
    patterns = literal._replace(server=SERVER._replace(partial_revokes=False))
    (made,) = planned(underscored, live=patterns, deployed=deployed(underscored)).tenants
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


def test_a_revision_that_is_no_number_counts_from_nought():
    (made,) = planned(SHOP, live=EMPTY, deployed=with_stack(SHOP, revision="today")).tenants
    assert brief(made).revision == 1


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
            "ALTER USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` AS '***' RETAIN CURRENT PASSWORD",
            "only if it does not have this password already; the one it has now keeps working until the first rotation"
            ", in 30 days",
        ),
    )


def test_a_database_kept_by_the_same_tenant_comes_back_by_itself():
    kept = Database("shop", owner=Owner(SHOP_STACK, "DatabaseShop", released=True))
    made = planned(SHOP, live=live_with(databases=(kept,)))
    assert (made.problems, bare(made.tenants[0])) == ((), (EVERYTHING[0], *EVERYTHING[2:]))


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


SET_PASSWORD = "ALTER USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` AS '***'"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"has_no_password": True}, "it has no password: whoever knows its name can log in"),
        ({"is_expired": True}, "it was made to expire: nobody can do anything with it"),
    ],
)
def test_a_user_whose_password_is_of_no_use_gets_the_secrets_again(changed: dict[str, bool], why: str):
    live = with_account(live_after(SHOP), options=Options(plugin="caching_sha2_password"), **changed)
    [line] = lines_of(SHOP, live=live, deployed=deployed(SHOP))
    assert line.change == Change("alter", "user shop", SET_PASSWORD, why)
    assert line.origins == ("drift",)


def test_a_user_that_comes_back_gets_its_new_secrets_password():
    before = tenant("shop", adopt=True)
    owner = Owner(SHOP_STACK, "UserShop", "/shared/database/shop", adopted=True, released=True)
    live = with_account(live_after(before), options=Options(plugin="caching_sha2_password"), owner=owner)
    gone = replace(before, users=())
    made = planned(before, live=live, deployed=deployed(gone))
    assert made.tenants[0].changes[-1] == Change(
        "alter", "user shop", SET_PASSWORD, "only if it does not have this password already"
    )
