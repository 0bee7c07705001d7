"""Intrinsic functions: what a template's values mean once parameters, conditions and resources are known.

    resolve({"Fn::Sub": "${Name}-${Queue.Arn}"}, scope)  ->  "shop-arn:aws:sqs:…"

A `Scope` says what names mean. Resources are asked through its functions, so the same code serves a running operation
(every resource it needs exists) and the planning of a change set (some are not known yet, and asking for them raises).
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

# How many arguments a condition function has, and AWS's words for it.
_CONDITIONS: Mapping[str, tuple[Sequence[int], str]] = {
    "Fn::Equals": ([2], "of 2 string parameters"),
    "Fn::Not": ([1], "with exactly 1 boolean parameter"),
    "Fn::And": (range(2, 11), "of at least 2 and at most 10 boolean parameters"),
    "Fn::Or": (range(2, 11), "of at least 2 and at most 10 boolean parameters"),
}
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


class Unresolvable(Exception):
    """A value that has no meaning: an unknown attribute, a missing export, a wrong argument."""


class _NoValue:
    """What AWS::NoValue gives: the property it stands for is left out."""


NO_VALUE = _NoValue()


@dataclass(frozen=True, slots=True)
class Reference:
    """That a value needs something: a parameter or a resource (attribute is None), or an attribute of a resource."""

    name: str
    attribute: str | None = None


def _no_resource(name: str, attribute: str | None = None) -> Any:
    raise Unresolvable(f"Template error: {name} cannot be used here, resources are not known yet")


def _no_import(name: str) -> str:
    raise Unresolvable(f"Template error: Fn::ImportValue of {name} cannot be used here")


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean.

    variables: parameters (text, or a list of texts) and pseudo parameters.
    ref, attribute, imported: raise Unresolvable for what there is not.
    """

    variables: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, bool]
    ref: Callable[[str], Any] = _no_resource
    attribute: Callable[[str, str], Any] = _no_resource
    imported: Callable[[str], str] = _no_import


def as_text(scalar: Any) -> str:
    """A scalar as CloudFormation writes it: True is true, 5 is 5."""
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return str(scalar)


