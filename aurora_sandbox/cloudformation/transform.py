"""The one macro there is here, AWS::SecretsManager: what it makes of a template. Pure.

A RotationSchedule with a HostedRotationLambda loses it, and gets the function of a nested stack that is put beside it:

    Rotation: HostedRotationLambda: {RotationType: MySQLSingleUser, RotationLambdaName: rotation}
    ->  Rotation: RotationLambdaARN: !GetAtt RotationHostedRotationLambda.Outputs.RotationLambdaARN
        RotationHostedRotationLambda: Type: AWS::CloudFormation::Stack

What the nested stack is made of is in no template here, but in resources/hosted.py, which reads its Parameters.
Source: "AWS::SecretsManager transform", CloudFormation Template Reference; the names are those in templates of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aurora_sandbox.cloudformation.refusals import invalid

TRANSFORMS = ("AWS::SecretsManager-2020-07-23", "AWS::SecretsManager-2024-09-16")
NESTED, HOSTED, SCHEDULE = "AWS::CloudFormation::Stack", "HostedRotationLambda", "AWS::SecretsManager::RotationSchedule"
TEMPLATE_URL = "https://secretsmanager.invalid/HostedRotationLambda"  # nothing is fetched
_ARN = "Outputs.RotationLambdaARN"


def declared(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The transforms of a template. Raises ValidationError for one that is not imitated."""
    named = raw.get("Transform", [])
    names = named if isinstance(named, list) else [named]
    for name in names:
        if name not in TRANSFORMS:
            raise invalid(f"the sandbox does not imitate a template's Transform {name}")
    return tuple(names)


def processed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The template as its transforms leave it, without them."""
    resources: dict[str, Any] = {}
    for name, item in raw.get("Resources", {}).items():
        resources |= _resources(name, item) if _is_hosted(item) else {name: item}
    kept = {name: section for name, section in raw.items() if name != "Transform"}
    return {**kept, "Resources": resources} if resources else kept


def _is_hosted(item: Any) -> bool:
    properties = item.get("Properties") if isinstance(item, dict) else None
    return isinstance(properties, dict) and item.get("Type") == SCHEDULE and isinstance(properties.get(HOSTED), dict)


def _resources(name: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """The schedule, and the nested stack with its function; both are there or neither is."""
    properties, nested = dict(item["Properties"]), f"{name}{HOSTED}"
    parameters = properties.pop(HOSTED)
    properties["RotationLambdaARN"] = {"Fn::GetAtt": [nested, _ARN]}
    condition = {"Condition": item["Condition"]} if "Condition" in item else {}
    return {
        nested: {
            "Type": NESTED,
            "Properties": {"TemplateURL": TEMPLATE_URL, "Parameters": parameters},
            **condition,
        },
        name: {**item, "Properties": properties},
    }
