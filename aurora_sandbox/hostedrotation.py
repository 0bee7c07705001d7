"""The sandbox's stand-in for AWS's rotation function of MySQL users, which AWS's transform deploys (MySQLSingleUser).

It is not AWS's code. It does what that is documented to do: the user whose secret it is logs in, over TCP, and sets its
own password, so the old one is of no use from then on. The secret is JSON with engine (mysql), host, username and
password, and maybe port and dbname. It runs as a function, and imports nothing of the sandbox.
Sources: "Lambda function rotation strategies", "JSON structure of secrets", Secrets Manager User Guide.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import boto3
import pymysql

CERTIFICATES = "/etc/pki/tls/cert.pem"


def lambda_handler(event: dict[str, str], context: Any) -> None:
    sys.stdout.write(f"{event['Step']}: the sandbox's stand-in for SecretsManagerRDSMySQLRotationSingleUser\n")
    secrets = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])
    secret_id, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    known = secrets.describe_secret(SecretId=secret_id)
    if known.get("RotationEnabled") is False:
        raise ValueError(f"Secret {secret_id} is not enabled for rotation")
    stages = known["VersionIdsToStages"].get(token)
    if stages is None:
        raise ValueError(f"Secret version {token} has no stage for rotation of secret {secret_id}.")
    if "AWSCURRENT" in stages:
        return
    if "AWSPENDING" not in stages:
        raise ValueError(f"Secret version {token} not set as AWSPENDING for rotation of secret {secret_id}.")
    if step not in STEPS:
        raise ValueError("Invalid step parameter")
    STEPS[step](secrets, secret_id, token)


def create_secret(secrets: Any, secret_id: str, token: str) -> None:
    """Puts a new password into the pending version, unless it has one."""
    content = read(secrets, secret_id, "AWSCURRENT")
    try:
        read(secrets, secret_id, "AWSPENDING", token)
    except secrets.exceptions.ResourceNotFoundException:
        excluded = os.environ.get("EXCLUDE_CHARACTERS", "/@\"'\\")
        content["password"] = secrets.get_random_password(ExcludeCharacters=excluded)["RandomPassword"]
        secrets.put_secret_value(
            SecretId=secret_id,
            ClientRequestToken=token,
            SecretString=json.dumps(content),
            VersionStages=["AWSPENDING"],
        )


def set_secret(secrets: Any, secret_id: str, token: str) -> None:
    """Lets the user set its own new password, unless that is the one it has."""
    current, pending = read(secrets, secret_id, "AWSCURRENT"), read(secrets, secret_id, "AWSPENDING", token)
    if let_in(pending):
        return
    for key in ("username", "host"):
        if current[key] != pending[key]:
            raise ValueError(f"Attempting to modify {key} {pending[key]} other than current {key} {current[key]}")
    connection = connect(current) or connect(before(secrets, secret_id))
    if connection is None:
        raise ValueError(
            f"Unable to log into database with previous, current, or pending secret of secret arn {secret_id}"
        )
    with connection, connection.cursor() as cursor:
        cursor.execute("SET PASSWORD = %s", (pending["password"],))
        connection.commit()


def test_secret(secrets: Any, secret_id: str, token: str) -> None:
    """Logs in with the pending version."""
    if not let_in(read(secrets, secret_id, "AWSPENDING", token)):
        raise ValueError(f"Unable to log into database with pending secret of secret ARN {secret_id}")


def finish_secret(secrets: Any, secret_id: str, token: str) -> None:
    """Makes the pending version the current one."""
    stages = secrets.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
    old = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
    secrets.update_secret_version_stage(
        SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=old
    )


STEPS = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}


def read(secrets: Any, secret_id: str, stage: str, version: str | None = None) -> dict[str, Any]:
    """The content of a version, which has all that is needed to log in."""
    asked = {"VersionId": version} if version else {}
    answer = secrets.get_secret_value(SecretId=secret_id, VersionStage=stage, **asked)
    content: dict[str, Any] = json.loads(answer["SecretString"])
    if content.get("engine") != "mysql":
        raise KeyError("Database engine must be set to 'mysql' in order to use this rotation lambda")
    for field in ("host", "username", "password"):
        if field not in content:
            raise KeyError(f"{field} key is missing from secret JSON")
    return content


def before(secrets: Any, secret_id: str) -> dict[str, Any] | None:
    """The content of the version before the current one; None without one."""
    try:
        return read(secrets, secret_id, "AWSPREVIOUS")
    except secrets.exceptions.ResourceNotFoundException:
        return None


def let_in(content: dict[str, Any]) -> bool:
    connection = connect(content)
    if connection is None:
        return False
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT NOW()")
    return True


def connect(content: dict[str, Any] | None) -> Any:
    """A connection of this user, over TLS where the server has it; None if it is not let in."""
    if content is None:
        return None
    where = {"host": content["host"], "port": int(content.get("port", 3306)), "database": content.get("dbname")}
    for tls in ({"ca": CERTIFICATES}, None):
        try:
            return pymysql.connect(
                **where, user=content["username"], password=content["password"], ssl=tls, connect_timeout=5
            )
        except (pymysql.OperationalError, OSError, RuntimeError):
            continue
    return None
