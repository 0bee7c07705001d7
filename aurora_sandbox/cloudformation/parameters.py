"""A template's parameters: how they are declared, and which value each has for one stack.

Values are text, as CloudFormation passes them; lists are split only where a template uses them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.cloudformation.intrinsics import as_text
from aurora_sandbox.cloudformation.refusals import invalid, refuse_null
from aurora_sandbox.documented.checks import MAX_PARAMETER_BYTES

_ATTRIBUTES = frozenset(
    {
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    }
)
MASK = "****"
_TYPE = re.compile(r"String|Number|CommaDelimitedList|List<(Number|String|AWS::[\w:]+)>|AWS::[\w:]+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter's declaration; lengths in characters."""

    name: str
    type: str
    default: str | None
    description: str | None
    is_secret: bool
    allowed_values: tuple[str, ...]
    allowed_pattern: str | None
    limits: Mapping[str, float]
    constraint_description: str | None

    @property
    def is_list(self) -> bool:
        return self.type == "CommaDelimitedList" or self.type.startswith("List<")


def declared(name: str, raw: Any) -> Parameter:
    """The declaration of one entry in the Parameters section."""
    if not isinstance(raw, dict) or "Type" not in raw:
        raise invalid(f"Template format error: Every Parameters object must contain a Type member. [{name}]")
    for attribute in sorted(raw.keys() - _ATTRIBUTES):
        raise invalid(f"Invalid template parameter property '{attribute}'")
    refuse_null(raw, f"/Parameters/{name}")
    if not isinstance(raw.get("AllowedValues", []), list):
        raise invalid(f"Template format error: AllowedValues of parameter {name} must be a list")
    for attribute in sorted(raw.keys() - {"AllowedValues"}):
        if isinstance(raw[attribute], dict | list):
            raise invalid(f"Template format error: Every {attribute} member must be a string.")
    if str(raw["Type"]).startswith("AWS::SSM::Parameter::Value"):
        raise invalid(f"the sandbox does not imitate parameters of type {raw['Type']}")
    if not _TYPE.fullmatch(str(raw["Type"])):
        raise invalid(f"Template format error: Unrecognized parameter type: {raw['Type']}")
    return Parameter(
        name=name,
        type=str(raw["Type"]),
        default=_text(raw, "Default"),
        description=raw.get("Description"),
        is_secret=as_text(raw.get("NoEcho", False)) == "true",
        allowed_values=tuple(as_text(value) for value in raw.get("AllowedValues", ())),
        allowed_pattern=_text(raw, "AllowedPattern"),
        limits={key: _limit(raw, key) for key in ("MinLength", "MaxLength", "MinValue", "MaxValue") if key in raw},
        constraint_description=_text(raw, "ConstraintDescription"),
    )


def _text(raw: Mapping[str, Any], member: str) -> str | None:
    return as_text(raw[member]) if member in raw else None


def _limit(raw: Mapping[str, Any], member: str) -> float:
    if not _is_number(as_text(raw[member])):
        raise invalid(f"Template format error: {member} must be a number")
    return float(raw[member])


def values(
    parameters: Mapping[str, Parameter], given: Sequence[Mapping[str, Any]], *, previous: Mapping[str, str] | None
) -> dict[str, str]:
    """The value of every parameter, from what a request gives, what the stack had before, and the defaults.

    previous: None if there is no stack yet, and UsePreviousValue therefore a mistake.
    Raises ValidationError for a value missing, unknown or not allowed.
    """
    chosen = {item["ParameterKey"]: _chosen(item, previous) for item in given}
    unknown = sorted(chosen.keys() - parameters.keys())
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    defaults = {name: item.default for name, item in parameters.items() if item.default is not None}
    complete = {**defaults, **chosen}
    missing = sorted(parameters.keys() - complete.keys())
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, value in complete.items():
        _check(parameters[name], value)
    return complete


def variables(parameters: Mapping[str, Parameter], chosen: Mapping[str, str]) -> dict[str, Any]:
    """What Ref gives for every parameter: text, or a list of texts."""
    return {
        name: [item.strip() for item in value.split(",")] if parameters[name].is_list else value
        for name, value in chosen.items()
    }


def shown(parameters: Mapping[str, Parameter], chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """The values as descriptions of a stack show them: secret ones masked."""
    return [
        {"ParameterKey": name, "ParameterValue": MASK if parameters[name].is_secret else value}
        for name, value in sorted(chosen.items())
    ]


def _chosen(item: Mapping[str, Any], previous: Mapping[str, str] | None) -> str:
    name = item["ParameterKey"]
    if not item.get("UsePreviousValue"):
        if "ParameterValue" not in item:
            raise invalid(f"Invalid input for parameter key {name}. Specify either a value or UsePreviousValue.")
        return str(item["ParameterValue"])
    if "ParameterValue" in item:
        raise invalid(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and a value.")
    if previous is None or name not in previous:
        raise invalid(
            f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a new parameter."
        )
    return previous[name]


def _check(parameter: Parameter, value: str) -> None:
    complaint = _complaint(parameter, value)
    if complaint and parameter.constraint_description:
        raise invalid(f"Parameter {parameter.name} failed to satisfy constraint: {parameter.constraint_description}")
    if complaint:
        raise invalid(f"Parameter '{parameter.name}' must {complaint}")


def _complaint(parameter: Parameter, value: str) -> str | None:
    if len(value.encode()) > MAX_PARAMETER_BYTES:
        return f"have no more than {MAX_PARAMETER_BYTES} bytes"
    items = value.split(",") if parameter.is_list else [value]
    if parameter.type in ("Number", "List<Number>") and not all(_is_number(item) for item in items):
        return "be a number"
    if parameter.allowed_values and not all(item.strip() in parameter.allowed_values for item in items):
        return "be one of AllowedValues"
    if parameter.allowed_pattern and not re.fullmatch(parameter.allowed_pattern, value):
        return f"match pattern {parameter.allowed_pattern}"
    return _out_of_limits(parameter, value)


def _out_of_limits(parameter: Parameter, value: str) -> str | None:
    limits = parameter.limits
    if len(value) < limits.get("MinLength", 0):
        return f"contain at least {limits['MinLength']:g} characters"
    if len(value) > limits.get("MaxLength", MAX_PARAMETER_BYTES):
        return f"contain at most {limits['MaxLength']:g} characters"
    if parameter.type != "Number":
        return None
    if "MinValue" in limits and float(value) < limits["MinValue"]:
        return f"be a number not less than {limits['MinValue']:g}"
    if "MaxValue" in limits and float(value) > limits["MaxValue"]:
        return f"be a number not greater than {limits['MaxValue']:g}"
    return None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", text) is not None
