"""CloudWatch's alarms on what functions fail at, and whom they tell. moto keeps the alarms.

Evaluated are alarms on the metric Errors of AWS/Lambda with the dimension FunctionName, where a single error is too
much: a function's error sets them to ALARM and runs their actions, unless they are in ALARM already; a period without
an error is over them. AWS is a minute or two later. ("Using Amazon CloudWatch alarms", CloudWatch User Guide)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aurora_sandbox.clock import Clock, shown
from aurora_sandbox.events.topics import Topics

_ERRORS = ("AWS/Lambda", "Errors", "Sum", "GreaterThanThreshold")


class Alarms:
    """cloudwatch: gives a boto3 client to moto."""

    def __init__(
        self, clock: Clock, topics: Topics, *, cloudwatch: Callable[[], Any], account: str, region: str
    ) -> None:
        self._clock, self._topics, self._cloudwatch = clock, topics, cloudwatch
        self._account, self._region = account, region
        self._lock = threading.Lock()
        self._last: dict[str, datetime] = {}  # by an alarm's name, the last error that it saw

    def failed(self, function: str) -> None:
        """A function of this name has failed at an event."""
        for alarm in self._cloudwatch().describe_alarms()["MetricAlarms"]:
            dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
            what = (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["ComparisonOperator"])
            if what == _ERRORS and dimensions == {"FunctionName": function} and alarm["Threshold"] < 1:
                self._raise(alarm)

    def _raise(self, alarm: Mapping[str, Any]) -> None:
        now, over = self._clock.now(), timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"])
        with self._lock:
            before = self._last.get(alarm["AlarmName"])
            self._last[alarm["AlarmName"]] = now
        if before is not None and now - before <= over and alarm["StateValue"] == "ALARM":
            return
        reason = f"Threshold Crossed: 1 datapoint [1.0 ({now:%d/%m/%y %H:%M}:00)] was greater than the threshold"
        self._cloudwatch().set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason=reason)
        if not alarm["ActionsEnabled"]:
            return
        for arn in alarm["AlarmActions"]:
            if arn.split(":")[2] == "sns":
                self._tell(arn, alarm, reason, now)

    def _tell(self, arn: str, alarm: Mapping[str, Any], reason: str, now: datetime) -> None:
        message = {
            "AlarmName": alarm["AlarmName"],
            "AlarmDescription": alarm.get("AlarmDescription"),
            "AWSAccountId": self._account,
            "NewStateValue": "ALARM",
            "NewStateReason": reason,
            "StateChangeTime": shown(now),
            "Region": self._region,
            "AlarmArn": alarm["AlarmArn"],
            "OldStateValue": "OK",
            "Trigger": {name: alarm[name] for name in ("MetricName", "Namespace", "Period", "Threshold")},
        }
        keys = {"aws:sourcearn": alarm["AlarmArn"], "aws:sourceaccount": self._account}
        subject = f'ALARM: "{alarm["AlarmName"]}" in {self._region}'
        about = json.dumps(message)
        self._topics.publish(arn, about, service="cloudwatch.amazonaws.com", keys=keys, subject=subject)
