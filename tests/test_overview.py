"""What `status` shows, made of plain values: words, sums, troubles of secrets, the bill; as text and for programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aurora_tenants.errors import Problem
from aurora_tenants.model import Capacity, Configuration, Tenant
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.sessions import Counted, Sessions
from aurora_tenants.mysql.state import Contents, Live
from aurora_tenants.naming import secret_name
from aurora_tenants.overview import overview
from aurora_tenants.overview.found import Found
from aurora_tenants.overview.values import Overview, word_of
from aurora_tenants.plan import make_plan
from aurora_tenants.render.overview import overview_text
from aurora_tenants.render.overview_json import overview_data
from aurora_tenants.schedule.cost import known_price
from aurora_tenants.schedule.plan import LiveCluster
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.status import STATES
from aurora_tenants.tenant.secrets import LiveSecret, Secrets
from tests.render.schemas import Schema
from tests.values import CLUSTER, SHOP, live_after, stack_of, tenant, without_user

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
BILLING = tenant("billing")
SCHEMA = Schema("status.schema.json")
SHARED = Shared(
    "shared",
    "arn:aws:rds:eu-west-1:123456789012:cluster:orders",
    "inspector",
    4,
    status="UPDATE_COMPLETE",
    rotation_function="rotate",
)


def secret_of(name: str, **changed: Any) -> LiveSecret:
    """A user's secret that is rotated every 30 days, and will be in 12 days."""
    full = secret_name(CLUSTER, name)
    usual = LiveSecret(
        full,
        f"arn:secret:{full}",
        rotates=True,
        function="rotate",
        days=30,
        rotated=NOW - timedelta(days=18),
        changed=NOW - timedelta(days=18),
        next_rotation=NOW + timedelta(days=12),
        accessed=NOW - timedelta(days=1),
    )
    return usual._replace(**changed)


def deployed(*tenants: Tenant, **statuses: str) -> Deployed:
    stacks = {}
    for it in tenants:
        stack = stack_of(it, status=statuses.get(it.name, "CREATE_COMPLETE"))
        arns = {f"Secret{user.name.capitalize()}": secret_of(user.name).arn for user in it.users}
        stacks[it.name] = replace(stack, outputs={**stack.outputs, **arns})
    return Deployed(SHARED, stacks)


def found(
    *tenants: Tenant,
    there: Deployed | None = None,
    live: Live | None = None,
    secrets: dict[str, LiveSecret] | None = None,
    sessions: Sessions | None = None,
    **changed: Any,
) -> Found:
    """Everything was read; live: None for a cluster that was paused."""
    there = deployed(*tenants) if there is None else there
    names = [user.name for it in tenants for user in it.users]
    by_name = {secret_name(CLUSTER, name): secret_of(name) for name in names} if secrets is None else secrets
    listed = Secrets({it.name: it for it in by_name.values()}, "rotate", NOW)
    configuration = Configuration(CLUSTER, tenants)
    plan = make_plan(configuration, live, there, secrets=listed) if live else None
    cluster = LiveCluster("8.0.mysql_aurora.3.10.6", Capacity(0, 4), False, NOW)
    usual = Found(
        "123456789012",
        "us-east-1",
        configuration,
        SHARED,
        4,
        there,
        listed,
        cluster,
        0.5 if live else 0.0,
        price=known_price("us-east-1"),
        live=live,
        sessions=sessions if sessions or not live else Sessions(9, 3600, True, {"shop": Counted(3, 12)}),
        plan=plan,
        mysql_at=NOW if live else None,
        not_read="" if live else "the cluster is paused",
    )
    return replace(usual, **changed)


def measured(live: Live, **contents: Contents) -> Live:
    return live._replace(state=replace(live.state, contents=contents))


def of(shown: Overview) -> dict[str, tuple[str, str]]:
    """How the stack and the difference of each tenant are called."""
    return {tenant.name: (tenant.word, tenant.difference) for tenant in shown.tenants}


def test_a_tenant_as_it_should_be():
    live = measured(live_after(SHOP), shop=Contents(31, 12_400, 220_200_960))
    (shop,) = overview(found(SHOP, live=live)).tenants
    assert (shop.word, shop.difference, shop.statements) == ("ok", "in sync", 0)
    assert (shop.tables, shop.bytes, shop.connections, shop.monthly) == (31, 220_200_960, 3, Decimal("0.40"))
    (user,) = shop.users
    assert (user.is_there, user.connections, user.logins) == (True, 3, 12)
    assert user.secret and (user.secret.trouble, user.secret.period) == ("", "every 30 days")


