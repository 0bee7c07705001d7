"""What a call needs, and whether a role's policies allow it. Pure: statements in, a decision out.

    needs(...)                    what a call needs: (action, resource ARN, condition keys)
    decide(statements, need)      allowed, or why not
    trusts(statements, ...)       whether a trust policy lets a service act in its role
    lets_service(statements, ...) the same of any other policy that is a resource's own
    may_use_key(policy, ...)      whether a KMS key's policy and a caller's let it be used

Identity-based policies and those of keys: other resource-based policies, permission boundaries and service control
policies are not imitated. A condition that cannot be evaluated denies, and the refusal says so: a policy that works
here must not depend on something nobody looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Statement = Mapping[str, Any]

# Condition keys whose value follows from the request alone, or that a direct call of a function never carries.
_ABSENT_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", "secretsmanager:resource/allowrotationlambdaarn"})
_TAG_KEYS = ("aws:resourcetag/", "secretsmanager:resourcetag/")


@dataclass(frozen=True, slots=True)
class Need:
    """One permission a call needs; keys are the condition keys known for it, in lower case, absent ones left out.

    absent: keys, or how they begin, of which it is known that the call has no others than those in `keys`.
    """

    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """What conditions and resources may ask of a secret."""

    arn: str
    rotation_function: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What conditions may ask of a stack."""

    tags: Mapping[str, str] = field(default_factory=dict)


class NotEvaluated(Exception):
    """A part of a policy that the sandbox does not know how to evaluate."""


def decide(statements: Iterable[Statement], need: Need, missing: set[str] | None = None) -> str | None:
    """None if the statements allow the need; otherwise the words that end AWS's refusal.

    missing: takes in the condition keys that are asked for and that the need lacks, which then count as absent.
    """
    allowed, unknown = False, ""
    for statement in statements:
        try:
            applies = _applies(statement, need, missing)
        except NotEvaluated as element:
            unknown, applies = f" (the sandbox cannot evaluate {element})", statement["Effect"] == "Deny"
        if applies and statement["Effect"] == "Deny":
            return f"with an explicit deny in an identity-based policy{unknown}"
        allowed = allowed or applies
    return None if allowed else f"because no identity-based policy allows the {need.action} action{unknown}"


def _applies(statement: Statement, need: Need, missing: set[str] | None) -> bool:
    return (
        _covers(statement, "Action", need.action, _is_action)
        and _covers(statement, "Resource", need.resource, _matches)
        and _conditions_hold(statement.get("Condition", {}), need.keys, missing, need.absent)
    )


def _covers(statement: Statement, element: str, value: str, matches: Callable[[str, str], bool]) -> bool:
    """Whether the statement's Action or Resource (or NotAction, NotResource) takes the value in."""
    negated = f"Not{element}" in statement
    patterns = _as_list(statement.get(f"Not{element}" if negated else element, ()))
    return any(matches(pattern, value) for pattern in patterns) is not negated


def _conditions_hold(
    conditions: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
    missing: set[str] | None = None,
    absent: tuple[str, ...] = (),
) -> bool:
    """Whether every condition holds. An absent key fails a condition, unless the operator is negated or …IfExists."""
    return all(
        _condition_holds(operator, key, [str(v) for v in _as_list(expected)], keys, missing, absent)
        for operator, wanted in conditions.items()
        for key, expected in wanted.items()
    )


def _condition_holds(
    operator: str,
    key: str,
    expected: Sequence[str],
    keys: Mapping[str, str],
    missing: set[str] | None,
    absent: tuple[str, ...],
) -> bool:
    plain = operator.removesuffix("IfExists")
    if plain not in _MATCHES:
        raise NotEvaluated(f"the operator {operator}")
    name = key.lower()
    if name not in keys and missing is not None:
        missing.add(key)
    elif name not in keys and name not in _ABSENT_KEYS and not name.startswith((*_TAG_KEYS, *absent)):
        raise NotEvaluated(f"the condition key {key}")
    negated = "Not" in plain
    if name not in keys:
        return negated or plain != operator
    return any(_MATCHES[plain](pattern, keys[name]) for pattern in expected) is not negated


def _as_list(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, str | bool | int) else list(value)


