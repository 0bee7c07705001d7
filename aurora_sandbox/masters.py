"""What RDS says to a master user's name and password that it does not take. Pure.

Sources: CreateDBCluster, ModifyDBCluster, Amazon RDS API Reference; the sentence about false is quoted by
terraform-aws-modules/terraform-aws-rds-aurora#370; that nothing else may be said with true is of the reference, and
its words are the sandbox's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aurora_sandbox.backing import BAD_PASSWORD, is_password
from aurora_sandbox.wire import ServiceError

_BLANK = "The parameter {} must be provided and must not be blank."


def check_new(asked: Mapping[str, Any]) -> None:
    """Raises ServiceError for parameters of CreateDBCluster that give no master user, or two ways to its password."""
    _check_together(asked)
    needed = ["MasterUsername"] if asked.get("ManageMasterUserPassword") else ["MasterUsername", "MasterUserPassword"]
    for name in needed:
        if not asked.get(name):
            raise ServiceError("InvalidParameterValue", _BLANK.format(name))


def check_change(asked: Mapping[str, Any], *, is_managed: bool) -> None:
    """The same for ModifyDBCluster. is_managed: whether RDS keeps the password now."""
    _check_together(asked)
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
