"""Regions and quotas that the sandbox does not have; the facts are as AWS documents them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_tenants import data
from aurora_tenants.doctor.finding import Verdict
from aurora_tenants.doctor.region import (
    Offer,
    Quota,
    Zones,
    check_engine,
    check_quota,
    check_region,
    check_zones,
    default_version,
    number,
)

LTS = "8.0.mysql_aurora.3.10.6"
OFFER = Offer(LTS, True, True, 0.0, others=("8.0.mysql_aurora.3.10.9", "8.0.mysql_aurora.3.10.10", LTS))
QUOTA = Quota("stacks", 1_000, 2_000, 100, "this", "ask")


def engine(**changed: object) -> Verdict:
    (verdict,) = check_engine(replace(OFFER, **changed))
    return verdict


def test_the_templates_default_version_is_found():
    assert number(default_version(data.text("cluster.yml"))) >= (3, 10)


@pytest.mark.parametrize(
    ("version", "expected"),
    [(LTS, (3, 10)), ("8.4.mysql_aurora.8.4.7", (8, 4)), ("5.7.mysql_aurora.2.11.1", (2, 11)), ("8.0.36", (0, 0))],
)
def test_a_version_is_read(version: str, expected: tuple[int, int]):
    assert number(version) == expected


def test_an_engine_version_that_is_offered_is_fine():
    assert engine().result == engine(least_acu=None).result == "ok"
    assert engine(version="8.4.mysql_aurora.8.4.7").result == "ok"


def test_a_version_that_is_gone_stops_the_first_deployment_and_not_a_cluster_that_runs():
    gone = engine(is_offered=False)
    assert gone.result == "problem"
    assert gone.fix.endswith("--parameter EngineVersion=8.0.mysql_aurora.3.10.10")
    assert engine(is_offered=False, is_deployed=True).result == "warning"


def test_another_minor_version_is_named_where_none_of_the_same_is_left():
    assert engine(is_offered=False, others=("8.0.mysql_aurora.3.12.0", "8.0.mysql_aurora.3.04.1")).fix.endswith(
        "3.12.0"
    )
    assert engine(is_offered=False, others=()).fix.endswith("=VERSION")


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"version": "8.0.mysql_aurora.3.06.1"}, "has no Data API"),
        ({"version": "8.0.mysql_aurora.3.07.1", "least_acu": None}, "cannot pause"),
        ({"least_acu": 0.5}, "cannot pause"),
        ({"is_orderable": False}, "is not offered as db.serverless in this region"),
    ],
)
def test_a_version_that_is_not_enough_is_a_problem(changed: dict[str, object], found: str):
    verdict = engine(**changed)
    assert (verdict.result, found in verdict.found, bool(verdict.fix)) == ("problem", True, True)


ABC = ("us-west-1a", "us-west-1b", "us-west-1c")


def zones(available: tuple[str, ...], with_default_subnet: tuple[str, ...] = ()) -> Verdict:
    (verdict,) = check_zones(Zones(available, with_default_subnet))
    return verdict


def test_two_zones_are_enough():
    """GetAZs gives all where none has a default subnet, as in an account whose default VPC was deleted."""
    assert zones(ABC).result == zones(ABC[:2]).result == zones(ABC, ABC[:2]).result == "ok"


def test_one_zone_is_a_problem():
    verdict = zones(ABC[:1], ABC[:1])
    assert (verdict.result, verdict.found) == ("problem", "1 Availability Zone: us-west-1a")
    assert verdict.why == "Aurora needs subnets in 2 zones"
    assert verdict.fix == "take another region with --region, or a cluster that there is with --cluster"


def test_a_zone_without_a_default_subnet_is_not_given_by_getazs():
    verdict = zones(ABC, ABC[:1])
    assert verdict.result == "problem"
    assert verdict.fix == "run: aws ec2 create-default-subnet --availability-zone us-west-1b"


@pytest.mark.parametrize(
    ("used", "wanted", "result"),
    [
        (1_000, 800, "ok"),
        (1_000, 801, "warning"),
        (1_000, 1_000, "warning"),
        (1_000, 1_001, "problem"),
        (2_000, 0, "warning"),
    ],
)
def test_a_quota_is_a_problem_once_it_would_be_exceeded(used: int, wanted: int, result: str):
    (verdict,) = check_quota(replace(QUOTA, used=used, wanted=wanted))
    assert (verdict.result, bool(verdict.fix)) == (result, result != "ok")


def test_a_limit_that_could_not_be_read_is_said_to_be_aws_s_default():
    (verdict,) = check_quota(replace(QUOTA, is_assumed=True))
    assert verdict.found == (
        "1,000 of 2,000 stacks, AWS's default: the account's own could not be read; this makes 100 more"
    )


def test_a_region_that_had_no_data_api_is_a_warning():
    assert [next(check_region(name)).result for name in ("eu-west-1", "eu-central-2", "us-gov-west-1")] == [
        "ok",
        "warning",
        "warning",
    ]
