"""How long a run takes and what it costs, told before anybody is asked. US dollars, without taxes.

    estimate(PROBES, "eu-west-1").dollars      Decimal("0.29")

The cluster is counted at its maximum all the time, and each secret for twelve hours, of which a run takes two. Secrets
are charged by the hour (AWS Secrets Manager's price list). Storage (a fraction of a gigabyte for an hour), calls and
functions come to less than a cent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from aurora_tenants.schedule.cost import SECRET, Certainty, known_price
from tools.smoke.deployment import MAX_ACU
from tools.smoke.probe import Probe
from tools.smoke.probes import PROBES

# A new cluster with its instance, and its deletion with a last snapshot; field reports.
_DEPLOY_SECONDS, _DELETE_SECONDS = 900, 900
# Of a region whose price is not known: above those that are.
_ASSUMED_ACU_HOUR = Decimal("0.25")
# Of a whole run, with the master's; tests/tools/smoke counts them.
SECRETS, _SECRET_HOURS, _HOURS_A_MONTH = 23, 12, 720
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Estimate:
    """minutes: from the first call to the last. certainty: of the price, None for an assumed one."""

    minutes: int
    acu_hour: Decimal
    certainty: Certainty | None
    dollars: Decimal

    def __str__(self) -> str:
        how = {"sure": "", "likely": ", a likely price", "unsure": ", an unsure price", "given": ""}
        price = how[self.certainty] if self.certainty else ", assumed: this region's price is not known"
        return (
            f"about {self.minutes} minutes, and about ${self.dollars}: a cluster at {MAX_ACU} ACU at "
            f"${self.acu_hour} for an ACU-hour{price}, and {SECRETS} secrets for {_SECRET_HOURS} hours"
        )


def estimate(probes: Iterable[Probe], region: str) -> Estimate:
    """For these probes and what they need, in a region."""
    seconds = _DEPLOY_SECONDS + _DELETE_SECONDS + sum(probe.takes_seconds for probe in with_needs(probes))
    known = known_price(region)
    acu_hour = known.acu_hour if known else _ASSUMED_ACU_HOUR
    dollars = MAX_ACU * acu_hour * Decimal(seconds) / 3600 + SECRETS * SECRET * _SECRET_HOURS / _HOURS_A_MONTH
    minutes = -(-seconds // 60)
    return Estimate(minutes, acu_hour, known.certainty if known else None, dollars.quantize(_CENT, ROUND_UP))


def with_needs(probes: Iterable[Probe]) -> list[Probe]:
    """These probes, and those whose work they do too, each once."""
    known = {probe.id: probe for probe in PROBES}
    found: dict[str, Probe] = {}
    waiting = [*probes]
    while waiting:
        probe = waiting.pop()
        if probe.id not in found:
            found[probe.id] = probe
            waiting += [known[name] for name in probe.needs]
    return [*found.values()]
