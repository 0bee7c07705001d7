"""What is read of AWS beside everything else, from the moment on that the cluster is known: nothing that wakes it.

    begun = begin_at_glance(text, …)        while the file is parsed and checked; None where it takes more than a glance
    begun = begin_reading(aws, cluster)     the same for an account that is known already

The account is asked for first, and nothing of another one than the file names. What becomes of the rest is of no
interest before it is asked for: then it is there, or is waited for, or raises what went wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.aws.secrets import read_secrets
from aurora_tenants.aws.session import needs_nobody
from aurora_tenants.aws.stacks import read_deployed, read_stack
from aurora_tenants.aws.whose import compare, who
from aurora_tenants.beside import begin
from aurora_tenants.config.glance import glance
from aurora_tenants.errors import AwsError
from aurora_tenants.model import Cluster
from aurora_tenants.stack import Deployed, Stack
from aurora_tenants.tenant.secrets import Secrets

# Credentials may come from a service that does not answer. Until then, making clients is all work for the processor,
# and done sooner alone.
_CLIENTS_SECONDS = 0.25
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Begun:
    """What is being read of a cluster's account and region.

    shared: the shared stack by its name, None where there is none of it. secrets: None where they are not asked for, or
    where there was no such stack.
    """

    cluster: Cluster
    aws: Future[Aws]
    account: Future[str]
    shared: Future[Stack | None]
    deployed: Future[Deployed]
    secrets: Future[Secrets | None]


class _AnotherAccount(Exception):
    """Nothing is asked of it."""


def begin_at_glance(
    text: str, *, region: str | None, profile: str | None, account: str | None, with_secrets: bool
) -> Begun | None:
    """account: the number of the one that has to answer; None for the one in the file, or whichever does."""
    cluster = glance(text)
    if cluster is None or not needs_nobody(profile):
        return None
    aws = begin(lambda: connect(region=region or cluster.region, profile=profile))
    wait([aws], timeout=_CLIENTS_SECONDS)
    found = begin(lambda: who(aws.result()))

    def require() -> None:
        compare(found.result(), cluster)
        if account not in (None, found.result()):
            raise _AnotherAccount

    return _begin(cluster, aws, found, require, with_secrets=with_secrets)


def begin_reading(aws: Aws, cluster: Cluster, account: str, *, with_secrets: bool) -> Begun:
    """The same of an account that was compared with the file's."""
    return _begin(cluster, _known(aws), _known(account), lambda: None, with_secrets=with_secrets)


def _begin(
    cluster: Cluster, aws: Future[Aws], account: Future[str], require: Callable[[], None], *, with_secrets: bool
) -> Begun:
    """require: raises where nothing may be asked."""

    def stack() -> Stack | None:
        require()
        return read_stack(aws.result().cloudformation, cluster.stack)

    def stacks() -> Deployed:
        require()
        return read_deployed(aws.result().cloudformation, cluster)

    def secrets() -> Secrets | None:
        require()
        with suppress(AwsError):  # what is wrong is told by whoever asks for the stack
            if shared.result() is None:
                return None
        return read_secrets(aws.result(), cluster)

    shared = begin(stack)
    return Begun(cluster, aws, account, shared, begin(stacks), begin(secrets) if with_secrets else _known(None))


def _known(value: T) -> Future[T]:
    future = Future[T]()
    future.set_result(value)
    return future
