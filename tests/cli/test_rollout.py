"""Tenants group by group, by literal command lines: what is begun, what is left, and which command goes on."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.cli.conftest import HEAD, CommandLine, Terminal
from tests.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean", "blind")
PAUSES = """rollout:
  groups:
    - {name: canary, tenants: [shop-dev], pause: manual}
    - {name: rest, tenants: ["*"]}
"""
FAILS = "      failing: {privileges: [{permission: SELECT, database: %s, table: missing}]}\n"
TO_GO_ON = "2 tenants of group rest were not touched. To go on: aurora-tenants apply --group rest\n"


class Impatient(Terminal):
    """Where somebody answers once, and presses Ctrl-C at the next question."""

    def readline(self, size: int | None = -1, /) -> str:
        if self.tell():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        return super().readline()


def write(run: CommandLine, *names: str, fails: tuple[str, ...] = (), rollout: str = PAUSES) -> None:
    """A file with tenants of these names, some of whom have a user that cannot be made."""
    bodies = (
        f"  {name}:\n    databases: {{{name}: }}\n"
        + ("    users:\n" + FAILS.replace("failing", f"f-{name}") % name) * (name in fails)
        for name in names
    )
    run.file("".join(bodies), head=HEAD.replace("tenants:\n", rollout + "tenants:\n"))


def stacks(cloud: Cloud) -> set[str]:
    return {name.removeprefix("shared-global-") for name, status in cloud.stacks().items() if "ROLLBACK" not in status}


def test_a_canary_comes_first_and_the_rest_only_once_somebody_says_so(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    write(run, "billing", "shop-dev", "old", fails=("shop-dev",))

    # A canary that fails leaves the rest untouched.
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, stacks(cloud)) == (1, set())
    assert "group canary failed: 2 tenants of group rest were not touched  [group-failed]" in ended.err
    assert ended.err.count("not touched") == 1
    assert "why: failed: shop-dev\n    fix: mend that, and apply again\n" in ended.err
    assert ended.err.endswith("For what is left, when the cause is gone: aurora-tenants apply\n")

    # Nothing was proved on it, so the rest is refused alone.
    refused = run("aurora-tenants apply --group rest --yes")
    assert (refused.code, stacks(cloud)) == (1, set())
    assert "error: group canary comes before this one, and is not deployed: shop-dev  [skips-group]" in refused.err

    # Without anybody to ask, a run ends at the pause, however often it is begun.
    write(run, "billing", "shop-dev", "old")
    for _ in range(2):
        ended = run("aurora-tenants apply --yes")
        assert (ended.code, stacks(cloud)) == (0, {"shop-dev"})
        assert ended.out.endswith(f"\nGroup canary pauses: {TO_GO_ON}")
    assert run("aurora-tenants plan --detailed-exitcode").code == 2
    result = json.loads(run("aurora-tenants apply --yes --output json").out)
    assert (result["outcome"], result["left"]) == ("paused", ["billing", "old"])
    assert result["again"] == "aurora-tenants apply --group rest"

    # A group alone, with what comes after all tenants.
    ended = run("aurora-tenants apply --group rest --yes")
    assert (ended.code, stacks(cloud)) == (0, {"shop-dev", "billing", "old"})

    # Whoever has said yes to a plan in which nothing happens to the canary is not asked again; removals come last.
    write(run, "billing", "shop-dev", "new")
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    ended = run("aurora-tenants apply")
    assert (ended.code, stacks(cloud)) == (0, {"shop-dev", "billing", "new"})
    assert ended.err.index("new: created") < ended.err.index("old: started")

    # In a terminal the pause asks.
    write(run, "billing", "shop-dev", "new", "more")
    cloud.sql("DROP DATABASE `shop-dev`")
    monkeypatch.setattr("sys.stdin", Terminal("yes\nno\n"))
    ended = run("aurora-tenants apply")
    assert (ended.code, "more" in stacks(cloud)) == (0, False)
    assert "Group canary is deployed. Go on with the next one? Type yes to go on." in ended.err
    assert "Applied: 1 of 2 tenants." in ended.out
    cloud.sql("DROP DATABASE `shop-dev`")
    monkeypatch.setattr("sys.stdin", Impatient("yes\n"))
    ended = run("aurora-tenants apply")
    assert (ended.code, "more" in stacks(cloud)) == (130, False)
    assert "Interrupted. 1 of 2 tenants applied, 1 stopped." in ended.err

    # A saved plan in which nothing happens to the canary was reviewed after it.
    assert run("aurora-tenants plan --out all.json").code == 0
    assert (run("aurora-tenants apply all.json").code, "more" in stacks(cloud)) == (0, True)


def test_after_so_many_failures_nothing_more_of_a_group_is_begun(run: CommandLine, cloud: Cloud):
    rollout = "rollout:\n  stop_after: 1\n  groups:\n    - {name: all, tenants: ['*']}\n"
    write(run, "a", "b", "c", fails=("a",), rollout=rollout)
    ended = run("aurora-tenants apply --yes --parallel 1 --output json")
    result = json.loads(ended.out)
    assert ([it["outcome"] for it in result["stacks"]], result["outcome"]) == (
        ["failed", "not started", "not started"],
        "failed",
    )
    assert (result["left"], result["again"]) == (["a", "b", "c"], "aurora-tenants apply")
    ended = run("aurora-tenants apply --yes --parallel 1")
    assert (ended.code, stacks(cloud)) == (1, set())
    assert "group all failed: 2 tenants of group all were not touched  [group-failed]\n" in ended.err
    assert "why: failed: a; stop_after is 1\n" in ended.err


def test_a_plan_of_one_group_is_saved_applied_and_not_moved_by_another_group(run: CommandLine, cloud: Cloud):
    write(run, "billing", "shop-dev")
    assert run("aurora-tenants plan --group rest --out rest.json").code == 0
    assert run("aurora-tenants apply --group canary --yes").out.endswith(
        "The next group: aurora-tenants apply --group rest\n"
    )
    assert run("aurora-tenants apply rest.json --group rest").code == 64
    assert run("aurora-tenants apply rest.json").code == 0
    assert stacks(cloud) == {"shop-dev", "billing"}
    plan = json.loads(run("aurora-tenants plan --output json").out)
    assert [(it["tenant"], it["group"]) for it in plan["tenants"]] == [("shop-dev", "canary"), ("billing", "rest")]
    assert [group["name"] for group in plan["rollout"]["groups"]] == ["canary", "rest"]


def test_a_group_that_is_not_there_is_told_before_anything_of_aws_and_wakes_nothing(run: CommandLine, cloud: Cloud):
    write(run, "billing", "shop-dev")
    before = cloud.calls()
    ended = run("aurora-tenants apply --group canry --yes")
    assert (ended.code, ended.err) == (
        64,
        "error: there is no group canry  [unknown-group]\n    fix: known: canary, rest\nNothing was changed.\n",
    )
    assert {name.partition(":")[0] for name in cloud.calls() - before} <= {"sts", "cloudformation", "secretsmanager"}


def test_the_cluster_is_saved_before_the_group_that_drops_something(run: CommandLine, cloud: Cloud):
    head = HEAD.replace("shared-global", "shared-global, snapshot_before_drop: true")
    groups = "rollout: {groups: [{name: canary, tenants: [shop-dev]}, {name: rest, tenants: ['*']}]}\n"
    head = head.replace("tenants:\n", f"{groups}tenants:\n")
    shop = "  shop-dev: {databases: {%s: }}\n"
    run.file(
        shop % "shop-dev" + "  old: {databases: {old: {on_remove: drop}}}\n  stays: {databases: {stays: }}\n", head=head
    )
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql("CREATE TABLE old.t (id INT)")
    run.file(shop % "shop-dev: , more" + "  stays: {databases: {stays: }}\n", head=head)
    assert "Before a group is deployed that drops something, a snapshot" in run("aurora-tenants plan").out
    cloud.changes_take(3600)
    late = run("aurora-tenants apply --yes --allow-drop old --snapshot-wait 0")
    cloud.changes_take(0)
    assert (late.code, "[snapshot-not-ready]" in late.err, stacks(cloud)) == (1, True, {"shop-dev", "old", "stays"})
    assert cloud.sql("SHOW DATABASES LIKE 'more'") == [("more",)]
    ended = run("aurora-tenants apply --yes --allow-drop old")
    assert (ended.code, "is available after" in ended.err, stacks(cloud)) == (0, True, {"shop-dev", "stays"})
