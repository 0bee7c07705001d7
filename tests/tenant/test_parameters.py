"""The parameters of Systems Manager that a tenant's stack has with `outputs: ssm`, and what a plan says of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.errors import InvalidFile
from aurora_tenants.model import Configuration, Tenant, TenantDatabase, TenantUser
from aurora_tenants.naming import logical_id
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.tenant.handover import without_gifts
from aurora_tenants.tenant.items import items_of_all
from aurora_tenants.tenant.parameters import TYPE, parameter_differences
from aurora_tenants.tenant.template import template
from tests.test_naming import NAMES
from tests.values import CLUSTER, SHOP, live_after, planned, stack_of

IN_SSM = replace(SHOP, outputs="ssm")
PATH = "/shared/shop/"
OF_SHOP = {
    "DATABASE_RESOURCE": {"Fn::ImportValue": "shared-database-server"},
    "DATABASE_HOST": {"Fn::ImportValue": "shared-database-host"},
    "DATABASE_PORT": {"Fn::ImportValue": "shared-database-port"},
    "DATABASE_USER": "shop",
    "DATABASE_SECRET": {"Ref": "SecretShop"},
    "DATABASE_NAME": {"Ref": "DatabaseShop"},
    "users/shop/DATABASE_USER": "shop",
    "users/shop/DATABASE_SECRET": {"Ref": "SecretShop"},
    "databases/shop/DATABASE_NAME": {"Ref": "DatabaseShop"},
}


def parameters(tenant: Tenant, **how: Any) -> dict[str, Any]:
    """The values of the parameters in a tenant's template, by their names after the path."""
    found = template(CLUSTER, tenant, **how).resources.values()
    every = [resource["Properties"] for resource in found if resource["Type"] == TYPE]
    assert {(it["Type"], it["Tier"]) for it in every} <= {("String", "Standard")}
    values = {it["Name"].removeprefix(f"/shared/{tenant.name}/"): it["Value"] for it in every}
    assert len(values) == len(every)
    return values


def test_a_tenant_that_asks_for_none_has_the_template_that_it_had():
    assert parameters(SHOP) == {}
    without = {name: it for name, it in template(CLUSTER, IN_SSM).resources.items() if it["Type"] != TYPE}
    assert without == template(CLUSTER, SHOP).resources


def test_it_has_what_env_prints_and_the_same_of_each_user_and_database():
    assert parameters(IN_SSM) == OF_SHOP


def test_the_first_of_the_file_are_the_tenants_own_and_every_one_has_its_own():
    users = (TenantUser("signed", auth="iam", rotate_after_days=0), TenantUser("shop"))
    found = parameters(replace(IN_SSM, users=users, databases=(TenantDatabase("a"), TenantDatabase("b_$1"))))
    assert found == {
        **{name: OF_SHOP[name] for name in ("DATABASE_RESOURCE", "DATABASE_HOST", "DATABASE_PORT")},
        "DATABASE_USER": "signed",
        "DATABASE_NAME": {"Ref": "DatabaseA"},
        "users/signed/DATABASE_USER": "signed",
        "users/shop/DATABASE_USER": "shop",
        "users/shop/DATABASE_SECRET": {"Ref": "SecretShop"},
        "databases/a/DATABASE_NAME": {"Ref": "DatabaseA"},
        "databases/b_.1/DATABASE_NAME": {"Ref": logical_id("Database", "b_$1")},
    }


def test_a_parameter_tells_of_a_user_that_is_there():
    waiting = [it for it in template(CLUSTER, IN_SSM).resources.values() if it["Type"] == TYPE and "DependsOn" in it]
    assert {tuple(it["DependsOn"]) for it in waiting} == {("UserShop",)}
    assert len(waiting) == 4


def test_a_renamed_user_makes_room_for_one_of_its_old_name():
    renamed = replace(IN_SSM, users=(TenantUser("b", renamed_from="a"), TenantUser("a")))
    found = parameters(renamed, renamed={"b": "a"})
    assert found["users/b/DATABASE_SECRET"] == {"Ref": "SecretA"}
    before = template(CLUSTER, replace(IN_SSM, users=(TenantUser("a"),))).resources
    after = template(CLUSTER, renamed, renamed={"b": "a"}).resources
    names = {it: resource["Properties"]["Name"] for it, resource in before.items() if resource["Type"] == TYPE}
    # None of those that stay gets another name, which would be made before the old one goes.
    assert {it: after[it]["Properties"]["Name"] for it in names.keys() & after.keys()} == {
        it: name for it, name in names.items() if it in after
    }


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_names_are_what_systems_manager_takes_and_never_the_same(names: list[str]):
    users, databases = tuple(map(TenantUser, names)), tuple(map(TenantDatabase, names))
    found = parameters(Tenant("users", databases, users, outputs="ssm"))
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) for name in found)
    assert len(found) == 6 + 3 * len(names)


