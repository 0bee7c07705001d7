"""The pause schedule as people write it, in tenants.yaml and on the command line, and everything wrong with one.

MON-FRI 07:00-17:00        Window((0, 1, 2, 3, 4), 420, 1020, …)
SAT 22:00-02:00 0.5-2      on Saturday until Sunday, with a capacity of its own
0.5-4                      the minimum and the maximum in ACUs
5m                         300 seconds
"""

from __future__ import annotations

from collections.abc import Sequence

from aurora_tenants.model import PauseSchedule

AWAKE_ACU = "0.5-4"
ASLEEP_ACU = "0-2"
PAUSE_AFTER = "5m"


def from_options(
    timezone: str,
    awake: Sequence[str],
    *,
    awake_acu: str = AWAKE_ACU,
    asleep_acu: str = ASLEEP_ACU,
    pause_after: str = PAUSE_AFTER,
) -> PauseSchedule:
    """The schedule that the options of `pause-schedule set` ask for. Raises InvalidUsage with all that is wrong."""
    raise NotImplementedError
