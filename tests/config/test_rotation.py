"""When and by what passwords are rotated, as the file says it: the nearest counts; what cannot be done is refused."""

from __future__ import annotations

import pytest

from aurora_tenants import config
from aurora_tenants.errors import InvalidFile, Problem
from aurora_tenants.model import RotateWindow, TenantUser

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"
SCHEDULE = (
    ", pause_schedule: {timezone: Europe/Berlin, asleep: {min_acu: 0, max_acu: 2}, "
    "awake: {days: MON, from: '07:00', to: '17:00', min_acu: 1, max_acu: 4}}"
)


def text(users: str, *, defaults: str = "", tenant: str = "", cluster: str = "") -> str:
    return (
        f"version: 1\ncluster: {{stack: shared{cluster}}}\ndefaults: {{{defaults}}}\ntenants:\n"
        f"  shop: {{{tenant}stages: [dev], users: {{{users}}}}}\n"
    )


def users(users: str, **others: str) -> dict[str, TenantUser]:
    (tenant,) = config.parse(text(users, **others), "f").tenants
    return {user.name: user for user in tenant.users}


def problems(users: str, **others: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidFile) as refused:
        config.parse(text(users, **others).replace("»", ""), "f")
    return refused.value.problems


@pytest.mark.parametrize(
    ("written", "window"),
    [
        ("SUN 02:00-05:00", RotateWindow((6,), 120, 300, "UTC")),
        ("mon,thu 22:30-02:00", RotateWindow((0, 3), 1350, 120, "UTC")),
        ("MON-FRI 00:00-24:00 America/New_York", RotateWindow((0, 1, 2, 3, 4), 0, 1440, "America/New_York")),
        ("any", "any"),
        ("Any", "any"),
    ],
)
def test_a_window_is_read(written: str, window: object):
    assert users(f'a: {{rotate_window: "{written}"}}')["a"].rotate_window == window


def test_a_window_without_a_zone_is_by_the_pause_schedules_clock():
    found = users('a: {rotate_window: "SUN 02:00-05:00"}, b: {rotate_window: "SUN 02:00-05:00 UTC"}', cluster=SCHEDULE)
    assert [it.rotate_window for it in found.values()] == [
        RotateWindow((6,), 120, 300, zone) for zone in ("Europe/Berlin", "UTC")
    ]


def test_the_nearest_window_counts():
    of_defaults, of_tenant, of_user = (RotateWindow((day,), 120, 300, "UTC") for day in (6, 5, 4))
    of_all = {"defaults": 'rotate_window: "SUN 02:00-05:00"'}
    assert users("a: {}", **of_all)["a"].rotate_window == of_defaults
    of_all["tenant"] = 'rotate_window: "SAT 02:00-05:00", '
    found = users('a: {}, b: {rotate_window: "FRI 02:00-05:00"}, c: {rotate_window: any}, d: {auth: iam}', **of_all)
    assert [it.rotate_window for it in found.values()] == [of_tenant, of_user, "any", None]


def test_the_nearest_function_counts():
    found = users(f"a: {{}}, b: {{rotation: own}}, c: {{rotation_lambda: '{ARN}'}}", defaults="rotation: hosted")
    assert [it.rotation for it in found.values()] == ["hosted", "own", ARN]
    found = users("a: {}, b: {rotation: hosted}, c: {auth: iam}", defaults=f"rotation_lambda: '{ARN}'")
    assert [it.rotation for it in found.values()] == [ARN, "hosted", "own"]


