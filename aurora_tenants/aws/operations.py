"""Operations on stacks: begun once, whatever becomes of the answer, and followed to their end by the stack's events.

token = new_token()
with beginning(cloudformation, plan.name, token, "delete stack shop"):
    cloudformation.delete_stack(StackName=…, ClientRequestToken=token)
follow(cloudformation, stack_id, token, "DELETE_COMPLETE", tell)

Every event carries the token of the operation that it belongs to ("StackEvent", CloudFormation API Reference). So what
an answer that was lost began is found again, and told from what somebody else does with the stack at the same time.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from aurora_tenants.aws.clients import asking, code_of
from aurora_tenants.aws.poller import Watched, poller_of
from aurora_tenants.errors import AuroraTenantsError, AwsError, Problem, StackFailed

# Before what a custom resource's function has answered.
_ANSWERED = "Message returned: "
# What the provider tells of an error that it does not know, and AWS of rights that its role has lost.
_BROKEN = ("the provider failed with", "is not authorized to perform")
_STACK = "AWS::CloudFormation::Stack"
# What CloudFormation says where somebody else was faster, or where we were and do not know it.
_OTHERS = ("AlreadyExistsException", "ChangeSetNotFound", "InvalidChangeSetStatus", "OperationInProgressException")
_IN_STATE = re.compile(r"Stack\b.*(_IN_PROGRESS|in \w+ state|already exists|does not exist)")
# What an operation begins with, but for those that end one that failed.
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "REVIEW_IN_PROGRESS")
# An operation that was accepted and has no event after that long, and so many looks, has become somebody else's.
_SEEN_SECONDS, _SEEN_LOOKS = 20.0, 4


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a stack operation. resource: a logical id, or the stack's name for the stack itself."""

    stack: str
    resource: str
    type: str
    status: str
    reason: str


Tell = Callable[[Event], None]


class StackBusy(AwsError):
    """Somebody else has changed the stack, or is at it: what was decided for it has to be decided again."""


class Stopped(AuroraTenantsError):
    """The run was stopped before an operation began."""


def new_token() -> str:
    """What no other operation has."""
    return f"aurora-tenants-{uuid.uuid4()}"


@contextmanager
def beginning(cloudformation: Any, stack: str, token: str, purpose: str, if_denied: str = "") -> Iterator[None]:
    """Around the call that begins an operation with this token. A refusal of what has begun already is none.

    stack: its name or id. Raises Stopped, StackBusy, AwsError.
    """
    if poller_of(cloudformation).stop.is_set():
        raise Stopped(Problem("stopped", f"could not {purpose}: the run was stopped before", fix="apply again"))
    try:
        with asking(purpose, **({"if_denied": if_denied} if if_denied else {})):
            yield
    except AwsError as error:
        if not is_race(error.__cause__):
            raise
        if not _has_begun(cloudformation, stack, token):
            raise refused_race(stack, error) from error.__cause__


def refused_race(stack: str, error: AwsError) -> StackBusy:
    """What a refusal means where somebody else was faster. stack: its name or id."""
    name = stack.split("/")[1] if "/" in stack else stack
    why, fix = error.problems[0].what, "apply again once they are done"
    return StackBusy(Problem("stack-busy", f"somebody else changes stack {name} at the same time", why, fix))


def is_race(error: BaseException | None) -> bool:
    """Whether a refusal may only say that something has happened to the stack since it was looked at."""
    code = code_of(error)
    return code in _OTHERS or (code == "ValidationError" and bool(_IN_STATE.search(str(error))))


def _has_begun(cloudformation: Any, stack: str, token: str) -> bool:
    try:
        return any(entry.get("ClientRequestToken") == token for entry in _page(cloudformation, stack))
    except AwsError as error:
        if code_of(error.__cause__) == "ValidationError":  # there is no such stack
            return False
        raise


def follow(cloudformation: Any, stack_id: str, token: str, wanted: str, tell: Tell) -> None:
    """Follows an operation to its end and reports each event once. Raises StackFailed if it ends other than wanted."""
    try:
        with poller_of(cloudformation).watching(stack_id) as watched:
            _Following(cloudformation, stack_id, token, tell).follow(watched, wanted)
    except AwsError as error:
        # The operation continues, whether or not anybody can follow it.
        error.nothing_was_changed = isinstance(error, StackBusy)
        raise


