"""What passes between HTTP and a service: requests, answers, refusals, and what a service is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class ServiceError(Exception):
    """An answer AWS would give instead of a result: its code, its message, its HTTP status."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Broken(Exception):
    """No answer of the service's: what a proxy says in its place, with this status; None: the connection closes."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"an answer that is broken: {status or 'none'}")
        self.status = status


class Kept(dict[str, Any]):
    """A structure in an answer that nobody changes any more, nor anything in it: a stack that is as it was last time.

    What was found out about it is kept with it. fitting: the shape that it keeps to. written: a shape, and what the
    structure is in the protocol of that. size: bytes, as a list in pages counts them.
    """

    __slots__ = ("fitting", "size", "written")

    def __init__(self, members: Mapping[str, Any]) -> None:
        super().__init__(members)
        self.fitting: object = None
        self.written: tuple[object, Any] = None, None
        self.size: int | None = None


def kept(members: dict[str, Any], before: Kept | None) -> Kept:
    """These members, as the same object as before if they are the same."""
    return before if before is not None and before == members else Kept(members)


class UnknownProtocol(Exception):
    """A service whose requests this module cannot read."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request."""

    access_key: str


class Service(Protocol):
    """One AWS service of the sandbox: takes what a boto3 caller passes, gives what a boto3 caller receives.

    only: the operations that are this one's, where moto has the others; None for all.
    """

    name: str

    @property
    def only(self) -> frozenset[str] | None: ...

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; target is the path with its query, header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; Content-Length is left to the HTTP server. is_torn: the connection closes in the middle of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_torn: bool = False
