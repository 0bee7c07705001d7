"""AWS::EC2::VPC, Subnet and SecurityGroup: enough of a network for a database to be placed in. No packet crosses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.resources.api import Boto, accepted, call, discard, generated_name, tags

ANYWHERE = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}


def network_types(boto: Boto) -> dict[str, ResourceType]:
    """The types of this module by name."""
    return {
        "AWS::EC2::VPC": Vpc(boto),
        "AWS::EC2::Subnet": Subnet(boto),
        "AWS::EC2::SecurityGroup": SecurityGroup(boto),
    }


def _labels(kind: str, request: Request) -> list[dict[str, Any]] | None:
    return [{"ResourceType": kind, "Tags": tags(request)}] if tags(request) else None


@dataclass(frozen=True, slots=True)
class Vpc:
    boto: Boto

    def create(self, request: Request) -> Outcome:
        ec2 = self.boto("ec2")
        wanted = accepted(ec2, "create_vpc", {**request.properties, "Tags": None})
        vpc = call(ec2, "create_vpc", **wanted, TagSpecifications=_labels("vpc", request))["Vpc"]
        return self._settled(request, vpc["VpcId"])

    def update(self, request: Request) -> Outcome:
        return self._settled(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        discard(self.boto("ec2"), "delete_vpc", VpcId=request.physical_id)

    def _settled(self, request: Request, vpc_id: str) -> Outcome:
        ec2 = self.boto("ec2")
        for setting in ("EnableDnsSupport", "EnableDnsHostnames"):
            if setting in request.properties:
                call(ec2, "modify_vpc_attribute", VpcId=vpc_id, **{setting: {"Value": request.properties[setting]}})
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
        groups = call(ec2, "describe_security_groups", Filters=filters)["SecurityGroups"]
        facts = {
            "VpcId": vpc_id,
            "CidrBlock": request.properties.get("CidrBlock"),
            "DefaultSecurityGroup": groups[0]["GroupId"],
        }
        return Outcome(vpc_id, facts)


@dataclass(frozen=True, slots=True)
class Subnet:
    boto: Boto

    def create(self, request: Request) -> Outcome:
        ec2 = self.boto("ec2")
        wanted = accepted(ec2, "create_subnet", {**request.properties, "Tags": None})
        subnet = call(ec2, "create_subnet", **wanted, TagSpecifications=_labels("subnet", request))["Subnet"]
        return self._settled(request, subnet["SubnetId"])

    def update(self, request: Request) -> Outcome:
        return self._settled(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        discard(self.boto("ec2"), "delete_subnet", SubnetId=request.physical_id)

    def _settled(self, request: Request, subnet_id: str) -> Outcome:
        ec2 = self.boto("ec2")
        is_public = request.properties.get("MapPublicIpOnLaunch")
        if is_public is not None:
            call(ec2, "modify_subnet_attribute", SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": is_public})
        subnet = call(ec2, "describe_subnets", SubnetIds=[subnet_id])["Subnets"][0]
        return Outcome(subnet_id, {key: subnet[key] for key in ("SubnetId", "AvailabilityZone", "CidrBlock", "VpcId")})


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    boto: Boto

    def create(self, request: Request) -> Outcome:
        properties = request.properties
        group_id: str = call(
            self.boto("ec2"),
            "create_security_group",
            GroupName=properties.get("GroupName") or generated_name(request, max_length=255),
            Description=properties["GroupDescription"],
            VpcId=properties.get("VpcId"),
            TagSpecifications=_labels("security-group", request),
        )["GroupId"]
        try:
            return self._with_rules(request, group_id)
        except ResourceFailed as error:
            raise ResourceFailed(error.reason, group_id) from error

    def update(self, request: Request) -> Outcome:
        return self._with_rules(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        discard(self.boto("ec2"), "delete_security_group", GroupId=request.physical_id)

    def _with_rules(self, request: Request, group_id: str) -> Outcome:
        """Puts the template's rules in the place of those there are."""
        ec2 = self.boto("ec2")
        group = call(ec2, "describe_security_groups", GroupIds=[group_id])["SecurityGroups"][0]
        ingress = request.properties.get("SecurityGroupIngress") or []
        egress = request.properties.get("SecurityGroupEgress") or [ANYWHERE]
        for direction, live, desired in (
            ("ingress", group["IpPermissions"], ingress),
            ("egress", group["IpPermissionsEgress"], egress),
        ):
            if live:
                call(ec2, f"revoke_security_group_{direction}", GroupId=group_id, IpPermissions=live)
            if desired:
                rules = [_permission(rule) for rule in desired]
                call(ec2, f"authorize_security_group_{direction}", GroupId=group_id, IpPermissions=rules)
        return Outcome(group_id, {"GroupId": group_id, "Id": group_id, "VpcId": group.get("VpcId", "")})


def _permission(rule: dict[str, Any]) -> dict[str, Any]:
    """A template's rule, which has one peer, in the shape of the API, which has lists of them."""
    peers = {
        "CidrIp": ("IpRanges", "CidrIp"),
        "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
        "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
        "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
        "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    }
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    ports: dict[str, Any] = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
    lists = {many: [{one: rule[key], **described}] for key, (many, one) in peers.items() if key in rule}
    return {**ports, **lists}
