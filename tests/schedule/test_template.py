"""The stack of a pause schedule: the same bytes for the same schedule, and names that a new revision makes new."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aurora_sandbox.scheduler.expressions import parse
from aurora_tenants.model import Capacity, Cluster, PauseSchedule, Window
from aurora_tenants.naming import pause_stack, pause_tags, schedule_group
from aurora_tenants.schedule.template import Entry, dead_letters_arn, entries, pause_template, without_revision
from aurora_tenants.stack import Shared
from tests.goldens import golden

WEEKDAYS, EVERY_DAY = (0, 1, 2, 3, 4), tuple(range(7))
AWAKE, ASLEEP = Capacity(0.5, 4), Capacity(0, 2, 300)
OFFICE = PauseSchedule("Europe/Berlin", (Window(WEEKDAYS, 7 * 60, 17 * 60, AWAKE),), ASLEEP)
CLUSTER = Cluster("shared", pause_schedule=OFFICE)
SHARED = Shared(
    "shared",
    "arn:aws:rds:eu-west-1:123456789012:cluster:shared-databaseserver-1",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:inspector",
    1,
    role_arn="arn:aws:iam::123456789012:role/CloudFormationRole",
    pause_role_arn="arn:aws:iam::123456789012:role/PauseScheduleRole",
    pause_dead_letters="https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters",
)


def schedule(*windows: Window, timezone: str = "Europe/Berlin") -> PauseSchedule:
    return PauseSchedule(timezone, windows, ASLEEP)


def resources(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)["Resources"]
    return found


def test_the_template_of_office_hours():
    text = pause_template(CLUSTER, OFFICE, SHARED).text() + "\n"
    assert text == golden("pause_template.json", text)


def test_the_same_schedule_gives_the_same_bytes():
    assert pause_template(CLUSTER, OFFICE, SHARED) == pause_template(CLUSTER, replace(OFFICE), SHARED)


@pytest.mark.parametrize(
    "other",
    [
        replace(OFFICE, timezone="Europe/Rome"),
        replace(OFFICE, asleep=Capacity(0, 2, 301)),
        schedule(Window(WEEKDAYS, 7 * 60, 17 * 60 + 1, AWAKE)),
        schedule(Window(WEEKDAYS, 7 * 60, 17 * 60, Capacity(0.5, 4.5))),
    ],
)
def test_another_schedule_has_another_digest(other: PauseSchedule):
    assert pause_template(CLUSTER, other, SHARED).digest != pause_template(CLUSTER, OFFICE, SHARED).digest


def test_a_number_is_the_same_however_the_file_writes_it():
    floats = replace(OFFICE, asleep=Capacity(0.0, 2.0, 300))
    assert pause_template(CLUSTER, floats, SHARED) == pause_template(CLUSTER, OFFICE, SHARED)


def test_another_cluster_or_role_has_another_digest():
    """A shared stack that was made again has others; schedules that keep the old ones would fire at nothing."""
    found = {
        pause_template(CLUSTER, OFFICE, shared).digest
        for shared in (
            SHARED,
            replace(SHARED, cluster_arn=SHARED.cluster_arn.replace("server-1", "server-2")),
            replace(SHARED, pause_role_arn=f"{SHARED.pause_role_arn}2"),
            replace(SHARED, pause_dead_letters=f"{SHARED.pause_dead_letters}2"),
        )
    }
    assert len(found) == 4


def test_all_three_values_are_always_sent_in_the_schedulers_spelling():
    sent = [json.loads(entry.input) for entry in entries(OFFICE, SHARED, revision=1)]
    assert sent == [
        {
            "DbClusterIdentifier": "shared-databaseserver-1",
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 2, "SecondsUntilAutoPause": 300},
        },
        {
            "DbClusterIdentifier": "shared-databaseserver-1",
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 4},
        },
    ]


def names(*windows: Window) -> list[str]:
    return [entry.name for entry in entries(schedule(*windows), SHARED, revision=3)]


def test_names_say_what_a_schedule_does_when_and_end_in_the_revision():
    night = Window((5, 6), 22 * 60, 6 * 60, AWAKE)
    assert names(night) == ["asleep-MON.SUN-0600-r3", "awake-SAT.SUN-2200-r3"]
    assert names(Window(EVERY_DAY, 420, 1020, AWAKE)) == ["asleep-daily-1700-r3", "awake-daily-0700-r3"]


def test_names_and_logical_ids_of_many_windows_are_all_different_and_fit():
    windows = [
        Window((day,), hour * 60, hour * 60 + 30 + day, Capacity(0.5, 1 + day)) for day in range(7) for hour in (6, 14)
    ]
    text = pause_template(CLUSTER, schedule(*windows), SHARED).text()
    found = resources(text)
    all_names = {it["Properties"]["Name"]["Fn::Sub"] for it in found.values()}
    assert len(found) == len(all_names) == 28
    assert all(len(name.replace("${Revision}", "999999")) <= 64 for name in all_names)
    assert all(key.isalnum() for key in found)


def test_the_longest_name_fits():
    days = Window((0, 2, 4, 6), 0, 1, AWAKE)
    assert max(len(name) for name in names(days)) < 50


def test_a_name_without_its_revision():
    known = {"awake-daily-0700-r12": "awake-daily-0700", "made-by-hand": "made-by-hand", "a-r": "a-r", "-r1": "-r1"}
    assert {name: without_revision(name) for name in known} == known


def test_a_failed_delivery_is_not_repeated_after_the_next_one_is_due():
    def age(*windows: Window) -> set[int]:
        return {entry.max_age_seconds for entry in entries(schedule(*windows), SHARED, revision=1)}

    assert age(Window(WEEKDAYS, 420, 1020, AWAKE)) == {3600}
    assert age(Window(WEEKDAYS, 420, 440, AWAKE)) == {1200}
    assert age(Window((6,), 23 * 60 + 55, 5, AWAKE)) == {600}
    assert age(Window(EVERY_DAY, 0, 1440, AWAKE)) == {3600}


def test_every_expression_is_one_that_the_scheduler_takes():
    windows = (Window((6, 0), 23 * 60, 60, AWAKE), Window(EVERY_DAY, 120, 240, Capacity(1, 4)))
    for entry in entries(schedule(*windows), SHARED, revision=1):
        assert parse(entry.expression, entry.timezone, anchor=datetime(2026, 1, 1, tzinfo=UTC))


def test_the_stack_is_known_by_its_name_and_its_tag_and_is_no_tenants():
    assert (pause_stack(CLUSTER), schedule_group(CLUSTER)) == ("shared-pause-schedule", "shared-pause-schedule")
    assert pause_tags(CLUSTER) == {"aurora-tenants:cluster": "shared", "aurora-tenants:part": "pause-schedule"}


def test_the_queue_is_named_by_the_url_that_the_shared_stack_gives():
    assert dead_letters_arn(SHARED) == "arn:aws:sqs:eu-west-1:123456789012:dead-letters"
    china = replace(
        SHARED,
        cluster_arn="arn:aws-cn:rds:cn-north-1:123456789012:cluster:one",
        pause_dead_letters="https://sqs.cn-north-1.amazonaws.com.cn/123456789012/dead-letters",
    )
    assert dead_letters_arn(china) == "arn:aws-cn:sqs:cn-north-1:123456789012:dead-letters"


def test_entries_are_in_the_order_of_their_names():
    found = entries(OFFICE, SHARED, revision=1)
    assert list(found) == sorted(found, key=lambda entry: entry.name)
    assert isinstance(found[0], Entry)


def test_cfn_lint_finds_nothing(tmp_path: Path):
    file = tmp_path / "pause.json"
    file.write_text(pause_template(CLUSTER, OFFICE, SHARED).text())
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(file), "--regions", "eu-west-1", "us-east-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
