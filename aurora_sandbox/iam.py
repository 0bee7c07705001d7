"""May this role do this? The identity-based policies of a function's or schedule's role, applied to its calls.

A call made with a function's own access key, or by a schedule, is allowed only if the role allows every action it needs
on the resource it names; everybody else (the user at the terminal, CI) is allowed everything. What CloudFormation does
in its service role is not checked either, only that it may act in it: resource handlers work inside this process and
have no key. Resource-based policies,
permission boundaries and service control policies are not imitated. A condition that cannot be evaluated denies, and
the refusal says so: a policy that works here must not depend on something nobody looked at.

    needs(...)                    what a call needs: (action, resource ARN, condition keys)
    decide(statements, need)      allowed, or why not. Pure
    Policies(iam).of(role_arn)    the role's statements, kept until something in IAM changes
    Guard(...).check(...)         the three together, for one request
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from aurora_sandbox.wire import ServiceError

Statement = Mapping[str, Any]
Read = Callable[[Any, str], Iterable[Statement]]  # a role's statements, by an IAM client and the role's name

# Condition keys whose value follows from the request alone, or that a direct call of a function never carries.
_ABSENT_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", "secretsmanager:resource/allowrotationlambdaarn"})
_TAG_KEYS = ("aws:resourcetag/", "secretsmanager:resourcetag/")
_XML_SERVICES = frozenset({"cloudformation", "iam", "rds", "sts"})


@dataclass(frozen=True, slots=True)
class Need:
    """One permission a call needs; keys are the condition keys known for it, in lower case, absent ones left out."""

    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """What conditions and resources may ask of a secret."""

    arn: str
    rotation_function: str | None = None
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
        _covers(statement, "Action", need.action, str.lower)
        and _covers(statement, "Resource", need.resource)
        and _conditions_hold(statement.get("Condition", {}), need.keys, missing)
    )


def _covers(statement: Statement, element: str, value: str, fold: Callable[[str], str] = str) -> bool:
    """Whether the statement's Action or Resource (or NotAction, NotResource) takes the value in."""
    negated = f"Not{element}" in statement
    patterns = _as_list(statement.get(f"Not{element}" if negated else element, ()))
    return any(_matches(fold(pattern), fold(value)) for pattern in patterns) is not negated


def _conditions_hold(
    conditions: Mapping[str, Mapping[str, Any]], keys: Mapping[str, str], missing: set[str] | None = None
) -> bool:
    """Whether every condition holds. An absent key fails a condition, unless the operator is negated or …IfExists."""
    return all(
        _condition_holds(operator, key, [str(v) for v in _as_list(expected)], keys, missing)
        for operator, wanted in conditions.items()
        for key, expected in wanted.items()
    )


def _condition_holds(
    operator: str, key: str, expected: Sequence[str], keys: Mapping[str, str], missing: set[str] | None
) -> bool:
    plain = operator.removesuffix("IfExists")
    if plain not in _MATCHES:
        raise NotEvaluated(f"the operator {operator}")
    name = key.lower()
    if name not in keys and missing is not None:
        missing.add(key)
    elif name not in keys and name not in _ABSENT_KEYS and not name.startswith(_TAG_KEYS):
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
) -> tuple[Need, ...]:
    """Every permission a call needs, in the order AWS asks for them.

    arn_prefix: "rds" → "arn:aws:rds:REGION:ACCOUNT:". secret: a secret's facts by name or ARN, None if there is none.
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
    if service == "rds" and "DBClusterIdentifier" in parameters:
        name = parameters["DBClusterIdentifier"]
        return (Need(action, name if name.startswith("arn:") else f"{arn_prefix('rds')}cluster:{name}"),)
    if service == "cloudformation" and "StackName" in parameters:
        name = parameters["StackName"]
        return (Need(action, name if name.startswith("arn:") else f"{arn_prefix(service)}stack/{name}/*"),)
    if service == "lambda" and "FunctionName" in parameters:
        name = str(parameters["FunctionName"]).rpartition("function:")[2]
        verb = "lambda:InvokeFunction" if operation == "Invoke" else action
        return (Need(verb, f"{arn_prefix(service)}function:{name}"),)
    return (Need(action, "*"),)


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
    if "RotationLambdaARN" in parameters:
        return (first, Need("lambda:InvokeFunction", parameters["RotationLambdaARN"]))
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


class Function(Protocol):
    """What is asked of a Lambda function here."""

    @property
    def name(self) -> str: ...

    @property
    def role_arn(self) -> str: ...


class Policies:
    """The statements of roles, read through a boto3 IAM client and kept until `forget()` says that IAM changed."""

    def __init__(self, iam: Callable[[], Any]) -> None:
        self._iam = iam
        self._lock = threading.Lock()
        self._generation = 0
        self._kept: dict[tuple[str, Read], tuple[Statement, ...]] = {}

    def forget(self) -> None:
        with self._lock:
            self._generation += 1
            self._kept.clear()

    def of(self, role_arn: str) -> tuple[Statement, ...]:
        """The statements of a role's inline and managed policies; none for a role that does not exist."""
        return self._read(role_arn, _statements)

    def trust(self, role_arn: str) -> tuple[Statement, ...]:
        """The statements of its trust policy: who may act in it."""
        return self._read(role_arn, _trust)

    def _read(self, role_arn: str, read: Read) -> tuple[Statement, ...]:
        with self._lock:
            kept, generation = self._kept.get((role_arn, read)), self._generation
        if kept is not None:
            return kept
        iam = self._iam()
        try:
            found = tuple(read(iam, role_arn.rpartition("/")[2]))
        except iam.exceptions.NoSuchEntityException:
            return ()
        with self._lock:
            if generation == self._generation:  # else IAM changed while it was read
                self._kept[role_arn, read] = found
        return found


