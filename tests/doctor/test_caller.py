from __future__ import annotations

import pytest

from aurora_tenants.doctor.caller import (
    Caller,
    Clock,
    Denial,
    Permissions,
    Place,
    check_apply,
    check_clock,
    check_credentials,
    check_deployment,
    check_plan,
    needed,
    not_simulated,
    policy_source,
    session_role,
)

ROLE = "arn:aws:sts::123456789012:assumed-role/ci/GitHubActions"
PLACE = Place("aws", "eu-west-1", "123456789012", "shared")
DEPLOYED = Place(
    *("aws", "eu-west-1", "123456789012", "shared", "arn:cluster", "arn:secret", "arn:role", "arn:queue"),
)
BOTH = ("plan", "apply", "pause-schedule", "shared deploy")


@pytest.mark.parametrize(
    ("arn", "source", "role"),
    [
        ("arn:aws:iam::123456789012:user/team/ada", "arn:aws:iam::123456789012:user/team/ada", ""),
        (ROLE, "arn:aws:iam::123456789012:role/ci", "ci"),
        ("arn:aws-cn:sts::123456789012:assumed-role/ci/x", "arn:aws-cn:iam::123456789012:role/ci", "ci"),
        ("arn:aws:iam::123456789012:root", "", ""),
        ("arn:aws:sts::123456789012:federated-user/ada", "", ""),
        ("nonsense", "", ""),
    ],
)
def test_a_caller_is_simulated_by_the_arn_that_iam_knows(arn: str, source: str, role: str):
    assert (policy_source(arn), session_role(arn)) == (source, role)


def test_root_is_a_warning():
    (role,) = check_credentials(Caller(ROLE, "123456789012"))
    (root,) = check_credentials(Caller("arn:aws:iam::123456789012:root", "123456789012"))
    assert (role.result, root.result, bool(root.fix)) == ("ok", "warning", True)


def test_whoever_cannot_be_simulated_is_told_so():
    federated = Caller("arn:aws:sts::123456789012:federated-user/ada", "123456789012")
    assert "federated-user/ada" in not_simulated(federated).found
    assert "root" in not_simulated(Caller("arn:aws:iam::123456789012:root", "123456789012")).found


@pytest.mark.parametrize(
    ("seconds", "is_refused", "result"),
    [
        (0, False, "ok"),
        (-60, False, "ok"),
        (61, False, "warning"),
        (300, False, "warning"),
        (301, True, "problem"),
        (-36_000, True, "problem"),
        (-36_000, False, "warning"),
    ],
)
def test_a_clock_is_a_problem_once_aws_refuses_its_signatures(seconds: float, is_refused: bool, result: str):
    (verdict,) = check_clock(Clock(seconds, is_refused))
    assert (verdict.result, bool(verdict.fix)) == (result, result != "ok")


def test_a_clock_is_told_in_hours_and_minutes():
    (behind,), (ahead,) = check_clock(Clock(-36_000)), check_clock(Clock(150))
    assert behind.found == "this machine's clock is 10 h 0 min behind AWS's"
    assert ahead.found == "this machine's clock is 2 min ahead of AWS's"


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


@pytest.mark.parametrize(("by", "whose"), [("organization", "the organization's"), ("boundary", "its permissions")])
def test_what_no_policy_of_the_account_could_allow_has_another_fix(by: str, whose: str):
    (verdict,) = check_plan(denied("plan", "a:A", by=by))
    assert verdict.fix.startswith(f"ask whoever looks after {whose}")
