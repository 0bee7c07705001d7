"""The pause schedule is removed, and what the cluster scales from then on."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cli.conftest import CommandLine, Terminal
from tests.cli.pause_schedule.conftest import ASLEEP, AWAKE, NOTHING, SHOP, STACK, listening, move_to, scaling, set_to
from tests.cloud import Cloud


def test_clear_asks_what_should_hold_from_now_on(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    before = (run.directory / "tenants.yaml").read_text()
    set_to(run)
    monkeypatch.setattr(sys, "stdin", Terminal("asleep\nyes\n"))
    ended = run("aurora-tenants pause-schedule clear")
    assert (ended.code, ended.out) == (
        0,
        "The pause schedule is removed. The cluster scales from now on: 0 to 2 ACU, pauses after 5 min.\n",
    )
    assert ended.err.startswith(
        "What should hold from now on?\n  asleep  0 to 2 ACU, pauses after 5 min\n  awake   0.5 to 4 ACU\n  stay    "
    )
    assert (cloud.stacks(), scaling(cloud)) == ({}, ASLEEP)
    assert (run.directory / "tenants.yaml").read_text() == before
    assert run("aurora-tenants pause-schedule clear").out == (
        "There is no pause schedule, neither in tenants.yaml nor deployed.\n"
    )


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("awake", AWAKE),
        ("1-8", {"MinCapacity": 1.0, "MaxCapacity": 8.0}),
        ("0-1 --pause-after 20m", {"MinCapacity": 0.0, "MaxCapacity": 1.0, "SecondsUntilAutoPause": 1200}),
    ],
)
def test_clear_can_be_told_what_should_hold(run: CommandLine, cloud: Cloud, then: str, expected: dict[str, Any]):
    run.file("  {}\n")
    set_to(run)
    assert run(f"aurora-tenants pause-schedule clear --yes --then {then}").code == 0
    assert scaling(cloud) == expected


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--yes", 1, "error: --then is missing: what should hold from now on?  [not-said]\n"),
        ("--yes --then tomorrow", 64, "error: --then cannot be tomorrow  [unknown-then]\n"),
        ("--yes --then 4-1", 64, "[minimum-over-maximum]\n"),
        ("--yes --then 0-300", 64, "[wrong-value]\n"),
        ("--yes --then 0-4 --pause-after 1m", 64, "[wrong-value]\n"),
        ("--then stay", 1, "error: this needs to be confirmed  [not-confirmed]\n"),
        ("--then stay --file-only", 64, "error: --then cannot go together with --file-only  [unknown-then]\n"),
    ],
)
def test_clear_without_an_answer_changes_nothing(run: CommandLine, cloud: Cloud, options: str, code: int, said: str):
    run.file("  {}\n")
    set_to(run)
    text, before = (run.directory / "tenants.yaml").read_text(), scaling(cloud)
    ended = run(f"aurora-tenants pause-schedule clear {options}")
    assert (ended.code, ended.out, said in ended.err) == (code, "", True), ended
    assert ended.err.endswith(NOTHING)
    assert (run.directory / "tenants.yaml").read_text() == text
    assert (cloud.stacks(), scaling(cloud)) == ({STACK: "CREATE_COMPLETE"}, before)


def test_a_schedule_taken_out_of_the_file_is_removed_by_apply_and_the_scaling_stays(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    move_to(cloud, 1, 12)
    set_to(run)
    assert run("aurora-tenants pause-schedule clear --file-only").code == 0
    ended = run("aurora-tenants plan")
    assert (
        f"- delete pause schedule  (stack {STACK}: no longer in the file)\n"
        "    - drop    schedule asleep-MON-FRI-1700\n"
        "    - drop    schedule awake-MON-FRI-0700\n"
        "    the cluster's scaling stays as it is now: 0.5 to 4 ACU\n"
    ) in ended.out
    ended = run("aurora-tenants apply --yes")
    assert ended.out.endswith("The pause schedule is removed; the cluster's scaling stays as it is: 0.5 to 4 ACU.\n")
    assert (ended.code, cloud.stacks(), scaling(cloud)) == (0, {}, AWAKE)


def test_a_clear_that_could_not_bring_the_cluster_says_what_does(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    """RDS refuses the change when the section and the stack are gone: awake and asleep have no meaning any more."""

    def refuse(params: dict[str, Any], **_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ModifyDBCluster")

    run.file("  {}\n")
    move_to(cloud, 1, 12)
    set_to(run)
    with listening(monkeypatch, "provide-client-params.rds.ModifyDBCluster", refuse):
        ended = run("aurora-tenants pause-schedule clear --yes --then asleep")
    again = "aurora-tenants pause-schedule clear --then 0-2 --pause-after 300s"
    assert (ended.code, cloud.stacks(), scaling(cloud)) == (1, {}, AWAKE)
    assert f"tenants.yaml is written already; run `{again}` when the cause is gone  [not-deployed]\n" in ended.err
    ended = run("aurora-tenants pause-schedule clear --yes --then asleep")
    assert (ended.code, "error: --then cannot be asleep  [unknown-then]\n" in ended.err) == (64, True), ended
    assert run(f"{again} --yes").code == 0
    assert scaling(cloud) == ASLEEP
