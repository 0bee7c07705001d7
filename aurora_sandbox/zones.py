"""In how many Availability Zones RDS may place a cluster: it needs two.

    require_subnets(ec2, ["subnet-1", "subnet-2"])     of a subnet group
    require_group(rds, ec2, "mine")                    of a cluster; None for the subnets of the default VPC

The words are quoted by terraform-aws-modules/terraform-aws-vpc#821 (coverage) and by many who deleted the default
subnets or misspelt one. ec2, rds: boto3 clients to moto's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aurora_sandbox.clients import ask
from aurora_sandbox.wire import ServiceError


def require_subnets(ec2: Any, subnet_ids: Sequence[str]) -> None:
    """Raises ServiceError for subnets that there are not, or that are all in one zone."""
    try:
        subnets = ask(ec2, "DescribeSubnets", {"SubnetIds": list(subnet_ids)})["Subnets"]
    except ServiceError as error:
        if not error.code.startswith("InvalidSubnetID"):
            raise
        why = f"Some input subnets in :[{', '.join(subnet_ids)}] are invalid."
        raise ServiceError("InvalidSubnet", why) from error
    _require_two(subnet["AvailabilityZone"] for subnet in subnets)


def require_group(rds: Any, ec2: Any, name: str | None) -> None:
    """Raises ServiceError for a subnet group that there is not, or whose subnets are all in one zone."""
    if name is None:
        default = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
        subnets = ask(ec2, "DescribeSubnets", default)["Subnets"]
        if not subnets:
            why = "No default subnet detected in VPC. Please contact AWS Support to recreate the default Subnets."
            raise ServiceError("InvalidSubnet", why)
        _require_two(subnet["AvailabilityZone"] for subnet in subnets)
        return
    groups = ask(rds, "DescribeDBSubnetGroups", {})["DBSubnetGroups"]
    group = next((each for each in groups if each["DBSubnetGroupName"].lower() == name.lower()), None)
    if group is None:
        raise ServiceError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", status=404)
    _require_two(subnet["SubnetAvailabilityZone"]["Name"] for subnet in group["Subnets"])


def _require_two(zones: Iterable[str]) -> None:
    covered = sorted(set(zones))
    if len(covered) < 2:
        why = (
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            f"Current AZ coverage: {', '.join(covered)}. Add subnets to cover at least 2 AZs."
        )
        raise ServiceError("DBSubnetGroupDoesNotCoverEnoughAZs", why)
