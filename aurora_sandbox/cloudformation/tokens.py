"""Client request tokens: the same request once more is still one request, and a token is for one request alone.

AWS documents what a token is for, a request that is made again because its answer was lost, and that there is a
TokenAlreadyExistsException, but not when it comes. The sandbox is as unkind as that allows: it comes when a token was
used for anything else in this account and region, or for an operation that is no longer the last one of its stack.

    first    DeleteStack shop, token t1    {}    and the deletion begins
    again    DeleteStack shop, token t1    {}    and nothing begins
    other    UpdateStack shop, token t1    TokenAlreadyExistsException
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.region import Region
from aurora_sandbox.cloudformation.stack import ChangeSet, Stack
from aurora_sandbox.wire import ServiceError

Request = Mapping[str, Any]
# What AWS calls the attributes of a change set, where that is known, and in which order it compares them.
_ATTRIBUTES = {"ClientToken": "ClientToken", "TemplateBody": "Template", "Parameters": "Parameters"}


@dataclass(frozen=True, slots=True)
class _Use:
    """What a token was used for, and what was answered."""

    operation: str
    request: Request
    stack: Stack
    answer: dict[str, Any]


class Tokens:
    """Every ClientRequestToken that an operation began with. Call the methods with `region.changed` held."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._uses: dict[str, _Use] = {}

    def answered(self, operation: str, request: Request) -> dict[str, Any] | None:
        """What was answered to the same request before, if it was made. Raises TokenAlreadyExistsException."""
        token = request.get("ClientRequestToken")
        use = self._uses.get(token) if token else None
        if use is None:
            return None
        if (use.operation, use.request, use.stack.token) == (operation, request, token):
            return use.answer
        raise ServiceError("TokenAlreadyExistsException", "A client request token already exists.")

    def remember(self, operation: str, request: Request, answer: dict[str, Any]) -> None:
        """The request was answered; where it began nothing, its token is still free."""
        token = request.get("ClientRequestToken")
        stack = self._region.begun_with(token) if token else None
        if token and stack is not None:
            self._uses[token] = _Use(operation, request, stack, answer)


def refuse_other(there: ChangeSet, request: Request) -> None:
    """Raises AlreadyExistsException unless the request is the one that made this change set, token and all.

    Source of the sentence: issue 342 of awslabs/landing-zone-accelerator-on-aws has it for other tokens, issue 122 of
    aws-actions/aws-cloudformation-github-deploy for requests without one. What AWS says to the same request without
    a token is not known; the sandbox refuses it.
    """
    names = [*_ATTRIBUTES, *sorted((there.request.keys() | request.keys()) - _ATTRIBUTES.keys() - {"StackName"})]
    differing = [name for name in names if there.request.get(name) != request.get(name)]
    if differing or not request.get("ClientToken"):
        name = differing[0] if differing else "ClientToken"
        raise ServiceError(
            "AlreadyExistsException",
            f"ChangeSet {there.name} cannot be created due to a mismatch with existing attribute "
            f"{_ATTRIBUTES.get(name, name)}",
        )