def _matches(pattern: str, value: str) -> bool:
    """Whether IAM's wildcards take the value in: * is any text, ? any one character."""
    return _expression(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _is_action(pattern: str, action: str) -> bool:
    """The same of actions, of which there are few, in whatever case they are written."""
    return _matches(pattern.lower(), action.lower())


_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    **dict.fromkeys(("StringEquals", "StringNotEquals"), str.__eq__),
    **dict.fromkeys(("StringLike", "StringNotLike", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"), _matches),
}


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise NotEvaluated(f"the policy variable in {pattern}")
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def needs(
    service: str,
    operation: str,
    parameters: Mapping[str, Any],
    *,
    arn_prefix: Callable[[str], str],
    secret: Callable[[str], SecretFacts | None],
    stack: Callable[[str], StackFacts | None] = lambda name: None,
) -> tuple[Need, ...]:
    """Every permission a call needs, in the order AWS asks for them.

    arn_prefix: "rds" → "arn:aws:rds:REGION:ACCOUNT:". secret: a secret's facts by name or ARN, None if there is none.
    stack: the same of a stack.
    Sources: each service's "Actions, resources, and condition keys", Service Authorization Reference; "Authorizing
    access to the RDS Data API", Aurora User Guide: the Data API reads the secret with the caller's permission.
    """
    action = f"{service}:{operation}"
    if action == "sts:GetCallerIdentity":
        return ()
    if service == "rds-data":
        read = _of_secret("secretsmanager:GetSecretValue", parameters["secretArn"], arn_prefix, secret)
        return (Need(action, parameters["resourceArn"]), read)
    if service == "secretsmanager":
        return _secretsmanager_needs(action, parameters, arn_prefix, secret)
    if service == "rds" and "DBClusterSnapshotIdentifier" in parameters:
        return _of_snapshot(action, parameters, arn_prefix(service))
    if service == "rds" and "DBClusterIdentifier" in parameters:
        name = parameters["DBClusterIdentifier"]
        return (Need(action, name if name.startswith("arn:") else f"{arn_prefix('rds')}cluster:{name}"),)
    if service == "cloudformation" and "StackName" in parameters:
        return _cloudformation_needs(operation, parameters, arn_prefix(service), stack)
    if service == "lambda" and "FunctionName" in parameters:
        name = str(parameters["FunctionName"]).rpartition("function:")[2]
        verb = "lambda:InvokeFunction" if operation == "Invoke" else action
        return (Need(verb, f"{arn_prefix(service)}function:{name}"),)
    if service == "logs" and "logGroupName" in parameters:
        return (Need(action, f"{arn_prefix(service)}log-group:{parameters['logGroupName']}:log-stream:"),)
    return (Need(action, "*"),)


def _of_snapshot(action: str, parameters: Mapping[str, Any], prefix: str) -> tuple[Need, ...]:
    """A snapshot's own, its cluster's where the call names it, and that of the tags that it gets."""
    snapshot = f"{prefix}cluster-snapshot:{parameters['DBClusterSnapshotIdentifier']}"
    cluster = parameters.get("DBClusterIdentifier")
    resources = [f"{prefix}cluster:{cluster}", snapshot] if cluster else [snapshot]
    tagging = [Need("rds:AddTagsToResource", snapshot)] if parameters.get("Tags") else []
    return (*(Need(action, resource) for resource in resources), *tagging)


# What CloudFormation has values for in some calls and in no others.
_OF_CLOUDFORMATION = ("aws:requesttag/", "cloudformation:rolearn", "cloudformation:createaction")


def _cloudformation_needs(
    operation: str, parameters: Mapping[str, Any], arn_prefix: str, stack: Callable[[str], StackFacts | None]
) -> tuple[Need, ...]:
    """A stack has its own tags for conditions, none while it waits for its first change set; a request has those it
    sets. A role is only that of the request, and not one that the stack has already.
    ("Actions, resources, and condition keys for AWS CloudFormation", Service Authorization Reference)
    """
    name, role = parameters["StackName"], parameters.get("RoleARN", "")
    resource = name if name.startswith("arn:") else f"{arn_prefix}stack/{name}/*"
    facts = stack(name)
    own = {f"aws:resourcetag/{key.lower()}": value for key, value in facts.tags.items()} if facts else {}
    set_now = {f"aws:requesttag/{tag['Key'].lower()}": tag["Value"] for tag in parameters.get("Tags") or ()}
    asked = {"cloudformation:rolearn": role} if role else {}
    found = [Need(f"cloudformation:{operation}", resource, {**own, **set_now, **asked}, _OF_CLOUDFORMATION)]
    if set_now:
        by = {"cloudformation:createaction": operation}
        found.append(Need("cloudformation:TagResource", resource, {**own, **set_now, **by}, _OF_CLOUDFORMATION))
    if role:
        found.append(Need("iam:PassRole", role, {"iam:passedtoservice": "cloudformation.amazonaws.com"}))
    return tuple(found)


def _secretsmanager_needs(
    action: str,
    parameters: Mapping[str, Any],
    arn_prefix: Callable[[str], str],
    secret: Callable[[str], SecretFacts | None],
) -> tuple[Need, ...]:
    if action == "secretsmanager:CreateSecret":
        first = _of_secret(action, parameters["Name"], arn_prefix, lambda name: None)
        tagging = Need("secretsmanager:TagResource", first.resource, first.keys)
        return (first, tagging) if parameters.get("Tags") else (first,)
    if action == "secretsmanager:BatchGetSecretValue":
        each = parameters.get("SecretIdList", ())
        reads = (_of_secret("secretsmanager:GetSecretValue", name, arn_prefix, secret) for name in each)
        return (Need(action, "*"), *reads)
    if "SecretId" not in parameters:
        return (Need(action, "*"),)
    first = _of_secret(action, parameters["SecretId"], arn_prefix, secret)
    if action == "secretsmanager:RotateSecret":
        facts = secret(parameters["SecretId"])
        function = parameters.get("RotationLambdaARN") or (facts.rotation_function if facts else None)
        return (first, Need("lambda:InvokeFunction", function)) if function else (first,)
    return (first,)


def _of_secret(
    action: str,
    secret_id: str,
    arn_prefix: Callable[[str], str],
    secret: Callable[[str], SecretFacts | None],
) -> Need:
    """The need of an action on one secret. One that is not there is judged by its name and six unknown characters."""
    facts = secret(secret_id)
    if facts is None:
        is_arn = secret_id.startswith("arn:")
        arn = secret_id if is_arn else f"{arn_prefix('secretsmanager')}secret:{secret_id}-??????"
        return Need(action, arn, {"secretsmanager:secretid": secret_id})
    keys = {"secretsmanager:secretid": secret_id}
    if facts.rotation_function:
        keys["secretsmanager:resource/allowrotationlambdaarn"] = facts.rotation_function
    for prefix in _TAG_KEYS:
        keys |= {f"{prefix}{tag.lower()}": value for tag, value in facts.tags.items()}
    return Need(action, facts.arn, keys)


def trusts(statements: Iterable[Statement], service: str, keys: Mapping[str, str]) -> bool:
    """Whether a role's trust policy lets a service assume it. A condition that cannot be evaluated says no."""
    return lets_service(statements, service, "sts:AssumeRole", None, keys)


def lets_service(
    statements: Iterable[Statement], service: str, action: str, resource: str | None, keys: Mapping[str, str]
) -> bool:
    """Whether a resource's own policy lets a service do this to it. resource: None where a policy names none.

    A condition that cannot be evaluated says no.
    """
    is_trusted = False
    for statement in statements:
        principal = statement.get("Principal", {})
        is_named = principal == "*" or service in _as_list(principal.get("Service", ()))
        try:
            applies = is_named and _covers(statement, "Action", action, _is_action)
            applies = applies and (resource is None or _covers(statement, "Resource", resource, _matches))
            applies = applies and _conditions_hold(statement.get("Condition", {}), keys)
        except NotEvaluated:
            return False
        if applies and statement["Effect"] == "Deny":
            return False
        is_trusted = is_trusted or applies
    return is_trusted


def may_use_key(
    policy: str, statements: Iterable[Statement] | None, need: Need, principals: Sequence[str], *, account: str
) -> bool:
    """Whether a key's policy and the caller's own statements allow a need on the key.

    statements: None for a caller whom everything is allowed. principals: the ARNs by which the policy may name the
    caller. A policy that names the account leaves it to the caller's own policies.
    ("Determining access to AWS KMS keys", KMS Developer Guide)
    """
    own = None if statements is None else decide(statements, need)
    if own and "explicit deny" in own:
        return False
    root, is_allowed = (account, f"arn:aws:iam::{account}:root"), False
    for statement in _as_statements(json.loads(policy)["Statement"] if policy else ()):
        named = statement.get("Principal", {})
        aws = ("*",) if named == "*" else _as_list(named.get("AWS", ()))
        is_named, is_delegated = any(each in ("*", *principals) for each in aws), any(each in root for each in aws)
        is_denied = statement["Effect"] == "Deny"
        try:
            applies = (is_named or is_delegated) and _applies(statement, need, None)
        except NotEvaluated:
            applies = is_denied
        if applies and is_denied:
            return False
        is_allowed = is_allowed or (applies and (is_named or not own))
    return is_allowed


def _as_statements(found: Any) -> Sequence[Statement]:
    return [found] if isinstance(found, Mapping) else found