class _Following:
    """What is known of an operation so far. Its events are those from the first with its token on."""

    def __init__(self, cloudformation: Any, stack_id: str, token: str, tell: Tell) -> None:
        self._cloudformation, self._stack_id, self._token, self._tell = cloudformation, stack_id, token, tell
        self._seen: set[str] = set()
        self._failures: list[Event] = []

    def follow(self, watched: Watched, wanted: str) -> None:
        looks = 0
        while True:
            watched.wait()
            looks += 1
            for event in self._newer():
                self._tell(event)
                if event.status.endswith("_FAILED") and "cancelled" not in event.reason:
                    self._failures.append(event)
                if event.type == _STACK and event.resource == event.stack and not event.status.endswith("_IN_PROGRESS"):
                    if event.status != wanted:
                        raise StackFailed(_root_cause(event.stack, event.status, self._failures))
                    return
            if not self._seen and looks >= _SEEN_LOOKS and watched.seconds() > _SEEN_SECONDS:
                raise StackBusy(self._lost())

    def _newer(self) -> list[Event]:
        """Those that were not told yet, oldest first; read as far back as the first of the operation's own."""
        newer: list[Mapping[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page, following = _page_of(self._cloudformation, self._stack_id, token)
            fresh = [*takewhile(lambda entry: entry["EventId"] not in self._seen, page)]
            newer += fresh
            if len(fresh) < len(page) or not following or page[-1].get("ClientRequestToken") != self._token:
                break
            token = {"NextToken": following}
        if not self._seen:
            ours = [at for at, entry in enumerate(newer) if entry.get("ClientRequestToken") == self._token]
            newer = newer[: ours[-1] + 1] if ours else []
            if not ours and _is_deleted(page):
                raise StackBusy(self._lost())
        self._seen.update(entry["EventId"] for entry in newer)
        return [_event(entry) for entry in reversed(newer)]

    def _lost(self) -> Problem:
        name = self._stack_id.split("/")[1]
        what = f"what was begun with stack {name} has not happened"
        return Problem("stack-busy", what, "somebody else changes it at the same time", "apply again")


def _is_deleted(page: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a stack is gone or goes by what its newest events say, so that nothing else begins any more."""
    last = next((entry["ResourceStatus"] for entry in page if entry["ResourceType"] == _STACK), "")
    return last in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")


def first_failure(cloudformation: Any, name: str) -> Event | None:
    """The resource at which the last operation on a stack failed first, None where no event tells it."""
    first = None
    token: dict[str, str] = {}
    while True:
        page, following = _page_of(cloudformation, name, token)
        for event in map(_event, page):
            if event.type == _STACK:
                if event.status in _BEGINNINGS:
                    return first
            elif event.status.endswith("_FAILED") and "cancelled" not in event.reason:
                first = event
        if not following:
            return first
        token = {"NextToken": following}


def _page(cloudformation: Any, stack: str) -> list[Mapping[str, Any]]:
    return _page_of(cloudformation, stack, {})[0]


def _page_of(cloudformation: Any, stack: str, token: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str]:
    """Events, newest first, and the token of the next page; empty after the last."""
    with asking("read the stack's events"):
        answer = cloudformation.describe_stack_events(StackName=stack, **token)
    return answer["StackEvents"], answer.get("NextToken", "")


def _event(entry: Mapping[str, Any]) -> Event:
    return Event(
        entry["StackName"],
        entry["LogicalResourceId"],
        entry["ResourceType"],
        entry["ResourceStatus"],
        entry.get("ResourceStatusReason", ""),
    )


def words(failure: Event) -> str:
    """Why a resource failed, without what CloudFormation puts before a custom resource's sentence, and after it."""
    return " ".join(failure.reason.split(_ANSWERED, 1)[-1].split(" (RequestId: ")[0].split())


def _root_cause(name: str, status: str, failures: list[Event]) -> Problem:
    """The first resource that failed, in its own words; later failures follow from it."""
    cause = next((event for event in failures if event.resource != name), failures[0] if failures else None)
    ended = {
        "UPDATE_ROLLBACK_COMPLETE": "was rolled back to what it was",
        "IMPORT_ROLLBACK_COMPLETE": "was rolled back to what it was",
        "ROLLBACK_COMPLETE": "was rolled back; the next apply creates it again",
        "CREATE_FAILED": "ended as CREATE_FAILED, with what it has made; the next deployment goes on",
        "UPDATE_FAILED": "ended as UPDATE_FAILED, with what it has made; the next deployment goes on",
    }.get(status, f"ended as {status}")
    if cause is None:
        return Problem("stack-failed", f"stack {name} {ended}", context=name)
    code = "function-failed" if _is_of_function(cause) else "stack-failed"
    return Problem(code, f"{cause.resource}: {words(cause)}", why=f"stack {name} {ended}", context=f"stack {name}")


def _is_of_function(cause: Event) -> bool:
    """Whether one of the shared stack's functions is gone or broken: it did not answer, or did not know what to say."""
    is_custom = cause.type.startswith("Custom::")
    if is_custom:
        return _ANSWERED not in cause.reason or any(text in cause.reason for text in _BROKEN)
    return cause.type == "AWS::SecretsManager::RotationSchedule" and "ambda" in cause.reason