@pytest.mark.parametrize(
    ("body", "code", "what"),
    [
        ('rotate_window: »"SUN"', "invalid-window", "SUN is not a window"),
        ('rotate_window: »"SUN 2-5"', "invalid-time", "2 is not a time"),
        ('rotate_window: »"SUNDAY 02:00-05:00"', "invalid-days", "SUNDAY is not a day"),
        ('rotate_window: »"SUN,SUN 02:00-05:00"', "duplicate-day", "SUN appears twice in SUN,SUN"),
        ('rotate_window: »"SUN 24:00-02:00"', "invalid-time", "a window begins at 24:00"),
        ('rotate_window: »"SUN 02:00-02:00"', "empty-window", "the window SUN 02:00-02:00 is empty"),
        ('rotate_window: »"SUN 02:00-05:00 Berlin"', "unknown-time-zone", "there is no time zone Berlin"),
        ('rotate_window: »""', "empty-value", "rotate_window is empty"),
        ("rotate_window: »5", "wrong-type", "rotate_window is the number 5"),
        (
            'rotate_window: »"SUN 02:15-03:00"',
            "no-full-hour",
            "no full hour of UTC is in the window SUN 02:15-03:00 UTC",
        ),
        (
            'rotate_after_days: 3, rotate_window: »"SUN 02:00-05:00"',
            "windows-too-far-apart",
            "a password is to be rotated after 3 days, and windows are up to 7 days apart",
        ),
        (
            'rotate_after_days: 0, rotate_window: »"SUN 02:00-05:00"',
            "never-rotated",
            "rotate_window is set for a user whose password is never rotated",
        ),
        (
            "rotate_after_days: 0, rotation: »hosted",
            "never-rotated",
            "rotation is set for a user whose password is never rotated",
        ),
        (
            'password_expire_after_days: »34, rotate_window: "SUN 02:00-05:00"',
            "expires-before-rotation",
            "the password expires after 34 days, before it is rotated",
        ),
        ("rotation: »hostd", "wrong-value", "rotation is hostd"),
        ("rotation_lambda: »rotation", "invalid-arn", "rotation_lambda rotation is not the ARN of a function"),
        (
            f'rotation: hosted, rotation_lambda: »"{ARN}"',
            "two-functions",
            "both rotation and rotation_lambda are set",
        ),
        ("rotation: hosted, host: »[10.1.%, 10.2.%]", "not-with-hosted", "2 hosts for a user with rotation: hosted"),
        (
            "rotation: hosted, require: »X509",
            "not-with-hosted",
            "a certificate is required of a user with rotation: hosted",
        ),
        ("rotation: hosted, locked: »true", "not-with-hosted", "locked is set for a user with rotation: hosted"),
        (
            "rotation: hosted, password_require_current: »true",
            "not-with-hosted",
            "password_require_current is set for a user with rotation: hosted",
        ),
        (
            'auth: iam, rotate_window: »"SUN 02:00-05:00"',
            "not-with-iam",
            "rotate_window is set for a user without a password",
        ),
        ("auth: iam, rotation: »hosted", "not-with-iam", "rotation is set for a user without a password"),
        (
            f'auth: iam, rotation_lambda: »"{ARN}"',
            "not-with-iam",
            "rotation_lambda is set for a user without a password",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_at_its_place(body: str, code: str, what: str):
    place = text(f"a: {{{body}}}").splitlines()[4].index("»") + 1
    (problem,) = problems(f"a: {{{body}}}")
    assert (problem.code, problem.what) == (code, what)
    assert problem.where is not None
    assert (problem.where.line, problem.where.column) == (5, place)
    assert problem.context == "tenant shop-dev, user a" or code in ("empty-value", "wrong-type", "wrong-value")


@pytest.mark.parametrize(
    ("others", "place", "code"),
    [
        ({"defaults": 'rotate_window: "SUN"'}, (3, 27), "invalid-window"),
        ({"defaults": 'rotate_after_days: 3, rotate_window: "SUN 02:00-05:00"'}, (3, 49), "windows-too-far-apart"),
        ({"tenant": 'rotate_window: "SUN", '}, (5, 25), "invalid-window"),
        (
            {"tenant": 'rotate_window: "SUN 02:00-05:00", ', "defaults": "rotate_after_days: 3"},
            (5, 25),
            "windows-too-far-apart",
        ),
        ({"defaults": "rotation_lambda: x"}, (3, 29), "invalid-arn"),
        (
            {"defaults": f"rotation_lambda: '{ARN}'", "cluster": ", region: eu-west-2"},
            (3, 29),
            "function-in-other-region",
        ),
        (
            {"defaults": f"rotation_lambda: '{ARN}'", "cluster": ', account: "000000000000"'},
            (3, 29),
            "function-in-other-account",
        ),
        ({"defaults": "rotation: hosted", "tenant": ""}, None, ""),
    ],
)
def test_so_is_what_the_defaults_or_a_tenant_say(others: dict[str, str], place: tuple[int, int] | None, code: str):
    if place is None:
        assert users("a: {}", **others)["a"].rotation == "hosted"
        return
    (problem,) = problems("a: {}", **others)
    assert problem.where is not None
    assert (problem.code, problem.where.line, problem.where.column) == (code, *place)


def test_a_hosted_function_of_the_defaults_is_refused_at_the_user_it_cannot_rotate():
    (problem,) = problems("a: {host: [10.1.%, 10.2.%]}, b: {}", defaults="rotation: hosted")
    assert (problem.code, problem.context) == ("not-with-hosted", "tenant shop-dev, user a")
