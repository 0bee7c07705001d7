"""Which KMS keys an operation on a secret uses, and for what. Pure.

Source: "Secret encryption and decryption in AWS Secrets Manager", Secrets Manager User Guide: a value is read with
kms:Decrypt and written with kms:GenerateDataKey and kms:Decrypt, and both where a secret gets another key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aurora_sandbox.secretsmanager.secret import Secret

DECRYPT, ENCRYPT = ("kms:Decrypt",), ("kms:GenerateDataKey", "kms:Decrypt")


def uses(
    operation: str, parameters: Mapping[str, Any], secret: Secret | None
) -> Iterator[tuple[str | None, Sequence[str]]]:
    """Keys as they are named, None for the default, with the actions on each. secret: None for a new one."""
    new_key, has_value = parameters.get("KmsKeyId"), bool({"SecretString", "SecretBinary"} & parameters.keys())
    if operation == "CreateSecret" and has_value:
        yield new_key, ENCRYPT
    if secret is None:
        return
    if operation == "GetSecretValue" or (operation == "UpdateSecret" and new_key and not has_value):
        yield secret.kms_key_id, DECRYPT
    if operation in ("PutSecretValue", "UpdateSecret") and (has_value or new_key):
        yield new_key or secret.kms_key_id, ENCRYPT
