"""A tenant's template: its names, its bytes, and what cfn-lint and CloudFormation's limits say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.model import Cluster, Privilege, Tenant, TenantDatabase, TenantUser
from aurora_tenants.template import (
    DIGEST,
    MAX_TEMPLATE_BYTES,
    allowing_drops,
    digest_of,
    logical_id,
    secret_name,
    stack_name,
    tags,
    template,
)
from tests.goldens import golden
from tests.values import CLUSTER, SHOP, tenant

EXAMPLE = Path(__file__).parents[1] / "examples" / "tenants.yaml"
NAMES = st.text("abcAB019_$-", min_size=1, max_size=12)
KINDS = ("Database", "Secret", "Attachment", "User", "Rotation")
# Every property that a template can have, each in a value of its own.
EVERYTHING = Tenant(
    "shop-dev",
    (
        TenantDatabase("shop-dev", "utf8mb4", "utf8mb4_bin", on_remove="drop", adopt=True, shared_with=("billing",)),
        TenantDatabase("Shop_$2"),
        TenantDatabase("server"),
    ),
    (
        TenantUser(
            "shop-dev",
            (
                Privilege(("ALL",), "shop-dev", grant_option=True),
                Privilege(("SELECT", "UPDATE"), "Shop_$2", table="orders", columns=("id", "country")),
                Privilege(("SELECT",), "another-tenants"),
            ),
            adopt=True,
            rotate_after_days=90,
        ),
        TenantUser("for_ever", rotate_after_days=0),
    ),
)


def body(it: Tenant) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(template(CLUSTER, it))
    return made


def of_type(it: Tenant, kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in body(it)["Resources"].items() if resource["Type"] == kind}


# Names


def test_names_that_follow_from_a_tenants():
    cluster = Cluster("shared-global")
    assert stack_name(cluster, "shop-dev") == "shared-global-shop-dev"
    assert secret_name(cluster, "shop-dev") == "/shared-global/database/shop-dev"
    assert tags(cluster, "shop-dev") == {
        "aurora-tenants:cluster": "shared-global",
        "aurora-tenants:tenant": "shop-dev",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop", "DatabaseShop"),
        ("shop-dev", "DatabaseShopDev"),
        ("2shop", "Database2shop"),
        ("shop_dev", "DatabaseShopDevB357C096"),
        ("Shop", "DatabaseShopD00AAE6B"),
        ("$", "Database09FC9608"),
    ],
)
def test_a_logical_id_is_readable_and_stable(name: str, expected: str):
    assert logical_id("Database", name) == expected


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True))
@example(["shop-dev", "shop_dev", "shop--dev", "shopdev", "shopDev", "Shop-Dev", "shop-dev-", "-shop-dev"])
@example(["shop_dev", "shop-dev-b357-c096"])  # a plain name that spells the hash of another
@example(["a-1", "a1", "a_1"])
def test_logical_ids_never_collide(names: list[str]):
    ids = [logical_id(kind, name) for kind in KINDS for name in names]
    assert len(set(ids)) == len(ids)
    assert all(it.isascii() and it.isalnum() for it in ids)


@given(NAMES)
@example("server")
def test_no_database_takes_the_place_of_another_output(name: str):
    outputs = body(Tenant("shop", (TenantDatabase(name, on_remove="drop"),)))["Outputs"]
    assert outputs["DatabaseServer"]["Value"] == {"Fn::ImportValue": "shared-database-server"}
    assert sorted(outputs) == sorted(["DatabaseServer", logical_id("Database", name), "DropOnRemove", DIGEST])


# Bytes


def test_the_whole_template():
    text = template(Cluster("shared-global"), EVERYTHING)
    assert text == golden("template.json", text)


@pytest.mark.parametrize("it", [SHOP, EVERYTHING], ids=["plain", "everything"])
def test_the_same_tenant_gives_the_same_bytes(it: Tenant):
    assert template(CLUSTER, it) == template(Cluster("shared", region="eu-west-1"), replace(it))


@pytest.mark.parametrize(
    "other",
    [
        tenant("shop", on_remove="drop"),
        tenant("shop", adopt=True),
        replace(SHOP, name="shop2"),
        replace(SHOP, databases=(*SHOP.databases, TenantDatabase("more"))),
        replace(SHOP, databases=(replace(SHOP.databases[0], charset="utf8mb4"),)),
        replace(SHOP, databases=(replace(SHOP.databases[0], collation="utf8mb4_bin"),)),
        replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=31),)),
        replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=0),)),
        replace(SHOP, users=(replace(SHOP.users[0], privileges=()),)),
        replace(SHOP, users=(replace(SHOP.users[0], privileges=(Privilege(("ALL",), "shop", grant_option=True),)),)),
        replace(SHOP, users=(replace(SHOP.users[0], privileges=(Privilege(("ALL",), "shop", table="t"),)),)),
    ],
    ids=str,
)
def test_every_change_of_a_tenant_changes_the_digest(other: Tenant):
    assert digest_of(template(CLUSTER, other)) != digest_of(template(CLUSTER, SHOP))


def test_another_cluster_changes_the_digest():
    assert digest_of(template(Cluster("other"), SHOP)) != digest_of(template(CLUSTER, SHOP))


def test_sharing_a_database_changes_nothing_in_the_template():
    """The file alone decides who may be granted what; MySQL holds the grant with the other tenant's user."""
    shared = replace(SHOP, databases=(replace(SHOP.databases[0], shared_with=("billing",)),))
    assert template(CLUSTER, shared) == template(CLUSTER, SHOP)


