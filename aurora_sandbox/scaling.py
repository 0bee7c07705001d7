"""Which scaling ranges Aurora Serverless v2 takes: an Aurora capacity unit (ACU) is 2 GiB of memory.

Sources: ServerlessV2ScalingConfiguration, ServerlessV2ScalingConfigurationInfo, Amazon RDS API Reference; "Scaling to
Zero ACUs", Aurora User Guide. SECONDS_WITHOUT_PAUSE: quoted by anomalyco/sst#5276.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = range(300, 86_400 + 1)
DEFAULT_SECONDS = 300
MAX_ACU = 256
SECONDS_WITHOUT_PAUSE = "SecondsUntilAutoPause can only be specified when minimum capacity is 0."
_PAUSES_FROM = (3, 8)  # Aurora MySQL 3.08
_VERSION = re.compile(r"[\d.]+\.mysql_aurora\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Scaling:
    """A cluster's range; seconds counts only while min_acu is 0, and is None otherwise."""

    min_acu: float
    max_acu: float
    seconds: int | None = None

    def changed(self, *, min_acu: float | None, max_acu: float | None, seconds: int | None) -> Scaling:
        """This range with what is given. As on AWS the seconds are lost where the minimum is not 0, and are 300 again
        where it becomes 0 without them.
        """
        minimum = self.min_acu if min_acu is None else min_acu
        maximum = self.max_acu if max_acu is None else max_acu
        kept = self.seconds if min_acu is None else None
        return Scaling(minimum, maximum, (seconds or kept or DEFAULT_SECONDS) if minimum == 0 else None)


def requested(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What a ServerlessV2ScalingConfiguration says, for `Scaling.changed` and `refusal`."""
    names = {"min_acu": "MinCapacity", "max_acu": "MaxCapacity", "seconds": "SecondsUntilAutoPause"}
    return {ours: configuration.get(theirs) for ours, theirs in names.items()}


def refusal(
    *, min_acu: float | None, max_acu: float | None, seconds: int | None, engine_version: str, now: Scaling
) -> str:
    """Why RDS would not take these values; empty if it would. None stands for the value there is now, so that it is
    the minimum after the call that counts.
    """
    minimum = now.min_acu if min_acu is None else min_acu
    maximum = now.max_acu if max_acu is None else max_acu
    for what, acu, least in (("minimum", minimum, 0), ("maximum", maximum, 1)):
        if not least <= acu <= MAX_ACU or acu * 2 % 1:
            return f"The {what} capacity {acu:g} isn't valid. It is a multiple of 0.5 from {least} to {MAX_ACU} ACUs."
    if minimum > maximum:
        return f"The minimum capacity {minimum:g} is greater than the maximum capacity {maximum:g}."
    if seconds is not None and seconds not in SECONDS:
        return f"SecondsUntilAutoPause {seconds} isn't valid. It is from {SECONDS[0]} to {SECONDS[-1]}."
    if seconds is not None and minimum:
        return SECONDS_WITHOUT_PAUSE
    if minimum == 0 and not _can_pause(engine_version):
        return f"A minimum capacity of 0 isn't supported for engine version {engine_version}; it is from 3.08 on."
    return ""


def _can_pause(engine_version: str) -> bool:
    """Aurora MySQL 3.08 and above, and all that is younger: 8.4.mysql_aurora.8.4.7."""
    found = _VERSION.match(engine_version)
    return found is not None and (int(found[1]), int(found[2])) >= _PAUSES_FROM
