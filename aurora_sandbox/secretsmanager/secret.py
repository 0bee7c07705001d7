"""One secret of the sandbox: its versions and the staging labels that say which of them counts.

    label        version it is on
    AWSCURRENT   the one readers get; exactly one version has it once the secret has a value
    AWSPREVIOUS  the one that was AWSCURRENT before
    AWSPENDING   the one a rotation is making; it exists before it has a value

A version without a label is deprecated: it can be read by its id, and lists leave it out unless asked.
Nothing here knows of requests, threads or rotation functions. Source: "What's in a Secrets Manager secret", AWS Secrets
Manager User Guide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from aurora_sandbox.secretsmanager.automatic import Rotation
from aurora_sandbox.wire import Kept, ServiceError

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"


@dataclass(slots=True)
class Version:
    """One value. `value` is None between a rotation's announcement of the version and the function's PutSecretValue."""

    id: str
    created: datetime
    value: str | bytes | None = None
    stages: set[str] = field(default_factory=set)
    accessed: datetime | None = None


@dataclass(slots=True)
class Secret:
    """A name, its versions by id, and the labels on them. shown: what ListSecrets has shown of it last."""

    arn: str
    name: str
    created: datetime
    changed: datetime
    description: str = ""
    kms_key_id: str | None = None
    owning_service: str | None = None
    policy: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    rotation: Rotation = field(default_factory=Rotation)
    gone_on: datetime | None = None  # the end of the recovery window, once marked for deletion
    shown: Kept | None = None

    @property
    def accessed(self) -> datetime | None:
        """When it was read last."""
        return max((version.accessed for version in self.versions.values() if version.accessed), default=None)

    def at_stage(self, stage: str) -> Version | None:
        """The version that carries this label."""
        return next((version for version in self.versions.values() if stage in version.stages), None)

    def put(self, token: str, value: str | bytes, stages: set[str], now: datetime) -> Version:
        """The version of this token, holding this value and carrying these labels.

        Repeating a call changes nothing. Raises ResourceExistsException when the token already carries another value.
        """
        version = self.versions.get(token)
        if version is None:
            version = self.versions[token] = Version(token, now)
        if version.value is not None and version.value != value:
            raise ServiceError("ResourceExistsException", "A resource with the ID you requested already exists.")
        if version.value is None:
            version.value = value
            self.changed = now
            for stage in sorted(stages if self.at_stage(CURRENT) else stages | {CURRENT}):
                self.move(stage, version)
        return version

    def move(self, stage: str, version: Version | None) -> None:
        """Puts a label on this version, or on none; the version that loses AWSCURRENT becomes AWSPREVIOUS."""
        holder = self.at_stage(stage)
        if holder is version:
            return
        if holder is not None:
            holder.stages.discard(stage)
        if version is not None:
            version.stages.add(stage)
        if stage == CURRENT and holder is not None:
            self.move(PREVIOUS, holder)

    def relabel(self, stage: str, *, source: str | None, target: str | None) -> None:
        """UpdateSecretVersionStage: moves a label between the versions of these ids, or takes it away."""
        if not {target, source} - {None} <= set(self.versions):
            raise _not_found("Secrets Manager can't find the specified secret version.")
        if target is None and stage == CURRENT:
            raise _invalid(
                f"You can only move staging label {stage} to a different secret version. It can't be removed."
            )
        holder = self.at_stage(stage)
        if holder and holder.id not in (source, target):
            raise _invalid(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                f"version {holder.id}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        self.move(stage, self.versions[target] if target else None)

    def readable(self, version_id: str | None = None, stage: str | None = None) -> Version:
        """The version asked for, AWSCURRENT by default.

        Raises ResourceNotFoundException if it is missing or has no value yet.
        """
        version = self.versions.get(version_id) if version_id else self.at_stage(stage or CURRENT)
        if version and version_id and stage and stage not in version.stages:
            why = "You provided a VersionStage that is not associated to the provided VersionId."
            raise ServiceError("InvalidRequestException", why)
        if version is None or version.value is None:
            asked = f"staging label: {stage or CURRENT}" if stage or not version_id else f"VersionId: {version_id}"
            raise _not_found(f"Secrets Manager can't find the specified secret value for {asked}")
        return version

    def unfinished(self) -> Version | None:
        """The version a rotation began and did not bring to AWSCURRENT."""
        pending = self.at_stage(PENDING)
        return pending if pending and CURRENT not in pending.stages else None

    def stages(self) -> dict[str, list[str]]:
        """VersionIdsToStages: deprecated versions are left out."""
        return {version.id: sorted(version.stages) for version in self.versions.values() if version.stages}


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def _not_found(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message)
