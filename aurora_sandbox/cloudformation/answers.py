"""Stacks, events and change sets in the shape a boto3 caller receives them. What is None is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from aurora_sandbox.cloudformation import parameters
from aurora_sandbox.cloudformation.refusals import invalid
from aurora_sandbox.cloudformation.stack import Change, ChangeSet, Detail, Event, Resource, Stack, StackOutput
from aurora_sandbox.cloudformation.template import Template, capabilities
from aurora_sandbox.wire import Kept, kept

PAGE_LENGTH = 100
PAGE_BYTES = 1_000_000
_NOT_CHECKED = {"StackDriftStatus": "NOT_CHECKED"}
Item = TypeVar("Item")


def page(key: str, items: Sequence[Item], shape: Callable[[Item], dict[str, Any]], token: str | None) -> dict[str, Any]:
    """One page of a list under its key, with a NextToken if there is more: at most 100 items and about 1 MB."""
    if token is not None and not (token.isdecimal() and int(token) <= len(items)):
        raise invalid("Invalid NextToken")
    start = int(token or 0)
    shown: list[dict[str, Any]] = []
    size = 0
    for item in items[start : start + PAGE_LENGTH]:
        shaped = shape(item)
        size += _size(shaped)
        if shown and size > PAGE_BYTES:
            break
        shown.append(shaped)
    end = start + len(shown)
    return {key: shown, "NextToken": str(end)} if end < len(items) else {key: shown}


def _size(shaped: dict[str, Any]) -> int:
    if not isinstance(shaped, Kept):
        return len(json.dumps(shaped, default=str))
    if shaped.size is None:
        shaped.size = len(json.dumps(shaped, default=str))
    return shaped.size


def stack(item: Stack) -> Kept:
    """An entry of DescribeStacks; the same object while the stack is as it was."""
    item.shown = kept(_stack(item), item.shown)
    return item.shown


def _stack(item: Stack) -> dict[str, Any]:
    deployment = item.deployment
    return _present(
        StackId=item.id,
        StackName=item.name,
        ChangeSetId=item.change_set_id,
        Description=deployment.template.description,
        Parameters=parameters.shown(deployment.template.parameters, deployment.values),
        CreationTime=item.created,
        LastUpdatedTime=item.updated,
        DeletionTime=item.deleted,
        RollbackConfiguration={},
        StackStatus=item.status,
        StackStatusReason=item.reason,
        DisableRollback=item.on_failure == "DO_NOTHING",
        NotificationARNs=list(item.notification_arns),
        Capabilities=list(deployment.capabilities),
        Outputs=[_output(output) for output in item.outputs],
        RoleARN=item.role_arn,
        Tags=_tags(deployment.tags),
        EnableTerminationProtection=item.is_protected,
        DriftInformation=_NOT_CHECKED,
    )


def stack_summary(item: Stack) -> dict[str, Any]:
    """An entry of ListStacks."""
    return _present(
        StackId=item.id,
        StackName=item.name,
        TemplateDescription=item.deployment.template.description,
        CreationTime=item.created,
        LastUpdatedTime=item.updated,
        DeletionTime=item.deleted,
        StackStatus=item.status,
        StackStatusReason=item.reason,
        DriftInformation=_NOT_CHECKED,
    )


def event(item: Event) -> dict[str, Any]:
    """An entry of DescribeStackEvents; without the properties, which could show secrets."""
    return _present(
        StackId=item.stack_id,
        EventId=item.id,
        StackName=item.stack_name,
        LogicalResourceId=item.logical_id,
        PhysicalResourceId=item.physical_id or "",
        ResourceType=item.type,
        Timestamp=item.time,
        ResourceStatus=item.status,
        ResourceStatusReason=item.reason,
        ClientRequestToken=item.token,
    )


def resource(owner: Stack, item: Resource) -> dict[str, Any]:
    """An entry of DescribeStackResources."""
    return _present(
        StackName=owner.name,
        StackId=owner.id,
        LogicalResourceId=item.logical_id,
        PhysicalResourceId=item.physical_id,
        ResourceType=item.type,
        Timestamp=item.time,
        ResourceStatus=item.status,
        ResourceStatusReason=item.reason,
        DriftInformation={"StackResourceDriftStatus": "NOT_CHECKED"},
    )


def resource_summary(item: Resource) -> dict[str, Any]:
    """An entry of ListStackResources."""
    return _present(
        LogicalResourceId=item.logical_id,
        PhysicalResourceId=item.physical_id,
        ResourceType=item.type,
        LastUpdatedTimestamp=item.time,
        ResourceStatus=item.status,
        ResourceStatusReason=item.reason,
        DriftInformation={"StackResourceDriftStatus": "NOT_CHECKED"},
    )


def resource_detail(owner: Stack, item: Resource) -> dict[str, Any]:
    """The answer of DescribeStackResource."""
    return _present(
        **resource_summary(item),
        StackName=owner.name,
        StackId=owner.id,
        Metadata=None if item.metadata is None else json.dumps(item.metadata),
    )


def change_set(owner: Stack, item: ChangeSet, token: str | None, *, has_values: bool) -> dict[str, Any]:
    """The answer of DescribeChangeSet, one page of changes. has_values: with those of properties, before and after."""
    deployment = item.deployment
    return _present(
        **_change_set_head(owner, item),
        **page("Changes", item.changes, partial(_change, has_values=has_values), token),
        Parameters=parameters.shown(deployment.template.parameters, deployment.values),
        NotificationARNs=list(item.notification_arns),
        RollbackConfiguration={},
        Capabilities=list(deployment.capabilities),
        Tags=_tags(deployment.tags),
        OnStackFailure=item.on_failure,
        **_drift(item),
    )


def _drift(item: ChangeSet) -> dict[str, Any]:
    if item.drift is None:
        return {}
    return {"DeploymentMode": "REVERT_DRIFT", "StackDriftStatus": "DRIFTED" if item.drift else "IN_SYNC"}


def change_set_summary(owner: Stack, item: ChangeSet) -> dict[str, Any]:
    """An entry of ListChangeSets."""
    return _present(**_change_set_head(owner, item))


def template_summary(item: Template) -> dict[str, Any]:
    """The answer of GetTemplateSummary."""
    return _present(
        Parameters=[_declaration(parameter) for parameter in item.parameters.values()],
        Description=item.description,
        ResourceTypes=sorted({declared.type for declared in item.resources.values()}),
        Version=item.version,
        Metadata=None if item.metadata is None else json.dumps(item.metadata),
        DeclaredTransforms=list(item.transforms) or None,
        **_capabilities(item),
    )


def validation(item: Template) -> dict[str, Any]:
    """The answer of ValidateTemplate."""
    return _present(
        Parameters=[
            _present(
                ParameterKey=parameter.name,
                DefaultValue=parameter.default,
                NoEcho=parameter.is_secret,
                Description=parameter.description,
            )
            for parameter in item.parameters.values()
        ],
        Description=item.description,
        DeclaredTransforms=list(item.transforms) or None,
        **_capabilities(item),
    )


def _change_set_head(owner: Stack, item: ChangeSet) -> dict[str, Any]:
    return {
        "ChangeSetId": item.id,
        "ChangeSetName": item.name,
        "StackId": owner.id,
        "StackName": owner.name,
        "Description": item.description,
        "CreationTime": item.created,
        "ExecutionStatus": item.execution,
        "Status": item.status,
        "StatusReason": item.reason,
        "IncludeNestedStacks": False,
    }


def _change(item: Change, *, has_values: bool) -> dict[str, Any]:
    change = _present(
        PolicyAction=item.policy_action,
        Action=item.action,
        LogicalResourceId=item.logical_id,
        PhysicalResourceId=item.physical_id,
        ResourceType=item.type,
        Replacement=item.replacement,
        ResourceDriftStatus=item.drift,
        Scope=sorted({detail.attribute for detail in item.details}),
        Details=[_detail(detail, has_values=has_values) for detail in item.details],
    )
    return {"Type": "Resource", "ResourceChange": change}


def _detail(item: Detail, *, has_values: bool) -> dict[str, Any]:
    values = _values(item) if has_values and item.name else {}
    return _present(
        Target=_present(Attribute=item.attribute, Name=item.name, RequiresRecreation=item.recreation, **values),
        Evaluation=item.evaluation,
        ChangeSource=item.source,
        CausingEntity=item.cause,
    )


def _values(item: Detail) -> dict[str, Any]:
    """Source: "ResourceTargetDefinition", CloudFormation API Reference."""
    kind = "Add" if item.before is None else "Remove" if item.after is None else "Modify"
    return {
        "Path": f"/Properties/{item.name}",
        "BeforeValue": item.before,
        "AfterValue": item.after,
        "AttributeChangeType": kind,
        **_live(item),
    }


def _live(item: Detail) -> dict[str, Any]:
    """Of a property that was changed by hand: what it is, and what it had been deployed as."""
    if item.deployed is None:
        return {}
    drift = {"PreviousValue": item.deployed, "ActualValue": item.before}
    return {"BeforeValueFrom": "ACTUAL_STATE", "AfterValueFrom": "TEMPLATE", "Drift": drift}


def _declaration(item: parameters.Parameter) -> dict[str, Any]:
    return _present(
        ParameterKey=item.name,
        DefaultValue=item.default,
        ParameterType=item.type,
        NoEcho=item.is_secret,
        Description=item.description,
        ParameterConstraints={"AllowedValues": list(item.allowed_values)} if item.allowed_values else {},
    )


def _capabilities(item: Template) -> dict[str, Any]:
    needed = capabilities(item)
    expands = ["CAPABILITY_AUTO_EXPAND"] if item.transforms else []
    if needed is None:
        return {"Capabilities": expands} if expands else {}
    return {"Capabilities": [needed[0], *expands], "CapabilitiesReason": needed[1]}


def _output(item: StackOutput) -> dict[str, Any]:
    return _present(
        OutputKey=item.name, OutputValue=item.value, Description=item.description, ExportName=item.export_name
    )


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _present(**members: Any) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}
