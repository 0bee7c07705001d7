"""What `rotate` asks and says where no sandbox shows it easily: a paused cluster, another function, no proof."""

from __future__ import annotations

from datetime import UTC, datetime

from aurora_tenants.aws.clients import Aws
from aurora_tenants.render.rotation import cleared_data, cleared_text, reasons, rotated_data, rotated_text
from aurora_tenants.rotating import Cleared, Rotated, Scene, Target
from aurora_tenants.stack import Shared
from aurora_tenants.tenant.rotation import Login, state_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:hosted"
ANSWER = {
    "Name": "/shared-global/database/app",
    "ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:/shared-global/database/app-AbCdEf",
    "RotationLambdaARN": FUNCTION,
    "LastRotatedDate": NOW,
    "VersionIdsToStages": {"v2": ["AWSPENDING"], "v1": ["AWSCURRENT"]},
}
APP = Target("app", state_of(ANSWER, NOW), 30)
NOT_TRIED = (
    "whether it logs in cannot be tried: the user needs a client certificate, or may not come from the Data API's host"
)


def scene(*targets: Target) -> Scene:
    return Scene(
        Aws("eu-west-1", None, None, lambda name: None), Shared("shared-global", "arn", "", 5), "shop", targets
    )


def test_one_user_of_a_cluster_that_is_awake_is_rotated_without_a_question():
    assert reasons(scene(APP), is_paused=False, logins=None) == []


def test_whoever_would_wake_the_cluster_is_asked():
    (reason,) = reasons(scene(APP), is_paused=True, logins=None)
    assert reason == "The cluster is paused: this wakes it, usually in 15 s, and it stays awake until it is idle again."


def test_a_paused_cluster_has_no_connections():
    _, cut_off = reasons(scene(APP), is_paused=True, logins={})
    assert cut_off.startswith("User app has no connection now. Whoever connects anew")
    (cut_off,) = reasons(scene(APP), is_paused=False, logins={"app": Login(True, False, 2)})
    assert cut_off.startswith("User app has 2 connections now, which stay open.")


def test_a_login_that_shows_nothing_is_no_proof():
    ended = Rotated(APP, "v3", ("createSecret",), None)
    assert rotated_text(ended).startswith(
        f"User app has a new password. MySQL has taken it; {NOT_TRIED}. The one before"
    )
    assert rotated_data(ended)["logs_in"] is None


def test_of_another_function_nobody_says_that_the_old_password_works():
    ended = Rotated(APP._replace(is_own=False), "v3", (), True)
    assert rotated_text(ended) == (
        "User app has a new password. It logs in. Whether the one before still works, function hosted decides."
    )


def test_a_rotation_that_was_ended_says_what_is_known_of_the_password():
    taken_back = Cleared(APP, "take back", Login(None, None, 0))
    assert cleared_text(taken_back, "shop").endswith(
        f"is taken back. The current password stays; {NOT_TRIED}. To rotate now: aurora-tenants rotate shop app"
    )
    assert (cleared_data(taken_back)["action"], cleared_data(taken_back)["version"]) == ("taken-back", "v2")
    nothing = Cleared(APP)
    assert cleared_text(nothing, "shop") == (
        "No rotation of user app waits: secret /shared-global/database/app has no version AWSPENDING."
    )
    assert cleared_data(nothing)["action"] == "none"
