"""What a repair of the shared stack does itself, because CloudFormation does not see it: code, and a secret's rotation.

Every function raises AwsError.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aurora_tenants.aws import bucket, code
from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.aws.code import CODE_BUCKET
from aurora_tenants.aws.preparation import Deployment
from aurora_tenants.errors import NotConverged, Problem
from aurora_tenants.tenant.rotation import new_version

_POLL_SECONDS, _MOST_SECONDS = 1.0, 180.0
_LONGEST_ROTATION_SECONDS = 60.0
ROTATION_DAYS = 30  # between two rotations of the inspector's password, as in cfn/shared.yml


def write_code(deployment: Deployment, functions: Sequence[str]) -> None:
    """Gives these functions the code of the template that is about to be deployed, whatever they have now."""
    aws, archive = deployment.aws, deployment.archive
    if archive:
        place = deployment.stack.parameters[CODE_BUCKET]
        bucket.upload(aws.client("s3"), place, archive)
        source: dict[str, Any] = {"S3Bucket": place, "S3Key": archive.key}
    else:
        source = {"ZipFile": code.packed().content}
    client = aws.client("lambda")
    allow = "allow lambda:UpdateFunctionCode and lambda:GetFunctionConfiguration on it"
    for name in functions:
        with asking(f"write the code of function {name}", if_denied=allow):
            client.update_function_code(FunctionName=name, **source)
            client.get_waiter("function_updated").wait(FunctionName=name)


def restore(aws: Aws, secret: str) -> None:
    """Keeps a secret that is marked for deletion; one that is not stays as it is."""
    with asking(f"restore secret {secret}", if_denied="allow secretsmanager:RestoreSecret on it"):
        aws.client("secretsmanager").restore_secret(SecretId=secret)


def complete(aws: Aws, secret: str, user: str) -> None:
    """Makes a secret the login of this user, with another password, unless it is one. No value of it is shown."""
    client, allow = aws.client("secretsmanager"), "allow secretsmanager:GetSecretValue and PutSecretValue on it"
    with asking(f"read secret {secret}", if_denied=allow):
        text = client.get_secret_value(SecretId=secret).get("SecretString", "")
        value = _fields(text)
        if value.get("username") == user and value.get("password"):
            return
        password = client.get_random_password(PasswordLength=32, ExcludePunctuation=True)["RandomPassword"]
        changed = json.dumps({**value, "username": user, "password": password})
        client.put_secret_value(SecretId=secret, SecretString=changed)


def _fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def end_rotation(aws: Aws, secret: str) -> None:
    """Takes back a version that waits to become the current one; as long as there is one, no rotation begins.

    Source: RotateSecret, AWS Secrets Manager API Reference. MySQL may have its password already; the next rotation
    sets the current one first.
    """
    client, allow = aws.client("secretsmanager"), "allow secretsmanager:UpdateSecretVersionStage on it"
    with asking(f"end the rotation of secret {secret}", if_denied=allow):
        stages = client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
        for version in _pending(stages):
            try:
                client.update_secret_version_stage(
                    SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )
            except client.exceptions.ClientError:
                # Where an answer was lost, the repetition finds nothing left to take back.
                if version in _pending(client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})):
                    raise


def _pending(stages: Mapping[str, Sequence[str]]) -> list[str]:
    """The versions that wait to become the current one."""
    return [version for version, names in stages.items() if "AWSPENDING" in names and "AWSCURRENT" not in names]


def await_rotation(aws: Aws, secret: str) -> None:
    """Waits a minute at most for the end of a rotation that is under way; one that is switched off does not end."""
    client, until = aws.client("secretsmanager"), time.monotonic() + _LONGEST_ROTATION_SECONDS
    with asking(f"wait for the rotation of secret {secret}", if_denied="allow secretsmanager:DescribeSecret on it"):
        while time.monotonic() < until:
            told = client.describe_secret(SecretId=secret)
            pending = [names for names in told.get("VersionIdsToStages", {}).values() if "AWSPENDING" in names]
            if not told.get("RotationEnabled") or all("AWSCURRENT" in names for names in pending):
                return
            time.sleep(_POLL_SECONDS)


def stop_rotation(aws: Aws, secret: str) -> None:
    """Turns off a rotation that no stack has, as a deployment that failed leaves it, and ends one that is under way."""
    with asking(f"read secret {secret}", if_denied="allow secretsmanager:DescribeSecret on it"):
        is_on = aws.client("secretsmanager").describe_secret(SecretId=secret).get("RotationEnabled")
    if is_on:
        cancel_rotation(aws, secret)
    end_rotation(aws, secret)


def cancel_rotation(aws: Aws, secret: str) -> None:
    """Turns the rotation of a secret off."""
    allow = "allow secretsmanager:CancelRotateSecret on it"
    with asking(f"turn off the rotation of secret {secret}", if_denied=allow):
        aws.client("secretsmanager").cancel_rotate_secret(SecretId=secret)


def delete(aws: Aws, secret: str) -> None:
    """Deletes a secret at once, so that its name is free; it cannot be restored."""
    by_hand = f"aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {secret}"
    allow = f"allow secretsmanager:DeleteSecret on it, which ApplyPolicy does not, or run: {by_hand}"
    with asking(f"delete secret {secret}, which is not the stack's", if_denied=allow):
        aws.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def rotate(aws: Aws, secret: str, function: str, *, forced: bool = False) -> None:
    """Rotates a secret now, also one whose rotation was switched off, and waits for the end.

    function: ARN of the one that is to rotate it if its rotation is off. forced: also when readers may still hold the
    password before the current one, which then ends. Raises NotConverged if the end does not come.
    """
    client, until = aws.client("secretsmanager"), time.monotonic() + _MOST_SECONDS
    allow = "allow secretsmanager:RotateSecret and DescribeSecret on it, and lambda:InvokeFunction on what rotates it"
    with asking(f"rotate secret {secret}", if_denied=allow):
        version = _begin(client, secret, function, until, new_version(is_forced=forced))
        while "AWSCURRENT" not in (now := client.describe_secret(SecretId=secret))["VersionIdsToStages"].get(
            version, ()
        ):
            if time.monotonic() > until:
                what = f"the rotation of secret {secret} has not ended after {_MOST_SECONDS:.0f} s"
                name = now.get("RotationLambdaARN", function).rpartition(":")[2]
                fix = f"look at the log of function {name}, then run the same again"
                raise NotConverged(Problem("rotation-stuck", what, "everything else is repaired", fix))
            time.sleep(_POLL_SECONDS)


def _begin(client: Any, secret: str, function: str, until: float, token: str) -> str:
    """Begins a rotation as soon as no other is under way; right after a schedule was made, it is tried out.

    token: becomes the id of the version.
    """
    is_on = client.describe_secret(SecretId=secret).get("RotationEnabled")
    rules = {} if is_on else {"RotationLambdaARN": function, "RotationRules": {"AutomaticallyAfterDays": ROTATION_DAYS}}
    while True:
        try:
            return str(client.rotate_secret(SecretId=secret, ClientRequestToken=token, **rules)["VersionId"])
        except (client.exceptions.InvalidRequestException, client.exceptions.ResourceExistsException) as error:
            # Where an answer was lost, the rotation that the repetition meets is the one that was asked for.
            if token in client.describe_secret(SecretId=secret).get("VersionIdsToStages", {}):
                return token
            if "previous rotation" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)
