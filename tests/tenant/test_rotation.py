"""What is known of a rotation: from DescribeSecret, from the function's log, from a login."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aurora_tenants.tenant.rotation import (
    Login,
    SecretState,
    Told,
    is_forced,
    may_run,
    new_version,
    of_stuck,
    put_off,
    state_of,
    told,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:/shared-global/database/shop-AbCdEf"


def state(**answer: Any) -> SecretState:
    return state_of({"Name": "/shared-global/database/shop", "ARN": ARN, **answer}, NOW)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def test_a_version_waits_only_where_it_is_not_the_current_one():
    both = state(VersionIdsToStages={"new": ["AWSCURRENT", "AWSPENDING"], "old": ["AWSPREVIOUS"]})
    assert (both.current, both.pending) == ("new", "")
    waits = state(VersionIdsToStages={"new": ["AWSPENDING"], "old": ["AWSCURRENT"]})
    assert (waits.current, waits.pending) == ("old", "new")
    assert (state().current, state().pending, state().rotates) == ("", "", False)


@pytest.mark.parametrize(
    ("rotated", "until"),
    [(None, None), (ago(minutes=10), None), (ago(minutes=9), NOW + timedelta(minutes=1)), (ago(days=30), None)],
)
def test_a_rotation_is_put_off_for_ten_minutes_after_another(rotated: datetime | None, until: datetime | None):
    assert put_off(state(LastRotatedDate=rotated)) == until


def test_a_rotation_may_run_as_long_as_its_function_may():
    waits = {"VersionIdsToStages": {"new": ["AWSPENDING"], "old": ["AWSCURRENT"]}}
    assert may_run(state(**waits, LastChangedDate=ago(minutes=4))) == NOW + timedelta(minutes=1)
    assert may_run(state(**waits, LastChangedDate=ago(minutes=6))) is None
    assert may_run(state(LastChangedDate=ago(minutes=4))) is None


def test_an_id_says_whether_a_rotation_is_forced():
    for forced in (True, False):
        version = new_version(is_forced=forced)
        assert (is_forced(version), 32 <= len(version) <= 64) == (forced, True)


def line(step: str, rest: str = "", version: str = "v1") -> str:
    return f"{step} of {ARN}, version {version}{rest}"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Told()),
        ([line("createSecret")], Told(("createSecret",))),
        ([line("createSecret"), line("setSecret", version="v2"), "END RequestId: 1"], Told(("createSecret",))),
        (
            [line("createSecret"), line("setSecret"), line("setSecret", " failed: no user: shop")],
            Told(("createSecret", "setSecret"), "no user: shop"),
        ),
        # Secrets Manager has tried again.
        (
            [line("createSecret"), line("createSecret", " failed: x"), line("createSecret"), line("setSecret")],
            Told(("createSecret", "setSecret")),
        ),
        ([line("checkLogin"), line("discardOld", " failed: x")], Told()),
    ],
)
def test_the_functions_log_says_which_steps_have_begun_and_why_the_last_failed(lines: list[str], expected: Told):
    assert told(lines, "v1") == expected


@pytest.mark.parametrize(
    ("current", "pending", "ending"),
    [
        (True, True, "take back"),
        (True, False, "take back"),
        (False, True, "make current"),
        (False, False, "take back"),
        (None, None, "take back"),
        (None, True, "take back"),
        (False, None, "take back"),
    ],
)
def test_a_password_that_works_stays_in_the_secret(current: bool | None, pending: bool | None, ending: str):
    assert of_stuck(Login(current, pending, 0)) == ending
