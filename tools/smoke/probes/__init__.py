"""All probes, in the order in which they are asked: what takes long, and what pauses the cluster, comes last."""

from __future__ import annotations

from tools.smoke.probe import Probe
from tools.smoke.probes import (
    accounts,
    alarms,
    bucket,
    ci,
    control,
    failures,
    hands,
    hosted,
    iam,
    moving,
    operations,
    parameters,
    pausing,
    privileges,
    repair,
    rotation,
    schedule,
    server,
    stacks,
    text,
)

PROBES: tuple[Probe, ...] = (
    *text.PROBES,
    *server.PROBES,
    *accounts.PROBES,
    *control.PROBES,  # before anything changes the tenants
    *rotation.PROBES,
    *alarms.PROBES,
    *hosted.PROBES,
    *privileges.PROBES,
    *iam.PROBES,
    *ci.PROBES,
    *operations.PROBES,
    *stacks.PROBES,
    *failures.PROBES,
    *moving.PROBES,
    *parameters.PROBES,
    *repair.PROBES,
    *hands.PROBES,
    *bucket.PROBES,
    *schedule.PROBES,
    *pausing.PROBES,
)
