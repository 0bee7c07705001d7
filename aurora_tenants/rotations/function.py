"""Which function rotates a secret, and when, as a template says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aurora_tenants.model import HOSTED, OWN
from aurora_tenants.naming import HOSTED_EXPORT
from aurora_tenants.rotations.rules import NEVER, Rules, read


class Rotation(NamedTuple):
    """How a secret is rotated. function: as `TenantUser.rotation`."""

    rules: Rules = NEVER
    function: str = OWN


def rotation_in(properties: Mapping[str, Any]) -> Rotation:
    """What an AWS::SecretsManager::RotationSchedule says. Raises LookupError, TypeError, ValueError for others'."""
    function = properties.get("RotationLambdaARN", OWN)
    if isinstance(function, Mapping):
        function = HOSTED if str(function.get("Fn::ImportValue", "")).endswith(f"-{HOSTED_EXPORT}") else OWN
    return Rotation(read(properties["RotationRules"]), str(function))


def function_in_words(function: str) -> str:
    """function: as `TenantUser.rotation`."""
    words = {OWN: "the shared stack's function", HOSTED: "AWS's hosted function"}
    return words.get(function) or f"function {function.rpartition(':function:')[2]}"
