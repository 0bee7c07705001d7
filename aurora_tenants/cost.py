"""What a cluster costs a month on its pause schedule, and what it would cost awake all the time.

The capacity is counted at its minimum, as the cluster is without load, and a schedule's paused hours as paused:
so it is the least that the cluster costs. Secrets are counted; storage, I/O, backups and data transfer are not,
and the text says so. US dollars, without taxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from aurora_tenants.model import PauseSchedule
from aurora_tenants.schedule import Hours

Certainty = Literal["sure", "likely", "unsure", "given"]
"""Of a price: read at its source, from two other sources, from one, or given by the user."""


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
    raise NotImplementedError


def lines(cost: Cost) -> tuple[str, ...]:
    """The cost as a table, a line each, with what is left out and how sure the price is."""
    raise NotImplementedError


def sentence(cost: Cost) -> str:
    """The cost on one line, for the end of a plan."""
    raise NotImplementedError


def as_data(cost: Cost) -> dict[str, object]:
    """The cost for JSON: amounts are numbers, null where the price is not known."""
    raise NotImplementedError


def given_price(text: str) -> Decimal:
    """The price of --acu-price. Raises InvalidUsage unless it is a positive number."""
    raise NotImplementedError
