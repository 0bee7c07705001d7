"""What DescribeSecret, ListSecrets and the other lists of the sandbox's Secrets Manager show, and in which pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aurora_sandbox.secretsmanager.secret import Secret
from aurora_sandbox.wire import ServiceError


def description(secret: Secret) -> dict[str, Any]:
    """DescribeSecret's answer; what the secret does not have is left out."""
    rotation = secret.rotation
    facts = {
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description or None,
        "KmsKeyId": secret.kms_key_id,
        "RotationEnabled": rotation.enabled if rotation.function_arn else None,
        "RotationLambdaARN": rotation.function_arn,
        "RotationRules": rotation.rules or None,
        "LastRotatedDate": rotation.rotated,
        "NextRotationDate": secret.next_rotation(),
        "LastChangedDate": secret.changed,
        "LastAccessedDate": max(
            (version.accessed for version in secret.versions.values() if version.accessed), default=None
        ),
        "DeletedDate": secret.gone_on,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
        "VersionIdsToStages": secret.stages() or None,
        "OwningService": secret.owning_service,
        "CreatedDate": secret.created,
    }
    return {key: value for key, value in facts.items() if value is not None}


def entry(secret: Secret) -> dict[str, Any]:
    """The same facts under ListSecrets' names."""
    facts = description(secret)
    facts["SecretVersionsToStages"] = facts.pop("VersionIdsToStages", {})
    return facts


def versions(secret: Secret, *, deprecated: bool) -> list[dict[str, Any]]:
    """ListSecretVersionIds' entries, with the versions that have no label only if asked for."""
    return [
        {
            "VersionId": version.id,
            "CreatedDate": version.created,
            **({"VersionStages": sorted(version.stages)} if version.stages else {}),
        }
        for version in secret.versions.values()
        if version.stages or deprecated
    ]


def matching(secret: Secret, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the secret passes every filter: one of its values begins a field, and none after "!" does."""
    return all(_passes(_fields(secret, filter_["Key"]), filter_["Values"]) for filter_ in filters)


def refuse_half(filters: Sequence[Mapping[str, Any]]) -> None:
    """Raises ServiceError for a filter that says only what to compare, or only with what. The words are not AWS's."""
    if any(not filter_.get("Key") or not filter_.get("Values") for filter_ in filters):
        raise ServiceError("InvalidParameterException", "A filter needs a key and values.")


def _fields(secret: Secret, key: str) -> list[str]:
    fields = {
        "name": [secret.name],
        "description": [secret.description],
        "tag-key": list(secret.tags),
        "tag-value": list(secret.tags.values()),
        "owning-service": [secret.owning_service or ""],
    }
    if key == "all":
        return [value for values in fields.values() for value in values]
    if key not in fields:
        raise ServiceError("InvalidParameterException", f"The sandbox does not imitate the filter {key}.")
    return fields[key]


def _passes(fields: list[str], values: Sequence[str]) -> bool:
    def begins(value: str) -> bool:
        return any(field.startswith(value) for field in fields)

    wanted = [value for value in values if not value.startswith("!")]
    unwanted = [value[1:] for value in values if value.startswith("!")]
    return (not wanted or any(map(begins, wanted))) and not any(map(begins, unwanted))


def page(items: Sequence[Any], key: str, parameters: Mapping[str, Any], *, default: int) -> dict[str, Any]:
    """MaxResults items from NextToken on, and the token of the following page if there is one."""
    try:
        start = int(parameters.get("NextToken") or 0)
    except ValueError:
        raise ServiceError("InvalidNextTokenException", "The NextToken value is invalid.") from None
    end = start + (parameters.get("MaxResults") or default)
    return {key: items[start:end]} | ({"NextToken": str(end)} if end < len(items) else {})
