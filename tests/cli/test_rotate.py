"""`rotate`: what it prints, asks and refuses, in a sandbox; and that a password that works is never lost."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from aurora_tenants.aws import rotation
from tests.cli.conftest import CommandLine, Terminal
from tests.cloud import SHARED, Cloud

TENANTS = """
  turn:
    databases: {turn: {}}
    users:
      turn: {privileges: [{permission: ALL, database: turn}]}
      turn-report: {privileges: [{permission: SELECT, database: turn}]}
      turn-fixed: {rotate_after_days: 0, privileges: [{permission: SELECT, database: turn}]}
      turn-token: {auth: iam}
  none:
    databases: {none: {}}
    users:
      none: {}
"""
STEPS = """\
  1/4 createSecret  a new password is put into the secret, for nobody to read yet
  2/4 setSecret     MySQL gets it, beside the one that works
  3/4 testSecret    it logs in
  4/4 finishSecret  readers of the secret get it
"""
LATER = "The one before works until the next rotation, which begins in 10 minutes at the earliest."


@pytest.fixture(scope="module")
def ended(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.clean()


@pytest.fixture
def turn(run: CommandLine, cloud: Cloud, ended: None, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line, and a tenant that is deployed once: every test leaves its users with a password that works."""
    monkeypatch.setattr(rotation, "_POLL_SECONDS", 0.02)
    run.file(TENANTS)
    if f"{SHARED}-turn" not in cloud.stacks():
        applied = run("aurora-tenants apply --yes --tenant turn")
        assert applied.code == 0, applied
    return run


