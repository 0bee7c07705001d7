"""Schedules in the sandbox: they fire as its clock is moved, with their role's rights, and scale the cluster.

One sandbox for all tests, in a process of its own. Its clock only goes forward, so every test goes on from where the
one before left it, and asks for nothing that depends on that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from aurora_sandbox import lifecycle, remote
from aurora_sandbox.errors import SandboxError
from aurora_sandbox.state import Running
from tests.endpoint import endpoint_of, until

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
MODIFY, QUEUE = f"{UNIVERSAL}rds:modifyDBCluster", "arn:aws:sqs:eu-west-1:123456789012:queue"
MOMENT = datetime(2050, 1, 1, tzinfo=UTC)
CLUSTER, GROUP = "shop", "hours"
AWAKE = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
NIGHTLY = {"MinCapacity": 1.0, "MaxCapacity": 8.0}
ASLEEP = {"MinCapacity": 0.0, "MaxCapacity": 2.0, "SecondsUntilAutoPause": 600}
SCHEDULER = {"Service": "scheduler.amazonaws.com"}


def role(*statements: Mapping[str, Any], principal: Mapping[str, Any] = SCHEDULER) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if principal == SCHEDULER:
        group = {"Fn::Sub": f"arn:aws:scheduler:${{AWS::Region}}:${{AWS::AccountId}}:schedule-group/{GROUP}"}
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}, "aws:SourceArn": group}}
    properties: dict[str, Any] = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        properties["Policies"] = [{"PolicyName": "schedule", "PolicyDocument": document}]
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def allow(action: str, logical_id: str, attribute: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": {"Fn::GetAtt": [logical_id, attribute]}}


MODIFIES, BURIES = allow("rds:ModifyDBCluster", "Cluster", "DBClusterArn"), allow("sqs:SendMessage", "Dead", "Arn")
BASE = {
    "Resources": {
        "Cluster": {
            "Type": "AWS::RDS::DBCluster",
            "Properties": {
                "DBClusterIdentifier": CLUSTER,
                "Engine": "aurora-mysql",
                "MasterUsername": "admin",
                "ManageMasterUserPassword": True,
                "EnableHttpEndpoint": True,
                "StorageType": "aurora-iopt1",
                "ServerlessV2ScalingConfiguration": ASLEEP,
            },
        },
        "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": GROUP}},
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Role": role(MODIFIES, BURIES),
        "Powerless": role(BURIES),
        "Silent": role(),
        "Foreign": role(MODIFIES, principal={"Service": "lambda.amazonaws.com"}),
    },
    "Outputs": {
        "Dead": {"Value": {"Fn::GetAtt": ["Dead", "Arn"]}},
        "Url": {"Value": {"Ref": "Dead"}},
        **{name: {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in ("Role", "Powerless", "Silent", "Foreign")},
    },
}


class World:
    """The sandbox, seen from outside."""

    def __init__(self, running: Running) -> None:
        cloud = endpoint_of(running, lifecycle.environment(running))
        self._running, self.cloud, self.client = running, cloud, cloud.client
        assert cloud.deploy("base", BASE, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
        (stack,) = self.client("cloudformation").describe_stacks(StackName="base")["Stacks"]
        self.made = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def now(self) -> datetime:
        return datetime.fromisoformat(remote.clock(self._running)["now"])

    def move(self, to: datetime | str) -> list[tuple[str, str, str]]:
        """When which schedule fired, and what went wrong."""
        fired = remote.clock(self._running, to if isinstance(to, str) else to.isoformat())["fired"]
        return [(each["at"], each["schedule"].partition("/")[2], each["error"]) for each in fired]

    def state(self) -> str:
        return str(remote.status(self._running)["cluster"]["state"])

    def cluster(self) -> dict[str, Any]:
        (cluster,) = self.client("rds").describe_db_clusters(DBClusterIdentifier=CLUSTER)["DBClusters"]
        return dict(cluster)

    def scaling(self) -> dict[str, Any]:
        return dict(self.cluster()["ServerlessV2ScalingConfiguration"])

    def modify(self, **scaling: float) -> None:
        self.client("rds").modify_db_cluster(
            DBClusterIdentifier=CLUSTER, ServerlessV2ScalingConfiguration=scaling, ApplyImmediately=True
        )

    def target(self, scaling: Mapping[str, Any], role: str = "Role", **changes: Any) -> dict[str, Any]:
        text = json.dumps({"DbClusterIdentifier": CLUSTER, "ServerlessV2ScalingConfiguration": scaling})
        dead = {"Arn": self.made["Dead"]}
        return {"Arn": MODIFY, "RoleArn": self.made[role], "Input": text, "DeadLetterConfig": dead} | changes

    def settings(self, expression: str, target: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        window = {"Mode": "OFF"}
        return {
            "ScheduleExpression": expression,
            "Target": target,
            "FlexibleTimeWindow": window,
            "GroupName": GROUP,
        } | more

    def schedule(self, name: str, expression: str, target: Mapping[str, Any], **more: Any) -> None:
        self.client("scheduler").create_schedule(Name=name, **self.settings(expression, target, **more))

    def dead_letters(self) -> list[tuple[dict[str, str], str]]:
        """Attributes and body of every dead letter, which is taken away."""
        sqs, found = self.client("sqs"), []
        while "Messages" in (
            page := sqs.receive_message(
                QueueUrl=self.made["Url"], MessageAttributeNames=["All"], MaxNumberOfMessages=10
            )
        ):
            for message in page["Messages"]:
                known = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
                found.append((known, message["Body"]))
                sqs.delete_message(QueueUrl=self.made["Url"], ReceiptHandle=message["ReceiptHandle"])
        return found

    def counted(self, name: str) -> float:
        """A metric of the group, over the last minutes of real time."""
        now = datetime.now(UTC)
        dimensions = [{"Name": "ScheduleGroup", "Value": GROUP}]
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Scheduler", MetricName=name, Dimensions=dimensions, Period=60, Statistics=["Sum"],
            StartTime=now - 10 * MINUTE, EndTime=now + MINUTE,
        )["Datapoints"]  # fmt: skip
        return float(sum(point["Sum"] for point in points))

    def capacity(self) -> float:
        """The newest value of the cluster's metric."""
        now, cluster = datetime.now(UTC), [{"Name": "DBClusterIdentifier", "Value": CLUSTER}]
        metric = {"Namespace": "AWS/RDS", "MetricName": "ServerlessDatabaseCapacity", "Dimensions": cluster}
        query = {"Id": "capacity", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}
        (result,) = self.client("cloudwatch").get_metric_data(
            MetricDataQueries=[query], StartTime=now - 5 * MINUTE, EndTime=now
        )["MetricDataResults"]
        return float(result["Values"][0])


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("schedules")
    running = lifecycle.up(mysqld=None, tell=lambda _: None, directory=directory)
    try:
        yield World(running)
    finally:
        lifecycle.down(directory=directory)


