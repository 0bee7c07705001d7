"""How many events the provider may serve at once, so that it cannot take all that the account may run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.errors import AwsError

PARAMETER = "ProviderConcurrency"
# As many as `apply --parallel` has stacks in flight at most. What comes meanwhile waits in Lambda's queue.
RESERVED = 50
# What Lambda leaves to all other functions. ("Configuring reserved concurrency", Lambda Developer Guide)
LEFT_TO_OTHERS = 100


class Reservation(NamedTuple):
    """parameters: of the shared stack. said: why nothing is reserved, as a sentence; empty if it is."""

    parameters: Mapping[str, str]
    said: str = ""


def reserve(aws: Aws, deployed: Mapping[str, str], given: Mapping[str, str]) -> Reservation:
    """What a deployment reserves for the provider; nothing where it has a number, or is given one, or none is free.

    deployed, given: parameters of the shared stack. Raises AwsError, but not for want of the permission to look.
    """
    if PARAMETER in given or deployed.get(PARAMETER):
        return Reservation({})
    action = "lambda:GetAccountSettings"
    try:
        with asking("read how many functions may run at once", if_denied=f"allow {action}"):
            limits = aws.client("lambda").get_account_settings()["AccountLimit"]
    except AwsError as error:
        if error.problems[0].code != "access-denied":
            raise
        return Reservation({}, _said(f"this caller may not see what is free ({action})"))
    free, all_of_it = limits["UnreservedConcurrentExecutions"], limits["ConcurrentExecutions"]
    if free - RESERVED < LEFT_TO_OTHERS:
        return Reservation({}, _said(f"of {all_of_it} that the account may run at once {free} are not reserved"))
    return Reservation({PARAMETER: str(RESERVED)})


def _said(why: str) -> str:
    return (
        f"The provider's concurrency is not bounded: {why}, and Lambda leaves {LEFT_TO_OTHERS} to other functions. "
        f'To bound it, have Lambda\'s quota "Concurrent executions" raised and deploy again, or pass {PARAMETER}.'
    )
