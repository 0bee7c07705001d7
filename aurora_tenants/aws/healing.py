"""What a repair of the shared stack does itself, because CloudFormation does not see it: code, and a secret's rotation.

Every function raises AwsError.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aurora_tenants.aws import bucket, code
from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.aws.code import CODE_BUCKET
from aurora_tenants.aws.preparation import Deployment
from aurora_tenants.errors import NotConverged, Problem

_POLL_SECONDS, _MOST_SECONDS = 1.0, 180.0


def write_code(deployment: Deployment, functions: Sequence[str]) -> None:
    """Gives these functions the code of the template that is deployed, whatever they have now."""
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
    """Keeps a secret that is marked for deletion."""
    with asking(f"restore secret {secret}", if_denied="allow secretsmanager:RestoreSecret on it"):
        aws.client("secretsmanager").restore_secret(SecretId=secret)


def end_rotation(aws: Aws, secret: str) -> None:
    """Takes back a version that waits to become the current one; as long as there is one, no rotation begins.

    Source: RotateSecret, AWS Secrets Manager API Reference. MySQL may have its password already; the next rotation
    sets the current one first.
    """
    client, allow = aws.client("secretsmanager"), "allow secretsmanager:UpdateSecretVersionStage on it"
    with asking(f"end the rotation of secret {secret}", if_denied=allow):
        stages = client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
        for version, names in stages.items():
            if "AWSPENDING" in names and "AWSCURRENT" not in names:
                client.update_secret_version_stage(
                    SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )


def rotate(aws: Aws, secret: str) -> None:
    """Rotates a secret now, and waits for the end. Raises NotConverged if that does not come."""
    client, allow = aws.client("secretsmanager"), "allow secretsmanager:RotateSecret and DescribeSecret on it"
    with asking(f"rotate secret {secret}", if_denied=allow):
        version = client.rotate_secret(SecretId=secret)["VersionId"]
        until = time.monotonic() + _MOST_SECONDS
        while "AWSCURRENT" not in client.describe_secret(SecretId=secret)["VersionIdsToStages"].get(version, ()):
            if time.monotonic() > until:
                what = f"the rotation of secret {secret} has not ended after {_MOST_SECONDS:.0f} s"
                fix = "look at the log of the rotation function, then repair again"
                raise NotConverged(Problem("rotation-stuck", what, "the login of the inspector is as it was", fix))
            time.sleep(_POLL_SECONDS)
