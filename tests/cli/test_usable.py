"""Which shared stack is meant: names that are not there, near another's or begin it, and one that failed."""

from __future__ import annotations

import json
import sys

import pytest

from aurora_tenants.aws.usable import missing, near
from aurora_tenants.errors import Problem
from aurora_tenants.model import Cluster
from aurora_tenants.revision import FIRST, all_counted_up
from aurora_tenants.tenant.template import template as tenant_template
from tests.cli.conftest import HEAD, CommandLine, Ended, Terminal
from tests.cli.test_shared import NOTHING, shared_template, template
from tests.cloud import SHARED, Cloud
from tests.values import tenant

THERE = "shared stacks of this account and region: "
FAILED = "failed-one"
FIX = f"run: aurora-tenants shared deploy --stack {FAILED}, which continues the rollback and deploys again"
WHY = "its last update failed, and so did undoing that; what it held before can still be read"


@pytest.mark.parametrize(
    ("name", "others", "meant"),
    [
        ("shraed-global", ["shared-global", "billing"], "shared-global"),
        ("Shared-Global", ["shared-global"], "shared-global"),
        ("shared-globl", ["shared-global"], "shared-global"),
        ("team-b", ["team-a"], "team-a"),
        ("billing", ["shared-global"], None),
        ("shared", [], None),
    ],
)
def test_what_is_near(name: str, others: list[str], meant: str | None):
    assert near(name, others) == meant


# A stack that is not there


@pytest.mark.parametrize("command", ["plan", "apply --yes", "pause-schedule show"])
@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("shraed-global", f"did you mean {SHARED}? {THERE}{SHARED}"),
        ("billing", f"name one of the {THERE}{SHARED}; or look in another region"),
    ],
)
def test_a_stack_that_is_not_there_is_answered_with_those_that_are(
    run: CommandLine, cloud: Cloud, command: str, name: str, fix: str
):
    """A plan reads all stacks anyway, beside one by its name, and asks no more for it."""
    run.file("  {}\n", head=HEAD.replace(SHARED, name))
    before = cloud.calls()
    ended = run(f"aurora-tenants {command}")
    assert (ended.code, ended.out, f"    fix: {fix}\n" in ended.err) == (1, "", True), ended
    reads_by_name = 0 if command.startswith("pause-schedule") else 1
    assert cloud.calls() - before == {"sts:GetCallerIdentity": 1, "cloudformation:DescribeStacks": 1 + reads_by_name}


@pytest.mark.parametrize("command", ["status", "delete --yes"])
def test_a_shared_command_says_it_as_well(run: CommandLine, command: str):
    assert run(f"aurora-tenants shared {command} --stack shraed-global") == Ended(
        1,
        "",
        f"error: there is no stack shraed-global  [no-shared-stack]\n    fix: did you mean {SHARED}? {THERE}{SHARED}\n"
        f"{NOTHING}",
    )


def test_only_an_account_without_a_shared_stack_is_told_to_deploy_one():
    assert missing("shared", ()).problems == (
        Problem("no-shared-stack", "there is no stack shared", fix="run: aurora-tenants shared deploy --stack shared"),
    )


def test_of_many_shared_stacks_ten_are_named():
    (problem,) = missing("zzz", [f"s{number:02}" for number in range(12)]).problems
    assert f"{THERE}s00, s01," in problem.fix
    assert "s09 and 2 more" in problem.fix


# A new stack


def test_a_new_stack_of_a_near_name_has_to_be_insisted_on(run: CommandLine, cloud: Cloud):
    """What is insisted on comes as far as its parameters, and so makes nothing."""
    line = "aurora-tenants shared deploy --stack shraed-global"
    before = cloud.stacks()
    ended = run(line)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "error: there is no stack shraed-global, but there is a shared stack shared-global  [near-name]\n"
        "    why: the names are near\n"
        "    fix: did you mean --stack shared-global? If shraed-global is to be one more shared stack,"
        f" pass --new-stack\n{NOTHING}"
    )
    assert "[unknown-parameter]" in run(f"{line} --new-stack --parameter Nonsense=1").err
    assert cloud.stacks() == before


@pytest.mark.parametrize(
    ("name", "shorter", "longer"),
    [("shared", "shared", "shared-global"), ("shared-global-prod", "shared-global", "shared-global-prod")],
)
def test_a_new_stack_whose_name_begins_anothers_is_refused(
    run: CommandLine, cloud: Cloud, name: str, shorter: str, longer: str
):
    before = cloud.stacks()
    ended = run(f"aurora-tenants shared deploy --stack {name} --new-stack")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"error: a shared stack cannot be called {name} beside {SHARED}  [overlapping-name]\n"
        f"    why: the policies for CI of {shorter} allow what begins with {shorter}-, and {longer} does\n"
        f"    fix: choose a name that neither begins the other\n{NOTHING}"
    )
    assert cloud.stacks() == before