@pytest.fixture
def world(sandbox: World) -> Iterator[World]:
    """Without schedules and dead letters, before and after."""
    yield sandbox
    scheduler = sandbox.client("scheduler")
    for schedule in scheduler.list_schedules(GroupName=GROUP)["Schedules"]:
        scheduler.delete_schedule(Name=schedule["Name"], GroupName=GROUP)
    sandbox.dead_letters()
    sandbox.cloud.throttle("rds", "ModifyDBCluster", 0)


def coming(world: World) -> tuple[datetime, str]:
    """A time within the next hour, and the expression of it. (A rate would begin at once, by itself.)"""
    moment = (world.now() + HOUR).replace(microsecond=0)
    return moment, f"at({moment:%Y-%m-%dT%H:%M:%S})"


def shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def next_change(zone: ZoneInfo, after: datetime, *, forward: bool) -> datetime:
    """The hour at which clocks are next put forward, or back."""
    hour = after.replace(minute=0, second=0, microsecond=0)
    while True:
        before, hour = hour.astimezone(zone).utcoffset(), hour + HOUR
        now = hour.astimezone(zone).utcoffset()
        assert before is not None
        assert now is not None
        if (now > before) if forward else (now < before):
            return hour


def stack(world: World, zone: str, hour: int) -> dict[str, Any]:
    """What a pause schedule consists of, and one schedule in the hour that clocks skip or repeat."""
    times = {"Awake": ("cron(0 7 * * ? *)", AWAKE), "Asleep": ("cron(0 19 * * ? *)", ASLEEP)}
    times["Nightly"] = (f"cron(30 {hour} * * ? *)", NIGHTLY)
    return {
        "Resources": {
            name: {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    **world.settings(expression, world.target(scaling)),
                    "Name": name,
                    "ScheduleExpressionTimezone": zone,
                },
            }
            for name, (expression, scaling) in times.items()
        }
    }


