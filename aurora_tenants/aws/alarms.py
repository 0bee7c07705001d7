"""Who is told of failures: the e-mail subscriptions of the shared stack's topic, its output `Alarms`.

They are not part of the stack, so that no deployment loses one; they end with the topic, when the stack is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.errors import InvalidUsage, Problem

OUTPUT = "Alarms"
_PENDING = "PendingConfirmation"  # in place of a subscription's ARN
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TO_SUBSCRIBE = "allow sns:Subscribe and sns:ListSubscriptionsByTopic on the topic, the shared stack's output Alarms"


class Subscription(NamedTuple):
    """Somebody who is to be told. is_confirmed: they have opened the link in the mail that AWS sent them."""

    address: str
    is_confirmed: bool


def check_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """E-mail addresses, each once. Raises InvalidUsage for what is none."""
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            what = f"--notify {address} is no e-mail address" if address else "--notify is empty"
            fix = "name one like ops@example.com, or leave it out"
            raise InvalidUsage(Problem("invalid-address", what, fix=fix))
    return tuple(dict.fromkeys(addresses))


def read(aws: Aws, topic: str) -> tuple[Subscription, ...]:
    """The e-mail subscriptions of a topic, by address. Raises AwsError."""
    with asking("read who is told of failures", if_denied="allow sns:ListSubscriptionsByTopic on the topic"):
        pages = aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        found = [each for page in pages for each in page["Subscriptions"] if each["Protocol"] == "email"]
    return tuple(sorted(Subscription(each["Endpoint"], each["SubscriptionArn"] != _PENDING) for each in found))


def subscribe(aws: Aws, topic: str, addresses: Iterable[str]) -> tuple[str, ...]:
    """Subscribes the addresses that are not confirmed yet, which are returned: AWS sends each of them a mail.

    AWS sends it again to one that has not confirmed, and makes no second subscription. Raises AwsError.
    """
    confirmed = {each.address for each in read(aws, topic) if each.is_confirmed}
    new = tuple(address for address in addresses if address not in confirmed)
    for address in new:
        with asking(f"subscribe {address} to the alarms", if_denied=_TO_SUBSCRIBE):
            aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    return new


def said(subscriptions: Iterable[Subscription], deploy: str) -> str:
    """Who is told, in a line. deploy: the command that deploys the shared stack."""
    each = [it.address if it.is_confirmed else f"{it.address} (has not confirmed yet)" for it in subscriptions]
    return ", ".join(each) or f"nobody; run: {deploy} --notify MAIL"
