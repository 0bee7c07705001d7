"""EventBridge's default bus: what AWS's services send, the rules it is compared with, and the topics it goes to.

    bus.put("aws.cloudformation", "CloudFormation Resource Status Change", {"stack-id": "…"})

moto keeps the rules and their targets. Events are delivered in the background, in their order, to targets that are
SNS topics; other targets are not imitated. EventBridge tells a topic's policy nothing that a condition could ask for.
("Using resource-based policies for Amazon EventBridge", EventBridge User Guide)
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aurora_sandbox.clock import Clock, shown
from aurora_sandbox.events.patterns import Pattern, matches
from aurora_sandbox.events.topics import Topics

log = logging.getLogger(__name__)
BY_TRAIL = "AWS Service Event via CloudTrail"


class Rule(NamedTuple):
    """A rule that is enabled, and the ARNs of its targets."""

    pattern: Pattern
    targets: tuple[str, ...]


class Bus:
    """events, cloudtrail: give boto3 clients to moto. Safe in several threads."""

    def __init__(
        self,
        clock: Clock,
        topics: Topics,
        *,
        events: Callable[[], Any],
        cloudtrail: Callable[[], Any],
        account: str,
        region: str,
    ) -> None:
        self._clock, self._topics, self._events, self._cloudtrail = clock, topics, events, cloudtrail
        self._account, self._region = account, region
        self._rules: tuple[Rule, ...] | None = None
        self._queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        threading.Thread(target=self._deliver, name="event bus", daemon=True).start()

    def forget(self) -> None:
        """Rules may have changed."""
        self._rules = None

    def put(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: tuple[str, ...] = ()) -> None:
        """Sends an event; returns before it is delivered."""
        self._queue.put(
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": detail_type,
                "source": source,
                "account": self._account,
                "time": shown(self._clock.now()),
                "region": self._region,
                "resources": list(resources),
                "detail": dict(detail),
            }
        )

    def put_by_trail(self, service: str, name: str, more: Mapping[str, Any]) -> None:
        """An event that a service writes to CloudTrail by itself. The bus hears of it only if a trail is logging.

        ("AWS service events delivered via AWS CloudTrail", EventBridge User Guide)
        """
        if not self._has_trail():
            return
        detail = {
            "eventVersion": "1.09",
            "userIdentity": {"accountId": self._account, "invokedBy": f"{service}.amazonaws.com"},
            "eventTime": shown(self._clock.now()),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": self._region,
            "requestParameters": None,
            "responseElements": None,
            "additionalEventData": dict(more),
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsServiceEvent",
            "managementEvent": True,
            "recipientAccountId": self._account,
            "eventCategory": "Management",
        }
        self.put(f"aws.{service}", BY_TRAIL, detail)

    def close(self) -> None:
        """Ends the delivery, of what is not delivered yet too."""
        self._queue.put(None)

    def _has_trail(self) -> bool:
        trails = self._cloudtrail().describe_trails()["trailList"]
        return any(self._cloudtrail().get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails)

    def _deliver(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                for rule in self._known():
                    if matches(rule.pattern, event):
                        self._to_targets(rule, event)
            except Exception:  # a bug of ours: the next event is delivered all the same
                log.exception("an event was not delivered")

    def _to_targets(self, rule: Rule, event: Mapping[str, Any]) -> None:
        for arn in rule.targets:
            if arn.split(":")[2] == "sns":
                self._topics.publish(arn, json.dumps(event), service="events.amazonaws.com", keys={})

    def _known(self) -> tuple[Rule, ...]:
        rules = self._rules
        if rules is None:
            rules = self._rules = self._read()
        return rules

    def _read(self) -> tuple[Rule, ...]:
        client, found = self._events(), []
        for rule in client.list_rules()["Rules"]:
            if rule["State"] != "ENABLED" or "EventPattern" not in rule:
                continue
            try:
                targets = client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            except ClientError:  # it was deleted meanwhile
                continue
            found.append(Rule(json.loads(rule["EventPattern"]), tuple(target["Arn"] for target in targets)))
        return tuple(found)
