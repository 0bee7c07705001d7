"""The pause schedule as it is shown, as text and as JSON, and what it costs."""

from __future__ import annotations

import json

from aurora_tenants import config
from aurora_tenants.render import schedule as render_schedule
from tests.cli.conftest import CommandLine
from tests.cli.pause_schedule.conftest import BY_FILE, SET, SHOP, STACK, move_to, set_to, wake
from tests.cloud import Cloud


def test_show_says_what_is_deployed_and_wakes_nothing(run: CommandLine, cloud: Cloud):
    """The whole text is a golden of `tests/render/test_schedule.py`: here the season decides the hours in UTC."""
    run.file(SHOP)
    move_to(cloud, 6, 12)
    set_to(run)
    cloud.post("pause", {"seconds": 60})
    before = cloud.calls()
    ended = run("aurora-tenants pause-schedule show")
    assert (ended.code, ended.err) == (0, "")
    assert (
        f"\nNow\n  stack {STACK} is deployed as the file says\n"
        "  the cluster scales 0 to 2 ACU, pauses after 5 min; it is at this moment: paused\n"
    ) in ended.out
    assert (cloud.calls() - before)["rds-data:ExecuteStatement"] == 0


def test_show_on_a_terminal_without_the_characters_of_the_picture(run: CommandLine, cloud: Cloud):
    run.file("  {}\n", head=BY_FILE)
    schedule = config.load(run.directory / "tenants.yaml").cluster.pause_schedule
    assert schedule is not None
    text = render_schedule.week(schedule, is_plain=True).plain
    assert text.isascii()
    assert f"  Mon  {'.' * 14}{'#' * 20}{'.' * 14}\n" in text


def test_show_as_json(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    move_to(cloud, 1, 12)
    set_to(run)
    wake(cloud)
    shown = json.loads(run("aurora-tenants pause-schedule show --output json --acu-price 0.2").out)
    awake = {"min_acu": 0.5, "max_acu": 4.0, "pause_after_seconds": 300}
    assert shown["pause_schedule"] == {
        "timezone": "Europe/Berlin",
        "awake": {"days": "MON-FRI", "from": "07:00", "to": "17:00", "min_acu": 0.5, "max_acu": 4},
        "asleep": {"min_acu": 0, "max_acu": 2, "pause_after_seconds": 300},
    }
    assert shown["stack"]["action"] == "none"
    assert [it["day"] for it in shown["week"]] == ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
    assert [span["state"] for span in shown["week"][0]["spans"]] == ["asleep", "awake", "asleep"]
    assert [it["state"] for it in shown["next"]] == ["asleep", "awake", "asleep"]
    assert len(shown["clock_changes"]) == 2
    cluster = shown["cluster"]
    assert (cluster["scaling"], cluster["should_be"], cluster["is_paused"]) == (awake, awake, False)
    assert (shown["cost"]["acu_hour"], shown["cost"]["price_certainty"]) == (0.2, "given")


def test_show_without_a_schedule(run: CommandLine):
    run.file("  {}\n")
    ended = run("aurora-tenants pause-schedule show")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(
        "tenants.yaml has no pause schedule.\n\nNow\n"
        "  no schedule is deployed\n"
        "  the cluster scales 0 to 2 ACU, pauses after 5 min; it is at this moment: "
    )


def test_both_changes_of_the_clock_within_a_year_are_shown_with_what_they_skip_and_repeat(run: CommandLine):
    run.file("  {}\n")
    run(SET.replace("MON-FRI 07:00-17:00", "SUN 02:30-09:00").replace("--yes", "--file-only"))
    ended = run("aurora-tenants pause-schedule show")
    assert (
        "    Sun 02:30 does not exist that day: awake is skipped, 0 to 2 ACU, pauses after 5 min stays until "
        in ended.out
    )
    assert "    Sun 02:30 comes twice that day: awake the first time only, at 00:30 UTC\n" in ended.out


def test_the_plan_ends_with_what_the_schedule_costs(run: CommandLine):
    run.file(SHOP, head=BY_FILE)
    assert (
        "\nThe cluster costs at least $16.41 a month on its pause schedule (217 of 730 hours awake), $52.30 always on;"
        " storage and load are left out.\n"
    ) in run("aurora-tenants plan").out
    plan = json.loads(run("aurora-tenants plan --output json --acu-price 0.2").out)
    assert (plan["cost"]["acu_hour"], plan["cost"]["secrets"]) == (0.2, 3)
