"""Users that leave the file as their on_remove says, and what adopted ones have of before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aurora_tenants.model import Configuration, Tenant, TenantUser, UserOnRemove
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Live, User
from aurora_tenants.naming import DIGEST, ON_REMOVE_USERS
from aurora_tenants.plan import Plan, make_plan
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.secrets import LiveSecret, Secrets
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, OF_USER, SHOP, bare, deployed, live_after, live_with, planned, stack_of, tenant

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SECRET = "/shared/database/shop"
SHOP_ACCOUNT = Account("shop")


def shop(on_remove: UserOnRemove | None, *hosts: str) -> Tenant:
    return Tenant("shop", (), (TenantUser("shop", on_remove=on_remove, hosts=hosts or ("%",)),))


def removed(it: Tenant, live: Live) -> Plan:
    """The plan of a file without this tenant, whose stack has the outputs of its template."""
    made = template(CLUSTER, it).body["Outputs"]
    outputs = {name: made[name]["Value"] for name in (DIGEST, ON_REMOVE_USERS) if name in made}
    return planned(live=live, deployed=Deployed(None, {"shop": replace(stack_of(it), outputs=outputs)}))


def adopted(live: Live) -> Live:
    users = {
        account: user._replace(owner=user.owner._replace(adopted=True)) if user.owner else user
        for account, user in live.state.users.items()
    }
    return live._replace(state=replace(live.state, users=users))


def statements(plan: Plan) -> list[str]:
    return [change.statement for change in plan.tenants[0].changes]


def told(plan: Plan, code: str) -> list[str]:
    return [notice.text for notice in plan.notices if notice.code == code]


# What becomes of a user

RELEASED = f"{OF_USER}'{SECRET}', 0, 1, '')"
DROPPED = ["DROP USER IF EXISTS `shop`@`%`", "DELETE FROM aurora_tenants.`users` WHERE name = 'shop@%'"]


@pytest.mark.parametrize(
    ("on_remove", "expected"),
    [
        (None, DROPPED),
        ("drop", DROPPED),
        ("lock", ["ALTER USER IF EXISTS `shop`@`%` ACCOUNT LOCK", RELEASED]),
        ("keep", [RELEASED]),
    ],
)
def test_a_user_that_leaves_the_file_goes_as_it_says(on_remove: UserOnRemove | None, expected: list[str]):
    it = shop(on_remove)
    assert statements(removed(it, live_after(it))) == expected


@pytest.mark.parametrize(("on_remove", "locks"), [(None, False), ("drop", False), ("lock", True), ("keep", False)])
def test_one_that_was_adopted_is_never_dropped(on_remove: UserOnRemove | None, locks: bool):
    it = shop(on_remove)
    released = f"{OF_USER}'{SECRET}', 1, 1, '')"
    lock = ["ALTER USER IF EXISTS `shop`@`%` ACCOUNT LOCK"] if locks else []
    assert statements(removed(it, adopted(live_after(it)))) == [*lock, released]


def test_every_account_of_a_user_is_locked():
    it = shop("lock", "10.0.0.1", "10.0.0.2")
    plan = removed(it, live_after(it))
    assert [text for text in statements(plan) if "LOCK" in text] == [
        "ALTER USER IF EXISTS `shop`@`10.0.0.1` ACCOUNT LOCK",
        "ALTER USER IF EXISTS `shop`@`10.0.0.2` ACCOUNT LOCK",
    ]


def test_a_host_that_a_user_gives_up_is_dropped_whatever_becomes_of_the_user():
    before, after = shop("keep", "10.0.0.1", "10.0.0.2"), shop("keep", "10.0.0.1")
    (plan,) = planned(after, live=live_after(before), deployed=deployed(before)).tenants
    assert [change.statement for change in bare(plan) if change.action == "drop"] == [
        "DROP USER IF EXISTS `shop`@`10.0.0.2`"
    ]


# What it keeps


def test_a_user_that_is_kept_is_told_with_its_rights_on_the_databases_of_others():
    billing, it = tenant("billing"), shop(None)
    live = adopted(live_after(billing, it))
    scopes = (Scope("DATABASE", "billing"), Scope("TABLE", "old", "t"))
    grants = frozenset(Grant(SHOP_ACCOUNT, scope, "SELECT") for scope in scopes)
    live = live._replace(state=replace(live.state, grants=live.state.grants | grants))
    assert told(removed(it, live), "kept-access") == [
        "user shop leaves the file and is kept, with the password that it has and its rights on database billing of "
        "tenant billing, database old of nobody; to lock it, put it back into the file with on_remove: lock, apply, "
        "and take it out again"
    ]


def test_rights_by_a_role_that_stays_count():
    it, reader = shop("keep"), Account("reader")
    live = live_after(it, tenant("billing"))
    grants = frozenset(
        (
            Grant(SHOP_ACCOUNT, Scope("ROLE", "%", "reader"), "MEMBER"),
            Grant(reader, Scope("DATABASE", "billing"), "SELECT"),
            Grant(reader, Scope("ROLE", "%", "reader"), "MEMBER"),
        )
    )
    users = live.state.users | {reader: User(reader, is_role=True)}
    live = live._replace(state=replace(live.state, users=users, grants=live.state.grants | grants))
    (text,) = told(removed(it, live), "kept-access")
    assert "its rights on database billing of tenant billing;" in text


@pytest.mark.parametrize("on_remove", [None, "drop", "lock"])
def test_nothing_is_told_of_one_that_is_dropped_or_locked(on_remove: UserOnRemove | None):
    it = shop(on_remove)
    assert told(removed(it, live_after(it)), "kept-access") == []


def test_a_user_without_rights_keeps_its_password():
    it = shop("keep")
    (text,) = told(removed(it, live_after(it)), "kept-access")
    assert "with the password that it has and no rights;" in text


# How long its old password works


@pytest.mark.parametrize(
    ("days", "until"),
    [(30, "in 30 days"), (1, "in a day"), (0, "which rotate_after_days: 0 never begins")],
)
def test_adopting_a_user_says_how_long_its_old_password_works(days: int, until: str):
    it = Tenant("shop", (), (TenantUser("shop", adopt=True, rotate_after_days=days),))
    (plan,) = planned(it, live=live_with(users=(User(SHOP_ACCOUNT),))).tenants
    (why,) = (change.why for change in plan.changes if "RETAIN CURRENT PASSWORD" in change.statement)
    assert why == (
        "only if it does not have this password already; the one it has now keeps working until the first rotation, "
        f"{until}"
    )


def notices_of(live: Live, **secret: object) -> list[str]:
    facts: Mapping[str, object] = {"rotates": True, "days": 30, "function": "f", **secret}
    known = LiveSecret(SECRET, "arn", **facts)  # type: ignore[arg-type]
    secrets = Secrets({SECRET: known}, "f", NOW)
    plan = make_plan(Configuration(CLUSTER, (SHOP,)), live, deployed(SHOP), secrets=secrets)
    return told(plan, "old-password")


def test_until_the_first_rotation_a_plan_counts_the_days():
    text = "user shop was adopted, and the password that it had before works until the first rotation, "
    for left, said in ((timedelta(days=12, hours=-1), "in 12 days"), (timedelta(hours=5), "in a day")):
        assert notices_of(adopted(live_after(SHOP)), next_rotation=NOW + left) == [text + said]
    assert notices_of(adopted(live_after(SHOP)), next_rotation=NOW - timedelta(hours=1)) == [f"{text}today"]


def test_nothing_is_counted_once_it_was_rotated_or_for_one_that_was_not_adopted():
    later = NOW + timedelta(days=3)
    assert notices_of(adopted(live_after(SHOP)), next_rotation=later, rotated=NOW) == []
    assert notices_of(live_after(SHOP), next_rotation=later) == []
    assert notices_of(adopted(live_after(SHOP)), next_rotation=later, rotates=False) == []
