"""The templates between the stacks of two tenants: what they keep, what they leave out, what they let go of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aurora_tenants.model import Privilege, RoleGrant, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.naming import DIGEST, LogicalIds
from aurora_tenants.tenant.handover import before_taking, giving, taking, without_gifts
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER

ALL = (Privilege(("ALL",), "shop"),)
SHOP = Tenant(
    "shop",
    (TenantDatabase("shop", on_remove="drop"), TenantDatabase("orders", on_remove="drop")),
    (
        TenantUser("app", ALL, on_remove="lock", roles=(RoleGrant("reader"),)),
        TenantUser("report", (Privilege(("SELECT",), "shop"),), rotate_after_days=0),
        TenantUser("job", ALL, auth="iam"),
    ),
    (TenantRole("reader", (Privilege(("SELECT",), "orders"),)),),
)
BODY = template(CLUSTER, SHOP).body
RESOURCES, OUTPUTS = BODY["Resources"], BODY["Outputs"]
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def others(body: Any, *but: str) -> dict[str, Any]:
    return {name: resource for name, resource in body["Resources"].items() if name not in but}


def test_a_given_user_is_offered_and_its_secret_and_attachment_are_kept():
    given = giving(BODY, {"UserApp": "shared-billing"})
    after = given.body["Resources"]
    assert after["UserApp"]["Properties"] == {**RESOURCES["UserApp"]["Properties"], "MovedTo": "shared-billing"}
    for name in ("SecretApp", "AttachmentApp"):
        assert after[name] == {**RESOURCES[name], **KEPT}
    changed = ("UserApp", "SecretApp", "AttachmentApp")
    assert others(given.body, *changed) == others(BODY, *changed)


def test_databases_roles_and_users_by_iam_are_offered_and_nothing_else_changes():
    gifts = {"DatabaseShop": "shared-a", "RoleReader": "shared-b", "UserJob": "shared-c"}
    after = giving(BODY, gifts).body
    for name, receiver in gifts.items():
        assert after["Resources"][name]["Properties"] == {**RESOURCES[name]["Properties"], "MovedTo": receiver}
    assert others(after, *gifts) == others(BODY, *gifts)


def test_what_came_from_another_is_given_on_without_that():
    came = template(CLUSTER, Tenant("shop", (TenantDatabase("shop", moved_from="old"),), ())).body
    properties = giving(came, {"DatabaseShop": "shared-new"}).body["Resources"]["DatabaseShop"]["Properties"]
    assert "MovedFrom" not in properties
    assert properties["MovedTo"] == "shared-new"


def test_what_was_given_leaves_with_all_that_was_for_it_alone():
    after = without_gifts(giving(BODY, {"UserApp": "b", "DatabaseShop": "b"}).body, ["UserApp", "DatabaseShop"]).body
    gone = {"UserApp", "SecretApp", "AttachmentApp", "RotationApp", "DatabaseShop"}
    assert RESOURCES.keys() - after["Resources"].keys() == gone
    assert OUTPUTS.keys() - after["Outputs"].keys() == {"SecretApp", "DatabaseShop", "OnRemoveUsers"}
    assert after["Outputs"]["DropOnRemove"]["Value"] == "orders"
    assert after["Resources"]["UserReport"]["DependsOn"] == ["AttachmentReport"]
    assert "DependsOn" not in after["Resources"]["UserJob"]
    text = json.dumps({name: part for name, part in after.items() if name != "Parameters"})
    assert not [name for name in gone if f'"{name}"' in text]


def test_a_role_and_a_user_by_iam_take_their_outputs_along():
    after = without_gifts(BODY, ["RoleReader", "UserJob"]).body
    assert OUTPUTS.keys() - after["Outputs"].keys() == {"RoleReader", "UserJob"}
    assert after["Resources"]["UserApp"]["DependsOn"] == ["AttachmentApp", "DatabaseShop"]


def test_a_stack_that_gave_everything_keeps_something():
    users, databases, roles = LogicalIds.of(SHOP).users, LogicalIds.of(SHOP).databases, LogicalIds.of(SHOP).roles
    after = without_gifts(BODY, [*users.values(), *databases.values(), *roles.values()]).body
    assert [item["Type"] for item in after["Resources"].values()] == ["AWS::CloudFormation::WaitConditionHandle"]
    assert set(after["Outputs"]) == {DIGEST}


def test_a_renamed_user_takes_its_first_name_along():
    it = Tenant("shop", (), (TenantUser("new", ALL, renamed_from="app"), TenantUser("other", ALL)))
    body = template(CLUSTER, it, renamed={"new": "app"}).body
    assert body["Outputs"]["RenamedUsers"]["Value"] == "new=app"
    assert "RenamedUsers" not in without_gifts(body, ["UserApp"]).body["Outputs"]
    assert without_gifts(body, ["UserOther"]).body["Outputs"]["RenamedUsers"]["Value"] == "new=app"


def test_a_stack_that_takes_in_secrets_is_first_made_without_their_users():
    first = before_taking(BODY, ["SecretApp"]).body
    assert RESOURCES.keys() - first["Resources"].keys() == {"UserApp", "SecretApp", "AttachmentApp", "RotationApp"}
    alone = template(CLUSTER, Tenant("shop", (), (TenantUser("app", ALL),))).body
    assert "SecretApp" not in before_taking(alone, ["SecretApp"]).body["Resources"]
    assert len(before_taking(alone, ["SecretApp"]).body["Resources"]) == 1


def test_an_import_adds_the_secrets_and_changes_nothing_else():
    deployed = before_taking(BODY, ["SecretApp"])
    taken = taking(deployed.body, BODY, ["SecretApp"])
    assert others(taken.body, "SecretApp") == deployed.body["Resources"]
    assert taken.body["Resources"]["SecretApp"] == {**RESOURCES["SecretApp"], **KEPT}
    assert {name: part for name, part in taken.body.items() if name != "Resources"} == {
        name: part for name, part in deployed.body.items() if name != "Resources"
    }
    with pytest.raises(LookupError):
        taking(deployed.body, BODY, ["UserApp"])


def test_no_template_on_the_way_has_the_digest_of_a_file():
    on_the_way = [giving(BODY, {"UserApp": "b"}), without_gifts(BODY, ["UserApp"]), before_taking(BODY, ["SecretApp"])]
    digests = [it.body["Outputs"][DIGEST]["Value"] for it in on_the_way]
    assert digests == [it.digest for it in on_the_way]
    assert all(len(digest) < 32 for digest in digests)


@pytest.mark.parametrize("foreign", [{}, {"Resources": {}}, {"Resources": {"UserApp": {"Type": "Custom::X"}}}])
def test_a_foreign_template_is_refused(foreign: dict[str, Any]):
    for change in (lambda: giving(foreign, {"UserApp": "b"}), lambda: without_gifts(foreign, ["UserApp"])):
        with pytest.raises((LookupError, TypeError, AttributeError)):
            change()
    with pytest.raises((LookupError, TypeError, AttributeError)):
        taking(foreign, BODY, ["SecretApp"])
