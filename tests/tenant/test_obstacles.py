"""What stands in the way of a tenant's plan, and what only looks as if it did."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants.errors import Problem
from aurora_tenants.model import Tenant, TenantRole, TenantUser
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, User
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.tenant.template import template
from tests.values import (
    CLUSTER,
    NOTHING_DEPLOYED,
    SHOP,
    SHOP_STACK,
    deployed,
    live_after,
    live_with,
    planned,
    tenant,
)

SHOP_ACCOUNT = Account("shop")


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


def test_a_role_does_not_take_the_place_of_a_user_nor_a_user_that_of_a_role():
    """With adopt too: the provider would refuse either once the plan is applied."""
    role = Tenant("shop", roles=(TenantRole("shop", adopt=True),))
    user = Tenant("shop", users=(TenantUser("shop", adopt=True),))
    told = [
        planned(asked, live=live_with(users=(User(SHOP_ACCOUNT, is_role=is_role),))).problems
        for asked, is_role in ((role, False), (user, True))
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
    shop = Tenant("shop", roles=(TenantRole("shop"),))
    live = live_after(shop)
    altered = {account: user._replace(is_role=False) for account, user in live.state.users.items()}
    made = planned(shop, live=live._replace(state=replace(live.state, users=altered)), deployed=deployed(shop))
    assert made.problems == ()


def test_a_tenant_of_roles_alone_has_something_to_deploy():
    assert planned(Tenant("shop", roles=(TenantRole("shop-reader"),))).problems == ()


def test_the_master_user_is_neither_a_tenants_user_nor_its_role():
    shared = replace(NOTHING_DEPLOYED, shared=Shared("shared", "", "", 2, master_user="admin"))
    for asked in (Tenant("a", users=(TenantUser("admin"),)), Tenant("a", roles=(TenantRole("admin", adopt=True),))):
        assert [problem.code for problem in planned(asked, deployed=shared).problems] == ["master-user"]


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


def test_a_stack_of_this_name_that_is_not_the_tenants_is_never_touched():
    """An update would take out of it everything that is in it."""
    foreign = Deployed(None, {}, others=frozenset({SHOP_STACK, "network"}))
    # Of a stack that has only lost its tags, everything seems to be somebody else's: that is not said beside it.
    assert planned(SHOP, live=live_after(SHOP), deployed=foreign).problems == planned(SHOP, deployed=foreign).problems
    assert planned(SHOP, deployed=foreign).problems == (
        Problem(
            "stack-not-ours",
            "there is a stack shared-shop that is not tenant shop's",
            "it does not have the tags aurora-tenants:cluster=shared and aurora-tenants:tenant=shop",
            "rename the tenant, or deploy that stack under another name; if it is the tenant's and somebody has taken"
            " its tags away: aws cloudformation update-stack --stack-name shared-shop --use-previous-template"
            " --parameters ParameterKey=Revision,UsePreviousValue=true --tags Key=aurora-tenants:cluster,Value=shared"
            " Key=aurora-tenants:tenant,Value=shop",
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
