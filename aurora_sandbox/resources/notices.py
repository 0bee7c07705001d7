"""AWS::SNS::Topic and TopicPolicy, and AWS::Events::Rule, as moto's. What the bus does not imitate is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.events.patterns import check
from aurora_sandbox.resources.api import Boto, Properties, arn, call, discard, found, generated_name, tags

_OF_RULE = frozenset({"Name", "Description", "EventPattern", "State", "Targets", "Tags"})


def notice_types(boto: Boto, rules_changed: Callable[[], None]) -> dict[str, ResourceType]:
    """The types of this module by name. rules_changed: is called after a rule was made, changed or deleted."""
    return {
        "AWS::SNS::Topic": Topic(boto),
        "AWS::SNS::TopicPolicy": TopicPolicy(boto),
        "AWS::Events::Rule": Rule(boto, rules_changed),
    }


@dataclass(frozen=True, slots=True)
class Topic:
    """Its ARN is its physical id. What subscribes by the topic's own property is not imitated."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        name = request.properties.get("TopicName") or generated_name(request, max_length=256)
        answer = call(self.boto("sns"), "create_topic", Name=name, Tags=tags(request) or None)
        return self._outcome(request, answer["TopicArn"])

    def update(self, request: Request) -> Outcome:
        return self._outcome(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        """A topic's subscriptions end with it."""
        sns = self.boto("sns")
        if self.read(request) is None:
            return
        for each in call(sns, "list_subscriptions_by_topic", TopicArn=request.physical_id)["Subscriptions"]:
            if each["SubscriptionArn"].startswith("arn:"):
                discard(sns, "unsubscribe", SubscriptionArn=each["SubscriptionArn"])
        discard(sns, "delete_topic", TopicArn=request.physical_id)

    def read(self, request: Request) -> Properties | None:
        there = found(self.boto("sns"), "get_topic_attributes", TopicArn=request.physical_id)
        return None if there is None else {}

    def _outcome(self, request: Request, topic: str) -> Outcome:
        if "Subscription" in request.properties:
            raise ResourceFailed("The sandbox does not imitate the property Subscription of a topic.")
        name = topic.rpartition(":")[2]
        if shown := request.properties.get("DisplayName"):
            self._set(topic, "DisplayName", shown)
        return Outcome(topic, {"TopicArn": topic, "TopicName": name})

    def _set(self, topic: str, name: str, value: str) -> None:
        call(self.boto("sns"), "set_topic_attributes", TopicArn=topic, AttributeName=name, AttributeValue=value)


@dataclass(frozen=True, slots=True)
class TopicPolicy:
    """In place of the policy that a topic has by itself, which is lost."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        return self._put(request, generated_name(request))

    def update(self, request: Request) -> Outcome:
        return self._put(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        """AWS puts the policy that a topic has by itself in its place; nothing here depends on that one."""

    def read(self, request: Request) -> Properties | None:
        topics = [found(self.boto("sns"), "get_topic_attributes", TopicArn=each) for each in self._topics(request)]
        return {} if all(topic is not None for topic in topics) else None

    def _put(self, request: Request, name: str) -> Outcome:
        policy = request.properties["PolicyDocument"]
        text = policy if isinstance(policy, str) else json.dumps(policy)
        for topic in self._topics(request):
            named = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": text}
            call(self.boto("sns"), "set_topic_attributes", **named)
        return Outcome(name, {"Id": name})

    def _topics(self, request: Request) -> list[str]:
        return list(request.properties["Topics"])


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the default bus with a pattern. Its targets are those of the template, and no others."""

    boto: Boto
    changed: Callable[[], None]

    def create(self, request: Request) -> Outcome:
        return self._put(request, request.properties.get("Name") or generated_name(request))

    def update(self, request: Request) -> Outcome:
        return self._put(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        events, name = self.boto("events"), request.physical_id or ""
        if self.read(request) is not None:
            self._remove_targets(name, keep=frozenset())
        discard(events, "delete_rule", Name=name)
        self.changed()

    def read(self, request: Request) -> Properties | None:
        return None if found(self.boto("events"), "describe_rule", Name=request.physical_id) is None else {}

    def _put(self, request: Request, name: str) -> Outcome:
        asked = request.properties
        if other := sorted(asked.keys() - _OF_RULE):
            raise ResourceFailed(f"The sandbox does not imitate the property {other[0]} of a rule.")
        try:
            check(asked.get("EventPattern", {}))
        except ValueError as error:
            raise ResourceFailed(str(error)) from error
        pattern, events = json.dumps(asked["EventPattern"]), self.boto("events")
        about = {"Description": asked.get("Description"), "State": asked.get("State")}
        call(events, "put_rule", Name=name, EventPattern=pattern, **about)
        targets: list[Any] = asked.get("Targets", [])
        self._remove_targets(name, keep=frozenset(target["Id"] for target in targets))
        if targets:
            call(events, "put_targets", Rule=name, Targets=targets)
        self.changed()
        return Outcome(name, {"Arn": arn(request, "events", f"rule/{name}")})

    def _remove_targets(self, name: str, *, keep: frozenset[str]) -> None:
        there = call(self.boto("events"), "list_targets_by_rule", Rule=name)["Targets"]
        if old := [target["Id"] for target in there if target["Id"] not in keep]:
            call(self.boto("events"), "remove_targets", Rule=name, Ids=old)
