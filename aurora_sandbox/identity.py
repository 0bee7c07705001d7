"""Who calls, and what a role may do: the two questions of STS and IAM that moto does not answer as AWS does.

sts:GetCallerIdentity         a function's key is its role's session, and one got by AssumeRole is a session, too; every
                              other key is the sandbox's owner
iam:SimulatePrincipalPolicy   the owner may do everything; a role may do what its policies allow, as policies.py decides

All other operations of both services are moto's (front.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aurora_sandbox.iam import Function, Policies
from aurora_sandbox.policies import Need, decide
from aurora_sandbox.wire import Caller, ServiceError

_UNDERSTOOD = frozenset({"PolicySourceArn", "ActionNames", "ResourceArns", "ContextEntries"})


def owner_arn(account: str) -> str:
    """The IAM user that stands for whoever started the sandbox; it may do everything."""
    return f"arn:aws:iam::{account}:user/sandbox"


class Identity:
    """STS, as far as it says who calls."""

    name = "sts"
    only = frozenset({"GetCallerIdentity"})

    def __init__(
        self, *, account: str, function_of: Callable[[str], Function | None], session_of: Callable[[str], str]
    ) -> None:
        self._account, self._function_of, self._session_of = account, function_of, session_of

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        function = self._function_of(caller.access_key)
        arn = self._session_of(caller.access_key)
        if function is not None:
            role = function.role_arn.rpartition("/")[2]
            arn = f"arn:aws:sts::{self._account}:assumed-role/{role}/{function.name}"
        if not arn:
            return {"UserId": "AIDASANDBOX", "Account": self._account, "Arn": owner_arn(self._account)}
        return {"UserId": f"AROASANDBOX:{arn.rpartition('/')[2]}", "Account": self._account, "Arn": arn}


class Simulator:
    """IAM, as far as it tells what somebody may do. iam: gives a boto3 client to moto's."""

    name = "iam"
    only = frozenset({"SimulatePrincipalPolicy"})

    def __init__(self, policies: Policies, *, account: str, iam: Callable[[], Any]) -> None:
        self._policies, self._account, self._iam = policies, account, iam

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Raises ServiceError for whom the sandbox does not know, and for what it does not imitate."""
        others = sorted(name for name, value in parameters.items() if name not in _UNDERSTOOD and value)
        if others:
            message = f"The sandbox does not imitate {', '.join(others)} of SimulatePrincipalPolicy."
            raise ServiceError("NotImplemented", message, status=501)
        return {"EvaluationResults": [*self._results(parameters)], "IsTruncated": False}

    def _results(self, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        source = parameters["PolicySourceArn"]
        statements = None if source == owner_arn(self._account) else self._statements(source)
        keys = {
            entry["ContextKeyName"].lower(): ",".join(entry.get("ContextKeyValues", ()))
            for entry in parameters.get("ContextEntries", ())
        }
        resources = parameters.get("ResourceArns") or ["*"]
        for action in parameters["ActionNames"]:
            yield _result(action, [_on_resource(statements, Need(action, name, keys)) for name in resources])

    def _statements(self, source: str) -> tuple[Mapping[str, Any], ...]:
        name = source.rpartition("/")[2]
        iam = self._iam()
        try:
            is_there = ":role/" in source and iam.get_role(RoleName=name)["Role"]["Arn"] == source
        except iam.exceptions.NoSuchEntityException:
            is_there = False
        if not is_there:
            said = f"The sandbox knows the policies of roles and of its owner; there is no role {source}."
            raise ServiceError("NoSuchEntity", said, status=404)
        return self._policies.of(source)


def _on_resource(statements: Iterable[Mapping[str, Any]] | None, need: Need) -> dict[str, Any]:
    """A ResourceSpecificResult. statements: None for whom everything is allowed."""
    missing: set[str] = set()
    why_not = None if statements is None else decide(statements, need, missing)
    decision = "explicitDeny" if "explicit deny" in (why_not or "") else "implicitDeny"
    return {
        "EvalResourceName": need.resource,
        "EvalResourceDecision": decision if why_not else "allowed",
        "MatchedStatements": [],
        "MissingContextValues": sorted(missing),
    }


def _result(action: str, each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An EvaluationResult: the strictest of its resources' decisions, and all that any of them misses.

    Its own resource is the form of the action's ARNs, or * where there is none; the sandbox knows none.
    """
    decisions = {result["EvalResourceDecision"] for result in each}
    result = {
        "EvalActionName": action,
        "EvalResourceName": "*",
        "EvalDecision": next(it for it in ("explicitDeny", "implicitDeny", "allowed") if it in decisions),
        "MatchedStatements": [],
        "MissingContextValues": sorted({key for result in each for key in result["MissingContextValues"]}),
    }
    is_everywhere = [result["EvalResourceName"] for result in each] == ["*"]
    return result if is_everywhere else {**result, "ResourceSpecificResults": [*each]}
