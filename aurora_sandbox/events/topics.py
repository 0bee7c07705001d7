"""What services publish to SNS's topics, which moto keeps and delivers. A topic's policy has to let the service."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from aurora_sandbox.policies import lets_service

MAX_SUBJECT = 100  # characters


class Topics:
    """sns: gives a boto3 client to moto. refused: what was not published, and why, for whoever looks for it."""

    def __init__(self, sns: Callable[[], Any]) -> None:
        self._sns = sns
        self.refused: list[str] = []

    def publish(self, arn: str, message: str, *, service: str, keys: Mapping[str, str], subject: str = "") -> bool:
        """Whether the topic took the message. keys: what the policy's conditions may ask of the service, lower case.

        As in AWS, nobody is told of a refusal: the one who published counts it in a metric at most.
        """
        try:
            policy = self._sns().get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy", "{}")
            if not lets_service(json.loads(policy).get("Statement", ()), service, "sns:Publish", arn, keys):
                self.refused.append(f"{service} may not publish to {arn}")
                return False
            about = {"Subject": subject[:MAX_SUBJECT]} if subject else {}
            self._sns().publish(TopicArn=arn, Message=message, **about)
        except ClientError as error:
            self.refused.append(f"{arn}: {error}")
            return False
        return True
