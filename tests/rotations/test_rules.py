"""What Secrets Manager takes, in words, and when a user is rotated."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from aurora_tenants.model import Capacity, PauseSchedule, RotateWindow, TenantUser, Window
from aurora_tenants.mysql.options import Options
from aurora_tenants.rotations.asleep import pauses, wakes, windows
from aurora_tenants.rotations.choice import rules_of
from aurora_tenants.rotations.function import Rotation, function_in_words, rotation_in
from aurora_tenants.rotations.rules import NEVER, Rules, read
from aurora_tenants.rotations.utc import UtcHours

MONTHLY = Rules(expression="cron(0 2 ? * SUN#1 *)", hours=3)
SUN = RotateWindow((6,), 120, 300, "UTC")
MON_FRI = (0, 1, 2, 3, 4)
OFFICE = PauseSchedule("Europe/Berlin", (Window(MON_FRI, 420, 1020, Capacity(0.5, 4)),), Capacity(0, 2))
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"


@pytest.mark.parametrize(
    ("rules", "words", "properties"),
    [
        (Rules(30), "every 30 days", {"AutomaticallyAfterDays": 30}),
        (Rules(1), "every day", {"AutomaticallyAfterDays": 1}),
        (
            MONTHLY,
            "on the first SUN of every month, 02:00-05:00 UTC",
            {"ScheduleExpression": "cron(0 2 ? * SUN#1 *)", "Duration": "3h"},
        ),
        (
            Rules(expression="cron(0 8 1,15 * ? *)", hours=2),
            "cron(0 8 1,15 * ? *) for 2 h",
            {"ScheduleExpression": "cron(0 8 1,15 * ? *)", "Duration": "2h"},
        ),
        (Rules(expression="rate(4 hours)"), "rate(4 hours)", {"ScheduleExpression": "rate(4 hours)"}),
    ],
)
def test_rules_are_written_and_read(rules: Rules, words: str, properties: dict[str, object]):
    assert (rules.words(), rules.properties()) == (words, properties)
    assert read(properties) == rules


def test_what_secrets_manager_adds_is_not_read():
    assert (
        read({"AutomaticallyAfterDays": 31, "ScheduleExpression": "cron(0 2 ? * SUN#1 *)", "Duration": "3h"}) == MONTHLY
    )
    assert read({"ScheduleExpression": "rate(30 days)"}) == Rules(30)
    assert read({}) == NEVER


def test_the_first_rotation_comes_in_so_many_days():
    assert [rules.first() for rules in (Rules(30), Rules(1), MONTHLY)] == ["in 30 days", "in a day", "within 35 days"]


@pytest.mark.parametrize(
    ("user", "rules"),
    [
        (TenantUser("shop"), Rules(30)),
        (TenantUser("shop", rotate_after_days=0, rotate_window=SUN), NEVER),
        (TenantUser("shop", rotate_window=SUN), MONTHLY),
        (TenantUser("shop", rotate_window="any"), Rules(30)),
        (TenantUser("shop", rotate_after_days=2, rotate_window=SUN), Rules(2)),  # in no valid file
        (TenantUser("shop", rotate_window=RotateWindow((6,), 135, 180, "UTC")), Rules(30)),  # in none either
    ],
)
def test_a_window_of_its_own_comes_first(user: TenantUser, rules: Rules):
    assert rules_of(user, None) == rules
    if user.rotate_window:
        assert rules_of(user, OFFICE) == rules


def test_with_a_pause_schedule_a_password_is_rotated_while_the_cluster_is_awake():
    assert windows(OFFICE) == (UtcHours(MON_FRI, 6, 9),)
    found = [rules_of(TenantUser(name), OFFICE) for name in "abcdefgh"]
    assert {rules.hours for rules in found} == {9}
    forms = [re.fullmatch(r"cron\(0 6 \? \* (...)#1 \*\)", rules.expression) for rules in found]
    assert all(forms)
    assert len({form[1] for form in forms if form}) > 2  # not everybody at once
    assert not any(wakes(rules, OFFICE) for rules in found)
    assert rules_of(TenantUser("a"), OFFICE) == found[0]


@pytest.mark.parametrize(("every", "is_kept"), [(1, False), (3, True), (7, True), (30, True), (90, True), (365, True)])
def test_as_far_as_the_days_leave_room_for_it(every: int, is_kept: bool):
    rules = rules_of(TenantUser("shop", rotate_after_days=every), OFFICE)
    assert (rules != Rules(every)) == is_kept == (not wakes(rules, OFFICE))


def test_a_password_that_expires_is_rotated_before():
    user = TenantUser("shop", options=Options(expire_after_days=33))
    assert rules_of(user, OFFICE) == Rules(30)
    assert rules_of(replace(user, options=Options(expire_after_days=36)), OFFICE) != Rules(30)


def test_a_cluster_that_never_pauses_is_rotated_at_any_time():
    awake = replace(OFFICE, asleep=Capacity(0.5, 2))
    assert (pauses(awake), rules_of(TenantUser("shop"), awake), wakes(Rules(30), awake)) == (False, Rules(30), False)
    assert not wakes(Rules(30), None)


def test_awake_is_what_keeps_a_cluster_from_pausing():
    idle = replace(OFFICE, awake=(Window(MON_FRI, 420, 1020, Capacity(0, 4)),))
    assert windows(idle) == ()
    assert rules_of(TenantUser("shop"), idle) == Rules(30)
    assert wakes(MONTHLY, idle)


def test_a_window_outside_the_hours_awake_would_wake_the_cluster():
    assert wakes(MONTHLY, OFFICE)
    assert wakes(Rules(30), OFFICE)
    assert wakes(Rules(expression="cron(0 8 1,15 * ? *)", hours=2), OFFICE)  # of no days that are known
    assert not wakes(Rules(expression="cron(0 8 ? * MON#1 *)", hours=2), OFFICE)
    assert wakes(Rules(expression="cron(0 8 * * ? *)", hours=2), OFFICE)
    assert wakes(Rules(expression="cron(0 14 ? * MON#1 *)", hours=2), OFFICE)  # 16:00-18:00 in summer


@pytest.mark.parametrize(
    ("function", "read_as", "words"),
    [
        ({"Fn::ImportValue": "shared-database-secret-rotation-lambda"}, "own", "the shared stack's function"),
        ({"Fn::ImportValue": "shared-hosted-rotation-lambda"}, "hosted", "AWS's hosted function"),
        (FUNCTION, FUNCTION, "function rotation"),
    ],
)
def test_a_template_says_which_function_rotates(function: object, read_as: str, words: str):
    found = rotation_in({"RotationLambdaARN": function, "RotationRules": {"AutomaticallyAfterDays": 7}})
    assert found == Rotation(Rules(7), read_as)
    assert function_in_words(found.function) == words
