"""What a cluster costs a month on its pause schedule, and what it would cost awake all the time.

The capacity is counted at its minimum, as the cluster is without load, and hours with a minimum of 0 as paused: so it
is the least that the cluster costs. Secrets are counted; what is left out is said. US dollars, without taxes.

    monthly(schedule, region="eu-west-1", secrets=7, year=2026).on_schedule      Decimal("15.21")
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Literal

from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.model import Configuration, PauseSchedule
from aurora_tenants.schedule.plan import LiveCluster
from aurora_tenants.schedule.week import HOURS_A_MONTH, Hours, hours

Certainty = Literal["sure", "likely", "unsure", "given"]
"""Of a price: read at AWS, in two other places, in one, or given by the user."""

LEFT_OUT = "Left out: load above the minimum, time awake while asleep, storage, I/O, backups, data transfer, taxes."

_AS_OF = "2026-11-23"
# US dollars for an ACU-hour, (Standard, I/O-Optimized), from the AWS Price List and from bills where pages name no
# price of the region. AWS's pricing page rounds 0.156 to 0.16.
_ACU_HOURS: dict[str, tuple[tuple[str, Certainty], tuple[str, Certainty]]] = {
    "us-east-1": (("0.12", "sure"), ("0.156", "likely")),
    "eu-west-1": (("0.14", "likely"), ("0.18", "unsure")),
    "eu-central-1": (("0.14", "unsure"), ("0.18", "unsure")),
}
_SECRET = Decimal("0.40")  # a month, in every region; a secret that RDS manages too
_CENT = Decimal("0.01")
_LEAST_AWAKE = 0.5
_LOWEST_PRICE, _HIGHEST_PRICE = Decimal("0.001"), Decimal(1000)
_SAYINGS: dict[Certainty, str] = {
    "sure": "AWS's price of {as_of}",
    "likely": "the price of {as_of}, from two sources other than AWS's page",
    "unsure": "the price of {as_of}, from one source only: check it, and give another with --acu-price",
    "given": "the price you gave",
}


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
    price = Price(acu_price, "given", "") if acu_price is not None else _price(region, is_io_optimized)
    return Cost(
        region,
        is_io_optimized,
        price,
        held,
        always_on_acu,
        _amount(always_on_acu * HOURS_A_MONTH, price),
        _amount(on_schedule_acu_hours, price),
        secrets,
        secrets * _SECRET,
    )


def lines(cost: Cost) -> tuple[str, ...]:
    """The cost as a table, a line each, with what is left out and how sure the price is."""
    awake = f"{cost.hours.awake:.0f} of {HOURS_A_MONTH} hours awake"
    if cost.price is None or cost.always_on is None or cost.on_schedule is None:
        return awake, _unknown(cost), _row(_secrets_label(cost), cost.secrets_amount), LEFT_OUT
    saying = _SAYINGS[cost.price.certainty].format(as_of=cost.price.as_of)
    return (
        _row(f"always on at {cost.always_on_acu:g} ACU, {HOURS_A_MONTH} hours", cost.always_on),
        _row(f"on this schedule, {awake}", cost.on_schedule),
        _row(_secrets_label(cost), cost.secrets_amount),
        _row("together, always on", cost.always_on + cost.secrets_amount),
        _row("together, on this schedule", cost.on_schedule + cost.secrets_amount),
        f"${cost.price.acu_hour:f} per ACU-hour, {cost.storage_type}, {cost.region}: {saying}.",
        LEFT_OUT,
    )


def sentence(cost: Cost) -> str:
    """The cost on one line, for the end of a plan."""
    awake = f"{cost.hours.awake:.0f} of {HOURS_A_MONTH} hours awake"
    if cost.always_on is None or cost.on_schedule is None:
        return f"The pause schedule keeps the cluster {awake} a month; {_unknown(cost)}"
    return (
        f"The cluster costs at least ${cost.on_schedule + cost.secrets_amount:,} a month on its pause schedule "
        f"({awake}), ${cost.always_on + cost.secrets_amount:,} always on; storage and load are left out."
    )


def as_data(cost: Cost) -> dict[str, object]:
    """The cost for JSON: amounts are numbers, null where the price is not known."""
    price = cost.price
    return {
        "currency": "USD",
        "region": cost.region,
        "storage_type": cost.storage_type,
        "acu_hour": float(price.acu_hour) if price else None,
        "price_certainty": price.certainty if price else None,
        "price_as_of": price.as_of or None if price else None,
        "hours_a_month": HOURS_A_MONTH,
        "hours_awake": round(cost.hours.awake, 2),
        "always_on_acu": cost.always_on_acu,
        "always_on": _number(cost.always_on),
        "on_schedule": _number(cost.on_schedule),
        "secrets": cost.secrets,
        "secrets_amount": float(cost.secrets_amount),
        "left_out": LEFT_OUT,
    }


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


def _price(region: str, is_io_optimized: bool) -> Price | None:
    if region not in _ACU_HOURS:
        return None
    acu_hour, certainty = _ACU_HOURS[region][is_io_optimized]
    return Price(Decimal(acu_hour), certainty, _AS_OF)


def _amount(acu_hours: float, price: Price | None) -> Decimal | None:
    if price is None:
        return None
    return (Decimal(acu_hours) * price.acu_hour).quantize(_CENT, ROUND_HALF_UP)


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _row(label: str, amount: Decimal) -> str:
    return f"{label:<52} {f'${amount:,.2f}':>10}"


def _secrets_label(cost: Cost) -> str:
    return f"{cost.secrets} {'secret' if cost.secrets == 1 else 'secrets'} at ${_SECRET}"


def _unknown(cost: Cost) -> str:
    return f"the price of an ACU-hour in {cost.region} is not known here: give it with --acu-price."