def _trust(iam: Any, role: str) -> Iterable[Statement]:
    return _listed(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])


def _statements(iam: Any, role: str) -> Iterable[Statement]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            yield from _listed(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for attached in page["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            yield from _listed(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def _listed(document: Mapping[str, Any]) -> Sequence[Statement]:
    statements = document["Statement"]
    return [statements] if isinstance(statements, Mapping) else statements


class Guard:
    """Lets a call of a function pass only if the function's role allows all it needs, and everybody else's always.

    function_of: the function an access key belongs to. For arn_prefix and secret see `needs`.
    """

    def __init__(
        self,
        policies: Policies,
        *,
        function_of: Callable[[str], Function | None],
        arn_prefix: Callable[[str], str],
        secret: Callable[[str], SecretFacts | None],
    ) -> None:
        self._policies, self._function_of, self._arn_prefix, self._secret = policies, function_of, arn_prefix, secret

    def is_function(self, access_key: str) -> bool:
        return self._function_of(access_key) is not None

    def check(self, service: str, operation: str, parameters: Mapping[str, Any], access_key: str) -> None:
        """Returns if the call may be made.

        Raises ServiceError AccessDeniedException in AWS's words, naming role, session, action and resource.
        """
        function = self._function_of(access_key)
        if function is None:
            return
        self.check_role(function.role_arn, function.name, service, operation, parameters)

    def check_role(
        self, role_arn: str, session: str, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> None:
        """The same for a call that a role makes in a session of this name."""
        wanted = needs(service, operation, parameters, arn_prefix=self._arn_prefix, secret=self._secret)
        self.check_needs(role_arn, session, wanted)

    def check_needs(self, role_arn: str, session: str, wanted: Iterable[Need]) -> None:
        statements = self._policies.of(role_arn)
        for need in wanted:
            why_not = decide(statements, need)
            if why_not is not None:
                raise denied(need, why_not, role_arn=role_arn, session=session)

    def check_assumed(self, role_arn: str, source_arn: str) -> None:
        """Returns if EventBridge Scheduler may act in the role for this source. Raises ServiceError in its words."""
        keys = {"aws:sourceaccount": source_arn.split(":")[4], "aws:sourcearn": source_arn}
        if not trusts(self._policies.trust(role_arn), "scheduler.amazonaws.com", keys):
            message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
            raise ServiceError("ValidationException", message)

    def cloudformation_may_assume(self, role_arn: str) -> bool:
        """Whether CloudFormation may act in a role, whether or not it says for which account: no document says that
        it does, so a trust policy that only holds with aws:SourceAccount, or only without it, is not enough here.
        """
        statements, account = self._policies.trust(role_arn), role_arn.split(":")[4]
        either: tuple[Mapping[str, str], ...] = ({}, {"aws:sourceaccount": account})
        return all(trusts(statements, "cloudformation.amazonaws.com", keys) for keys in either)


def trusts(statements: Iterable[Statement], service: str, keys: Mapping[str, str]) -> bool:
    """Whether a role's trust policy lets a service assume it. A condition that cannot be evaluated says no."""
    is_trusted = False
    for statement in statements:
        principal = statement.get("Principal", {})
        is_named = principal == "*" or service in _as_list(principal.get("Service", ()))
        try:
            applies = is_named and _covers(statement, "Action", "sts:AssumeRole", str.lower)
            applies = applies and _conditions_hold(statement.get("Condition", {}), keys)
        except NotEvaluated:
            return False
        if applies and statement["Effect"] == "Deny":
            return False
        is_trusted = is_trusted or applies
    return is_trusted


def denied(need: Need, why_not: str, *, role_arn: str, session: str) -> ServiceError:
    """AWS's refusal of a need; where XML is spoken it is AccessDenied, where JSON is, AccessDeniedException."""
    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    service = need.action.partition(":")[0]
    code = "AccessDenied" if service in _XML_SERVICES else "AccessDeniedException"
    return ServiceError(
        "UnauthorizedOperation" if service == "ec2" else code,
        f"User: arn:aws:sts::{account}:assumed-role/{role}/{session} is not authorized to perform: {need.action} "
        f"on resource: {need.resource} {why_not}",
        status=400 if service == "secretsmanager" else 403,
    )
