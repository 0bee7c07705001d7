"""What things are called: stable for ever, because what is deployed bears these names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants.config.pause import from_options
from aurora_tenants.model import Cluster, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.naming import (
    OF_MORE,
    OF_SHARED_STACK,
    TIGHTEST,
    Limit,
    LogicalIds,
    cluster_stack,
    cluster_tags,
    logical_id,
    pause_stack,
    pause_tags,
    schedule_group,
    secret_name,
    stack_name,
    tenant_tags,
)
from aurora_tenants.schedule.template import base_name
from aurora_tenants.schedule.week import rules

SHARED_YML = Path(__file__).parents[1] / "cfn" / "shared.yml"
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


def test_names_of_the_clusters_own_stack():
    assert cluster_stack("shared-global") == "shared-global-cluster"
    assert cluster_tags("shared-global") == {
        "aurora-tenants:cluster": "shared-global",
        "aurora-tenants:part": "cluster",
    }


def of_template(value: Any) -> Iterator[str]:
    """Every name in a template that is made of the stack's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("Name", "FunctionName", "LogGroupName") and isinstance(inner, dict) and "Fn::Sub" in inner:
                yield inner["Fn::Sub"].replace("${AWS::StackName}", "{stack}")
            yield from of_template(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from of_template(inner)


def test_every_name_that_the_shared_stack_makes_of_its_own_has_its_limit_written_down():
    known = {limit.form for limit in OF_SHARED_STACK}
    made = set(of_template(load(SHARED_YML.read_text())))
    assert made <= known
    # The others: the tag, the stack of a new cluster, and the secret in which a rotation tries a login.
    others = {form for form in known - made if not form.startswith("/{stack}/database/rotation-test/")}
    assert others == {"{stack}", "{stack}-cluster"}


@pytest.mark.parametrize(
    ("noun", "service", "shape"),
    [
        ("schedule group", "scheduler", "ScheduleGroupName"),
        ("schedule", "scheduler", "Name"),
        ("secret", "secretsmanager", "NameType"),
        ("log group", "logs", "LogGroupName"),
        ("tag's value", "cloudformation", "TagValue"),
    ],
)
def test_limits_are_those_of_aws(noun: str, service: str, shape: str):
    longest = botocore.session.get_session().get_service_model(service).shape_for(shape).metadata["max"]
    assert {limit.longest for limit in (*OF_SHARED_STACK, *OF_MORE) if limit.noun == noun} == {longest}


def test_a_function_has_fewer_characters_than_the_arn_that_may_stand_in_its_place():
    """The model's own limit is that of an ARN."""
    shape = botocore.session.get_session().get_service_model("lambda").shape_for("CreateFunctionRequest")
    assert f"limited to {TIGHTEST.longest} characters in length" in shape.members["FunctionName"].documentation


def test_a_shared_stack_of_39_characters_has_room_for_every_name_and_one_of_40_has_not():
    """What is deployed keeps its names: the longest suffix stays as it is."""
    assert (TIGHTEST.form, TIGHTEST.longest_stack) == ("{stack}-database-secret-rotation", 39)
    assert [limit for limit in OF_SHARED_STACK if len(limit.name(stack="s" * 39)) > limit.longest] == []
    assert [limit.form for limit in OF_SHARED_STACK if len(limit.name(stack="s" * 40)) > limit.longest] == [
        TIGHTEST.form
    ]


def longest_schedule() -> str:
    """The longest name of all that a week can have: of six days, which is not daily, after years of healing."""
    week = rules(from_options("UTC", ["MON,TUE,WED,FRI,SAT,SUN 07:00-17:00", "THU 08:00-18:00"]))
    return max((f"{base_name(rule)}-r999999" for rule in week), key=len)


@pytest.mark.parametrize("limit", OF_MORE, ids=lambda limit: limit.form)
def test_names_that_have_more_in_them_fit_whatever_the_file_may_hold(limit: Limit):
    """Of the longest that config lets through: 39 and 128 together for a tenant, MySQL's 32 for a user."""
    longest_id = max(len(logical_id("Database", "d" * 64)), len(logical_id("Attachment", "$" * 32)))
    parts = {
        "stack": "s" * 39,
        "tenant": "t" * (128 - 40),
        "user": "u" * 32,
        "id": "i" * longest_id,
        "schedule": longest_schedule(),
    }
    assert len(limit.name(**parts)) <= limit.longest


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
