"""Two tenants that share with each other: made at once, applied alone, and not shared any more."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")

BOTH = """
  shop:
    databases: {shop: {shared_with: [billing]}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}, {permission: SELECT, database: billing}]}
  billing:
    databases: {billing: {shared_with: [shop]}}
    users:
      billing: {privileges: [{permission: ALL, database: billing}, {permission: SELECT, database: shop}]}
"""
APART = """
  shop:
    databases: {shop: }
    users: {shop: {privileges: [{permission: ALL, database: shop}]}}
  billing:
    databases: {billing: }
    users: {billing: {privileges: [{permission: ALL, database: billing}]}}
"""


def held(cloud: Cloud) -> set[tuple[object, ...]]:
    rows = cloud.sql("SELECT User, Db FROM mysql.db WHERE User IN ('shop', 'billing')")
    return {tuple(map(str, row)) for row in rows}


def test_two_share_with_each_other_in_one_apply_and_stop_in_one(run: CommandLine, cloud: Cloud):
    own = {("shop", "shop"), ("billing", "billing")}
    run.file(BOTH)
    assert run("aurora-tenants plan --tenant shop").code != 0
    assert run("aurora-tenants apply --yes").code == 0
    assert held(cloud) == own | {("shop", "billing"), ("billing", "shop")}
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
    run.file(APART)
    assert run("aurora-tenants apply --yes --tenant shop").code == 0
    assert held(cloud) == own | {("billing", "shop")}
    assert run("aurora-tenants apply --yes").code == 0
    assert held(cloud) == own
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
