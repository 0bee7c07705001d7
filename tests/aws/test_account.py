"""What IAM's simulation answers where an organization or a boundary denies: the sandbox has neither."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aurora_tenants.aws.account import simulate
from aurora_tenants.aws.clients import Aws
from aurora_tenants.doctor.caller import Caller
from aurora_tenants.doctor.permissions import Denial, Need

USER = "arn:aws:iam::123456789012:user/ada"
DENIED = {"EvalActionName": "a:B", "EvalResourceName": "*", "EvalDecision": "implicitDeny"}


@pytest.mark.parametrize(
    ("told", "by", "depends"),
    [
        ({}, "", ()),
        ({"OrganizationsDecisionDetail": {"AllowedByOrganizations": True}}, "", ()),
        ({"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}, "organization", ()),
        ({"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}, "boundary", ()),
        ({"MissingContextValues": ["aws:A", "aws:B"]}, "", ("aws:A", "aws:B")),
        (
            {
                "ResourceSpecificResults": [
                    {
                        "EvalResourceName": "arn:x",
                        "EvalResourceDecision": "implicitDeny",
                        "MissingContextValues": ["aws:A"],
                        "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
                    }
                ]
            },
            "boundary",
            ("aws:A",),
        ),
    ],
)
def test_a_denial_is_told_with_who_denies_and_what_it_may_depend_on(
    told: dict[str, Any], by: str, depends: tuple[str, ...]
):
    iam = boto3.client("iam", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(iam) as stub:
        stub.add_response("simulate_principal_policy", {"EvaluationResults": [DENIED | told]})
        user = Caller(USER, "123456789012", USER)
        found = simulate(Aws("eu-west-1", None, None, lambda name: iam), user, (Need("plan", "arn:x", ("a:B",)),))
    assert found.denials == (Denial("plan", "a:B", "arn:x", by, depends),)
