"""What RDS says to a master user's name and password that it does not take. Pure.

Sources: CreateDBCluster, ModifyDBCluster, Amazon RDS API Reference; the sentence about false is quoted by
terraform-aws-modules/terraform-aws-rds-aurora#370; that nothing else may be said with true, when a key may be named and
when the password be rotated, is of the reference, and its words are the sandbox's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aurora_sandbox.backing import BAD_PASSWORD, is_password
from aurora_sandbox.wire import ServiceError

_KEY = "You can specify MasterUserSecretKmsKeyId only when you turn on ManageMasterUserPassword."
_ROTATE = "You can rotate the master user password only while it is managed in AWS Secrets Manager."
_BLANK = "The parameter {} must be provided and must not be blank."


def check_new(asked: Mapping[str, Any]) -> None:
    """Raises ServiceError for parameters of CreateDBCluster that give no master user, or two ways to its password."""
    _check_together(asked)
    if asked.get("MasterUserSecretKmsKeyId") and not asked.get("ManageMasterUserPassword"):
        raise ServiceError("InvalidParameterCombination", _KEY)
    needed = ["MasterUsername"] if asked.get("ManageMasterUserPassword") else ["MasterUsername", "MasterUserPassword"]
    for name in needed:
        if not asked.get(name):
            raise ServiceError("InvalidParameterValue", _BLANK.format(name))


def check_change(asked: Mapping[str, Any], *, is_managed: bool) -> None:
    """The same for ModifyDBCluster. is_managed: whether RDS keeps the password now."""
    _check_together(asked)
    if asked.get("MasterUserSecretKmsKeyId") and (is_managed or not asked.get("ManageMasterUserPassword")):
        raise ServiceError("InvalidParameterCombination", _KEY)
    if asked.get("RotateMasterUserPassword"):
        if not is_managed or asked.get("ManageMasterUserPassword") is False:
            raise ServiceError("InvalidParameterCombination", _ROTATE)
        if not asked.get("ApplyImmediately"):
            why = "You must apply the change immediately when rotating the master user password."
            raise ServiceError("InvalidParameterCombination", why)
    if is_managed and asked.get("ManageMasterUserPassword") is False and not asked.get("MasterUserPassword"):
        why = "MasterUserPassword must be provided when ManageMasterUserPassword is set to false."
        raise ServiceError("InvalidParameterCombination", why)
    if is_managed and "MasterUserPassword" in asked and asked.get("ManageMasterUserPassword") is not False:
        why = "You can't specify MasterUserPassword for a cluster whose password is managed in AWS Secrets Manager."
        raise ServiceError("InvalidParameterCombination", why)


def _check_together(asked: Mapping[str, Any]) -> None:
    password = asked.get("MasterUserPassword")
    if password and asked.get("ManageMasterUserPassword"):
        why = "You can't specify MasterUserPassword when ManageMasterUserPassword is true."
        raise ServiceError("InvalidParameterCombination", why)
    if password and not is_password(password):
        raise ServiceError("InvalidParameterValue", BAD_PASSWORD)
