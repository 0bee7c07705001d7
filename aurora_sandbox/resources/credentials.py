"""AWS::SecretsManager::Secret, SecretTargetAttachment, RotationSchedule and ResourcePolicy."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.resources.api import Properties, generated_name, refuse_unfit
from aurora_sandbox.secretsmanager.password import generated_secret
from aurora_sandbox.secretsmanager.service import SecretsManager
from aurora_sandbox.wire import Caller, ServiceError, service_model

CLOUDFORMATION = Caller("AKIACLOUDFORMATION00")
ATTACHED = ("engine", "host", "port", "dbClusterIdentifier")

Ask = Callable[..., dict[str, Any]]


def credential_types(secrets: SecretsManager, clusters: Clusters) -> dict[str, ResourceType]:
    """The types of this module by name."""

    def ask(operation: str, **parameters: Any) -> dict[str, Any]:
        given = {name: value for name, value in parameters.items() if value is not None}
        refuse_unfit(service_model("secretsmanager").operation_model(operation), given)
        try:
            return secrets.handle(operation, given, CLOUDFORMATION)
        except ServiceError as error:
            raise ResourceFailed(error.message) from error

    return {
        "AWS::SecretsManager::Secret": SecretType(ask),
        "AWS::SecretsManager::SecretTargetAttachment": Attachment(ask, clusters),
        "AWS::SecretsManager::RotationSchedule": RotationSchedule(ask),
        "AWS::SecretsManager::ResourcePolicy": ResourcePolicy(ask),
    }


def _tags(request: Request) -> dict[str, str]:
    own = {tag["Key"]: tag["Value"] for tag in request.properties.get("Tags") or []}
    return {**request.tags, **own}


@dataclass(frozen=True, slots=True)
class SecretType:
    """A secret. Its value is made when it is created, and again only when GenerateSecretString itself has changed."""

    ask: Ask

    def create(self, request: Request) -> Outcome:
        tags = [{"Key": key, "Value": value} for key, value in _tags(request).items()]
        name = request.properties.get("Name") or generated_name(request, max_length=256)
        answer = self.ask("CreateSecret", Name=name, Tags=tags, **_facts(request), **_value(request.properties))
        return Outcome(answer["ARN"], {"Id": answer["ARN"]})

    def update(self, request: Request) -> Outcome:
        secret_arn, old = request.physical_id or "", request.old_properties or {}
        is_changed = any(
            old.get(key) != request.properties.get(key) for key in ("SecretString", "GenerateSecretString")
        )
        value = _value(request.properties) if is_changed else {}
        self.ask("UpdateSecret", SecretId=secret_arn, **_facts(request), **value)
        desired = _tags(request)
        removed = {tag["Key"] for tag in old.get("Tags") or []} - set(desired)  # tags of others stay
        self.ask("UntagResource", SecretId=secret_arn, TagKeys=sorted(removed))
        tags = [{"Key": key, "Value": value} for key, value in desired.items()]
        self.ask("TagResource", SecretId=secret_arn, Tags=tags)
        return Outcome(secret_arn, {"Id": secret_arn})

    def delete(self, request: Request) -> None:
        """CloudFormation leaves no recovery window, so that the name is free at once."""
        self.ask("DeleteSecret", SecretId=request.physical_id, ForceDeleteWithoutRecovery=True)

    def found(self, request: Request) -> Outcome | None:
        """By its ARN alone."""
        secret = _described(self.ask, request.physical_id or "")
        is_it = secret is not None and secret["ARN"] == request.physical_id
        return Outcome(request.physical_id or "", {"Id": request.physical_id}) if is_it else None

    def read(self, request: Request) -> Properties | None:
        """Its value cannot be read. One that is marked for deletion still has its name."""
        secret = _described(self.ask, request.physical_id or "")
        return None if secret is None else {"Description": secret.get("Description", "")}


def _facts(request: Request) -> dict[str, Any]:
    return {"Description": request.properties.get("Description", ""), "KmsKeyId": request.properties.get("KmsKeyId")}


def _value(properties: Properties) -> dict[str, str]:
    """SecretString as given or generated; nothing for a secret without a value. Raises ResourceFailed."""
    text, rules = properties.get("SecretString"), properties.get("GenerateSecretString")
    if text is not None and rules is not None:
        raise ResourceFailed("You can't specify both SecretString and GenerateSecretString.")
    if rules is None:
        return {"SecretString": text} if text else {}
    try:
        return {"SecretString": generated_secret(rules)}
    except ServiceError as error:
        raise ResourceFailed(error.message) from error


def _already_exists(kind: str, secret_arn: str) -> ResourceFailed:
    what = f"Resource of type 'AWS::SecretsManager::{kind}' with identifier '{secret_arn}'"
    return ResourceFailed(f"{what} already exists.")


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """Writes into a secret how its database is reached, and takes that out again. One a secret; Ref is its ARN."""

    ask: Ask
    clusters: Clusters
    _attached: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create(self, request: Request) -> Outcome:
        secret_arn: str = self.ask("DescribeSecret", SecretId=request.properties["SecretId"])["ARN"]
        with self._lock:
            if secret_arn in self._attached:
                raise _already_exists("SecretTargetAttachment", secret_arn)
            self._write(secret_arn, self._target(request.properties))
            self._attached.add(secret_arn)
        return Outcome(secret_arn, {"Id": secret_arn})

    def update(self, request: Request) -> Outcome:
        secret_arn = request.physical_id or ""
        self._write(secret_arn, self._target(request.properties))
        return Outcome(secret_arn, {"Id": secret_arn})

    def delete(self, request: Request) -> None:
        secret_arn = request.physical_id or ""
        with self._lock:
            self._attached.discard(secret_arn)
            if _exists(self.ask, secret_arn):
                self._write(secret_arn, {})

    def release(self, request: Request) -> None:
        """The secret keeps what was written into it, and another stack may attach it."""
        with self._lock:
            self._attached.discard(request.physical_id or "")

    def read(self, request: Request) -> Properties | None:
        return None if _described(self.ask, request.physical_id or "") is None else {}

    def _target(self, properties: Properties) -> dict[str, Any]:
        """The facts of the cluster that TargetId names, by identifier or ARN."""
        kind, target_id = properties["TargetType"], properties["TargetId"]
        if kind != "AWS::RDS::DBCluster":
            raise ResourceFailed(f"The sandbox attaches secrets to AWS::RDS::DBCluster only, not to {kind}.")
        cluster = self.clusters.get(target_id)
        if cluster is None:
            raise ResourceFailed(f"DBCluster {target_id} not found.")
        return dict(zip(ATTACHED, ("mysql", cluster.host, cluster.port, cluster.identifier), strict=True))

    def _write(self, secret_arn: str, facts: dict[str, Any]) -> None:
        """Puts a version with these facts in the place of those of an attachment; everything else stays."""
        value = self.ask("GetSecretValue", SecretId=secret_arn).get("SecretString", "")
        try:
            content = json.loads(value)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ResourceFailed("The secret's value must be a JSON object to be attached to a database.")
        kept = {key: value for key, value in content.items() if key not in ATTACHED}
        self.ask("PutSecretValue", SecretId=secret_arn, SecretString=json.dumps({**kept, **facts}))


def _exists(ask: Ask, secret_id: str) -> bool:
    secret = _described(ask, secret_id)
    return secret is not None and "DeletedDate" not in secret


def _described(ask: Ask, secret_id: str) -> dict[str, Any] | None:
    try:
        return ask("DescribeSecret", SecretId=secret_id)
    except ResourceFailed:
        return None


@dataclass(frozen=True, slots=True)
class RotationSchedule:
    """Turns rotation on, and rotates at once unless told not to; removal cancels rotation. Ref is the secret's ARN."""

    ask: Ask

    def create(self, request: Request) -> Outcome:
        secret = self.ask("DescribeSecret", SecretId=request.properties["SecretId"])
        if secret.get("RotationEnabled"):
            raise _already_exists("RotationSchedule", secret["ARN"])
        return self._rotate(secret["ARN"], request.properties)

    def update(self, request: Request) -> Outcome:
        return self._rotate(request.physical_id or "", request.properties)

    def delete(self, request: Request) -> None:
        if _exists(self.ask, request.physical_id or ""):
            self.ask("CancelRotateSecret", SecretId=request.physical_id)

    def read(self, request: Request) -> Properties | None:
        """Whether AWS takes rotation that was switched off for drift is not known; here it is none."""
        secret = _described(self.ask, request.physical_id or "")
        if secret is None:
            return None
        rules = dict(secret.get("RotationRules", {}))
        if "ScheduleExpression" in rules:
            rules.pop("AutomaticallyAfterDays", None)  # which nobody has asked for
        return {"RotationRules": rules} if rules else {}

    def _rotate(self, secret_arn: str, properties: Properties) -> Outcome:
        if "HostedRotationLambda" in properties:
            raise ResourceFailed("A HostedRotationLambda needs Transform: AWS::SecretsManager-2024-09-16.")
        self.ask(
            "RotateSecret",
            SecretId=secret_arn,
            RotationLambdaARN=properties.get("RotationLambdaARN"),
            RotationRules=properties.get("RotationRules"),
            RotateImmediately=properties.get("RotateImmediatelyOnUpdate", True),
        )
        return Outcome(secret_arn, {"Id": secret_arn})


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """A secret's resource policy; Ref is the secret's ARN."""

    ask: Ask

    def create(self, request: Request) -> Outcome:
        document = request.properties["ResourcePolicy"]
        text = document if isinstance(document, str) else json.dumps(document)
        secret_arn = self.ask("PutResourcePolicy", SecretId=request.properties["SecretId"], ResourcePolicy=text)["ARN"]
        return Outcome(secret_arn, {"Id": secret_arn})

    def update(self, request: Request) -> Outcome:
        return self.create(request)

    def delete(self, request: Request) -> None:
        if _exists(self.ask, request.physical_id or ""):
            self.ask("DeleteResourcePolicy", SecretId=request.physical_id)
