"""Counters: what goes up for which resource, and stacks that were deployed with one number for all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants.model import TenantDatabase, TenantUser
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.naming import DIGEST, REVISION
from aurora_tenants.revision import COUNTERS, FIRST, PARAMETER, all_counted_up, counted_up, counter_of, plain
from aurora_tenants.stack import MAX_TEMPLATE_BYTES, Deployed, Template
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, SHOP, live_after, planned, stack_of, tenant, with_stack

OLD_PARAMETER = {
    "Type": "String",
    "Default": "1",
    "Description": "Another value makes every custom resource compare MySQL with this template again.",
}


def counter(revision: str, logical_id: str) -> str:
    """What CloudFormation gives a resource."""
    position, _ = counter_of(logical_id)["Fn::Select"]
    return revision.split(",")[int(position)]


def with_one_number(body: Any) -> Any:
    """The template as it was written before there were counters, without its digest."""
    body = json.loads(json.dumps(body))
    del body["Outputs"][DIGEST]
    body["Parameters"][REVISION] = OLD_PARAMETER
    for resource in body["Resources"].values():
        if REVISION in resource["Properties"]:
            resource["Properties"][REVISION] = {"Ref": REVISION}
    return body


def test_a_counter_goes_up_for_the_resources_that_are_named_alone():
    after = counted_up(FIRST, ["UserShop", "DatabaseShop"])
    assert [counter(after, name) for name in ("UserShop", "DatabaseShop", "RoleReader")] == ["2", "2", "1"]
    assert sorted(after.split(",")) == ["1"] * (COUNTERS - 2) + ["2"] * 2
    assert counted_up(after, ()) == after


def test_two_resources_that_have_the_same_counter_count_once():
    by_position = {str(counter_of(name)): name for name in (f"User{number}" for number in range(COUNTERS + 1))}
    twin = next(name for number in range(COUNTERS + 1) if (name := f"User{number}") not in by_position.values())
    assert counter(counted_up(FIRST, [twin, by_position[str(counter_of(twin))]]), twin) == "2"


def test_one_number_is_that_of_every_resource():
    after = counted_up("7", ["UserShop"])
    assert [counter(after, name) for name in ("UserShop", "DatabaseShop")] == ["8", "7"]


@pytest.mark.parametrize("written", ["", "today", "-1", "1,2,3", f"{FIRST},1"])
def test_what_was_written_by_hand_counts_from_nought(written: str):
    assert counted_up(written, ()) == ",".join(["0"] * COUNTERS)


def test_blanks_that_somebody_wrote_between_counters_are_none_of_them():
    """CloudFormation takes them away: what counted from nought could meet the number that a resource has."""
    assert counted_up(FIRST.replace(",", ", "), ["UserShop"]) == counted_up(FIRST, ["UserShop"])


def test_everything_goes_up_in_the_form_that_it_has():
    assert (all_counted_up("7"), all_counted_up("today")) == ("8", "1")
    assert all_counted_up(counted_up(FIRST, ["UserShop"])) == counted_up(",".join(["2"] * COUNTERS), ["UserShop"])


def test_the_parameter_has_room():
    """4,096 bytes: "Value", Parameters, CloudFormation Template Reference."""
    assert len(",".join([str(10**9)] * COUNTERS)) < 4096
    assert PARAMETER["Default"] == FIRST


def test_both_forms_of_a_template_have_the_digest_that_it_always_had():
    made = template(CLUSTER, SHOP)
    old = with_one_number(made.body)
    assert made.digest == hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()[:32]
    assert made.digest == Template.of(old).digest
    assert not Template.is_edited(made.body)
    assert not Template.is_edited(Template.of(old).body)


def test_a_counter_that_somebody_has_changed_in_a_template_is_a_change():
    body = json.loads(json.dumps(template(CLUSTER, SHOP).body))
    body["Resources"]["UserShop"]["Properties"][REVISION] = counter_of("DatabaseShop")
    assert Template.is_edited(body)
    assert plain(body)["Resources"]["DatabaseShop"]["Properties"][REVISION] == {"Ref": REVISION}


def test_a_template_that_has_no_room_for_counters_gives_every_resource_all_of_them():
    """It is as large as it always was, at most, so that what fitted fits."""
    many = replace(SHOP, users=tuple(TenantUser(f"user{number:03}", auth="iam") for number in range(130)))
    made = template(CLUSTER, many)
    assert made.size_bytes() <= MAX_TEMPLATE_BYTES
    assert made.resources["UserUser000"]["Properties"][REVISION] == {"Ref": REVISION}
    old = with_one_number(made.body)
    assert made.size_bytes() < Template.of(old).size_bytes()
    assert (made.digest, Template.is_edited(made.body)) == (Template.of(old).digest, False)
    fits = template(CLUSTER, replace(many, users=many.users[:50]))
    assert fits.resources["UserUser000"]["Properties"][REVISION] == counter_of("UserUser000")


def test_a_stack_with_one_number_is_left_alone_until_something_differs():
    (made,) = planned(SHOP, live=live_after(SHOP), deployed=with_stack(SHOP, revision="7")).tenants
    assert (made.stack.action, made.changes) == ("none", ())


def test_only_what_differs_is_compared_again():
    shops = replace(SHOP, databases=(*SHOP.databases, TenantDatabase("more")))
    live = live_after(shops)
    grants = live.state.grants - {Grant(Account("shop"), Scope("DATABASE", "shop"), "DROP")}
    drifted = live._replace(state=replace(live.state, grants=grants))
    for revision in ("7", ",".join(["7"] * COUNTERS)):
        (made,) = planned(shops, live=drifted, deployed=with_stack(shops, revision=revision)).tenants
        after = made.stack.parameters[REVISION]
        assert [counter(after, name) for name in made.stack.template.resources if name.startswith(("User", "Da"))] == [
            "7",
            "7",
            "8",
        ]


def test_every_line_of_a_plan_is_of_a_resource_that_is_compared_again():
    """Two tenants, of which somebody has dropped everything but one database."""
    it = tenant("blog")
    live = live_after(SHOP, it)
    kept = {"blog": live.state.databases["blog"]}
    gone = live._replace(state=replace(live.state, databases=kept, users={}, grants=frozenset()))
    plans = planned(SHOP, it, live=gone, deployed=Deployed(None, {"shop": stack_of(SHOP), "blog": stack_of(it)}))
    found = {plan.name: plan.stack.parameters[REVISION] for plan in plans.tenants}
    assert found == {
        "shop": counted_up("1", ["DatabaseShop", "UserShop"]),
        "blog": counted_up("1", ["UserBlog"]),
    }
