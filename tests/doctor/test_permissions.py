from __future__ import annotations

import pytest

from aurora_tenants.doctor.caller import Caller
from aurora_tenants.doctor.permissions import (
    Denial,
    Need,
    Permissions,
    Place,
    check_apply,
    check_deployment,
    check_plan,
    context,
    needed,
    not_simulated,
)

PLACE = Place("aws", "eu-west-1", "123456789012", "shared")
DEPLOYED = Place(
    *("aws", "eu-west-1", "123456789012", "shared", "arn:cluster", "arn:secret", "arn:role", "arn:queue"),
)
BOTH = ("plan", "apply", "pause-schedule", "shared deploy")


def test_whoever_cannot_be_simulated_is_told_so():
    federated = Caller("arn:aws:sts::123456789012:federated-user/ada", "123456789012")
    assert "federated-user/ada" in not_simulated(federated).found
    assert "root" in not_simulated(Caller("arn:aws:iam::123456789012:root", "123456789012")).found


def test_before_the_first_deployment_only_that_is_simulated():
    assert {need.command for need in needed(PLACE)} == {"shared deploy"}
    assert {need.command for need in needed(DEPLOYED)} == {*BOTH}


def test_passing_a_role_is_simulated_with_the_service_that_it_goes_to():
    """A policy like the shared stack's allows it to CloudFormation alone."""
    (need,) = (need for need in needed(DEPLOYED) if need.resource == "arn:role")
    assert need.context == {"iam:PassedToService": "cloudformation.amazonaws.com"}


def test_every_name_begins_with_the_stacks_where_cloudformation_makes_it_up():
    roles = [need.resource for need in needed(PLACE) if "iam:CreateRole" in need.actions]
    assert roles == ["arn:aws:iam::123456789012:role/shared-x"]


def denied(command: str, *actions: str, by: str = "", asked: tuple[str, ...] = BOTH) -> Permissions:
    return Permissions(asked, tuple(Denial(command, action, "arn:x", by) for action in actions))


def test_what_is_denied_is_a_problem_only_to_whom_it_stops():
    for check, command, asked, result in (
        (check_plan, "plan", BOTH, "problem"),
        (check_apply, "apply", BOTH, "warning"),
        (check_apply, "pause-schedule", BOTH, "warning"),
        (check_deployment, "shared deploy", BOTH, "warning"),
        (check_deployment, "shared deploy", ("shared deploy",), "problem"),
    ):
        (verdict,) = check(denied(command, "a:B", asked=asked))
        assert (verdict.result, "a:B on arn:x" in verdict.found, bool(verdict.fix)) == (result, True, True)
        (other,) = check(denied("another", "a:B", asked=asked))
        assert other.result == "ok"


def test_at_most_three_denials_are_named():
    (verdict,) = check_plan(denied("plan", "a:A", "a:B", "a:C", "a:D", "a:E"))
    assert verdict.found.endswith("a:C on arn:x and 2 more")


def test_what_no_policy_of_the_account_could_allow_has_another_fix():
    (verdict,) = check_plan(denied("plan", "a:A", by="boundary"))
    assert (verdict.result, verdict.fix) == ("problem", "ask whoever looks after its permissions boundary")


def test_what_may_depend_on_a_condition_that_nobody_knows_is_a_warning():
    """The certain denial beside it is the problem."""
    unsure = Denial("plan", "a:A", "arn:x", depends=("aws:MultiFactorAuthPresent",))
    for check, command in ((check_plan, "plan"), (check_deployment, "shared deploy")):
        (alone,) = check(Permissions((command,), (unsure._replace(command=command),)))
        assert alone.result == "warning"
        assert alone.found == (
            f"whether the caller may do what {command} needs may depend on aws:MultiFactorAuthPresent: a:A on arn:x"
        )
    certain, beside = check_plan(Permissions(BOTH, (unsure, Denial("plan", "a:B", "arn:x"))))
    assert (certain.result, beside.result) == ("problem", "warning")
    assert certain.found.endswith("may not do: a:B on arn:x")


def test_what_the_organization_denies_is_a_warning_for_its_conditions_are_not_told():
    (verdict,) = check_plan(denied("plan", "a:A", by="organization"))
    assert verdict.result == "warning"
    assert "may depend on conditions of the organization's policies: a:A on arn:x" in verdict.found
    assert verdict.fix == "ask whoever looks after the organization's policies whether they forbid it"


ROLE = "arn:aws:iam::123456789012:role/ci"


@pytest.mark.parametrize(
    ("action", "source", "region"),
    [
        ("rds:CreateDBCluster", ROLE, "eu-west-1"),
        ("iam:CreateRole", ROLE, "us-east-1"),
        ("iam:CreateRole", ROLE.replace("aws", "aws-us-gov"), "us-gov-west-1"),
        ("iam:CreateRole", ROLE.replace("aws", "aws-eusc"), "eu-west-1"),
    ],
)
def test_conditions_are_told_what_every_call_has(action: str, source: str, region: str):
    assert context(Need("plan", "*", (action,), {"x:Y": "z"}), source, "eu-west-1") == {
        "aws:RequestedRegion": region,
        "aws:SecureTransport": "true",
        "aws:PrincipalAccount": "123456789012",
        "aws:PrincipalArn": source,
        "x:Y": "z",
    }
