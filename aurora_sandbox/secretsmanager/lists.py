"""What DescribeSecret, ListSecrets and the other lists of the sandbox's Secrets Manager show, and in which pages."""

from __future__ import annotations

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from aurora_sandbox.secretsmanager.secret import Secret
from aurora_sandbox.wire import Kept, ServiceError, kept


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
        "RotationRules": rotation.shown_rules() or None,
        # Without rotation it is null; a secret that RDS rotates has its own.
        "LastRotatedDate": rotation.rotated if rotation.enabled or secret.owning_service else None,
        "NextRotationDate": rotation.next_date,
        "LastChangedDate": secret.changed,
        "LastAccessedDate": secret.accessed,
        "DeletedDate": secret.gone_on,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
        "VersionIdsToStages": secret.stages() or None,
        "OwningService": secret.owning_service,
        "CreatedDate": secret.created,
    }
    return {key: value for key, value in facts.items() if value is not None}


def entry(secret: Secret) -> Kept:
    """The same facts under ListSecrets' names; the same object while they are the same."""
    facts = description(secret)
    facts["SecretVersionsToStages"] = facts.pop("VersionIdsToStages", {})
    secret.shown = kept(facts, secret.shown)
    return secret.shown


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


def matching(filters: Sequence[Mapping[str, Any]]) -> Callable[[Secret], bool]:
    """Whether a secret passes every filter: one of its values begins a field, and none after "!" does.

    Raises ServiceError for what the sandbox does not imitate, and for a filter that says only what to compare, or only
    with what; the words of that are not AWS's.
    """
    if any(not filter_.get("Key") or not filter_.get("Values") for filter_ in filters):
        raise ServiceError("InvalidParameterException", "A filter needs a key and values.")
    passes = [_filter(filter_["Key"], filter_["Values"]) for filter_ in filters]
    return lambda secret: all(each(secret) for each in passes)


def _filter(key: str, values: Sequence[str]) -> Callable[[Secret], bool]:
    if key not in _FIELDS:
        raise ServiceError("InvalidParameterException", f"The sandbox does not imitate the filter {key}.")
    fields = _FIELDS[key]
    wanted = tuple(value for value in values if not value.startswith("!"))
    unwanted = tuple(value[1:] for value in values if value.startswith("!"))

    def begins(secret: Secret, beginnings: tuple[str, ...]) -> bool:
        return any(field.startswith(beginnings) for field in fields(secret))

    return lambda secret: (not wanted or begins(secret, wanted)) and not (unwanted and begins(secret, unwanted))


def _all(secret: Secret) -> Collection[str]:
    return secret.name, secret.description, *secret.tags, *secret.tags.values(), secret.owning_service or ""


_FIELDS: Mapping[str, Callable[[Secret], Collection[str]]] = {
    "name": lambda secret: (secret.name,),
    "description": lambda secret: (secret.description,),
    "tag-key": lambda secret: secret.tags,
    "tag-value": lambda secret: secret.tags.values(),
    "owning-service": lambda secret: (secret.owning_service or "",),
    "all": _all,
}


def place(secret: Secret, sort_by: str | None = None) -> tuple[str, str]:
    """Where a secret stands among others, which is where a page ends; by its CreatedDate if nothing is said.

    A secret that was never read is before all that were, which is a guess.
    """
    by = {
        "last-accessed-date": secret.accessed,
        "last-changed-date": secret.changed,
        "name": secret.name,
    }.get(sort_by or "", secret.created)
    return by if isinstance(by, str) else by.isoformat(timespec="microseconds") if by else "", secret.arn


def listed(in_order: Sequence[Secret], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A page of ListSecrets. in_order: all that may be in it, by their `place`.

    A page begins behind the place where the one before has ended, whatever was created or deleted meanwhile.
    """
    passes, size = matching(parameters.get("Filters") or []), parameters.get("MaxResults") or 100
    order = [parameters.get("SortBy"), parameters.get("SortOrder")]
    key = partial(place, sort_by=order[0])
    behind = _behind(parameters.get("NextToken"), order)
    rest: Iterable[Secret]
    if order[1] == "asc":
        rest = in_order if behind is None else in_order[bisect_right(in_order, behind, key=key) :]
    else:
        rest = reversed(in_order if behind is None else in_order[: bisect_left(in_order, behind, key=key)])
    found = list(islice(filter(passes, rest), size + 1))
    shown = {"SecretList": [entry(secret) for secret in found[:size]]}
    return shown if len(found) <= size else shown | {"NextToken": _token(key(found[size - 1]), order)}


def _token(behind: tuple[str, str], order: Sequence[str | None]) -> str:
    return base64.b64encode(json.dumps([behind, order]).encode()).decode()


def _behind(token: str | None, order: Sequence[str | None]) -> tuple[str, str] | None:
    """Raises ServiceError for a token that is none, or of a list in another order."""
    if token is None:
        return None
    try:
        (value, arn), of_order = json.loads(base64.b64decode(token, validate=True))
    except (TypeError, ValueError):
        of_order = None
    if of_order != order:
        raise ServiceError("InvalidNextTokenException", "The NextToken value is invalid.")
    return str(value), str(arn)


def page(items: Sequence[Any], key: str, parameters: Mapping[str, Any], *, default: int) -> dict[str, Any]:
    """MaxResults items from NextToken on, and the token of the following page if there is one."""
    try:
        start = int(parameters.get("NextToken") or 0)
    except ValueError:
        raise ServiceError("InvalidNextTokenException", "The NextToken value is invalid.") from None
    end = start + (parameters.get("MaxResults") or default)
    return {key: items[start:end]} | ({"NextToken": str(end)} if end < len(items) else {})
