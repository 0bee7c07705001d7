"""The cluster's scaling, and schedules that change it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.schedule.template import TARGET
from tools.smoke import deployment
from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.world import World, refusal

Json = Any
SECTION = "The cluster that pauses, and its schedule"
_KEY = "ServerlessV2ScalingConfiguration"
_REFUSED = "SecondsUntilAutoPause can only be specified when minimum capacity is 0"
_FIRED = {"MinCapacity": 0, "MaxCapacity": 1.5, "SecondsUntilAutoPause": 600}
AS_DEPLOYED = {"MinCapacity": 0, "MaxCapacity": deployment.MAX_ACU, "SecondsUntilAutoPause": 300}
_LATE_SECONDS, _BUSY_SECONDS, _SHOWN_SECONDS = 300, 120, 60
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def scaling(world: World) -> Mapping[str, Any]:
    """What DescribeDBClusters says of it."""
    found: Mapping[str, Any] = world.describe_cluster()["DBClusters"][0].get(_KEY, {})
    return {name: found[name] for name in sorted(found) if found[name] is not None}


def modify(world: World, configuration: Mapping[str, float]) -> Json:
    """What ModifyDBCluster says to a range, and what DescribeDBClusters says afterwards.

    A cluster that is busy is waited for, and so is one that does not show yet what it has accepted.
    """

    def ask() -> Json:
        try:
            world.client("rds").modify_db_cluster(
                DBClusterIdentifier=world.cluster, ApplyImmediately=True, **{_KEY: dict(configuration)}
            )
        except ClientError as error:
            said = refusal(error)
            return None if said["code"] == "InvalidDBClusterStateFault" else {"error": said}
        return {"accepted": True}

    answer = until(ask, world.clock.pause, every=10, at_most=_BUSY_SECONDS) or {"error": {"code": "busy"}}
    if "accepted" in answer:
        until(
            lambda: scaling(world).items() >= configuration.items(), world.clock.pause, every=5, at_most=_SHOWN_SECONDS
        )
    return {**answer, "afterwards": scaling(world)}


def _with_seconds(world: World) -> Json:
    answer = modify(world, {"MinCapacity": 0.5, "MaxCapacity": 2, "SecondsUntilAutoPause": 300})
    modify(world, AS_DEPLOYED)
    return answer


def _expect_with_seconds(answer: Json) -> str:
    if "error" not in answer:
        return f"it was accepted: {answer['afterwards']}"
    said = answer["error"]
    if said["code"] != "InvalidParameterValue":
        return f"the code is {said['code']}"
    return "" if _REFUSED in said["message"] else f"the text is: {said['message']}"


def _without_seconds(world: World) -> Json:
    modify(world, {**AS_DEPLOYED, "SecondsUntilAutoPause": 600})  # so that 300 are no remainder
    awake = modify(world, {"MinCapacity": 0.5, "MaxCapacity": 2})
    asleep = modify(world, {"MinCapacity": 0, "MaxCapacity": 2})
    modify(world, AS_DEPLOYED)
    return {"awake": awake, "asleep": asleep}


def _expect_without_seconds(answer: Json) -> str:
    for name, wanted in (("awake", {"MaxCapacity": 2, "MinCapacity": 0.5}), ("asleep", AS_DEPLOYED)):
        if "error" in answer[name]:
            return f"{name}: {answer[name]['error']}"
        if answer[name]["afterwards"] != wanted:
            return f"{name}: the range is {answer[name]['afterwards']}"
    return ""


def _set(world: World) -> Json:
    """`pause-schedule set`, with a window that is three days off, so that nothing of it fires meanwhile."""
    return world.once("set", lambda: _set_once(world))


def _set_once(world: World) -> Json:
    deployment.need_tenants(world)
    day = _DAYS[(world.clock.now().weekday() + 3) % 7]
    ended = world.run(f'pause-schedule set --timezone UTC --awake "{day} 07:00-08:00" --yes')
    names = _names(world)
    text = (ended.out + ended.err)[-2000:] if ended.code else ""
    return {"exit": ended.code, "schedules": len(names), "text": text}


def _names(world: World) -> list[str]:
    found = world.client("scheduler").list_schedules(GroupName=_group(world))["Schedules"]
    return sorted(it["Name"] for it in found)


def _group(world: World) -> str:
    return f"{world.name}-pause-schedule"


def _expect_set(answer: Json) -> str:
    if answer["exit"]:
        return f"pause-schedule set exits {answer['exit']}: {answer['text']}"
    return "" if answer["schedules"] == 2 else f"there are {answer['schedules']} schedules, not 2"


def _deleted_by_hand(world: World) -> Json:
    _set(world)
    before = _names(world)
    world.client("scheduler").delete_schedule(GroupName=_group(world), Name=before[0])
    applied = world.run("apply --yes")
    events = world.aws().cloudformation.describe_stack_events(StackName=f"{world.name}-pause-schedule")["StackEvents"]
    failed = sorted({it["LogicalResourceId"] for it in events if it["ResourceStatus"] == "DELETE_FAILED"})
    after = _names(world)
    text = (applied.out + applied.err)[-2000:] if applied.code else ""
    new = len({*after} - {*before})
    return {"exit": applied.code, "schedules": len(after), "new": new, "delete_failed": failed, "text": text}


def _expect_deleted_by_hand(answer: Json) -> str:
    if answer["exit"]:
        return f"apply exits {answer['exit']}: {answer['text']}"
    if (answer["schedules"], answer["new"]) != (2, 2):
        return f"there are {answer['schedules']} schedules afterwards, {answer['new']} of them new, not 2 and 2"
    return f"the update could not delete {', '.join(answer['delete_failed'])}" if answer["delete_failed"] else ""


def _fired(world: World) -> Json:
    """Two schedules two minutes ahead, one right and one that RDS cannot understand; once for all probes."""
    return world.once("fired", lambda: _fire(world))


def _fire(world: World) -> Json:
    begun = modify(world, AS_DEPLOYED)
    at = (world.clock.now() + timedelta(minutes=2)).replace(microsecond=0)
    right = {"DbClusterIdentifier": world.cluster, _KEY: _FIRED}
    wrong = {"DBClusterIdentifier": world.cluster, _KEY: _FIRED}  # RDS's own spelling, which is not the scheduler's
    for name, given in (("smoke-right", right), ("smoke-wrong", wrong)):
        _make(world, name, f"at({at:%Y-%m-%dT%H:%M:%S})", given)
    began = world.clock.seconds()
    world.clock.pass_time(120)

    def letters() -> Json:
        return _letters(world) or None

    after = until(
        lambda: found if (found := scaling(world)) != begun["afterwards"] else None,
        world.clock.pass_time,
        every=10,
        at_most=_LATE_SECONDS,
    )
    took = round(world.clock.seconds() - began, 1)
    lost = until(letters, world.clock.pass_time, every=10, at_most=_LATE_SECONDS) or []
    modify(world, AS_DEPLOYED)
    role = world.outputs()["PauseScheduleRole"].rpartition("/")[2]
    document = world.client("iam").get_role_policy(RoleName=role, PolicyName="pause")["PolicyDocument"]
    allowed = sorted({action for it in document["Statement"] for action in _listed(it["Action"])})
    return {
        "before": begun["afterwards"],
        "after": after or scaling(world),
        "fired_seconds": took,
        "letters": lost,
        "role_allows": allowed,
    }


def _make(world: World, name: str, expression: str, given: Json) -> None:
    outputs = world.outputs()
    queue = world.client("sqs").get_queue_attributes(
        QueueUrl=outputs["PauseScheduleDeadLetters"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    world.client("scheduler").create_schedule(
        Name=name,
        GroupName=_group(world),
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": TARGET,
            "RoleArn": outputs["PauseScheduleRole"],
            "Input": json.dumps(given),
            "DeadLetterConfig": {"Arn": queue},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0},
        },
    )


def _letters(world: World) -> list[Json]:
    client, url = world.client("sqs"), world.outputs()["PauseScheduleDeadLetters"]
    found = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    letters = []
    for message in found.get("Messages", ()):
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        attributes = message.get("MessageAttributes", {})
        letters.append(
            {
                "schedule": attributes.get("SCHEDULE_ARN", {}).get("StringValue", "").rpartition("/")[2],
                "code": attributes.get("ERROR_CODE", {}).get("StringValue", ""),
                "message": attributes.get("ERROR_MESSAGE", {}).get("StringValue", ""),
                "attributes": sorted(attributes),
            }
        )
    return letters


def _listed(action: str | list[str]) -> list[str]:
    return [action] if isinstance(action, str) else action


def _expect_seconds(answer: Json) -> str:
    lost = [it for it in answer["letters"] if it["schedule"] == "smoke-right"]
    if lost:
        return f"it ended in the queue: {lost[0]['code']}: {lost[0]['message']}"
    return "" if answer["after"] == _FIRED else f"the cluster scales {answer['after']}"


def _expect_role(answer: Json) -> str:
    lost = [it for it in answer["letters"] if it["schedule"] == "smoke-right"]
    if lost or answer["after"] == answer["before"]:
        return f"the cluster scales {answer['after']}, and the queue holds {lost}"
    wanted = ["rds:ModifyDBCluster", "sqs:SendMessage"]
    return "" if answer["role_allows"] == wanted else f"the role allows {', '.join(answer['role_allows'])}"


def _expect_letter(answer: Json) -> str:
    found = [it for it in answer["letters"] if it["schedule"] == "smoke-wrong"]
    if len(found) != 1:
        return f"{len(found)} letters of the wrong schedule"
    missing = {"ERROR_CODE", "ERROR_MESSAGE", "SCHEDULE_ARN", "TARGET_ARN"} - {*found[0]["attributes"]}
    if missing:
        return f"the letter has no {', '.join(sorted(missing))}"
    return "" if found[0]["code"] else "the letter's ERROR_CODE is empty"


PROBES = (
    Probe(
        "range-at-half-with-seconds",
        SECTION,
        "RDS refuses `SecondsUntilAutoPause` where the minimum is not 0.",
        "nothing: it is never sent there.",
        "`aws rds modify-db-cluster --serverless-v2-scaling-configuration "
        "MinCapacity=0.5,MaxCapacity=2,SecondsUntilAutoPause=300`",
        f"InvalidParameterValue: {_REFUSED}",
        _with_seconds,
        _expect_with_seconds,
        takes_seconds=30,
    ),
    Probe(
        "range-at-half-without-seconds",
        SECTION,
        "Without the seconds a minimum of 0.5 is taken, and when it is 0 again without them, 300 hold and not those of "
        "before.",
        "The cluster pauses after another time than the file says; `plan` shows it.",
        "MinCapacity=0 with 600 seconds, then MinCapacity=0.5 and MinCapacity=0 without them",
        "0.5 to 2, then 0 to 2 with 300 s",
        _without_seconds,
        _expect_without_seconds,
        takes_seconds=60,
    ),
    Probe(
        "scheduler-assumes-role",
        SECTION,
        "The scheduler can assume a role whose trust policy has the schedule group as aws:SourceArn.",
        'The stack fails with "must allow AWS EventBridge Scheduler to assume the role".',
        "`aurora-tenants pause-schedule set`",
        "exit 0, and two schedules",
        _set,
        _expect_set,
        takes_seconds=60,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "schedule-deleted-by-hand",
        SECTION,
        "A stack update can delete a schedule of the last revision that somebody has deleted by hand.",
        "The update succeeds and names the schedule in its events.",
        "delete one by hand, then `aurora-tenants apply`",
        "exit 0, two new schedules, no DELETE_FAILED",
        _deleted_by_hand,
        _expect_deleted_by_hand,
        takes_seconds=60,
        needs=("scheduler-assumes-role",),
    ),
    Probe(
        "scheduler-passes-seconds",
        SECTION,
        "EventBridge Scheduler passes `SecondsUntilAutoPause` to rds:ModifyDBCluster under this name.",
        "Every event ends in the queue of output `PauseScheduleDeadLetters`, and `plan` says so.",
        "a window that begins in five minutes, then `aurora-tenants pause-schedule show`",
        "0 to 1.5 ACU, 600 s",
        _fired,
        _expect_seconds,
        takes_seconds=200,
    ),
    Probe(
        "modify-is-enough",
        SECTION,
        "rds:ModifyDBCluster on the cluster's ARN is all that a change of the scaling needs.",
        "The same; and `pause-schedule set` fails with the missing action.",
        "`aurora-tenants pause-schedule set`",
        "changed by a role with rds:ModifyDBCluster and sqs:SendMessage",
        _fired,
        _expect_role,
        takes_seconds=0,
        needs=("scheduler-passes-seconds",),
    ),
    Probe(
        "dead-letter",
        SECTION,
        "An event that RDS refuses ends in the queue, with what was wrong in its attributes.",
        "`plan` does not say that the schedule failed.",
        "a schedule with `DBClusterIdentifier` in its input, then `aws sqs receive-message --message-attribute-names "
        "All`",
        "one letter, with ERROR_CODE and ERROR_MESSAGE",
        _fired,
        _expect_letter,
        takes_seconds=0,
        needs=("scheduler-passes-seconds",),
    ),
)