@pytest.mark.parametrize("forward", [True, False], ids=["spring", "autumn"])
@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York"])
def test_schedules_keep_to_local_time_over_a_change_of_the_clock(world: World, name: str, forward: bool) -> None:
    """Deployed by CloudFormation the day before; watched from that day's beginning to the end of the day after."""
    zone = ZoneInfo(name)
    change = next_change(zone, world.now() + 2 * DAY, forward=forward)
    # 02:30 does not exist in spring. In autumn the hour before the change comes again.
    hour = (change - HOUR).astimezone(zone).hour + (1 if forward else 0)
    day = change.astimezone(zone).replace(hour=0, minute=0, tzinfo=None)

    def at(days: int, hour: int, minute: int = 0) -> datetime:
        """A local time, at its first if it comes twice."""
        return (day + days * DAY).replace(hour=hour, minute=minute, tzinfo=zone).astimezone(UTC)

    world.move(at(-1, 0))
    assert world.cloud.deploy("nights", stack(world, name, hour)) == "CREATE_COMPLETE"
    fired = []
    for days in (-1, 0, 1):
        fired += world.move(at(days, 6, 59))
        assert world.scaling() == (ASLEEP if days == 0 and forward else NIGHTLY)
        fired += world.move(at(days, 7, 1))
        assert world.scaling() == AWAKE
        fired += world.move(at(days, 18, 59))
        assert (world.scaling(), world.state()) == (AWAKE, "available")
        fired += world.move(at(days, 19, 9))
        assert (world.scaling(), world.state()) == (ASLEEP, "available")
        fired += world.move(at(days, 19, 11))
        assert (world.state(), world.capacity()) == ("paused", 0)
    fired += world.move(at(2, 0))
    expected = [
        (shown(at(days, *when)), schedule, "")
        for days in (-1, 0, 1)
        for schedule, when in (("Nightly", (hour, 30)), ("Awake", (7,)), ("Asleep", (19,)))
        if not (schedule == "Nightly" and days == 0 and forward)
    ]
    assert fired == expected
    world.client("cloudformation").delete_stack(StackName="nights")
    assert world.cloud.settled("nights") == "gone"
    assert world.client("scheduler").list_schedules(GroupName=GROUP)["Schedules"] == []


def test_a_schedule_fires_by_itself_when_its_time_comes(world: World) -> None:
    world.modify(**AWAKE)
    soon = (world.now() + timedelta(seconds=2)).replace(microsecond=0, tzinfo=None)
    world.schedule("soon", f"at({soon.isoformat()})", world.target(ASLEEP), ActionAfterCompletion="DELETE")
    assert world.scaling() == AWAKE
    until(lambda: world.scaling() == ASLEEP)
    assert world.client("scheduler").list_schedules(GroupName=GROUP)["Schedules"] == []


def test_a_new_range_wakes_a_paused_cluster_and_drops_the_seconds(world: World) -> None:
    world.modify(**ASLEEP)
    world.move("+1h")
    assert world.state() == "paused"
    moment, expression = coming(world)
    world.schedule("wake", expression, world.target(AWAKE))
    world.move(moment)
    assert (world.scaling(), world.state()) == (AWAKE, "resuming")
    world.move("+15s")
    assert world.state() == "available"
    world.modify(MinCapacity=0)
    assert world.scaling() == {"MinCapacity": 0, "MaxCapacity": 4, "SecondsUntilAutoPause": 300}


