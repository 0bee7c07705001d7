"""Requests turned into deployments: the part of CreateStack, UpdateStack and CreateChangeSet that is the same.

Also the one list of what each operation understands. A parameter that is not on it is refused, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aurora_sandbox.cloudformation import parameters, template
from aurora_sandbox.cloudformation.deployment import Deployment, deployment
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.refusals import invalid, not_imitated
from aurora_sandbox.cloudformation.region import Region
from aurora_sandbox.cloudformation.stack import ChangeSet, OnFailure, Stack
from aurora_sandbox.documented import refused
from aurora_sandbox.wire import ServiceError

MAX_TAGS = 50
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_TEMPLATE = frozenset({"TemplateBody", "Parameters", "Capabilities", "Tags", "RoleARN", "NotificationARNs"})
_OPERATION = frozenset({"StackName", "ClientRequestToken"})
_ROLLBACK = frozenset({"DisableRollback", "RetainExceptOnCreate"})
UNDERSTOOD: Mapping[str, frozenset[str]] = {
    "CreateStack": _TEMPLATE
    | _OPERATION
    | _ROLLBACK
    | {"OnFailure", "EnableTerminationProtection", "TimeoutInMinutes"},
    "UpdateStack": _TEMPLATE | _OPERATION | _ROLLBACK | {"UsePreviousTemplate"},
    "DeleteStack": _OPERATION | {"RetainResources", "RoleARN"},
    "ContinueUpdateRollback": _OPERATION | {"ResourcesToSkip", "RoleARN"},
    "CancelUpdateStack": _OPERATION,
    "RollbackStack": _OPERATION | {"RoleARN", "RetainExceptOnCreate"},
    "UpdateTerminationProtection": frozenset({"StackName", "EnableTerminationProtection"}),
    "CreateChangeSet": _TEMPLATE
    | {"StackName", "ChangeSetName", "ChangeSetType", "ClientToken", "Description", "UsePreviousTemplate"}
    | {"OnStackFailure", "IncludeNestedStacks", "DeploymentMode", "ResourcesToImport"},
    "DescribeChangeSet": frozenset({"ChangeSetName", "StackName", "NextToken", "IncludePropertyValues"}),
    "ExecuteChangeSet": _OPERATION | _ROLLBACK | {"ChangeSetName"},
    "DeleteChangeSet": frozenset({"ChangeSetName", "StackName"}),
    "ListChangeSets": frozenset({"StackName", "NextToken"}),
    "DescribeStacks": frozenset({"StackName", "NextToken"}),
    "ListStacks": frozenset({"StackStatusFilter", "NextToken"}),
    "DescribeStackEvents": frozenset({"StackName", "NextToken"}),
    "DescribeStackResource": frozenset({"StackName", "LogicalResourceId"}),
    "DescribeStackResources": frozenset({"StackName", "LogicalResourceId", "PhysicalResourceId"}),
    "ListStackResources": frozenset({"StackName", "NextToken"}),
    "GetTemplate": frozenset({"StackName", "ChangeSetName", "TemplateStage"}),
    "GetTemplateSummary": frozenset({"StackName", "TemplateBody"}),
    "ValidateTemplate": frozenset({"TemplateBody"}),
    "ListExports": frozenset({"NextToken"}),
    "ListImports": frozenset({"ExportName", "NextToken"}),
    "DescribeAccountLimits": frozenset({"NextToken"}),
}


def check_role(role_arn: str | None, may_assume: Callable[[str], bool]) -> None:
    """Raises for a service role that is none, is not there, or does not trust CloudFormation."""
    if role_arn and not _ROLE.fullmatch(role_arn):
        raise invalid(f"{role_arn} is not a valid RoleARN")
    if role_arn and not may_assume(role_arn):
        raise invalid(f"Role {role_arn} is invalid or cannot be assumed")


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Raises for an operation, or a parameter of it, that the sandbox does not imitate."""
    if operation not in UNDERSTOOD:
        raise ServiceError("InvalidAction", f"the sandbox does not imitate CloudFormation's {operation}")
    for name, value in sorted(request.items()):
        if name not in UNDERSTOOD[operation] and value not in (None, "", [], {}, False):
            raise not_imitated(f"{name} of CloudFormation's {operation}")


