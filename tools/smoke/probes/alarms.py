"""Whether anybody would be told of a rotation that fails."""

from __future__ import annotations

import json
from typing import Any

from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.world import World

Json = Any
SECTION = "Rotation of passwords"
_LONGEST_SECONDS = 300


def _alarm(world: World) -> Json:
    """The rotation function fails at an event of a secret that there is not; whether its alarm sees that, and when."""
    function = world.outputs()["DatabaseSecretRotationLambda"]
    event = {"Step": "createSecret", "SecretId": f"/{world.name}/database/of-no-user", "ClientRequestToken": "0" * 32}
    world.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    began, state = world.clock.seconds(), ""

    def raised() -> Json:
        nonlocal state
        found = world.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{world.name}-")["MetricAlarms"]
        state = next((alarm["StateValue"] for alarm in found if alarm["MetricName"] == "Errors"), "")
        return state == "ALARM" or None

    until(raised, world.clock.pause, every=5, at_most=_LONGEST_SECONDS)
    return {"state": state, "took_seconds": round(world.clock.seconds() - began, 1)}


def _expect_alarm(answer: Json) -> str:
    if answer["state"] == "ALARM":
        return ""
    return f"after {answer['took_seconds']} s its state is {answer['state'] or 'none'}"


PROBES = (
    Probe(
        "rotation-alarm",
        SECTION,
        "An error of the rotation function sets its alarm to ALARM within minutes, without a trail of CloudTrail.",
        "Nobody is told of a rotation that fails; `aurora-tenants plan` says it a day later.",
        "`aws cloudwatch describe-alarms --alarm-name-prefix shared-global-` after a rotation that failed; the mail",
        "ALARM, within 300 s",
        _alarm,
        _expect_alarm,
        takes_seconds=120,
    ),
)
