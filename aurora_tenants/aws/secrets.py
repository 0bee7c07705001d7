"""The secrets of the users of a cluster, as Secrets Manager lists them: no value of any, and no call for each.

secrets = read_secrets(aws, cluster)              one ListSecrets for each 100 of them
secrets = confirmed(aws, secrets, names)          looks at these one by one: a list may be five minutes old

Source: "ListSecrets" and "DescribeSecret", AWS Secrets Manager API Reference: the filter `name` takes what a name
begins with, and minds case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.errors import AwsError
from aurora_tenants.model import Cluster
from aurora_tenants.naming import ENDPOINT_TAG, secret_name
from aurora_tenants.tenant.secrets import LiveSecret, Secrets

AT_ONCE = 5
_PAGE = 100


def read_secrets(aws: Aws, cluster: Cluster) -> Secrets:
    """All of them, also those that wait for their deletion; without what rotates them. Raises AwsError."""
    found: dict[str, LiveSecret] = {}
    now = datetime.now(UTC)
    prefix, allow = secret_name(cluster, ""), _allow(cluster, "ListSecrets", "*")
    with asking("list the secrets", if_denied=allow):
        pages = aws.client("secretsmanager").get_paginator("list_secrets")
        for page in pages.paginate(
            Filters=[{"Key": "name", "Values": [prefix]}],
            IncludePlannedDeletion=True,
            PaginationConfig={"PageSize": _PAGE},
        ):
            now = _date(page)
            found |= {each["Name"]: _live(each, each.get("SecretVersionsToStages", {})) for each in page["SecretList"]}
    return Secrets(found, "", now)


def confirmed(aws: Aws, cluster: Cluster, secrets: Secrets, names: Collection[str]) -> Secrets:
    """The same with what DescribeSecret says of these. Raises AwsError."""
    client, ordered = aws.client("secretsmanager"), sorted(names)
    allow = _allow(cluster, "DescribeSecret", f"the secrets under {secret_name(cluster, '')}")

    def describe(name: str) -> LiveSecret | None:
        try:
            with asking(f"look at secret {name}", if_denied=allow):
                answer = client.describe_secret(SecretId=name)
        except AwsError as error:
            if code_of(error.__cause__) == "ResourceNotFoundException":
                return None
            raise
        return _live(answer, answer.get("VersionIdsToStages", {}))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        looked = dict(zip(ordered, pool.map(describe, ordered), strict=True))
    others = {name: live for name, live in secrets.by_name.items() if name not in looked}
    return secrets._replace(by_name=others | {name: live for name, live in looked.items() if live})


def _allow(cluster: Cluster, action: str, where: str) -> str:
    return (
        f"allow secretsmanager:{action} on {where}, as PlanPolicy does once stack {cluster.stack} is deployed again"
        f" (aurora-tenants shared deploy --stack {cluster.stack})"
    )


def _live(answer: Mapping[str, Any], stages: Mapping[str, Collection[str]]) -> LiveSecret:
    rules = answer.get("RotationRules", {})
    return LiveSecret(
        answer["Name"],
        answer["ARN"],
        is_deleted="DeletedDate" in answer,
        rotates=bool(answer.get("RotationEnabled")),
        function=answer.get("RotationLambdaARN", ""),
        days=rules.get("AutomaticallyAfterDays"),
        schedule=rules.get("ScheduleExpression", ""),
        duration=rules.get("Duration", ""),
        rotated=answer.get("LastRotatedDate"),
        changed=answer.get("LastChangedDate"),
        next_rotation=answer.get("NextRotationDate"),
        endpoint_subnets=_subnets(answer),
        has_pending=any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages.values()),
        accessed=answer.get("LastAccessedDate"),
    )


def _subnets(answer: Mapping[str, Any]) -> tuple[str, ...] | None:
    tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}
    words = tags[ENDPOINT_TAG].split() if ENDPOINT_TAG in tags else None
    return None if words is None else tuple(word for word in words if word != "none")


def _date(answer: Mapping[str, Any]) -> datetime:
    """By AWS's clock, which those of the secrets' dates are by; this machine's may be wrong."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
