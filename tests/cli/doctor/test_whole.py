"""Nothing is wrong; and what doctor does and says whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from aurora_tenants.mysql.live import select
from tests.cli.conftest import CommandLine
from tests.cli.doctor.conftest import SHOP, Examine, bad, result_of
from tests.cloud import Cloud
from tests.endpoint import Endpoint, set_environment

READS = ("Describe", "Get", "List", "Simulate", "Validate")


def test_nothing_is_wrong_with_an_empty_account(in_bare: Examine, run: CommandLine):
    run.file(SHOP)
    code, checks = in_bare()
    assert (code, bad(checks), bad(checks, "warning")) == (0, {}, {})
    assert result_of(checks, "zones") == result_of(checks, "engine") == result_of(checks, "may-deploy-shared") == "ok"
    assert result_of(checks, "may-plan") == result_of(checks, "functions") == "not-checked"


def test_nothing_is_wrong_with_what_is_deployed(examine: Examine, run: CommandLine):
    run.file(SHOP)
    assert run("aurora-tenants apply --yes").code == 0
    code, checks = examine()
    assert (code, bad(checks), bad(checks, "warning")) == (0, {}, {})
    skipped = {check["check"] for check in checks if check["result"] == "not-checked"}
    assert skipped == {"zones", "vpc-quota", "role-quota", "cluster"}


def documented() -> set[str]:
    """The operations that docs/doctor.md lists."""
    text = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text().partition("## What it calls")[2]
    return {name for line in text.split("```")[1].strip().split("\n") for name in line.partition(":")[2].split()}


def test_only_calls_that_change_nothing_are_made(
    examine: Examine, cloud: Cloud, bare: Endpoint, run: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    """Those of the sandbox's own services are counted there; a hook sees all, before they are sent."""
    run.file(SHOP)
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    made, make = list[Any](), Session.create_client

    def client(self: Session, name: str, **options: Any) -> Any:
        def note(model: Any, params: Any, **_: Any) -> None:
            made.append((name, model.name, params["body"]))

        seen = make(self, name, **options)
        seen.meta.events.register("before-call", note)
        return seen

    before = cloud.calls()
    monkeypatch.setattr(Session, "create_client", client)
    assert examine(f"--cluster {cluster}")[0] == 0
    counted = {name.partition(":")[2] for name in cloud.calls() - before}
    set_environment(monkeypatch, bare.environment)
    assert examine()[0] == 0
    asked = [json.loads(body)["sql"] for service, _, body in made if service == "rds-data"]
    assert asked == [select(("1",), "FROM DUAL")]
    operations = {operation for service, operation, _ in made if service != "rds-data"}
    assert [operation for operation in operations if not operation.startswith(READS)] == []
    assert counted - operations == {"ExecuteStatement"}
    assert (operations - documented(), documented() - operations) == ({"GetCallerIdentity"}, set())


def test_text_says_a_line_for_each_check_and_a_total(in_bare: Examine, run: CommandLine):
    run.file("")
    ended = run("aurora-tenants doctor --no-color --stack " + "s" * 40)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[-1].startswith("2 problems, 0 warnings, ")
    assert f"problem      names              stack name {'s' * 40} is 1 character too long" in lines
    at = next(number for number, line in enumerate(lines) if line.startswith("problem      names"))
    assert [line.strip().partition(":")[0] for line in lines[at + 1 : at + 3]] == ["why", "fix"]
