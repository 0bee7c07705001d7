"""The sandbox's Secrets Manager: secrets by name and ARN, version stages, recovery windows, rotation.

It answers with AWS's own error codes and sentences, because the program and the Lambda functions under test decide by
them. It rotates when RotateSecret says so, and what is due when `rotations.rotate_due` is called. Values live in memory
only; resource policies are kept and shown, but not enforced. A secret with a KMS key of its own is read and written by
who may use that key.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import threading
import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aurora_sandbox.secretsmanager.encrypted import uses
from aurora_sandbox.secretsmanager.lists import description, listed, matching, page, place, versions
from aurora_sandbox.secretsmanager.password import random_password
from aurora_sandbox.secretsmanager.rotation import Outcome, Rotations
from aurora_sandbox.secretsmanager.secret import CURRENT, Secret
from aurora_sandbox.wire import Caller, ServiceError

NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
DEFAULT_RECOVERY_DAYS = 30

Parameters = dict[str, Any]
UseKey = Callable[[str | None, Sequence[str], str, Caller], None]
NOBODY = Caller("")  # the sandbox itself, which may do what its owner may


class SecretsManager:
    """The service. now: by which every date of a secret goes, and the recovery windows.

    `invoke(function_arn, event)` runs a rotation function and raises if it fails.
    `use_key(key, actions, secret_arn, caller)` raises ServiceError if the caller may not use a secret's KMS key.
    `may_invoke(function_arn)` says whether the function exists and its policy lets Secrets Manager call it.
    """

    name = "secretsmanager"
    only = None

    def __init__(
        self,
        *,
        account: str,
        region: str,
        invoke: Callable[[str, dict[str, str]], object],
        may_invoke: Callable[[str], bool] = lambda function_arn: True,
        use_key: UseKey = lambda key, actions, secret_arn, caller: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._prefix = f"arn:aws:secretsmanager:{region}:{account}:secret:"
        self._use_key, self._now = use_key, now
        self._lock = threading.RLock()
        self.rotations = Rotations(invoke, self._lock, now, find=self._known, may_invoke=may_invoke)
        self._secrets: dict[str, Secret] = {}  # by ARN
        self._by_name: dict[str, Secret] = {}
        self._by_created: list[Secret] = []
        operations: dict[str, Callable[[Parameters], Parameters]] = {
            "CancelRotateSecret": self._cancel_rotation,
            "CreateSecret": self._create,
            "DeleteResourcePolicy": self._delete_policy,
            "DeleteSecret": self._delete,
            "DescribeSecret": lambda parameters: description(self._find(parameters["SecretId"], deleted=True)),
            "GetRandomPassword": lambda parameters: {"RandomPassword": random_password(parameters)},
            "GetResourcePolicy": self._get_policy,
            "GetSecretValue": self._get,
            "ListSecretVersionIds": self._list_versions,
            "ListSecrets": self._list,
            "PutResourcePolicy": self._put_policy,
            "PutSecretValue": self._put,
            "RestoreSecret": self._restore,
            "RotateSecret": self._rotate,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateSecret": self._update,
            "UpdateSecretVersionStage": self._move_stage,
            "ValidateResourcePolicy": _validate_policy,
        }
        self._operations: dict[str, Callable[[Parameters, Caller], Parameters]] = {
            "BatchGetSecretValue": self._batch_get,
            **{name: _for_whoever(do) for name, do in operations.items()},
        }

    def handle(self, operation: str, parameters: Parameters, caller: Caller) -> Parameters:
        """The answer to one request. Raises ServiceError with AWS's code."""
        with self._lock:
            if operation not in self._operations:
                raise ServiceError("NotImplemented", f"The sandbox does not imitate {operation}.", status=501)
            self._check_keys(operation, parameters, caller)
            return self._operations[operation](parameters, caller)

    def _check_keys(self, operation: str, parameters: Parameters, caller: Caller) -> None:
        """Raises ServiceError for a value that the caller may not decrypt, or encrypt."""
        known = self._known(parameters["SecretId"]) if "SecretId" in parameters else None
        secret = None if known is None or known.gone_on else known
        arn = secret.arn if secret else f"{self._prefix}{parameters.get('Name')}-??????"
        for key, actions in uses(operation, parameters, secret):
            self._use_key(key, actions, arn, caller)

    # For the other parts of the sandbox, past the rules that bind callers.

    def create_managed(self, name: str, secret_string: str, owning_service: str, *, key: str | None = None) -> str:
        """The ARN of a new secret that only its owning service ("rds") may change or delete. key: its own KMS key."""
        with self._lock:
            given = {"KmsKeyId": key} if key else {}
            arn: str = self._create({"Name": name, "SecretString": secret_string, **given})["ARN"]
            self._secrets[arn].owning_service = owning_service
            return arn

    def put_managed(self, secret_id: str, secret_string: str) -> None:
        """A new value of a managed secret, as its owning service rotates it."""
        with self._lock:
            secret = self._find(secret_id)
            self._put_value(secret, {"SecretString": secret_string}, {CURRENT})
            secret.rotation.rotated = self._now()

    def delete_managed(self, secret_id: str) -> None:
        """Forgets a managed secret, as its owning service does with the thing it belonged to."""
        with self._lock:
            self._forget(self._find(secret_id, deleted=True))

    def current(self, secret_id: str, caller: Caller = NOBODY) -> str:
        """The SecretString that this caller gets now. Raises ServiceError."""
        value: str = self.handle("GetSecretValue", {"SecretId": secret_id}, caller)["SecretString"]
        return value

    def referenced(self, secret_id: str, json_key: str, stage: str, version: str) -> str:
        """What a dynamic reference stands for; the last three may be empty. Raises ServiceError."""
        asked = {"SecretId": secret_id, "VersionStage": stage, "VersionId": version}
        answer = self.handle("GetSecretValue", {name: text for name, text in asked.items() if text}, NOBODY)
        try:
            return str(json.loads(answer["SecretString"])[json_key] if json_key else answer["SecretString"])
        except (KeyError, TypeError, ValueError):
            # `from None`: the error underneath would quote the secret.
            why = f"Could not find a value for key {json_key} in the secret {secret_id}."
            raise ServiceError("ValidationError", why) from None

    def rotation_outcome(self, secret_id: str, *, timeout_seconds: float = 10) -> Outcome | None:
        """How the latest rotation ended, waiting for one under way; None if there was none or time ran out."""
        with self._lock:
            secret = self._find(secret_id)
        return self.rotations.outcome(secret, timeout_seconds=timeout_seconds)

    # Finding

    def _known(self, secret_id: str) -> Secret | None:
        """The secret of this name, ARN, or ARN without its random suffix, even if marked for deletion."""
        name = secret_id.removeprefix(self._prefix)
        secret = self._secrets.get(secret_id) or self._by_name.get(name)
        if secret and secret.gone_on and self._now() >= secret.gone_on:
            self._forget(secret)
            return None
        return secret

    def _find(self, secret_id: str, *, deleted: bool = False) -> Secret:
        """The secret, one marked for deletion only if asked for. Raises what AWS raises."""
        secret = self._known(secret_id)
        if secret is None:
            raise ServiceError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        if secret.gone_on and not deleted:
            why = "You can't perform this operation on the secret because it was marked for deletion."
            raise ServiceError("InvalidRequestException", why)
        return secret

    def _find_for_change(self, secret_id: str, *, deleted: bool = False) -> Secret:
        secret = self._find(secret_id, deleted=deleted)
        if secret.owning_service:
            why = f"You can't modify this secret because it is managed by {secret.owning_service}."
            raise ServiceError("InvalidRequestException", why)
        return secret

    def _forget(self, secret: Secret) -> None:
        self.rotations.forget(secret)
        del self._secrets[secret.arn], self._by_name[secret.name]
        del self._by_created[bisect_left(self._by_created, place(secret), key=place)]

    # Secrets

    def _create(self, parameters: Parameters) -> Parameters:
        name = parameters["Name"]
        _refuse_two_values(parameters)
        if not NAME.fullmatch(name):
            allowed = "alphanumeric characters, or any of the following: -/_+=.@!"
            raise ServiceError("ValidationException", f"Invalid name. Must be a valid name containing {allowed}")
        existing = self._known(name)
        if existing and existing.gone_on:
            why = "a secret with this name is already scheduled for deletion."
            raise ServiceError("InvalidRequestException", f"You can't create this secret because {why}")
        if existing and parameters.get("ClientRequestToken") not in existing.versions:
            why = f"The operation failed because the secret {name} already exists."
            raise ServiceError("ResourceExistsException", why)
        return self._put_value(existing or self._new_secret(name, parameters), parameters, {CURRENT})

    def _new_secret(self, name: str, parameters: Parameters) -> Secret:
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(6))
        now = self._now()
        secret = Secret(f"{self._prefix}{name}-{suffix}", name, now, now, tags=_tags(parameters))
        self._describe(secret, parameters)
        self._secrets[secret.arn] = self._by_name[name] = secret
        insort(self._by_created, secret, key=place)
        return secret

    def _describe(self, secret: Secret, parameters: Parameters) -> None:
        secret.description = parameters.get("Description", secret.description)
        secret.kms_key_id = parameters.get("KmsKeyId", secret.kms_key_id)
        secret.changed = self._now()

    def _update(self, parameters: Parameters) -> Parameters:
        _refuse_two_values(parameters)
        secret = self._find_for_change(parameters["SecretId"])
        self._describe(secret, parameters)
        return self._put_value(secret, parameters, {CURRENT})

    def _delete(self, parameters: Parameters) -> Parameters:
        secret_id, days = parameters["SecretId"], parameters.get("RecoveryWindowInDays")
        is_forced = parameters.get("ForceDeleteWithoutRecovery", False)
        if is_forced and days is not None:
            raise _invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
        if days is not None and not 7 <= days <= 30:
            raise _invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
        if is_forced and self._known(secret_id) is None:
            # AWS answers as if there had been one, so that a forced deletion can be repeated.
            return {"ARN": f"{self._prefix}{secret_id}", "Name": secret_id, "DeletionDate": self._now()}
        secret = self._find_for_change(secret_id, deleted=is_forced)
        recovery = timedelta(days=0 if is_forced else days or DEFAULT_RECOVERY_DAYS)
        secret.gone_on, secret.changed = self._now() + recovery, self._now()
        self.rotations.note(secret)
        if is_forced:
            self._forget(secret)
        return {**_arn_and_name(secret), "DeletionDate": secret.gone_on}

    def _restore(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"], deleted=True)
        secret.gone_on, secret.changed = None, self._now()
        self.rotations.note(secret)
        return _arn_and_name(secret)

    def _tag(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"])
        secret.tags |= _tags(parameters)
        secret.changed = self._now()
        return {}

    def _untag(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"])
        secret.tags = {key: value for key, value in secret.tags.items() if key not in parameters["TagKeys"]}
        secret.changed = self._now()
        return {}

    def _list(self, parameters: Parameters) -> Parameters:
        found = self._found(deleted=parameters.get("IncludePlannedDeletion", False))
        if sort_by := parameters.get("SortBy"):
            found.sort(key=lambda secret: place(secret, sort_by))
        return listed(found, parameters)

    def _found(self, *, deleted: bool = False) -> list[Secret]:
        """In the order in which they were created; those marked for deletion only if asked for."""
        alive = [secret for secret in list(self._by_created) if not secret.gone_on or self._known(secret.arn)]
        return alive if deleted else [secret for secret in alive if not secret.gone_on]

    # Values and their versions

    def _put_value(self, secret: Secret, parameters: Parameters, stages: set[str]) -> Parameters:
        value = parameters.get("SecretString", parameters.get("SecretBinary"))
        if value is None:
            return _arn_and_name(secret)
        token, before = parameters.get("ClientRequestToken") or str(uuid.uuid4()), secret.at_stage(CURRENT)
        version = secret.put(token, value, stages, self._now())
        if secret.rotation.enabled and secret.at_stage(CURRENT) is not before:
            secret.rotation.updated(self._now())
            self.rotations.note(secret)
        return {**_arn_and_name(secret), "VersionId": version.id}

    def _put(self, parameters: Parameters) -> Parameters:
        _refuse_two_values(parameters)
        if not {"SecretString", "SecretBinary"} & parameters.keys():
            raise _invalid("You must provide either SecretString or SecretBinary.")
        secret = self._find_for_change(parameters["SecretId"])
        answer = self._put_value(secret, parameters, set(parameters.get("VersionStages") or [CURRENT]))
        stages = sorted(secret.versions[answer["VersionId"]].stages)  # none of a version that is put again, and old
        return {**answer, **({"VersionStages": stages} if stages else {})}

    def _get(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"])
        version = secret.readable(parameters.get("VersionId"), parameters.get("VersionStage"))
        version.accessed = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        value = {"SecretString" if isinstance(version.value, str) else "SecretBinary": version.value}
        stages = {"VersionStages": sorted(version.stages)} if version.stages else {}
        return {**_arn_and_name(secret), "VersionId": version.id, **value, **stages, "CreatedDate": version.created}

    def _batch_get(self, parameters: Parameters, caller: Caller) -> Parameters:
        values, errors = [], []
        passes = matching(parameters.get("Filters") or [])
        for secret_id in parameters.get("SecretIdList") or [each.arn for each in self._found() if passes(each)]:
            try:
                values.append(self.handle("GetSecretValue", {"SecretId": secret_id}, caller))
            except ServiceError as error:
                errors.append({"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message})
        return {**page(values, "SecretValues", parameters, default=20), "Errors": errors}

    def _list_versions(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"], deleted=True)
        shown = versions(secret, deprecated=parameters.get("IncludeDeprecated", False))
        return {**_arn_and_name(secret), **page(shown, "Versions", parameters, default=100)}

    def _move_stage(self, parameters: Parameters) -> Parameters:
        secret = self._find_for_change(parameters["SecretId"])
        source, target = parameters.get("RemoveFromVersionId"), parameters.get("MoveToVersionId")
        secret.relabel(parameters["VersionStage"], source=source, target=target)
        secret.changed = self._now()
        return _arn_and_name(secret)

    # Rotation

    def _rotate(self, parameters: Parameters) -> Parameters:
        secret = self._find_for_change(parameters["SecretId"])
        function_arn = parameters.get("RotationLambdaARN") or secret.rotation.function_arn
        if not function_arn:
            why = "No Lambda rotation function ARN is associated with this secret."
            raise ServiceError("InvalidRequestException", why)
        secret.readable()
        self.rotations.set_up(secret, function_arn, parameters.get("RotationRules") or secret.rotation.rules)
        secret.changed = self._now()
        token = parameters.get("ClientRequestToken") or str(uuid.uuid4())
        self.rotations.begin(secret, token, immediately=parameters.get("RotateImmediately", True))
        return {**_arn_and_name(secret), "VersionId": token}

    def _cancel_rotation(self, parameters: Parameters) -> Parameters:
        secret = self._find_for_change(parameters["SecretId"])
        secret.changed = self._now()
        self.rotations.turn_off(secret)
        return _arn_and_name(secret)

    # Resource policies

    def _put_policy(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"])
        _validate_policy(parameters)
        secret.policy = parameters["ResourcePolicy"]
        return _arn_and_name(secret)

    def _get_policy(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"])
        return {**_arn_and_name(secret), **({"ResourcePolicy": secret.policy} if secret.policy else {})}

    def _delete_policy(self, parameters: Parameters) -> Parameters:
        secret = self._find(parameters["SecretId"])
        secret.policy = None
        return _arn_and_name(secret)


def _for_whoever(do: Callable[[Parameters], Parameters]) -> Callable[[Parameters, Caller], Parameters]:
    return lambda parameters, caller: do(parameters)


def _arn_and_name(secret: Secret) -> Parameters:
    return {"ARN": secret.arn, "Name": secret.name}


def _tags(parameters: Parameters) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in parameters.get("Tags") or []}


def _validate_policy(parameters: Parameters) -> Parameters:
    try:
        is_policy = "Statement" in json.loads(parameters["ResourcePolicy"])
    except (ValueError, TypeError):
        is_policy = False
    if not is_policy:
        raise ServiceError("MalformedPolicyDocumentException", "This resource policy contains invalid Json.")
    return {"PolicyValidationPassed": True, "ValidationErrors": []}


def _refuse_two_values(parameters: Parameters) -> None:
    if {"SecretString", "SecretBinary"} <= parameters.keys():
        why = "You can't specify both a binary secret value and a string secret value in the same secret."
        raise _invalid(why)


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)
