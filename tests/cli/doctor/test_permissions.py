"""What the caller may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.doctor.conftest import Examine, bad, only_problem, result_of
from tests.cli.test_policies import role_of
from tests.cloud import SHARED, Cloud
from tests.endpoint import Endpoint


@dataclass(frozen=True)
class Keys:
    """Access keys by the name of the role that they are of."""

    keys: Mapping[str, str]
    patch: pytest.MonkeyPatch

    def __call__(self, role: str) -> None:
        self.patch.setenv("AWS_ACCESS_KEY_ID", self.keys[role])


def policy(*actions: str, denials: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    statements = [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}, *denials]
    document = {"Statement": statements, "Version": "2012-10-17"}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}


EVERYTHING_READ = (
    *("cloudformation:Describe*", "cloudformation:Get*", "cloudformation:List*", "cloudformation:ValidateTemplate"),
    *("cloudwatch:Get*", "ec2:Describe*", "iam:Get*", "iam:Simulate*", "lambda:Get*", "rds:Describe*"),
    *("secretsmanager:DescribeSecret", "servicequotas:Get*", "sqs:Get*", "scheduler:Get*", "scheduler:List*"),
)
WRITES = ("cloudformation:*", "kms:*", "rds:*", "scheduler:*", "secretsmanager:*", "lambda:*", "iam:*", "logs:*")
WRITES += ("sqs:*", "ec2:*", "sns:*", "events:*", "cloudwatch:*")


@pytest.fixture
def act_as(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, run: CommandLine) -> Keys:
    """Roles that may read everything but MySQL; may do nothing; and may plan, as a pull request does."""
    shared = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
    plan = next(it["OutputValue"] for it in shared if it["OutputKey"] == "PlanPolicy")
    resources = {"NoMysql": policy(*EVERYTHING_READ, *WRITES), "Simulates": policy("iam:SimulatePrincipalPolicy")}
    resources |= role_of("Reader", [{"Ref": "NoMysql"}]) | role_of("Nobody", [])  # type: ignore[list-item]
    resources |= role_of("Plan", [plan]) | role_of("Planner", [plan, {"Ref": "Simulates"}])  # type: ignore[list-item]
    resources |= {"Looks": policy("cloudformation:ValidateTemplate")}
    resources |= role_of("Looker", [{"Ref": "Looks"}])  # type: ignore[list-item]
    names = ("Reader", "Nobody", "Plan", "Planner", "Looker")
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Key"]}} for name in names}
    body = {"Resources": resources, "Outputs": outputs}
    assert cloud.deploy("ci", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    told = cloud.client("cloudformation").describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    return Keys({it["OutputKey"]: it["OutputValue"] for it in told}, monkeypatch)


def test_world_15_the_data_api_is_denied(examine: Examine, act_as: Keys):
    """The denied call itself is a warning, and what it means to plans is the problem."""
    act_as("Reader")
    code, checks = examine()
    assert code == 1
    (missing,) = bad(checks)["may-plan"]
    assert missing.startswith("plan needs what the caller may not do: rds-data:ExecuteStatement on arn:aws:rds:")
    assert bad(checks).keys() == {"may-plan"}
    assert bad(checks, "warning").keys() == {"data-api"}


def test_world_16_the_caller_may_do_nothing(examine: Examine, act_as: Keys):
    act_as("Nobody")
    code, checks = examine()
    problem = only_problem(code, checks)
    assert problem["check"] == "credentials"
    assert "Nobody" in problem["found"]
    assert result_of(checks, "shared-stack") == result_of(checks, "may-plan") == "not-checked"


def test_who_may_do_one_thing_is_told_of_each_missing_permission(examine: Examine, act_as: Keys):
    """Nobody is told of what cannot be looked at that it is broken; each line names the action that is missing."""
    act_as("Looker")
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    denied = {check["check"]: check["fix"] for check in checks if check["result"] == "warning"}
    assert denied["may-plan"] == "allow iam:SimulatePrincipalPolicy and iam:GetRole"
    assert denied["engine"] == "allow rds:DescribeDBEngineVersions"
    assert "shared-stack" in denied
    assert result_of(checks, "shared-template") == result_of(checks, "credentials") == "ok"


def test_a_pull_request_may_plan_and_not_apply(examine: Examine, act_as: Keys):
    act_as("Planner")
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert result_of(checks, "may-plan") == "ok"
    assert {"may-apply", "may-deploy-shared"} <= bad(checks, "warning").keys()


def test_without_simulation_a_pull_request_learns_that_mysql_answers(examine: Examine, act_as: Keys):
    act_as("Plan")
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert result_of(checks, "may-plan") == "warning"
    assert result_of(checks, "data-api") == result_of(checks, "inspector-secret") == "ok"


def test_world_17_a_caller_without_permissions_would_deploy_first(
    in_bare: Examine, bare: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    resources = {"Looks": policy(*EVERYTHING_READ), **role_of("Reader", [{"Ref": "Looks"}])}  # type: ignore[list-item]
    outputs = {"Key": {"Value": {"Fn::GetAtt": ["Reader", "Key"]}}}
    body = {"Resources": resources, "Outputs": outputs}
    assert bare.deploy("ci", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    (key,) = bare.client("cloudformation").describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["OutputValue"])
    code, checks = in_bare()
    assert code == 1
    (missing,) = bad(checks)["may-deploy-shared"]
    assert (
        "cloudformation:CreateChangeSet on arn:aws:cloudformation:eu-west-1:123456789012:stack/shared-global/x"
        in missing
    )
    assert bad(checks).keys() == {"may-deploy-shared"}


def test_a_role_with_a_path_has_to_be_told_by_iam(in_bare: Examine, bare: Endpoint, monkeypatch: pytest.MonkeyPatch):
    """A session's ARN, as of every role of IAM Identity Center, does not have the path."""
    resources = {"Simulates": policy("iam:Simulate*", "ec2:Describe*"), **role_of("Sso", [{"Ref": "Simulates"}])}  # type: ignore[list-item]
    resources["SsoRole"]["Properties"]["Path"] = "/aws-reserved/sso.amazonaws.com/"
    body = {"Resources": resources, "Outputs": {"Key": {"Value": {"Fn::GetAtt": ["Sso", "Key"]}}}}
    assert bare.deploy("sso", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    (key,) = bare.client("cloudformation").describe_stacks(StackName="sso")["Stacks"][0]["Outputs"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["OutputValue"])
    _, checks = in_bare()
    (unknown,) = (check for check in checks if check["check"] == "may-deploy-shared")
    assert unknown["result"] == "warning"
    assert unknown["found"].endswith("only with its path, and may not tell it")
    assert unknown["fix"] == "allow iam:GetRole"


def test_a_session_is_simulated_by_its_role_with_the_path(
    in_bare: Examine, bare: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    role = bare.client("iam").create_role(RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument="{}")["Role"][
        "Arn"
    ]
    key = bare.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", key["SessionToken"])
    code, checks = in_bare()
    assert (code, bad(checks).keys()) == (1, {"may-deploy-shared"})
    (who,) = (check["found"] for check in checks if check["check"] == "credentials")
    assert who == "arn:aws:sts::123456789012:assumed-role/deployer/me, account 123456789012"


# Both as accounts that Control Tower looks after have them. The actions are none of doctor's own: a call that such a
# condition is about is refused here, whatever it says.
DENIES_OTHER_REGIONS = {
    "Effect": "Deny",
    "Action": ["rds:Create*", "cloudformation:Create*", "scheduler:Create*"],
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}},
}
DENIES_WITHOUT_MFA = {
    "Effect": "Deny",
    "Action": ["iam:Create*", "rds-data:*"],
    "Resource": "*",
    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
}


def test_world_18_other_regions_and_calls_without_mfa_are_denied(
    in_bare: Examine, bare: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    """The region is known, and IAM's own; whether there was MFA is not, and what it denies may be allowed."""
    everything = policy(*EVERYTHING_READ, *WRITES, denials=(DENIES_OTHER_REGIONS, DENIES_WITHOUT_MFA))
    resources = {"Most": everything, **role_of("Admin", [{"Ref": "Most"}])}  # type: ignore[list-item]
    body = {"Resources": resources, "Outputs": {"Key": {"Value": {"Fn::GetAtt": ["Admin", "Key"]}}}}
    assert bare.deploy("guarded", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    (key,) = bare.client("cloudformation").describe_stacks(StackName="guarded")["Stacks"][0]["Outputs"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["OutputValue"])
    code, checks = in_bare()
    assert (code, bad(checks)) == (0, {})
    (unsure,) = bad(checks, "warning")["may-deploy-shared"]
    assert unsure.startswith(
        "whether the caller may do what shared deploy needs may depend on aws:MultiFactorAuthPresent: iam:CreateServ"
    )
    assert unsure.count("iam:Create") == unsure.count(" on arn:") == 3
    assert bad(checks, "warning").keys() == {"may-deploy-shared"}
