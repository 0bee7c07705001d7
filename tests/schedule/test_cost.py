"""What a month costs on a pause schedule, and what is said of the price."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from aurora_tenants.config import pause
from aurora_tenants.errors import InvalidUsage
from aurora_tenants.render.cost import LEFT_OUT, cost_data, cost_lines, cost_sentence
from aurora_tenants.schedule import cost
from aurora_tenants.schedule.cost import Cost, Price

OFFICE = ["MON-FRI 07:00-17:00"]


def monthly(windows: list[str] = OFFICE, **options: object) -> Cost:
    acus = {key: str(options.pop(key)) for key in ("awake_acu", "asleep_acu") if key in options}
    planned = pause.from_options("Europe/Berlin", windows, **acus)
    return cost.monthly(planned, **({"region": "eu-west-1", "secrets": 6, "year": 2027} | options))  # type: ignore[arg-type]


def amounts(found: Cost) -> tuple[Decimal | None, Decimal | None, Decimal]:
    return found.always_on, found.on_schedule, found.secrets_amount


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"region": "us-east-1"}, ("43.80", "13.04", "2.40")),
        ({"region": "eu-west-1"}, ("51.10", "15.21", "2.40")),
        ({"region": "eu-central-1"}, ("51.10", "15.21", "2.40")),
        ({"region": "us-east-1", "is_io_optimized": True}, ("56.94", "16.95", "2.40")),
        ({"region": "eu-west-1", "is_io_optimized": True}, ("65.70", "19.55", "2.40")),
        ({"acu_price": Decimal("0.07"), "secrets": 0}, ("25.55", "7.60", "0.00")),
        ({"region": "mars-east-1", "acu_price": Decimal("0.1"), "secrets": 1}, ("36.50", "10.86", "0.40")),
    ],
)
def test_office_hours_at_half_an_acu(options: dict[str, object], expected: tuple[str, str, str]):
    """50 of the week's 168 hours: 217.26 of 730."""
    assert amounts(monthly(**options)) == tuple(Decimal(amount) for amount in expected)


def test_the_article_s_prices_come_out_of_the_article_s_hours():
    """1 ACU at 7 cents: 24 h, 7 days; 12 h, 7 days; 10 h, 5 days. Its month has 720 hours, this one 730."""
    price = Decimal("0.07")
    half = monthly(["MON-SUN 08:00-20:00"], awake_acu="1-4", acu_price=price)
    assert (half.always_on, half.on_schedule) == (Decimal("51.10"), Decimal("25.55"))
    office = monthly(awake_acu="1-4", acu_price=price)
    assert office.on_schedule == Decimal("15.21")


def test_hours_asleep_cost_their_minimum_too():
    found = monthly(asleep_acu="0.5-1", awake_acu="2-4", acu_price=Decimal("1"))
    awake = 730 * 50 / 168
    assert found.on_schedule == Decimal(2 * awake + 0.5 * (730 - awake)).quantize(Decimal("0.01"))
    assert (found.always_on_acu, found.always_on) == (2, Decimal("1460.00"))


def test_each_window_costs_its_own_capacity_and_the_least_of_them_is_always_on():
    found = monthly(["MON 00:00-24:00 4-8", "TUE 00:00-24:00 1-8"], acu_price=Decimal("1"))
    assert found.on_schedule == Decimal(730 * 5 / 7).quantize(Decimal("0.01"))
    assert found.always_on == Decimal("730.00")


def test_a_cluster_that_may_pause_while_awake_is_compared_with_half_an_acu():
    found = monthly(awake_acu="0-8", acu_price=Decimal("1"))
    assert (found.always_on_acu, found.always_on, found.on_schedule) == (0.5, Decimal("365.00"), Decimal("0.00"))


def test_always_awake_costs_the_same_as_always_on():
    found = monthly(["MON-SUN 00:00-12:00", "MON-SUN 12:00-24:00"])
    assert found.always_on == found.on_schedule == Decimal("51.10")


def test_the_price_says_how_sure_it_is():
    assert monthly(region="us-east-1").price == Price(Decimal("0.12"), "sure", "2026-11-23")
    assert monthly().price == Price(Decimal("0.14"), "likely", "2026-11-23")
    assert monthly(region="eu-central-1").price == Price(Decimal("0.14"), "unsure", "2026-11-23")
    assert monthly(acu_price=Decimal("0.2")).price == Price(Decimal("0.2"), "given", "")


def test_the_table_says_what_is_counted_and_what_is_left_out():
    assert cost_lines(monthly()) == (
        "always on at 0.5 ACU, 730 hours                          $51.10",
        "on this schedule, 217 of 730 hours awake                 $15.21",
        "6 secrets at $0.40                                        $2.40",
        "together, always on                                      $53.50",
        "together, on this schedule                               $17.61",
        "$0.14 per ACU-hour, Standard, eu-west-1: the price of 2026-11-23, from two sources other than AWS's page.",
        "Left out: load above the minimum, time awake while asleep, storage, I/O, backups, data transfer, taxes.",
    )


def test_an_unsure_price_asks_for_a_better_one():
    assert cost_lines(monthly(region="eu-central-1"))[-2].endswith(
        "from one source only: check it, and give another with --acu-price."
    )


def test_a_region_without_a_price_is_not_guessed():
    found = monthly(region="ap-east-2", secrets=1)
    assert (found.price, *amounts(found)) == (None, None, None, Decimal("0.40"))
    unknown = "the price of an ACU-hour in ap-east-2 is not known here: give it with --acu-price."
    assert cost_lines(found) == (
        "217 of 730 hours awake",
        unknown,
        "1 secret at $0.40                                         $0.40",
        LEFT_OUT,
    )
    assert cost_sentence(found) == f"The pause schedule keeps the cluster 217 of 730 hours awake a month; {unknown}"
    assert {key for key, value in cost_data(found).items() if value is None} == {
        *("acu_hour", "price_certainty", "price_as_of", "always_on", "on_schedule"),
    }


def test_the_sentence_of_a_plan():
    assert cost_sentence(monthly()) == (
        "The cluster costs at least $17.61 a month on its pause schedule (217 of 730 hours awake), $53.50 always on; "
        "storage and load are left out."
    )


def test_the_data_holds_what_the_text_says():
    data = cost_data(monthly())
    assert json.loads(json.dumps(data)) == {
        "currency": "USD",
        "region": "eu-west-1",
        "storage_type": "Standard",
        "acu_hour": 0.14,
        "price_certainty": "likely",
        "price_as_of": "2026-11-23",
        "hours_a_month": 730,
        "hours_awake": 217.26,
        "always_on_acu": 0.5,
        "always_on": 51.1,
        "on_schedule": 15.21,
        "secrets": 6,
        "secrets_amount": 2.4,
        "left_out": LEFT_OUT,
    }


@pytest.mark.parametrize(("text", "price"), [("0.14", "0.14"), ("$0.14", "0.14"), (" 1 ", "1"), ("1e-1", "0.1")])
def test_a_price_may_be_given(text: str, price: str):
    assert cost.given_price(text) == Decimal(price)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "abc", "nan", "inf", "1e999999999", "1e-999999", "0,14", "1 2", "1001"]
)
def test_what_is_no_price_is_refused(text: str):
    with pytest.raises(InvalidUsage) as caught:
        cost.given_price(text)
    assert [problem.code for problem in caught.value.problems] == ["invalid-price"]