def stringified(value: Any) -> Any:
    """The same structure with every scalar as text, as custom resources receive their properties."""
    if isinstance(value, dict):
        return {key: stringified(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stringified(item) for item in value]
    return as_text(value)


def call(value: Any) -> tuple[str, Any] | None:
    """Name and argument if the value is a call of an intrinsic function."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    name, argument = next(iter(value.items()))
    return (name, argument) if name == "Ref" or str(name).startswith("Fn::") else None


def get_att(argument: Any) -> tuple[str, Any]:
    """Logical id and attribute of a Fn::GetAtt, which is written as a list or, in long YAML, as one text."""
    if isinstance(argument, str) and "." in argument:
        name, attribute = argument.split(".", 1)
        return name, attribute
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str):
        return argument[0], argument[1]
    raise Unresolvable("Template error: every Fn::GetAtt object requires two non-empty parameters")


def _sub_parts(argument: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(argument, str):
        return argument, {}
    if isinstance(argument, list) and [type(item) for item in argument] == [str, dict]:
        return argument[0], argument[1]
    raise Unresolvable("Template error: every Fn::Sub object must be a string, or a list of a string and a map")


def references(value: Any) -> Iterator[Reference]:
    """Every name the value needs, in every branch, as often as it occurs."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
        return
    if not isinstance(value, dict):
        return
    name, argument = call(value) or ("", None)
    if name == "Ref":
        yield Reference(str(argument))
    elif name == "Fn::GetAtt":
        yield Reference(*get_att(argument))
    elif name == "Fn::Sub":
        yield from _sub_references(argument)
    else:
        for item in value.values():
            yield from references(item)


def _sub_references(argument: Any) -> Iterator[Reference]:
    text, variables = _sub_parts(argument)
    for placeholder in (found.strip() for found in _PLACEHOLDER.findall(text)):
        if not placeholder.startswith("!") and placeholder not in variables:
            name, _, attribute = placeholder.partition(".")
            yield Reference(name, attribute or None)
    yield from references(dict(variables))


def pruned(value: Any, conditions: Mapping[str, bool]) -> Any:
    """The value with every Fn::If replaced by the branch that counts."""
    if isinstance(value, list):
        return [pruned(item, conditions) for item in value]
    if not isinstance(value, dict):
        return value
    name, argument = call(value) or ("", None)
    if name == "Fn::If":
        return pruned(_branch(argument, conditions), conditions)
    return {key: pruned(item, conditions) for key, item in value.items()}


def _branch(argument: Any, conditions: Mapping[str, bool]) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        raise Unresolvable("Template error: Fn::If requires a list argument with three elements")
    if argument[0] not in conditions:
        raise Unresolvable(f"Template error: unresolved condition dependency {argument[0]} in Fn::If")
    return argument[1] if conditions[argument[0]] else argument[2]


def require_condition(expression: Any) -> None:
    """Raises Unresolvable unless the expression, and all within it, is one condition function with its arguments."""
    if not isinstance(expression, dict) or len(expression) != 1:
        raise Unresolvable("Template error: every condition must be one condition function")
    name, argument = next(iter(expression.items()))
    if name == "Condition":
        if not isinstance(argument, str):
            raise Unresolvable("Template format error: Every Condition member must be a string.")
        return
    if name not in _CONDITIONS:
        raise Unresolvable(f"Template error: {name} is not a condition function")
    numbers, words = _CONDITIONS[name]
    if not isinstance(argument, list) or len(argument) not in numbers:
        raise Unresolvable(f"Template error: every {name} object requires a list {words}.")
    for item in argument if name != "Fn::Equals" else ():
        require_condition(item)


def holds(expression: Any, scope: Scope, condition: Callable[[str], bool]) -> bool:
    """Whether a condition (see `require_condition`) is true; other conditions are asked by name."""
    name, argument = next(iter(expression.items()))
    if name == "Condition":
        return condition(argument)
    if name == "Fn::Equals":
        left, right = (resolve(side, scope) for side in argument)
        return bool(stringified(left) == stringified(right))
    if name == "Fn::Not":
        return not holds(argument[0], scope, condition)
    return (all if name == "Fn::And" else any)(holds(item, scope, condition) for item in argument)


def resolve(value: Any, scope: Scope) -> Any:
    """The value with every intrinsic function applied; properties that are AWS::NoValue are left out."""
    if isinstance(value, list):
        return [item for item in (resolve(item, scope) for item in value) if item is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    function = call(value)
    if function is None:
        items = ((key, resolve(item, scope)) for key, item in value.items())
        return {key: item for key, item in items if item is not NO_VALUE}
    name, argument = function
    if name not in _FUNCTIONS:
        raise Unresolvable(f"Template error: the sandbox does not imitate {name}")
    try:
        return _FUNCTIONS[name](argument, scope)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as exc:
        raise Unresolvable(f"Template error: {name} cannot be applied to {argument!r}") from exc


def _ref(argument: Any, scope: Scope) -> Any:
    if argument == "AWS::NoValue":
        return NO_VALUE
    return scope.variables[argument] if argument in scope.variables else scope.ref(argument)


def _get_att(argument: Any, scope: Scope) -> Any:
    name, attribute = get_att(argument)
    return scope.attribute(name, as_text(resolve(attribute, scope)))


def _sub(argument: Any, scope: Scope) -> str:
    text, variables = _sub_parts(argument)
    known = {key: resolve(item, scope) for key, item in variables.items()}

    def replacement(match: re.Match[str]) -> str:
        placeholder = match[1].strip()
        if placeholder.startswith("!"):
            return "${" + placeholder[1:] + "}"
        if placeholder in known:
            value = known[placeholder]
        elif "." in placeholder:
            value = scope.attribute(*placeholder.split(".", 1))
        else:
            value = _ref(placeholder, scope)
        if isinstance(value, list | dict):
            raise Unresolvable(
                f"Template error: variable {placeholder} in Fn::Sub expression does not resolve to a string"
            )
        return as_text(value)

    return _PLACEHOLDER.sub(replacement, text)


def _join(argument: Any, scope: Scope) -> str:
    delimiter, items = argument
    resolved = resolve(items, scope)
    if not isinstance(resolved, list):
        raise TypeError("Fn::Join needs a list")
    return str(delimiter).join(as_text(item) for item in resolved)


def _select(argument: Any, scope: Scope) -> Any:
    index, items = resolve(argument[0], scope), resolve(argument[1], scope)
    if not isinstance(items, list) or int(index) not in range(len(items)):
        raise Unresolvable("Template error: Fn::Select cannot select nonexistent value at index " + as_text(index))
    return items[int(index)]


def _split(argument: Any, scope: Scope) -> list[str]:
    delimiter, text = argument
    return as_text(resolve(text, scope)).split(delimiter)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    name, top, second = (as_text(resolve(item, scope)) for item in argument)
    try:
        return resolve(scope.mappings[name][top][second], scope)
    except KeyError as exc:
        raise Unresolvable(f"Template error: Unable to get mapping for {name}::{top}::{second}") from exc


def _import_value(argument: Any, scope: Scope) -> str:
    return scope.imported(as_text(resolve(argument, scope)))


def _get_azs(argument: Any, scope: Scope) -> list[str]:
    region = resolve(argument, scope) or scope.variables["AWS::Region"]
    return [f"{region}{zone}" for zone in "abc"]


def _base64(argument: Any, scope: Scope) -> str:
    return base64.b64encode(as_text(resolve(argument, scope)).encode()).decode()


def _cidr(argument: Any, scope: Scope) -> list[str]:
    block, count, *rest = (resolve(item, scope) for item in argument)
    network = ipaddress.ip_network(block)
    host_bits = int(rest[0]) if rest else 8
    subnets = network.subnets(new_prefix=network.max_prefixlen - host_bits)
    return [str(subnet) for subnet in islice(subnets, int(count))]


def _if(argument: Any, scope: Scope) -> Any:
    return resolve(_branch(argument, scope.conditions), scope)


_FUNCTIONS: Mapping[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _get_azs,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::If": _if,
}
