"""EventBridge Scheduler's API: schedules and groups, checked when they are made as AWS checks them.

    api.handle("CreateSchedule", {"Name": "wake", "ScheduleExpression": "cron(0 7 ? * MON-FRI *)", …}, caller)
    {"ScheduleArn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/wake"}

Firing them is the business of timetable.py. Source: EventBridge Scheduler API Reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import botocore.session

from aurora_sandbox import wire
from aurora_sandbox.clock import Clock, utc
from aurora_sandbox.scheduler.schedules import DEFAULT, Group, Schedule, Schedules
from aurora_sandbox.scheduler.targets import MODIFY, PREFIX, RETRIES
from aurora_sandbox.wire import Caller, ServiceError

T = TypeVar("T")
Parameters = dict[str, Any]
_NAME = re.compile(r"[0-9a-zA-Z-_.]{1,64}")
_PAGE = 100
_NOT_SETTINGS = ("Name", "GroupName", "ClientToken")
_POLICY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": RETRIES}


class Scheduler:
    """Service "scheduler". check_assumed(role_arn, group_arn) raises ServiceError for a role it may not act in."""

    name = "scheduler"
    only = None

    def __init__(
        self,
        schedules: Schedules,
        clock: Clock,
        *,
        account: str,
        region: str,
        check_assumed: Callable[[str, str], None],
    ) -> None:
        self._schedules, self._clock, self._check_assumed = schedules, clock, check_assumed
        self._prefix = f"arn:aws:scheduler:{region}:{account}:"
        self._operations: dict[str, Callable[[Parameters], Parameters]] = {
            "CreateSchedule": self._create,
            "CreateScheduleGroup": self._create_group,
            "DeleteSchedule": self._delete,
            "DeleteScheduleGroup": self._delete_group,
            "GetSchedule": self._get,
            "GetScheduleGroup": lambda parameters: self._group_facts(self._group(parameters["Name"])),
            "ListScheduleGroups": self._list_groups,
            "ListSchedules": self._list,
            "ListTagsForResource": self._list_tags,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateSchedule": self._update,
        }

    def handle(self, operation: str, parameters: Parameters, caller: Caller) -> Parameters:
        """The answer to one request. Raises ServiceError with AWS's code."""
        return self._operations[operation](parameters)

    def arn(self, schedule: Schedule) -> str:
        return f"{self._prefix}schedule/{schedule.group}/{schedule.name}"

    # Schedules

    def _create(self, parameters: Parameters) -> Parameters:
        group, name = self._group(parameters.get("GroupName", DEFAULT)).name, _named(parameters["Name"])
        if self._schedules.get(group, name):
            raise ServiceError("ConflictException", f"Schedule {name} already exists.", status=409)
        return self._put(group, name, parameters)

    def _update(self, parameters: Parameters) -> Parameters:
        """What is not given takes its default again, as on AWS."""
        schedule = self._schedule(parameters)
        return self._put(schedule.group, schedule.name, parameters)

    def _put(self, group: str, name: str, parameters: Parameters) -> Parameters:
        settings = {key: value for key, value in parameters.items() if key not in _NOT_SETTINGS}
        settings["Target"] = {**settings["Target"], "RetryPolicy": _POLICY | settings["Target"].get("RetryPolicy", {})}
        _check(settings)
        self._check_assumed(settings["Target"]["RoleArn"], f"{self._prefix}schedule-group/{group}")
        try:
            schedule = self._schedules.put(group, name, settings, now=self._clock.now())
        except ValueError as error:
            raise ServiceError("ValidationException", str(error)) from error
        return {"ScheduleArn": self.arn(schedule)}

    def _delete(self, parameters: Parameters) -> Parameters:
        schedule = self._schedule(parameters)
        self._schedules.remove(schedule.group, schedule.name)
        return {}

    def _get(self, parameters: Parameters) -> Parameters:
        schedule = self._schedule(parameters)
        defaults = {"State": "ENABLED", "ScheduleExpressionTimezone": "UTC", "ActionAfterCompletion": "NONE"}
        return {**defaults, **schedule.settings, **self._facts(schedule)}

    def _list(self, parameters: Parameters) -> Parameters:
        group, prefix, state = (parameters.get(key) for key in ("GroupName", "NamePrefix", "State"))
        if group:
            self._group(group)
        found = [
            {**self._facts(each), "State": each.state, "Target": {"Arn": each.target["Arn"]}}
            for each in self._schedules.all()
            if group in (None, each.group) and state in (None, each.state) and each.name.startswith(prefix or "")
        ]
        return _page("Schedules", found, parameters)

    def _facts(self, schedule: Schedule) -> Parameters:
        return {
            "Arn": self.arn(schedule),
            "Name": schedule.name,
            "GroupName": schedule.group,
            "CreationDate": schedule.made,
            "LastModificationDate": schedule.changed,
        }

    def _schedule(self, parameters: Parameters) -> Schedule:
        schedule = self._schedules.get(parameters.get("GroupName", DEFAULT), parameters["Name"])
        if schedule is None:
            raise _missing(f"Schedule {parameters['Name']} does not exist.")
        return schedule

    # Groups

    def _create_group(self, parameters: Parameters) -> Parameters:
        name = _named(parameters["Name"])
        if self._schedules.group(name):
            raise ServiceError("ConflictException", f"Schedule group {name} already exists.", status=409)
        tags = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}
        group = Group(name, self._clock.now(), tags)
        self._schedules.put_group(group)
        return {"ScheduleGroupArn": self._group_facts(group)["Arn"]}

    def _delete_group(self, parameters: Parameters) -> Parameters:
        group = self._group(parameters["Name"])
        if group.name == DEFAULT:
            raise ServiceError("ValidationException", "The default schedule group can't be deleted.")
        self._schedules.remove_group(group.name)
        return {}

    def _list_groups(self, parameters: Parameters) -> Parameters:
        prefix = parameters.get("NamePrefix", "")
        found = [self._group_facts(each) for each in self._schedules.groups() if each.name.startswith(prefix)]
        return _page("ScheduleGroups", found, parameters)

    def _group_facts(self, group: Group) -> Parameters:
        return {
            "Arn": f"{self._prefix}schedule-group/{group.name}",
            "Name": group.name,
            "State": "ACTIVE",
            "CreationDate": group.made,
            "LastModificationDate": group.made,
        }

    def _group(self, name: str) -> Group:
        group = self._schedules.group(name)
        if group is None:
            raise _missing(f"Schedule group {name} does not exist.")
        return group

    # Tags: of groups alone, schedules cannot have any

    def _tag(self, parameters: Parameters) -> Parameters:
        self._tagged(parameters).update({tag["Key"]: tag["Value"] for tag in parameters["Tags"]})
        return {}

    def _untag(self, parameters: Parameters) -> Parameters:
        tags = self._tagged(parameters)
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, parameters: Parameters) -> Parameters:
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(self._tagged(parameters).items())]}

    def _tagged(self, parameters: Parameters) -> dict[str, str]:
        return self._group(parameters["ResourceArn"].removeprefix(f"{self._prefix}schedule-group/")).tags


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ServiceError("ValidationException", f"Name {name} is not 1 to 64 letters, digits, -, _ or dots.")
    return name