@pytest.mark.usefixtures("clean")
def test_names_of_stacks_that_are_no_shared_ones_are_free(run: CommandLine, cloud: Cloud):
    cloud.deploy("network-1", template())
    assert "[unknown-parameter]" in run("aurora-tenants shared deploy --stack network --parameter Nonsense=1").err


@pytest.mark.usefixtures("clean")
def test_a_stack_that_is_there_keeps_its_name_however_near_another(run: CommandLine, cloud: Cloud):
    cloud.deploy("shared-globe", shared_template())
    assert "[unknown-parameter]" in run("aurora-tenants shared deploy --stack shared-globe --parameter Nonsense=1").err


# A stack that has failed


@pytest.fixture
def failed(run: CommandLine, cloud: Cloud, clean: None) -> CommandLine:
    """A file about a shared stack in UPDATE_ROLLBACK_FAILED, whose inspector, cluster and provider are the real ones.

    It holds a user with SUPER, which only RDS itself can take away: neither its update nor the rollback succeeds.
    """
    cloudformation = cloud.client("cloudformation")
    described = cloudformation.describe_stacks(StackName=SHARED)["Stacks"][0]
    outputs = {entry["OutputKey"]: {"Value": entry["OutputValue"]} for entry in described["Outputs"]}
    stuck = {**tenant_template(Cluster(SHARED), tenant("stuck")).body, "Outputs": outputs}
    assert cloud.deploy(FAILED, stuck) == "CREATE_COMPLETE"
    cloud.sql("GRANT SUPER ON *.* TO stuck")
    revised = [{"ParameterKey": "Revision", "ParameterValue": all_counted_up(FIRST)}]
    cloudformation.update_stack(StackName=FAILED, UsePreviousTemplate=True, Parameters=revised)
    assert cloud.settled(FAILED) == "UPDATE_ROLLBACK_FAILED"
    run.file("  shop: {databases: {shop: }}\n", head=HEAD.replace(SHARED, FAILED))
    return run


def test_a_plan_goes_on_reading_from_a_stack_that_has_failed(failed: CommandLine):
    ended = failed("aurora-tenants plan --detailed-exitcode")
    assert (ended.code, "+ tenant shop" in ended.out) == (2, True), ended
    assert f"nothing can be deployed on stack {FAILED}: it is UPDATE_ROLLBACK_FAILED; {WHY}; {FIX}" in ended.out
    told = json.loads(failed("aurora-tenants plan --output json").out)
    assert "failed-shared-stack" in {notice["code"] for notice in told["notices"]}
    assert told["problems"] == []


def test_nothing_is_deployed_on_a_stack_that_has_failed(failed: CommandLine, cloud: Cloud):
    before = cloud.stacks()
    for line in ("apply --yes", 'pause-schedule set --timezone UTC --awake "MON-FRI 07:00-17:00" --yes'):
        ended = failed(f"aurora-tenants {line}")
        assert ended.code == 1
        assert ended.err.endswith(
            f"error: nothing can be deployed on stack {FAILED}: it is UPDATE_ROLLBACK_FAILED  [failed-shared-stack]\n"
            f"    why: {WHY}\n    fix: {FIX}\n{NOTHING}"
        ), ended.err
    assert cloud.stacks() == before


def test_doctor_calls_a_stack_that_has_failed_a_problem(failed: CommandLine):
    checks = json.loads(failed(f"aurora-tenants doctor --stack {FAILED} --output json").out)["checks"]
    (found,) = [check for check in checks if check["check"] == "shared-stack"]
    assert (found["result"], found["fix"]) == ("problem", FIX)


def test_a_deployment_asks_before_it_continues_the_rollback_and_again_before_it_changes_anything(
    failed: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
    line = f"aurora-tenants shared deploy --stack {FAILED} --cluster {cluster} --allow-replace SecretStuck"
    found = f"Stack {FAILED} is UPDATE_ROLLBACK_FAILED: its last update failed at "
    question = f"Continue the rollback of stack {FAILED}? Type yes to go on.\n"

    ended = failed(f"{line} --plan")
    assert (ended.code, ended.out, found in ended.err) == (1, "", True)
    assert f"error: what would be done to stack {FAILED} cannot be shown yet  [rollback-first]\n" in ended.err
    assert (ended.err.endswith(NOTHING), cloud.stacks()[FAILED]) == (True, "UPDATE_ROLLBACK_FAILED")

    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = failed(line)
    assert ended.err.endswith(f"{question}error: not confirmed  [not-confirmed]\n{NOTHING}")
    assert cloud.stacks()[FAILED] == "UPDATE_ROLLBACK_FAILED"

    monkeypatch.setattr(sys, "stdin", Terminal("yes\nno\n"))
    ended = failed(line)
    assert (f"Its rollback failed, too, and is continued first.\n{question}" in ended.err, ended.code) == (True, 1)
    assert ended.err.endswith(f"Deploy stack {FAILED}? Type yes to go on.\nerror: not confirmed  [not-confirmed]\n")
    assert cloud.stacks()[FAILED] == "UPDATE_ROLLBACK_COMPLETE"
