"""What others left on the server, as the command line tells it: whole texts, from a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import HEAD, CommandLine, Ended
from tests.cloud import LIMITS, Cloud
from tests.goldens import golden

SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""
COMPARED = "Compared 1 tenant of tenants.yaml with cluster shared-global: MySQL N with N databases and N users.\n"
NO_CHANGES = "No changes: MySQL and CloudFormation hold what the file says.\n"
PASSWORD = "IDENTIFIED BY RANDOM PASSWORD"


@pytest.fixture(autouse=True)
def clean(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.clean()


def notices(planned: Ended) -> list[str]:
    told, _, _ = planned.out.partition("\nDangers\n")
    return [line for line in told.splitlines() if line.startswith("  ")]


def test_everything_that_others_left_is_told_and_not_touched(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql(
        "CREATE DATABASE stray",
        f"CREATE USER legacy {PASSWORD}",
        "CREATE USER open",
        f"CREATE USER shop_clone {PASSWORD}",
        f"CREATE USER shop@`10.%` {PASSWORD}",
        f"CREATE USER ''@`192.0.2.%` {PASSWORD}",
        f"CREATE USER mighty {PASSWORD}",
        "CREATE ROLE readers",
        "GRANT SELECT ON gone.* TO legacy",
        "GRANT SELECT ON stray.* TO open",
        "GRANT CREATE USER ON *.* TO mighty",
    )
    before = cloud.sql("SELECT User, Host FROM mysql.user ORDER BY 1, 2")
    planned = run("aurora-tenants plan --detailed-exitcode")
    assert (planned.code, planned.err) == (0, "")
    assert planned.out == golden("others.txt", planned.out)
    data = json.loads(run("aurora-tenants plan --output json").out)
    assert [f"  {it['text']}  [{it['code']}]" for it in data["notices"]] == notices(planned)
    assert run("aurora-tenants apply --yes") == Ended(0, planned.out, "")
    assert cloud.sql("SELECT User, Host FROM mysql.user ORDER BY 1, 2") == before
    silent = HEAD.replace(
        "tenants:", "ignore: {users: [legacy, open, shop_clone, shop, mighty, readers], databases: [stray]}\ntenants:"
    )
    run.file(SHOP, head=silent)
    told = run("aurora-tenants plan")
    assert notices(told) == [
        *(line for line in notices(planned) if line.startswith("  user ''@")),
        "  6 accounts are not reported, because ignore.users names them: legacy, mighty, open, readers, shop@10.%, …;"
        " 1 of them can get into 1 database of 1 tenant: shop  [ignored]",
        "  1 database is not reported, because ignore.databases names it: stray  [ignored]",
    ]


BREACH = (
    "user legacy can get into database shop of tenant shop  [breach]\n"
    "{0}    why: SELECT on `shop`.*; it belongs to no tenant\n"
    "{0}    fix: REVOKE SELECT ON `shop`.* FROM `legacy`@`%`\n"
)


def test_who_is_in_is_a_danger_that_stops_no_plan_and_fails_a_live_validation(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql(f"CREATE USER legacy {PASSWORD}", "GRANT SELECT ON shop.* TO legacy")
    plan = (
        COMPARED + "\nNotices: nothing here is touched\n"
        "  user legacy belongs to nobody and is not in the file  [unmanaged-user]\n"
        "\nDangers\n"
        f"  danger: {BREACH.format('')}"
        f"\n{NO_CHANGES}1 danger: see above.\n"
    )
    assert run("aurora-tenants plan --detailed-exitcode") == Ended(0, plan, "")
    assert run("aurora-tenants apply --yes") == Ended(0, plan, "")
    assert run("aurora-tenants validate --live") == Ended(1, "", f"error: {BREACH.format('')}Nothing was changed.\n")
    assert run("aurora-tenants validate").code == 0


def test_nobody_is_let_in_unasked(run: CommandLine, cloud: Cloud):
    """Rights on a database that is not there yet open it as soon as it is."""
    cloud.sql(f"CREATE USER legacy {PASSWORD}", "GRANT SELECT ON shop.* TO legacy")
    run.file(SHOP)
    opened = (
        "after this apply, user legacy could get into database shop of tenant shop  [opens-database]\n"
        "    why: SELECT on `shop`.*; it belongs to no tenant\n"
        "    fix: REVOKE SELECT ON `shop`.* FROM `legacy`@`%`; or, if that is meant: --allow-access legacy@%\n"
    )
    planned, refused = run("aurora-tenants plan"), run("aurora-tenants apply --yes")
    assert (
        f"\nDangers\n  danger: {opened}\nTenants: 1 to create. 5 statements in MySQL.\n1 danger: see above.\n"
        in planned.out
    )
    assert refused == Ended(1, planned.out, f"error: {opened}Nothing was changed.\n")
    assert cloud.stacks() == {}
    allowed = run("aurora-tenants apply --yes --allow-access legacy@%")
    assert (allowed.code, allowed.err) == (0, "shop: started\n[1/1] shop: created in N s\n")


def test_a_name_cannot_write_to_the_terminal_what_it_likes_and_limits_are_told(run: CommandLine, cloud: Cloud):
    """On the real server: who may make a user or a database may call it nearly anything."""
    run.file(SHOP)
    odd = "a\x1b[2J\u202e\u200b\nNo changes"
    cloud.sql(f"CREATE USER `{odd}` {PASSWORD}", f"CREATE DATABASE `{odd}`", f"GRANT SELECT ON shop.* TO `{odd}`")
    cloud.sql("SET GLOBAL max_user_connections = 0")
    try:
        ended = [
            run(f"aurora-tenants {command}")
            for command in (
                "plan",
                "apply --yes",
                "validate --live",
                "plan --output json",
                "validate --live --output json",
            )
        ]
    finally:
        cloud.sql(*LIMITS)
    printed = "".join(it.out + it.err for it in ended)
    assert [c for c in printed if c != "\n" and not c.isprintable()] == []
    assert "\nNo changes" not in printed
    shown = "a\\x1b[2J\\u202e\\u200b\\nNo changes"
    marked = shown.replace("\\n", "\n    | ")  # a problem may have several lines
    assert f"after this apply, user {marked} could get into database shop of tenant shop" in ended[0].out
    assert f"  database {shown} belongs to nobody and is not in the file  [unmanaged-database]\n" in ended[0].out
    assert "  1 user has no limit of connections (shop): it can take all 100,000 of the server" in ended[0].out
    data = json.loads(ended[3].out)
    assert f"database {odd} belongs to nobody and is not in the file" in [it["text"] for it in data["notices"]]
