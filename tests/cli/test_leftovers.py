"""What an apply leaves that is ended in the middle, and what the next one makes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from aurora_tenants.aws import changesets
from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

SHOP = """
  shop:
    databases: {shop: {}}
    users: {shop: {rotate_after_days: %s, privileges: [{permission: ALL, database: shop}]}}
"""
STACK = "shared-global-shop"


class Killed(BaseException):
    """The process is no more."""


def left(cloud: Cloud) -> list[str]:
    summaries = cloud.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    return [it["ChangeSetName"] for it in summaries]


def killed(run: CommandLine, operation: str, *, before: bool = False) -> None:
    """An apply that does nothing more once this call was made, or before it is."""
    call, is_dead = BaseClient._make_api_call, False

    def make(self: Any, name: str, parameters: Any) -> Any:
        nonlocal is_dead
        if is_dead or (before and name == operation):
            is_dead = True
            raise Killed
        answer = call(self, name, parameters)
        is_dead = name == operation
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", make)
        with pytest.raises(Killed):
            run("aurora-tenants apply --yes")


@pytest.mark.usefixtures("clean")
def test_an_apply_after_a_kill_leaves_nothing(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    """Deployed again, a stack loses every change set; one to which nothing happens any more loses the old ones."""
    run.file(SHOP % 30)
    assert run("aurora-tenants apply --yes").code == 0
    run.file(SHOP % 31)
    killed(run, "CreateChangeSet")
    assert len(left(cloud)) == 1
    assert (run("aurora-tenants apply --yes").code, left(cloud)) == (0, [])
    run.file(SHOP % 32)
    killed(run, "ExecuteChangeSet", before=True)
    (name,) = left(cloud)
    run.file(SHOP % 31)
    assert (run("aurora-tenants apply --yes").code, left(cloud)) == (0, [name])
    monkeypatch.setattr(changesets, "_LONGEST", timedelta(0))
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, left(cloud)) == (0, [])
    assert f"Deleted change set {name} of stack {STACK}, which nobody has executed.\n" in ended.err
