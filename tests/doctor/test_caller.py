from __future__ import annotations

import pytest

from aurora_tenants.doctor.caller import (
    Caller,
    Clock,
    check_clock,
    check_credentials,
    policy_source,
    session_role,
)

ROLE = "arn:aws:sts::123456789012:assumed-role/ci/GitHubActions"


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


def test_a_clock_whose_call_was_answered_is_told_without_a_guess_at_who_answered():
    (verdict,) = check_clock(Clock(-36_000))
    assert verdict.why.endswith("as a sandbox answers whatever the time is; AWS may refuse the next")


def test_a_clock_is_told_in_hours_and_minutes():
    (behind,), (ahead,) = check_clock(Clock(-36_000)), check_clock(Clock(150))
    assert behind.found == "this machine's clock is 10 h 0 min behind AWS's"
    assert ahead.found == "this machine's clock is 2 min ahead of AWS's"
