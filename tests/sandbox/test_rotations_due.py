"""Secrets that are due are rotated by themselves: in their windows, again after a failure, many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aurora_sandbox.clock import Clock
from aurora_sandbox.scheduler.schedules import Schedules
from aurora_sandbox.scheduler.timetable import Timetable
from aurora_sandbox.secretsmanager.agenda import Agenda
from aurora_sandbox.secretsmanager.automatic import ATTEMPTS
from aurora_sandbox.secretsmanager.rotation import STEPS, Rotated
from aurora_sandbox.secretsmanager.service import SecretsManager
from aurora_sandbox.wire import Caller, ServiceError
from tests.compared import compared
from tests.endpoint import until

CALLER = Caller("AKIATEST")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"
START = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)  # a Wednesday
SUNDAYS = {"ScheduleExpression": "cron(0 2 ? * SUN *)", "Duration": "3h"}


class Account:
    """A Secrets Manager with a clock that stands still until it is moved, and a function that fails if told so."""

    def __init__(self) -> None:
        self.clock = Clock(lambda: START)
        self.calls: list[tuple[str, str, datetime]] = []  # which step of which secret, and when
        self.failing: dict[str, str] = {}  # what to say at a step
        self.may_invoke = True
        self.manager = SecretsManager(
            account="123456789012",
            region="eu-west-1",
            invoke=self.rotate,
            may_invoke=lambda arn: self.may_invoke,
            now=self.clock.now,
        )
        self.timetable = Timetable(self.clock, Schedules(), self.fire, self.manager.rotations)

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return compared(self.manager, operation, parameters, CALLER)

    def fire(self, *fired: object) -> Any:
        raise AssertionError("there are no schedules")

    def rotate(self, function_arn: str, event: dict[str, str]) -> None:
        step, secret_id, token = event["Step"], event["SecretId"], event["ClientRequestToken"]
        self.calls.append((step, secret_id.rpartition(":")[2][:-7], self.clock.now()))
        if step in self.failing:
            raise ValueError(self.failing[step])
        if step == "createSecret":
            self("PutSecretValue", SecretId=secret_id, ClientRequestToken=token, SecretString=token,
                 VersionStages=["AWSPENDING"])  # fmt: skip
        if step == "finishSecret":
            current = self("GetSecretValue", SecretId=secret_id)["VersionId"]
            self("UpdateSecretVersionStage", SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=token,
                 RemoveFromVersionId=current)  # fmt: skip

    def secret(self, name: str, rules: dict[str, Any]) -> None:
        """A secret with a schedule, and its rotation tried."""
        self("CreateSecret", Name=name, SecretString="one")
        self("RotateSecret", SecretId=name, RotationLambdaARN=FUNCTION, RotationRules=rules, RotateImmediately=False)
        self.manager.rotation_outcome(name)
        self.calls.clear()

    def move(self, to: str) -> list[str]:
        """What happened on the way."""
        return [self.told(each) for each in self.timetable.move(to) if isinstance(each, Rotated)]

    def told(self, rotated: Rotated) -> str:
        return f"{rotated.at:%m-%d %H:%M} {rotated.secret} {rotated.error or rotated.step}"

    def next(self, name: str = "app") -> str:
        return f"{self('DescribeSecret', SecretId=name)['NextRotationDate']:%m-%d %H:%M:%S}"


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    account.timetable.close()


def test_each_window_sees_one_rotation_at_its_beginning(account: Account) -> None:
    account.secret("app", SUNDAYS)
    assert account.next() == "11-29 04:59:59"
    assert account.move("+3d") == []
    assert account.move("+2w") == ["11-29 02:00 app finishSecret", "12-06 02:00 app finishSecret"]
    assert [step for step, _, _ in account.calls] == 2 * list(STEPS)
    described = account("DescribeSecret", SecretId="app")
    assert f"{described['LastRotatedDate']:%m-%d %H:%M}" == "12-06 02:00"
    assert account.next() == "12-13 04:59:59"


def test_days_are_counted_from_the_last_rotation_and_from_a_value_that_somebody_has_set(account: Account) -> None:
    account.secret("app", {"AutomaticallyAfterDays": 10})
    assert account.next() == "12-05 23:59:59"
    account.move("+4d")
    account("RotateSecret", SecretId="app")
    account.manager.rotation_outcome("app")
    assert account.next() == "12-09 23:59:59"
    account.move("+1d")
    account("PutSecretValue", SecretId="app", SecretString="by hand")
    assert account.next() == "12-10 23:59:59"
    assert account.move("+30d") == ["12-10 00:00 app finishSecret", "12-20 00:00 app finishSecret",
                                    "12-30 00:00 app finishSecret"]  # fmt: skip


def test_a_pending_value_of_somebody_is_no_rotation(account: Account) -> None:
    account.secret("app", {"AutomaticallyAfterDays": 10})
    account.move("+4d")
    account("PutSecretValue", SecretId="app", SecretString="by hand", VersionStages=["MINE"])
    assert account.next() == "12-05 23:59:59"


def test_a_list_shows_the_days_that_aws_counts_after_the_first_rotation(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.secret("often", {"ScheduleExpression": "rate(12 hours)"})
    assert account("DescribeSecret", SecretId="app")["RotationRules"] == SUNDAYS
    account.move("+1w")
    assert account("DescribeSecret", SecretId="app")["RotationRules"] == {**SUNDAYS, "AutomaticallyAfterDays": 7}
    assert "AutomaticallyAfterDays" not in account("DescribeSecret", SecretId="often")["RotationRules"]
    account("RotateSecret", SecretId="app")  # its rules are those that were given
    account.manager.rotation_outcome("app")


def test_a_rotation_that_fails_is_tried_again_within_its_window_with_the_same_version(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.failing = {"setSecret": "the cluster is away"}
    account.move("2026-11-29T02:20Z")
    pending = account("DescribeSecret", SecretId="app")["VersionIdsToStages"]
    assert [f"{step} {at:%H:%M}" for step, _, at in account.calls] == [
        "createSecret 02:00",
        "setSecret 02:00",
        "createSecret 02:15",
        "setSecret 02:15",
    ]
    account.failing = {}
    assert account.move("+1h") == ["11-29 02:30 app finishSecret"]
    now = account("DescribeSecret", SecretId="app")["VersionIdsToStages"]
    (token,) = (version for version, stages in pending.items() if stages == ["AWSPENDING"])
    assert now[token] == ["AWSCURRENT", "AWSPENDING"]
    assert account.next() == "12-06 04:59:59"


def test_a_rotation_that_goes_on_failing_waits_for_the_next_window_and_is_overdue_meanwhile(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.failing = {"testSecret": "no login"}
    told = account.move("+7d")
    assert told == [f"11-29 {at} app no login" for at in ("02:00", "02:15", "02:30", "02:45", "03:00")]
    assert len(told) == ATTEMPTS
    assert account.next() == "11-29 04:59:59"
    assert "LastRotatedDate" not in account("DescribeSecret", SecretId="app")
    account.failing = {}
    assert account.move("+7d") == ["12-06 02:00 app finishSecret"]
    assert account.next() == "12-13 04:59:59"


def test_no_attempt_is_made_after_the_window_has_closed(account: Account) -> None:
    account.secret("app", {"ScheduleExpression": "cron(0 2 ? * SUN *)", "Duration": "1h"})
    account.failing = {"createSecret": "no"}
    assert [told.split()[1] for told in account.move("+5d")] == ["02:00", "02:15", "02:30", "02:45"]


def test_a_rotation_that_somebody_asked_for_is_tried_again_too_and_a_window_comes_first(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.failing = {"setSecret": "no"}
    account("RotateSecret", SecretId="app")
    account.manager.rotation_outcome("app")
    assert [told.split()[1] for told in account.move("+1d")] == ["09:45", "10:00", "10:15", "10:30"]
    account.move("2026-11-29T01:50Z")
    with pytest.raises(ServiceError, match="will be reattempted"):
        account("RotateSecret", SecretId="app")
    account.manager.rotation_outcome("app")
    assert account.move("+15m") == ["11-29 02:00 app no"]


def test_a_failed_test_of_the_function_is_not_tried_again(account: Account) -> None:
    account.failing = {"testSecret": "no"}
    account.secret("app", SUNDAYS)
    assert account.move("+1d") == []


def test_nothing_is_rotated_after_it_was_cancelled_and_a_version_stays_for_the_next_time(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.failing = {"setSecret": "no"}
    account.move("2026-11-29T02:05Z")
    account.failing = {}
    account("CancelRotateSecret", SecretId="app")
    assert account.move("+4w") == []
    described = account("DescribeSecret", SecretId="app")
    assert ["AWSPENDING"] in described["VersionIdsToStages"].values()
    assert described["RotationRules"] == SUNDAYS
    assert not {"NextRotationDate", "LastRotatedDate"} & described.keys()
    with pytest.raises(ServiceError, match="will be reattempted"):
        account("RotateSecret", SecretId="app")
    outcome = account.manager.rotation_outcome("app")
    assert outcome is not None
    assert (outcome.step, account("DescribeSecret", SecretId="app")["RotationEnabled"]) == ("finishSecret", True)


def test_a_secret_that_was_rotated_and_cancelled_has_no_dates(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.move("+1w")
    account("CancelRotateSecret", SecretId="app")
    assert not {"NextRotationDate", "LastRotatedDate"} & account("DescribeSecret", SecretId="app").keys()


def test_other_rules_have_another_date_from_the_moment_they_are_set(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account("RotateSecret", SecretId="app", RotationRules={"AutomaticallyAfterDays": 3}, RotateImmediately=False)
    account.manager.rotation_outcome("app")
    assert account.next() == "11-28 23:59:59"
    assert account.move("+5d") == ["11-28 00:00 app finishSecret"]


def test_a_secret_that_is_marked_for_deletion_rests_until_it_is_restored(account: Account) -> None:
    account.secret("app", {"AutomaticallyAfterDays": 10})
    account("DeleteSecret", SecretId="app", RecoveryWindowInDays=30)
    assert account.move("+12d") == []
    account("RestoreSecret", SecretId="app")
    assert account.move("+0s") == ["12-05 00:00 app finishSecret"]
    account("DeleteSecret", SecretId="app", ForceDeleteWithoutRecovery=True)
    assert account.move("+30d") == []


def test_a_function_that_no_longer_lets_secrets_manager_in_fails_the_rotation(account: Account) -> None:
    account.secret("app", SUNDAYS)
    account.may_invoke = False
    (told, *_) = account.move("+5d")
    assert "Secrets Manager cannot invoke the specified Lambda function." in told
    assert account.calls == []


def test_a_run_that_is_under_way_is_waited_for(account: Account) -> None:
    """A test of the function, after which the secret is still due."""
    goes_on = threading.Event()
    account("CreateSecret", Name="app", SecretString="one")
    account.manager.rotations._invoke = lambda arn, event: goes_on.wait(10) and account.rotate(arn, event)
    account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, RotationRules=SUNDAYS, RotateImmediately=False)
    threading.Timer(0.3, goes_on.set).start()
    assert account.move("+5d") == ["11-29 02:00 app finishSecret"]


def test_a_thousand_secrets_are_rotated_at_once_in_a_few_threads(account: Account) -> None:
    for number in range(1000):
        account.secret(f"s{number:03}", SUNDAYS)
    before, threads = time.process_time(), threading.active_count()
    told = account.move("+5d")
    assert (len(told), len(set(told))) == (1000, 1000)
    assert len(account.calls) == 4000
    assert (
        time.process_time() - before < 10
    )  # 3 s of an idle machine; a look through all of them for each would be 1,000 times as much
    until(lambda: threading.active_count() <= threads)


def test_a_move_that_the_sandboxs_end_interrupts_waits_for_no_rotation() -> None:
    account, goes_on = Account(), threading.Event()
    account.secret("app", SUNDAYS)
    account.manager.rotations._invoke = lambda arn, event: goes_on.wait(10)
    moving = threading.Thread(target=account.timetable.move, args=("+5d",))
    moving.start()
    time.sleep(0.2)
    account.timetable.close()
    moving.join(5)
    assert not moving.is_alive()
    goes_on.set()


def test_an_agenda_knows_each_name_with_its_latest_time_alone() -> None:
    agenda, hour = Agenda(), timedelta(hours=1)
    agenda.put("a", START + 3 * hour)
    agenda.put("b", START + hour)
    agenda.put("a", START + 2 * hour)
    agenda.put("c", START)
    agenda.put("c", None)
    assert agenda.first() == START + hour
    assert agenda.take(START + 2 * hour) == ["b", "a"]
    assert agenda.first() is None
    agenda.put("a", START)
    assert agenda.take(START) == ["a"]