def test_seconds_beside_a_minimum_above_0_are_refused_and_leave_a_dead_letter(world: World) -> None:
    world.modify(**ASLEEP)
    moment, expression = coming(world)
    world.schedule("wake", expression, world.target(AWAKE | {"SecondsUntilAutoPause": 600}))
    said = "SecondsUntilAutoPause can only be specified when minimum capacity is 0."
    assert world.move(moment) == [(shown(moment), "wake", f"InvalidParameterValue: {said}")]
    assert world.scaling() == ASLEEP
    ((known, _),) = world.dead_letters()
    assert (known["ERROR_CODE"], known["ERROR_MESSAGE"]) == ("InvalidParameterValue", said)
    with pytest.raises(ClientError, match=said):
        world.modify(MinCapacity=1, SecondsUntilAutoPause=600)
    world.modify(MinCapacity=1)
    with pytest.raises(ClientError, match=said):
        world.modify(SecondsUntilAutoPause=600)
    assert world.scaling() == {"MinCapacity": 1, "MaxCapacity": 2}


def test_schedules_of_one_moment_fire_one_after_the_other_by_name(world: World) -> None:
    moment, expression = coming(world)
    world.schedule("b", expression, world.target(ASLEEP))
    world.schedule("a", expression, world.target(AWAKE))
    assert world.move("+2h") == [(shown(moment), "a", ""), (shown(moment), "b", "")]
    assert world.scaling() == ASLEEP


