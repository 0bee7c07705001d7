"""The resources of one user in a template of a tenant: which there are, and what it says of the rotation. Pure.

parts_of(template.resources)
Parts("SecretShop", "/shared/database/shop", "shop", "AttachmentShop", "UserShop", "RotationShop", Rules(days=30))
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from aurora_tenants.model import OWN
from aurora_tenants.rotations.function import rotation_in
from aurora_tenants.rotations.rules import Rules


class Parts(NamedTuple):
    """The logical ids of a user's resources in a template, and what it says of the rotation. rules: None for none.

    attachment, user, rotation: empty where there is none. function: as `Rotation.function`.
    """

    secret: str
    name: str
    username: str
    attachment: str = ""
    user: str = ""
    rotation: str = ""
    rules: Rules | None = None
    function: str = OWN


def parts_of(resources: Mapping[str, Mapping[str, Any]]) -> Iterator[Parts]:
    """Of every secret that a tenant's template makes."""
    by_secret: dict[str, dict[str, str]] = {}
    for logical_id, resource in resources.items():
        of = resource["Properties"].get("SecretId")
        if isinstance(of, Mapping) and "Ref" in of:
            by_secret.setdefault(of["Ref"], {})[resource["Type"]] = logical_id
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            yield _parts(logical_id, resource["Properties"], by_secret.get(logical_id, {}), resources)


def _parts(
    logical_id: str, properties: Mapping[str, Any], others: Mapping[str, str], resources: Mapping[str, Any]
) -> Parts:
    user = others.get("Custom::DatabaseUser", "")
    rotation = others.get("AWS::SecretsManager::RotationSchedule", "")
    how = rotation_in(resources[rotation]["Properties"]) if rotation else None
    named = resources[user]["Properties"].get("UserName") if user else None
    return Parts(
        logical_id,
        properties["Name"],
        named or username_in(properties),
        others.get("AWS::SecretsManager::SecretTargetAttachment", ""),
        user,
        rotation,
        how.rules if how else None,
        how.function if how else OWN,
    )


def username_in(secret: Mapping[str, Any]) -> str:
    """The name that a secret of a template is made with. secret: its properties."""
    return _username(secret["GenerateSecretString"]["SecretStringTemplate"])


@lru_cache(10_000)
def _username(text: str) -> str:
    return str(json.loads(text)["username"])
