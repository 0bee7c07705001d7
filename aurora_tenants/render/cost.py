"""What a month costs, as text and for a program."""

from __future__ import annotations

from decimal import Decimal

from aurora_tenants.schedule.cost import SECRET, Certainty, Cost
from aurora_tenants.schedule.week import HOURS_A_MONTH

LEFT_OUT = "Left out: load above the minimum, time awake while asleep, storage, I/O, backups, data transfer, taxes."
_SAYINGS: dict[Certainty, str] = {
    "sure": "AWS's price of {as_of}",
    "likely": "the price of {as_of}, from two sources other than AWS's page",
    "unsure": "the price of {as_of}, from one source only: check it, and give another with --acu-price",
    "given": "the price you gave",
}


def cost_lines(cost: Cost) -> tuple[str, ...]:
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


def cost_sentence(cost: Cost) -> str:
    """The cost on one line, for the end of a plan."""
    awake = f"{cost.hours.awake:.0f} of {HOURS_A_MONTH} hours awake"
    if cost.always_on is None or cost.on_schedule is None:
        return f"The pause schedule keeps the cluster {awake} a month; {_unknown(cost)}"
    return (
        f"The cluster costs at least ${cost.on_schedule + cost.secrets_amount:,} a month on its pause schedule "
        f"({awake}), ${cost.always_on + cost.secrets_amount:,} always on; storage and load are left out."
    )


def cost_data(cost: Cost) -> dict[str, object]:
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


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _row(label: str, amount: Decimal) -> str:
    return f"{label:<52} {f'${amount:,.2f}':>10}"


def _secrets_label(cost: Cost) -> str:
    return f"{cost.secrets} {'secret' if cost.secrets == 1 else 'secrets'} at ${SECRET}"


def _unknown(cost: Cost) -> str:
    return f"the price of an ACU-hour in {cost.region} is not known here: give it with --acu-price."
