"""Rotations while somebody uses the password: a pool that reads its secret now and then, and faults in the middle.

`python -m bench.rotations` has 200 of the latter, of all kinds, hangs of the function among them.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pymysql
import pytest

from bench.rotations import CANCELLED, PREFIX, Rotations
from tests.endpoint import client, own
from tests.lambdas.world import ONCE, SHARED, World, fresh, until, user

pytestmark = ONCE
ROTATION = f"{SHARED}-database-secret-rotation"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def awake(world: World) -> Iterator[None]:
    """The cluster does not pause when the clock is moved."""
    rds = client(world.sandbox.environment, "rds")
    [cluster] = rds.describe_db_clusters()["DBClusters"]
    name, scaling = cluster["DBClusterIdentifier"], cluster["ServerlessV2ScalingConfiguration"]

    def scale(least: float) -> None:
        most = scaling["MaxCapacity"]
        wanted = {"MinCapacity": least, "MaxCapacity": most}
        rds.modify_db_cluster(DBClusterIdentifier=name, ServerlessV2ScalingConfiguration=wanted)

    scale(0.5)
    yield
    scale(scaling["MinCapacity"])


def service(name: str, **rules: Any) -> dict[str, Any]:
    """Resources of a stack of one user. rules: by which its password is rotated."""
    generated = {
        "SecretStringTemplate": json.dumps({"username": name}),
        "GenerateStringKey": "password",
        "ExcludePunctuation": True,
    }
    schedule = {
        "SecretId": {"Ref": "Secret"},
        "RotationLambdaARN": {"Fn::ImportValue": f"{SHARED}-database-secret-rotation-lambda"},
        "RotationRules": rules,
        "RotateImmediatelyOnUpdate": False,
    }
    rotated = {"Type": "AWS::SecretsManager::RotationSchedule", "DependsOn": "User", "Properties": schedule}
    return {
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"Name": f"{PREFIX}{name}", "GenerateSecretString": generated},
        },
        "User": user({"Ref": "Secret"}),
        **({"Rotation": rotated} if rules else {}),
    }


@dataclass(slots=True)
class Pool:
    """Three connections, one after the other made anew, with the secret as it was read ten minutes ago at most.

    passwords: all that it has read. logins: how many were accepted. refused: when one was not. By the sandbox's clock.
    """

    world: World
    user: str
    passwords: list[str] = field(default_factory=list)
    logins: int = 0
    refused: list[str] = field(default_factory=list)
    _read: datetime | None = None
    _open: list[Any] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        """One request: every connection works, and the oldest is replaced."""
        now = clock(self.world)
        if self._read is None or now - self._read >= 10 * MINUTE:
            password, self._read = current(self.world, self.user), now
            self.passwords += [] if password in self.passwords[-1:] else [password]
        try:
            self._open.append(self.world.sandbox.mysql.connect(self.user, self.passwords[-1].encode()))
            self.logins += 1
        except pymysql.OperationalError as error:
            self.refused.append(f"{now}: {error.args[0]}")
        for connection in self._open:
            connection.ping(reconnect=False)
        if len(self._open) > 3:
            self._open.pop(0).close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Requests come all the time."""

        def run() -> None:
            while not self._ended.wait(0.05):
                self.serve()

        thread = threading.Thread(target=run, name="pool", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            for connection in self._open:
                connection.close()


def clock(world: World) -> datetime:
    return datetime.fromisoformat(json.loads(own(world.sandbox.environment, "clock"))["now"])


def current(world: World, name: str) -> str:
    text = world.secrets.get_secret_value(SecretId=f"{PREFIX}{name}")["SecretString"]
    return str(json.loads(text)["password"])


def later(world: World, pool: Pool, by: timedelta) -> None:
    """The clock moves, and a request comes that knows of it."""
    world.post("clock", {"to": f"+{by.total_seconds():.0f}s"})
    served = pool.logins + len(pool.refused)
    until(lambda: pool.logins + len(pool.refused) >= served + 2)


def test_pool_that_reads_its_secret_every_ten_minutes_sees_no_refused_login_in_three_days(
    world: World, awake: None
) -> None:
    name = fresh("pooled")
    rules = {"ScheduleExpression": "cron(0 2 * * ? *)", "Duration": "1h"}
    assert world.deploy(name, service(name, **rules)).status == "CREATE_COMPLETE"
    pool, first = Pool(world, name), current(world, name)
    with pool.in_use():
        for _ in range(3):
            before, now = current(world, name), clock(world)
            night = now.replace(hour=2, minute=0, second=0) + (DAY if now.hour >= 2 else timedelta())
            later(world, pool, night - now - MINUTE)  # it reads its secret, and knows of nothing else for 10 minutes
            later(world, pool, 2 * MINUTE)
            assert current(world, name) != before
            for _ in range(11):
                later(world, pool, MINUTE)
    assert pool.refused == []
    assert (len(pool.passwords), pool.passwords[0], pool.passwords[-1]) == (4, first, current(world, name))
    assert [world.takes(name, password) for password in pool.passwords] == [False, False, True, True]


def test_second_rotation_waits_for_pools_that_hold_the_password_before(world: World, awake: None) -> None:
    name = fresh("pooled")
    function = rotation_function(world)
    assert world.deploy(name, service(name)).status == "CREATE_COMPLETE"
    pool, first = Pool(world, name), current(world, name)

    def rotate() -> None:
        try:
            world.secrets.rotate_secret(SecretId=f"{PREFIX}{name}", RotationLambdaARN=function)
        except world.secrets.exceptions.InvalidRequestException as error:
            assert "A previous rotation isn't complete" in str(error)

    def log() -> str:
        return own(world.sandbox.environment, f"logs/{ROTATION}")

    world.post("clock", {"to": "+11m"})
    with pool.in_use():
        until(lambda: pool.logins > 1)
        rotate()
        until(lambda: current(world, name) != first)
        second, said = current(world, name), log()
        for _ in range(3):
            later(world, pool, 3 * MINUTE)
            rotate()
            until(
                lambda said=said: log().count("which readers may hold for 10 minutes") > said.count("may hold for 10")
            )
            said = log()
            assert current(world, name) == second
        later(world, pool, 10 * MINUTE)
        rotate()
        until(lambda: current(world, name) != second)
        later(world, pool, 9 * MINUTE)
    assert (pool.refused, pool.passwords[:2]) == ([], [first, second])
    assert [world.takes(name, password) for password in (first, second, current(world, name))] == [False, True, True]


def rotation_function(world: World) -> str:
    [stack] = world.cloudformation.describe_stacks(StackName=SHARED)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return str(outputs["DatabaseSecretRotationLambda"])


FEW = ("the function crashes before a step", "answers are lost", CANCELLED)


@pytest.mark.long
def test_rotations_that_meet_faults_end_with_a_login(world: World, awake: None) -> None:
    """And at every moment the current password logs in, and so does the one before it until there is a new one."""
    name, chance = fresh("faulty"), random.Random(15)
    assert world.deploy(name, service(name)).status == "CREATE_COMPLETE"
    rotations = Rotations.of(world.sandbox.environment, name, rotation_function(world))
    calls = rotations.undisturbed()
    ended = [rotations.one(kind, chance, calls) for kind in FEW]
    assert [(each.kind, each.wrong) for each in ended] == [(kind, ()) for kind in FEW]
    assert all(each.met and each.checks for each in ended)
