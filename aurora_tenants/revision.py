"""`Revision`, a parameter of a tenant's stack: counters, of which every custom resource of its template has one. Pure.

    counter_of("UserShop")               {"Fn::Select": ["17", {"Ref": "Revision"}]}
    counted_up("7,7,…", ["UserShop"])    "7,…,8,…,7"

CloudFormation asks the provider for a resource when one of its properties is another, so a counter that goes up has its
resource compared with MySQL again, and with it any other that has the same counter. Which one that is follows from the
logical id alone, whatever else is in the stack.

Stacks that were deployed before have one number for all. It is what all their counters are then: no resource gets
another value than it had, and none is asked for because of that. Nor is the template another one: its digest is that of
the form with one number, whichever form it has (`plain`).

A template that counters would make too large has every resource given all of them (`short`), so that one is not
compared without the others. It is never larger than the form with one number was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from aurora_tenants.naming import REVISION

# That two resources of a tenant have the same is rare; all of them take 128 of the 4,096 bytes of a parameter.
COUNTERS = 64
_ONE_NUMBER = {
    "Type": "String",
    "Default": "1",
    "Description": "Another value makes every custom resource compare MySQL with this template again.",
}
FIRST = ",".join(["1"] * COUNTERS)
PARAMETER = {
    "Type": "CommaDelimitedList",
    "Default": FIRST,
    "Description": "Counters. Another value of its own has a custom resource compared with MySQL again.",
}
_REF = {"Ref": REVISION}
_COUNTER = [{"Fn::Select": [str(position), _REF]} for position in range(COUNTERS)]
_SHORT = {"Type": "CommaDelimitedList"}


def counter_of(logical_id: str) -> dict[str, Any]:
    """What a custom resource has as its Revision."""
    return _COUNTER[_position(logical_id)]


def counted_up(revision: str, logical_ids: Iterable[str]) -> str:
    """The counters after these resources' went up. revision: the parameter as it is; may be one number for all.

    What is neither was written by hand, and counts from nought.
    """
    positions = {_position(logical_id) for logical_id in logical_ids}
    return _counted_up(revision, frozenset(positions))


@lru_cache(1_000)
def _counted_up(revision: str, positions: frozenset[int]) -> str:
    counters = _counters(revision)
    for position in positions:
        counters[position] += 1
    return ",".join(map(str, counters))


def all_counted_up(revision: str) -> str:
    """The parameter after everything has gone up, in the form that it has: for a template as it is deployed."""
    counters = _counters(revision)
    size = COUNTERS if "," in revision else 1
    return ",".join(str(number + 1) for number in counters[:size])


def is_reached(revision: str, wanted: str) -> bool:
    """Whether no counter of a revision is lower than in the one that is wanted."""
    return all(number >= least for number, least in zip(_counters(revision), _counters(wanted), strict=True))


def plain(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A template with one number for all of its custom resources, where it has counters as this module writes them."""
    return body if body.get("Parameters", {}).get(REVISION) not in (PARAMETER, _SHORT) else _with(body, _ONE_NUMBER)


def short(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same in which every custom resource is given all counters."""
    return _with(body, _SHORT)


def _with(body: Mapping[str, Any], parameter: Mapping[str, str]) -> Mapping[str, Any]:
    resources = {name: _plain(name, resource) for name, resource in body["Resources"].items()}
    return {**body, "Parameters": {**body["Parameters"], REVISION: parameter}, "Resources": resources}


def _plain(logical_id: str, resource: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = resource.get("Properties", {})
    if REVISION not in properties or properties[REVISION] != counter_of(logical_id):
        return resource
    return {**resource, "Properties": {**properties, REVISION: _REF}}


@lru_cache(10_000)
def _position(logical_id: str) -> int:
    return int(hashlib.sha256(logical_id.encode()).hexdigest(), 16) % COUNTERS


def _counters(revision: str) -> list[int]:
    numbers = [int(text) for text in map(str.strip, revision.split(",")) if text.isdecimal()]
    if len(numbers) == 1:
        return numbers * COUNTERS
    return numbers if len(numbers) == COUNTERS else [0] * COUNTERS
