"""What a plan says of windows and of the hosted function."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aurora_tenants.model import Capacity, Configuration, PauseSchedule, RotateWindow, TenantUser, Window
from aurora_tenants.tenant.rotation_notices import hosted_problems, hosted_secret, rotation_notices
from aurora_tenants.tenant.secrets import LiveSecret, Secrets
from tests.values import CLUSTER, SHOP

OFFICE = PauseSchedule("Europe/Berlin", (Window((0, 1), 420, 1020, Capacity(0.5, 4)),), Capacity(0, 2))
NIGHT, SHORT = RotateWindow((6,), 120, 300, "UTC"), RotateWindow((6,), 120, 180, "Europe/Berlin")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:shared-hosted-rotation"
SUBNETS = ("subnet-a", "subnet-b", "subnet-c")
OF_HOSTED = LiveSecret("/shared/database/hosted_rotation", "arn", function=FUNCTION, endpoint_subnets=SUBNETS)


def secrets(*found: LiveSecret) -> Secrets:
    return Secrets({each.name: each for each in found}, "", datetime(2026, 11, 28, tzinfo=UTC))


def file(*users: TenantUser, schedule: PauseSchedule | None = None) -> Configuration:
    return Configuration(replace(CLUSTER, pause_schedule=schedule), (replace(SHOP, users=users),))


def told(configuration: Configuration, *found: LiveSecret, region: str = "us-east-1") -> list[tuple[str, str]]:
    return [(it.code, it.text) for it in rotation_notices(configuration, secrets(*found), region, ())]


def test_nothing_is_said_of_what_costs_nothing_and_wakes_nobody():
    users = TenantUser("a"), TenantUser("b", rotate_window=NIGHT), TenantUser("c", rotate_after_days=0)
    assert told(file(*users)) == []
    assert told(file(users[0], users[2], schedule=OFFICE)) == []


def test_rotations_that_would_wake_the_cluster_are_told():
    users = TenantUser("a"), TenantUser("b", rotate_window=NIGHT), TenantUser("c", rotate_after_days=1)
    (notice,) = told(file(*users, TenantUser("d", rotate_window="any"), schedule=OFFICE))
    assert notice == (
        "rotation-wakes",
        "3 users (b, c, d) may be rotated while the cluster is paused, which wakes it for minutes; without"
        " rotate_window a rotation comes while it is awake, if rotate_after_days leaves room for that",
    )
    assert list(rotation_notices(file(*users, schedule=OFFICE), None, "", ("other",))) == []


def test_a_window_that_the_clock_takes_from_its_hours_is_told_once():
    found = told(file(TenantUser("a", rotate_window=SHORT), TenantUser("b", rotate_window=SHORT)))
    assert found == [
        (
            "rotate-window-moves",
            "of 2 users (a, b), the window SUN 02:00-03:00 Europe/Berlin is an hour earlier from November to March:"
            " Secrets Manager's schedules are in UTC, whose clock stays; one that is so much longer is kept to all"
            " the year",
        )
    ]


OWN = (
    "with rotation: own it costs nothing, because the shared stack's function asks the Data API, which needs no"
    " network, and the old password works until the next rotation"
)


@pytest.mark.parametrize(
    ("found", "region", "cost"),
    [
        (
            OF_HOSTED,
            "us-east-1",
            "its endpoint costs $21.90 a month for 3 zones ($0.01 an hour each, as of 2026-11-23)",
        ),
        (
            OF_HOSTED._replace(endpoint_subnets=SUBNETS[:1]),
            "eu-west-1",
            "its endpoint costs $8.03 a month for 1 zone ($0.011 an hour each, as of 2026-11-23)",
        ),
        (OF_HOSTED._replace(endpoint_subnets=()), "us-east-1", "it has no endpoint of its own"),
        (
            OF_HOSTED._replace(endpoint_subnets=None),
            "us-east-1",
            "its endpoint costs $7.30 a month for a zone ($0.01 an hour each, as of 2026-11-23)",
        ),
        (OF_HOSTED, "mars-1", "what its endpoint costs for 3 zones in this region is not known here"),
    ],
)
def test_the_hosted_function_has_its_price(found: LiveSecret, region: str, cost: str):
    (notice,) = told(file(TenantUser("a", rotation="hosted"), TenantUser("b")), found, region=region)
    text = f"AWS's hosted function rotates 1 user (a), and ends an old password at once; {cost}; {OWN}"
    assert notice == ("hosted-rotation", text)


def test_without_a_hosted_function_nobody_can_be_rotated_by_one():
    hosted = file(TenantUser("a", rotation="hosted"), TenantUser("b"))
    assert hosted_secret(hosted, ()) == OF_HOSTED.name
    (problem,) = hosted_problems(hosted, secrets(), ())
    assert (problem.code, problem.what) == (
        "hosted-rotation-missing",
        "1 user (a) has rotation: hosted, and there is no hosted function beside stack shared",
    )
    assert list(hosted_problems(hosted, secrets(OF_HOSTED), ())) == []
    assert list(hosted_problems(hosted, None, ())) == []
    assert list(hosted_problems(hosted, secrets(), ("other",))) == []
    assert hosted_secret(file(TenantUser("b")), ()) == ""
