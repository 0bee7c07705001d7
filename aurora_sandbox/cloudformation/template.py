"""A template as CloudFormation accepts it: its sections as values, everything that can be wrong with them refused.

Nothing here depends on parameter values; what a template means for one stack is a `Deployment`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aurora_sandbox.cloudformation import transform, yaml
from aurora_sandbox.cloudformation.intrinsics import (
    Reference,
    Unresolvable,
    as_text,
    call,
    get_att,
    references,
    require_condition,
)
from aurora_sandbox.cloudformation.parameters import Parameter, declared
from aurora_sandbox.cloudformation.refusals import invalid, refuse_null
from aurora_sandbox.documented import refused
from aurora_sandbox.documented.checks import MAX_TEMPLATE_BYTES

PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)
_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    }
)
_ATTRIBUTES = frozenset(
    {
        "Condition",
        "Connectors",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
        "Version",
    }
)
_NOT_IMITATED = ("Rules", "Hooks")
_DELETION_POLICIES = frozenset({"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"})
_IAM_NAME_PROPERTIES = frozenset({"GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName"})
# Types that are snapshotted on deletion; with the exception of volumes, RDS clusters do so by default.
_SNAPSHOT_TYPES = re.compile(
    r"AWS::(RDS::DBCluster|RDS::DBInstance|DocDB::DBCluster|Neptune::DBCluster|Redshift::Cluster|EC2::Volume"
    r"|ElastiCache::CacheCluster|ElastiCache::ReplicationGroup)"
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A resource as the template declares it, intrinsic functions and all.

    has_deletion_policy: it stands there, and is not just the default.
    """

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    metadata: Any = None
    has_deletion_policy: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """An output as the template declares it; value and export_name still hold intrinsic functions."""

    name: str
    value: Any
    description: str | None = None
    export_name: Any = None
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template; everything by its name, in the order of the text. body: as it was given; processed: as its transforms
    have left it, in JSON, where there are some.
    """

    body: str
    version: str | None
    description: str | None
    metadata: Any
    parameters: Mapping[str, Parameter]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Declaration]
    outputs: Mapping[str, Output]
    transforms: tuple[str, ...] = ()
    processed: str | None = None


@lru_cache(maxsize=128)
def parse(body: str) -> Template:
    """The template of this text. Raises ValidationError with AWS's words for the first thing that is wrong."""
    if len(body.encode()) > MAX_TEMPLATE_BYTES:
        raise invalid(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_TEMPLATE_BYTES}"
        )
    raw = yaml.load(body)
    transforms = transform.declared(raw)
    if transforms:
        raw = transform.processed(raw)
    _check_sections(raw)
    template = Template(
        body=body,
        version=as_text(raw["AWSTemplateFormatVersion"]) if "AWSTemplateFormatVersion" in raw else None,
        description=raw.get("Description"),
        metadata=raw.get("Metadata"),
        parameters={name: declared(name, item) for name, item in raw.get("Parameters", {}).items()},
        mappings=raw.get("Mappings", {}),
        conditions=raw.get("Conditions", {}),
        resources={name: _declaration(name, item) for name, item in raw["Resources"].items()},
        outputs={name: _output(name, item) for name, item in raw.get("Outputs", {}).items()},
        transforms=transforms,
        processed=json.dumps(raw) if transforms else None,
    )
    try:
        for condition in template.conditions.values():
            require_condition(condition)
        _check_references(template)
    except Unresolvable as exc:
        raise invalid(str(exc)) from exc
    return template


def capabilities(template: Template) -> tuple[str, str] | None:
    """The capability the caller must grant and why, or None: IAM resources do not come unasked."""
    iam = [item for item in template.resources.values() if item.type.startswith("AWS::IAM::")]
    if not iam:
        return None
    is_named = any(_IAM_NAME_PROPERTIES & item.properties.keys() for item in iam)
    types = ", ".join(sorted({item.type for item in iam}))
    return (
        "CAPABILITY_NAMED_IAM" if is_named else "CAPABILITY_IAM",
        f"The following resource(s) require capabilities: [{types}]",
    )


def refuse_unknown(found: Iterable[Reference], known: Iterable[str], block: str) -> None:
    """Raises ValidationError if a reference leads nowhere."""
    missing = sorted({reference.name for reference in found} - set(known))
    if missing:
        raise invalid(
            f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
            f"in the {block} block of the template"
        )


