"""A fault as it is asked for, {"name": "throttle", "service": "rds-data", "rate": 0.2}, or what is wrong with that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from botocore.exceptions import UnknownServiceError

from aurora_sandbox import wire
from aurora_sandbox.faults import KINDS, Fault, Kind
from aurora_sandbox.unserved import EARLY

_OF_CALLS = ("service", "operation", "by")


def fault_of(document: Mapping[str, Any]) -> Fault:
    """Raises ValueError with a sentence for what no fault is."""
    known = [each.name for each in fields(Fault)]
    given = {name: value for name, value in document.items() if value is not None}
    for name in given:
        _known(name, known, "a fault has no {name}")
    name = given.get("name", "")
    _known(name, KINDS, "there is no fault {name}")
    kind = KINDS[name]
    for field, value in given.items():
        if not _VALUES.get(field, _is_text)(value):
            raise ValueError(f"{field} is {_MEANT.get(field, 'a name')}, and not {value!r}")
    _refuse_unfit(name, kind, given)
    if kind.only:
        given |= dict(zip(("service", "operation"), kind.only, strict=True))
    _refuse_unknown_call(given.get("service"), given.get("operation"))
    if kind.seconds is not None:
        given.setdefault("seconds", kind.seconds)
    if name == "paused-cluster" and not given.keys() & {"nth", "every", "rate"}:
        given["nth"] = 1
    return Fault(**given)


def _refuse_unfit(name: str, kind: Kind, given: Mapping[str, Any]) -> None:
    """Raises ValueError for what this fault cannot have, or needs."""
    if kind.of != "call" and (unfit := [field for field in _OF_CALLS if field in given]):
        raise ValueError(f"{name} is for no service's calls, so it has no {' and no '.join(unfit)}")
    if kind.of != "event" and "function" in given:
        raise ValueError(f"{name} is for no function's events, so it has no function")
    if name != "early" and "answer" in given:
        raise ValueError(f"{name} has no answer to choose; only early has")
    if kind.only:
        service, operation = kind.only
        if (given.get("service", service), given.get("operation", operation)) != kind.only:
            raise ValueError(f"{name} is for {service} {operation} alone")
    if ("per_second" in given) != (name == "limit"):
        raise ValueError(
            "a limit needs how many calls a second pass, for example 5/s"
            if name == "limit"
            else f"only a limit has so many calls a second; {name} has a share of them, for example 20%"
        )
    if name == "limit" and "rate" in given:
        raise ValueError("a limit has no share of the calls")
    if "seconds" in given and kind.seconds is None:
        raise ValueError(f"{name} takes no seconds")
    if "status" in given and name != "5xx":
        raise ValueError(f"{name} has no status; only 5xx has")
    if "seed" in given and "rate" not in given:
        raise ValueError("a seed is for what is drawn, so it needs a rate")


def _refuse_unknown_call(service: str | None, operation: str | None) -> None:
    if service is None:
        if operation is not None:
            raise ValueError(f"the operation {operation} is of which service?")
        return
    try:
        model = wire.service_model(service)
    except UnknownServiceError as error:
        _known(service, error.kwargs["known_service_names"].split(", "), "AWS has no service {name}")
        raise ValueError(f"AWS has no service {service}") from error
    if operation is not None and not wire.names_operations(model):
        raise ValueError(f"the sandbox cannot tell the operations of {service} apart; give the service alone")
    if operation is not None:
        _known(operation, model.operation_names, f"{service} has no operation {{name}}")


def _known(name: Any, names: Collection[str], sentence: str) -> None:
    """Raises ValueError if this is none of the names, with the one that is meant if that is clear."""
    if name in names:
        return
    by_case = [each for each in names if each.lower() == str(name).lower()]
    near = by_case or get_close_matches(str(name), names, n=1)
    more = f"; did you mean {near[0]}?" if near else "" if len(names) > 40 else f": {', '.join(names)}"
    raise ValueError(sentence.format(name=name) + more)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_VALUES: dict[str, Callable[[Any], bool]] = {
    "by": lambda value: value in ("user", "function"),
    "nth": _is_count,
    "every": _is_count,
    "times": _is_count,
    "per_second": _is_count,
    "rate": lambda value: _is_number(value) and 0 < value <= 1,
    "seed": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "seconds": lambda value: _is_number(value) and 0 < value <= 3600,
    "status": lambda value: value in (500, 503),
    "answer": lambda value: value in EARLY,
}
_MEANT = {
    "by": "user or function",
    "nth": "a whole number from 1",
    "every": "a whole number from 1",
    "times": "a whole number from 1",
    "per_second": "a whole number from 1",
    "rate": "a share of more than nothing, up to 1",
    "seed": "a whole number",
    "seconds": "more than 0, up to 3600",
    "status": "500 or 503",
    "answer": f"one of {', '.join(EARLY)}",
}