def _check(settings: Parameters) -> None:
    """Raises ServiceError for what AWS refuses when a schedule is made, and for targets that are not run here."""
    window = settings["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        message = "MaximumWindowInMinutes is required for the mode FLEXIBLE, and not allowed for the mode OFF."
        raise ServiceError("ValidationException", message)
    start, end = (utc(settings[key]) if key in settings else None for key in ("StartDate", "EndDate"))
    if start and end and start >= end:
        raise ServiceError("ValidationException", "The StartDate must come before the EndDate.")
    _check_target(settings["Target"]["Arn"])


def _check_target(arn: str) -> None:
    """AWS looks at the service alone: an operation of RDS that does not exist is found when the schedule fires."""
    service, _, operation = arn.removeprefix(PREFIX).partition(":")
    if arn.startswith(PREFIX) and service not in botocore.session.get_session().get_available_services():
        raise ServiceError("ValidationException", f"{service} is not a supported service for a target.")
    operations = {name[0].lower() + name[1:] for name in wire.service_model("rds").operation_names}
    is_mistake = arn.startswith(PREFIX) and service == "rds" and operation not in operations
    if arn != MODIFY and not is_mistake:
        raise ServiceError("ValidationException", f"The sandbox runs the target {MODIFY} alone, not {arn}.")


def _missing(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, status=404)


def _page(key: str, found: Sequence[T], parameters: Parameters) -> Parameters:
    """A page from the place that NextToken names; tokens are numbers here."""
    try:
        start = int(parameters.get("NextToken", "0"))
    except ValueError:
        raise ServiceError("ValidationException", "Invalid NextToken.") from None
    end = start + parameters.get("MaxResults", _PAGE)
    return {key: list(found[start:end]), "NextToken": str(end) if end < len(found) else None}
