"""A cluster is placed in two zones at least, whoever asks for it; a stack's own group is in test_resources.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.server import Sandbox
from tests.endpoint import until
from tests.rds_account import WANTED, Account, emptied, refused

GROUP = {"DBSubnetGroupName": "mine", "DBSubnetGroupDescription": "of this test"}
ONE_ZONE = (
    "DBSubnetGroupDoesNotCoverEnoughAZs",
    "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
    "Current AZ coverage: eu-west-1a. Add subnets to cover at least 2 AZs.",
)


@pytest.fixture(scope="module")
def empty(mysqld_binary: mysqld.Binary) -> Iterator[Sandbox]:
    """A sandbox of its own: there is one server, and other tests' stacks have it."""
    with Sandbox.start(binary=mysqld_binary) as running:
        yield running


@pytest.fixture
def account(empty: Sandbox) -> Iterator[Account]:
    with emptied(empty) as account:
        yield account


@pytest.fixture(scope="module")
def subnets(empty: Sandbox) -> dict[str, str]:
    """Subnets in zone a, in zone a again, and in zone b."""
    ec2 = Account(empty).client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {}
    for number, name in enumerate(("a", "a again", "b")):
        zone, block = f"eu-west-1{name[0]}", f"10.0.{number}.0/24"
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
        made[name] = subnet["Subnet"]["SubnetId"]
    return made


def test_a_group_in_one_zone_is_neither_made_nor_left(account: Account, subnets: dict[str, str]):
    rds, near, far = account.rds, [subnets["a"], subnets["a again"]], [subnets["a"], subnets["b"]]
    assert refused(rds.create_db_subnet_group, **GROUP, SubnetIds=near) == ONE_ZONE
    assert refused(rds.describe_db_subnet_groups, DBSubnetGroupName="mine")[0] == "DBSubnetGroupNotFoundFault"
    rds.create_db_subnet_group(**GROUP, SubnetIds=far)
    assert refused(rds.modify_db_subnet_group, **GROUP, SubnetIds=near) == ONE_ZONE
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="mine")["DBSubnetGroups"]
    assert [subnet["SubnetIdentifier"] for subnet in group["Subnets"]] == far
    account.create(DBSubnetGroupName="MINE")
    assert account.described()["DBSubnetGroup"].lower() == "mine"
    account.rds.delete_db_cluster(DBClusterIdentifier="legacy", SkipFinalSnapshot=True)
    rds.delete_db_subnet_group(DBSubnetGroupName="mine")


def test_subnets_and_groups_that_are_not_there_are_refused(account: Account, subnets: dict[str, str]):
    ids = [subnets["a"], "subnet-0123456789abcdef0"]
    assert refused(account.rds.create_db_subnet_group, **GROUP, SubnetIds=ids) == (
        "InvalidSubnet",
        f"Some input subnets in :[{', '.join(ids)}] are invalid.",
    )
    assert refused(account.rds.create_db_cluster, **WANTED, DBSubnetGroupName="none") == (
        "DBSubnetGroupNotFoundFault",
        "DB subnet group 'none' does not exist.",
    )
    assert account.rds.describe_db_clusters()["DBClusters"] == []


def test_without_a_group_the_default_subnets_are_looked_at(account: Account):
    ec2 = account.client("ec2")
    default = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    first, *others = sorted(ec2.describe_subnets(**default)["Subnets"], key=lambda each: each["AvailabilityZone"])
    for subnet in others:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    assert refused(account.rds.create_db_cluster, **WANTED) == ONE_ZONE
    assert stack_says(account) == ONE_ZONE[1]
    ec2.delete_subnet(SubnetId=first["SubnetId"])
    code, why = refused(account.rds.create_db_cluster, **WANTED)
    assert (code, why.startswith("No default subnet detected in VPC.")) == ("InvalidSubnet", True)
    assert account.rds.describe_db_clusters()["DBClusters"] == []


def stack_says(account: Account) -> str:
    """Why CloudFormation could not make such a cluster."""

    cloudformation = account.client("cloudformation")
    properties: dict[str, Any] = {"Engine": "aurora-mysql", "MasterUsername": "boss", "ManageMasterUserPassword": True}
    template = {"Resources": {"Cluster": {"Type": "AWS::RDS::DBCluster", "Properties": properties}}}
    cloudformation.create_stack(StackName="alone", TemplateBody=json.dumps(template), OnFailure="DO_NOTHING")
    until(lambda: cloudformation.describe_stacks(StackName="alone")["Stacks"][0]["StackStatus"] == "CREATE_FAILED")
    events = cloudformation.describe_stack_events(StackName="alone")["StackEvents"]
    cloudformation.delete_stack(StackName="alone")
    return next(
        str(event["ResourceStatusReason"])
        for event in events
        if (event["LogicalResourceId"], event["ResourceStatus"]) == ("Cluster", "CREATE_FAILED")
    )
