"""What a cluster costs a month on its pause schedule, and what it would cost awake all the time.

The capacity is counted at its minimum, as the cluster is without load, and hours with a minimum of 0 as paused: so it
is the least that the cluster costs. Secrets are counted; what is left out is said. US dollars, without taxes.

    monthly(schedule, region="eu-west-1", secrets=7, year=2026).on_schedule      Decimal("15.21")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Literal

from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.model import Configuration, PauseSchedule
from aurora_tenants.schedule.plan import LiveCluster
from aurora_tenants.schedule.week import HOURS_A_MONTH, Hours, hours

Certainty = Literal["sure", "likely", "unsure", "given"]
"""Of a price: read at AWS, in two other places, in one, or given by the user."""

_AS_OF = "2026-11-23"
# US dollars for an ACU-hour, (Standard, I/O-Optimized), from the AWS Price List and from bills where pages name no
# price of the region. AWS's pricing page rounds 0.156 to 0.16.
_ACU_HOURS: dict[str, tuple[tuple[str, Certainty], tuple[str, Certainty]]] = {
    "us-east-1": (("0.12", "sure"), ("0.156", "likely")),
    "eu-west-1": (("0.14", "likely"), ("0.18", "unsure")),
    "eu-central-1": (("0.14", "unsure"), ("0.18", "unsure")),
}
SECRET = Decimal("0.40")  # a month, in every region; a secret that RDS manages too
# US dollars for an hour of an interface endpoint in one zone, from AWS's pricing page, bills and the AWS Price List.
_ENDPOINT_HOURS: dict[str, str] = {"us-east-1": "0.01", "eu-west-1": "0.011", "eu-central-1": "0.012"}
_CENT = Decimal("0.01")
_LEAST_AWAKE = 0.5
_LOWEST_PRICE, _HIGHEST_PRICE = Decimal("0.001"), Decimal(1000)


@dataclass(frozen=True, slots=True)
class Price:
    """Of one ACU for one hour, in US dollars. as_of: the day it was looked up, YYYY-MM-DD; empty for a given one."""

    acu_hour: Decimal
    certainty: Certainty
    as_of: str


@dataclass(frozen=True, slots=True)
class Cost:
    """A cluster's month. Amounts in US dollars, rounded to cents; None where the region's price is not known.

    always_on_acu: the capacity of a cluster like this one that never pauses. always_on, on_schedule: of the capacity
    alone. secrets: how many are counted.
    """

    region: str
    is_io_optimized: bool
    price: Price | None
    hours: Hours
    always_on_acu: float
    always_on: Decimal | None
    on_schedule: Decimal | None
    secrets: int
    secrets_amount: Decimal

    @property
    def storage_type(self) -> str:
        """As AWS calls it."""
        return "I/O-Optimized" if self.is_io_optimized else "Standard"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an interface endpoint costs in one zone, an hour and a month, without traffic; None where not known."""

    hour: Decimal | None
    month: Decimal | None
    as_of: str


@dataclass(frozen=True, slots=True)
class Size:
    """How large a cluster is: ACU of each of its instances, how many of them there are, and its storage type."""

    min_acu: Decimal
    max_acu: Decimal
    instances: int
    is_io_optimized: bool

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Size:
        """As the parameters of cfn/cluster.yml say, defaults included."""
        return cls(
            Decimal(parameters["MinCapacity"]),
            Decimal(parameters["MaxCapacity"]),
            1 + int(parameters["ReaderInstances"]),
            parameters["StorageType"] == "aurora-iopt1",
        )

    def month(self, region: str) -> tuple[Decimal, Decimal] | None:
        """US dollars at the least, always at its minimum, and at the most; None where the price is not known."""
        price = known_price(region, is_io_optimized=self.is_io_optimized)
        if price is None:
            return None
        hours_of_all = self.instances * HOURS_A_MONTH
        least, most = ((acu * hours_of_all * price.acu_hour).quantize(_CENT) for acu in (self.min_acu, self.max_acu))
        return least, most


def of_schedule(
    configuration: Configuration, region: str, live: LiveCluster, *, acu_price: Decimal | None = None
) -> Cost | None:
    """What the schedule of the file costs a month; None without one.

    Secrets are counted for users with a password, for the inspector and for the master.
    """
    schedule = configuration.cluster.pause_schedule
    if schedule is None:
        return None
    secrets = sum(user.auth == "password" for tenant in configuration.tenants for user in tenant.users) + 2
    return monthly(
        schedule,
        region=region,
        secrets=secrets,
        year=live.now.year,
        is_io_optimized=live.is_io_optimized,
        acu_price=acu_price,
    )


def monthly(
    schedule: PauseSchedule,
    *,
    region: str,
    secrets: int,
    year: int,
    is_io_optimized: bool = False,
    acu_price: Decimal | None = None,
) -> Cost:
    """The cost of a schedule. acu_price: the user's own, instead of the table's.

    secrets: of the users of the file, the inspector's and the master's. year: whose clock changes are counted.
    """
    held = hours(schedule, year)
    always_on_acu = min(max(window.capacity.min_acu, _LEAST_AWAKE) for window in schedule.awake)
    on_schedule_acu_hours = sum(capacity.min_acu * held.by_capacity[capacity] for capacity in held.by_capacity)
    price = (
        Price(acu_price, "given", "") if acu_price is not None else known_price(region, is_io_optimized=is_io_optimized)
    )
    return Cost(
        region,
        is_io_optimized,
        price,
        held,
        always_on_acu,
        _amount(always_on_acu * HOURS_A_MONTH, price),
        _amount(on_schedule_acu_hours, price),
        secrets,
        secrets * SECRET,
    )


def endpoint(region: str) -> Endpoint:
    """The price of an interface endpoint in one zone of a region."""
    if region not in _ENDPOINT_HOURS:
        return Endpoint(None, None, _AS_OF)
    hour = Decimal(_ENDPOINT_HOURS[region])
    return Endpoint(hour, (hour * HOURS_A_MONTH).quantize(_CENT, ROUND_HALF_UP), _AS_OF)


def given_price(text: str) -> Decimal:
    """The price of --acu-price. Raises InvalidUsage unless it is a positive number."""
    try:
        price = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        price = Decimal("NaN")
    if not (price.is_finite() and _LOWEST_PRICE <= price <= _HIGHEST_PRICE):
        what, why = "--acu-price is not a price", "it is what one ACU costs for an hour, in US dollars"
        raise InvalidUsage(Problem("invalid-price", what, why, "for example --acu-price 0.14", context="--acu-price"))
    return price


def known_price(region: str, *, is_io_optimized: bool = False) -> Price | None:
    """The price of a region; None if it is not known."""
    if region not in _ACU_HOURS:
        return None
    acu_hour, certainty = _ACU_HOURS[region][is_io_optimized]
    return Price(Decimal(acu_hour), certainty, _AS_OF)


def _amount(acu_hours: float, price: Price | None) -> Decimal | None:
    if price is None:
        return None
    return (Decimal(acu_hours) * price.acu_hour).quantize(_CENT, ROUND_HALF_UP)
