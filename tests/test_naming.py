"""What things are called: stable for ever, because what is deployed bears these names."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aurora_tenants.model import Cluster, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.naming import (
    LogicalIds,
    logical_id,
    pause_stack,
    pause_tags,
    schedule_group,
    secret_name,
    stack_name,
    tenant_tags,
)

NAMES = st.text("abcAB019_$-", min_size=1, max_size=12)
KINDS = ("Database", "Role", "Secret", "Attachment", "User", "Rotation")


def test_names_that_follow_from_a_tenants():
    cluster = Cluster("shared-global")
    assert stack_name(cluster, "shop-dev") == "shared-global-shop-dev"
    assert secret_name(cluster, "shop-dev") == "/shared-global/database/shop-dev"
    assert tenant_tags(cluster, "shop-dev") == {
        "aurora-tenants:cluster": "shared-global",
        "aurora-tenants:tenant": "shop-dev",
    }


def test_names_of_the_pause_schedule():
    """Its stack and its group of schedules may be called alike: one is CloudFormation's, one the scheduler's."""
    cluster = Cluster("shared-global")
    assert pause_stack(cluster) == "shared-global-pause-schedule"
    assert schedule_group(cluster) == "shared-global-pause-schedule"
    assert pause_tags(cluster) == {
        "aurora-tenants:cluster": "shared-global",
        "aurora-tenants:part": "pause-schedule",
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
    assert all(each.isascii() and each.isalnum() for each in ids)


def test_the_resources_of_a_tenant_are_told_by_what_they_are_and_whose():
    shop = Tenant(
        "shop",
        (TenantDatabase("shop"), TenantDatabase("server")),
        (TenantUser("shop"), TenantUser("shop-report")),
        (TenantRole("reader"),),
    )
    assert LogicalIds.of(shop) == LogicalIds(
        databases={"shop": "DatabaseShop", "server": "DatabaseServerB3EACD33"},
        roles={"reader": "RoleReader"},
        users={"shop": "UserShop", "shop-report": "UserShopReport"},
        secrets={"shop": "SecretShop", "shop-report": "SecretShopReport"},
        attachments={"shop": "AttachmentShop", "shop-report": "AttachmentShopReport"},
        rotations={"shop": "RotationShop", "shop-report": "RotationShopReport"},
    )
