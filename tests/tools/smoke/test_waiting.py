"""Probes wait for what AWS shows late, and for a connection that breaks off. The sandbox is never late of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from tools.smoke.clock import SandboxClock
from tools.smoke.probes import pausing, schedule

CLOCK = SandboxClock(lambda by: None, scale=10_000)
NEW = {"MinCapacity": 0.5, "MaxCapacity": 2}


@pytest.mark.parametrize(("late", "shown"), [(3, NEW), (100, {"MinCapacity": 0})])
def test_a_range_that_was_accepted_is_read_until_it_shows(late: int, shown: dict[str, float]):
    looks = 0

    def describe() -> Any:
        nonlocal looks
        looks += 1
        return {"DBClusters": [{"ServerlessV2ScalingConfiguration": NEW if looks > late else {"MinCapacity": 0}}]}

    rds = SimpleNamespace(modify_db_cluster=lambda **_: None)
    world: Any = SimpleNamespace(client=lambda _: rds, clock=CLOCK, cluster="c", describe_cluster=describe)
    assert schedule.modify(world, NEW) == {"accepted": True, "afterwards": shown}
    assert looks < 20


def test_a_connection_that_breaks_off_while_the_cluster_wakes_says_nothing_of_it():
    calls = 0

    def execute(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionClosedError(endpoint_url="https://rds-data")

    aws = SimpleNamespace(rds_data=SimpleNamespace(execute_statement=execute))
    world: Any = SimpleNamespace(
        aws=lambda: aws, clock=CLOCK, cluster_arn="c", master_secret=lambda: "s", once=lambda *_: {"is_paused": True}
    )
    seen = pausing._woken(world)
    assert (seen["is_awake"], seen["answers"], calls) == (True, [], 3)