def _check_sections(raw: Mapping[str, Any]) -> None:
    for section in _NOT_IMITATED:
        if section in raw:
            raise invalid(f"the sandbox does not imitate a template's {section}")
    unknown = sorted(str(name) for name in raw.keys() - _SECTIONS)
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    for section in ("Parameters", "Mappings", "Conditions", "Resources", "Outputs"):
        if not isinstance(raw.get(section, {}), dict):
            raise invalid(f"Template format error: [/{section}] must be an object")
    if not raw.get("Resources"):
        raise invalid("Template format error: At least one Resources member must be defined.")
    if words := refused("template", raw):
        raise invalid(words)


def _declaration(logical_id: str, raw: Any) -> Declaration:
    where = f"[/Resources/{logical_id}]"
    if not isinstance(raw, dict) or not isinstance(raw.get("Type"), str):
        raise invalid(f"Template format error: {where} Every Resources object must contain a Type member.")
    for attribute in sorted(raw.keys() - _ATTRIBUTES):
        raise invalid(f"Invalid template resource property '{attribute}'")
    refuse_null(raw, f"/Resources/{logical_id}")
    properties = raw.get("Properties", {})
    if not isinstance(properties, dict):
        raise invalid(f"Template format error: [/Resources/{logical_id}/Properties] must be an object")
    needs = raw.get("DependsOn", [])
    needs = [needs] if isinstance(needs, str) else needs
    if not isinstance(needs, list) or not all(isinstance(name, str) for name in needs):
        raise invalid("Template format error: DependsOn must be a string or list of strings.")
    default = "Snapshot" if raw["Type"] == "AWS::RDS::DBCluster" else "Delete"
    return Declaration(
        logical_id=logical_id,
        type=raw["Type"],
        properties=properties,
        depends_on=tuple(needs),
        condition=_text(raw, "Condition"),
        deletion_policy=_policy(raw, "DeletionPolicy", default),
        update_replace_policy=_policy(raw, "UpdateReplacePolicy", "Delete"),
        metadata=raw.get("Metadata"),
        has_deletion_policy="DeletionPolicy" in raw,
    )


def _policy(raw: Mapping[str, Any], attribute: str, default: str) -> str:
    policy = _text(raw, attribute) or default
    if policy not in _DELETION_POLICIES or (attribute == "UpdateReplacePolicy" and policy == "RetainExceptOnCreate"):
        raise invalid(f"Template format error: Unrecognized {attribute} {policy!r}")
    if policy == "Snapshot" and not _SNAPSHOT_TYPES.fullmatch(raw["Type"]):
        raise invalid(f"Template error: resource type {raw['Type']} does not support deletion policy Snapshot")
    return str(policy)


def _text(raw: Mapping[str, Any], member: str) -> str | None:
    value = raw.get(member)
    if value is not None and not isinstance(value, str):
        raise invalid(f"Template format error: Every {member} member must be a string.")
    return value


def _output(name: str, raw: Any) -> Output:
    if not isinstance(raw, dict) or raw.get("Value") is None:
        raise invalid(
            f"Template format error: Output {name} is malformed. Every Outputs member must contain a Value object"
        )
    export = raw.get("Export")
    if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
        raise invalid(f"Template format error: Export of output {name} must contain a Name and nothing else")
    return Output(
        name=name,
        value=raw["Value"],
        description=raw.get("Description"),
        export_name=export["Name"] if export else None,
        condition=_text(raw, "Condition"),
    )


def _check_references(template: Template) -> None:
    known = template.resources.keys() | template.parameters.keys() | PSEUDO_PARAMETERS
    resources = template.resources.values()
    properties = [item.properties for item in resources]
    for value in (*properties, *(output.value for output in template.outputs.values())):
        _check_get_att(value, template)
    depends_on = (Reference(name) for item in resources for name in item.depends_on)
    refuse_unknown((*references(properties), *depends_on), known, "Resources")
    outputs = [[output.value, output.export_name] for output in template.outputs.values()]
    refuse_unknown(references(outputs), known, "Outputs")
    refuse_unknown(references(dict(template.conditions)), known - template.resources.keys(), "Conditions")
    used = {item.condition for item in resources} | {item.condition for item in template.outputs.values()}
    missing = sorted(name for name in used if name and name not in template.conditions)
    if missing:
        raise invalid(
            f"Template format error: Unresolved condition dependencies [{', '.join(missing)}] in the template"
        )


def _check_get_att(value: Any, template: Template) -> None:
    if isinstance(value, list):
        for item in value:
            _check_get_att(item, template)
    elif isinstance(value, dict):
        name, argument = call(value) or ("", None)
        if name == "Fn::GetAtt" and get_att(argument)[0] not in template.resources:
            raise invalid(
                f"Template error: instance of Fn::GetAtt references undefined resource {get_att(argument)[0]}"
            )
        for item in value.values():
            _check_get_att(item, template)