# What stands in it


def test_a_password_is_32_letters_and_digits_made_by_secrets_manager():
    (secret,) = of_type(SHOP, "AWS::SecretsManager::Secret").values()
    assert secret["Properties"]["GenerateSecretString"] == {
        "SecretStringTemplate": '{"username": "shop"}',
        "GenerateStringKey": "password",
        "PasswordLength": 32,
        "ExcludePunctuation": True,
    }


def test_a_rotation_waits_for_the_user_and_never_starts_with_an_update():
    assert of_type(SHOP, "AWS::SecretsManager::RotationSchedule") == {
        "RotationShop": {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "DependsOn": "UserShop",
            "Properties": {
                "SecretId": {"Ref": "SecretShop"},
                "RotationLambdaARN": {"Fn::ImportValue": "shared-database-secret-rotation-lambda"},
                "RotationRules": {"AutomaticallyAfterDays": 30},
                "RotateImmediatelyOnUpdate": False,
            },
        }
    }


def test_nought_days_mean_no_rotation():
    assert sorted(body(Tenant("shop", users=(TenantUser("shop", rotate_after_days=0),)))["Resources"]) == [
        "AttachmentShop",
        "SecretShop",
        "UserShop",
    ]


def test_a_user_comes_after_the_databases_of_its_own_tenant_that_it_reaches():
    users = of_type(EVERYTHING, "Custom::DatabaseUser")
    assert {name: user["DependsOn"] for name, user in users.items()} == {
        "UserShopDev": ["AttachmentShopDev", "DatabaseShopDev", logical_id("Database", "Shop_$2")],
        logical_id("User", "for_ever"): [logical_id("Attachment", "for_ever")],
    }


def test_every_custom_resource_gets_the_revision_and_a_timeout():
    custom = of_type(EVERYTHING, "Custom::DatabaseUser") | of_type(EVERYTHING, "Custom::Database")
    found = [(it["Properties"]["Revision"], it["Properties"]["ServiceTimeout"]) for it in custom.values()]
    assert found == [({"Ref": "Revision"}, 600)] * 5


def test_leave_to_drop_is_given_to_the_named_databases_alone():
    it = Tenant("shop", (TenantDatabase("a", on_remove="drop"), TenantDatabase("b", on_remove="drop")))
    before, after = body(it), json.loads(allowing_drops(template(CLUSTER, it), ["b"]))
    expected = before["Resources"]["DatabaseB"]["Properties"] | {"AllowDrop": "b"}
    assert after["Resources"]["DatabaseB"]["Properties"] == expected
    assert after["Resources"]["DatabaseA"] == before["Resources"]["DatabaseA"]


def test_twenty_five_users_with_rotation_fit_into_one_template():
    users = tuple(TenantUser(f"shop-user-{n}", (Privilege(("ALL",), "shop"),)) for n in range(25))
    text = template(CLUSTER, Tenant("shop", (TenantDatabase("shop"),), users))
    assert len(text.encode()) <= MAX_TEMPLATE_BYTES


def test_cfn_lint_finds_nothing_to_say(tmp_path: Path):
    from cfnlint.api import lint_file
    from cfnlint.config import ManualArgs

    # W6001 warns of an output that only passes an import on. It is meant: a service looks at its tenant's stack alone.
    options = ManualArgs(regions=["eu-west-1"], ignore_checks=["W6001"])
    example, found = config.load(EXAMPLE), []
    for it in (*example.tenants, EVERYTHING):
        file = tmp_path / f"{it.name}.json"
        file.write_text(template(example.cluster, it))
        found += lint_file(file, config=options)
    assert found == []
