"""Which scaling ranges the sandbox's cluster takes, and what becomes of the seconds until it pauses."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_sandbox.scaling import SECONDS_WITHOUT_PAUSE, Scaling, refusal, requested


@pytest.mark.parametrize(
    ("configuration", "then"),
    [
        ({"MinCapacity": 1, "MaxCapacity": 4}, Scaling(1, 4)),
        ({"MinCapacity": 0.5}, Scaling(0.5, 2)),
        ({"MinCapacity": 0, "MaxCapacity": 2}, Scaling(0, 2, 300)),
        ({"MinCapacity": 0, "SecondsUntilAutoPause": 900}, Scaling(0, 2, 900)),
        ({"MaxCapacity": 8}, Scaling(0, 8, 600)),
        ({"SecondsUntilAutoPause": 900}, Scaling(0, 2, 900)),
    ],
)
def test_seconds_are_lost_with_the_minimum_of_zero_and_are_300_again(
    configuration: dict[str, Any], then: Scaling
) -> None:
    assert Scaling(0, 2, 600).changed(**requested(configuration)) == then


@pytest.mark.parametrize(
    ("configuration", "version", "said"),
    [
        ({"MinCapacity": 0.3, "MaxCapacity": 2}, "8.0.mysql_aurora.3.10.0", "multiple of 0.5 from 0 to 256"),
        ({"MinCapacity": 0, "MaxCapacity": 256.5}, "8.0.mysql_aurora.3.10.0", "multiple of 0.5 from 1 to 256"),
        ({"MinCapacity": 4}, "8.0.mysql_aurora.3.10.0", "minimum capacity 4 is greater than the maximum capacity 2"),
        ({"MinCapacity": 0, "SecondsUntilAutoPause": 299}, "8.0.mysql_aurora.3.10.0", "from 300 to 86400"),
        ({"MinCapacity": 1, "SecondsUntilAutoPause": 600}, "8.0.mysql_aurora.3.10.0", SECONDS_WITHOUT_PAUSE),
        ({"SecondsUntilAutoPause": 600}, "8.0.mysql_aurora.3.10.0", SECONDS_WITHOUT_PAUSE),
        ({"MinCapacity": 0, "SecondsUntilAutoPause": 600}, "8.0.mysql_aurora.3.10.0", ""),
        ({"MinCapacity": 0}, "8.0.mysql_aurora.3.07.1", "isn't supported for engine version 8.0.mysql_aurora.3.07.1"),
        ({"MinCapacity": 0}, "8.0.mysql_aurora.3.08.0", ""),
        ({"MinCapacity": 0}, "8.4.mysql_aurora.8.4.7", ""),
        ({"MinCapacity": 0.5}, "8.0.mysql_aurora.3.04.0", ""),
    ],
)
def test_a_range_that_rds_does_not_take_is_refused(configuration: dict[str, Any], version: str, said: str) -> None:
    why_not = refusal(**requested(configuration), engine_version=version, now=Scaling(0.5, 2))
    assert bool(why_not) is bool(said)
    assert said in why_not


def test_seconds_alone_are_taken_while_the_minimum_is_0() -> None:
    asked = requested({"SecondsUntilAutoPause": 600})
    assert refusal(**asked, engine_version="8.0.mysql_aurora.3.10.0", now=Scaling(0, 2, 300)) == ""
