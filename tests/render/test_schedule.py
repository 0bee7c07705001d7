"""What users see of a pause schedule: the week, what comes next, the cost; as text and from the same value as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aurora_tenants.model import Capacity, PauseSchedule, Window
from aurora_tenants.render import schedule as render_schedule
from aurora_tenants.schedule import cost
from aurora_tenants.schedule.plan import LivePause
from aurora_tenants.schedule.view import View, look
from aurora_tenants.stack import Stack
from tests.goldens import golden
from tests.schedule.test_plan import LIVE_CLUSTER, live, planned, stack
from tests.schedule.test_template import ASLEEP, AWAKE, CLUSTER, OFFICE


def looked(
    schedule: PauseSchedule | None = OFFICE,
    *,
    there: LivePause | None = None,
    deployed: Stack | None = None,
    acu: float | None = 0.5,
) -> View:
    made = planned(there or LivePause(LIVE_CLUSTER), deployed, cluster=replace(CLUSTER, pause_schedule=schedule))
    price = cost.monthly(schedule, region="eu-west-1", secrets=3, year=2026) if schedule else None
    return look("tenants.yaml", made, price, acu)


def at_noon() -> LivePause:
    return replace(live(), cluster=replace(LIVE_CLUSTER, capacity=AWAKE))


def text_of(it: View) -> str:
    return render_schedule.show(it).plain


def test_everything_of_office_hours():
    text = text_of(looked(there=at_noon(), deployed=stack())) + "\n"
    assert text == golden("pause_schedule.txt", text)


def test_the_document_shows_what_show_shows():
    document = Path(__file__).parents[2] / "docs" / "pause-schedule.md"
    assert (
        golden("pause_schedule.txt", text_of(looked(there=at_noon(), deployed=stack())) + "\n") in document.read_text()
    )


def test_everything_of_office_hours_as_json():
    data = render_schedule.show_data(looked(there=live(), deployed=stack()))
    text = json.dumps(data, indent=2) + "\n"
    assert text == golden("pause_schedule.json", text)


def week(*windows: Window) -> list[str]:
    picture = render_schedule.week(PauseSchedule("UTC", windows, ASLEEP), is_plain=True).plain
    return picture.splitlines()


def test_a_window_over_midnight_is_drawn_on_both_days():
    rows = week(Window((6,), 22 * 60, 2 * 60, AWAKE))
    assert rows[7] == f"  Sun  {'.' * 44}####"
    assert rows[1] == f"  Mon  ####{'.' * 44}"


def test_capacities_have_marks_of_their_own():
    rows = week(Window((0,), 0, 720, AWAKE), Window((0,), 720, 1440, Capacity(2, 8)))
    assert rows[1] == f"  Mon  {'#' * 24}{'%' * 24}"
    assert rows[8:] == [
        "       # awake: 0.5 to 4 ACU",
        "       % awake: 2 to 8 ACU",
        "       . asleep: 0 to 2 ACU, pauses after 5 min",
    ]


def test_a_mark_is_what_holds_longest_in_its_half_hour():
    assert week(Window((0,), 20, 80, AWAKE))[1].startswith("  Mon  .##.")


def test_every_row_has_forty_eight_marks():
    rows = week(Window((0, 2), 1, 2, AWAKE), Window((1,), 1439, 1, AWAKE))
    assert {len(row) for row in rows[1:8]} == {7 + 48}


def test_a_narrow_terminal_gets_a_mark_for_each_hour():
    picture = render_schedule.week(OFFICE, is_plain=True, columns=40).plain.splitlines()
    assert picture[:2] == ["       00 03 06 09 12 15 18 21 24", f"  Mon  {'.' * 7}{'#' * 10}{'.' * 7}"]


def test_what_is_awake_is_not_dimmed_with_the_hours():
    picture = render_schedule.week(OFFICE)
    at = picture.plain.index("█")
    assert [span.style for span in picture.spans if span.start <= at < span.end] == ["green"]
    assert picture.style == ""


def test_clock_changes_say_what_they_skip_and_what_they_repeat():
    night = PauseSchedule("Europe/Berlin", (Window((6,), 150, 540, AWAKE),), ASLEEP)
    text = text_of(looked(night))
    assert (
        "  Sun 2027-03-28 01:00 UTC: from UTC+01:00 to UTC+02:00, so that all of it comes 60 min earlier in UTC\n"
        "    Sun 02:30 does not exist that day: awake is skipped, 0 to 2 ACU, pauses after 5 min stays until"
        " Sun 2027-03-28 07:00 UTC\n"
        "  Sun 2027-10-31 01:00 UTC: from UTC+02:00 to UTC+01:00, so that all of it comes 60 min later in UTC\n"
        "    Sun 02:30 comes twice that day: awake the first time only, at 00:30 UTC\n"
    ) in text


def test_a_week_without_a_change_says_so():
    always = PauseSchedule("UTC", (Window(tuple(range(7)), 0, 1440, AWAKE),), ASLEEP)
    assert "  nothing: the same capacity holds all week\n" in text_of(looked(always))


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (looked(), "stack shared-pause-schedule is not deployed yet; apply deploys it"),
        (looked(there=live(), deployed=stack()), "stack shared-pause-schedule is deployed as the file says"),
        (
            looked(there=LivePause(LIVE_CLUSTER), deployed=stack()),
            "stack shared-pause-schedule differs from the file; plan shows how",
        ),
        (
            looked(None, there=live(), deployed=stack()),
            "stack shared-pause-schedule is still deployed; apply removes it",
        ),
        (looked(None), "no schedule is deployed"),
        (looked(acu=0.0), "it is at this moment: paused"),
        (looked(acu=None), "it is at this moment: not measured in the last minutes"),
        (looked(), "the schedule sets for this hour: 0.5 to 4 ACU"),
        (
            looked(there=LivePause(replace(LIVE_CLUSTER, capacity=None))),
            "stack shared-pause-schedule cannot be deployed: the cluster of stack shared is not Serverless v2",
        ),
    ],
)
def test_now_says_how_the_stack_and_the_cluster_are(shown: View, line: str):
    assert line in text_of(shown).partition("Now\n")[2]


def test_what_the_hour_asks_for_is_not_said_where_it_holds():
    night = datetime(2026, 11, 23, 22, tzinfo=UTC)
    there = LivePause(replace(LIVE_CLUSTER, now=night))
    assert "of this hour" not in text_of(looked(there=there))


def test_names_of_schedules_are_shown_as_they_are():
    """A schedule in the group may be called anything, and send anything."""
    entries = live().entries
    assert entries
    strange = replace(entries[0], name=entries[0].name, input="\x1b[31m[red]")
    there = LivePause(LIVE_CLUSTER, (strange, *entries[1:]))
    made = planned(there, stack())
    assert "\\x1b[31m[red]" in render_schedule.part(made).plain


def test_nothing_to_do_shows_nothing():
    assert [render_schedule.part(made).plain for made in (None, planned(live(), stack()))] == ["", ""]
