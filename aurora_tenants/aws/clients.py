"""The only place in the command line that makes clients of AWS and turns botocore's errors into ours.

aws = connect(region="eu-west-1", profile=None)
with asking("read the stacks"):
    aws.cloudformation.describe_stacks()
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from aurora_tenants.aws.rate import Rate
from aurora_tenants.aws.session import session_of
from aurora_tenants.errors import AwsError, Problem

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch", "AuthFailure"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_POLICIES = "attach the plan or the apply policy that the shared stack makes (its outputs PlanPolicy, ApplyPolicy)"


@dataclass(frozen=True, slots=True)
class Aws:
    """The clients of one region. rds_data retries nothing by itself: only mysql.dataapi knows what may be repeated.

    client: the one of any other service, such as "scheduler". rate: how fast CloudFormation is asked.
    """

    region: str
    cloudformation: Any
    rds_data: Any
    client: Callable[[str], Any]
    rate: Rate = field(default_factory=Rate)


def connect(*, region: str | None, profile: str | None, attempts: int | None = None) -> Aws:
    """Clients for a region (None: the AWS configuration's) and a profile. attempts: how often a call is made at
    most; None for as long as is worth it.

    Of the environment AWS_REGION comes first; botocore by itself knows only AWS_DEFAULT_REGION.
    ("Environment variables", AWS CLI User Guide)

    Raises AwsError when the configuration cannot be used, for instance without a region.
    """
    with asking("use the AWS configuration"):
        session = session_of(region=region or os.environ.get("AWS_REGION") or None, profile=profile)
        retries = {"mode": "adaptive", "total_max_attempts": attempts or 10}
        patient = Config(retries=retries, connect_timeout=10, max_pool_connections=32)
        once = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=10)
        cloudformation = _client(session, "cloudformation", once.merge(Config(max_pool_connections=64)))
        rate = Rate(attempts)
        rate.govern(cloudformation)
        rds_data = _client(session, "rds-data", once)
        region = cloudformation.meta.region_name
        return Aws(region, cloudformation, rds_data, _each_once(lambda name: _client(session, name, patient)), rate)


def _each_once(make: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same, with one client of each service; in any number of threads, of which one makes a client at a time."""
    lock, made = threading.Lock(), dict[str, Any]()

    def client(name: str) -> Any:
        with lock:
            if name not in made:
                made[name] = make(name)
            return made[name]

    return client


def _client(session: Any, service: str, config: Config) -> Any:
    """A client. Raises AwsError if its endpoint is no URL: botocore raises ValueError for some, and calls others."""
    try:
        client = session.create_client(service, config=config)
        endpoint: str = client.meta.endpoint_url
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        raise AwsError(_no_url(str(error))) from error
    if not endpoint.startswith(("http://", "https://")):
        raise AwsError(_no_url(f"Invalid endpoint: {endpoint}"))
    return client


def _no_url(text: str) -> Problem:
    fix = "AWS_ENDPOINT_URL, or endpoint_url in the AWS configuration, must begin with http:// or https://"
    return Problem("invalid-endpoint", f"could not use the AWS configuration: {text}", fix=fix)


@contextmanager
def asking(purpose: str, *, if_denied: str = _POLICIES) -> Iterator[None]:
    """Turns what botocore raises into an AwsError that says what could not be done. purpose: "read the stacks".

    if_denied: what to do if a permission is missing.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(problem_of(error, purpose, if_denied)) from error
    except ResponseParserError as error:  # as of a proxy that answers with a page of its own
        what, fix = f"could not {purpose}: what answered is not AWS", "look at proxies and at AWS_ENDPOINT_URL"
        raise AwsError(Problem("not-aws", what, str(error).partition("\n")[0], fix)) from error


def code_of(error: BaseException | None) -> str:
    """AWS's code for an error; empty for an error that did not come from AWS."""
    return str(_answer(error).get("Code", ""))


def is_denied(error: BaseException | None) -> bool:
    """Whether a right is missing."""
    return code_of(error) in _DENIED


def problem_of(error: BotoCoreError | ClientError, purpose: str, if_denied: str = _POLICIES) -> Problem:
    """What a botocore error means for a user."""
    code, what = code_of(error), f"could not {purpose}"
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        fix = "set AWS_PROFILE or pass --profile, or run `aws sso login`"
        return Problem("no-credentials", f"{what}: there are no AWS credentials", fix=fix)
    if isinstance(error, exceptions.ProfileNotFound):
        return Problem("unknown-profile", f"{what}: {error}", fix="`aws configure list-profiles` lists those there are")
    if isinstance(error, exceptions.NoRegionError):
        fix = "pass --region, set AWS_REGION or AWS_DEFAULT_REGION, or write cluster.region into tenants.yaml"
        return Problem("no-region", f"{what}: no AWS region is set", fix=fix)
    if isinstance(error, exceptions.SSOError | exceptions.TokenRetrievalError) or code in _EXPIRED:
        fix = "log in again, for example with `aws sso login`"
        return Problem("expired-credentials", f"{what}: the AWS credentials have expired", fix=fix)
    if code in _UNKNOWN:
        why = "AWS does not know this access key, or the secret key does not match it"
        return Problem("wrong-credentials", f"{what}: the AWS credentials are wrong", why)
    if code in _DENIED:
        return Problem("access-denied", f"{what}: {_message(error)}", fix=if_denied)
    if isinstance(error, exceptions.ParamValidationError):
        fix = "check what was given on the command line, such as an ARN"
        return Problem("invalid-parameter", f"{what}: {error}", fix=fix)
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return Problem("no-connection", f"{what}: {error}", fix="check the network and the region's name")
    return Problem("aws-refused" if code else "aws-unreachable", f"{what}: {_message(error)}")


def _message(error: BotoCoreError | ClientError) -> str:
    """AWS's own sentence, without "An error occurred (…) when calling …" around it."""
    return str(_answer(error).get("Message") or error)


def _answer(error: BaseException | None) -> Mapping[str, Any]:
    """What AWS answered; empty when it did not: a closed connection has the attribute, and nothing in it."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return response.get("Error") or {}
