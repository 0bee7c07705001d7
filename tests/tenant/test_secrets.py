"""What is seen of secrets, what is said of it, and what is deployed first so that it is made again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aurora_tenants.model import Configuration, Privilege, RotateWindow, Tenant, TenantUser
from aurora_tenants.naming import DIGEST, REVISION, logical_id
from aurora_tenants.plan import Plan, make_plan, without_rotations_of_file
from aurora_tenants.revision import FIRST, counted_up
from aurora_tenants.rotations.rules import Rules
from aurora_tenants.stack import Deployed, Stack, Template
from aurora_tenants.tenant.parts import parts_of
from aurora_tenants.tenant.secrets import (
    Heal,
    LiveSecret,
    Login,
    SecretDrift,
    Secrets,
    asks_provider,
    drifted,
    not_tried,
    taken_apart,
)
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, SHOP, SHOP_STACK, live_after, stack_of, tenant

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PREFIX = "arn:aws:lambda:eu-west-1:123456789012:function:"
FUNCTION = f"{PREFIX}shared-rotation"
NAME = "/shared/database/shop"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:/shared/database/shop-AbCdEf"
OUTPUTS = {"SecretShop": ARN}
FINE = LiveSecret(NAME, ARN, rotates=True, function=FUNCTION, days=30, changed=NOW - 9 * DAY, next_rotation=NOW + DAY)
OFF = FINE._replace(rotates=False, next_rotation=None)
UNROTATED = replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=0),))


def secrets(*found: LiveSecret, **logins: Login) -> Secrets:
    by_secret = {f"/shared/database/{user}": login for user, login in logins.items()}
    return Secrets({each.name: each for each in found}, FUNCTION, NOW, by_secret)


def seen(found: Secrets, *, of: Tenant = SHOP) -> list[tuple[str, tuple[Heal, ...]]]:
    drift = drifted(template(CLUSTER, of).resources, OUTPUTS, found)
    assert all((each.user, each.secret) == ("shop", NAME) for each in drift)
    return [(each.what, each.heals) for each in drift]


def test_a_secret_that_is_as_the_template_says_is_no_drift():
    assert seen(secrets(FINE)) == []
    assert seen(secrets(FINE._replace(schedule="rate(30 days)", days=None))) == []
    assert seen(secrets(FINE._replace(next_rotation=NOW - DAY + timedelta(hours=1)))) == []  # within a day of its date
    assert seen(secrets(OFF), of=UNROTATED) == []


def test_a_secret_that_is_not_deployed_yet_is_the_files_doing():
    assert drifted(template(CLUSTER, SHOP).resources, {}, secrets()) == ()


@pytest.mark.parametrize(
    ("live", "what", "heals"),
    [
        (None, "secret: gone → made again, with another ARN and another password", ("remake",)),
        (
            FINE._replace(arn=ARN[:-6] + "ZyXwVu"),
            "secret: another one has its name → that one is deleted, and it is made again with another password",
            ("replace", "remake"),
        ),
        (FINE._replace(is_deleted=True), "secret: waits for its deletion → restored", ("restore",)),
        (OFF, "rotation: off → every 30 days", ("rotation",)),
        (OFF._replace(has_pending=True, changed=NOW), "rotation: off → every 30 days", ("end-rotation", "rotation")),
        (FINE._replace(days=1), "rotation: every day → every 30 days", ("rotation",)),
        (FINE._replace(schedule="cron(0 1 * * ? *)"), "rotation: cron(0 1 * * ? *) → every 30 days", ("rotation",)),
        (FINE._replace(days=None), "rotation: at no time → every 30 days", ("rotation",)),
        (
            FINE._replace(function=f"{PREFIX}theirs", days=7),
            "rotation: every 7 days by theirs → every 30 days by shared-rotation",
            ("rotation",),
        ),
        (FINE._replace(next_rotation=NOW - 2 * DAY), "rotation: due since 2026-11-25 → rotated now", ("rotate",)),
        (
            FINE._replace(next_rotation=NOW - 2 * DAY, has_pending=True, changed=NOW),
            "rotation: due since 2026-11-25, and fails → rotated now",
            ("end-rotation", "rotate"),
        ),
        (
            FINE._replace(next_rotation=None, rotated=NOW - 40 * DAY, changed=NOW - 40 * DAY),
            "rotation: due since 2026-11-17 → rotated now",
            ("rotate",),
        ),
        (
            FINE._replace(has_pending=True, next_rotation=NOW - 9 * DAY),
            "rotation: failed, and stuck since 2026-11-18 → begun again",
            ("end-rotation", "rotate"),
        ),
    ],
)
def test_what_differs_is_said_and_healed(live: LiveSecret | None, what: str, heals: tuple[Heal, ...]):
    assert seen(secrets(*([live] if live else []))) == [(what, heals)]


@pytest.mark.parametrize(
    ("live", "what", "heals"),
    [
        (FINE, "rotation: every 30 days → off", ("cancel",)),
        (
            OFF._replace(has_pending=True),
            "rotation: failed, and stuck since 2026-11-18 → its version is taken back",
            ("end-rotation",),
        ),
    ],
)
def test_a_user_without_a_rotation_has_none(live: LiveSecret, what: str, heals: tuple[Heal, ...]):
    assert seen(secrets(live), of=UNROTATED) == [(what, heals)]


def test_a_version_that_waits_for_less_than_a_day_may_be_a_rotation_under_way():
    assert seen(secrets(FINE._replace(has_pending=True, changed=NOW - DAY / 2))) == []


def test_a_secret_that_waits_for_its_deletion_is_looked_at_as_any_other():
    assert [heals for _, heals in seen(secrets(OFF._replace(is_deleted=True)))] == [("restore",), ("rotation",)]


@pytest.mark.parametrize(
    ("login", "what", "heals"),
    [
        (Login(is_refused=True), "password: MySQL refuses it → set in MySQL again", ("password",)),
        (Login(wrong=("port", "host")), "secret: host and port missing or wrong → written again", ("attachment",)),
        (
            Login(wrong=("username", "host")),
            "secret: username missing or wrong → made again, with another password",
            ("value",),
        ),
    ],
)
def test_what_a_login_showed_is_healed(login: Login, what: str, heals: tuple[Heal, ...]):
    assert seen(secrets(FINE, shop=login)) == [(what, heals)]


def test_a_password_and_an_address_can_both_be_wrong():
    assert [heals for _, heals in seen(secrets(FINE, shop=Login(True, ("host",))))] == [("attachment",), ("password",)]


def test_logins_that_were_not_tried_are_counted_by_their_reason():
    found = secrets(a=Login(), b=Login(why_not="who need this"), c=Login(why_not="who need this"))
    assert not_tried(found) == "1 of 3 logins were tried; a refusal would mean nothing for 2 who need this"
    assert not_tried(secrets(a=Login(is_refused=True))) == ""


# In a plan


def plan(found: Secrets | None, *, of: Tenant = SHOP, file: Tenant = SHOP, status: str = "UPDATE_COMPLETE") -> Plan:
    """of: what is deployed."""
    return make_plan(Configuration(CLUSTER, (file,)), live_after(of), holding(of, status), secrets=found)


def holding(of: Tenant, status: str = "UPDATE_COMPLETE") -> Deployed:
    stack = stack_of(of, status=status)
    return Deployed(None, {of.name: replace(stack, outputs={**stack.outputs, **OUTPUTS})})


def test_a_tenant_of_which_only_a_secret_differs_is_updated_by_drift():
    (found,) = plan(secrets(OFF)).tenants
    assert (found.stack.action, found.stack.origin, found.stack.parameters) == ("update", "drift", {REVISION: FIRST})
    assert found.secrets == (SecretDrift("shop", NAME, "rotation: off → every 30 days", ("rotation",)),)
    assert plan(secrets(FINE)).stacks == plan(None).stacks == ()


@pytest.mark.parametrize("login", [Login(is_refused=True), Login(wrong=("username",))])
def test_what_the_provider_has_to_look_at_counts_up_the_revision(login: Login):
    (found,) = plan(secrets(FINE, shop=login)).tenants
    assert (found.stack.action, found.stack.parameters) == ("update", {REVISION: counted_up("1", ["UserShop"])})


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED", "REVIEW_IN_PROGRESS"])
def test_what_is_made_anew_has_no_drift(status: str):
    assert plan(secrets(), status=status).tenants[0].secrets == ()


def test_another_period_in_the_file_is_told_from_one_that_was_set_by_hand():
    weekly = replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=7),))
    templates: dict[str, Any] = {"shop": template(CLUSTER, SHOP).body}
    left = []
    for live in (FINE, FINE._replace(days=90)):
        made = plan(secrets(live), file=weekly)
        assert made.tenants[0].stack.origin == "file"
        told = without_rotations_of_file(made, templates, holding(SHOP), secrets(live))
        left.append([each.what for each in told.tenants[0].secrets])
    assert left == [[], ["rotation: every 90 days → every 7 days"]]


# What is deployed first


def apart(*heals: Heal) -> Template | None:
    return taken_apart(template(CLUSTER, SHOP), [SecretDrift("shop", NAME, "", heals)])


@pytest.mark.parametrize(
    ("heals", "without"),
    [
        (("rotation",), {"RotationShop"}),
        (("attachment",), {"AttachmentShop"}),
        (("rotation", "attachment"), {"RotationShop", "AttachmentShop"}),
        (("value",), {"AttachmentShop"}),
    ],
)
def test_the_first_template_lacks_what_is_to_be_made_again(heals: tuple[Heal, ...], without: set[str]):
    whole, first = template(CLUSTER, SHOP), apart(*heals)
    assert first is not None
    assert whole.resources.keys() - first.resources.keys() == without
    assert not [name for each in first.resources.values() for name in each.get("DependsOn", ()) if name in without]
    assert first.body["Outputs"][DIGEST]["Value"] == first.digest != whole.digest
    assert first.body["Outputs"].keys() == whole.body["Outputs"].keys()


def test_another_value_is_generated_where_the_rules_for_it_are_others():
    first = apart("value")
    assert first is not None
    rules = [each.resources["SecretShop"]["Properties"] for each in (first, template(CLUSTER, SHOP))]
    assert [each.pop("GenerateSecretString")["PasswordLength"] for each in rules] == [33, 32]
    assert rules[0] == rules[1]
    others = {name: it for name, it in first.resources.items() if name != "SecretShop"}
    whole = template(CLUSTER, SHOP).resources
    assert {name: it["Properties"] for name, it in others.items()} == {
        name: whole[name]["Properties"] for name in others
    }


@pytest.mark.parametrize("heal", ["restore", "remake", "rotate", "end-rotation", "cancel", "password", "replace"])
def test_nothing_is_deployed_first_for_what_needs_it_not(heal: Heal):
    assert apart(heal) is None


def test_a_stack_that_was_left_taken_apart_is_compared_with_mysql_once_more():
    first = apart("value")
    assert first is not None
    assert asks_provider(template(CLUSTER, SHOP).resources, (), {DIGEST: first.digest}) == ["UserShop"]
    stack = Stack(SHOP_STACK, "UPDATE_COMPLETE", parameters={REVISION: "4"}, outputs={**OUTPUTS, DIGEST: first.digest})
    configuration = Configuration(CLUSTER, (SHOP,))
    made = make_plan(configuration, live_after(SHOP), Deployed(None, {"shop": stack}), secrets=secrets(FINE))
    assert (made.tenants[0].stack.action, made.tenants[0].stack.parameters) == (
        "update",
        {REVISION: counted_up("4", ["UserShop"])},
    )


def test_the_parts_of_a_user_are_found_in_any_template():
    it = replace(tenant("my-shop"), users=(TenantUser("a_b", (Privilege(("ALL",), "my-shop"),)), SHOP.users[0]))
    found = {parts.username: parts for parts in parts_of(template(CLUSTER, it).resources)}
    assert found.keys() == {"a_b", "shop"}
    assert [*found["a_b"]] == [
        logical_id("Secret", "a_b"),
        "/shared/database/a_b",
        "a_b",
        *(logical_id(kind, "a_b") for kind in ("Attachment", "User", "Rotation")),
        Rules(30),
        "own",
    ]
    by_iam = replace(it, users=(replace(it.users[0], auth="iam"),))
    assert [*parts_of(template(CLUSTER, by_iam).resources)] == []


def test_a_renamed_user_is_called_as_it_is_called_now():
    renamed = replace(SHOP, users=(replace(SHOP.users[0], name="new", renamed_from="shop"),))
    made = template(CLUSTER, renamed, renamed={"new": "shop"})
    (drift,) = drifted(made.resources, OUTPUTS, secrets())
    assert (drift.user, drift.secret) == ("new", NAME)
    assert json.loads(made.resources["SecretShop"]["Properties"]["GenerateSecretString"]["SecretStringTemplate"]) == {
        "username": "shop"
    }


# Windows and functions of others

SUNDAYS = replace(SHOP, users=(replace(SHOP.users[0], rotate_window=RotateWindow((6,), 120, 300, "UTC")),))
IN_WINDOW = FINE._replace(days=30, schedule="cron(0 2 ? * SUN#1 *)", duration="3h")
_SUNDAYS_WORDS = "on the first SUN of every month, 02:00-05:00 UTC"


@pytest.mark.parametrize(
    ("live", "what"),
    [
        (FINE, f"rotation: every 30 days → {_SUNDAYS_WORDS}"),
        (IN_WINDOW._replace(duration="2h"), f"rotation: {_SUNDAYS_WORDS[:-9]}04:00 UTC → {_SUNDAYS_WORDS}"),
        (IN_WINDOW._replace(schedule="rate(4 hours)"), f"rotation: rate(4 hours) for 3 h → {_SUNDAYS_WORDS}"),
    ],
)
def test_another_window_is_told_and_healed(live: LiveSecret, what: str):
    assert seen(secrets(live), of=SUNDAYS) == [(what, ("rotation",))]


def test_a_window_that_is_as_the_template_says_is_no_drift():
    assert seen(secrets(IN_WINDOW), of=SUNDAYS) == []


HOSTED_ARN = f"{PREFIX}shared-hosted-rotation"
OF_HOSTED = LiveSecret("/shared/database/hosted_rotation", ARN, rotates=True, function=HOSTED_ARN)


@pytest.mark.parametrize(("rotation", "function"), [("hosted", HOSTED_ARN), (f"{PREFIX}theirs", f"{PREFIX}theirs")])
def test_what_rotates_a_secret_is_what_the_file_names(rotation: str, function: str):
    of = replace(SHOP, users=(replace(SHOP.users[0], rotation=rotation),))
    name = function.rpartition(":")[2]
    assert seen(secrets(FINE._replace(function=function), OF_HOSTED), of=of) == []
    told = f"rotation: every 30 days by shared-rotation → every 30 days by {name}"
    assert seen(secrets(FINE, OF_HOSTED), of=of) == [(told, ("rotation",))]


def test_a_hosted_function_that_is_not_there_is_compared_with_nothing():
    of = replace(SHOP, users=(replace(SHOP.users[0], rotation="hosted"),))
    assert seen(secrets(FINE), of=of) == seen(secrets(FINE, OF_HOSTED._replace(is_deleted=True)), of=of) == []
