"""What the account offers in the region: the engine, its Data API, zones, and room below the quotas. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aurora_tenants.doctor.finding import Verdict, ok, problem, warning

# Regions without the Data API for Aurora MySQL, as of October 2026. ("Supported Regions and Aurora DB engines for RDS
# Data API", Aurora User Guide) The list shrinks, so that one of them is a warning only.
_WITHOUT_DATA_API = frozenset(
    {
        "eu-central-2",
        "il-central-1",
        "ca-west-1",
        "mx-central-1",
        "ap-south-2",
        "ap-southeast-4",
        "ap-southeast-6",
        "ap-east-2",
    }
)
# Aurora wants subnets in two zones.
ZONES = 2
# "Requirements and limitations for Data API" and "Scaling to Zero ACUs", Aurora User Guide.
DATA_API, PAUSES = (3, 7), (3, 8)
_VERSION = re.compile(r"[\d.]+\.mysql_aurora\.(\d+)\.(\d+)")
_DEFAULT_VERSION = re.compile(r"^  EngineVersion: \{.*\bDefault: ([\w.]+)", re.MULTILINE)


def number(version: str) -> tuple[int, int]:
    """`8.0.mysql_aurora.3.10.6` → (3, 10); (0, 0) for a text that is no version of Aurora MySQL 2 and later."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def default_version(template: str) -> str:
    """The engine version that a new cluster has by default. template: cfn/cluster.yml."""
    found = _DEFAULT_VERSION.search(template)
    assert found is not None
    return found[1]


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether a version of the engine can be had.

    least_acu: of Serverless v2 with it, None where RDS does not say. is_orderable: as db.serverless. others: the
    versions that are offered. is_deployed: it is the version of a cluster that is there.
    """

    version: str
    is_offered: bool
    is_orderable: bool
    least_acu: float | None = None
    others: tuple[str, ...] = ()
    is_deployed: bool = False


@dataclass(frozen=True, slots=True)
class Zones:
    """Names of the region's Availability Zones, and of those that have a default subnet.

    GetAZs gives the second, or the first where no zone has one. ("Fn::GetAZs", CloudFormation User Guide)
    """

    available: tuple[str, ...]
    with_default_subnet: tuple[str, ...]

    @property
    def given(self) -> tuple[str, ...]:
        return self.with_default_subnet or self.available


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of something there are and may be in the account and region. wanted: how many more will be made.

    for_what: what makes them. increase: how to ask for more. is_assumed: the limit is AWS's default, because the
    account's own could not be read.
    """

    what: str
    used: int
    limit: int
    wanted: int
    for_what: str
    increase: str
    is_assumed: bool = False


def check_region(region: str) -> Iterator[Verdict]:
    if region in _WITHOUT_DATA_API or region.startswith(("cn-", "us-gov-", "us-iso")):
        why = "in October 2026 the Data API for Aurora MySQL was not there, and everything here uses it"
        fix = "look into AWS's list of regions for the RDS Data API, or take another region with --region"
        yield warning(f"region {region} may have no Data API", why, fix)
    else:
        yield ok(f"region {region}")


def check_engine(offer: Offer) -> Iterator[Verdict]:
    version, deploy = offer.version, "aurora-tenants shared deploy --parameter EngineVersion="
    another = f"run: {deploy}{_successor(offer)}"
    if not offer.is_offered:
        found = f"engine version {version} is not offered in this region"
        if offer.is_deployed:
            yield warning(f"{found} any more", "the cluster goes on running, until AWS upgrades it", another)
        else:
            yield problem(found, "RDS would refuse to create the cluster", another)
    elif number(version) < DATA_API:
        yield problem(f"engine version {version} has no Data API", "it is there from 3.07 on", another)
    elif not offer.is_orderable:
        yield problem(
            f"engine version {version} is not offered as db.serverless in this region",
            "the cluster's instance is of that class",
            another,
        )
    elif number(version) < PAUSES or (offer.least_acu or 0) > 0:
        why = "the template's MinCapacity is 0, which RDS takes for versions that can pause, from 3.08 on"
        yield problem(f"engine version {version} cannot pause", why, another)
    else:
        yield ok(f"engine version {version} is offered here, as db.serverless, with the Data API and pauses")


def _successor(offer: Offer) -> str:
    """The newest of the same minor version that is offered, else the newest of all."""
    usable = sorted((each for each in offer.others if number(each) >= PAUSES), key=_order)
    same = [each for each in usable if number(each) == number(offer.version)]
    return (same or usable or ["VERSION"])[-1]


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def check_zones(zones: Zones) -> Iterator[Verdict]:
    given = zones.given
    found = f"{len(given)} Availability Zone{'' if len(given) == 1 else 's'}: {', '.join(given)}"
    if len(given) >= ZONES:
        yield ok(found)
        return
    why = f"Aurora needs subnets in {ZONES} zones"
    fix = "take another region with --region, or a cluster that there is with --cluster"
    missing = [zone for zone in zones.available if zone not in given]
    if missing and len(zones.available) >= ZONES:
        found += f"; {', '.join(missing)} without a default subnet"
        why += "; GetAZs leaves out zones without a default subnet where others have one"
        fix = f"run: aws ec2 create-default-subnet --availability-zone {missing[0]}"
    yield problem(found, why, fix)


def check_quota(quota: Quota) -> Iterator[Verdict]:
    after = quota.used + quota.wanted
    assumed = ", AWS's default: the account's own could not be read" if quota.is_assumed else ""
    found = f"{quota.used:,} of {quota.limit:,} {quota.what}{assumed}; {quota.for_what} makes {quota.wanted:,} more"
    if not quota.wanted:
        found = f"{quota.used:,} of {quota.limit:,} {quota.what}{assumed}; no more are needed"
    if quota.wanted and after > quota.limit:
        yield problem(found, "AWS would refuse what is above the quota", quota.increase)
    elif after > quota.limit * 0.9:
        yield warning(found, "little room is left", quota.increase)
    else:
        yield ok(found)