def check_name(name: str) -> None:
    """Raises ValidationError for a stack's name that CloudFormation would not accept."""
    if words := refused("cloudformation:CreateStack", {"StackName": name}):
        raise invalid(words)


def requested(
    request: Mapping[str, Any], *, region: Region, handlers: Handlers, name: str, stack_id: str, live: Stack | None
) -> Deployment:
    """The deployment a request asks for. Raises ServiceError; nothing has happened then.

    live: the stack to be changed, whose template, parameters and tags the request may go on using; None to create one.
    """
    parsed = template.parse(_body(request, live))
    for declared in sorted(parsed.resources.values(), key=lambda item: item.logical_id):
        if not handlers.knows(declared.type):
            raise invalid(f"the sandbox does not imitate {declared.type} ({declared.logical_id})")
    previous = None if live is None else live.deployment.values
    values = parameters.values(parsed.parameters, request.get("Parameters") or (), previous=previous)
    granted = tuple(sorted(request.get("Capabilities") or ()))
    # Who makes a change set looks at what a transform has made before anything happens, so nothing is asked of it.
    if parsed.transforms and "ChangeSetName" not in request and "CAPABILITY_AUTO_EXPAND" not in granted:
        raise _insufficient("CAPABILITY_AUTO_EXPAND")
    _check_capabilities(parsed, granted)
    found = deployment(
        parsed,
        values,
        tags=_tags(request, live),
        capabilities=granted,
        facts=region.facts(name, stack_id, request.get("NotificationARNs") or ()),
    )
    if live is not None:
        _refuse_other_types(live, found)
    return found


def on_failure(request: Mapping[str, Any]) -> OnFailure:
    """What a request wants to happen if it fails."""
    wish: OnFailure | None = request.get("OnFailure")
    # AWS's sentence as issue 2781 of boto/boto has it, which sent DisableRollback=false.
    if wish and request.get("DisableRollback") is not None:
        raise invalid("Either DisableRollback or OnFailure can be specified, not both.")
    return wish or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK")


def on_failure_of(change_set: ChangeSet, request: Mapping[str, Any]) -> OnFailure:
    """What the execution of a change set wants to happen if it fails."""
    if change_set.on_failure and request.get("DisableRollback") is not None:
        # AWS's sentence as its article on this error has it.
        raise invalid(
            "Either DisableRollback or OnStackFailure can be specified, but not both. "
            "Validation error as OnStackFailure parameter was specified during CreateChangeSet."
        )
    return change_set.on_failure or on_failure(request)


def _body(request: Mapping[str, Any], live: Stack | None) -> str:
    if request.get("UsePreviousTemplate") and live is not None:
        return live.deployment.template.body
    if not request.get("TemplateBody"):
        raise invalid("Either Template URL or Template Body must be specified.")
    return str(request["TemplateBody"])


def _tags(request: Mapping[str, Any], live: Stack | None) -> dict[str, str]:
    if "Tags" not in request:
        return {} if live is None else dict(live.deployment.tags)
    tags = {item["Key"]: item["Value"] for item in request["Tags"]}
    if len(tags) > MAX_TAGS:
        raise invalid(f"Number of tags, {len(tags)}, is greater than maximum allowed, {MAX_TAGS}")
    return tags


def _check_capabilities(parsed: template.Template, granted: tuple[str, ...]) -> None:
    needed = template.capabilities(parsed)
    if needed is None or needed[0] in granted or "CAPABILITY_NAMED_IAM" in granted:
        return
    raise _insufficient(needed[0])


def _insufficient(capability: str) -> ServiceError:
    return ServiceError("InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]")


def _refuse_other_types(live: Stack, wanted: Deployment) -> None:
    other = sorted(
        name
        for name, item in live.resources.items()
        if name in wanted.resources and wanted.resources[name].type != item.type
    )
    if other:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(other)}]"
        )
