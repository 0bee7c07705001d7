"""The command line against a sandbox whose clock is moved: without a pause schedule at first, and what it has later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aurora_sandbox import mysqld
from aurora_tenants.aws import clients
from aurora_tenants.mysql import dataapi
from tests.cli.conftest import HEAD, CommandLine, Ended
from tests.cloud import SHARED, Cloud, deployed

STACK = f"{SHARED}-pause-schedule"
SET = 'aurora-tenants pause-schedule set --timezone Europe/Berlin --awake "MON-FRI 07:00-17:00" --yes'
CLEAR = "aurora-tenants pause-schedule clear --yes --then stay"
SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""
AWAKE = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
ASLEEP = {"MinCapacity": 0.0, "MaxCapacity": 2.0, "SecondsUntilAutoPause": 300}
NOTHING = "Nothing was changed.\n"
BY_FILE = HEAD.replace(
    "{stack: shared-global}",
    """
  stack: shared-global
  pause_schedule:
    timezone: Europe/Berlin
    awake: {days: MON-FRI, from: "07:00", to: "17:00", min_acu: 0.5, max_acu: 4}
    asleep: {min_acu: 0, max_acu: 2}""",
)


@pytest.fixture(scope="package")
def cloud(mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Not the session's: its clock is moved, and never back."""
    with deployed(tmp_path_factory.mktemp("paused")) as running:
        yield running


@pytest.fixture(autouse=True)
def unscheduled(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No schedule, no tenant, and the scaling that the shared stack begins with; waits are short."""
    monkeypatch.setattr(dataapi, "_POLL_SECONDS", 0.03)
    cloud.post("pause", {"seconds": 0.01})
    modify(cloud, ASLEEP)
    yield
    cloud.clean()
    scheduler = cloud.client("scheduler")
    for schedule in scheduler.list_schedules(GroupName=STACK)["Schedules"]:
        scheduler.delete_schedule(GroupName=STACK, Name=schedule["Name"])


def identifier(cloud: Cloud) -> str:
    return str(cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"])


def modify(cloud: Cloud, scaling: Mapping[str, Any]) -> None:
    cloud.client("rds").modify_db_cluster(
        DBClusterIdentifier=identifier(cloud), ServerlessV2ScalingConfiguration=scaling
    )


def scaling(cloud: Cloud) -> dict[str, Any]:
    found = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["ServerlessV2ScalingConfiguration"]
    return dict(found)


def schedules(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What is deployed, by name."""
    scheduler = cloud.client("scheduler")
    names = [schedule["Name"] for schedule in scheduler.list_schedules(GroupName=STACK)["Schedules"]]
    return {name: scheduler.get_schedule(GroupName=STACK, Name=name) for name in sorted(names)}


def forget_dead_letters(cloud: Cloud) -> None:
    """Takes them one by one: SQS purges a queue once a minute at most."""
    outputs = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
    url = next(it["OutputValue"] for it in outputs if it["OutputKey"] == "PauseScheduleDeadLetters")
    sqs = cloud.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def now(cloud: Cloud) -> datetime:
    """The sandbox's time."""
    headers = cloud.client("rds").describe_db_clusters()["ResponseMetadata"]["HTTPHeaders"]
    return datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


def move_to(cloud: Cloud, weekday: int, hour: int) -> None:
    """Moves the clock to the next such hour in UTC. weekday: 0 = Monday."""
    at = now(cloud).replace(hour=hour, minute=0, second=0) + timedelta(days=1)
    while at.weekday() != weekday:
        at += timedelta(days=1)
    cloud.post("clock", {"to": at.strftime("%Y-%m-%dT%H:%MZ")})
    cloud.post("pause", {"seconds": 0.01})  # it wakes in no time, where after hours of idling it would take 15 s


def wake(cloud: Cloud) -> None:
    """The cluster is awake and will be for five minutes."""
    cloud.post("pause", {"seconds": 0.01})
    before = scaling(cloud)
    modify(cloud, before | {"MaxCapacity": 8.0})  # any change of the range wakes it
    modify(cloud, before)


def set_to(run: CommandLine, line: str = SET) -> Ended:
    ended = run(line)
    assert ended.code == 0, ended
    return ended


@contextmanager
def listening(monkeypatch: pytest.MonkeyPatch, event: str, handler: Callable[..., None]) -> Iterator[None]:
    """Every client of the command line calls this before it sends."""
    make = clients._client

    def listened(*arguments: Any) -> Any:
        client = make(*arguments)
        client.meta.events.register(event, handler)
        return client

    with monkeypatch.context() as patch:
        patch.setattr(clients, "_client", listened)
        yield