def test_the_word_of_each_difference_is_the_plans():
    live = without_user(live_after(SHOP, BILLING), "billing")
    there = deployed(SHOP, BILLING, tenant("gone"), tenant("busy"), busy="UPDATE_IN_PROGRESS")
    changed = replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=7),))
    shown = overview(found(changed, BILLING, tenant("busy"), tenant("new"), live=live, there=there))
    assert of(shown) == {
        "shop": ("ok", "changes"),
        "billing": ("ok", "drift"),
        "busy": ("busy", "busy"),
        "new": ("none", "not deployed"),
        "gone": ("ok", "to remove"),
    }


def test_of_a_paused_cluster_only_what_aws_knows_is_told():
    (shop, new) = overview(found(SHOP, tenant("new"), there=deployed(SHOP))).tenants
    assert (shop.difference, shop.tables, shop.connections, shop.statements) == ("unknown", None, None, None)
    assert (shop.users[0].is_there, shop.users[0].secret is not None, shop.monthly) == (None, True, Decimal("0.40"))
    assert (new.difference, new.monthly) == ("not deployed", 0)


@pytest.mark.parametrize(
    ("changed", "trouble"),
    [
        ({}, ""),
        ({"is_deleted": True}, "deleted"),
        ({"rotates": False}, "off"),
        ({"has_pending": True, "changed": NOW - timedelta(hours=25)}, "stuck"),
        ({"has_pending": True, "changed": NOW - timedelta(hours=23)}, ""),
        ({"next_rotation": NOW - timedelta(hours=25)}, "overdue"),
        ({"next_rotation": NOW - timedelta(hours=23)}, ""),
    ],
)
def test_what_is_wrong_with_a_secret(changed: dict[str, Any], trouble: str):
    secrets = {"shop": secret_of("shop", **changed)}
    (shop,) = overview(found(SHOP, live=live_after(SHOP), secrets=secrets)).tenants
    assert shop.rotation and shop.rotation.trouble == trouble
    assert shop.monthly == (0 if trouble == "deleted" else Decimal("0.40"))
    # What a plan heals is what is in trouble here.
    assert (shop.difference == "drift") == bool(trouble)


def test_a_secret_that_is_not_there_costs_nothing():
    (shop,) = overview(found(SHOP, live=live_after(SHOP), secrets={})).tenants
    assert (shop.rotation and shop.rotation.trouble, shop.monthly) == ("gone", 0)


def test_a_user_that_was_renamed_has_the_secret_of_its_first_name():
    there = deployed(SHOP)
    stack = there.tenants["shop"]
    there.tenants["shop"] = replace(stack, outputs={**stack.outputs, "RenamedUsers": "store=shop"})  # type: ignore[index]
    renamed = replace(SHOP, users=(replace(SHOP.users[0], name="store", renamed_from="shop"),))
    (shop,) = overview(found(renamed, there=there, secrets={"shop": secret_of("shop")})).tenants
    assert [(user.name, user.secret and user.secret.name) for user in shop.users] == [
        ("store", secret_name(CLUSTER, "shop"))
    ]


def test_what_nobody_counts_is_not_known():
    def user(**sessions: Any) -> tuple[int | None, int | None]:
        asked = found(SHOP, live=live_after(SHOP), sessions=Sessions(9, 60, **sessions))
        (one,) = overview(asked).tenants[0].users
        return one.connections, one.logins

    assert user(counts_logins=True, by_user={}) == (0, 0)
    assert user(counts_logins=False, by_user={"shop": Counted(2, 0)}) == (2, None)
    assert user(counts_logins=True, by_user=None) == (None, None)


def test_users_and_databases_that_a_stack_owns_besides_are_its_own():
    """Those that are still there of a tenant that has left the file."""
    there = deployed(SHOP, BILLING)
    state = live_after(SHOP, BILLING).state
    owned = {
        Account(name): user._replace(owner=user.owner._replace(stack=f"shared-{name}", stack_id=""))
        for (name, _), user in state.users.items()
        if user.owner
    }
    live = live_after(SHOP, BILLING)._replace(state=replace(state, users=owned))
    shown = overview(found(SHOP, there=there, live=live), only=("billing",))
    assert [(it.name, [user.name for user in it.users]) for it in shown.tenants] == [("billing", ["billing"])]


