"""Which account and region a command is about: told first, compared with the file, and read from the environment."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import HEAD, CommandLine
from tests.cloud import Cloud

FIRST = "AWS account 123456789012, region eu-west-1"
SET = 'aurora-tenants pause-schedule set --timezone Europe/Berlin --awake "MON-FRI 07:00-17:00" --yes'
OTHER = HEAD.replace("shared-global", 'shared-global, account: "000456789012"')
OURS = HEAD.replace("shared-global", 'shared-global, account: "123456789012"')
TEXTS = (
    "aurora-tenants plan",
    "aurora-tenants apply --yes",
    "aurora-tenants validate --live",
    "aurora-tenants pause-schedule show",
    "aurora-tenants pause-schedule clear --yes --then stay",
    SET,
    "aurora-tenants shared status",
    "aurora-tenants shared deploy --plan",
)
PLAN, APPLY, VALIDATE, SHOW, CLEAR, SET_SCHEDULE, STATUS, DEPLOY = TEXTS
DELETE = "aurora-tenants shared delete"
ENV = "aurora-tenants env shop"


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("line", [*TEXTS, DELETE])
def test_the_first_line_says_account_and_region_and_costs_one_call(run: CommandLine, cloud: Cloud, line: str):
    """The deletion is refused: nobody can be asked."""
    run.file("  {}\n")
    before = cloud.calls()
    run(line)
    assert run.printed.splitlines()[0] == FIRST, run.printed
    assert (cloud.calls() - before)["sts:GetCallerIdentity"] == 1


@pytest.mark.parametrize("line", [PLAN, SHOW, CLEAR, STATUS, DEPLOY])
def test_a_program_finds_account_and_region_in_the_result(run: CommandLine, line: str):
    run.file("  {}\n")
    ended = run(f"{line} --output json")
    told = json.loads(ended.out)
    assert (ended.code, told["account"], told["region"]) == (0, "123456789012", "eu-west-1")
    assert FIRST not in run.printed


def test_what_asks_nothing_of_aws_says_no_account(run: CommandLine):
    run.file("  {}\n")
    for line in ("aurora-tenants validate", f"{SET} --file-only"):
        assert run(line).code == 0
    assert "AWS account" not in run.printed


@pytest.mark.parametrize("line", [*TEXTS, DELETE, ENV])
def test_credentials_of_another_account_are_refused_before_anything_else_is_asked(
    run: CommandLine, cloud: Cloud, line: str
):
    run.file("  shop: {databases: {shop: {}}}\n", head=OTHER)
    before = cloud.calls()
    ended = run(line)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "tenants.yaml:2:42: error: the AWS credentials are of account 123456789012, and cluster.account is "
        "000456789012  [wrong-account]\n"
        "    cluster\n"
        "    why: the file is about the cluster of that account\n"
        "    fix: use credentials of account 000456789012, by --profile or AWS_PROFILE, or correct cluster.account\n"
        "Nothing was changed.\n"
    )
    assert cloud.calls() - before == {"sts:GetCallerIdentity": 1}


def test_credentials_of_the_files_account_are_taken(run: CommandLine):
    run.file("  {}\n", head=OURS)
    assert run(PLAN).code == 0


def test_the_account_of_the_file_is_that_of_its_own_shared_stack_alone(run: CommandLine, cloud: Cloud):
    run.file("  {}\n", head=OTHER.replace("shared-global", "of-another-account"))
    assert run("aurora-tenants shared status --stack shared-global").code == 0


def test_doctor_asks_an_account_that_is_not_the_files_nothing_else(run: CommandLine, cloud: Cloud):
    run.file("  {}\n", head=OTHER)
    before = cloud.calls()
    ended = run("aurora-tenants doctor")
    assert (ended.code, "and cluster.account is 000456789012" in ended.out) == (1, True), ended
    assert cloud.calls() - before == {"sts:GetCallerIdentity": 1}


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
    ],
)
@pytest.mark.parametrize("command", ["shared status", "doctor"])
def test_the_region_of_the_environment(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str, command: str
):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = json.loads(run(f"aurora-tenants {command} --output json").out)
    assert told["region"] == region


def test_what_is_given_and_what_the_file_says_come_before_the_environment(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    run.file("  {}\n", head=HEAD.replace("shared-global", "shared-global, region: eu-west-1"))
    assert json.loads(run(f"{STATUS} --output json").out)["region"] == "eu-west-1"
    run.file("  {}\n", head=HEAD.replace("shared-global", "shared-global, region: us-east-1"))
    assert json.loads(run(f"{STATUS} --region eu-west-1 --output json").out)["region"] == "eu-west-1"
