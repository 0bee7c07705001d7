"""The pause schedule's part of a plan: the file against the stack and the schedules that are there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aurora_tenants.model import Capacity, Cluster, PauseSchedule, Window
from aurora_tenants.naming import DIGEST, REVISION, pause_stack, pause_tags
from aurora_tenants.schedule.plan import (
    LiveCluster,
    LivePause,
    ScheduleChange,
    SchedulePlan,
    acu,
    is_held,
    plan_schedule,
)
from aurora_tenants.schedule.template import Entry, entries, pause_template
from aurora_tenants.stack import Deployed, Shared, Stack
from tests.schedule.test_template import ASLEEP, CLUSTER, OFFICE, SHARED, WEEKDAYS

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIVE_CLUSTER = LiveCluster("8.0.mysql_aurora.3.10.6", ASLEEP, False, NOW)
LONGER = PauseSchedule("Europe/Berlin", (Window(WEEKDAYS, 7 * 60, 18 * 60, Capacity(0.5, 4)),), ASLEEP)
AWAKE_TEXT = "cron(0 7 ? * MON-FRI *) in Europe/Berlin: 0.5 to 4 ACU"
ASLEEP_TEXT = "cron(0 17 ? * MON-FRI *) in Europe/Berlin: 0 to 2 ACU, pauses after 5 min"


def stack(*, status: str = "CREATE_COMPLETE", revision: int = 1, schedule: PauseSchedule = OFFICE) -> Stack:
    digest = pause_template(CLUSTER, schedule, SHARED).digest
    return Stack(
        pause_stack(CLUSTER),
        status,
        tags=pause_tags(CLUSTER),
        parameters={REVISION: str(revision)},
        outputs={DIGEST: digest},
    )


def live(*, revision: int = 1, schedule: PauseSchedule = OFFICE, lost: int = 0) -> LivePause:
    return LivePause(LIVE_CLUSTER, entries(schedule, SHARED, revision=revision), lost)


def with_entries(*found: Entry) -> LivePause:
    return LivePause(LIVE_CLUSTER, found)


def planned(
    there: LivePause,
    deployed: Stack | None,
    *,
    cluster: Cluster = CLUSTER,
    shared: Shared = SHARED,
    is_taken: bool = False,
) -> SchedulePlan:
    others = frozenset({pause_stack(cluster)}) if is_taken else frozenset[str]()
    return plan_schedule(cluster, shared, Deployed(shared, {}, others, deployed), there)


def said(made: SchedulePlan) -> tuple[str, str, list[tuple[str, str, str]]]:
    changes = [(it.action, it.schedule, it.text) for it in made.changes]
    return made.stack.action, made.stack.origin, changes


def revision(made: SchedulePlan) -> int:
    return int(made.stack.parameters[REVISION])


ASLEEP_ENTRY, AWAKE_ENTRY = entries(OFFICE, SHARED, revision=1)


def test_what_is_deployed_as_the_file_says_needs_nothing():
    made = planned(live(), stack())
    assert (said(made), revision(made), made.problems, made.notices) == (("none", "drift", []), 1, (), ())


def test_a_new_schedule_is_created():
    made = planned(LivePause(LIVE_CLUSTER), None)
    assert said(made) == (
        "create",
        "file",
        [("create", "asleep-MON-FRI-1700", ASLEEP_TEXT), ("create", "awake-MON-FRI-0700", AWAKE_TEXT)],
    )
    assert revision(made) == 1


def test_a_changed_file_says_what_changes_and_makes_every_schedule_anew():
    made = planned(live(), stack(), cluster=replace(CLUSTER, pause_schedule=LONGER))
    assert said(made) == (
        "update",
        "file",
        [
            ("drop", "asleep-MON-FRI-1700", ASLEEP_TEXT),
            ("create", "asleep-MON-FRI-1800", ASLEEP_TEXT.replace("17", "18")),
        ],
    )
    assert revision(made) == 2


def changed(**fields: Any) -> LivePause:
    return with_entries(ASLEEP_ENTRY, replace(AWAKE_ENTRY, **fields))


def with_seconds(text: str) -> str:
    """What a schedule sent before the seconds were left out beside a minimum above 0."""
    sent = json.loads(text)
    sent["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"] = 300
    return json.dumps(sent, sort_keys=True)


def without_seconds(text: str) -> str:
    sent = json.loads(text)
    del sent["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"]
    return json.dumps(sent, sort_keys=True)


@pytest.mark.parametrize(
    ("there", "change"),
    [
        (with_entries(ASLEEP_ENTRY), ScheduleChange("create", "awake-MON-FRI-0700", AWAKE_TEXT)),
        (changed(state="DISABLED"), "state is DISABLED, not ENABLED"),
        (
            changed(expression="cron(0 8 ? * MON-FRI *)"),
            "time is cron(0 8 ? * MON-FRI *), not cron(0 7 ? * MON-FRI *)",
        ),
        (changed(timezone="UTC"), "zone is UTC, not Europe/Berlin"),
        (changed(input="{}"), "what it sends is {}, not 0.5 to 4 ACU"),
        (changed(input="not JSON"), "what it sends is not JSON, not 0.5 to 4 ACU"),
        (
            changed(input=json.dumps(json.loads(ASLEEP_ENTRY.input), sort_keys=True)),
            "what it sends is 0 to 2 ACU, pauses after 5 min, not 0.5 to 4 ACU",
        ),
        (changed(input=AWAKE_ENTRY.input.replace("server-1", "server-2")), "server-2"),
        (changed(input=with_seconds(AWAKE_ENTRY.input)), "0.5 to 4 ACU with SecondsUntilAutoPause, which RDS refuses"),
        (
            with_entries(replace(ASLEEP_ENTRY, input=without_seconds(ASLEEP_ENTRY.input)), AWAKE_ENTRY),
            ScheduleChange(
                "alter",
                "asleep-MON-FRI-1700",
                f"what it sends is {without_seconds(ASLEEP_ENTRY.input)}, not {ASLEEP_ENTRY.input}",
            ),
        ),
        (changed(role_arn="arn:other"), f"role is arn:other, not {SHARED.pause_role_arn}"),
        (changed(dead_letters_arn=""), "dead-letter queue is unset, not "),
        (changed(flexible="FLEXIBLE"), "time window is FLEXIBLE, not OFF"),
        (changed(attempts=0), "number of attempts is 0, not 185"),
        (changed(max_age_seconds=60), "age of an event in seconds is 60, not 3600"),
        (changed(bounds="EndDate 2026-01-01"), "start or end is EndDate 2026-01-01, not unset"),
        (changed(target="arn:aws:scheduler:::aws-sdk:rds:stopDBCluster"), "target is "),
    ],
)
def test_drift_of_every_kind_is_seen_and_healed_under_the_next_revision(there: LivePause, change: ScheduleChange | str):
    made = planned(there, stack())
    assert (made.stack.action, made.stack.origin, revision(made)) == ("update", "drift", 2)
    (only,) = made.changes
    if isinstance(change, ScheduleChange):
        assert only == change
    else:
        assert (only.action, only.schedule) == ("alter", "awake-MON-FRI-0700")
        assert change in only.text


def test_every_field_of_a_schedule_is_compared():
    for field in AWAKE_ENTRY.__dataclass_fields__:
        if field != "name":
            there = changed(**{field: 7 if isinstance(getattr(AWAKE_ENTRY, field), int) else "other"})
            assert planned(there, stack()).stack.action == "update", field


def test_the_clusters_scaling_is_no_drift():
    other = replace(LIVE_CLUSTER, capacity=Capacity(8, 16))
    assert planned(replace(live(), cluster=other), stack()).stack.action == "none"


def test_a_schedule_that_leaves_the_file_is_removed_with_its_stack():
    made = planned(live(), stack(), cluster=replace(CLUSTER, pause_schedule=None))
    assert said(made) == ("delete", "file", [("drop", "asleep-MON-FRI-1700", ""), ("drop", "awake-MON-FRI-0700", "")])


def test_no_schedule_anywhere_is_nothing_to_do():
    made = planned(LivePause(LIVE_CLUSTER), None, cluster=replace(CLUSTER, pause_schedule=None))
    assert (made.stack.action, made.problems) == ("none", ())


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("ROLLBACK_COMPLETE", "replace"),
        ("DELETE_FAILED", "replace"),
        ("REVIEW_IN_PROGRESS", "create"),
        ("UPDATE_ROLLBACK_FAILED", "update"),
        ("UPDATE_FAILED", "update"),
        ("UPDATE_ROLLBACK_COMPLETE", "none"),
    ],
)
def test_a_stack_that_ended_badly_is_brought_out_of_it(status: str, action: str):
    made = planned(live(), stack(status=status))
    assert (made.stack.action, made.problems) == (action, ())


def test_a_stack_that_only_a_person_leads_on_is_a_problem_as_long_as_there_is_a_schedule():
    it = stack(status="IMPORT_ROLLBACK_FAILED")
    assert [problem.code for problem in planned(live(), it).problems] == ["stack-stuck"]
    removed = planned(live(), it, cluster=replace(CLUSTER, pause_schedule=None))
    assert (removed.stack.action, removed.problems) == ("delete", ())


def test_what_a_failed_deletion_left_behind_does_not_take_the_new_ones_names():
    assert revision(planned(live(revision=4), stack(status="ROLLBACK_COMPLETE"))) == 5
    assert revision(planned(live(revision=4), None)) == 5
    there = with_entries(*entries(OFFICE, SHARED, revision=2), *entries(LONGER, SHARED, revision=3))
    assert revision(planned(there, stack(revision=2), cluster=replace(CLUSTER, pause_schedule=LONGER))) == 4


def codes(made: SchedulePlan) -> list[str]:
    return [problem.code for problem in made.problems]


def test_a_stack_in_the_middle_of_something_is_left_alone():
    assert codes(planned(live(), stack(status="UPDATE_IN_PROGRESS"))) == ["stack-busy"]


def test_somebody_elses_stack_of_that_name_is_left_alone():
    assert codes(planned(LivePause(LIVE_CLUSTER), None, is_taken=True)) == ["stack-not-ours"]


def test_a_shared_stack_from_before_is_told_to_be_deployed():
    old = replace(SHARED, pause_role_arn="", pause_dead_letters="")
    made = planned(LivePause(LIVE_CLUSTER), None, shared=old)
    assert (made.stack.action, [(it.code, it.fix) for it in made.problems]) == (
        "none",
        [("old-shared-stack", "run: aurora-tenants shared deploy --stack shared")],
    )


def test_an_engine_that_cannot_pause_is_told_before_rds_refuses_it():
    old = LivePause(replace(LIVE_CLUSTER, engine_version="8.0.mysql_aurora.3.07.1"))
    assert codes(planned(old, None)) == ["no-auto-pause"]
    never = PauseSchedule("UTC", OFFICE.awake, Capacity(0.5, 1))
    assert codes(planned(old, None, cluster=replace(CLUSTER, pause_schedule=never))) == []


def test_a_cluster_that_is_not_serverless_has_nothing_to_schedule():
    assert codes(planned(LivePause(replace(LIVE_CLUSTER, capacity=None)), None)) == ["not-serverless"]


def test_a_group_that_is_gone_is_told():
    assert codes(planned(LivePause(LIVE_CLUSTER, None), stack())) == ["no-schedule-group"]


def test_lost_events_and_strange_schedules_are_reported_and_not_touched():
    by_hand = replace(AWAKE_ENTRY, name="by-hand")
    there = LivePause(LIVE_CLUSTER, (ASLEEP_ENTRY, AWAKE_ENTRY, by_hand), dead_letters=2)
    made = planned(there, stack())
    assert (made.stack.action, [notice.code for notice in made.notices]) == (
        "none",
        ["dead-letters", "foreign-schedule"],
    )
    assert made.notices[1].text == (
        f"schedule by-hand of group shared-pause-schedule is not in the stack, and fires: {AWAKE_TEXT}"
    )


BY_HAND = replace(AWAKE_ENTRY, name="by-hand")
LEFT_BEHIND = replace(AWAKE_ENTRY, name="awake-MON-FRI-0700-r1")


@pytest.mark.parametrize("other", [BY_HAND, LEFT_BEHIND])
@pytest.mark.parametrize(
    ("deployed", "wanted", "action", "names"),
    [
        (stack(revision=2), LONGER, "update", ["asleep-MON-FRI-1700", "asleep-MON-FRI-1800"]),
        (stack(revision=2), None, "delete", ["asleep-MON-FRI-1700", "awake-MON-FRI-0700"]),
        (stack(revision=2), OFFICE, "none", []),
        (None, OFFICE, "create", ["asleep-MON-FRI-1700", "awake-MON-FRI-0700"]),
    ],
)
def test_a_schedule_that_is_not_the_stacks_is_never_said_to_be_dropped(
    other: Entry, deployed: Stack | None, wanted: PauseSchedule | None, action: str, names: list[str]
):
    """CloudFormation leaves alone what it did not make, whatever else the plan does."""
    own = entries(OFFICE, SHARED, revision=2) if deployed else ()
    made = planned(with_entries(*own, other), deployed, cluster=replace(CLUSTER, pause_schedule=wanted))
    assert (made.stack.action, [change.schedule for change in made.changes]) == (action, names)
    assert [notice.text.split()[1] for notice in made.notices] == [other.name]


def test_a_capacity_is_said_with_its_pause_only_where_it_pauses():
    assert acu(Capacity(0.5, 4, 300)) == "0.5 to 4 ACU"
    assert [acu(Capacity(0, 1, seconds)) for seconds in (300, 301, 86_400)] == [
        "0 to 1 ACU, pauses after 5 min",
        "0 to 1 ACU, pauses after 301 s",
        "0 to 1 ACU, pauses after 1440 min",
    ]


def test_seconds_count_only_where_the_cluster_may_pause():
    assert is_held(Capacity(0.5, 4, 300), Capacity(0.5, 4, 600))
    assert not is_held(Capacity(0, 4, 300), Capacity(0, 4, 600))
    assert not is_held(Capacity(0, 4, 300), Capacity(0.5, 4, 300))
    assert not is_held(None, Capacity(0.5, 4, 300))
