"""Resource types that are little more than their API's calls: the database's surroundings, schedules, alarms, logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.resources.api import ApiType, Boto, Properties, arn, call, discard, found, generated_name, tags
from aurora_sandbox.wire import ServiceError
from aurora_sandbox.zones import require_subnets


def plain_types(boto: Boto, clusters: Clusters) -> dict[str, ResourceType]:
    """The types of this module by name."""
    return {
        "AWS::RDS::DBSubnetGroup": ApiType(
            boto,
            "rds",
            ("create_db_subnet_group", "modify_db_subnet_group", "delete_db_subnet_group"),
            "DBSubnetGroupName",
            lambda request, name, answer: {"DBSubnetGroupArn": arn(request, "rds", f"subgrp:{name}")},
            max_length=255,
            is_lower_case=True,
            check=lambda request: _check_zones(boto("ec2"), request),
        ),
        "AWS::RDS::DBClusterParameterGroup": ApiType(
            boto,
            "rds",
            ("create_db_cluster_parameter_group", None, "delete_db_cluster_parameter_group"),
            "DBClusterParameterGroupName",
            lambda request, name, answer: {},
            max_length=255,
            is_lower_case=True,
            renamed={"Family": "DBParameterGroupFamily"},
            settle=_set_cluster_parameters,
        ),
        "AWS::RDS::DBInstance": ApiType(
            boto,
            "rds",
            ("create_db_instance", "modify_db_instance", "delete_db_instance"),
            "DBInstanceIdentifier",
            lambda request, name, answer: _instance_attributes(answer["DBInstance"], clusters),
            max_length=63,
            is_lower_case=True,
            deletion=lambda request: {"DBInstanceIdentifier": request.physical_id, "SkipFinalSnapshot": True},
        ),
        "AWS::Scheduler::Schedule": ApiType(
            boto,
            "scheduler",
            ("create_schedule", "update_schedule", "delete_schedule"),
            "Name",
            lambda request, name, answer: {"Arn": arn(request, "scheduler", f"schedule/{_group(request)}/{name}")},
            deletion=lambda request: {"Name": request.physical_id, "GroupName": _group(request)},
        ),
        "AWS::Scheduler::ScheduleGroup": ApiType(
            boto,
            "scheduler",
            ("create_schedule_group", None, "delete_schedule_group"),
            "Name",
            lambda request, name, answer: {"Arn": arn(request, "scheduler", f"schedule-group/{name}")},
            reading="get_schedule_group",
        ),
        "AWS::CloudWatch::Alarm": ApiType(
            boto,
            "cloudwatch",
            ("put_metric_alarm", "put_metric_alarm", "delete_alarms"),
            "AlarmName",
            lambda request, name, answer: {"Arn": arn(request, "cloudwatch", f"alarm:{name}")},
            max_length=255,
            deletion=lambda request: {"AlarmNames": [request.physical_id]},
        ),
        "AWS::SSM::Parameter": Parameter(boto),
        "AWS::Logs::LogGroup": LogGroup(boto),
        "AWS::SQS::Queue": Queue(boto),
        "AWS::CloudFormation::WaitConditionHandle": WaitConditionHandle(),
    }


def _check_zones(ec2: Any, request: Request) -> None:
    try:
        require_subnets(ec2, request.properties["SubnetIds"])
    except ServiceError as error:
        raise ResourceFailed(error.message) from error


def _set_cluster_parameters(rds: Any, request: Request, name: str) -> None:
    """Sets the parameters of the template. One that left the template keeps its value, and nothing here reads it."""
    parameters = [
        {"ParameterName": key, "ParameterValue": str(value), "ApplyMethod": "pending-reboot"}
        for key, value in sorted(request.properties.get("Parameters", {}).items())
    ]
    if parameters:
        call(rds, "modify_db_cluster_parameter_group", DBClusterParameterGroupName=name, Parameters=parameters)


def _instance_attributes(instance: Mapping[str, Any], clusters: Clusters) -> dict[str, Any]:
    """An instance of the sandbox's cluster is reached where the cluster's mysqld listens."""
    cluster = clusters.get(instance.get("DBClusterIdentifier", ""))
    endpoint = instance.get("Endpoint", {})
    return {
        "DBInstanceArn": instance["DBInstanceArn"],
        "DbiResourceId": instance.get("DbiResourceId", ""),
        "Endpoint.Address": cluster.host if cluster else endpoint.get("Address", ""),
        "Endpoint.Port": str(cluster.port if cluster else endpoint.get("Port", "")),
    }


def _group(request: Request) -> str:
    group: str = request.properties.get("GroupName", "default")
    return group


@dataclass(frozen=True, slots=True)
class WaitConditionHandle:
    """AWS::CloudFormation::WaitConditionHandle; Ref is a URL, where nothing answers: there are no wait conditions."""

    def create(self, request: Request) -> Outcome:
        return self._outcome(f"https://wait.invalid/{request.stack_id.rpartition('/')[2]}/{request.logical_id}")

    def update(self, request: Request) -> Outcome:
        return self._outcome(request.physical_id or "")

    def delete(self, request: Request) -> None:
        """It was only a URL."""

    def _outcome(self, url: str) -> Outcome:
        return Outcome(url, {"Id": url})


@dataclass(frozen=True, slots=True)
class Parameter:
    """AWS::SSM::Parameter."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        return self._put(request, request.properties.get("Name") or generated_name(request), Tags=tags(request) or None)

    def update(self, request: Request) -> Outcome:
        return self._put(request, request.physical_id or "", Overwrite=True)  # SSM refuses tags beside Overwrite

    def delete(self, request: Request) -> None:
        discard(self.boto("ssm"), "delete_parameter", Name=request.physical_id)

    def _put(self, request: Request, name: str, **how: Any) -> Outcome:
        wanted = ("Type", "Value", "Description", "AllowedPattern", "DataType", "Tier")
        given = {key: request.properties[key] for key in wanted if key in request.properties}
        call(self.boto("ssm"), "put_parameter", Name=name, **given, **how)
        return Outcome(name, {"Type": given["Type"], "Value": given["Value"]})