class User:
    """A user and its secret, as somebody with every right sees them."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud, self.name, self.secret = cloud, name, f"/{SHARED}/database/{name}"

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.cloud.client("secretsmanager"), operation)(
            SecretId=self.secret, **parameters
        )
        return answer

    def value(self) -> dict[str, Any]:
        return dict(json.loads(self.call("get_secret_value")["SecretString"]))

    @property
    def password(self) -> str:
        return str(self.value()["password"])

    def takes(self, password: str) -> bool:
        try:
            self.cloud.connect(self.name, password).close()
        except pymysql.OperationalError as error:
            assert error.args[0] == 1045, error
            return False
        return True

    def wait_with(self, password: str) -> None:
        """A version waits, as a rotation leaves it that fails."""
        value = json.dumps({**self.value(), "password": password})
        self.call("put_secret_value", SecretString=value, VersionStages=["AWSPENDING"])

    def waiting(self) -> list[str]:
        stages = self.call("describe_secret")["VersionIdsToStages"]
        return [version for version, names in stages.items() if names == ["AWSPENDING"]]


def rotated(user: str) -> str:
    return f"User {user} has a new password. It logs in. {LATER}\n"


def test_it_shows_the_four_steps_and_proves_the_password(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn")
    first = user.password
    ended = turn("aurora-tenants rotate turn turn")
    begun = f"The rotation of user turn has begun: secret {user.secret}\n"
    assert (ended.code, ended.out, ended.err) == (0, rotated("turn"), begun + STEPS)
    assert user.password != first
    assert (user.takes(first), user.takes(user.password)) == (True, True)


def test_another_one_within_ten_minutes_is_refused_before_anything_is_asked_for(turn: CommandLine, cloud: Cloud):
    turn("aurora-tenants rotate turn turn --force")
    before = cloud.calls()
    ended = turn("aurora-tenants rotate turn turn")
    after = cloud.calls() - before
    assert (ended.code, ended.out) == (1, "")
    assert re.sub(r"\d\d:\d\d:\d\d", "TIME", ended.err) == (
        "error: user turn has been given another password less than 10 minutes ago  [rotated-recently]\n"
        "    why: MySQL keeps two passwords of an account; a third one would end the one that pools may still hold that"
        " read the secret before, until TIME UTC\n"
        "    fix: wait until then; or pass --force, and restart what holds the old password\n"
        "Nothing was changed.\n"
    )
    assert {name for name in after if name.startswith(("secretsmanager", "lambda"))} == {
        "secretsmanager:DescribeSecret"
    }
    first = User(cloud, "turn").password
    assert turn("aurora-tenants rotate turn turn --force").code == 0
    assert User(cloud, "turn").takes(first)


def test_all_users_with_a_password_are_asked_for_and_rotated_one_by_one(turn: CommandLine, cloud: Cloud):
    ended = turn("aurora-tenants rotate turn --force")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("3 users of tenant turn: turn, turn-report, turn-fixed, one by one.\n")
    assert "[not-confirmed]" in ended.err
    ended = turn("aurora-tenants rotate turn --force --yes --output json")
    assert ended.code == 0, ended
    users = json.loads(ended.out)["users"]
    assert [(each["user"], each["action"], each["logs_in"]) for each in users] == [
        ("turn", "rotated", True),
        ("turn-report", "rotated", True),
        ("turn-fixed", "rotated", True),
    ]
    events = [json.loads(line) for line in ended.err.splitlines() if '"step"' in line]
    assert [(each["user"], each["step"]) for each in events[:2]] == [("turn", "createSecret"), ("turn", "setSecret")]
    # The file has no rotation of it, and it has none afterwards.
    assert User(cloud, "turn-fixed").call("describe_secret")["RotationEnabled"] is False


def test_a_step_that_fails_is_told_in_its_own_words_and_goes_on_later(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn-report")
    first = user.password
    cloud.sql("RENAME USER `turn-report` TO `elsewhere`")
    ended = turn("aurora-tenants rotate turn turn-report --force")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(
        "error: the rotation of user turn-report failed at setSecret: MySQL has no user turn-report whose password"
        f" comes from secret {user.secret}  [rotation-failed]\n"
        "    why: readers of the secret go on with the password that they have\n"
        "    fix: Secrets Manager tries again by itself, as this command does; --stuck takes it back\n"
    )
    cloud.sql("RENAME USER `elsewhere` TO `turn-report`")
    ended = turn("aurora-tenants rotate turn turn-report --force")
    begun = f"The rotation of user turn-report goes on, which had begun before: secret {user.secret}\n"
    assert (ended.code, ended.out, ended.err) == (0, rotated("turn-report"), begun + STEPS)
    assert (user.takes(first), user.takes(user.password)) == (True, True)


def test_a_password_that_was_changed_in_mysql_is_healed(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn-report")
    of_secret = user.password
    cloud.sql("ALTER USER `turn-report` IDENTIFIED BY 'theirs'")
    assert not user.takes(of_secret)
    assert turn("aurora-tenants rotate turn turn-report --force").code == 0
    assert [user.takes(each) for each in ("theirs", of_secret, user.password)] == [False, True, True]


def test_a_password_that_was_changed_in_the_secret_is_healed(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn-report")
    user.call("put_secret_value", SecretString=json.dumps({**user.value(), "password": "Byhand0"}))
    assert not user.takes("Byhand0")
    assert turn("aurora-tenants rotate turn turn-report --force").code == 0
    assert (user.takes("Byhand0"), user.takes(user.password)) == (True, True)


def test_after_a_leak_no_rotation_goes_on_that_had_begun(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn")
    user.wait_with("Leaked0")
    ended = turn("aurora-tenants rotate turn turn --revoke-old --yes")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "error: a rotation of user turn has begun and not ended  [rotation-waits]\n"
        "    why: as long as a version of the secret waits, no other rotation begins\n"
        "    fix: first run the same with --stuck instead\n"
        "Nothing was changed.\n"
    )
    assert turn("aurora-tenants rotate turn turn --stuck --force").code == 0
    assert turn("aurora-tenants rotate turn turn --revoke-old --yes").code == 0
    assert (user.takes("Leaked0"), user.takes(user.password)) == (False, True)


def test_the_old_password_ends_at_once_after_a_question_that_says_who_is_cut_off(
    turn: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    user = User(cloud, "turn")
    first = user.password
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    with cloud.connect("turn", first) as connection, connection.cursor() as cursor:
        ended = turn("aurora-tenants rotate turn turn --revoke-old")
        cursor.execute("SELECT 1")
    assert (ended.code, ended.out) == (0, "User turn has a new password, and no other. It logs in.\n")
    assert ended.err.startswith(
        "User turn has 1 connection now, which stay open. Whoever connects anew with a password of before is refused at"
        " once: pools that do not read the secret again, and copies of it. End connections that should not be by"
        " KILL.\n"
        "Rotate, and end the old password? Type yes to go on.\n"
    )
    assert (user.takes(first), user.takes(user.password)) == (False, True)


def test_a_version_that_waits_is_taken_back_where_the_current_password_works(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn")
    user.wait_with("Waits00")
    (version,) = user.waiting()
    ended = turn("aurora-tenants rotate turn turn --stuck")
    assert (ended.code, ended.out, "[rotation-under-way]" in ended.err) == (1, "", True)
    assert user.waiting() == [version]
    ended = turn("aurora-tenants rotate turn turn --stuck --force")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"The rotation of user turn is ended: version ID of secret {user.secret} is taken back."
        " The current password logs in. To rotate now: aurora-tenants rotate turn turn\n"
    )
    assert (user.waiting(), user.takes(user.password)) == ([], True)
    again = turn("aurora-tenants rotate turn turn --stuck --output json")
    assert json.loads(again.out)["users"][0]["action"] == "none"


def test_a_version_that_waits_becomes_current_where_its_password_alone_works(turn: CommandLine, cloud: Cloud):
    """As after a rotation that died, and then a hand: to take it back would lose the only password that logs in."""
    user = User(cloud, "turn")
    user.wait_with("Waits00")
    cloud.sql("ALTER USER turn IDENTIFIED BY 'Waits00'", "ALTER USER turn DISCARD OLD PASSWORD")
    ended = turn("aurora-tenants rotate turn turn --stuck --force")
    assert (ended.code, "readers get version ID now" in ended.out) == (0, True)
    assert (user.password, user.waiting(), user.takes("Waits00")) == ("Waits00", [], True)


def test_where_neither_password_works_it_says_what_sets_them(turn: CommandLine, cloud: Cloud):
    user = User(cloud, "turn")
    user.wait_with("Waits00")
    cloud.sql("ALTER USER turn IDENTIFIED BY 'theirs'", "ALTER USER turn DISCARD OLD PASSWORD")
    ended = turn("aurora-tenants rotate turn turn --stuck --force")
    assert (ended.code, user.waiting()) == (0, [])
    assert ended.out.endswith(
        "Neither its password nor the current one logs in; this sets both in MySQL: aurora-tenants rotate turn turn\n"
    )
    assert turn("aurora-tenants rotate turn turn --force").code == 0
    assert user.takes(user.password)


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("rotate turned", 64, "[unknown-tenant]"),
        ("rotate turn report", 64, "fix: its users: turn, turn-report, turn-fixed, turn-token"),
        ("rotate turn turn-token", 64, "error: user turn-token of tenant turn logs in by IAM  [no-password]"),
        ("rotate none", 1, "error: user none of tenant none is not deployed  [not-deployed]"),
        ("rotate turn --stuck --revoke-old", 64, "[two-actions]"),
    ],
)
def test_what_cannot_be_rotated_is_told(turn: CommandLine, line: str, code: int, error: str):
    ended = turn(f"aurora-tenants {line}")
    assert (ended.code, error in ended.err) == (code, True), ended