def test_the_bill_has_the_secrets_share():
    bill = overview(found(SHOP, BILLING)).bill
    assert (bill.secrets, bill.secrets_amount, bill.capacity) == (3, Decimal("1.20"), 0)  # its minimum is 0
    awake = LiveCluster("8.0", Capacity(0.5, 4), False, NOW)
    bill = overview(found(SHOP, BILLING, cluster=awake)).bill
    assert (bill.capacity, bill.together, round(bill.share or 0, 3)) == (
        Decimal("43.80"),
        Decimal("45.00"),
        Decimal("0.027"),
    )
    assert overview(found(SHOP, price=None)).bill.together is None


@pytest.mark.parametrize("status", ["", *STATES])
def test_every_status_has_a_word(status: str):
    assert word_of(status) in ("ok", "busy", "failed", "none")
    assert (word_of(status) == "failed") == ("FAILED" in status or status == "ROLLBACK_COMPLETE")


# As text


def many() -> Found:
    """All that a table has to show at once."""
    there = deployed(SHOP, BILLING, tenant("gone"), tenant("broken"), broken="ROLLBACK_FAILED")
    live = measured(live_after(SHOP, BILLING), shop=Contents(31, 12_400, 220_200_960), billing=Contents(0, 0, 0))
    secrets = {"shop": secret_of("shop"), "billing": secret_of("billing", rotates=False)}
    named = tenant("a-very-long-name-of-a-tenant-that-nobody-can-remember-prod")
    return found(SHOP, BILLING, tenant("broken"), named, there=there, live=live, secrets=secrets)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_every_line_fits(width: int):
    for asked in (many(), found(SHOP, BILLING), found(*(tenant(f"t{number}") for number in range(40)))):
        text = str(overview_text(overview(asked), width=width))
        assert max(map(len, text.split("\n"))) <= width, text


def test_the_table_of_80_columns_says_all_there_is_in_brief():
    text = str(overview_text(overview(many()), width=80))
    rows = [line.split() for line in text.split("\n") if line[:6] in ("TENANT", "shop  ", "billin")]
    assert rows == [
        ["TENANT", "STATE", "DBS", "TABLES", "SIZE", "USERS", "CONNS", "ROTATES", "MONTH"],
        ["shop", "in", "sync", "1", "31", "220", "MB", "1", "3", "in", "12", "d", "$0.40"],
        ["billing", "drift", "1", "0", "0", "B", "1", "0", "off!", "$0.40"],
    ]
    assert "…" in text and "-prod" in text
    assert "STACK" in str(overview_text(overview(many()), width=140))


def test_one_tenant_is_told_in_full():
    live = measured(live_after(SHOP), shop=Contents(31, 12_400, 220_200_960))
    text = str(overview_text(overview(found(SHOP, live=live), only=("shop",)), width=80))
    assert text.split("\n\n")[1].split("\n") == [
        "Tenant shop: in sync",
        "  stack        shared-shop: CREATE_COMPLETE",
        "  databases    shop: 31 tables, about 12,400 rows, 220 MB",
        "  users        shop: 3 connections now; 12 logins since 2026-11-28 09:00 UTC",
        "                 secret /shared/database/shop, last read 2026-11-27",
        "                 rotated 2026-11-10, next 2026-12-10 (in 12 d), every 30 days",
        "  a month      $0.40 for 1 secret",
    ]


def test_a_paused_cluster_is_said_to_be_left_alone():
    text = str(overview_text(overview(found(SHOP)), width=200))
    assert "paused; scales" in text
    assert (
        "MySQL was not read: the cluster is paused. Sizes, connections, logins and drift are not known; --wake asks it"
        " all the same." in text
    )


def test_names_cannot_harm_a_terminal():
    text = str(overview_text(overview(found(tenant("shop\x1b[2J"))), width=80))
    assert "\x1b" not in text


# For programs


def test_it_is_a_schema_that_describes_all_there_is_and_leaves_room_for_more():
    SCHEMA.require_described()


def test_what_is_printed_keeps_to_it():
    problems = (Problem("a", "b"),)
    for asked in (many(), found(SHOP), found(SHOP, live=live_after(SHOP)), found(SHOP, problems=problems, price=None)):
        SCHEMA.check(overview_data(overview(asked)))
