from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

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


def types_of(arn: str, resources: Mapping[str, Any]) -> set[str]:
    """The types of resources that an ARN may be of, * for all of them."""
    if arn == "*":
        return {name.lower() for name in resources}
    formats = {
        name: [re.sub(r"\$\{\w+\}", "[^:]*", text) for text in it["ARNFormats"]] for name, it in resources.items()
    }
    return {name.lower() for name, texts in formats.items() if any(re.fullmatch(text, arn) for text in texts)}


def test_every_action_is_simulated_on_a_resource_that_it_is_about():
    """By AWS's own list of actions and their resources. With another one, a policy that names resources denies."""
    services = json.loads((files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json").read_text())
    place = replace(PLACE, cluster_arn=PLACE.arn("rds", "cluster:x"), has_rds_role=False)
    for need in needed(place):
        for service, _, action in (each.partition(":") for each in need.actions):
            about = {name.lower() for name in services[service]["Actions"][action.lower()].get("Resources", ())}
            types = types_of(need.resource, services[service]["Resources"])
            assert types & about or (need.resource == "*" and not about), (action, need.resource)


def test_a_subnet_and_a_security_group_need_permissions_on_themselves_and_on_their_vpc():
    asked = {(action, need.resource.rpartition(":")[2]) for need in needed(PLACE) for action in need.actions}
    assert {(action, resource) for action, resource in asked if action.startswith("ec2:")} == {
        ("ec2:CreateVpc", "vpc/vpc-x"),
        ("ec2:CreateSubnet", "subnet/subnet-x"),
        ("ec2:CreateSubnet", "vpc/vpc-x"),
        ("ec2:CreateSecurityGroup", "security-group/sg-x"),
        ("ec2:CreateSecurityGroup", "vpc/vpc-x"),
    }


def test_the_master_password_in_secrets_manager_needs_permissions_of_its_own():
    asked = {(action, need.resource) for need in needed(PLACE) for action in need.actions}
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-x"
    assert asked >= {
        ("secretsmanager:CreateSecret", secret),
        ("secretsmanager:TagResource", secret),
        ("kms:DescribeKey", "arn:aws:kms:eu-west-1:123456789012:key/x"),
    }


@pytest.mark.parametrize(
    ("has_role", "depends"),
    [(True, None), (False, ()), (None, ("whether the account has the role AWSServiceRoleForRDS",))],
)
def test_the_first_use_of_rds_makes_its_role(has_role: bool | None, depends: tuple[str, ...] | None):
    found = [
        need for need in needed(replace(PLACE, has_rds_role=has_role)) if "iam:CreateServiceLinkedRole" in need.actions
    ]
    assert [need.depends for need in found] == ([] if depends is None else [depends])
    assert all(need.context == {"iam:AWSServiceName": "rds.amazonaws.com"} for need in found)


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