@dataclass(frozen=True, slots=True)
class LogGroup:
    """AWS::Logs::LogGroup."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        name = request.properties.get("LogGroupName") or generated_name(request, max_length=512)
        labels = {tag["Key"]: tag["Value"] for tag in tags(request)}
        call(self.boto("logs"), "create_log_group", logGroupName=name, tags=labels or None)
        return self._retained(request, name)

    def update(self, request: Request) -> Outcome:
        return self._retained(request, request.physical_id or "")

    def delete(self, request: Request) -> None:
        discard(self.boto("logs"), "delete_log_group", logGroupName=request.physical_id)

    def read(self, request: Request) -> Properties | None:
        name = request.physical_id
        groups = call(self.boto("logs"), "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
        own = [group for group in groups if group["logGroupName"] == name]
        return {"RetentionInDays": own[0].get("retentionInDays")} if own else None

    def _retained(self, request: Request, name: str) -> Outcome:
        days = request.properties.get("RetentionInDays")
        verb = "delete_retention_policy" if days is None else "put_retention_policy"
        call(self.boto("logs"), verb, logGroupName=name, retentionInDays=days)
        return Outcome(name, {"Arn": arn(request, "logs", f"log-group:{name}:*")})


@dataclass(frozen=True, slots=True)
class Queue:
    """AWS::SQS::Queue; Ref is its URL."""

    boto: Boto

    def create(self, request: Request) -> Outcome:
        ending = ".fifo" if request.properties.get("FifoQueue") else ""
        name = request.properties.get("QueueName") or generated_name(request, max_length=80 - len(ending)) + ending
        labels = {tag["Key"]: tag["Value"] for tag in tags(request)}
        settings = _queue_settings(request)
        answer = call(self.boto("sqs"), "create_queue", QueueName=name, Attributes=settings, tags=labels or None)
        return self._outcome(answer["QueueUrl"])

    def update(self, request: Request) -> Outcome:
        url = request.physical_id or ""
        call(self.boto("sqs"), "set_queue_attributes", QueueUrl=url, Attributes=_queue_settings(request))
        return self._outcome(url)

    def delete(self, request: Request) -> None:
        discard(self.boto("sqs"), "delete_queue", QueueUrl=request.physical_id)

    def read(self, request: Request) -> Properties | None:
        asked = {"QueueUrl": request.physical_id, "AttributeNames": ["All"]}
        answer = found(self.boto("sqs"), "get_queue_attributes", **asked)
        return None if answer is None else answer["Attributes"]

    def _outcome(self, url: str) -> Outcome:
        facts = call(self.boto("sqs"), "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
        name = url.rpartition("/")[2]
        return Outcome(url, {"Arn": facts["Attributes"]["QueueArn"], "QueueName": name, "QueueUrl": url})


def _queue_settings(request: Request) -> dict[str, str]:
    """SQS takes every setting as text: true and false in lower case, policies as JSON."""
    given = {key: value for key, value in request.properties.items() if key not in ("QueueName", "Tags")}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
