"""AWS::IAM::Role, Policy and ManagedPolicy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.resources.api import Boto, Properties, accepted, call, discard, found, generated_name, tags


def identity_types(boto: Boto) -> dict[str, ResourceType]:
    """The types of this module by name."""
    return {
        "AWS::IAM::Role": Role(boto),
        "AWS::IAM::Policy": Policy(boto),
        "AWS::IAM::ManagedPolicy": ManagedPolicy(boto),
    }


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """Whom a policy is for: IAM's word in its operations, its parameter, and the name."""

    kind: str
    parameter: str
    name: str


def _holders(properties: Properties) -> set[Holder]:
    kinds = (("Roles", "role", "RoleName"), ("Users", "user", "UserName"), ("Groups", "group", "GroupName"))
    return {Holder(kind, parameter, name) for key, kind, parameter in kinds for name in properties.get(key) or []}


@dataclass(frozen=True, slots=True)
class Role:
    """AWS::IAM::Role; its inline and attached policies are made to be those of the template."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        iam = self.boto("iam")
        name = request.properties.get("RoleName") or generated_name(request)
        wanted = accepted(iam, "create_role", request.properties)
        document = _text(wanted.pop("AssumeRolePolicyDocument"))
        wanted |= {"RoleName": name, "Tags": tags(request) or None}
        call(iam, "create_role", AssumeRolePolicyDocument=document, **wanted)
        try:
            return self._with_policies(request, name)
        except ResourceFailed as error:
            raise ResourceFailed(error.reason, name) from error

    def update(self, request: Request) -> Outcome:
        iam, name = self.boto("iam"), request.physical_id or ""
        document = _text(request.properties["AssumeRolePolicyDocument"])
        call(iam, "update_assume_role_policy", RoleName=name, PolicyDocument=document)
        wanted = accepted(iam, "update_role", request.properties)
        call(iam, "update_role", **{**wanted, "RoleName": name})
        return self._with_policies(request, name)

    def delete(self, request: Request) -> None:
        iam, name = self.boto("iam"), request.physical_id or ""
        try:
            inline, attached = self._live(name)
        except ResourceFailed:
            return  # the role is gone
        for policy in inline:
            discard(iam, "delete_role_policy", RoleName=name, PolicyName=policy)
        for policy in attached:
            discard(iam, "detach_role_policy", RoleName=name, PolicyArn=policy)
        discard(iam, "delete_role", RoleName=name)

    def read(self, request: Request) -> Properties | None:
        """Policies are compared in the order of the template."""
        iam, name = self.boto("iam"), request.physical_id or ""
        answer = found(iam, "get_role", RoleName=name)
        if answer is None:
            return None
        inline, attached = self._live(name)
        wanted = [policy["PolicyName"] for policy in request.properties.get("Policies") or []]
        declared = request.properties.get("ManagedPolicyArns") or []
        policies = [
            {
                "PolicyName": each,
                "PolicyDocument": call(iam, "get_role_policy", RoleName=name, PolicyName=each)["PolicyDocument"],
            }
            for each in (*(each for each in wanted if each in inline), *sorted(inline - {*wanted}))
        ]
        return {
            "AssumeRolePolicyDocument": answer["Role"]["AssumeRolePolicyDocument"],
            "ManagedPolicyArns": [*(each for each in declared if each in attached), *sorted(attached - {*declared})],
            "Policies": policies,
        }

    def _live(self, name: str) -> tuple[set[str], set[str]]:
        """The names of the inline policies and the ARNs of the attached ones."""
        iam = self.boto("iam")
        attached = call(iam, "list_attached_role_policies", RoleName=name)["AttachedPolicies"]
        inline = call(iam, "list_role_policies", RoleName=name)["PolicyNames"]
        return set(inline), {policy["PolicyArn"] for policy in attached}

    def _with_policies(self, request: Request, name: str) -> Outcome:
        """Takes away what the template before this one had put there; policies of other resources stay."""
        iam = self.boto("iam")
        inline, attached = _policies_of(request.properties)
        old_inline, old_attached = _policies_of(request.old_properties or {})
        for policy in sorted(set(old_inline) - set(inline)):
            discard(iam, "delete_role_policy", RoleName=name, PolicyName=policy)
        for policy in sorted(old_attached - attached):
            discard(iam, "detach_role_policy", RoleName=name, PolicyArn=policy)
        for policy, document in inline.items():
            call(iam, "put_role_policy", RoleName=name, PolicyName=policy, PolicyDocument=document)
        for policy in sorted(attached):
            call(iam, "attach_role_policy", RoleName=name, PolicyArn=policy)
        role = call(iam, "get_role", RoleName=name)["Role"]
        return Outcome(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})


def _policies_of(properties: Properties) -> tuple[dict[str, str], set[str]]:
    inline = {policy["PolicyName"]: _text(policy["PolicyDocument"]) for policy in properties.get("Policies") or []}
    return inline, set(properties.get("ManagedPolicyArns") or [])


@dataclass(frozen=True, slots=True)
class Policy:
    """AWS::IAM::Policy: one document, inline in every role, user and group it names."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        return self._put(request, generated_name(request))

    def update(self, request: Request) -> Outcome:
        outcome = self._put(request, request.physical_id or "")
        self._remove(self._places(request.old_properties or {}) - self._places(request.properties))
        return outcome

    def delete(self, request: Request) -> None:
        self._remove(self._places(request.properties))

    def _put(self, request: Request, physical_id: str) -> Outcome:
        document = _text(request.properties["PolicyDocument"])
        for holder, name in sorted(self._places(request.properties)):
            parameters = {holder.parameter: holder.name, "PolicyName": name, "PolicyDocument": document}
            call(self.boto("iam"), f"put_{holder.kind}_policy", **parameters)
        return Outcome(physical_id, {"Id": physical_id})

    def _remove(self, places: set[tuple[Holder, str]]) -> None:
        for holder, name in sorted(places):
            parameters = {holder.parameter: holder.name, "PolicyName": name}
            discard(self.boto("iam"), f"delete_{holder.kind}_policy", **parameters)

    @staticmethod
    def _places(properties: Properties) -> set[tuple[Holder, str]]:
        """Where the document stands, and under which name."""
        return {(holder, properties["PolicyName"]) for holder in _holders(properties)}


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """AWS::IAM::ManagedPolicy; Ref is its ARN."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        iam = self.boto("iam")
        wanted = accepted(iam, "create_policy", request.properties)
        wanted |= {
            "PolicyName": request.properties.get("ManagedPolicyName") or generated_name(request, max_length=128),
            "PolicyDocument": _text(request.properties["PolicyDocument"]),
            "Tags": tags(request) or None,
        }
        policy_arn: str = call(iam, "create_policy", **wanted)["Policy"]["Arn"]
        try:
            self._attach("attach", _holders(request.properties), policy_arn)
        except ResourceFailed as error:
            raise ResourceFailed(error.reason, policy_arn) from error
        return self._outcome(policy_arn)

    def update(self, request: Request) -> Outcome:
        iam, policy_arn = self.boto("iam"), request.physical_id or ""
        self._drop_old_versions(policy_arn)
        document = _text(request.properties["PolicyDocument"])
        call(iam, "create_policy_version", PolicyArn=policy_arn, PolicyDocument=document, SetAsDefault=True)
        live, desired = _holders(request.old_properties or {}), _holders(request.properties)
        self._attach("attach", desired - live, policy_arn)
        self._attach("detach", live - desired, policy_arn)
        return self._outcome(policy_arn)

    def delete(self, request: Request) -> None:
        policy_arn = request.physical_id or ""
        for holder in sorted(_holders(request.properties)):
            parameters = {holder.parameter: holder.name, "PolicyArn": policy_arn}
            discard(self.boto("iam"), f"detach_{holder.kind}_policy", **parameters)
        self._drop_old_versions(policy_arn)
        discard(self.boto("iam"), "delete_policy", PolicyArn=policy_arn)

    def read(self, request: Request) -> Properties | None:
        iam, policy_arn = self.boto("iam"), request.physical_id
        answer = found(iam, "get_policy", PolicyArn=policy_arn)
        if answer is None:
            return None
        version = answer["Policy"]["DefaultVersionId"]
        read = call(iam, "get_policy_version", PolicyArn=policy_arn, VersionId=version)
        return {"PolicyDocument": read["PolicyVersion"]["Document"]}

    def _attach(self, verb: str, holders: set[Holder], policy_arn: str) -> None:
        for holder in sorted(holders):
            parameters = {holder.parameter: holder.name, "PolicyArn": policy_arn}
            call(self.boto("iam"), f"{verb}_{holder.kind}_policy", **parameters)

    def _drop_old_versions(self, policy_arn: str) -> None:
        """IAM keeps five versions, and deletes no policy that has others than the default one."""
        for version in call(self.boto("iam"), "list_policy_versions", PolicyArn=policy_arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                version_id = version["VersionId"]
                discard(self.boto("iam"), "delete_policy_version", PolicyArn=policy_arn, VersionId=version_id)

    def _outcome(self, policy_arn: str) -> Outcome:
        policy = call(self.boto("iam"), "get_policy", PolicyArn=policy_arn)["Policy"]
        return Outcome(policy_arn, {"PolicyArn": policy_arn, "PolicyId": policy["PolicyId"]})
