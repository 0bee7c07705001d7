"""KMS keys as Secrets Manager and RDS use them, with the rights of whoever calls those.

    keys.use(secret.kms_key_id, DECRYPT, secret.arn, caller)       for Secrets Manager
    keys.of_rds("alias/mine", caller)                               for RDS: the key's ARN

A key that AWS manages for Secrets Manager is open to the whole account through it. Any other needs to be enabled, and
to be allowed by its own policy and the caller's (policies.py); grants are not looked at. Sources: "Secret encryption
and decryption in AWS Secrets Manager", Secrets Manager User Guide; "Key states of AWS KMS keys", KMS Developer Guide;
"Access to KMS is not allowed" is quoted by aws-samples/aws-secrets-manager-rotation-lambdas#53, the words of a
decryption that fails in AWS's own troubleshooting guides, and RDS's by many who restored a snapshot.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aurora_sandbox.iam import Function, Policies
from aurora_sandbox.identity import owner_arn
from aurora_sandbox.motoserver import Key
from aurora_sandbox.policies import Need, Statement, may_use_key
from aurora_sandbox.secretsmanager.encrypted import DECRYPT, ENCRYPT
from aurora_sandbox.wire import Caller, ServiceError

DEFAULT_KEY = "alias/aws/secretsmanager"

_UNUSABLE = {
    "Disabled": ("DisabledException", "{arn} is disabled."),
    "PendingDeletion": ("KMSInvalidStateException", "{arn} is pending deletion."),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """find: a key by its id, ARN, alias or alias's ARN, None if there is none. session_of: the ARN of the session of a
    role that the owner has assumed, by its access key, else empty.
    """

    account: str
    region: str
    find: Callable[[str], Key | None]
    policies: Policies
    function_of: Callable[[str], Function | None]
    session_of: Callable[[str], str]

    def use(self, key_id: str | None, actions: Sequence[str], secret_arn: str, caller: Caller) -> None:
        """Returns if a secret's value may be decrypted or encrypted. Raises ServiceError in Secrets Manager's words."""
        key = self.find(key_id) if key_id else None
        if key_id is None or (key and key.is_of_aws):
            return
        if why := _unusable(key_id, key):
            verb = "decrypt" if actions == DECRYPT else "encrypt"
            said = f"Secrets Manager can't {verb} the secret value: {why}; Request ID: {uuid.uuid4()})"
            raise ServiceError(f"{verb.capitalize()}ionFailure", said)
        assert key is not None
        if not self._may(key, actions, caller, {"kms:encryptioncontext:secretarn": secret_arn}):
            raise ServiceError("AccessDeniedException", "Access to KMS is not allowed")

    def of_rds(self, key_id: str | None, caller: Caller, *, via: str = "secretsmanager") -> str:
        """The ARN of the key for a master secret, None for the default. Raises ServiceError in RDS's words.

        via: "rds" for that of the storage.
        """
        key = self.find(key_id or DEFAULT_KEY)
        is_usable = key is not None and not _unusable("", key)
        if key is None or not (key.is_of_aws or (is_usable and self._may(key, ENCRYPT, caller, {}, via=via))):
            why = (
                f"The specified KMS key [{key_id}] does not exist, is not enabled or you do not have permissions to "
                "access it."
            )
            raise ServiceError("KMSKeyNotAccessibleFault", why)
        return key.arn

    def _may(
        self,
        key: Key,
        actions: Sequence[str],
        caller: Caller,
        context: dict[str, str],
        *,
        via: str = "secretsmanager",
    ) -> bool:
        statements, principals = self._who(caller.access_key)
        keys = {
            "kms:viaservice": f"{via}.{self.region}.amazonaws.com",
            "kms:calleraccount": self.account,
            **context,
        }
        needs = [Need(action, key.arn, keys) for action in actions]
        return all(may_use_key(key.policy, statements, need, principals, account=self.account) for need in needs)

    def _who(self, access_key: str) -> tuple[Sequence[Statement] | None, Sequence[str]]:
        """A caller's own statements, None for one who may do everything, and the ARNs that a key's policy may name."""
        function = self.function_of(access_key)
        if function is not None:
            session = f"{_assumed(function.role_arn)}/{function.name}"
            return self.policies.of(function.role_arn), (function.role_arn, session)
        if session := self.session_of(access_key):
            role = session.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rpartition("/")[0]
            return None, (role, session)
        return None, (owner_arn(self.account),)


def _assumed(role_arn: str) -> str:
    return f"arn:aws:sts::{role_arn.split(':')[4]}:assumed-role/{role_arn.rpartition('/')[2]}"


def _unusable(key_id: str, key: Key | None) -> str:
    """What KMS says of a key that is not there or not enabled, as Secrets Manager passes it on; empty for any other."""
    code, why = "NotFoundException", f"Key '{key_id}' does not exist"
    if key is not None:
        if key.state not in _UNUSABLE:
            return ""
        code, why = _UNUSABLE[key.state]
        why = why.format(arn=key.arn)
    return f"{why} (Service: AWSKMS; Status Code: 400; Error Code: {code}"
