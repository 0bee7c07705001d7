"""May this role do this? The policies of a function's or schedule's role, read from IAM and applied to its calls.

A call made with a function's own access key, or by a schedule, is allowed only if the role allows every action it needs
on the resource it names; everybody else (the user at the terminal, CI) is allowed everything. What CloudFormation does
in its service role is not checked either, only that it may act in it: resource handlers work inside this process and
have no key. What is needed and what allows it is decided in policies.py.

    Policies(iam).of(role_arn)    the role's statements, kept until something in IAM changes
    Guard(...).check(...)         what a call needs, compared with them
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from aurora_sandbox.policies import Need, SecretFacts, StackFacts, Statement, decide, needs, trusts
from aurora_sandbox.wire import ServiceError

Read = Callable[[Any, str], Iterable[Statement]]  # a role's statements, by an IAM client and the role's name

_XML_SERVICES = frozenset({"cloudformation", "iam", "rds", "sts"})


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

    function_of: the function an access key belongs to. For arn_prefix, secret and stack see `needs`.
    """

    def __init__(
        self,
        policies: Policies,
        *,
        function_of: Callable[[str], Function | None],
        arn_prefix: Callable[[str], str],
        secret: Callable[[str], SecretFacts | None],
        stack: Callable[[str], StackFacts | None] = lambda name: None,
    ) -> None:
        self._policies, self._function_of, self._arn_prefix = policies, function_of, arn_prefix
        self._secret, self._stack = secret, stack

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
        wanted = needs(
            service, operation, parameters, arn_prefix=self._arn_prefix, secret=self._secret, stack=self._stack
        )
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
