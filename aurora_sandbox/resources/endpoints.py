"""AWS::EC2::VPCEndpoint: moto's record of one, after what EC2 refuses has been refused. No packet crosses it.

Source: CreateVpcEndpoint, EC2 API Reference, and the errors of it that others have published.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.resources.api import Boto, Properties, accepted, call, discard, found, tags

INTERFACE, GATEWAY = "Interface", "Gateway"
_GATEWAYS = ("s3", "dynamodb")


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    boto: Boto

    def create(self, request: Request) -> Outcome:
        ec2, properties = self.boto("ec2"), request.properties
        self._check(request)
        wanted = accepted(ec2, "create_vpc_endpoint", {**properties, "Tags": None})
        if "PolicyDocument" in wanted and not isinstance(wanted["PolicyDocument"], str):
            wanted["PolicyDocument"] = json.dumps(wanted["PolicyDocument"])
        labels = [{"ResourceType": "vpc-endpoint", "Tags": tags(request)}] if tags(request) else None
        kind = properties.get("VpcEndpointType", GATEWAY)
        wanted |= {"VpcEndpointType": kind}
        return _made(call(ec2, "create_vpc_endpoint", **wanted, TagSpecifications=labels)["VpcEndpoint"])

    def update(self, request: Request) -> Outcome:
        """Subnets, security groups and the private name may change; what may not replaces the endpoint."""
        endpoint_id = request.physical_id or ""
        self._check(request)
        changed = ("SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled", "PolicyDocument")
        if any((request.old_properties or {}).get(name) != request.properties.get(name) for name in changed):
            raise ResourceFailed(
                "The sandbox changes nothing of an endpoint that is there: delete it, and make another."
            )
        return _made(self._endpoint(endpoint_id) or {"VpcEndpointId": endpoint_id})

    def delete(self, request: Request) -> None:
        discard(self.boto("ec2"), "delete_vpc_endpoints", VpcEndpointIds=[request.physical_id])

    def read(self, request: Request) -> Properties | None:
        return None if self._endpoint(request.physical_id or "") is None else {}

    def _endpoint(self, endpoint_id: str) -> dict[str, Any] | None:
        answer = found(self.boto("ec2"), "describe_vpc_endpoints", VpcEndpointIds=[endpoint_id])
        endpoints = answer["VpcEndpoints"] if answer else []
        return endpoints[0] if endpoints else None

    def _check(self, request: Request) -> None:
        """Raises ResourceFailed for an endpoint that EC2 would not make."""
        properties, region = request.properties, request.stack_id.split(":")[3]
        service, kind = properties.get("ServiceName", ""), properties.get("VpcEndpointType", GATEWAY)
        named = re.fullmatch(rf"com\.amazonaws\.{re.escape(region)}\.([a-z0-9.-]+)", service)
        if named is None or kind not in (INTERFACE, GATEWAY) or (kind == GATEWAY and named[1] not in _GATEWAYS):
            if named and kind == GATEWAY:
                raise ResourceFailed(f"Endpoint type ({kind}) does not match available service types ([{INTERFACE}]).")
            raise ResourceFailed(f"The Vpc Endpoint Service '{service}' does not exist")
        if kind == GATEWAY:
            if given := sorted({"SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled"} & properties.keys()):
                raise ResourceFailed(f"{given[0]} is only supported for Interface type VPC Endpoints.")
            return
        self._check_subnets(properties)
        self._check_groups(properties)
        if properties.get("PrivateDnsEnabled"):
            self._check_private_name(request, f"{named[1]}.{region}.amazonaws.com")

    def _check_subnets(self, properties: Properties) -> None:
        zones: set[str] = set()
        for subnet_id in properties.get("SubnetIds") or []:
            subnet = call(self.boto("ec2"), "describe_subnets", SubnetIds=[subnet_id])["Subnets"][0]
            if subnet["VpcId"] != properties["VpcId"]:
                raise ResourceFailed(f"The subnet '{subnet_id}' is not in the VPC {properties['VpcId']}.")
            if subnet["AvailabilityZone"] in zones:
                zone = "Found another VPC endpoint subnet in the availability zone of"
                raise ResourceFailed(f"{zone} {subnet_id}")
            zones.add(subnet["AvailabilityZone"])

    def _check_groups(self, properties: Properties) -> None:
        ids = properties.get("SecurityGroupIds") or []
        groups = call(self.boto("ec2"), "describe_security_groups", GroupIds=ids)["SecurityGroups"] if ids else []
        for group in groups:
            if group.get("VpcId") != properties["VpcId"]:
                why = f"Security group {group['GroupId']} and VPC {properties['VpcId']} belong to different networks."
                raise ResourceFailed(why)

    def _check_private_name(self, request: Request, domain: str) -> None:
        ec2, vpc_id = self.boto("ec2"), request.properties["VpcId"]
        for attribute, answer in (
            ("enableDnsSupport", "EnableDnsSupport"),
            ("enableDnsHostnames", "EnableDnsHostnames"),
        ):
            if not call(ec2, "describe_vpc_attribute", VpcId=vpc_id, Attribute=attribute)[answer]["Value"]:
                both = "enableDnsSupport and enableDnsHostnames VPC attributes set to true"
                raise ResourceFailed(f"Enabling private DNS requires both {both} for {vpc_id}")
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
        for other in call(ec2, "describe_vpc_endpoints", Filters=filters)["VpcEndpoints"]:
            is_same = other["ServiceName"] == request.properties["ServiceName"]
            if is_same and other.get("PrivateDnsEnabled") and other["VpcEndpointId"] != request.physical_id:
                raise ResourceFailed(
                    "private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                    f"{domain} in the VPC {vpc_id}"
                )


def _made(endpoint: dict[str, Any]) -> Outcome:
    names = [f"{item.get('HostedZoneId', '')}:{item['DnsName']}" for item in endpoint.get("DnsEntries") or []]
    facts = {
        "Id": endpoint["VpcEndpointId"],
        "NetworkInterfaceIds": list(endpoint.get("NetworkInterfaceIds") or []),
        "DnsEntries": names,
        "CreationTimestamp": str(endpoint.get("CreationTimestamp", "")),
    }
    return Outcome(endpoint["VpcEndpointId"], facts)
