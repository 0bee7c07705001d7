"""What becomes of the databases and accounts that a stack no longer names: dropped, or let go of."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants.model import TenantUser
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.tenant.template import template
from tests.values import (
    CLUSTER,
    EMPTY,
    OF_USER,
    RECORD,
    SERVER,
    SHOP,
    SHOP_STACK,
    Brief,
    bare,
    brief,
    deployed,
    live_after,
    live_with,
    planned,
    tenant,
    with_stack,
)

SHOP_ACCOUNT = Account("shop")
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


def test_a_tenant_taken_out_of_the_file_loses_its_user_and_keeps_its_database():
    made = planned(live=live_after(SHOP), deployed=deployed(SHOP))
    gone = Brief("shop", SHOP_STACK, "delete", changes=(*DROP_USER, KEEP_DATABASE), status="CREATE_COMPLETE")
    assert [brief(plan) for plan in made.tenants] == [gone]


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
    owner = Owner(SHOP_STACK, "DatabaseShop", adopted=True)
    user = User(SHOP_ACCOUNT, Owner(SHOP_STACK, "UserShop", "/shared/database/shop", adopted=True))
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
        *("shop", SHOP_STACK, "update", "file", (revoke, KEEP_DATABASE)),
        template=template(CLUSTER, without),
        revision=2,
        status="CREATE_COMPLETE",
    )


def test_a_database_that_was_let_go_of_before_is_not_let_go_of_again():
    released = Database("shop", owner=Owner(SHOP_STACK, "DatabaseShop", released=True))
    (made,) = planned(live=live_with(databases=(released,)), deployed=deployed(SHOP)).tenants
    assert bare(made) == ()


def test_a_tenant_taken_out_of_the_file_whose_stack_was_never_begun_is_removed():
    made = planned(live=EMPTY, deployed=with_stack(SHOP, status="REVIEW_IN_PROGRESS"))
    assert [brief(plan) for plan in made.tenants] == [Brief("shop", SHOP_STACK, "delete", status="REVIEW_IN_PROGRESS")]
    assert (made.notices, made.problems, made.deployed_count) == ((), (), 1)
