"""The quotas that a deployment may meet, read for `doctor`, each with how to ask for more.

Every function makes read-only calls that cost nothing, and raises AwsError. A limit that cannot be read is taken to be
AWS's default.
"""

from __future__ import annotations

from collections.abc import Callable

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.doctor.permissions import iam_region
from aurora_tenants.doctor.region import Quota
from aurora_tenants.errors import AwsError

# "Amazon VPC quotas", Amazon VPC User Guide; "CloudFormation quotas", CloudFormation User Guide.
_VPCS, _DEFAULT_VPCS, _DEFAULT_STACKS = "L-F678F1CE", 5, 2_000
_ROLES = 4  # that the shared stack makes


def stacks(aws: Aws, *, used: int, wanted: int) -> Quota:
    limit = _limit(lambda: _stack_limit(aws))
    increase = _increase("cloudformation", "L-0485CB21")
    return Quota(
        "stacks", used, limit or _DEFAULT_STACKS, wanted, "what is to be deployed", increase, is_assumed=limit is None
    )


def vpcs(aws: Aws) -> Quota:
    with asking("read the VPCs", if_denied="allow ec2:DescribeVpcs"):
        pages = aws.client("ec2").get_paginator("describe_vpcs").paginate()
        used = sum(len(page["Vpcs"]) for page in pages)
    limit = _limit(lambda: _vpc_limit(aws))
    increase = _increase("vpc", _VPCS)
    return Quota("VPCs", used, limit or _DEFAULT_VPCS, 1, "the shared stack", increase, is_assumed=limit is None)


def roles(aws: Aws) -> Quota:
    """IAM's quotas are asked for where IAM is, whatever region everything else is in."""
    iam = aws.client("iam")
    with asking("read the numbers of roles", if_denied="allow iam:GetAccountSummary"):
        summary = iam.get_account_summary()["SummaryMap"]
    increase = f"{_increase('iam', 'L-FE177D64')} --region {iam_region(iam.meta.partition, aws.region)}"
    return Quota("roles", int(summary["Roles"]), int(summary["RolesQuota"]), _ROLES, "the shared stack", increase)


def _increase(service: str, quota: str) -> str:
    return (
        "ask for more: aws service-quotas request-service-quota-increase "
        f"--service-code {service} --quota-code {quota} --desired-value N"
    )


def _limit(read: Callable[[], int | None]) -> int | None:
    """None for a limit that could not be read."""
    try:
        return read()
    except AwsError:
        return None


def _stack_limit(aws: Aws) -> int | None:
    with asking("read CloudFormation's limits"):
        limits = aws.cloudformation.describe_account_limits()["AccountLimits"]
    return next((int(limit["Value"]) for limit in limits if limit["Name"] == "StackLimit"), None)


def _vpc_limit(aws: Aws) -> int:
    with asking("read the quota of VPCs"):
        answer = aws.client("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode=_VPCS)
    return int(answer["Quota"]["Value"])