def test_a_schedule_keeps_to_its_dates_and_to_its_state(world: World) -> None:
    midnight = (world.now() + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    target = world.target(AWAKE)
    world.schedule("dated", "rate(1 day)", target, StartDate=midnight + DAY, EndDate=midnight + 3 * DAY)
    world.schedule("off", "rate(1 day)", target, State="DISABLED", StartDate=midnight)
    world.schedule("deleted", "rate(1 day)", target, StartDate=midnight)
    world.client("scheduler").delete_schedule(Name="deleted", GroupName=GROUP)
    fired = [(shown(midnight + days * DAY), "dated", "") for days in (1, 2, 3)]
    assert world.move(midnight + 10 * DAY) == fired
    settings = world.settings("rate(1 day)", target, StartDate=midnight)  # the state is ENABLED again
    world.client("scheduler").update_schedule(Name="off", **settings)
    fired = [(shown(midnight + days * DAY), "off", "") for days in (11, 12)]
    assert world.move(midnight + 12 * DAY) == fired


@pytest.mark.parametrize(
    ("mistake", "code", "said"),
    [
        ({"Input": '{"DBClusterIdentifier": "shop"}'}, "ValidationException", "has no member DBClusterIdentifier"),
        ({"Input": '{"DbClusterIdentifier": "shop", "ServerlessV2ScalingConfiguration": {"Min": 1}}'},
         "ValidationException", "ServerlessV2ScalingConfiguration has no member Min"),
        ({"Input": "{}"}, "ValidationException", "Missing required parameter"),
        ({"Input": "shop"}, "ValidationException", "The input is not JSON"),
        ({"Input": '{"DbClusterIdentifier": "other"}'}, "AccessDenied", ":cluster:other because no identity-based"),
        ({"Arn": f"{UNIVERSAL}rds:modifyDbCluster"}, "ValidationException", "There is no API rds:modifyDbCluster"),
        ({"Input": '{"DbClusterIdentifier": "shop", "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.3}}'},
         "InvalidParameterValue", "minimum capacity 0.3 isn't valid"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_leaves_a_dead_letter_and_changes_nothing(
    world: World, mistake: dict[str, str], code: str, said: str
) -> None:
    before = world.scaling()
    target = world.target(AWAKE, **mistake)
    dropped, errors = world.counted("InvocationDroppedCount"), world.counted("TargetErrorCount")
    moment, expression = coming(world)
    world.schedule("mistaken", expression, target)
    ((_, _, error),) = world.move("+2h")
    assert error.startswith(f"{code}: ")
    assert said in error
    ((known, body),) = world.dead_letters()
    assert (known["ERROR_CODE"], known["RETRY_ATTEMPTS"], known["SCHEDULED_TIME"]) == (code, "0", shown(moment))
    assert known["SCHEDULE_ARN"].endswith(f":schedule/{GROUP}/mistaken")
    assert (known["TARGET_ARN"], body) == (target["Arn"], target["Input"])
    assert world.scaling() == before
    assert world.counted("InvocationDroppedCount") == dropped + 1
    assert world.counted("TargetErrorCount") == errors + 1


def test_a_role_that_may_not_modify_the_cluster_is_refused(world: World) -> None:
    before = world.scaling()
    world.schedule("powerless", coming(world)[1], world.target(NIGHTLY, role="Powerless"))
    ((_, _, error),) = world.move("+2h")
    assert "is not authorized to perform: rds:ModifyDBCluster on resource: arn:aws:rds:" in error
    ((known, _),) = world.dead_letters()
    assert (known["ERROR_CODE"], world.scaling()) == ("AccessDenied", before)


def test_a_role_that_may_not_send_a_dead_letter_sends_none(world: World) -> None:
    lost = world.counted("InvocationsFailedToBeSentToDeadLetterCount")
    world.schedule("silent", coming(world)[1], world.target(NIGHTLY, role="Silent"))
    world.move("+2h")
    assert world.dead_letters() == []
    assert world.counted("InvocationsFailedToBeSentToDeadLetterCount") == lost + 1


def test_a_throttled_target_is_called_again_as_often_as_the_policy_allows(world: World) -> None:
    target = world.target(NIGHTLY, RetryPolicy={"MaximumRetryAttempts": 2})
    world.schedule("patient", "rate(1 day)", target, StartDate=coming(world)[0])
    world.cloud.throttle("rds", "ModifyDBCluster", 2)
    assert [error for _, _, error in world.move("+2h")] == [""]
    assert world.scaling() == NIGHTLY
    world.cloud.throttle("rds", "ModifyDBCluster", 3)
    assert [error for _, _, error in world.move("+1d")] == ["Throttling: Rate exceeded"]
    ((known, _),) = world.dead_letters()
    assert (known["RETRY_ATTEMPTS"], known["EXHAUSTED_RETRY_CONDITION"]) == ("2", "MaximumRetryAttempts")


Broken = Callable[[World], dict[str, Any]]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda _: {"ScheduleExpression": "cron(0 7 * * * *)"}, "Invalid Schedule Expression cron"),
        (lambda _: {"ScheduleExpressionTimezone": "Europe/Bern"}, "Invalid ScheduleExpressionTimezone Europe/Bern"),
        (lambda world: {"Target": world.target(AWAKE, role="Foreign")}, "must allow AWS EventBridge Scheduler"),
        (lambda world: {"Target": world.target(AWAKE), "GroupName": "default"}, "must allow AWS EventBridge Scheduler"),
        (lambda world: {"Target": world.target(AWAKE, Arn=f"{UNIVERSAL}glu:x")}, "glu is not a supported service"),
        (lambda world: {"Target": world.target(AWAKE, Arn=f"{UNIVERSAL}rds:stopDBCluster")}, "The sandbox runs the"),
        (lambda world: {"Target": world.target(AWAKE, Arn=QUEUE)}, "The sandbox runs the target"),
        (lambda _: {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes is required"),
        (lambda _: {"StartDate": MOMENT, "EndDate": MOMENT}, "StartDate must come before the EndDate"),
        (lambda _: {"GroupName": "none"}, "Schedule group none does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_become_a_schedule_is_refused_when_it_is_made(world: World, broken: Broken, said: str) -> None:
    settings = world.settings("rate(1 day)", world.target(AWAKE)) | broken(world)
    with pytest.raises(ClientError, match=said):
        world.client("scheduler").create_schedule(Name="broken", **settings)
    assert world.client("scheduler").list_schedules(GroupName=GROUP)["Schedules"] == []


def test_a_stack_whose_schedule_is_refused_is_rolled_back(world: World) -> None:
    properties = world.settings("cron(0 7 * * * *)", world.target(AWAKE))
    template = {"Resources": {"Bad": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}}}
    assert world.cloud.deploy("bad", template) == "ROLLBACK_COMPLETE"
    events = world.client("cloudformation").describe_stack_events(StackName="bad")["StackEvents"]
    assert any("Invalid Schedule Expression" in event.get("ResourceStatusReason", "") for event in events)
    world.client("cloudformation").delete_stack(StackName="bad")
    world.cloud.settled("bad")


def test_schedules_are_described_as_they_were_made(world: World) -> None:
    scheduler, target = world.client("scheduler"), world.target(AWAKE)
    world.schedule(
        "one", "cron(0 7 ? * MON-FRI *)", target, ScheduleExpressionTimezone="Europe/Berlin", Description="up"
    )
    world.schedule("two", "rate(2 hours)", target, State="DISABLED")
    one = scheduler.get_schedule(Name="one", GroupName=GROUP)
    assert (one["State"], one["Description"], one["ScheduleExpressionTimezone"]) == ("ENABLED", "up", "Europe/Berlin")
    assert one["Target"] == {**target, "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}}
    page = scheduler.list_schedules(GroupName=GROUP, MaxResults=1)
    rest = scheduler.list_schedules(GroupName=GROUP, NextToken=page["NextToken"])
    assert [it["Name"] for it in (*page["Schedules"], *rest["Schedules"])] == ["one", "two"]
    assert [it["Name"] for it in scheduler.list_schedules(NamePrefix="t", State="DISABLED")["Schedules"]] == ["two"]
    with pytest.raises(ClientError, match="ConflictException"):
        world.schedule("one", "rate(2 hours)", target)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scheduler.get_schedule(Name="one")
    arn = scheduler.get_schedule_group(Name=GROUP)["Arn"]
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "shop"}, {"Key": "a/b", "Value": "c"}])
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["a/b"])
    assert {"Key": "team", "Value": "shop"} in scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert {"Key": "a/b", "Value": "c"} not in scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"]


def test_the_capacity_metric_is_zero_while_the_cluster_is_paused(world: World) -> None:
    world.modify(**AWAKE)
    world.move("+1m")
    assert world.capacity() == 0.5
    world.cloud.post("pause", {"seconds": 15})
    assert world.capacity() == 0
    world.modify(**NIGHTLY)
    assert world.capacity() == 1


def test_rds_names_the_storage_only_where_it_is_io_optimized(world: World) -> None:
    assert world.cluster()["StorageType"] == "aurora-iopt1"
    assert world.cluster()["EngineVersion"] == "8.0.mysql_aurora.3.10.0"
    world.client("rds").modify_db_cluster(DBClusterIdentifier=CLUSTER, StorageType="aurora")
    assert "StorageType" not in world.cluster()


def test_a_range_that_rds_does_not_take_changes_nothing(world: World) -> None:
    before = world.scaling()
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        world.modify(MinCapacity=4, MaxCapacity=2)
    assert world.scaling() == before


def test_answers_are_of_the_sandboxs_time(world: World) -> None:
    world.move("+30d")
    answer = world.client("rds").describe_db_clusters()["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert abs(parsedate_to_datetime(answer) - world.now()) < MINUTE


def test_stacks_stay_in_real_time_and_secrets_do_not(world: World) -> None:
    world.move("+400d")
    name = f"kept-{time.monotonic_ns()}"
    world.client("secretsmanager").create_secret(Name=name, SecretString="x")
    made = world.client("secretsmanager").describe_secret(SecretId=name)["CreatedDate"]
    assert made > datetime.now(UTC) + timedelta(days=399)
    assert world.cloud.deploy("queue", {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}) == "CREATE_COMPLETE"
    (stack,) = world.client("cloudformation").describe_stacks(StackName="queue")["Stacks"]
    assert abs(stack["CreationTime"] - datetime.now(UTC)) < MINUTE


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("2020-01-01T00:00Z", "only moves forward"),
        ("soon", "neither a duration like"),
        ("+5000d", "by 1098 days at most"),
    ],
)
def test_a_move_that_cannot_be_is_refused(world: World, to: str, why: str) -> None:
    before = world.now()
    with pytest.raises(SandboxError) as error:
        world.move(to)
    (problem,) = error.value.problems
    assert (problem.code, problem.what) == ("clock-not-moved", f"the clock cannot be moved to {to}")
    assert why in problem.why
    assert world.now() - before < MINUTE