def test_a_user_that_leaves_takes_its_parameters_along():
    body = template(CLUSTER, replace(IN_SSM, users=(*SHOP.users, TenantUser("other")))).body
    left = without_gifts(body, {"UserShop"}).resources
    names = {it["Properties"]["Name"].removeprefix(PATH) for it in left.values() if it["Type"] == TYPE}
    assert names == OF_SHOP.keys() - {
        *("DATABASE_USER", "DATABASE_SECRET", "users/shop/DATABASE_USER", "users/shop/DATABASE_SECRET"),
    } | {"users/other/DATABASE_USER", "users/other/DATABASE_SECRET"}


def said(now: Tenant, before: Tenant | None) -> list[str]:
    deployed = Deployed(None, {} if before is None else {before.name: stack_of(before)})
    live = live_after(*([before] if before else []))
    bodies = {before.name: template(CLUSTER, before).body} if before else {}
    plans = planned(now, live=live, deployed=deployed).tenants
    (items,) = items_of_all(plans, {}, Configuration(CLUSTER, (now,)), live, deployed, bodies).values()
    return [f"{it.sign} {it.kind} {it.name}  {'; '.join(map(str, it.parts))}" for it in items if it.kind != "user"]


def test_a_plan_says_which_are_made_and_which_go():
    names = ", ".join(sorted(OF_SHOP))
    assert said(IN_SSM, SHOP) == [f"+ path {PATH}  parameters: {names}"]
    assert said(SHOP, IN_SSM) == [f"- path {PATH}  taken away: {names}"]
    assert said(IN_SSM, None)[-1] == f"+ path {PATH}  parameters: {names}"


def test_a_plan_says_which_are_changed():
    users = (TenantUser("b", rotate_after_days=0), TenantUser("a", rotate_after_days=0))
    now, before = (template(CLUSTER, replace(IN_SSM, users=them)).resources for them in (users, users[::-1]))
    found = parameter_differences(now, before)
    assert found and found.sign == "~"
    assert [*map(str, found.parts)] == ["another DATABASE_SECRET", "DATABASE_USER: a → b"]
    assert parameter_differences(now, now) is None


@pytest.mark.parametrize(
    ("shared", "tenant", "codes"),
    [
        ({"exports_address": False}, IN_SSM, ["old-shared-stack"]),
        ({"exports_address": False}, SHOP, []),
        ({}, IN_SSM, []),
    ],
)
def test_a_shared_stack_from_before_has_to_be_deployed_again(shared: Any, tenant: Tenant, codes: list[str]):
    deployed = Deployed(Shared("shared", "arn:x", "", 4, **shared), {})
    assert [problem.code for problem in planned(tenant, deployed=deployed).problems] == codes


def test_names_that_aws_keeps_for_itself_are_refused():
    text = "version: 1\ncluster: {stack: Aws-db}\ntenants: {shop: {outputs: ssm, databases: {shop: {}}}}\n"
    with pytest.raises(InvalidFile) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.where)) == ("reserved-name", "tenants.yaml:2:18")
    assert parse(text.replace("ssm", "stack")).tenants[0].outputs == "stack"


@pytest.mark.parametrize(
    ("defaults", "own", "outputs"),
    [("", "", "stack"), ("ssm", "", "ssm"), ("ssm", "stack", "stack"), ("stack", "ssm", "ssm")],
)
def test_a_tenants_own_word_wins(defaults: str, own: str, outputs: str):
    default = f"defaults: {{outputs: {defaults}}}\n" if defaults else ""
    entry = f"outputs: {own}, " if own else ""
    text = f"version: 1\ncluster: {{stack: shared}}\n{default}tenants: {{shop: {{{entry}databases: {{shop: {{}}}}}}}}\n"
    assert parse(text).tenants[0].outputs == outputs


def parse(text: str) -> Configuration:
    return config.parse(text, "tenants.yaml")
